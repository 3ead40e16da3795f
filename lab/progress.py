# SPDX-License-Identifier: MIT
"""What a person sees while a comparison runs: live bars on a terminal, else a line now and then."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Optional

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column

from lab.schedule import Job, Plan

LINE_EVERY_SECONDS = 5.0


def duration(seconds: float) -> str:
    """Seconds as people say them: '40 s', '2 min 05 s'."""
    whole = max(1, round(seconds))
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02} s"


class Board:
    """Shows a plan on standard error: which strategy, which trace, how far, how long still."""

    def __init__(self, console: Console, workers: int) -> None:
        self._console = console
        self._workers = workers
        self._tasks: dict[Job, TaskID] = {}
        self._last_line = time.monotonic()
        self._bars = Progress(
            TextColumn("{task.description}", markup=False,
                       table_column=Column(no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=24), TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[left]}", table_column=Column(no_wrap=True)),
            console=console, auto_refresh=False, transient=True)
        self._whole = self._bars.add_task("all jobs", total=1.0, left="")

    def __enter__(self) -> "Board":
        if self._console.is_terminal:
            self._bars.start()
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        if self._console.is_terminal:
            self._bars.stop()

    def show(self, plan: Plan) -> None:
        """Bring what is shown up to date."""
        if self._console.is_terminal:
            self._show_bars(plan)
        elif time.monotonic() - self._last_line >= LINE_EVERY_SECONDS and plan.running:
            self._last_line = time.monotonic()
            self._console.print(self.line(plan), markup=False, highlight=False, soft_wrap=True)

    def line(self, plan: Plan) -> str:
        """Where a plan stands, in one line."""
        now = "; ".join(f"{job} {fraction:.0%}" for job, fraction in plan.running.items())
        return (f"heaplab: {len(plan.durations)} of {plan.total} jobs done, "
                f"about {duration(plan.seconds_left(self._workers))} left: {now}")

    def _show_bars(self, plan: Plan) -> None:
        for job in set(self._tasks) - set(plan.running):
            self._bars.remove_task(self._tasks.pop(job))
        for job, fraction in plan.running.items():
            if job not in self._tasks:
                self._tasks[job] = self._bars.add_task(str(job), total=1.0, left="")
            self._bars.update(self._tasks[job], completed=fraction)
        self._bars.update(
            self._whole, completed=plan.fraction(self._workers),
            description=f"{len(plan.durations)} of {plan.total} jobs done",
            left=f"about {duration(plan.seconds_left(self._workers))} left")
        self._bars.refresh()
