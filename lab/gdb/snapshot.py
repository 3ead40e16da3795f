# SPDX-License-Identifier: MIT
"""A heap's blocks at one moment, as the kernel's own walk shows them, and what changes."""

from __future__ import annotations

import bisect
import enum
from dataclasses import dataclass
from functools import cached_property
from typing import Iterable, Iterator, Optional


class State(enum.IntEnum):
    """What a block is; the first four are enum heap_block_state (mm/heap_strategy.h)."""

    LIVE = 0
    FREE = 1
    CACHED = 2
    META = 3
    UNKNOWN = 4
    """Behind the place where a damaged heap can be walked no further."""


WORDS = {State.LIVE: "a live block", State.FREE: "a hole", State.CACHED: "a block kept for reuse",
         State.META: "a piece of the heap's own", State.UNKNOWN: "an unknown piece"}


@dataclass(frozen=True)
class Block:
    """One block. Only a live one has a payload."""

    start: int
    bytes: int
    payload: int
    payload_bytes: int
    state: State

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.start + self.bytes

    @property
    def waste_bytes(self) -> int:
        """Of a live block, what its owner cannot use: header and rounding."""
        return self.bytes - self.payload_bytes if self.state is State.LIVE else 0


@dataclass(frozen=True)
class Region:
    """The memory that a heap manages."""

    map: int
    arena: int
    end: int


@dataclass(frozen=True)
class Snapshot:
    """A heap at one moment. The blocks tile the region."""

    region: Region
    blocks: tuple[Block, ...]
    broken: str = ""
    """Why not all of it could be walked; empty if it could."""

    @cached_property
    def _starts(self) -> list[int]:
        return [block.start for block in self.blocks]

    def at(self, address: int) -> Optional[Block]:
        """The block that an address lies in; None if it lies outside the heap."""
        if not self.region.map <= address < self.region.end:
            return None
        return self.blocks[bisect.bisect_right(self._starts, address) - 1]

    def between(self, start: int, end: int) -> Iterator[Block]:
        """The blocks of which at least a byte lies from start to end."""
        return (block for block in self.blocks if block.start < end and block.end > start)

    def of(self, state: State) -> list[Block]:
        """The blocks in a state."""
        return [block for block in self.blocks if block.state is state]

    def bytes_of(self, state: State) -> int:
        """How much memory is in a state."""
        return sum(block.bytes for block in self.of(state))

    @property
    def waste_bytes(self) -> int:
        """What the owners of live blocks cannot use of them."""
        return sum(block.waste_bytes for block in self.blocks)


def tiled(region: Region, walked: Iterable[Block], why: str = "") -> Snapshot:
    """A snapshot of what a walk showed, as far as that makes sense.

    Where it does not, the rest of the region is one block of an unknown state; `why` the walk
    came to an early end, if it did.
    """
    blocks: list[Block] = []
    place = region.map
    for block in walked:
        if block.start != place or block.bytes == 0 or block.end > region.end:
            why = why or f"the walk leaves its way at 0x{place:08x}"
            break
        blocks.append(block)
        place = block.end
    if place < region.end:
        why = why or f"the walk ends at 0x{place:08x}"
        blocks.append(Block(place, region.end - place, 0, 0, State.UNKNOWN))
    return Snapshot(region, tuple(blocks), why)


@dataclass(frozen=True)
class Difference:
    """What is no longer as it was, in the order of addresses."""

    gone: tuple[Block, ...]
    come: tuple[Block, ...]

    def __bool__(self) -> bool:
        return bool(self.gone or self.come)

    @property
    def span(self) -> tuple[int, int]:
        """The addresses from the first to the last byte that changed hands.

        A hole that only became longer or shorter counts for as much as it changed.
        """
        live = [block for block in (*self.gone, *self.come) if block.state is State.LIVE]
        blocks = live or [*self.gone, *self.come]
        return min(block.start for block in blocks), max(block.end for block in blocks)


def difference(before: Snapshot, after: Snapshot) -> Difference:
    """How the blocks differ."""
    old, new = set(before.blocks), set(after.blocks)
    return Difference(tuple(sorted(old - new, key=lambda block: block.start)),
                      tuple(sorted(new - old, key=lambda block: block.start)))
