# SPDX-License-Identifier: MIT
"""Row 6: the worst cases by which TLSF's authors compared allocators."""

from __future__ import annotations

from math import log2
from typing import Any, Mapping, Sequence

from lab.answer import draw
from lab.answer.fit import Line, line
from lab.experiment import KERNEL, Experiment
from lab.papers.row import (SOURCE, About, Check, Records, Result, Scale, Telling, mean,
                            simulate)

ABOUT = About(
    (6,), "tlsf", "TLSF's table of worst cases",
    "M. Masmano, I. Ripoll, A. Crespo and J. Real, \"TLSF: a New Dynamic Memory Allocator for"
    " Real-Time Systems\", ECRTS 2004, table 1")

FIRST, BEST, BUDDY, TLSF = "bitmap", "best-fit", "buddy", "tlsf"
HEAPS = {FIRST: "first fit", BEST: "best fit", BUDDY: "buddy", TLSF: "TLSF"}
PUBLISHED: Mapping[int, Mapping[str, Sequence[int]]] = {
    1: {FIRST: (25636208, 11256641), BEST: (17007384, 10322776), BUDDY: (4140, 1239),
        TLSF: (155, 148)},
    2: {FIRST: (2124, 1971), BEST: (2124, 1971), BUDDY: (244, 220), TLSF: (172, 148)},
    3: {FIRST: (568, 201), BEST: (592, 197), BUDDY: (5660, 5448), TLSF: (120, 115)},
    4: {FIRST: (792, 235), BEST: (536, 193), BUDDY: (5460, 5309), TLSF: (189, 168)},
    5: {FIRST: (348,), BEST: (372,), BUDDY: (3728,), TLSF: (188,)},
}
"""Cycles of a Pentium 4 at 2.8 GHz, by test: of the dearest kmalloc and the mean one; of test 5, of
the kfree."""
HEAP_KIB = {1: 4096, 2: 1024, 3: 2048, 4: 2048, 5: 2048}
"""Tests 1 and 2 with sizes four times the published ones."""
HOLES = 32767
"""Those of test 1 that are too small, in front of the one that fits."""
RATIO_LEAST = 1000
STEADY_MOST = 1.5
GOOD_FIT = 0.99
LEAF_BYTES = 16
_QUICK_KIB = 1024


def _heap_kib(test: int, scale: Scale) -> int:
    return _QUICK_KIB if scale.quick else HEAP_KIB[test]


def counted(strategy: str, test: int, heap_kib: int) -> Experiment:
    """A test in the booted kernel, in instructions."""
    searches = strategy in (FIRST, BEST)
    effort = heap_kib ** 2 // 100 if searches and test < 3 else 5 * heap_kib
    return Experiment(KERNEL, strategy, f"run=replay workload=tlsf-{test} samples=0",
                      heap_kib=heap_kib, effort=effort)


def _looked(strategy: str) -> Experiment:
    return simulate(strategy, "play workload=tlsf-1", HEAP_KIB[1], seconds=0.6)


def sizes_kib(scale: Scale) -> Sequence[int]:
    return (256, 512, 1024) if scale.quick else (256, 512, 1024, 2048, 4096, 8192, 16384)


def experiments(scale: Scale) -> list[Experiment]:
    return [*(counted(strategy, test, _heap_kib(test, scale))
              for strategy in HEAPS for test in PUBLISHED),
            *(counted(strategy, 3, kib) for strategy in (BUDDY, TLSF) for kib in sizes_kib(scale)),
            _looked(FIRST), _looked(BEST)]


def _worst(records: Records, scale: Scale, strategy: str, test: int) -> Mapping[str, Any]:
    raw = records[counted(strategy, test, _heap_kib(test, scale))]
    cost: Mapping[str, Any] = raw["free" if test == 5 else "malloc"]
    return cost


