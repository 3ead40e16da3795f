# SPDX-License-Identifier: MIT
"""Single experiments: one heap, one size, one job, and the record of what came of it.

`compare` replays every trace on every heap at one size. An experiment is smaller: it names the
machine it runs on, the heap, its size and the words of docs/runner.md, and is its own key. A
list of them is built for, carried out on all cores, and kept as records that say all of that.
"""

from __future__ import annotations

import array
import asyncio
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterable, Mapping, Optional, Protocol, Sequence

from lab import cachegrind, process, qemu, results, trace
from lab.build import Build
from lab.errors import RunError
from lab.replay import Answer
from lab.schedule import Job, Plan
from lab.trace import Trace

KERNEL = "kernel"
"""Booted in QEMU; its costs are instructions, counted exactly."""
HOST = "host"
"""The same heap as a Linux process: quick, but it cannot count."""
PROCESSOR = "processor"
"""The Linux process with the processor's own clock; its costs differ from run to run."""
CACHEGRIND = "cachegrind"
"""The Linux process in valgrind's cachegrind, which simulates a cache."""
LAB = "lab"
"""Nothing is run: the lab computes the answer from a trace."""

REPEATABLE = (KERNEL, HOST, LAB)
"""Machines on which two runs give the same record, to the last digit."""

STALL_SECONDS = 120.0
"""How long a boot may stand still."""
HANG_CPU_SECONDS = 4
"""What a boot whose heap was damaged on purpose may use of a processor: ten times what it needs."""

NO_PLACEMENT = 0xFFFFFFFF


@dataclass(frozen=True)
class Evidence:
    """What a digest is made of."""

    raw: Mapping[str, Any]
    placements: Sequence[int]
    """By operation: the block's distance from the start of the side array, or NO_PLACEMENT."""
    trace: Optional[Trace]


Digest = Callable[[Evidence], dict[str, Any]]


@dataclass(frozen=True)
class Experiment:
    """One heap and what it is to do."""

    machine: str
    strategy: str
    words: str = ""
    """What follows `run=`, and the other words of docs/runner.md."""
    heap_kib: int = 1024
    hardening: str = "off"
    trace: Optional[Trace] = None
    digest: Optional[Digest] = None
    """Computes what the record says beyond the run's own result, from where blocks were placed."""
    survives: bool = True
    """False: the heap is damaged on purpose, so a panic or a hang is an answer."""
    effort: int = field(default=10_000, compare=False)
    """How much work it is, in operations on a heap of 1 MiB."""

    @property
    def key(self) -> str:
        """What its record is called."""
        parts = [self.machine, self.strategy, f"{self.heap_kib} KiB"]
        parts += [f"hardening {self.hardening}"] if self.hardening != "off" else []
        parts += [self.words] if self.words else []
        parts += [f"trace {self.trace.name}"] if self.trace else []
        parts += [f"digest {self.digest.__name__}"] if self.digest else []
        return ", ".join(parts)

    @property
    def program(self) -> Optional[str]:
        """The program that carries it out; None if there is none."""
        if self.machine == LAB:
            return None
        return f"los-{self.strategy}.elf" if self.machine == KERNEL else f"host-{self.strategy}"

    @property
    def subject(self) -> str:
        """What it is about, for a person who waits."""
        words = dict(word.partition("=")[::2] for word in self.words.split())
        name = words.get("workload") or words.get("experiment") or \
            (self.trace.name if self.trace else "")
        return name + (f" at {self.heap_kib} KiB" if self.heap_kib != 1024 else "")


def _build_of(one: Experiment) -> tuple[int, str]:
    """The build an experiment needs: the host's programs take their size when they start."""
    return (one.heap_kib if one.machine == KERNEL else 1024, one.hardening)


class Builds:
    """The builds that experiments need: one for each heap size and hardening."""

    _SAMPLE = (1024, "off"), "bitmap"
    """What is always built: its compilers stand for all."""

    def __init__(self, experiments: Iterable[Experiment]) -> None:
        key, strategy = self._SAMPLE
        self._names = {key: {f"los-{strategy}.elf", f"host-{strategy}"}}
        for one in experiments:
            if one.program:
                self._names.setdefault(_build_of(one), set()).add(one.program)
        self._builds = {key: Build(key[0], hardening=key[1]) for key in self._names}

    def prepare(self, say: Callable[[str], None]) -> None:
        """Bring all of them up to date."""
        for key, build in sorted(self._builds.items()):
            build.prepare(sorted(self._names[key]), say)

    def program(self, one: Experiment) -> Path:
        """The program that carries out an experiment."""
        assert one.program
        return self._builds[_build_of(one)].program(one.program)

    def provenance(self) -> dict[str, Any]:
        """The compilers and flags of the kernels and of the host's programs."""
        key, strategy = self._SAMPLE
        made = self._builds[key].provenance(strategy)
        return {KERNEL: made["kernel"], HOST: made["search"]}


class Programs(Protocol):
    """Where the programs of experiments are."""

    def program(self, one: Experiment) -> Path:
        """The program that carries out an experiment."""


