# SPDX-License-Identifier: MIT
"""The jobs that a grid is made of.

First each workload is made, to know what there is in it; then come the counts and searches. A
search for the smallest memory does not depend on the heap's size but where a workload does, so
that different cells of the grid may share a job.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Optional, Protocol

from lab import heaps, replay
from lab.build import Build
from lab.schedule import COUNT, SMALLEST
from lab.sweep.grid import Grid
from lab.sweep.job import MAKE, Job
from lab.sweep.store import Store
from lab.trace import Trace

UNIT = "instructions"
_CHECK_WORDS = ("run=replay", f"unit={UNIT}", "workload=churn-kernel-50", "seed=1",
                "operations=2000", "samples=4", "portrait=8")


@dataclass(frozen=True)
class Cell:
    """One point of the grid, and the jobs that its record is made of."""

    strategy: str
    trace: Trace
    heap_kib: int
    hardening: str
    count: Job
    smallest: Optional[Job]


class Builder(Protocol):
    """What a build of the project can do."""

    def prepare(self, names: list[str], say: Callable[[str], None]) -> None:
        """Build programs."""

    def program(self, name: str) -> Path:
        """Where a program is."""

    def provenance(self, strategy: str) -> dict[str, dict[str, object]]:
        """How it was built."""


@dataclass
class Programs:
    """The programs of a grid, built and kept in its directory; the hash of each."""

    kernels: dict[tuple[str, int, str], str] = field(default_factory=dict)
    """By strategy, heap size and hardening."""
    hosts: dict[tuple[str, str], str] = field(default_factory=dict)
    """By strategy and hardening; they take their heap's size when they start."""
    provenance: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By hardening and strategy."""


def build(grid: Grid, store: Store, say: Callable[[str], None]) -> Programs:
    """Build all kernels and host programs of a grid."""
    made = Programs()
    for hardening in grid.hardening:
        for kib in grid.heap_kib:
            builder: Builder = Build(kib, with_peers=grid.with_peers, hardening=hardening)
            hosts = kib == grid.heap_kib[0]
            builder.prepare([name for strategy in grid.strategies for name in (
                f"los-{strategy}.elf", *([f"host-{strategy}"] if hosts else []))], say)
            for strategy in grid.strategies:
                made.kernels[strategy, kib, hardening] = store.put_program(
                    builder.program(f"los-{strategy}.elf"))
                if hosts:
                    made.hosts[strategy, hardening] = store.put_program(
                        builder.program(f"host-{strategy}"))
                    made.provenance.setdefault(hardening, {})[strategy] = \
                        builder.provenance(strategy)
    return made


def check_job(grid: Grid, programs: Programs) -> Job:
    """The small job by which a machine shows that it counts as others do."""
    strategy, kib, hardening = grid.strategies[0], grid.heap_kib[0], grid.hardening[0]
    return Job(COUNT, programs.kernels[strategy, kib, hardening], None, _CHECK_WORDS,
               title=f"the check of this machine ({strategy})", memory_mib=256,
               stall_seconds=replay.STALL_SECONDS,
               due={"strategy": strategy, "heap_kib": kib, "hardening": hardening, "unit": UNIT})


Seeded = tuple[str, int, int]
"""A workload, its seed and the size of the heap that it is made for."""


def making(grid: Grid, programs: Programs) -> dict[Seeded, Job]:
    """The jobs that make the workloads."""
    host = programs.hosts[grid.strategies[0], grid.hardening[0]]
    limit = [f"operations={grid.operations_limit}"] if grid.operations_limit else []
    return {(name, seed, kib): Job(
                MAKE, host, None, ("run=print", f"workload={name}", f"seed={seed}", *limit,
                                   f"kib={kib}"), title=f"{name}, seed {seed}, {kib} KiB")
            for name in grid.workloads for seed in range(1, grid.seeds + 1)
            for kib in grid.heap_kib}


def made_workloads(jobs: Mapping[Seeded, Job], store: Store) -> dict[Seeded, Trace]:
    """The workloads, as the jobs that made them describe them."""
    return {(name, seed, kib): Trace(name=name, path=Path(name), seed=seed,
                                     **store.result(job.key))
            for (name, seed, kib), job in jobs.items()}


@dataclass(frozen=True)
class Planner:
    """Makes the cells of a grid."""

    grid: Grid
    programs: Programs
    stall_seconds: Optional[float] = None
    """How long a job may come no further; None: what compare would allow."""

    def cells(self, workloads: Mapping[Seeded, Trace]) -> Iterator[Cell]:
        """Every point of the grid."""
        for hardening in self.grid.hardening:
            for kib in self.grid.heap_kib:
                here = [*self.grid.traces, *(one for (_, _, for_kib), one in workloads.items()
                                             if for_kib == kib)]
                for strategy in self.grid.strategies:
                    yield from (self._cell(strategy, one, kib, hardening) for one in here)

    def _cell(self, strategy: str, one: Trace, kib: int, hardening: str) -> Cell:
        level = "" if hardening == heaps.OFF else f", hardening {hardening}"
        seed = "" if one.seed is None else f", seed {one.seed}"
        where = f"{strategy} on {one.name}{seed}, {kib} KiB{level}"
        stall = self.stall_seconds or replay.stall_limit(kib, self.grid.operations(one))
        limit = self.grid.operations_limit
        module = one.sha256 if one.seed is None else None
        due = {"strategy": strategy, "heap_kib": kib, "hardening": hardening, "unit": UNIT}
        count = Job(
            COUNT, self.programs.kernels[strategy, kib, hardening], module,
            tuple(replay.count_words(one, UNIT, limit, self.grid.samples)),
            title=f"{where}, {COUNT}", memory_mib=replay.memory_mib(kib, one), stall_seconds=stall,
            due=due if one.fills else due | {"operations": self.grid.operations(one)},
            fills=one.fills)
        smallest = None if one.fills else Job(
            SMALLEST, self.programs.hosts[strategy, hardening], module,
            (*replay.search_words(one, limit), *([] if module else [f"kib={kib}"])),
            title=f"{where}, {SMALLEST}", stall_seconds=stall * replay.SEARCH_PATIENCE)
        return Cell(strategy, one, kib, hardening, count, smallest)
