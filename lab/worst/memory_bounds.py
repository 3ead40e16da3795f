# SPDX-License-Identifier: MIT
"""How much memory the theory allows a heap to need for a trace: nothing may need more.

Each bound is the one at the top of the heap's file in mm/, applied to one trace. Most of them
have one idea: a request is refused only while every hole is too short for it, and of holes
there is at most one more than of live blocks. So a heap that has, at every request, room for
what is live and for so many holes that are all but long enough, never refuses one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable, Optional, Sequence

from lab.worst.sequence import Operation

MAP_STEP_BYTES, ARENA_STEP_BYTES = 8, 512
STEP_BYTES = MAP_STEP_BYTES + ARENA_STEP_BYTES
"""Regions grow so (docs/runner.md, run=smallest)."""
OVERHEAD_BYTES = 64
"""What a heap keeps of its region for itself, sentinels and ends, is less."""
BLOCK_BYTES = 64
PAGE_BYTES = 4096


@dataclass(frozen=True)
class MemoryBound:
    """What is always enough."""

    words: str
    source: str
    bytes_for: Optional[Callable[[Sequence[Operation]], int]]
    """Of a region, for a trace that only allocates and frees; None: no bound is proven."""


@dataclass(frozen=True)
class _Sizes:
    """What requests become: how long a hole must be, and how long a block may get."""

    needed: Callable[[int], int]
    granted: Callable[[int], int]


def _up(value: int, to: int) -> int:
    return -(-value // to) * to


def _power(value: int) -> int:
    return 1 << (value - 1).bit_length()


def _held_out(operations: Sequence[Operation], sizes: _Sizes, granule: int) -> int:
    """The most that may be live and in holes too short, at any request."""
    live: dict[int, int] = {}
    total = most = 0
    for ident, size in operations:
        if not size:
            total -= live.pop(ident)
            continue
        most = max(most, total + (len(live) + 1) * (sizes.needed(size) - granule) + granule)
        live[ident] = sizes.granted(size)
        total += live[ident]
    return max(most, total)


def _whole_region(sizes: _Sizes, granule: int) -> Callable[[Sequence[Operation]], int]:
    """Of a heap that uses side array and arena as one piece."""
    return lambda operations: _up(_held_out(operations, sizes, granule) + OVERHEAD_BYTES,
                                  STEP_BYTES)


def _of_arena(arena_bytes: int) -> int:
    return _up(arena_bytes, ARENA_STEP_BYTES) // ARENA_STEP_BYTES * STEP_BYTES


_BLOCKS = _Sizes(lambda size: _up(size, BLOCK_BYTES), lambda size: _up(size, BLOCK_BYTES))
_UNITS = _Sizes(lambda size: 8 + _up(size, 8), lambda size: 8 + _up(size, 8))
_KNUTH_C = 32
_TAGS = _Sizes(lambda size: max(16, 8 + _up(size, 8)),
               lambda size: max(16, 8 + _up(size, 8)) + _KNUTH_C - 1)


def _headed(size: int) -> int:
    return max(16, _up(size + 4, 8))


def _column(block: int) -> int:
    """How far apart tlsf's lists are for holes of such a length."""
    return max(8, (1 << block.bit_length() - 1) // 32)


def _class(size: int) -> int:
    return _power(max(8, size - 4)) + 8


_HALF_FIT = _Sizes(lambda size: _power(_headed(size)), lambda size: _headed(size) + 8)
_TLSF = _Sizes(lambda size: _up(_headed(size), _column(_headed(size))),
               lambda size: _headed(size) + 8)
_CLASSES = _Sizes(_class, lambda size: _class(size) + 8)
_GRANULES = _Sizes(lambda size: max(16, _up(size, 8)), lambda size: size + size // 8 + 23)
_PAGES = _Sizes(lambda size: _up(size, PAGE_BYTES), lambda size: _up(size, PAGE_BYTES))


def _blocks(operations: Sequence[Operation]) -> int:
    return _of_arena(_held_out(operations, _BLOCKS, BLOCK_BYTES))


def _first_fit(operations: Sequence[Operation]) -> int:
    """The smaller one of two: Robson's, and that of the holes."""
    live: dict[int, int] = {}
    most = longest = total = 0
    for ident, size in operations:
        if size:
            live[ident] = blocks = _BLOCKS.granted(size) // BLOCK_BYTES
            total, longest = total + blocks, max(longest, blocks)
            most = max(most, total)
        else:
            total -= live.pop(ident)
    harmonic = sum(1 / length for length in range(1, longest + 1))
    robson = math.floor(most * harmonic / math.log(2)) * BLOCK_BYTES
    return min(_of_arena(robson), _blocks(operations))


def _buddy(operations: Sequence[Operation]) -> int:
    """Something lives in every stretch of the request's length, from the arena's start on; a
    block that is longer lives in as many as it has room for."""
    live: dict[int, int] = {}
    most = 0
    for ident, size in operations:
        if size:
            length = _power(max(16, size))
            most = max(most, length + sum(max(length, block) for block in live.values()))
            live[ident] = length
        else:
            del live[ident]
    return _of_arena(most)


def _slab(operations: Sequence[Operation]) -> int:
    return _of_arena(_held_out(operations, _PAGES, PAGE_BYTES) + PAGE_BYTES)


def _boundary_map(operations: Sequence[Operation]) -> int:
    return _of_arena(_held_out(operations, _GRANULES, 8) + OVERHEAD_BYTES)


_HOLES = "M + (m + 1)(n - 1)"
_ROBSON = "min(M H(n) / ln 2, M + (m + 1)(n - 1))"

MEMORY_BOUNDS = {
    "bump": MemoryBound("none", "memory needed is the sum of all requests ever made", None),
    "bitmap": MemoryBound(_ROBSON, "Robson 1977; Knuth, TAOCP 1, 2.5, exercise 43", _first_fit),
    "next-fit": MemoryBound(_HOLES, "one hole more than live blocks", _blocks),
    "best-fit": MemoryBound(_HOLES, "Robson 1977; Knuth, TAOCP 1, 2.5, exercise 42", _blocks),
    "worst-fit": MemoryBound(_HOLES, "one hole more than live blocks", _blocks),
    "free-list": MemoryBound(_HOLES, "one hole more than live blocks", _whole_region(_UNITS, 8)),
    "boundary-tag": MemoryBound(_HOLES, "one hole more than live blocks", _whole_region(_TAGS, 8)),
    "segregated": MemoryBound("M + (m + 1) N, N < 2n + 8", "after a sweep, one hole more than"
                              " live blocks", _whole_region(_CLASSES, 8)),
    "buddy": MemoryBound("N for each live block, or its own length, and N; N = 2^ceil(log2 n)",
                         "invariant I4", _buddy),
    "slab": MemoryBound("P + (m + 1)(p - 1) pages", "a page for each live buffer; page runs are"
                        " best fit", _slab),
    "half-fit": MemoryBound("M + (m + 1) N, N = 2^ceil(log2 n)", "no hole of the next list",
                            _whole_region(_HALF_FIT, 8)),
    "tlsf": MemoryBound("M + (m + 1) 33/32 n", "no hole of the next column",
                        _whole_region(_TLSF, 8)),
    "boundary-map": MemoryBound(_HOLES, "with nothing cached, one hole more than live blocks",
                                _boundary_map),
}
