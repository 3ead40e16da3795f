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

from lab import replay
from lab.build import builds_of
from lab.heaps import Care, Heap
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

    heap: Heap
    trace: Trace
    heap_kib: int
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

    kernels: dict[tuple[Heap, int], str] = field(default_factory=dict)
    """By heap and size."""
    hosts: dict[Heap, str] = field(default_factory=dict)
    """They take their heap's size when they start."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """By the name of the heap."""


def build(grid: Grid, store: Store, say: Callable[[str], None]) -> Programs:
    """Build all kernels and host programs of a grid."""
    made = Programs()
    for kib in grid.heap_kib:
        hosts = kib == grid.heap_kib[0]
        builders: Mapping[Care, Builder] = builds_of(grid.heaps, kib, grid.with_peers)
        for builder in builders.values():
            builder.prepare([name for strategy in grid.strategies for name in (
                f"los-{strategy}.elf", *([f"host-{strategy}"] if hosts else []))], say)
        for heap in grid.heaps:
            builder = builders[heap.care]
            made.kernels[heap, kib] = store.put_program(
                builder.program(f"los-{heap.strategy}.elf"))
            if hosts:
                made.hosts[heap] = store.put_program(builder.program(f"host-{heap.strategy}"))
                made.provenance[heap.name] = builder.provenance(heap.strategy)
    return made


def _due(heap: Heap, kib: int) -> dict[str, Any]:
    """What a record must say."""
    return {"strategy": heap.strategy, "hardening": heap.hardening, "locking": heap.locking,
            "heap_kib": kib, "unit": UNIT}


def check_job(grid: Grid, programs: Programs) -> Job:
    """The small job by which a machine shows that it counts as others do."""
    heap, kib = grid.heaps[0], grid.heap_kib[0]
    return Job(COUNT, programs.kernels[heap, kib], None, _CHECK_WORDS,
               title=f"the check of this machine ({heap.strategy})", memory_mib=256,
               stall_seconds=replay.STALL_SECONDS, due=_due(heap, kib))


Seeded = tuple[str, int, int]
"""A workload, its seed and the size of the heap that it is made for."""


def making(grid: Grid, programs: Programs) -> dict[Seeded, Job]:
    """The jobs that make the workloads."""
    host = programs.hosts[grid.heaps[0]]
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
        for kib in self.grid.heap_kib:
            here = [*self.grid.traces, *(one for (_, _, for_kib), one in workloads.items()
                                         if for_kib == kib)]
            for heap in self.grid.heaps:
                yield from (self._cell(heap, one, kib) for one in here)

    def _cell(self, heap: Heap, one: Trace, kib: int) -> Cell:
        seed = "" if one.seed is None else f", seed {one.seed}"
        where = f"{heap.name} on {one.name}{seed}, {kib} KiB"
        stall = self.stall_seconds or replay.stall_limit(kib, self.grid.operations(one))
        limit = self.grid.operations_limit
        module = one.sha256 if one.seed is None else None
        due = _due(heap, kib)
        count = Job(
            COUNT, self.programs.kernels[heap, kib], module,
            tuple(replay.count_words(one, UNIT, limit, self.grid.samples)),
            title=f"{where}, {COUNT}", memory_mib=replay.memory_mib(kib, one), stall_seconds=stall,
            due=due if one.fills else due | {"operations": self.grid.operations(one)},
            fills=one.fills)
        smallest = None if one.fills else Job(
            SMALLEST, self.programs.hosts[heap], module,
            (*replay.search_words(one, limit), *([] if module else [f"kib={kib}"])),
            title=f"{where}, {SMALLEST}", stall_seconds=stall * replay.SEARCH_PATIENCE)
        return Cell(heap, one, kib, count, smallest)
