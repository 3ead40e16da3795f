# SPDX-License-Identifier: MIT
"""Which job comes next, and how long the rest will take.

How much an operation of a strategy costs is not known beforehand, and differs by a factor of a
thousand between strategies. So each strategy shows its pace first, on its longest trace; from
then on the job that will take longest starts first, which keeps all cores busy to the end.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Awaitable, Callable, Iterable, Optional, Protocol, Sequence

COUNT = "counting"
SMALLEST = "smallest heap"
SIMULATION = "simulating"
FOOTPRINT = "footprint"

_START_SECONDS = 0.4
_GUESSED_PACE = 2e-5
_TELLING_FRACTION = 0.02


@dataclass(frozen=True)
class Job:
    """One boot, one search for the smallest heap, or one run in a simulated processor."""

    kind: str
    strategy: str
    trace: str
    operations: int
    run: int = 1
    """Which of several runs of the same; the first ones of all jobs come before any second."""

    def __str__(self) -> str:
        return f"{self.strategy} on {self.trace}, {self.kind}"


class Plan:
    """The jobs of one comparison: what is pending, running and done, and at what pace."""

    def __init__(self, jobs: Iterable[Job], now: Callable[[], float] = time.monotonic) -> None:
        self.pending = list(jobs)
        self.running: dict[Job, float] = {}
        """How far each running job is, from 0 to 1."""
        self.durations: dict[Job, float] = {}
        """Seconds that each finished job took."""
        self._now = now
        self._started: dict[Job, float] = {}
        self._paces: dict[tuple[str, str], float] = {}
        """Seconds an operation, for each kind of job and strategy that has shown it."""

    @property
    def total(self) -> int:
        return len(self.pending) + len(self.running) + len(self.durations)

    def start_next(self) -> Optional[Job]:
        """Take the job that should start now; None if all have."""
        if not self.pending:
            return None
        shown = set(self._paces) | {(job.kind, job.strategy) for job in self.running}
        job = max(self.pending, key=lambda job: (-job.run, (job.kind, job.strategy) not in shown,
                                                 self._expected(job)))
        self.pending.remove(job)
        self.running[job] = 0.0
        self._started[job] = self._now()
        return job

    def advance(self, job: Job, fraction: float) -> None:
        """`job` has come so far."""
        self.running[job] = fraction = min(1.0, fraction)
        if fraction >= _TELLING_FRACTION:
            elapsed = max(0.0, self._now() - self._started[job] - _START_SECONDS)
            self._paces[job.kind, job.strategy] = elapsed / (fraction * job.operations)

    def finish(self, job: Job) -> None:
        """`job` is done."""
        self.advance(job, 1.0)
        del self.running[job]
        self.durations[job] = self._now() - self._started[job]

    def _expected(self, job: Job) -> float:
        fallback = max(self._paces.values(), default=_GUESSED_PACE)
        pace = self._paces.get((job.kind, job.strategy), fallback)
        return _START_SECONDS + pace * job.operations

    def _left_of(self, job: Job) -> float:
        return max(self._expected(job) * (1 - self.running[job]),
                   self._expected(job) - (self._now() - self._started[job])
                   if self.running[job] < _TELLING_FRACTION else 0.0, 0.0)

    def seconds_left(self, workers: int) -> float:
        """An estimate of the time until all jobs are done."""
        left = [self._left_of(job) for job in self.running]
        left += [self._expected(job) for job in self.pending]
        return max(sum(left) / workers, max(left, default=0.0))

    def fraction(self, workers: int) -> float:
        """How much of the whole work is done, by time."""
        done = sum(self.durations.values())
        done += sum(self._now() - self._started[job] for job in self.running)
        left = self.seconds_left(workers) * workers
        return done / (done + left) if done + left else 0.0


class Display(Protocol):
    """What shows a plan to a person."""

    def show(self, plan: Plan) -> None:
        """The plan has changed, or some time has passed."""


_TICK_SECONDS = 0.2


async def carry_out(plan: Plan, workers: int, perform: Callable[[Job], Awaitable[None]],
                    display: Display) -> None:
    """Perform all jobs of `plan`, at most `workers` at once; the first failure ends all."""

    async def work() -> None:
        while job := plan.start_next():
            await perform(job)
            plan.finish(job)

    async def tick() -> None:
        while True:
            display.show(plan)
            await asyncio.sleep(_TICK_SECONDS)

    ticker = asyncio.create_task(tick())
    tasks = [asyncio.create_task(work()) for _ in range(workers)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        await _end((ticker, *tasks))
    display.show(plan)
    for task in tasks:
        if not task.cancelled():
            task.result()


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
