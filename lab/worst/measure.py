# SPDX-License-Identifier: MIT
"""Exact figures for many traces: their costs in one boot, the memory they need on the host."""

from __future__ import annotations

import array
import asyncio
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence

from lab import process, qemu, results
from lab.errors import RunError
from lab.replay import Answer
from lab.worst.memory_bounds import MAP_STEP_BYTES, STEP_BYTES
from lab.worst.sequence import Operations, to_rep

STALL_SECONDS = 300.0
"""How long a boot, or a search for the smallest region, may come no further."""
NO_COST = 0xFFFFFFFF
"""Of an operation that called nothing (docs/runner.md)."""
_MEMORY_MIB = 256
_TRIAL = "trial: "


@dataclass(frozen=True)
class Heap:
    """A heap that is measured: its two programs, and its size in the kernel."""

    strategy: str
    heap_kib: int
    kernel: Path
    host: Path

    async def costs(self, traces: Sequence[Operations], scratch: Path
                    ) -> list[list[Optional[int]]]:
        """What each operation of each trace costs, in instructions; all in one boot.

        Raises RunError if a trace ends in an error, with what the kernel said.
        """
        texts = [to_rep(operations, self.heap_kib) + "end\n" for operations in traces]
        module = _place(scratch, self.strategy, "".join(texts))
        bulk = module.with_suffix(".costs")
        results.write_files({module: "".join(texts)})
        machine = qemu.Machine(
            kernel=self.kernel, append="run=trials unit=instructions samples=0 costs",
            module=module, count=True, memory_mib=_MEMORY_MIB, debug_console=bulk)
        try:
            clock = process.Clock(None, STALL_SECONDS)
            answer = Answer(lambda *_: clock.renew())
            outcome = await qemu.boot(machine, clock=clock, on_line=answer.line)
            failure = qemu.verdict(outcome)
            if failure:
                raise RunError(f"{self.strategy}, trials: {failure}; the end of its log:",
                               outcome.tail)
            self._insist(answer.result(f"{self.strategy}, trials"), len(traces))
            return _divided(bulk, traces)
        finally:
            module.unlink(missing_ok=True)
            bulk.unlink(missing_ok=True)

    def _insist(self, said: dict[str, object], trials: int) -> None:
        due = {"strategy": self.strategy, "heap_kib": self.heap_kib, "hardening": "off",
               "trials": trials}
        if said != due:
            raise RunError(f"{self.strategy}, trials: the result is {said}, not {due}")

    async def smallest(self, trace: Operations, scratch: Path) -> int:
        """The smallest region in which a trace runs; 0 if there is none.

        Raises RunError if the host's program fails.
        """
        text = to_rep(trace, self.heap_kib)
        file = _place(scratch, self.strategy, text)
        results.write_files({file: text})
        try:
            clock = process.Clock(None, STALL_SECONDS)
            answer = Answer(lambda *_: clock.renew())
            outcome = await process.run([str(self.host), "run=smallest", str(file)], clock=clock,
                                        on_line=answer.line)
            if outcome.stopped or outcome.status:
                raise RunError(f"{self.strategy}, smallest heap:"
                               f" {outcome.stopped or 'ended with an error'}; the end of its log:",
                               outcome.tail)
            return int(answer.result(f"{self.strategy}, smallest heap")["smallest_total_bytes"])
        finally:
            file.unlink(missing_ok=True)

    async def fails(self, traces: Sequence[Operations], total_bytes: int, scratch: Path
                    ) -> list[bool]:
        """Which of these traces do not run in a region of so many bytes; all in one process."""
        text = "".join(to_rep(operations, self.heap_kib) + "end\n" for operations in traces)
        module = _place(scratch, self.strategy, text)
        results.write_files({module: text})
        trials: list[str] = []

        def on_line(line: str) -> None:
            clock.renew()
            if line.startswith(_TRIAL):
                trials.append(line[len(_TRIAL):])

        try:
            clock = process.Clock(None, STALL_SECONDS)
            outcome = await process.run(
                [str(self.host), "run=trials", "samples=0",
                 f"map_bytes={total_bytes // STEP_BYTES * MAP_STEP_BYTES}", str(module)],
                clock=clock, on_line=on_line)
            if outcome.stopped or outcome.status or len(trials) != len(traces):
                raise RunError(f"{self.strategy}, trials on the host:"
                               f" {outcome.stopped or 'ended with an error'}; the end of its log:",
                               outcome.tail)
            return [json.loads(trial)["failures"] > 0 for trial in trials]
        finally:
            module.unlink(missing_ok=True)


def _place(scratch: Path, strategy: str, text: str) -> Path:
    """Where to put a text for a moment: no other job uses the name."""
    task = id(asyncio.current_task())
    return scratch / f"{strategy}-{task}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.rep"


def _divided(bulk: Path, traces: Sequence[Operations]) -> list[list[Optional[int]]]:
    """The costs of all traces, which came in one stream, each trace's apart."""
    values = array.array("I", bulk.read_bytes())
    if sys.byteorder == "big":
        values.byteswap()
    if len(values) != sum(map(len, traces)):
        raise RunError(f"there are {len(values)} costs of {sum(map(len, traces))} operations")
    rest = iter(values)
    return [[None if cost == NO_COST else cost for _, cost in zip(operations, rest)]
            for operations in traces]
