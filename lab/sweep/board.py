# SPDX-License-Identifier: MIT
"""What a person sees of a sweep: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Optional

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from lab.progress import LINE_EVERY_SECONDS, duration
from lab.sweep.work import Work


class Board:
    """Shows work on standard error."""

    def __init__(self, console: Console, what: str) -> None:
        self._console = console
        self._what = what
        self._started = self._last_line = time.monotonic()
        self._bar = Progress(TextColumn("{task.description}", markup=False), BarColumn(24),
                             console=console, auto_refresh=False, transient=True)
        self._task = self._bar.add_task("", total=1.0)

    def __enter__(self) -> "Board":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def show(self, work: Work, said: str) -> None:
        """The work has come further, or something is to be said about it."""
        if self._console.is_terminal:
            self._bar.update(self._task, description=self.line(work, said),
                             completed=len(work.done) / max(1, work.total), refresh=True)
        elif time.monotonic() - self._last_line >= LINE_EVERY_SECONDS:
            self._last_line = time.monotonic()
            self._console.print(f"heaplab: {self.line(work, said)}", markup=False,
                                highlight=False, soft_wrap=True)

    def line(self, work: Work, said: str) -> str:
        """Where the work stands."""
        new = len(work.done) - work.found_done
        text = f"{len(work.done):,} of {work.total:,} {self._what} done"
        if new and len(work.done) < work.total:
            pace = (time.monotonic() - self._started) / new
            text += f", about {duration(pace * (work.total - len(work.done)))} left"
        return text + (f"; {len(work.failures)} failed" if work.failures else "") + \
            (f"; {said}" if said else "")
