# SPDX-License-Identifier: MIT
"""A heap's blocks at one moment, as the kernel's own walk shows them, and what changes."""

from __future__ import annotations

import bisect
import enum
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Iterable, Iterator, Mapping, Optional


class State(enum.IntEnum):
    """What a block is; the first four are enum heap_block_state (mm/heap_strategy.h)."""

    LIVE = 0
    FREE = 1
    CACHED = 2
    META = 3
    UNKNOWN = 4
    """Behind the place where a damaged heap can be walked no further."""
    PARKED = 5
    """Free, and in a magazine (mm/magazine.h): the walk shows it as CACHED."""


WORDS = {State.LIVE: "a live block", State.FREE: "a hole", State.CACHED: "a block kept for reuse",
         State.META: "a piece of the heap's own", State.UNKNOWN: "an unknown piece",
         State.PARKED: "a parked block"}


@dataclass(frozen=True)
class Block:
    """One block. Only a live one has a payload."""

    start: int
    bytes: int
    payload: int
    payload_bytes: int
    state: State
    asked_bytes: Optional[int] = field(default=None, compare=False)
    """How much its owner has asked for, if that is known; at most payload_bytes."""

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.start + self.bytes

    @property
    def waste_bytes(self) -> int:
        """Of a live block, what its owner has not asked for, as far as that is known, and else
        what he cannot use: header and rounding."""
        return self.bytes - self.owned_bytes if self.state is State.LIVE else 0

    @property
    def owned_bytes(self) -> int:
        """Of the payload, what is no waste."""
        return self.payload_bytes if self.asked_bytes is None else self.asked_bytes


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
        """What is waste of live blocks."""
        return sum(block.waste_bytes for block in self.blocks)

    def with_asked(self, asked: Mapping[int, int]) -> "Snapshot":
        """The same, once it is known how much was asked for where payloads begin.

        What cannot be, since the block is smaller, is left out.
        """
        def told(block: Block) -> Block:
            count = asked.get(block.payload) if block.state is State.LIVE else None
            known = count is not None and count <= block.payload_bytes
            return replace(block, asked_bytes=count) if known else block

        return replace(self, blocks=tuple(map(told, self.blocks))) if asked else self

    def places(self, where: Mapping[int, str]) -> dict[int, str]:
        """What is known of addresses, by the starts of the blocks in which they lie."""
        return {block.start: what for address, what in where.items()
                if (block := self.at(address))}

    def with_parked(self, where: Mapping[int, str]) -> "Snapshot":
        """The same, once it is known which of the blocks kept for reuse are in magazines."""
        holding = self.places(where)
        return replace(self, blocks=tuple(
            replace(block, state=State.PARKED)
            if block.state is State.CACHED and block.start in holding else block
            for block in self.blocks)) if holding else self


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
