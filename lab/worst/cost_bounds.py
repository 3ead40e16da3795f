# SPDX-License-Identifier: MIT
"""How many instructions the theory allows one call of a heap: none may take more.

A heap's file in mm/ says what its loops step over; here that is counted, for a heap of a given
size. What a step takes is read off the machine code (`machine_code`). Of boundary-map the file
itself states the whole bound, in instructions, and argues for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from lab.errors import RunError
from lab.worst import machine_code

BLOCK_BYTES = 64
PAGE_BYTES = 4096
MALLOC, FREE = "malloc", "free"
CALLS = {MALLOC: "kmalloc", FREE: "kfree"}


@dataclass(frozen=True)
class Turns:
    """How often loops can turn in one call."""

    all: int
    outer: int = 0
    """Those with a loop in them."""
    words: int = 0
    """Filled by an instruction that repeats itself."""


@dataclass(frozen=True)
class CostBound:
    """What one function of a heap takes at most."""

    words: str
    source: str
    turns: Optional[Callable[[int, int], Turns]] = None
    """For a heap of so many KiB and a block of so many bytes."""
    stated: Optional[Callable[[int, int], int]] = None
    """Instructions, for the same; if there are turns as well, the lower one holds."""


def _blocks(heap_kib: int) -> int:
    return heap_kib * 1024 // BLOCK_BYTES


def _region(heap_kib: int) -> int:
    return heap_kib * 1040


def _filled(size: int) -> int:
    """Words that memset fills for a run's map bytes, and up to three bytes more."""
    return -(-size // BLOCK_BYTES) // 4 + 4


def _orders(heap_kib: int) -> int:
    return (heap_kib * 1024 // 16).bit_length()


def _first_fit(heap_kib: int, size: int) -> Turns:
    return Turns(_blocks(heap_kib), words=_filled(size))


def _next_fit(heap_kib: int, size: int) -> Turns:
    return Turns(_blocks(heap_kib) + min(-(-size // BLOCK_BYTES), _blocks(heap_kib)),
                 words=_filled(size))


def _every_hole(heap_kib: int, size: int) -> Turns:
    holes = (_blocks(heap_kib) + 1) // 2
    return Turns(_blocks(heap_kib) + holes, holes, _filled(size))


def _run(heap_kib: int, size: int) -> Turns:
    return Turns(-(-size // BLOCK_BYTES), words=_filled(size))


def _units(heap_kib: int, _: int) -> Turns:
    """Holes of a unit between blocks of two, and the ring's base."""
    return Turns(_region(heap_kib) // 8 // 3 + 2)


def _tagged(heap_kib: int, _: int) -> Turns:
    """Holes of 16 bytes between blocks of 16, and AVAIL."""
    return Turns(_region(heap_kib) // 32 + 2)


def _sweep(heap_kib: int, _: int) -> Turns:
    pieces = _region(heap_kib) // 16
    return Turns(pieces, pieces, words=64)


def _splits(heap_kib: int, _: int) -> Turns:
    return Turns(_orders(heap_kib), _orders(heap_kib))


def _merges(heap_kib: int, _: int) -> Turns:
    return Turns(2 * _orders(heap_kib), _orders(heap_kib))


_CACHES = 26


def _pages(heap_kib: int, size: int) -> Turns:
    """Two searches among free runs, giving back all slabs, cutting a new one."""
    pages = heap_kib * 1024 // PAGE_BYTES
    buffers = PAGE_BYTES // max(8, size) if size <= PAGE_BYTES // 2 else 0
    return Turns(pages + 1 + _CACHES + pages + buffers, _CACHES)


def _none(_: int, __: int) -> Turns:
    return Turns(0)


BASE_FREE, BASE_MALLOC, EACH_PAGE, EACH_HOLE = 310, 400, 210, 20
"""mm/boundary-map.c, Cost."""


def claimed(size: int) -> int:
    """What boundary-map's kmalloc takes where some bin above the request's has a hole."""
    return BASE_MALLOC + (EACH_PAGE * -(-size // PAGE_BYTES) if size > PAGE_BYTES else 0)


def _boundary_map(heap_kib: int, size: int) -> int:
    """The same, and each hole of a bin that is searched, whose holes are at most 1/32 shorter."""
    if size <= PAGE_BYTES:
        return claimed(size)
    return claimed(size) + EACH_HOLE * (heap_kib * 1024 * 32 // (31 * size))


_CODE = "longest path"
_IN_BLOCKS = "blocks of the map"

COST_BOUNDS: dict[tuple[str, str], CostBound] = {
    ("bump", MALLOC): CostBound("constant", _CODE, _none),
    ("bump", FREE): CostBound("constant", _CODE, _none),
    ("bitmap", MALLOC): CostBound("a turn for each block", _IN_BLOCKS, _first_fit),
    ("bitmap", FREE): CostBound("a turn for each block of the run", _IN_BLOCKS, _run),
    ("next-fit", MALLOC): CostBound("a turn for each block, and for the request's", _IN_BLOCKS,
                                    _next_fit),
    ("next-fit", FREE): CostBound("a turn for each block of the run", _IN_BLOCKS, _run),
    ("best-fit", MALLOC): CostBound("a turn for each block, and for each hole", _IN_BLOCKS,
                                    _every_hole),
    ("best-fit", FREE): CostBound("a turn for each block of the run", _IN_BLOCKS, _run),
    ("worst-fit", MALLOC): CostBound("a turn for each block, and for each hole", _IN_BLOCKS,
                                     _every_hole),
    ("worst-fit", FREE): CostBound("a turn for each block of the run", _IN_BLOCKS, _run),
    ("free-list", MALLOC): CostBound("a turn for each hole", "holes of 8, blocks of 16 bytes",
                                     _units),
    ("free-list", FREE): CostBound("a turn for each hole", "holes of 8, blocks of 16 bytes",
                                   _units),
    ("boundary-tag", MALLOC): CostBound("a turn for each hole", "holes and blocks of 16 bytes",
                                        _tagged),
    ("boundary-tag", FREE): CostBound("constant", _CODE, _none),
    ("segregated", MALLOC): CostBound("a turn for each block", "blocks of 16 bytes, one sweep",
                                      _sweep),
    ("segregated", FREE): CostBound("constant", _CODE, _none),
    ("buddy", MALLOC): CostBound("a turn for each order", "log2 of the heap", _splits),
    ("buddy", FREE): CostBound("two turns for each order", "log2 of the heap", _merges),
    ("slab", MALLOC): CostBound("a turn for each page, cache and buffer of a page",
                                "all slabs given back", _pages),
    ("slab", FREE): CostBound("constant", _CODE, _none),
    ("half-fit", MALLOC): CostBound("constant", _CODE, _none),
    ("half-fit", FREE): CostBound("constant", _CODE, _none),
    ("tlsf", MALLOC): CostBound("constant", _CODE, _none),
    ("tlsf", FREE): CostBound("constant", _CODE, _none),
    ("boundary-map", MALLOC): CostBound(
        "400; above 4 KiB 210 more per 4 KiB, and 20 for each hole of the bin", "mm/boundary-map.c",
        stated=_boundary_map),
    ("boundary-map", FREE): CostBound("constant, and 310", f"{_CODE}; mm/boundary-map.c", _none,
                                      lambda *_: BASE_FREE),
}


class CostBounds:
    """The bounds of one kernel's two functions."""

    def __init__(self, strategy: str, heap_kib: int, kernel: Path) -> None:
        self._strategy = strategy
        self._heap_kib = heap_kib
        self._program = machine_code.program(kernel)
        self._shapes: dict[str, Optional[machine_code.Shape]] = {}
        self._known: dict[tuple[str, int], Optional[int]] = {}

    def at(self, call: str, size: int) -> Optional[int]:
        """Instructions that a call for, or of, a block of so many bytes takes at most; None: no
        bound is known, or a compiler made code that cannot be followed."""
        if (call, size) not in self._known:
            self._known[call, size] = self._find(call, size)
        return self._known[call, size]

    def _find(self, call: str, size: int) -> Optional[int]:
        bound = COST_BOUNDS.get((self._strategy, call))
        if bound is None:
            return None
        known = [self._counted(call, bound.turns(self._heap_kib, size)) if bound.turns else None,
                 bound.stated(self._heap_kib, size) if bound.stated else None]
        return min((one for one in known if one is not None), default=None)

    def _counted(self, call: str, turns: Turns) -> Optional[int]:
        shape = self._shape(call)
        if shape is None or (not turns.all and (shape.inner or shape.outer)):
            return None
        return shape.at_most(turns.all, turns.outer, turns.words)

    def _shape(self, call: str) -> Optional[machine_code.Shape]:
        if call not in self._shapes:
            try:
                self._shapes[call] = self._program.shape(CALLS[call])
            except RunError:
                self._shapes[call] = None
        return self._shapes[call]
