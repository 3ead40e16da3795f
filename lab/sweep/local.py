# SPDX-License-Identifier: MIT
"""The engine of one machine: as many workers at a time as it has cores.

A worker gets several jobs, for it takes longer to start than a small boot; towards the end
fewer, so that all end together.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Callable

from lab import ROOT, process
from lab.errors import RunError
from lab.sweep import worker
from lab.sweep.work import Work

BATCH = 16


@dataclass(frozen=True)
class Local:
    """Has jobs done on this machine."""

    workers: int

    async def carry_out(self, work: Work, show: Callable[[Work, str], None]) -> None:
        """Do what is to be done; raises RunError if nothing can be."""
        tasks = {asyncio.create_task(self._keep_busy(work, show)) for _ in range(self.workers)}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _keep_busy(self, work: Work, show: Callable[[Work, str], None]) -> None:
        """One worker after the other."""
        while keys := work.take(max(1, min(BATCH, len(work.pending) // (4 * self.workers)))):
            begun: set[str] = set()

            def listen(line: str) -> None:
                what, _, key = line.partition(" ")
                if what == "begun":
                    begun.add(key)
                elif what == "done":
                    work.done.add(key)
                    show(work, "")

            outcome = await process.run([*worker.command(work.store, work.check), *keys],
                                        cwd=ROOT, on_line=listen)
            _insist_on_a_worker(outcome, begun)
            work.settle(keys, begun or keys[:1])
            show(work, "")


def _insist_on_a_worker(outcome: process.Outcome, begun: set[str]) -> None:
    """Raise RunError if other workers would fare no better."""
    if outcome.status in (worker.STOPPED, worker.REFUSED):
        raise RunError(worker.reason(outcome.tail))
    if outcome.status > 0 and not begun:
        raise RunError(f"a worker ended with status {outcome.status}; the end of its log:",
                       outcome.tail)
