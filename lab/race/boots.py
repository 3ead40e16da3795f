# SPDX-License-Identifier: MIT
"""Boots of kernels that race or are hammered, and the records that they answer with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Optional, Protocol, Sequence

from rich.console import Console

from lab import process, qemu
from lab.build import Build, HEAP_KIB_DEFAULT
from lab.compare import Answer
from lab.errors import RunError
from lab.options import cores
from lab.progress import Board
from lab.schedule import Job, Plan, carry_out

STALL_SECONDS = 600.0
"""How long a boot may say nothing: trying all schedules takes long."""

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Boot:
    """One kernel, the words that it is given, and the machine that it runs on."""

    strategy: str
    words: str
    locking: str = "none"
    processors: int = 2
    counted: bool = True
    """One instruction is a tick, and the processors take turns: the same on every run."""
    round: int = 1
    """Tells boots apart that are to be the same."""
    may_hang: bool = False
    """A heap that breaks may take the kernel with it: then there is no record."""
    patience_seconds: float = STALL_SECONDS
    """How long it may say nothing."""

    @property
    def program(self) -> str:
        """The kernel's file; those of a locking have their lock watched."""
        return f"los-{self.strategy}{'' if self.locking == 'none' else '-' + self.locking}.elf"

    @property
    def append(self) -> str:
        """The kernel's command line."""
        return f"{self.words} processors={self.processors}" + \
            (" unit=instructions" if self.counted else "")


class Programs(Protocol):
    """Where kernels are."""

    def program(self, name: str) -> Path:
        """The file of a kernel."""


def prepared(boots: Sequence[Boot], console: Console) -> Build:
    """The build, with all kernels that the boots need."""
    build = Build(HEAP_KIB_DEFAULT)
    build.prepare(sorted({boot.program for boot in boots}), lambda text: console.print(
        f"heaplab: {text}", markup=False, highlight=False, soft_wrap=True))
    return build


def machine(boot: Boot, programs: Programs) -> qemu.Machine:
    """The machine of a boot."""
    return qemu.Machine(kernel=programs.program(boot.program), append=boot.append,
                        count=boot.counted, processors=boot.processors)


class Runs:
    """Carries out boots; the Plan's jobs are theirs."""

    HANG_SECONDS = 20.0

    def __init__(self, boots: Sequence[Boot], programs: Programs) -> None:
        self._jobs = {Job(boot.locking, boot.strategy, boot.append, boot.round): boot
                      for boot in boots}
        self._programs = programs
        self.plan = Plan(self._jobs)
        self.records: dict[Boot, Optional[Record]] = {}

    async def perform(self, job: Job) -> None:
        """Carry out one boot, and keep its record."""
        boot = self._jobs[job]
        clock = process.Clock(self.HANG_SECONDS if boot.may_hang else None,
                              boot.patience_seconds)
        answer = Answer(lambda done, total: clock.renew())
        outcome = await qemu.boot(machine(boot, self._programs), clock=clock, on_line=answer.line)
        if not answer.results and not boot.may_hang:
            said = f" ({answer.complaint})" if answer.complaint else ""
            raise RunError(f"{boot.program} with '{boot.append}' {qemu.verdict(outcome)}{said};"
                           " the end of its log:", outcome.tail)
        self.records[boot] = answer.result(boot.program) if answer.results else None


def carried_out(boots: Sequence[Boot], console: Console,
                workers: Optional[int] = None) -> dict[Boot, Optional[Record]]:
    """The record of each boot; None where there is none and need not be one."""
    runs = Runs(boots, prepared(boots, console))
    workers = workers or cores()
    with Board(console, workers) as board:
        process.wait_for(carry_out(runs.plan, workers, runs.perform, board))
    return runs.records
