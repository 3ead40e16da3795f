# SPDX-License-Identifier: MIT
"""`heaplab play`: one trace on some heaps, as a film to step through.

Each kernel replays the trace in QEMU, once, and writes down what every operation did; what it
wrote is held against its record, and becomes one page.
"""

from __future__ import annotations

import dataclasses
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping, Optional, Sequence

from rich.console import Console

from lab import heaps, process, qemu, replay, results, trace, workload
from lab.build import builds_of, lab_root
from lab.errors import InputError, RunError
from lab.experiment import operations_of
from lab.play.film import Notes, Reel
from lab.play.page import page
from lab.progress import Board, duration
from lab.schedule import Job, Plan, carry_out
from lab.trace import Trace


FILMED = "filming"
LARGE_BYTES = 5_000_000
"""A page above this is said to be large."""


@dataclass(frozen=True)
class Request:
    """What is to be filmed; all of it has been checked."""

    subject: str
    """A trace's file or name, or a workload's name."""
    strategies: Sequence[str]
    heap_kib: int
    seed: int = workload.SEED_DEFAULT
    operations_limit: Optional[int] = None
    workers: int = 1
    hardening: Sequence[str] = (heaps.OFF,)
    locking: Sequence[str] = (heaps.NONE,)

    @property
    def heaps(self) -> Sequence[heaps.Heap]:
        """What is filmed: each strategy at each level with each lock."""
        return heaps.each(self.strategies, self.hardening, self.locking)

    @property
    def is_workload(self) -> bool:
        """Whether the kernel makes the subject itself."""
        return not os.path.exists(trace.find(self.subject)) and workload.is_name(self.subject)


class Filming:
    """Has each kernel replay the trace and write down what it does."""

    def __init__(self, request: Request, of: Trace, programs: Mapping[str, Path],
                 scratch: Path) -> None:
        """`programs`: by the heaps' names."""
        self._request = request
        self._trace = of
        self._programs = programs
        self._scratch = scratch
        self._module: Optional[Path] = None
        if of.seed is None:
            self._module = scratch / f"{of.sha256}.rep"
            results.write_files({self._module: of.text.decode()})
        self.plan = Plan(Job(FILMED, heap.name, of.name, self._operations)
                         for heap in request.heaps)
        self._reels: dict[str, Reel] = {}

    @property
    def _operations(self) -> int:
        """How many are replayed at most; a workload was made with the limit."""
        return replay.operations(self._trace, self._request.operations_limit)

    @property
    def reels(self) -> list[Reel]:
        """In the order asked for."""
        return [self._reels[heap.name] for heap in self._request.heaps]

    async def perform(self, job: Job) -> None:
        """Film one heap.

        Raises RunError unless what the kernel noted down agrees with its record.
        """
        notes = self._scratch / f"film-{job.strategy}-{time.monotonic_ns()}.notes"
        try:
            record = await self._replay(job, notes)
            reel = self._reel(job, record, notes.read_bytes())
        finally:
            notes.unlink(missing_ok=True)
        reel.check()
        self._reels[job.strategy] = reel

    async def _replay(self, job: Job, notes: Path) -> results.Record:
        words = ["run=replay", "unit=instructions", "placements", "costs", "changes",
                 *replay.words(self._trace, self._request.operations_limit)]
        machine = qemu.Machine(
            kernel=self._programs[job.strategy], append=" ".join(words), module=self._module,
            count=True, memory_mib=self._memory_mib(), debug_console=notes)
        # A walk after each operation takes as long again, for each 1,000 blocks that are live.
        clock = process.Clock(
            None, 10 * replay.stall_limit(self._request.heap_kib, self._operations))
        record = await replay.boot(job, machine, clock, replay.listener(
            clock, lambda share: self.plan.advance(job, share)))
        results.check_kernel_record(record)
        return dict(record)

    def _reel(self, job: Job, record: results.Record, notes: bytes) -> Reel:
        operations = operations_of(self._trace)[:record["operations"]]
        if not self._trace.fills and len(operations) != self._operations:
            raise RunError(f"{job}: {len(operations)} operations were replayed, not"
                           f" {self._operations}")
        return Reel(job.strategy, record, operations, Notes(notes, len(operations)),
                    results.total_bytes(self._request.heap_kib))

    def _memory_mib(self) -> int:
        """RAM of the machine: the heap, two walks of it, the trace, the tables, and some."""
        tables_bytes = len(self._trace.text) + 64 * (self._trace.operations + self._trace.ids)
        return 192 + (2 * self._request.heap_kib * 1040 + tables_bytes >> 20)


def check(request: Request, out: Path) -> None:
    """Raise InputError unless the subject is there, is valid, can be cut as asked for, and is not
    written over."""
    results.check_writable([out])
    if request.is_workload:
        if request.operations_limit and trace.is_fill(request.subject):
            raise InputError(f"--operations: not with {request.subject}: it fills the heap, and"
                             " ends at its first failure")
        return
    path = trace.find(request.subject)
    trace.read(path)
    if path.resolve() == out.resolve():
        raise InputError(f"{out}: cannot be written: this film is of it")


def run(request: Request, out: Path) -> int:
    """Film, and write the page."""
    console = Console(stderr=True)
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(f"heaplab: {text}", markup=False, highlight=False, soft_wrap=True)

    maker = f"host-{request.strategies[0]}"
    builds = builds_of(request.heaps, request.heap_kib)
    for build in builds.values():
        build.prepare([*(f"los-{strategy}.elf" for strategy in request.strategies), maker], say)
    of = _subject(request, builds[request.heaps[0].care].program(maker))
    filming = Filming(request, of, {
        heap.name: builds[heap.care].program(f"los-{heap.strategy}.elf")
        for heap in request.heaps}, lab_root() / "traces")
    say(f"{of.name} on {', '.join(heap.name for heap in request.heaps)}, {request.heap_kib} KiB")
    with Board(console, request.workers) as board:
        process.wait_for(carry_out(filming.plan, request.workers, filming.perform, board))
    made = page(of, filming.reels)
    results.write_files({out: made})
    _conclude(filming.reels, say)
    say(f"{out} written, {len(made):,} bytes, {duration(time.monotonic() - started)} in all")
    if len(made) > LARGE_BYTES:
        less = "fewer strategies" if of.fills else "fewer strategies or --operations"
        say(f"that is large: {less} make it smaller")
    return 0


def _subject(request: Request, maker: Path) -> Trace:
    directory = lab_root() / "traces"
    directory.mkdir(parents=True, exist_ok=True)
    if not request.is_workload:
        return trace.read(trace.find(request.subject))
    (made,) = workload.make([request.subject], seed=request.seed, heap_kib=request.heap_kib,
                            operations_limit=request.operations_limit, program=maker,
                            directory=directory)
    return dataclasses.replace(made, name=request.subject)


def _conclude(reels: Sequence[Reel], say: Callable[[str], None]) -> None:
    """What there is to see, in a line for each heap."""
    for reel in reels:
        worst = reel.record["cost"]
        seen = f"worst operation {worst['max_operation']:,}, {worst['max']:,}" \
            f" {reel.record['unit']}" if worst["operations"] else "no operation with a cost"
        first = reel.record["first_failure"]
        count = reel.record["failures"]
        failed = f"{count:,} failures, the first" if count > 1 else "1 failure,"
        failed = f"{failed} in operation {first['operation']:,}" if first else "no failure"
        say(f"{reel.name}: {seen}; {failed}")
