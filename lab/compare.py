# SPDX-License-Identifier: MIT
"""`heaplab compare`: every strategy replays every trace, and one table says how they did.

For each strategy and trace one boot in QEMU counts instructions, and one Linux process of the
same heap sources searches the smallest memory in which the trace runs. Input is checked before
anything is started; results are written when all of them are there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Protocol, Sequence

from rich.console import Console

from lab import baseline, cachegrind, heaps, process, qemu, replay, results, table, trace, workload
from lab.build import (Build, HEAP_KIB_DEFAULT, builds_of, checked_heap_kib, lab_root,
                       peers as known_peers, strategies as known_strategies)
from lab.errors import InputError
from lab.heaps import Care, Heap
from lab.outputs import Outputs
from lab.progress import Board, duration
from lab.reply import Answer
from lab.schedule import COUNT, FOOTPRINT, SIMULATION, SMALLEST, Job, Plan, carry_out
from lab.trace import Trace
from lab.words import plural

QUICK_OPERATIONS = 10_000
"""What --quick replays of each trace."""

HOST_RUNS = 9
"""How often the host's processor replays; what else it has to do only ever adds to a run. It has to
do so for seconds on end, so the runs of one heap lie as far apart as those of all others take."""

SHORTEST = "fixed-kernel-1"
"""A workload that a kernel replays in no time, for what it says of itself."""


@dataclass(frozen=True)
class Request:
    """What a comparison is asked for; all of it has been checked."""

    strategies: Sequence[str]
    traces: Sequence[Trace]
    """Recorded ones; and workloads, as soon as there is a program that makes them."""
    workloads: Sequence[str] = ()
    seed: int = workload.SEED_DEFAULT
    hardening: Sequence[str] = (heaps.OFF,)
    """Levels; each strategy is there at each."""
    locking: Sequence[str] = (heaps.NONE,)
    """And with each of these."""
    heap_kib: int = HEAP_KIB_DEFAULT
    operations_limit: Optional[int] = None
    samples: int = 256
    """How often a replay looks at its heap, for what is shown over time."""
    accel: str = "tcg"
    simulate: bool = False
    """Whether cachegrind is to tell of branches and caches."""
    workers: int = 1
    stall_seconds: Optional[float] = None

    def operations(self, of: Trace) -> int:
        """How many operations of a trace are replayed; a workload was made with the limit."""
        return replay.operations(of, self.operations_limit)

    @property
    def heaps(self) -> list[Heap]:
        return heaps.each(self.strategies, self.hardening, self.locking)

    @property
    def unit(self) -> str:
        return "instructions" if self.accel == "tcg" else "cycles"

    @property
    def times_processes(self) -> bool:
        """Whether the heaps run in Linux processes, and not in kernels."""
        return self.accel == "host"

    def stall_limit(self, operations: int) -> float:
        """How long a boot may come no further: costs grow with the heap, steps with the trace."""
        return self.stall_seconds or replay.stall_limit(self.heap_kib, operations)


class Programs(Protocol):
    """Where the built programs are."""

    def program(self, name: str) -> Path:
        """The file of the program called `name`."""


_NO_ENVIRONMENT = ("env", "--ignore-environment")
"""The environment lies on the stack: what is in it would move the stack in the simulated cache."""


class Measurement:
    """Carries out the jobs of one comparison."""

    def __init__(self, request: Request, programs: Mapping[Care, Programs],
                 scratch: Path) -> None:
        """`programs`: by hardening and locking."""
        self._request = request
        self._programs = programs
        self._traces = {one.name: one for one in request.traces}
        self._files = _unpack(request.traces, scratch)
        self._heaps = {heap.name: heap for heap in request.heaps}
        self.plan = Plan([*(Job(kind, heap, one.name, request.operations(one), run)
                            for heap in self._heaps for one in request.traces
                            for kind in self._kinds(one)
                            for run in range(1, 1 + self._runs(kind))),
                          *(Job(FOOTPRINT, heap, SHORTEST, 1)
                            for heap in self._heaps if request.times_processes)])
        self._scratch = scratch
        self._answers: dict[tuple[str, str, str], Any] = {}

    def _kinds(self, one: Trace) -> list[str]:
        return [COUNT, *([] if one.fills else [SMALLEST]),
                *([SIMULATION] if self._request.simulate else [])]

    def _runs(self, kind: str) -> int:
        return HOST_RUNS if self._request.times_processes and kind == COUNT else 1

    async def perform(self, job: Job) -> None:
        """Carry out one job and keep its answer; of several runs, that of the cheapest."""
        answer = await {COUNT: self._count, SMALLEST: self._search,
                        SIMULATION: self._simulate, FOOTPRINT: self._ask}[job.kind](job)
        key = job.kind, job.strategy, job.trace
        if key in self._answers:
            answer = min(self._answers[key], answer, key=lambda run: int(run["cost"]["total"]))
        self._answers[key] = answer

    async def _count(self, job: Job) -> Any:
        one, heap = self._traces[job.trace], self._heaps[job.strategy]
        raw = await (self._time if self._request.times_processes else self._boot)(job, one, heap)
        due = self._due(heap, self._request.unit)
        replay.check_count(str(job), raw, due if one.fills else
                           due | {"operations": job.operations}, one.fills)
        return raw

    def _due(self, heap: Heap, unit: str) -> dict[str, Any]:
        """What a record of a heap must say of itself."""
        return {"strategy": heap.strategy, "hardening": heap.hardening, "locking": heap.locking,
                "heap_kib": self._request.heap_kib, "unit": unit}

    async def _boot(self, job: Job, one: Trace, heap: Heap) -> Any:
        words = replay.count_words(one, self._request.unit, self._request.operations_limit,
                                   self._request.samples)
        machine = qemu.Machine(
            kernel=self._programs[heap.care].program(f"los-{heap.strategy}.elf"),
            append=" ".join(words),
            module=self._files.get(job.trace), count=self._request.unit == "instructions",
            accel=self._request.accel,
            memory_mib=replay.memory_mib(self._request.heap_kib, one))
        clock = process.Clock(None, self._request.stall_limit(job.operations))
        return await replay.boot(job, machine, clock, self._listener(job, clock))

    async def _ask(self, job: Job) -> Any:
        """The footprint of a heap in its kernel.

        A process has neither its code nor its stack and, where locks are not the kernel's, other
        records. How deep the stack gets, only a whole replay in the kernel could tell.
        """
        heap = self._heaps[job.strategy]
        machine = qemu.Machine(
            kernel=self._programs[heap.care].program(f"los-{heap.strategy}.elf"),
            append=f"run=replay unit=instructions samples=0 workload={job.trace}"
            f" operations={job.operations}", count=True,
            memory_mib=qemu.MEMORY_MIB + self._request.heap_kib // 1024)
        clock = process.Clock(None, self._request.stall_limit(job.operations))
        raw = await replay.boot(job, machine, clock, self._listener(job, clock))
        replay.check_count(str(job), raw, self._due(heap, "instructions"), fills=False)
        return raw["footprint"] | {"stack_bytes": None}

    async def _time(self, job: Job, one: Trace, heap: Heap) -> Any:
        return await self._process(job, heap, timed_program(heap), "the process",
                                   replay.count_words(one, self._request.unit,
                                                      self._request.operations_limit,
                                                      self._request.samples))

    async def _search(self, job: Job) -> Any:
        one, heap = self._traces[job.trace], self._heaps[job.strategy]
        raw = await self._process(job, heap, f"host-{heap.strategy}", "the search",
                                  replay.search_words(one, self._request.operations_limit),
                                  replay.SEARCH_PATIENCE)
        replay.check_search(str(job), raw)
        return raw

    async def _simulate(self, job: Job) -> dict[str, int]:
        one, heap = self._traces[job.trace], self._heaps[job.strategy]
        kernel = self._programs[heap.care].program(f"los-{heap.strategy}.elf")
        events = self._scratch / f"{os.getpid()}-{job.strategy}-{job.trace}.cachegrind"
        try:
            await self._process(job, heap, timed_program(heap), "the simulation",
                                ["run=replay", "samples=0",
                                 *replay.words(one, self._request.operations_limit)],
                                replay.SEARCH_PATIENCE,
                                [*_NO_ENVIRONMENT, *cachegrind.command(events, branches=True)])
            return cachegrind.read_simulated(events,
                                             kernel.with_name(f"libheap-{heap.strategy}.a"))
        finally:
            events.unlink(missing_ok=True)

    async def _process(self, job: Job, heap: Heap, name: str, what: str, words: Sequence[str],
                       patience: int = 1, within: Sequence[str] = ()) -> Any:
        """What a heap's Linux process answers; it may be silent for `patience` boots."""
        command = [*within, str(self._programs[heap.care].program(name)), *words]
        if job.trace in self._files:
            command.append(str(self._files[job.trace]))
        clock = process.Clock(None, self._request.stall_limit(job.operations) * patience)
        return await replay.run(job, what, command, clock, self._listener(job, clock))

    def _listener(self, job: Job, clock: process.Clock) -> Answer:
        return replay.listener(clock, lambda share: self.plan.advance(job, share))

    def records(self) -> list[results.Record]:
        """One record for each heap and trace.

        Raises RunError if a kernel and the trace disagree on what was requested.
        """
        records = []
        for one in self._request.traces:
            peak = trace.peak_requested_bytes(one, self._request.operations(one))
            limit = self._request.operations_limit
            for heap in self._heaps:
                count = self._answers[COUNT, heap, one.name]
                if self._request.times_processes:
                    count = count | {"footprint": self._answers[FOOTPRINT, heap, SHORTEST]}
                record = replay.record_of(
                    count, self._answers.get((SMALLEST, heap, one.name)), one, peak, limit)
                simulated = self._answers.get((SIMULATION, heap, one.name))
                records.append(record | ({"simulated": simulated} if simulated else {}))
        return records


