# SPDX-License-Identifier: MIT
"""What a sweep is asked for, checked before anything is built or written."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from typing import Any, Optional, Sequence

from lab import compare, heaps, replay, trace
from lab.build import (HEAP_KIB_MAX, HEAP_KIB_MIN, peers as known_peers,
                       strategies as known_strategies)
from lab.errors import InputError
from lab.heaps import Heap
from lab.trace import Trace

SAMPLES = 64
HEAP_KIB = "256..4096"


@dataclass(frozen=True)
class Asked:
    """The grid as the command line says it; what is None is left to us."""

    strategies: Optional[str] = None
    traces: Optional[Sequence[str]] = None
    workloads: Optional[str] = None
    seeds: Optional[int] = None
    heap_kib: Optional[str] = None
    hardening: Optional[str] = None
    locking: Optional[str] = None
    operations: Optional[int] = None
    samples: Optional[int] = None

    def written(self) -> dict[str, Any]:
        """As JSON has it, for whoever goes on with it, in whatever directory."""
        made = dataclasses.asdict(self)
        if self.traces is not None:
            made["traces"] = [str(trace.find(name).absolute()) for name in self.traces]
        return made

    @staticmethod
    def read(found: Any) -> Asked:
        """What written() made. Raises TypeError for anything else."""
        made = Asked(**found)
        traces = [] if made.traces is None else made.traces
        texts = (made.strategies, made.workloads, made.heap_kib, made.hardening,
                 made.locking)
        if not (isinstance(traces, list) and all(isinstance(one, str) for one in traces) and
                all(text is None or isinstance(text, str) for text in texts) and
                all(number is None or type(number) is int  # bool is no number
                    for number in (made.seeds, made.operations, made.samples))):
            raise TypeError("no grid")
        return made


@dataclass(frozen=True)
class Grid:
    """What is to be measured; all of it has been checked."""

    strategies: Sequence[str]
    traces: Sequence[Trace]
    workloads: Sequence[str]
    seeds: int
    heap_kib: Sequence[int]
    hardening: Sequence[str]
    locking: Sequence[str]
    operations_limit: Optional[int]
    samples: int

    @property
    def heaps(self) -> Sequence[Heap]:
        """All that is measured, whatever its size."""
        return heaps.each(self.strategies, self.hardening, self.locking)

    @property
    def with_peers(self) -> bool:
        """Whether heaps of others are among the strategies."""
        return not set(known_peers()).isdisjoint(self.strategies)

    def operations(self, of: Trace) -> int:
        """How many operations of a trace are replayed; a workload was made with the limit."""
        return replay.operations(of, self.operations_limit)


def check(asked: Asked) -> Grid:
    """The grid that is asked for.

    Raises InputError for the first thing that is wrong.
    """
    grid = Grid(
        heap_kib=sizes(asked.heap_kib or HEAP_KIB),
        hardening=heaps.chosen_levels(asked.hardening or heaps.OFF),
        locking=heaps.chosen_lockings(asked.locking or heaps.NONE),
        strategies=compare.chosen_heaps(asked.strategies, known_strategies(), known_peers(), False),
        workloads=compare.chosen_workloads(asked.traces, asked.workloads, quick=True),
        traces=trace.read_all(compare.chosen_traces(asked.traces, asked.workloads)),
        seeds=asked.seeds or 1, operations_limit=asked.operations,
        samples=SAMPLES if asked.samples is None else asked.samples)
    if not grid.traces and not grid.workloads:
        raise InputError("there is nothing to replay: name --traces or --workloads")
    if grid.seeds > 1 and not grid.workloads:
        raise InputError("--seeds goes with --workloads: a recorded trace has no seed")
    for one in grid.traces:
        if os.sep in one.name:
            raise InputError(f"{one.path}: two traces have this file name; rename one of them")
    return grid


def sizes(text: str) -> list[int]:
    """The heap sizes that --heap-kib says: numbers and ranges, which double."""
    found: set[int] = set()
    for part in text.split(","):
        low, dots, high = part.strip().partition("..")
        bounds = [_size(text, bound) for bound in ((low, high) if dots else (low,))]
        if bounds[-1] < bounds[0]:
            raise InputError(f"--heap-kib {text}: {bounds[-1]} is less than {bounds[0]}")
        size = bounds[0]
        while size < bounds[-1]:
            found.add(size)
            size *= 2
        found.add(bounds[-1])
    return sorted(found)


def _size(whole: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or \
            not HEAP_KIB_MIN <= int(text[:9]) <= HEAP_KIB_MAX:
        raise InputError(f"--heap-kib {whole}: a heap's size is a number of KiB from"
                         f" {HEAP_KIB_MIN} to {HEAP_KIB_MAX}; several are written as 256,1024, or"
                         " as 256..4096, which doubles from one to the next")
    return int(text)
