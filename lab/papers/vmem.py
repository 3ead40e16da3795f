# SPDX-License-Identifier: MIT
"""Row 12: what an allocation costs as free memory falls into more and more fragments."""

from __future__ import annotations

from typing import Sequence

from lab.answer import draw
from lab.answer.fit import line
from lab.experiment import KERNEL, Experiment
from lab.papers.row import SOURCE, About, Check, Records, Result, Scale, Telling, mean

ABOUT = About(
    (12,), "vmem", "Latency against fragments",
    "J. Bonwick and J. Adams, \"Magazines and Vmem: Extending the Slab Allocator to Many CPUs and"
    " Arbitrary Resources\", USENIX 2001, section 4")

NAIVE = "bitmap"
CONSTANT = ("half-fit", "tlsf")
"""Those that claim it (HEAP_CONSTANT_TIME)."""
OTHER = "boundary-map"
"""Has lists by size as well, and a cache in front that needs a large hole."""
GOOD_FIT = 0.99
LEVEL = 0.05
"""A cost that changes by less than this over all numbers of holes does not grow."""


def _holes(scale: Scale) -> Sequence[int]:
    return (250, 500, 1000, 2000) if scale.quick else (250, 500, 1000, 2000, 3000, 4000, 6000, 8000)


def _run(strategy: str, holes: int) -> Experiment:
    return Experiment(KERNEL, strategy, f"run=replay workload=holes-{holes} samples=0",
                      effort=3 * holes)


def experiments(scale: Scale) -> list[Experiment]:
    return [_run(strategy, holes) for strategy in (NAIVE, *CONSTANT, OTHER)
            for holes in _holes(scale)]


def tell(records: Records, scale: Scale) -> Telling:
    holes = _holes(scale)
    costs = {strategy: [mean(records[_run(strategy, count)]["malloc"]) for count in holes]
             for strategy in (NAIVE, *CONSTANT, OTHER)}
    naive = line(holes, costs[NAIVE])
    growth = {strategy: max(costs[strategy]) / min(costs[strategy]) - 1
              for strategy in (*CONSTANT, OTHER)}
    worst = max(CONSTANT, key=lambda strategy: growth[strategy])
    checks = (
        Check("rmalloc's kin, `bitmap`: cost against holes", "linear",
              f"R² {naive.r_squared:.5f}", f"R² above {GOOD_FIT}",
              naive.slope > 0 and naive.r_squared > GOOD_FIT),
        Check("constant-time heaps: growth over all numbers of holes", "none",
              f"at most {100 * growth[worst]:.1f} % ({worst})", f"under {100 * LEVEL:.0f} %",
              growth[worst] < LEVEL),
        Check(f"`{OTHER}`, which claims no constant time", "none", f"{100 * growth[OTHER]:.0f} %",
              f"under {100 * LEVEL:.0f} %", growth[OTHER] < LEVEL, decides=False))
    return Telling(
        [Result("12", ABOUT.title, "rmalloc linear in fragments; vmem constant",
                f"first fit {naive.slope:.1f} instructions a hole, R² {naive.r_squared:.4f};"
                f" tlsf and half-fit grow by {100 * growth[worst]:.1f} %", SOURCE, checks)],
        {"strategies": list(costs), "other": OTHER, "steady": growth[OTHER] < LEVEL, "naive": naive,
         "rows": [(count, [costs[strategy][place] for strategy in costs])
                  for place, count in enumerate(holes)]},
        {"latency": _figure(holes, costs)})


def _figure(holes: Sequence[int], costs: dict[str, list[float]]) -> str:
    with draw.sheet(1, 3.0) as sheet:
        (axes,) = sheet.panels
        for strategy, mine in costs.items():
            axes.plot(holes, mine, label=strategy, **draw.look(strategy))
        axes.set_yscale("log")
        axes.set_title("Mean kmalloc, with so many holes in front that are too small")
        axes.set_xlabel("holes")
        axes.set_ylabel("instructions (logarithmic)")
        for axis in (axes.xaxis, axes.yaxis):
            draw.numbers(axis)
        axes.legend(loc="center right")
    return sheet.svg
