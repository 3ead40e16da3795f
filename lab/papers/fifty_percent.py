# SPDX-License-Identifier: MIT
"""Row 1: Knuth's fifty-percent rule, and where Shore found that it does not hold."""

from __future__ import annotations

from typing import Any, Sequence

from lab.answer import draw
from lab.experiment import Experiment
from lab.papers.row import (MEMORY, SEQUENTIAL, About, Check, Records, Result, Scale, Telling,
                            near, simulate)

ABOUT = About(
    (1,), "fifty-percent", "The fifty-percent rule",
    "D. E. Knuth, *The Art of Computer Programming* 1, section 2.5; J. E. Shore, \"Anomalous"
    " behavior of the fifty-percent rule in dynamic memory allocation\", CACM 20 (11), 1977")

TOLERANCE = 0.03
FIFO_MOST = 0.1
MIXES = ("words", "eight")
FIFO_BLOCKS = 500
ROUNDED_BLOCKS = 2000
_RANDOM, _FIFO = "fixed", "fixedfifo"


def _blocks(scale: Scale) -> Sequence[int]:
    return (500,) if scale.quick else (500, 1000)


def _run(strategy: str, family: str, mix: str, blocks: int) -> Experiment:
    """Nothing is rounded: a unit of 64 bytes stands for one byte."""
    return simulate(strategy, f"play workload={family}-{mix}-{blocks} scale=64 operations=16384",
                    128 * blocks, seconds=blocks ** 2 / 3e5)


def _rounded(strategy: str, mix: str) -> Experiment:
    return simulate(strategy, f"play workload={_RANDOM}-{mix}-{ROUNDED_BLOCKS}", 4096)


def experiments(scale: Scale) -> list[Experiment]:
    return [one for strategy in SEQUENTIAL for mix in MIXES for one in (
        *(_run(strategy, _RANDOM, mix, blocks) for blocks in _blocks(scale)),
        _run(strategy, _FIFO, mix, FIFO_BLOCKS), _rounded(strategy, mix))]


def holes(raw: Any) -> float:
    """Holes for each live block, on average over time."""
    return float(raw["hole_sum"] / raw["live_sum"])


def half_p(raw: Any) -> float:
    """Half the probability that a fit is not exact."""
    return float(raw["inexact"] / raw["allocations"] / 2)


def _rule_check(what: str, raws: Sequence[Any], decides: bool = True) -> Check:
    ratios = [holes(raw) / half_p(raw) for raw in raws]
    return Check(what, "1", f"{min(ratios):.2f} to {max(ratios):.2f}",
                 f"within {100 * TOLERANCE:.0f} %",
                 all(near(ratio, 1, TOLERANCE) for ratio in ratios), decides)


def tell(records: Records, scale: Scale) -> Telling:
    rows = [(name, mix, blocks, records[_run(strategy, _RANDOM, mix, blocks)])
            for blocks in _blocks(scale) for mix in MIXES
            for strategy, name in SEQUENTIAL.items()]
    rounded = [(name, mix, ROUNDED_BLOCKS, records[_rounded(strategy, mix)])
               for mix in MIXES for strategy, name in SEQUENTIAL.items()]
    fifo = [(name, mix, records[_run(strategy, _FIFO, mix, FIFO_BLOCKS)])
            for mix in MIXES for strategy, name in SEQUENTIAL.items()]
    most = max(holes(raw) for _, _, raw in fifo)
    rule = _rule_check("holes / (p/2 × live blocks), random victims", [row[-1] for row in rows])
    checks = (
        rule,
        _rule_check("the same, sizes rounded to 64 bytes", [row[-1] for row in rounded], False),
        Check("holes / live blocks, oldest block freed", "far below p/2", f"at most {most:.4f}",
              f"below {FIFO_MOST}", most < FIFO_MOST))
    return Telling(
        [Result("1", ABOUT.title, "holes = p/2 × live blocks; not if the oldest is freed",
                f"ratio {rule.measured}; oldest freed: {most:.4f}", MEMORY, checks)],
        {"rows": [(*row, holes(row[-1]), half_p(row[-1])) for row in (*rows, *rounded)],
         "rounded_blocks": ROUNDED_BLOCKS, "fifo_blocks": FIFO_BLOCKS,
         "fifo": [(name, mix, holes(raw), half_p(raw)) for name, mix, raw in fifo]},
        {"rule": _figure([*rows, *rounded], fifo)})


def _figure(rows: Sequence[tuple[str, str, int, Any]], fifo: Sequence[tuple[str, str, Any]]) -> str:
    with draw.sheet(1, 3.2) as sheet:
        (axes,) = sheet.panels
        axes.plot((0, 0.5), (0, 0.5), color=draw.GREY, linewidth=1, label="the rule")
        for strategy, name in SEQUENTIAL.items():
            look = draw.look(strategy) | {"linestyle": "none"}
            mine = [raw for one, _, _, raw in rows if one == name]
            axes.plot([half_p(raw) for raw in mine], [holes(raw) for raw in mine], label=name,
                      **look)
            mine = [raw for one, _, raw in fifo if one == name]
            axes.plot([half_p(raw) for raw in mine], [holes(raw) for raw in mine],
                      fillstyle="none", **look)
        axes.annotate("the oldest block is freed", (0.47, 0.01), xytext=(0.3, 0.06),
                      arrowprops={"arrowstyle": "-", "color": draw.GREY})
        axes.set_title("Holes for each live block")
        axes.set_xlabel("half the probability that a fit is not exact")
        axes.set_ylabel("holes / live blocks")
        axes.set_ylim(bottom=-0.02)
        axes.legend(loc="upper left")
    return sheet.svg
