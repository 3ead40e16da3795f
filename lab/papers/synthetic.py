# SPDX-License-Identifier: MIT
"""Row 14: can a synthetic workload stand in for a recorded one?

Each recorded trace gets a model as Zorn and Grunwald made theirs: sizes and lifetimes drawn from
those that the trace has, independently of each other and of all that went before.
"""

from __future__ import annotations

import functools
import random
from collections import defaultdict
from pathlib import Path
from typing import Mapping, Sequence

from lab import trace
from lab.answer import draw
from lab.experiment import HOST, KERNEL, Experiment, operations_of
from lab.papers.row import ABSTRACT, About, Check, Records, Result, Scale, Telling, mean
from lab.trace import Trace

ABOUT = About(
    (14,), "synthetic", "Synthetic against recorded workloads",
    "B. Zorn and D. Grunwald, \"Evaluating Models of Memory Allocation\", ACM TOMACS 4 (1), 1994")

HEAPS = ("bitmap", "next-fit", "best-fit", "free-list", "boundary-tag", "segregated", "buddy",
         "half-fit", "tlsf", "boundary-map")
TRACES = ("linux-boot", "linux-fork-exec", "linux-fs")
OPERATIONS = 8_000
CLOSE = 0.1
"""A model is adequate if it foretells every heap's cost and memory to within this share."""
_SEED = 1994


@functools.cache
def recorded(name: str) -> Trace:
    """The beginning of a recorded trace, without its resizing."""
    whole = trace.read(trace.find(name), name)
    kept = [one for one in operations_of(whole)[:OPERATIONS] if one[0] != "r"]
    return _trace(f"{name}-beginning", kept)


@functools.cache
def model(name: str) -> Trace:
    """What is like it in its sizes and its lifetimes, and in nothing else."""
    operations = operations_of(recorded(name))
    born: dict[int, int] = {}
    sizes: list[int] = []
    lives: dict[int, int] = {}
    for kind, ident, size in operations:
        if kind == "a":
            born[ident] = len(sizes)
            sizes.append(size)
        else:
            lives[born[ident]] = len(sizes) - born[ident]
    lifetimes = [lives.get(number, 0) for number in range(len(sizes))]
    return _trace(f"{name}-model", _drawn(sizes, lifetimes, random.Random(_SEED)))


def _drawn(sizes: Sequence[int], lifetimes: Sequence[int],
           chance: random.Random) -> list[tuple[str, int, int]]:
    """As many allocations; a lifetime of 0 has no end."""
    made: list[tuple[str, int, int]] = []
    due: dict[int, list[int]] = defaultdict(list)
    for ident in range(len(sizes)):
        made += [("f", one, 0) for one in due.pop(ident, ())]
        made.append(("a", ident, sizes[int(chance.random() * len(sizes))]))
        life = lifetimes[int(chance.random() * len(lifetimes))]
        if life:
            due[ident + life].append(ident)
    return made


def _trace(name: str, operations: Sequence[tuple[str, int, int]]) -> Trace:
    names: dict[int, int] = {}
    lines = [f"{kind} {names.setdefault(ident, len(names))}" + (f" {size}" if kind == "a" else "")
             for kind, ident, size in operations]
    header = ["0", str(len(names)), str(len(lines)), "1"]
    return trace.parse("\n".join([*header, *lines]).encode(), Path(f"{name}.rep"))


def _counted(strategy: str, of: Trace) -> Experiment:
    return Experiment(KERNEL, strategy, "run=replay samples=0", trace=of, effort=of.operations)


def _smallest(strategy: str, of: Trace) -> Experiment:
    return Experiment(HOST, strategy, "run=smallest", trace=of, effort=10 * of.operations)


def _traces(scale: Scale) -> Sequence[str]:
    return TRACES[:1] if scale.quick else TRACES


def experiments(scale: Scale) -> list[Experiment]:
    return [how(strategy, of) for name in _traces(scale) for of in (recorded(name), model(name))
            for strategy in HEAPS for how in (_counted, _smallest)]


