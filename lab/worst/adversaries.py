# SPDX-License-Identifier: MIT
"""Where a search begins: the adversaries of the literature, which the kernel makes by name, some
that were written against the heaps here, and loads of every day."""

from __future__ import annotations

from pathlib import Path

from lab import trace, workload
from lab.answer.worst_case import comb
from lab.worst.sequence import Limits, Operation, Operations, mended, of_trace

UNIT_BYTES = 64
ROUNDING_BYTES = 8
"""Requests of so much less than a unit leave room for a header, as kernel/workload_adversaries.c
does it."""


def all_of(limits: Limits, heap_kib: int, program: Path, scratch: Path) -> list[Operations]:
    """Every adversary, for a heap of this size; `program` makes the published ones."""
    whole = heap_kib * 1024
    every = [*published(limits, heap_kib, program, scratch), *against_bins(limits, heap_kib),
             *pinned_pages(limits), *fine_combs(limits, heap_kib),
             *ordinary(limits, heap_kib, program, scratch),
             mended([(0, whole), (0, 0)], limits),
             mended([(0, 1), (1, whole), (0, 0), (1, whole), (1, 0)], limits)]
    return list(dict.fromkeys(every))


def published(limits: Limits, heap_kib: int, program: Path, scratch: Path) -> list[Operations]:
    """What `holes`, `tlsf`, `robson` and `bestfit` are in a heap of this size.

    Of robson and bestfit a unit is 64 bytes.
    """
    units = limits.live_bytes // UNIT_BYTES
    names = [f"holes-{max(1, heap_kib * 1024 // UNIT_BYTES // 2 - 4)}",
             *(f"tlsf-{test}" for test in range(1, 6))]
    scaled = [f"robson-{log2}-{units}" for log2 in range(1, 6)]
    scaled += [f"bestfit-{size}-{rounds}" for size, rounds in ((8, 40), (16, 40), (32, 32))]
    made = workload.make([*names, *scaled], seed=1, heap_kib=heap_kib, operations_limit=None,
                         program=program, directory=scratch)
    found = [of_trace(one) for one in made[:len(names)]]
    for one in made[len(names):]:
        operations = of_trace(one)
        found += [_scaled(operations, 0), _scaled(operations, ROUNDING_BYTES)]
    combs = trace.parse(comb(heap_kib, 1).encode(), Path("comb.rep"))
    return [mended(one, limits) for one in (*found, of_trace(combs))]


def ordinary(limits: Limits, heap_kib: int, program: Path, scratch: Path) -> list[Operations]:
    """Loads that are no adversaries, and bring about what those do not: no worst case may be
    better than what a heap does every day."""
    made = workload.make(["lifo-kernel-50", "ramp-kernel-50", "churn-kernel-50"], seed=1,
                         heap_kib=heap_kib, operations_limit=limits.operations, program=program,
                         directory=scratch)
    return [mended(of_trace(one), limits) for one in made]


def _scaled(operations: list[Operation], less: int) -> list[Operation]:
    return [(ident, size * UNIT_BYTES - less if size else 0) for ident, size in operations]


def against_bins(limits: Limits, heap_kib: int) -> list[Operations]:
    """Holes of one bin, as many as there can be, and a request that none of them serves.

    Against boundary-map, which looks at every hole in a long request's own bin where no bin above
    has any. What lies between the holes is too long for its bump region, where it would not lie
    between them, and what lies behind them leaves no longer hole.
    """
    found = []
    for hole, between, request in ((4104, 264, 4200), (4104, 1032, 4200), (4104, 4104, 4200),
                                   (5000, 264, 5060), (8200, 264, 8400), (16392, 264, 16800)):
        pairs = (heap_kib * 1024 - 64) // (hole + between)
        fill = [(index, between if index % 2 else hole) for index in range(2 * pairs)]
        rest = [(2 * pairs + index, size) for index, size in
                enumerate(1 << power for power in range(15, 3, -1) for _ in range(6))]
        holes = [(index, 0) for index in range(0, 2 * pairs, 2)]
        found.append(mended([*fill, *rest, *holes, (2 * pairs + len(rest), request)], limits))
    return found


def fine_combs(limits: Limits, heap_kib: int) -> list[Operations]:
    """The heap full of the smallest blocks, every other one free; a larger one is asked for, and
    some are freed: against whoever has a list of holes, or looks at all blocks."""
    found = []
    for size, block in ((1, 16), (12, 16), (20, 24), (28, 32)):
        count = heap_kib * 1040 // block
        teeth = [(index, size) for index in range(count)]
        holes = [(index, 0) for index in range(0, count, 2)]
        made = [*teeth, *holes, (count, 4 * size), *((index, 0) for index in (1, count - 1 | 1)),
                (count + 1, 8 * size)]
        found += [mended(made, limits)] if len(made) <= limits.operations else []
    return found


def pinned_pages(limits: Limits) -> list[Operations]:
    """Pages filled with blocks of one size, of which one stays and holds its page: against slab."""
    found = []
    for size in (64, 128, 512, 1024, 2048):
        if not limits.size_min <= size <= limits.size_max:
            continue
        made: list[Operation] = []
        for page in range(limits.operations // 3):
            names = range(page << 8, (page << 8) + max(1, 4096 // size))
            made += [(name, size) for name in names]
            made += [(name, 0) for name in list(names)[1:]]
        found.append(mended(made, limits))
    return found
