# SPDX-License-Identifier: MIT
"""Where blocks lay: a heap's history, from its trace and the placements that the runner wrote.

The first-fit family keeps no headers, so its whole state follows from where its blocks lie.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping

import numpy

from lab.experiment import NO_PLACEMENT, Evidence, operations_of

BLOCK_BYTES = 64


class ByteMap:
    """The map of a first-fit heap, block by block, as its operations are gone through."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.map_bytes = int(raw["footprint"]["map_bytes"])
        self.used = numpy.zeros(self.map_bytes, dtype=bool)
        self._runs: dict[int, tuple[int, int]] = {}

    def apply(self, kind: str, ident: int, size: int, placement: int) -> None:
        """Do what the heap did."""
        if kind == "r" and placement == NO_PLACEMENT and size:
            return  # it failed: the block stays as it was
        if kind != "a" and ident in self._runs:
            first, end = self._runs.pop(ident)
            self.used[first:end] = False
        if placement != NO_PLACEMENT:
            first, end = self.run(size, placement)
            self._runs[ident] = first, end
            self.used[first:end] = True

    def run(self, size: int, placement: int) -> tuple[int, int]:
        """The blocks that a request of `size` takes at a placement: the first, and the one
        behind the last."""
        first = (placement - self.map_bytes) // BLOCK_BYTES
        return first, first + -(-size // BLOCK_BYTES)

    def holes(self) -> list[tuple[int, int]]:
        """First block and length of each hole, in blocks, by address."""
        wall = numpy.ones(1, dtype=bool)
        edges = numpy.flatnonzero(numpy.diff(numpy.concatenate((wall, self.used, wall))))
        starts, ends = edges[::2], edges[1::2]
        return list(zip(starts.tolist(), (ends - starts).tolist()))


def replay(evidence: Evidence) -> Iterator[tuple[int, tuple[str, int, int], int, ByteMap]]:
    """Each operation's index, itself, its placement, and the map as it was before."""
    assert evidence.trace
    heap = ByteMap(evidence.raw)
    operations = operations_of(evidence.trace)
    for index, (operation, placement) in enumerate(zip(operations, evidence.placements)):
        yield index, operation, placement, heap
        heap.apply(*operation, placement)
