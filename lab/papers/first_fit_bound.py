# SPDX-License-Identifier: MIT
"""Row 4: the upper bound on what first fit needs, which no trace may ever exceed."""

from __future__ import annotations

import functools
import math
from typing import Any, Sequence

from lab import trace, workload
from lab.answer import draw
from lab.experiment import Experiment
from lab.papers.row import (SOURCE, UNIT_BYTES, About, Check, Records, Result, Scale, Telling,
                            simulate)
from lab.trace import Trace

ABOUT = About(
    (4,), "first-fit-bound", "First fit's upper bound",
    "J. M. Robson, \"Worst case fragmentation of first fit and best fit storage allocation"
    " strategies\", Computer Journal 20 (3), 1977; Knuth, *TAOCP* 1, 2.5, exercise 43")

FIRST_FIT = "bitmap"
ROOM = 4
"""Times the memory that a workload is made for: nothing but first fit decides how much it uses."""
BENCHMARKS = (
    "fixed-larson-1000", "fixed-words-500", "fixedfifo-kernel-1000", "fixedlifo-power-200",
    "knuth-s1-1000", "knuth-s2-1000", "knuth-s3-1000", "alloctest", "mstress", "rptest",
    "holes-4000", "tlsf-1", "tlsf-2", "tlsf-3", "tlsf-4", "tlsf-5")
ADVERSARIES = ("robson-4-4096", "robson-8-4096", "robson-10-4096", "bestfit-16-200",
               "bestfit-32-200")
"""In units: their requests are 64 times as large."""


@functools.cache
def _recorded() -> Sequence[Trace]:
    return trace.read_all(trace.shipped())


def _of_trace(of: Trace) -> Experiment:
    return simulate(FIRST_FIT, f"play room={ROOM}", trace=of, seconds=0.3)


def _of_workload(name: str, seed: int, scale: int = 1) -> Experiment:
    words = f"play workload={name} seed={seed} room={ROOM}"
    words += f" scale={scale}" if scale > 1 else ""
    return simulate(FIRST_FIT, words, 1024 if scale == 1 else 4096, seconds=0.3)


def _all(scale: Scale) -> list[tuple[str, Experiment]]:
    seeds = scale.seeds[:1] if scale.quick else scale.seeds[:2]
    return [*((of.name, _of_trace(of)) for of in _recorded()),
            *((name, _of_workload(name, seed))
              for name in (*workload.STANDARD, *BENCHMARKS) for seed in seeds),
            *((name, _of_workload(name, 1, UNIT_BYTES)) for name in ADVERSARIES)]


def experiments(scale: Scale) -> list[Experiment]:
    return [one for _, one in _all(scale)]


def bound_factor(largest_units: int) -> float:
    """H_m / ln 2: so many times what is live first fit may need, never more."""
    return sum(1 / size for size in range(1, largest_units + 1)) / math.log(2)


def _factors(raw: Any) -> tuple[float, float]:
    """How many times what was live was used, and how many may be."""
    return (raw["extent_bytes"] / raw["peak_granted_bytes"],
            bound_factor(raw["largest_granted_bytes"] // UNIT_BYTES))


def tell(records: Records, scale: Scale) -> Telling:
    by_name: dict[str, list[tuple[float, float]]] = {}
    for name, one in _all(scale):
        by_name.setdefault(name, []).append(_factors(records[one]))
    worst = {name: max(factors, key=lambda pair: pair[0] / pair[1])
             for name, factors in by_name.items()}
    shares = {name: used / most for name, (used, most) in worst.items()}
    nearest = max((name for name in worst if worst[name][1] > bound_factor(1)),
                  key=lambda name: shares[name])
    share = shares[nearest]
    runs = sum(map(len, by_name.values()))
    over = sum(used > most for factors in by_name.values() for used, most in factors)
    check = Check("traces that exceed the bound", "none", f"{over} of {runs}", "none", over == 0)
    reached = Check("nearest to it, of those with more than one size", "at most 100 %",
                    f"{100 * share:.0f} % ({nearest})", "at most 100 %", share <= 1)
    order = sorted(worst, key=lambda name: -shares[name])
    return Telling(
        [Result("4", ABOUT.title, "memory ≤ H(m) n / ln 2",
                f"{over} of {runs} traces exceed it; the nearest reaches {100 * share:.0f} %",
                SOURCE, (check, reached))],
        {"runs": runs, "names": len(by_name), "room": ROOM,
         "one_size": bound_factor(1), "nearest": nearest,
         "rows": [(name, *worst[name]) for name in order[:10]],
         "recorded": [(of.name, *worst[of.name]) for of in _recorded()]},
        {"traces": _figure(list(worst.values()))})


def _figure(factors: Sequence[tuple[float, float]]) -> str:
    with draw.sheet(1, 3.0) as sheet:
        (axes,) = sheet.panels
        top = max(most for _, most in factors)
        axes.plot((1, top), (1, top), color=draw.GREY, label="the bound")
        axes.plot([most for _, most in factors], [used for used, _ in factors],
                  label="a trace, its worst seed", **draw.look(FIRST_FIT) | {"linestyle": "none"})
        axes.set_title("Memory that first fit used, for each byte live at once")
        axes.set_xlabel("times: the most it may, H(m) / ln 2, by the trace's largest request m")
        axes.set_ylabel("times: used")
        axes.set_xlim(left=1)
        axes.set_ylim(bottom=0.9)
        axes.legend(loc="upper left")
    return sheet.svg