def _unpack(traces: Sequence[Trace], directory: Path) -> dict[str, Path]:
    """Files with the plain text of the recorded ones of `traces`, by name.

    They are kept, since their names say their content. Workloads need none.
    """
    recorded = [one for one in traces if one.seed is None]
    files = {one.name: directory / f"{one.sha256}.rep" for one in recorded}
    results.write_files({files[one.name]: one.text.decode() for one in recorded
                         if not files[one.name].exists()})
    return files


def check(*, strategies: Optional[str], peers: bool, traces: Optional[Sequence[str]],
          workloads: Optional[str], seed: int, hardening: str, locking: str,
          heap_kib: str, quick: bool, samples: int, accel: str, simulate: bool, workers: int,
          stall_seconds: Optional[float]) -> Request:
    """Turn what the command line says into a request.

    Traces or workloads alone leave the other kind away; without either there are all of both,
    in a quick comparison all traces.
    Raises InputError for the first thing that is wrong.
    """
    if accel == "kvm" and (why := qemu.why_no_kvm()):
        raise InputError(f"--accel kvm: there is no usable KVM here ({why}); leave the option away"
                         " to count instructions, or take host for cycles")
    if accel == "host" and process.emulates_32_bit():
        raise InputError("--accel host: it takes a system that starts 32-bit programs itself, and"
                         " here an emulator does; leave the option away to count instructions")
    lockings = heaps.chosen_lockings(locking)
    if simulate and list(lockings) != [heaps.NONE]:
        raise InputError(f"--simulate: not with --locking {locking}: a lock keeps out interrupts,"
                         " which no simulated process may")
    if simulate and cachegrind.obstacle():
        raise InputError(f"--simulate: it takes {cachegrind.obstacle()}")
    return Request(
        heap_kib=checked_heap_kib(heap_kib),
        strategies=chosen_heaps(strategies, known_strategies(), known_peers(), peers),
        traces=trace.read_all(chosen_traces(traces, workloads)),
        workloads=chosen_workloads(traces, workloads, quick), seed=seed,
        hardening=heaps.chosen_levels(hardening), locking=lockings,
        operations_limit=QUICK_OPERATIONS if quick else None, samples=samples, accel=accel,
        simulate=simulate, workers=workers, stall_seconds=stall_seconds)


