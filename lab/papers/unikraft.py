# SPDX-License-Identifier: MIT
"""Row 13: what it costs to get a heap ready."""

from __future__ import annotations

from lab.answer import draw
from lab.experiment import KERNEL, Experiment
from lab.papers import tlsf
from lab.papers.row import SOURCE, About, Check, Records, Result, Scale, Telling

ABOUT = About(
    (13,), "unikraft", "The cost of initialising a heap",
    "S. Kuenzer et al., \"Unikraft: Fast, Specialized Unikernels the Easy Way\", EuroSys 2021, and"
    " its artifact")

PUBLISHED = {"buddy": 2423.0, "tlsf": 24.0, "bump": 0.8}
"""Microseconds; `bump` stands for its region allocator."""
WITHOUT_KIN = {"tinyalloc": 343.0, "mimalloc": 2.6}
"""Those that no strategy here is like."""


def _run(strategy: str) -> Experiment:
    return Experiment(KERNEL, strategy, "run=replay workload=tlsf-5 samples=0", effort=500)


def experiments(scale: Scale) -> list[Experiment]:
    return [*map(_run, scale.strategies),
            *(tlsf.counted(strategy, 3, kib) for strategy in ("buddy", "tlsf")
              for kib in tlsf.sizes_kib(scale))]


def tell(records: Records, scale: Scale) -> Telling:
    costs = {strategy: records[_run(strategy)]["init_cost"] for strategy in scale.strategies}
    published = sorted(PUBLISHED, key=lambda strategy: -PUBLISHED[strategy])
    measured = sorted(PUBLISHED, key=lambda strategy: -costs[strategy])
    sizes = tlsf.sizes_kib(scale)
    growth = {strategy: [records[tlsf.counted(strategy, 3, kib)]["init_cost"] for kib in sizes]
              for strategy in ("buddy", "tlsf")}
    check = Check("order, dearest first", ", ".join(published), ", ".join(measured),
                  "the same order", published == measured)
    said = ", ".join(f"{strategy} {costs[strategy]:,}" for strategy in measured)
    return Telling(
        [Result("13", ABOUT.title, "buddy 2,423 µs, TLSF 24, region 0.8", f"{said} instructions",
                SOURCE, (check,))],
        {"published": PUBLISHED, "without_kin": WITHOUT_KIN,
         "all_published": sorted((PUBLISHED | WITHOUT_KIN).items(), key=lambda pair: -pair[1]),
         "costs": sorted(costs.items(), key=lambda pair: -pair[1]), "sizes": sizes,
         "growth": growth},
        {"init": _figure(costs)})


def _figure(costs: dict[str, int]) -> str:
    order = sorted(costs, key=lambda strategy: -costs[strategy])
    with draw.sheet(1, 0.3 + 0.24 * len(order)) as sheet:
        (axes,) = sheet.panels
        draw.bars(axes, order, [costs[one] for one in order], [f"{costs[one]:,}" for one in order],
                  [draw.VERMILION if one in PUBLISHED else draw.GREY for one in order])
        axes.set_xscale("log")
        axes.set_xlim(1, 4 * max(costs.values()))
        axes.set_title("Instructions of kinitHeap at 1 MiB (coloured: published)")
        draw.numbers(axes.xaxis)
    return sheet.svg
