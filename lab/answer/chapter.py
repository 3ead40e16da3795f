# SPDX-License-Identifier: MIT
"""What all chapters have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from lab.evidence import Records, mean
from lab.experiment import Experiment

__all__ = ["NAIVE", "Scale", "About", "Telling", "Records", "mean", "churn"]

NAIVE = "bitmap"
"""The heap on trial."""


@dataclass(frozen=True)
class Scale:
    """How much is measured: all, or with --quick little of everything."""

    quick: bool = False
    cachegrind: bool = True
    """Whether valgrind can be called."""
    timed: bool = True
    """Whether a processor runs the programs itself: the times of an emulator say nothing."""

    @property
    def operations(self) -> int:
        """How many operations of a workload are measured, after its build-up."""
        return 1024 if self.quick else 8192

    @property
    def fills(self) -> Sequence[int]:
        """Per cent of the heap that a churn keeps requested."""
        return (10, 40, 70, 95) if self.quick else (10, 20, 30, 40, 50, 60, 70, 80, 90, 95)

    @property
    def heap_sizes_kib(self) -> Sequence[int]:
        return (256, 512, 1024) if self.quick else (256, 512, 1024, 2048, 4096, 8192, 16384)

    @property
    def seeds(self) -> Sequence[int]:
        return (1,) if self.quick else (1, 2, 3)


@dataclass(frozen=True)
class About:
    """What a chapter is called, and the sentence it puts to the test."""

    number: int
    slug: str
    title: str
    claim: str


@dataclass(frozen=True)
class Telling:
    """What a chapter says, once its records are there."""

    finding: str
    """The number that decides, in a few words: a cell of the summary."""
    verdict: str
    """What to make of it, in a few words: the cell beside."""
    words: Mapping[str, Any]
    """What its template asks for."""
    figures: Mapping[str, str] = field(default_factory=dict)
    """SVG, by name."""


def churn(machine: str, strategy: str, scale: Scale, percent: int, *, mix: str = "kernel",
          heap_kib: int = 1024, samples: int = 0, **more: Any) -> Experiment:
    """A churn at so many per cent: the workload that most chapters use."""
    return Experiment(
        machine, strategy, f"run=replay workload=churn-{mix}-{percent} samples={samples}"
        f" operations={scale.operations}", heap_kib=heap_kib,
        effort=scale.operations * heap_kib * (percent + 10) // 61440 + 1, **more)