def chosen_traces(traces: Optional[Sequence[str]], workloads: Optional[str]) -> Sequence[str]:
    if traces is not None:
        return traces
    return trace.shipped() if workloads in (None, workload.ALL, workload.NONE) else ()


def chosen_workloads(traces: Optional[Sequence[str]], workloads: Optional[str],
                     quick: bool) -> list[str]:
    if workloads is None:
        workloads = workload.NONE if quick or traces is not None else workload.ALL
    return workload.chosen(workloads)


def chosen_heaps(text: Optional[str], known: Sequence[str], peers: Sequence[str],
                 with_peers: bool) -> list[str]:
    """The heaps that --strategies names, or all of the project's, and with --peers those too."""
    chosen = [name.strip() for name in text.split(",")] if text is not None else list(known)
    for name in chosen:
        if name not in known and name not in peers:
            others = f"; or, of the peers: {', '.join(peers)}" if peers else ""
            raise InputError(f"there is no strategy {name!r}; choose from: {', '.join(known)}"
                             f"{others}")
    return list(dict.fromkeys([*chosen, *(peers if with_peers else ())]))


@dataclass(frozen=True)
class Gate:
    """Earlier results, and by what share a figure may be worse than it was in them."""

    path: Path
    tolerance: Fraction


def timed_program(heap: Heap) -> str:
    """The Linux process that times a heap.

    It has the kernel's own machine code, but where that keeps out interrupts, as its locks do,
    which no process may.
    """
    return f"{'timed' if heap.locking == 'none' else 'host'}-{heap.strategy}"