def _growth(records: Records, scale: Scale) -> tuple[list[tuple[int, int]], Line]:
    """Buddy's worst cost by heap size, and the line against log2 of pool / smallest block."""
    points = [(kib, records[counted(BUDDY, 3, kib)]["malloc"]["max"]) for kib in sizes_kib(scale)]
    return points, line([log2(kib * 1024 / LEAF_BYTES) for kib, _ in points],
                        [float(worst) for _, worst in points])


def tell(records: Records, scale: Scale) -> Telling:
    looked = [records[_looked(strategy)]["alloc_steps_max"] - 1 for strategy in (FIRST, BEST)]
    costs = {strategy: {test: _worst(records, scale, strategy, test) for test in PUBLISHED}
             for strategy in HEAPS}
    ratio = costs[FIRST][1]["max"] / costs[TLSF][1]["max"]
    published_ratio = PUBLISHED[1][FIRST][0] / PUBLISHED[1][TLSF][0]
    steady = max(cost["max"] / mean(cost) for cost in costs[TLSF].values())
    points, growth = _growth(records, scale)
    checks = (
        Check("holes looked at in vain in test 1: first fit, best fit", f"{HOLES:,}",
              ", ".join(f"{one:,}" for one in looked), "exact", set(looked) == {HOLES}),
        Check("first fit / TLSF, dearest kmalloc of test 1", f"{published_ratio:,.0f} (cycles)",
              f"{ratio:,.0f} (instructions)", f"at least {RATIO_LEAST:,}", ratio >= RATIO_LEAST),
        Check("TLSF: dearest / mean, all tests", "at most 1.2", f"at most {steady:.2f}",
              f"below {STEADY_MOST}", steady < STEADY_MOST),
        Check("buddy's dearest kmalloc against log2(pool / smallest block)", "grows with it",
              f"{growth.slope:.1f} instructions each, R² {growth.r_squared:.4f}",
              f"grows, R² above {GOOD_FIT}",
              growth.slope > 0 and growth.r_squared > GOOD_FIT))
    return Telling(
        [Result("6", ABOUT.title,
                f"test 1: first fit {published_ratio:,.0f} times TLSF's worst; that near TLSF's"
                " mean", f"{ratio:,.0f} times; TLSF at most {steady:.2f} times its mean", SOURCE,
                checks)],
        {"heaps": HEAPS, "published": PUBLISHED, "costs": costs, "mean": mean, "points": points,
         "growth": growth, "sizes": {test: _heap_kib(test, scale) for test in PUBLISHED},
         "ratio": ratio, "published_ratio": published_ratio, "quick": scale.quick,
         "tlsf_points": [records[counted(TLSF, 3, kib)]["malloc"]["max"]
                         for kib in sizes_kib(scale)]},
        {"worst": _figure(costs)})


def _figure(costs: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> str:
    with draw.sheet(2) as sheet:
        ours, theirs = sheet.panels
        for place, strategy in enumerate(HEAPS):
            at = [test + (place - 1.5) * 0.2 for test in PUBLISHED]
            colour = draw.look(strategy)["color"] if strategy != BUDDY else draw.SKY
            ours.bar(at, [costs[strategy][test]["max"] for test in PUBLISHED], 0.18, color=colour,
                     label=HEAPS[strategy])
            theirs.bar(at, [PUBLISHED[test][strategy][0] for test in PUBLISHED], 0.18, color=colour)
        ours.set_title("Dearest operation, here")
        ours.set_ylabel("instructions (logarithmic)")
        ours.legend(loc="upper right", ncol=2)
        theirs.set_title("Dearest operation, as published")
        theirs.set_ylabel("cycles (logarithmic)")
        for axes in sheet.panels:
            axes.set_yscale("log")
            axes.set_xticks(list(PUBLISHED), [f"test {test}" for test in PUBLISHED])
            axes.grid(axis="x", visible=False)
            draw.numbers(axes.yaxis)
    return sheet.svg
