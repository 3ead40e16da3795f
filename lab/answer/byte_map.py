# SPDX-License-Identifier: MIT
"""Chapter 6: a byte of side array where a bit would do, and what that does to a cache."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from lab import cachegrind
from lab.answer import draw
from lab.answer.chapter import NAIVE, About, Records, Scale, Telling, churn
from lab.experiment import CACHEGRIND, KERNEL, PROCESSOR, Experiment

ABOUT = About(
    6, "byte-map", "A byte where a bit would do",
    "The map is eight times as large as it need be, and a search drags all of it through the"
    " cache.")

MAPS = ("byte", "word", "bit")
MAP_NAMES = {"byte": "a byte a block, one by one", "word": "the same bytes, four at a time",
             "bit": "a bit a block, 32 at a time"}
HEAPS = (NAIVE, "tlsf", "boundary-map")
PERCENT = 50
BITS = 8


def _scan(machine: str) -> Experiment:
    return Experiment(machine, NAIVE, "run=experiment experiment=map-scan")


def _sizes_kib(scale: Scale) -> tuple[int, ...]:
    """The larger one's map is larger than the simulated first-level cache."""
    return (1024,) if scale.quick else (1024, 4096)


def _cached(strategy: str, heap_kib: int) -> Experiment:
    """With sizes of a larger mean, for the build-up's sake: cachegrind is slow."""
    return churn(CACHEGRIND, strategy, Scale(quick=True), PERCENT, mix="uniform",
                 heap_kib=heap_kib)


def _machines(scale: Scale) -> tuple[str, ...]:
    """Where instructions are counted, and where cycles are."""
    return (KERNEL, PROCESSOR) if scale.timed else (KERNEL,)


def _churned(machine: str, strategy: str, scale: Scale) -> Experiment:
    return churn(machine, strategy, scale, PERCENT)


def experiments(scale: Scale) -> list[Experiment]:
    made = [_scan(machine) for machine in _machines(scale)]
    for strategy in HEAPS:
        made += [_churned(machine, strategy, scale) for machine in _machines(scale)]
        if scale.cachegrind:
            made += [_cached(strategy, heap_kib) for heap_kib in _sizes_kib(scale)]
    return made


def _misses(records: Records, strategy: str, heap_kib: int) -> dict[str, float]:
    """cachegrind's events of the heap's own functions, per operation of the workload."""
    raw = records[_cached(strategy, heap_kib)]
    return {event: raw["cachegrind"][event] / raw["operations"] for event in cachegrind.EVENTS}


def tell(records: Records, scale: Scale) -> Telling:
    scans = [records[_scan(machine)] for machine in _machines(scale)]
    counted = scans[0]
    blocks = counted["blocks"]
    lines = {"byte": blocks // cachegrind.LINE_BYTES,
             "bit": blocks // BITS // cachegrind.LINE_BYTES}
    ratios = [(strategy, [_ratio(records, scale, strategy, machine)
                          for machine in _machines(scale)]) for strategy in HEAPS[1:]]
    return Telling(
        finding=f"{counted['byte'] / counted['bit']:.0f} times the instructions of a map of bits;"
        f" {lines['byte']} cache lines instead of {lines['bit']}",
        verdict="a bit would do, and more cheaply",
        words={
            "blocks": blocks, "lines": lines, "line_bytes": cachegrind.LINE_BYTES,
            "map_bytes": {"byte": blocks, "bit": blocks // BITS}, "names": MAP_NAMES,
            "scans": [(name, counted[name], [timed[name] / timed["bit"] for timed in scans[1:]])
                      for name in MAPS],
            "ratios": ratios, "timed": scale.timed,
            "kinder": scale.timed and all(1 < time < count for _, (count, time) in ratios),
            "overflows": _overflows(records, scale), "cachegrind": scale.cachegrind,
            "level_1_kib": cachegrind.LEVEL_1_BYTES // 1024,
            "misses": [(strategy, heap_kib, _misses(records, strategy, heap_kib))
                       for heap_kib in _sizes_kib(scale) for strategy in HEAPS]
            if scale.cachegrind else [],
        },
        figures={"scan": _figure(scans)})


def _overflows(records: Records, scale: Scale) -> bool:
    """Whether the largest map missed the cache ten times as often as the smallest."""
    if not scale.cachegrind:
        return False
    misses = [_misses(records, NAIVE, heap_kib)["D1mr"] for heap_kib in _sizes_kib(scale)]
    return misses[-1] > 10 * misses[0]


def _ratio(records: Records, scale: Scale, strategy: str, machine: str) -> float:
    """How many times the other heap's median kmalloc the naive one costs."""
    naive, other = (records[_churned(machine, name, scale)]["malloc"]["p50"]
                    for name in (NAIVE, strategy))
    return float(naive / other)


def _figure(scans: Sequence[Mapping[str, Any]]) -> str:
    """Of what was counted, and behind it what was timed, if anything was."""
    with draw.sheet(1, 2.2) as sheet:
        (axes,) = sheet.panels
        for offset, (raw, label, colour) in enumerate(zip(scans, (
                "instructions, counted", "cycles of the processor this was run on"),
                (draw.BLUE, draw.ORANGE))):
            values = [raw[name] / raw["bit"] for name in MAPS]
            rows = [place + 0.4 * (offset - 0.5) for place in range(len(MAPS))]
            axes.barh(rows, values, 0.36, color=colour, label=label)
            for row, value in zip(rows, values):
                axes.annotate(f"{value:.1f}", (value, row), xytext=(3, 0), va="center",
                              textcoords="offset points", fontsize=8.5)
        axes.set_yticks(range(len(MAPS)), [MAP_NAMES[name] for name in MAPS])
        axes.set_ylim(len(MAPS) - 0.5, -0.5)
        axes.grid(axis="y", visible=False)
        axes.margins(x=0.12)
        axes.set_title("To find the last block of a full map")
        axes.set_xlabel("times what a map of bits costs")
        axes.legend(loc="lower right")
    return sheet.svg