class Laboratory:
    """Carries out experiments; the Plan's jobs are theirs."""

    def __init__(self, experiments: Iterable[Experiment], programs: Programs,
                 scratch: Path) -> None:
        self._jobs: dict[Job, Experiment] = {}
        for one in dict.fromkeys(experiments):
            # Two may be about the same; a job's number of operations then tells them apart.
            job = Job(one.machine, one.strategy, one.subject, one.effort)
            while job in self._jobs:
                job = Job(job.kind, job.strategy, job.trace, job.operations + 1)
            self._jobs[job] = one
        self.plan = Plan(self._jobs)
        self.answers: dict[str, Any] = {}
        """By key: the `result` of its record."""
        self._programs = programs
        self._scratch = scratch
        self._files = {one.trace.name: scratch / f"{one.trace.sha256}.rep"
                       for one in self._jobs.values() if one.trace}
        results.write_files({self._files[one.trace.name]: one.trace.text.decode()
                             for one in self._jobs.values() if one.trace})

    async def perform(self, job: Job) -> None:
        """Carry out one job and keep its answer."""
        one = self._jobs[job]
        placements: Sequence[int] = ()
        if one.machine == LAB:
            raw: dict[str, Any] = {}
        elif one.machine == KERNEL:
            raw = await self._boot(job, one)
        else:
            raw, placements = await self._start(job, one)
        if one.digest:
            evidence = Evidence(raw, placements, one.trace or await self._workload(job, one))
            raw = raw | {"digest": await asyncio.to_thread(one.digest, evidence)}
        self.answers[one.key] = raw

    async def _boot(self, job: Job, one: Experiment) -> dict[str, Any]:
        machine = qemu.Machine(
            kernel=self._programs.program(one), append=f"{one.words} unit=instructions",
            module=self._files[one.trace.name] if one.trace else None, count=True,
            memory_mib=_memory_mib(one))
        clock = process.Clock(None, STALL_SECONDS)
        answer = self._listener(job, clock)
        outcome = await qemu.boot(machine, clock=clock, on_line=answer.line,
                                  cpu_seconds=None if one.survives else HANG_CPU_SECONDS)
        failure = qemu.verdict(outcome)
        if failure and not one.survives:
            return {"died": answer.complaint or failure}
        if failure:
            raise _failed(job, failure, answer, outcome)
        raw = answer.result(str(job))
        _insist_on(one, raw)
        return dict(raw)

    async def _start(self, job: Job, one: Experiment) -> tuple[dict[str, Any], Sequence[int]]:
        place = self._scratch / f"{abs(hash(one.key))}"
        command = [str(self._programs.program(one)), *one.words.split(), f"kib={one.heap_kib}"]
        command += ["unit=cycles"] if one.machine == PROCESSOR else []
        command += [str(self._files[one.trace.name])] if one.trace else []
        command += [f"placements={place}"] if one.digest else []
        if one.machine == CACHEGRIND:
            command = [*cachegrind.command(place), *command]
        clock = process.Clock(None, STALL_SECONDS)
        answer = self._listener(job, clock)
        try:
            outcome = await process.run(command, clock=clock, on_line=answer.line)
            if outcome.stopped or outcome.status:
                raise _failed(job, outcome.stopped or f"ended with status {outcome.status}",
                              answer, outcome)
            raw = dict(answer.result(str(job)))
            if one.machine == CACHEGRIND:
                raw["cachegrind"] = cachegrind.read(place)
            return raw, _placements(place) if one.digest else ()
        finally:
            place.unlink(missing_ok=True)

    async def _workload(self, job: Job, one: Experiment) -> Optional[Trace]:
        """The operations that the kernel makes of a workload's name; None if there is none."""
        if "workload=" not in one.words:
            return None
        words = [word for word in one.words.split() if not word.startswith(("run=", "samples="))]
        lines: list[str] = []
        outcome = await process.run([str(self._programs.program(one)), "run=print", *words,
                                     f"kib={one.heap_kib}"], on_line=lines.append)
        if outcome.status:
            raise _failed(job, f"ended with status {outcome.status}", Answer(lambda *_: None),
                          outcome)
        return trace.parse("\n".join(lines).encode(), Path(one.subject))

    def _listener(self, job: Job, clock: process.Clock) -> Answer:
        def on_progress(done: int, total: int) -> None:
            clock.renew()
            self.plan.advance(job, done / total)

        return Answer(on_progress)


def _failed(job: Job, what: str, answer: Answer, outcome: process.Outcome) -> RunError:
    said = f" ({answer.complaint})" if answer.complaint else ""
    return RunError(f"{job}: {what}{said}; the end of its log:", outcome.tail)


def _insist_on(one: Experiment, raw: Mapping[str, Any]) -> None:
    """Raise RunError unless the kernel that answered is the one that was asked."""
    due = {"strategy": one.strategy, "heap_kib": one.heap_kib, "hardening": one.hardening}
    for name, value in due.items():
        if raw.get(name) != value:
            raise RunError(f"{one.key}: the result's {name} is {raw.get(name)!r}, not {value!r}")


def _memory_mib(one: Experiment) -> int:
    """RAM of the machine: the heap, the trace, the runner's tables, and room to spare."""
    operations = one.trace.operations if one.trace else one.heap_kib * 16
    text_bytes = len(one.trace.text) if one.trace else 0
    return 192 + (one.heap_kib * 1040 + text_bytes + 64 * operations >> 20)


def _placements(path: Path) -> Sequence[int]:
    values = array.array("I", path.read_bytes())
    if sys.byteorder == "big":
        values.byteswap()
    return values


def operations_of(of: Trace) -> list[tuple[str, int, int]]:
    """The operations of a trace: kind, id, size (0 for a free)."""
    lines = of.text.decode().splitlines()[len(trace.HEADER):]
    fields = (line.split() for line in lines)
    return [(one[0], int(one[1]), int(one[2]) if len(one) > 2 else 0) for one in fields]
