# SPDX-License-Identifier: MIT
"""What all published results have in common: what is due, what was measured, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from lab.evidence import Records, mean
from lab.experiment import SIMULATION, Experiment
from lab.trace import Trace

__all__ = ["Records", "mean", "Scale", "About", "Check", "Result", "Telling", "simulate", "near",
           "within", "SEQUENTIAL", "UNIT_BYTES", "SOURCE", "ABSTRACT", "MEMORY", "REPRODUCED",
           "NOT_REPRODUCED", "NOT_COMPARABLE"]

SEQUENTIAL = {"bitmap": "first fit", "next-fit": "next fit", "best-fit": "best fit",
              "worst-fit": "worst fit"}
"""The strategies that are the sequential fits of the books, without headers."""
UNIT_BYTES = 64
"""Of their blocks. With requests 64 times as large, they round nothing."""

SOURCE = "read in the source"
ABSTRACT = "read in an abstract"
MEMORY = "from memory"

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
NOT_COMPARABLE = "not comparable"


@dataclass(frozen=True)
class Scale:
    """How much is measured: all, or with --quick little of everything."""

    quick: bool = False
    strategies: Sequence[str] = ()
    """Every heap there is, for what is published of any allocator."""
    csapp: Sequence[Trace] = ()
    """The malloc lab's traces, where somebody has them."""

    @property
    def seeds(self) -> Sequence[int]:
        return (1, 2) if self.quick else (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class About:
    """Which published result it is, and where it was published."""

    numbers: Sequence[int]
    slug: str
    title: str
    source: str


@dataclass(frozen=True)
class Check:
    """One thing that was published, held against what was measured."""

    what: str
    published: str
    measured: str
    due: str
    """What counts as reproduced."""
    holds: bool
    decides: bool = True
    """False: told as well, but the verdict does not rest on it."""


@dataclass(frozen=True)
class Result:
    """A row of the summary, and its verdict."""

    number: str
    title: str
    published: str
    measured: str
    basis: str
    """How well it is known what was published: SOURCE, ABSTRACT or MEMORY."""
    checks: Sequence[Check] = ()
    missing: str = ""
    """Why it cannot be compared; empty if it can."""

    @property
    def verdict(self) -> str:
        """Reproduced iff there is something to compare, and every check that decides holds."""
        if self.missing or not self.checks:
            return NOT_COMPARABLE
        holds = all(one.holds for one in self.checks if one.decides)
        return REPRODUCED if holds else NOT_REPRODUCED

    @property
    def why(self) -> str:
        """What the verdict rests on, where it is not that everything is as published."""
        failed = [one.what for one in self.checks if one.decides and not one.holds]
        return self.missing or ("differs: " + "; ".join(failed) if failed else "")


@dataclass(frozen=True)
class Telling:
    """What a module says, once its records are there."""

    results: Sequence[Result]
    words: Mapping[str, Any] = field(default_factory=dict)
    """What its template asks for."""
    figures: Mapping[str, str] = field(default_factory=dict)
    """SVG, by name."""


def simulate(strategy: str, words: str, heap_kib: int = 1024, *, seconds: float = 0.1,
             trace: Trace | None = None) -> Experiment:
    """One run of host-papers; `seconds` is about what it takes of a processor."""
    return Experiment(SIMULATION, strategy, words, heap_kib=heap_kib, trace=trace,
                      effort=int(seconds * 100_000) + 1)


def near(value: float, target: float, share: float) -> bool:
    """Whether a value is within such a share of its target."""
    return abs(value - target) <= share * target


def within(value: float, least: float, most: float) -> bool:
    return least <= value <= most
