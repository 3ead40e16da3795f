# SPDX-License-Identifier: MIT
"""What a kernel wrote down about one replay, operation by operation, held against its record.

A kernel that is asked for `placements costs changes` (docs/runner.md) tells after each operation
where its block lies, what it cost, and which blocks of the heap's walk are new. From these every
state of the heap follows; so does each figure of the record, and none may differ.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Iterator, Mapping, Optional, Sequence

from lab.errors import RunError

NONE = 0xFFFFFFFF
"""No placement, no cost; and the end of an operation's changes."""

LIVE, FREE, PARKED, OWN = range(4)
"""The states of blocks, in the order of the kernel's `enum heap_block_state`."""

_STATE_SHIFT = 30
_START_MASK = (1 << _STATE_SHIFT) - 1

Block = tuple[int, int, int]
"""Where it starts in the region, where it ends, and its state."""
Operation = tuple[str, int, int]
"""Its kind, its id, its size (0 for a free)."""

DONE, FAILED, SKIPPED = range(3)
"""What became of an operation; one on a block whose allocation failed is skipped."""


class Notes:
    """What a kernel wrote, taken apart."""

    def __init__(self, data: bytes, operations: int) -> None:
        self._words = array("I")
        self._words.frombytes(data[:len(data) // 4 * 4])
        self._next = 0
        self.placements, self.costs = array("I"), array("I")
        self.changes = [self._take_changes()]
        """By operation, what it changed, but behind what the heap was like at first."""
        for _ in range(operations):
            self.placements.append(self._take())
            self.costs.append(self._take())
            self.changes.append(self._take_changes())
        if 4 * self._next != len(data):
            raise RunError(f"the kernel's notes have {len(data)} bytes, not {4 * self._next}")

    def _take(self) -> int:
        if self._next >= len(self._words):
            raise RunError("the kernel's notes end too early")
        self._next += 1
        return self._words[self._next - 1]

    def _take_changes(self) -> list[Block]:
        blocks = []
        while (word := self._take()) != NONE:
            start = word & _START_MASK
            blocks.append((start, start + self._take(), word >> _STATE_SHIFT))
        return blocks


class Walk:
    """All blocks of a heap, in address order, as they change."""

    def __init__(self, total_bytes: int) -> None:
        self._starts = [0]
        self.blocks: list[Block] = [(0, total_bytes, OWN)]

    def apply(self, changes: Sequence[Block]) -> None:
        """Put new blocks in the place of those that lie there.

        Raises RunError unless they take exactly the place of whole blocks.
        """
        for run in _runs(changes):
            first = bisect_left(self._starts, run[0][0])
            last = bisect_left(self._starts, run[-1][1])
            replaced = self.blocks[first:last]
            if not replaced or (replaced[0][0], replaced[-1][1]) != (run[0][0], run[-1][1]):
                raise RunError(f"the blocks from {run[0][0]} to {run[-1][1]} of the heap's walk"
                               " are not in the place of others")
            self.blocks[first:last] = run
            self._starts[first:last] = [start for start, _, _ in run]

    def figures(self) -> dict[str, int]:
        """What a record says of a heap in one moment."""
        sizes: dict[int, list[int]] = {state: [] for state in (LIVE, FREE, PARKED, OWN)}
        for start, end, state in self.blocks:
            sizes[state].append(end - start)
        return {"granted": sum(sizes[LIVE]), "free": sum(sizes[FREE]),
                "largest": max(sizes[FREE], default=0), "holes": len(sizes[FREE]),
                "highest": max((end for _, end, state in self.blocks if state == LIVE),
                               default=0)}


def _runs(blocks: Sequence[Block]) -> Iterator[list[Block]]:
    """Blocks that follow each other without a gap."""
    run: list[Block] = []
    for block in blocks:
        if run and run[-1][1] != block[0]:
            yield run
            run = []
        run.append(block)
    if run:
        yield run


class Owners:
    """Which requests are live, as operations are carried out or fail."""

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}
        self.requested = 0
        self._missing: set[int] = set()

    def apply(self, operation: Operation, placement: int) -> int:
        """Note what became of an operation, and return it: DONE, FAILED or SKIPPED."""
        kind, ident, size = operation
        if kind != "a" and ident in self._missing:
            if kind == "f":
                self._missing.remove(ident)
            return SKIPPED
        if kind != "f" and size and placement == NONE:
            if kind == "a":
                self._missing.add(ident)
            return FAILED
        self.requested += size - self.sizes.pop(ident, 0)
        if size:
            self.sizes[ident] = size
        return DONE


@dataclass(frozen=True)
class Reel:
    """One heap on one trace."""

    name: str
    record: Mapping[str, Any]
    """As the kernel wrote it."""
    operations: Sequence[Operation]
    """Those that were replayed."""
    notes: Notes
    total_bytes: int

    @cached_property
    def outcomes(self) -> list[int]:
        """What became of each operation."""
        owners = Owners()
        return list(map(owners.apply, self.operations, self.notes.placements))

    def check(self) -> None:
        """Raise RunError unless what is noted down agrees with the record, to the last digit."""
        for what, noted, recorded in self._both():
            if noted != recorded:
                raise RunError(f"{self.name}: the kernel's notes say that {what} is {noted}, its"
                               f" record says {recorded}")

    def _both(self) -> Iterator[tuple[str, Any, Any]]:
        """Each figure, from the notes and from the record."""
        costs = [cost for cost in self.notes.costs if cost != NONE]
        yield "the cost of all operations", sum(costs), self.record["cost"].get("total", 0)
        yield "the number of failures", self.outcomes.count(FAILED), self.record["failures"]
        yield ("the placements' hash", _placement_hash(self.notes.placements),
               self.record["placement_hash"])
        series, first = self.record["series"], self.record["first_failure"]
        due = {index: {name: series[name][place] for name in series if name != "operation"}
               for place, index in enumerate(series["operation"])}
        if first:
            due.setdefault(first["operation"], {}).update(
                {name: first[name] for name in ("requested", "granted", "free", "largest",
                                                "holes")})
        for index, figures in self._figures(due):
            for name in due[index]:
                yield f"{name} after operation {index}", figures[name], due[index][name]

    def _figures(self, wanted: Mapping[int, Any]) -> Iterator[tuple[int, dict[str, int]]]:
        """The figures of the heap after each wanted operation."""
        walk, owners = Walk(self.total_bytes), Owners()
        walk.apply(self.notes.changes[0])
        for index, operation in enumerate(self.operations):
            owners.apply(operation, self.notes.placements[index])
            walk.apply(self.notes.changes[index + 1])
            if index in wanted:
                yield index, walk.figures() | {"requested": owners.requested}


def _placement_hash(placements: Sequence[int]) -> str:
    """FNV-1a, 64 bits, as docs/runner.md says."""
    value = 0xCBF29CE484222325
    for placement in placements:
        for byte in placement.to_bytes(4, "little"):
            value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def first_difference(reels: Sequence[Reel]) -> Optional[int]:
    """The first operation in which the heaps do not do the same: one refuses and another does
    not, or a block comes to lie above another one's block. Addresses themselves always differ,
    since side arrays and headers do; what they say is in which order blocks lie."""
    for index, deeds in enumerate(zip(*map(_deeds, reels))):
        if len(set(deeds)) > 1:
            return index
    shortest = min(len(reel.operations) for reel in reels)
    return None if all(len(reel.operations) == shortest for reel in reels) else shortest


def _deeds(reel: Reel) -> Iterator[tuple[int, Optional[int]]]:
    """By operation: what became of it, and the id of the live block below its own."""
    owners = Owners()
    places: dict[int, int] = {}
    sorted_places: list[int] = []
    by_place: dict[int, int] = {}
    for operation, placement in zip(reel.operations, reel.notes.placements):
        kind, ident, _ = operation
        outcome = owners.apply(operation, placement)
        below = None
        if outcome == DONE and kind != "a" and ident in places:
            del sorted_places[bisect_left(sorted_places, places[ident])]
            del by_place[places.pop(ident)]
        if outcome == DONE and placement != NONE:
            rank = bisect_left(sorted_places, placement)
            below = by_place[sorted_places[rank - 1]] if rank else None
            sorted_places.insert(rank, placement)
            places[ident], by_place[placement] = placement, ident
        yield outcome, below
