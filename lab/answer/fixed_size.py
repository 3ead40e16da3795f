# SPDX-License-Identifier: MIT
"""Chapter 8: how full a heap is when it first says no."""

from __future__ import annotations

import statistics
from typing import Any

from lab.answer import draw
from lab.answer.chapter import NAIVE, About, Records, Scale, Telling
from lab.experiment import HOST, Experiment

ABOUT = About(
    8, "fixed-size", "Fixed size, and failure by surprise",
    "The heap cannot grow, and nothing tells beforehand that it will fail.")

HEAPS = (NAIVE, "next-fit", "best-fit", "worst-fit", "free-list", "boundary-tag", "segregated",
         "buddy", "slab", "half-fit", "tlsf", "boundary-map")
MIXES = ("kernel", "small", "uniform", "power", "large")
HEAP_BYTES = 1024 * 1024
MUCH = 0.1
SHOWN = (NAIVE, "buddy", "tlsf", "boundary-map")


def _fill(strategy: str, mix: str, seed: int) -> Experiment:
    return Experiment(HOST, strategy, f"run=replay workload=fill-{mix} samples=0 seed={seed}",
                      effort=3000)


def experiments(scale: Scale) -> list[Experiment]:
    return [_fill(strategy, mix, seed)
            for strategy in HEAPS for mix in MIXES for seed in scale.seeds]


def _shares(records: Records, scale: Scale, strategy: str, mix: str) -> list[float]:
    """For each seed: which share of the heap was requested when the first request failed."""
    return [records[_fill(strategy, mix, seed)]["first_failure"]["requested"] / HEAP_BYTES
            for seed in scale.seeds]


def tell(records: Records, scale: Scale) -> Telling:
    shares = {strategy: {mix: _shares(records, scale, strategy, mix) for mix in MIXES}
              for strategy in HEAPS}
    naive = {mix: statistics.mean(shares[NAIVE][mix]) for mix in MIXES}
    lowest, highest = min(naive, key=lambda mix: naive[mix]), max(naive, key=lambda mix: naive[mix])
    best = {mix: max(HEAPS, key=lambda name: statistics.mean(shares[name][mix])) for mix in MIXES}
    first = {mix: records[_fill(NAIVE, mix, scale.seeds[0])]["first_failure"] for mix in MIXES}
    return Telling(
        finding=f"first failure at {100 * naive[lowest]:.0f} % requested ({lowest} sizes) to"
        f" {100 * naive[highest]:.0f} % ({highest})",
        verdict="when it fails depends on the sizes" if naive[highest] - naive[lowest] > MUCH
        else "much the same for all sizes",
        words={"mixes": MIXES, "naive": naive, "lowest": lowest, "highest": highest, "best": best,
               "first": first, "seeds": len(scale.seeds),
               "rows": [(name, [statistics.mean(shares[name][mix]) for mix in MIXES])
                        for name in HEAPS],
               "spread": max(max(one) - min(one) for one in shares[NAIVE].values())},
        figures={"fill": _figure(shares)})


def _figure(shares: dict[str, dict[str, Any]]) -> str:
    with draw.sheet(1, 3.0) as sheet:
        (axes,) = sheet.panels
        width = 0.8 / len(SHOWN)
        for place, name in enumerate(SHOWN):
            axes.bar([row + (place - 1.5) * width for row in range(len(MIXES))],
                     [100 * statistics.mean(shares[name][mix]) for mix in MIXES], width,
                     label=name, color=draw.look(name)["color"])
        axes.set_xticks(range(len(MIXES)), MIXES)
        axes.set_ylim(0, 125)
        axes.set_yticks(range(0, 101, 25))
        axes.set_title("Requested when the first request fails")
        axes.set_xlabel("mix of sizes")
        axes.set_ylabel("per cent of the heap")
        axes.grid(axis="x", visible=False)
        axes.legend(ncol=4, loc="upper center")
    return sheet.svg
