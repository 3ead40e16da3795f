# SPDX-License-Identifier: MIT
"""One search: an evolution of traces towards the worst, and then the smallest such trace.

The worst traces so far are the parents of the next batch; what is as bad and shorter comes
first. All of it follows from the seed and the first traces, unless time ends it.
"""

from __future__ import annotations

import asyncio
import collections
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Sequence

from lab.errors import RunError
from lab.worst import goals, variation
from lab.worst.cost_bounds import CostBounds
from lab.worst.goals import MEMORY, Found
from lab.worst.measure import Heap
from lab.worst.memory_bounds import STEP_BYTES
from lab.worst.minimise import minimise
from lab.worst.sequence import Operations

POOL = 12
ALIKE = 3
"""So many parents may have the same figure."""
BATCH = 24
MADE_UP = 24
"""Traces that each search begins with, besides the adversaries."""
MEASURED_OPERATIONS = 65536
"""So many, at most, go into one boot, that it can show that it comes on."""


@dataclass(frozen=True)
class Budget:
    """When a search ends: after so many traces, or so many seconds."""

    evaluations: Optional[int]
    seconds: Optional[float] = None

    def times(self, factor: int) -> "Budget":
        """So many times as many traces, in the same time."""
        return Budget(self.evaluations and self.evaluations * factor, self.seconds)

    def half_of(self, tried: int, elapsed: float) -> bool:
        """Whether the evolution may go on; the other half is for making its find small."""
        return self._within(tried, elapsed, 0.5)

    def all_of(self, tried: int, elapsed: float) -> bool:
        """Whether there is anything left."""
        return self._within(tried, elapsed, 1.0)

    def _within(self, tried: int, elapsed: float, share: float) -> bool:
        if self.seconds is not None:
            return elapsed < self.seconds * share
        return self.evaluations is None or tried < self.evaluations * share


class Search:
    """The search for one goal in one heap."""

    def __init__(self, heap: Heap, goal: str, seed: int, budget: Budget, scratch: Path,
                 on_progress: Callable[["Search"], None] = lambda _: None) -> None:
        self.heap = heap
        self.goal = goal
        self.tried = 0
        self.best: Optional[Found] = None
        self.minimal = False
        """Whether no single operation can be left away of the best."""
        self.budget = budget
        self.limits = goals.limits(goal, heap.heap_kib)
        self.started = time.monotonic()
        self._rng = random.Random(f"{seed} {heap.strategy} {goal}")
        self._scratch = scratch
        self._pool: list[Found] = []
        self._threshold = 0
        """Of memory: what needs less does not matter any more."""
        self._known: dict[Operations, Optional[Found]] = {}
        self._bounds = CostBounds(heap.strategy, heap.heap_kib, heap.kernel)
        self._on_progress = on_progress

    async def run(self, first: Sequence[Operations]) -> Found:
        """Evolve `first`, and traces made up, until the budget ends; the worst, made small.

        Raises RunError if no trace that is tried has what is searched for.
        """
        made_up = [variation.made_up(self._rng, self.limits) for _ in range(MADE_UP)]
        await self._take([*first, *made_up][:self.budget.evaluations])
        while self._may(self.budget.half_of) and self._pool:
            parents = [one.operations for one in self._pool]
            await self._take([variation.varied(self._rng, parents, self.limits)
                              for _ in range(BATCH)])
        if not self.best:
            raise RunError(f"{self.heap.strategy}, {goals.NAMES[self.goal]}: there is none in the"
                           f" {self.tried:,} traces that were tried")
        await self._minimise(self.best)
        return self.best

    def _may(self, rule: Callable[[int, float], bool]) -> bool:
        return rule(self.tried, time.monotonic() - self.started)

    async def _take(self, traces: Sequence[Operations]) -> None:
        for found in await self.measure(traces):
            if found and found not in self._pool:
                self._pool.append(found)
        self._pool.sort(key=lambda one: (-one.fitness, len(one.operations)))
        alike = collections.Counter[float]()
        for one in list(self._pool):
            alike[one.fitness] += 1
            if alike[one.fitness] > ALIKE:
                self._pool.remove(one)
        del self._pool[POOL:]
        if len(self._pool) == POOL:
            self._threshold = self._pool[-1].figure
        self._on_progress(self)

    async def _minimise(self, found: Found) -> None:
        self._threshold = found.figure

        async def keeps(traces: Sequence[Operations]) -> list[bool]:
            measured = await self.measure(traces)
            self._on_progress(self)
            return [one is not None and one.fitness >= found.fitness for one in measured]

        shortest, done = await minimise(found.operations, self.limits, keeps, BATCH,
                                        lambda: self._may(self.budget.all_of))
        assert self.best
        if done and self.best.fitness > found.fitness:
            await self._minimise(self.best)
        else:
            self.minimal = done and len(shortest) == len(self.best.operations)

    async def measure(self, traces: Sequence[Operations]) -> list[Optional[Found]]:
        """The figures of traces, in this order; None where there is nothing to measure.

        Those that are known already count as tried: to make them takes its time, too.
        """
        await asyncio.sleep(0)  # who wants to interrupt gets a chance, even if all is known
        new = [one for one in dict.fromkeys(traces) if one and one not in self._known]
        for group in _groups(new):
            for one, found in zip(group, await self._measure_anew(group)):
                self._known[one] = found
                if found:
                    self._known.setdefault(found.operations, found)
                    if not self.best or found.is_worse_than(self.best):
                        self.best = found
        self.tried += len(traces)
        return [self._known.get(one) for one in traces]

    async def _measure_anew(self, traces: Sequence[Operations]) -> list[Optional[Found]]:
        if self.goal == MEMORY:
            return await self._measure_memory(traces)
        costs = await self.heap.costs(traces, self._scratch)
        return [goals.dearest(self.goal, one, cost, self._bounds)
                for one, cost in zip(traces, costs)]

    async def _measure_memory(self, traces: Sequence[Operations]) -> list[Optional[Found]]:
        """The smallest regions of those traces that need as much as one of the pool, at least;
        None for the others: trying one size takes a thirtieth of finding the smallest."""
        enough = self._threshold - STEP_BYTES
        hungry = await self.heap.fails(traces, enough, self._scratch) if enough > 0 else \
            [True] * len(traces)
        return [goals.hungriest(self.heap.strategy, one,
                                await self.heap.smallest(one, self._scratch)) if is_hungry
                else None for one, is_hungry in zip(traces, hungry)]


def _groups(traces: Sequence[Operations]) -> list[list[Operations]]:
    """Traces that are measured together."""
    groups: list[list[Operations]] = []
    room = 0
    for one in traces:
        if not groups or room < len(one):
            groups.append([])
            room = MEASURED_OPERATIONS
        groups[-1].append(one)
        room -= len(one)
    return groups