def _built(request: Request, say: Callable[[str], None]) -> dict[Care, Build]:
    """The programs that a comparison needs, by hardening and locking."""
    with_peers = not set(known_peers()).isdisjoint(request.strategies)
    builds = builds_of(request.heaps, request.heap_kib, with_peers)
    for key, build in builds.items():
        names = [name for heap in request.heaps if heap.care == key
                 for name in (f"los-{heap.strategy}.elf", f"host-{heap.strategy}",
                              *([timed_program(heap)]
                                if request.times_processes or request.simulate else []))]
        build.prepare(names, say)
    return builds


def run(request: Request, outputs: Outputs, gate: Optional[Gate] = None) -> int:
    """Carry out a comparison, write its files, and print its table.

    Returns 1 if something is worse than the gate allows.
    """
    if gate:
        baseline.check_unit(request.unit, request.accel)
    outputs.check([*(one.path for one in request.traces), *([gate.path] if gate else [])])
    old = baseline.read(gate.path) if gate else None
    if gate and old:
        _check_likeness(gate, old, request)
    console = Console(stderr=True)
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(f"heaplab: {text}", markup=False, highlight=False, soft_wrap=True)

    builds = _built(request, say)
    directory = lab_root() / "traces"
    request = replace(request, traces=[*request.traces, *workload.make(
        request.workloads, seed=request.seed, heap_kib=request.heap_kib,
        operations_limit=request.operations_limit,
        program=builds[request.heaps[0].care].program(f"host-{request.strategies[0]}"),
        directory=directory)])
    if gate and old:
        _check_likeness(gate, old, request)
    measurement = Measurement(request, builds, directory)
    say(f"{plural(len(request.heaps), 'heap')} on {table.load(_settings(request))},"
        f" {request.heap_kib} KiB: {plural(measurement.plan.total, 'job')} on"
        f" {plural(request.workers, 'core')}")
    with Board(console, request.workers) as board:
        process.wait_for(
            carry_out(measurement.plan, request.workers, measurement.perform, board))
    document = results.document(
        settings=_settings(request),
        build={heap.name: builds[heap.care].provenance(heap.strategy)
               for heap in sorted(request.heaps, key=lambda heap: heap.name)},
        traces=request.traces, records=measurement.records(),
        host=results.host(request.accel, qemu_version(),
                          {str(job): seconds for job, seconds
                           in measurement.plan.durations.items()},
                          time.monotonic() - started))
    *others, last = map(str, outputs.write(document))
    table.show(document, sys.stdout)
    say(f"{', '.join(others)} and {last} written, {duration(time.monotonic() - started)} in all")
    if not (gate and old):
        return 0
    comparison = baseline.Comparison(old, baseline.summary(document), gate.tolerance)
    comparison.show(gate.path, sys.stdout)
    return 1 if comparison.worse else 0


def _check_likeness(gate: Gate, old: baseline.Summary, request: Request) -> None:
    """Raise InputError unless what is requested, so far as it is made, is like the old."""
    baseline.check(gate.path, old, _settings(request),
                   {one.name: one.sha256 for one in request.traces})


def _settings(request: Request) -> dict[str, Any]:
    return {
        "strategies": list(request.strategies),
        "traces": [one.name for one in request.traces if one.seed is None],
        "workloads": list(request.workloads),
        "seed": request.seed if request.workloads else None,
        "hardening": list(request.hardening),
        "locking": list(request.locking),
        "heap_kib": request.heap_kib,
        "operations_limit": request.operations_limit,
        "unit": request.unit,
    }


def qemu_version() -> str:
    program = qemu.FIRMWARES["bios"].program
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False).stdout
    except OSError:
        return ""
    return said.partition("\n")[0]
