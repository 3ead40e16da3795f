# SPDX-License-Identifier: MIT
"""Row 5: the worst case of best fit, which needs almost m times what is live."""

from __future__ import annotations

from typing import Any, Sequence

from lab.answer import draw
from lab.experiment import Experiment
from lab.papers.row import (SEQUENTIAL, SOURCE, UNIT_BYTES, About, Check, Records, Result, Scale,
                            Telling, near, simulate)

ABOUT = About(
    (5,), "best-fit", "Best fit's worst case",
    "J. M. Robson, \"Worst case fragmentation of first fit and best fit storage allocation"
    " strategies\", Computer Journal 20 (3), 1977; Knuth, *TAOCP* 1, 2.5, exercise 42")

BEST, FIRST = "best-fit", "bitmap"
TARGETS = {(32, 500): 24.4, (64, 1000): 49.9}
"""By largest request m and rounds k: what a simulation written for the purpose gave before."""
SHARE = 0.02
FIRST_MOST = 1.3
_SIZES = (16, 32, 64)
_ROUNDS = (50, 100, 250, 500)
_OTHERS_AT = (32, 250)


def _run(strategy: str, size: int, rounds: int) -> Experiment:
    words = f"play workload=bestfit-{size}-{rounds} scale={UNIT_BYTES}"
    return simulate(strategy, words, max(1024, size * rounds // 8),
                    seconds=size * rounds ** 2 / 4e6 if strategy != FIRST else 0.2)


def _targets(scale: Scale) -> Sequence[tuple[int, int]]:
    return list(TARGETS)[:1] if scale.quick else list(TARGETS)


def _grid(scale: Scale) -> list[tuple[int, int]]:
    rounds = _ROUNDS[:2] if scale.quick else _ROUNDS
    made = [(size, count) for size in _SIZES for count in rounds if size * count < 32_000]
    return [*made, *(one for one in _targets(scale) if one not in made)]


def experiments(scale: Scale) -> list[Experiment]:
    return [*(_run(BEST, *one) for one in _grid(scale)),
            *(_run(FIRST, *one) for one in _targets(scale)),
            *(_run(strategy, *_OTHERS_AT) for strategy in SEQUENTIAL)]


def factor(raw: Any) -> float:
    """Memory used, for each byte that was live at once."""
    return float(raw["extent_bytes"] / raw["peak_granted_bytes"])


def constructed_units(size: int, rounds: int) -> int:
    """What the construction arrives at."""
    return (rounds + 2) * (size - 2)


def tell(records: Records, scale: Scale) -> Telling:
    checks = []
    for size, rounds in _targets(scale):
        due, best = TARGETS[size, rounds], factor(records[_run(BEST, size, rounds)])
        first = factor(records[_run(FIRST, size, rounds)])
        checks += [Check(f"memory / live, best fit, m = {size}, k = {rounds}", f"{due}",
                         f"{best:.2f}", f"within {100 * SHARE:.0f} %", near(best, due, SHARE)),
                   Check("the same trace, first fit", "about 1", f"{first:.2f}",
                         f"under {FIRST_MOST}", first < FIRST_MOST)]
    exact = all(records[_run(BEST, size, rounds)]["extent_bytes"] ==
                constructed_units(size, rounds) * UNIT_BYTES for size, rounds in _grid(scale))
    checks.append(Check("units used, best fit, every m and k", "(k + 2)(m - 2)",
                        "the same" if exact else "others", "exact", exact))
    size, rounds = _targets(scale)[0]
    best, first = (factor(records[_run(one, size, rounds)]) for one in (BEST, FIRST))
    points = {size: [(count, factor(records[_run(BEST, size, count)]))
                     for one, count in _grid(scale) if one == size] for size in _SIZES}
    return Telling(
        [Result("5", ABOUT.title, "memory up to m n - O(n + m²)",
                f"{best:.1f} times what is live at m = {size}; first fit {first:.2f}",
                SOURCE, checks)],
        {"points": points, "others_at": _OTHERS_AT,
         "others": [(name, factor(records[_run(strategy, *_OTHERS_AT)]))
                    for strategy, name in SEQUENTIAL.items()]},
        {"growth": _figure(points)})


def _figure(points: dict[int, list[tuple[int, float]]]) -> str:
    with draw.sheet(1, 3.0) as sheet:
        (axes,) = sheet.panels
        for (size, mine), colour in zip(points.items(), (draw.SKY, draw.BLUE, draw.VERMILION)):
            axes.plot([rounds for rounds, _ in mine], [value for _, value in mine], color=colour,
                      marker="o", markersize=4, label=f"m = {size}")
            axes.axhline(size - 2, color=colour, linestyle=":", linewidth=1)
        axes.set_xscale("log")
        ticks = sorted({rounds for mine in points.values() for rounds, _ in mine})
        axes.set_xticks(ticks, [f"{rounds:,}" for rounds in ticks])
        axes.minorticks_off()
        axes.set_title("Memory that best fit uses for each unit live (dotted: m - 2)")
        axes.set_xlabel("rounds k of the construction (logarithmic)")
        axes.set_ylabel("times what is live")
        axes.set_ylim(bottom=0)
        axes.legend(loc="center left")
    return sheet.svg