def _cost(records: Records, of: Trace) -> dict[str, float]:
    return {strategy: mean(records[_counted(strategy, of)]["cost"]) for strategy in HEAPS}


def _memory(records: Records, of: Trace) -> dict[str, float]:
    """The smallest memory in which it runs, for each byte that is requested at once: the model's
    peak is another."""
    return {strategy: records[_smallest(strategy, of)]["smallest_total_bytes"] /
            of.peak_requested_bytes for strategy in HEAPS}


def _ranks(values: Mapping[str, float]) -> list[str]:
    return sorted(values, key=lambda strategy: values[strategy])


def rank_correlation(these: Sequence[str], those: Sequence[str]) -> float:
    """Spearman's: 1 if the orders are the same, -1 if they are reversed."""
    gaps = sum((place - those.index(one)) ** 2 for place, one in enumerate(these))
    return 1 - 6 * gaps / (len(these) * (len(these) ** 2 - 1))


def tell(records: Records, scale: Scale) -> Telling:
    rows, points = [], []
    for name in _traces(scale):
        for what, measure in (("instructions", _cost), ("memory", _memory)):
            real, made = measure(records, recorded(name)), measure(records, model(name))
            errors = {strategy: made[strategy] / real[strategy] - 1 for strategy in HEAPS}
            worst = max(HEAPS, key=lambda strategy: abs(errors[strategy]))
            rows.append((name, what, rank_correlation(_ranks(real), _ranks(made)),
                         _ranks(real)[0], _ranks(made)[0], worst, errors[worst]))
            points.append((what, name, [(real[one], made[one]) for one in HEAPS]))
    widest = max(rows, key=lambda row: abs(row[-1]))
    wrong = sum(row[2] < 1 for row in rows)
    checks = (
        Check("error of the model, the worst", "not adequate",
              f"{100 * widest[-1]:+.0f} % ({widest[5]}, {widest[1]}, {widest[0]})",
              f"above {100 * CLOSE:.0f} % somewhere", abs(widest[-1]) > CLOSE),
        Check("rankings that the model gets wrong", "some", f"{wrong} of {len(rows)}",
              "at least one", wrong > 0))
    return Telling(
        [Result("14", ABOUT.title, "no model is adequate for an operating system's workload",
                f"model off by up to {100 * abs(widest[-1]):.0f} %; {wrong} of {len(rows)} rankings"
                " wrong", ABSTRACT, checks)],
        {"rows": rows, "operations": OPERATIONS, "heaps": len(HEAPS)},
        {"models": _figure(points)})


def _figure(points: Sequence[tuple[str, str, list[tuple[float, float]]]]) -> str:
    with draw.sheet(2, 3.0) as sheet:
        for axes, title in zip(sheet.panels, ("instructions", "memory")):
            mine = [(name, pairs) for what, name, pairs in points if what == title]
            ends = [value for _, pairs in mine for pair in pairs for value in pair]
            axes.plot((min(ends), max(ends)), (min(ends), max(ends)), color=draw.GREY, linewidth=1)
            for (name, pairs), colour, mark in zip(mine, (draw.BLUE, draw.ORANGE, draw.GREEN),
                                                   "osD"):
                axes.plot([real for real, _ in pairs], [made for _, made in pairs], mark,
                          color=colour, markersize=4.5, label=name)
            axes.legend(loc="upper left")
        cost, memory = sheet.panels
        cost.set_title("Instructions an operation: a heap on a trace, and on its model")
        cost.set_xscale("log")
        cost.set_yscale("log")
        for axis in (cost.xaxis, cost.yaxis):
            draw.numbers(axis)
        cost.set_ylabel("on the model (log.)")
        memory.set_title("Memory needed, for each byte requested at once")
        memory.set_xlabel("on the recorded trace")
        memory.set_ylabel("on the model")
    return sheet.svg
