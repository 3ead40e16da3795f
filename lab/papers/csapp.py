# SPDX-License-Identifier: MIT
"""Row 7: how well the malloc lab's textbook allocators use memory on the malloc lab's traces.

Those traces are not ours to ship. Who has them says where: `--csapp DIR`. What is measured in any
case is a trace of our own, short enough to know by hand what must come out.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Sequence

from lab import trace
from lab.errors import InputError
from lab.experiment import Experiment
from lab.papers.row import SOURCE, About, Check, Records, Result, Scale, Telling, simulate
from lab.trace import Trace

ABOUT = About(
    (7,), "csapp", "The malloc lab's traces",
    "R. E. Bryant and D. R. O'Hallaron, *Computer Systems: A Programmer's Perspective*, the malloc"
    " lab and its textbook allocators")

POLICIES = {"bitmap": "first fit", "next-fit": "next fit", "best-fit": "best fit"}
TRACES = ("amptjp", "cccp", "cp-decl", "expr", "coalescing", "random", "random2", "binary",
          "binary2", "realloc", "realloc2")
PUBLISHED = {
    "bitmap": (99, 100, 99, 100, 100, 93, 92, 55, 51, 100, 87),
    "next-fit": (91, 91, 95, 97, 100, 92, 90, 55, 51, 100, 87),
    "best-fit": (99, 100, 99, 100, 100, 96, 95, 55, 51, 100, 87),
}
"""Utilisation, per cent."""
NEXT_FIT_POINTS = 1
NEXT_FIT_UNLIKE = "coalescing"
SUFFIX = "-bal"
HEAP_KIB = 512 * 1024

OWN = """0
4
7
1
a 0 8
a 1 24
f 0
a 2 16
r 1 32
a 3 8
f 2
"""
"""Blocks of 16, 32, and 24 behind them, since 16 is too little; then 32 becomes 40 in a place of
its own at the end, and the last one fits where 8 was: 16 + 32 + 24 + 40 bytes of heap. At most
56 bytes were requested at once: 16 + 32 + 8."""
OWN_PEAK_BYTES, OWN_HEAP_BYTES = 56, 112


def own() -> Trace:
    return trace.parse(OWN.encode(), Path("own.rep"))


def read(directory: Path) -> list[Trace]:
    """The malloc lab's traces that lie in a directory.

    Raises InputError if there is none.
    """
    found = [path for name in TRACES for path in (
        directory / f"{name}{SUFFIX}.rep", directory / f"{name}.rep") if os.path.isfile(path)]
    if not found:
        raise InputError(f"--csapp {directory}: there is none of the malloc lab's traces, such as"
                         f" {TRACES[0]}{SUFFIX}.rep")
    return [trace.read(path, trace.name_of(path).removesuffix(SUFFIX)) for path in found]


def _run(policy: str, of: Trace) -> Experiment:
    return simulate(policy, "play textbook", HEAP_KIB, trace=of, seconds=of.operations / 2e4)


def experiments(scale: Scale) -> list[Experiment]:
    return [_run(policy, of) for policy in POLICIES for of in (own(), *scale.csapp)]


def utilisation(raw: Any) -> float:
    """The most that was requested at once, in per cent of the heap. A unit stands for 8 bytes."""
    return float(100 * raw["peak_requested_bytes"] / (raw["arena_bytes"] / 8))


def _check(policy: str, name: str, published: int, measured: float) -> Check:
    exact = policy != "next-fit"
    points = 0 if exact else NEXT_FIT_POINTS
    holds = abs(round(measured) - published) <= points or \
        (not exact and name == NEXT_FIT_UNLIKE)
    return Check(f"{name}, {POLICIES[policy]}", f"{published} %", f"{measured:.1f} %",
                 "exact, when rounded" if exact else f"within {points} point", holds)


def _checks(records: Records, csapp: Sequence[Trace]) -> list[Check]:
    return [_check(policy, of.name, PUBLISHED[policy][TRACES.index(of.name)],
                   utilisation(records[_run(policy, of)]))
            for of in csapp for policy in POLICIES]


def tell(records: Records, scale: Scale) -> Telling:
    made = own()
    shares = {policy: utilisation(records[_run(policy, made)]) for policy in POLICIES}
    checks = _checks(records, scale.csapp)
    holding = sum(one.holds for one in checks)
    measured = f"{holding} of {len(checks)} as published" if checks else \
        f"only on a trace of our own: {shares['bitmap']:.0f} %, as by hand"
    return Telling(
        [Result("7", ABOUT.title, "utilisation on 11 traces, such as first fit 99 % on amptjp",
                measured, SOURCE, checks,
                "" if checks else "the traces are not ours to ship: --csapp DIR reads yours")],
        {"own": OWN.splitlines()[4:], "shares": shares, "peak": OWN_PEAK_BYTES,
         "heap": OWN_HEAP_BYTES, "csapp": [of.name for of in scale.csapp],
         "due": 100 * OWN_PEAK_BYTES / OWN_HEAP_BYTES, "policies": POLICIES})
