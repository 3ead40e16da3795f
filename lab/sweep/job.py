# SPDX-License-Identifier: MIT
"""One job of a sweep: a boot, a search for the smallest memory, or the making of a workload."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Mapping, Optional

from lab import process, qemu, replay, trace
from lab.errors import LabError, RunError
from lab.reply import Answer
from lab.schedule import COUNT, SMALLEST
from lab.sweep.store import Store

MAKE = "making"
"""A host program prints a workload, to say what there is in it."""


@dataclass(frozen=True)
class Job:
    """What is to be run; all of it but the first four follows from those, or is for people."""

    kind: str
    program: str
    """The hash of the kernel, or of the host program."""
    module: Optional[str]
    """The hash of the recorded trace; None: the words name a workload."""
    words: tuple[str, ...]
    title: str = ""
    memory_mib: int = 0
    stall_seconds: float = 0.0
    due: Mapping[str, Any] = field(default_factory=dict)
    """What the record of a count must say."""
    fills: bool = False
    """Whether it ends when the heap is full."""

    @cached_property
    def key(self) -> str:
        """The hash of what its result depends on."""
        inputs = [self.kind, self.program, self.module, self.words]
        return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()

    def written(self) -> dict[str, Any]:
        """The job as JSON has it."""
        return dataclasses.asdict(self)


def read(store: Store) -> dict[str, Job]:
    """The jobs that were planned, by key."""
    return {key: Job(**(made | {"words": tuple(made["words"])}))
            for key, made in store.jobs().items()}


async def perform(job: Job, store: Store) -> Any:
    """Do a job; returns its result.

    Raises RunError if it failed.
    """
    try:
        if job.kind == COUNT:
            return await _count(job, store)
        return await (_search(job, store) if job.kind == SMALLEST else _make(job, store))
    except RunError:
        raise
    except LabError as error:
        raise RunError(error.message, error.log) from error


def _module(job: Job, store: Store) -> Optional[Path]:
    return store.trace(job.module) if job.module else None


async def _count(job: Job, store: Store) -> Any:
    machine = qemu.Machine(kernel=store.program(job.program), append=" ".join(job.words),
                           module=_module(job, store), count=True, memory_mib=job.memory_mib)
    clock = process.Clock(None, job.stall_seconds)
    raw = await replay.boot(job.title, machine, clock, replay.listener(clock))
    replay.check_count(job.title, raw, job.due, job.fills)
    return raw


async def _search(job: Job, store: Store) -> Any:
    module = _module(job, store)
    clock = process.Clock(None, job.stall_seconds)
    raw = await replay.run(job.title, "the search", [
        str(store.program(job.program)), *job.words, *([str(module)] if module else [])],
        clock, replay.listener(clock))
    replay.check_search(job.title, raw)
    return raw


async def _make(job: Job, store: Store) -> Any:
    chunks: list[bytes] = []
    outcome = await process.run([str(store.program(job.program)), *job.words],
                                on_bytes=chunks.append)
    replay.check_ended_well(job.title, "the program that makes it", Answer(lambda *_: None),
                            outcome)
    made = trace.parse(b"".join(chunks), Path(job.title))
    return {"sha256": made.sha256, "ids": made.ids, "operations": made.operations,
            "peak_requested_bytes": made.peak_requested_bytes}
