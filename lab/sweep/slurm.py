# SPDX-License-Identifier: MIT
"""The engine of a cluster: the jobs as one array of Slurm's, again and again until all are done.

The directory of the sweep and this source tree must be seen by all nodes under the same names.
What may be said to sbatch otherwise (the partition, an account, a time limit) it takes from its
environment: SBATCH_PARTITION, SBATCH_ACCOUNT, SBATCH_TIMELIMIT and so on, as `man sbatch` says.
"""

from __future__ import annotations

import asyncio
import collections
import hashlib
import os
import pwd
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from typing import Callable, Optional, Sequence

from lab import ROOT, process, results
from lab.errors import InputError, RunError
from lab.sweep import node, worker
from lab.sweep.store import Store
from lab.sweep.work import Work

_POLL_SECONDS = 1.0
_PATIENCE_POLLS = 120
"""How often in a row Slurm may not answer, before the sweep gives up."""
_PROGRAMS = ("sbatch", "squeue", "scancel", "scontrol")
_GONE = "Invalid job id"
"""What squeue says of an array that ended some minutes ago."""


def check() -> None:
    """Raise InputError unless there is a Slurm that answers."""
    if missing := [name for name in _PROGRAMS if not shutil.which(name)]:
        raise InputError(f"--engine slurm: there is no {', no '.join(missing)} here; Debian's"
                         " package slurm-client brings them; or use --engine local")
    done = _ask(["scontrol", "ping"])
    if done.returncode or "UP" not in done.stdout:
        said = (done.stderr + done.stdout).strip().partition("\n")[0]
        raise InputError(f"--engine slurm: no Slurm controller answers: {said}")


def _ask(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          check=False)


def array_tasks_max() -> int:
    """How many tasks one array may have here."""
    found = re.search(r"^MaxArraySize\s*=\s*(\d+)", _ask(["scontrol", "show", "config"]).stdout,
                      re.MULTILINE)
    return max(1, int(found[1]) - 1) if found else 1000


@dataclass(frozen=True)
class Slurm:
    """Has jobs done by a cluster."""

    batch: Optional[int] = None
    """How many jobs a task of the array has; None: as few as the cluster's limit allows."""

    async def carry_out(self, work: Work, show: Callable[[Work, str], None]) -> None:
        """Do what is to be done; raises RunError if nothing can be."""
        _cancel(work.store)  # what a killed sweep left at work would do the same a second time
        try:
            while work.pending:
                await self._round(work, show)
        finally:
            _cancel(work.store)

    async def _round(self, work: Work, show: Callable[[Work, str], None]) -> None:
        """One array, to its end."""
        refused, before = node.refused(work.store, work.check), len(work.done)
        tasks = self._tasks(work)
        await _wait(await _submit(work, tasks, sorted(refused)), work, show)
        newly = node.refused(work.store, work.check).keys() - refused.keys()
        for keys in tasks:
            # Where a node was refused its jobs were not even begun.
            work.settle(keys, [key for key in keys if not newly or work.store.failure(key)])
        for name in sorted(newly):
            show(work, f"{name} is refused, its jobs go to other nodes")
        if work.pending and not newly and len(work.done) == before:
            _insist_on_tasks(work)

    def _tasks(self, work: Work) -> list[list[str]]:
        batch = max(self.batch or 1, -(-len(work.pending) // array_tasks_max()))
        tasks = []
        while work.pending:
            tasks.append(work.take(batch))
        return tasks


def _job_name(store: Store) -> str:
    """What Slurm calls the arrays of this sweep, and of no other."""
    return f"heaplab-{hashlib.sha256(str(store.directory).encode()).hexdigest()[:16]}"


def _cancel(store: Store) -> None:
    _ask(["scancel", f"--name={_job_name(store)}", f"--user={pwd.getpwuid(os.geteuid()).pw_name}"])


async def _submit(work: Work, tasks: Sequence[Sequence[str]], exclude: Sequence[str]) -> str:
    """Hand the tasks over; returns the array's number."""
    listed = work.store.directory / "slurm-tasks"
    results.write_files({listed: "".join(f"{' '.join(keys)}\n" for keys in tasks)})
    for log in work.store.logs.iterdir():
        log.unlink()
    command = shlex.join(worker.command(work.store, work.check))
    script = f'exec {command} $(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" {shlex.quote(str(listed))})'
    outcome = await process.run(
        ["sbatch", "--parsable", f"--job-name={_job_name(work.store)}",
         f"--array=0-{len(tasks) - 1}", "--cpus-per-task=1", f"--output={work.store.logs}/%A_%a",
         f"--chdir={ROOT}", *([f"--exclude={','.join(exclude)}"] if exclude else []),
         "--wrap", script])
    number = outcome.tail[0].partition(";")[0] if outcome.tail else ""
    if outcome.status or not number.isdigit():
        why = next(iter(node.refused(work.store, work.check).values()), "")
        raise RunError(f"sbatch refused the array: {outcome.tail[-1] if outcome.tail else ''}"
                       + (f" ({why})" if why else ""))
    return number


async def _wait(array: str, work: Work, show: Callable[[Work, str], None]) -> None:
    """Return when the array has ended."""
    silent = 0
    while silent < _PATIENCE_POLLS:
        lines: list[str] = []
        outcome = await process.run(["squeue", "--noheader", f"--jobs={array}", "--array",
                                     "--format=%T %r"], on_line=lines.append)
        if any(_GONE in line for line in outcome.tail) or not (outcome.status or lines):
            work.look()
            return
        silent = silent + 1 if outcome.status else 0
        work.look()
        show(work, f"array {array}: {_states(lines)}" if lines else "Slurm does not answer")
        await asyncio.sleep(_POLL_SECONDS)
    raise RunError(f"Slurm no longer answers: {outcome.tail[-1] if outcome.tail else ''}")


def _states(lines: Sequence[str]) -> str:
    """How many tasks are in which state, and why they wait, as in '2 running, 9 pending'."""
    counts = collections.Counter(line.removesuffix(" None").lower() for line in lines)
    return ", ".join(f"{number} {state}" for state, number in counts.most_common())


def _insist_on_tasks(work: Work) -> None:
    """Raise RunError if not one task left so much as a failure: others would not either."""
    if any(work.store.failure(key) for key in work.pending):
        return
    logs = [log.read_text("utf-8", "replace").splitlines()[-process.TAIL_LINES:]
            for log in sorted(work.store.logs.iterdir())]
    for lines in logs:
        if any(line.startswith("stopped: ") for line in lines):
            raise RunError(worker.reason(lines))
    raise RunError("no task of Slurm's array left a result; the end of the log of one:",
                   next((lines for lines in logs if lines), ["(there is no log)"]))
