# SPDX-License-Identifier: MIT
"""Chapter 1: what an allocation costs as the heap fills, and as it gets larger."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from lab.answer import draw
from lab.answer.chapter import NAIVE, About, Records, Scale, Telling, churn, mean
from lab.answer.fit import Line, line
from lab.experiment import KERNEL, Experiment

ABOUT = About(
    1, "linear-search", "The search is linear",
    "What an allocation costs grows in proportion to the heap, and to how full it is.")

HEAPS = (NAIVE, "half-fit", "tlsf", "boundary-map")
FILL_PERCENT = 50
GOOD_FIT = 0.95
GROWTH_ALLOWED = 0.1
"""A cost that grows by less than this from the smallest heap to the largest does not grow."""


def _filled(strategy: str, scale: Scale, percent: int) -> Experiment:
    return churn(KERNEL, strategy, scale, percent)


def _sized(strategy: str, scale: Scale, heap_kib: int) -> Experiment:
    return churn(KERNEL, strategy, scale, FILL_PERCENT, heap_kib=heap_kib)


def experiments(scale: Scale) -> list[Experiment]:
    return [made for strategy in HEAPS for made in (
        *(_filled(strategy, scale, percent) for percent in scale.fills),
        *(_sized(strategy, scale, heap_kib) for heap_kib in scale.heap_sizes_kib))]


def _fill_fit(records: Records, scale: Scale) -> Line:
    """Cost against fill, where no request failed: a heap that fails does other work."""
    points = [(percent, mean(records[_filled(NAIVE, scale, percent)]["malloc"]))
              for percent in scale.fills
              if not records[_filled(NAIVE, scale, percent)]["failures"]]
    return line([x for x, _ in points], [y for _, y in points])


def _sizes(records: Records, scale: Scale, strategy: str) -> list[float]:
    return [mean(records[_sized(strategy, scale, heap_kib)]["malloc"])
            for heap_kib in scale.heap_sizes_kib]


def tell(records: Records, scale: Scale) -> Telling:
    by_fill = _fill_fit(records, scale)
    costs = {strategy: _sizes(records, scale, strategy) for strategy in HEAPS}
    by_size = line(scale.heap_sizes_kib, costs[NAIVE])
    linear = by_size.r_squared > GOOD_FIT
    growth = scale.heap_sizes_kib[-1] / scale.heap_sizes_kib[0]
    fills = [_fill_row(records, scale, percent) for percent in scale.fills]
    return Telling(
        finding=f"{costs[NAIVE][-1] / costs[NAIVE][0]:.0f} times the cost in a heap"
        f" {growth:.0f} times as large; R² {by_size.r_squared:.4f}",
        verdict="linear in the heap's size" if linear else "not shown to be linear",
        words={
            "heaps": HEAPS, "fills": fills, "fill_percent": FILL_PERCENT,
            "sizes": [(heap_kib, [costs[strategy][place] for strategy in HEAPS])
                      for place, heap_kib in enumerate(scale.heap_sizes_kib)],
            "by_fill": by_fill, "by_size": by_size, "linear": linear,
            "level": [strategy for strategy in HEAPS[1:]
                      if costs[strategy][-1] < (1 + GROWTH_ALLOWED) * costs[strategy][0]],
            "ratio": costs[NAIVE][-1] / max(costs[strategy][-1] for strategy in HEAPS[1:]),
            "prices": _prices(records, scale),
        },
        figures={"cost": _figure(records, scale, by_fill, costs)})


def _fill_row(records: Records, scale: Scale, percent: int) -> tuple[int, int, list[float]]:
    raw = [records[_filled(strategy, scale, percent)] for strategy in HEAPS]
    return percent, raw[0]["failures"], [mean(one["malloc"]) for one in raw]


def _prices(records: Records, scale: Scale) -> list[tuple[str, dict[str, Any]]]:
    return [(strategy, records[_filled(strategy, scale, scale.fills[0])]["footprint"])
            for strategy in HEAPS]


def _figure(records: Records, scale: Scale, by_fill: Line,
            by_size: Mapping[str, Sequence[float]]) -> str:
    with draw.sheet(2) as sheet:
        fill, size = sheet.panels
        for strategy in HEAPS:
            raw = [records[_filled(strategy, scale, percent)] for percent in scale.fills]
            fill.plot(scale.fills, [mean(one["malloc"]) for one in raw], label=strategy,
                      **draw.look(strategy))
            size.plot(scale.heap_sizes_kib, by_size[strategy], **draw.look(strategy))
        ends = (scale.fills[0], scale.fills[-1])
        fill.plot(ends, [by_fill.at(x) for x in ends], color=draw.GREY, linestyle="--",
                  linewidth=1, label="fitted line")
        fill.set_title("As the heap fills")
        fill.set_xlabel("per cent of 1 MiB requested")
        fill.set_ylabel("instructions per kmalloc")
        fill.set_ylim(bottom=0)
        fill.legend(loc="upper left")
        size.set_title("As the heap grows, half of it requested")
        size.set_xscale("log", base=2)
        size.set_yscale("log")
        size.set_xticks(scale.heap_sizes_kib, [f"{kib:,}" for kib in scale.heap_sizes_kib])
        size.set_xlabel("KiB of heap (logarithmic)")
        size.set_ylabel("instructions per kmalloc (log.)")
        for axes in sheet.panels:
            draw.numbers(axes.yaxis)
    return sheet.svg
