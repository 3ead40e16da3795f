# SPDX-License-Identifier: MIT
"""Whether a machine counts as the one that began the sweep did.

Counts are said not to depend on the machine. Each machine that does jobs shows it first: it boots
one small job, the check, and its record must equal, in every figure, that of the machine that
began. What was found is kept, until the machine is started again or gets another QEMU.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from pathlib import Path
from typing import Any, Iterator, Optional

from lab import qemu
from lab.errors import RunError
from lab.sweep import job as jobs
from lab.sweep.store import Store


class Refused(RunError):
    """This machine counts differently."""


def name() -> str:
    """What Slurm, or else the machine itself, calls this machine."""
    return os.environ.get("SLURMD_NODENAME") or platform.node()


def _identity(check: str) -> str:
    """Changes with anything that may change what this machine counts."""
    program = shutil.which(qemu.FIRMWARES["bios"].program) or ""
    stat = os.stat(program) if program else None
    boot = Path("/proc/sys/kernel/random/boot_id")
    parts = (name(), boot.read_text("ascii") if boot.exists() else "", program,
             (stat.st_size, stat.st_mtime_ns) if stat else None, check)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


async def insist(store: Store, check: str) -> None:
    """Raise Refused unless this machine answers the job `check` as its result says."""
    found = store.node(_identity(check))
    if found is None:
        answer = await jobs.perform(jobs.read(store)[check], store)
        found = {"node": name(), "check": check,
                 "refusal": _difference(answer, store.result(check))}
        store.write_node(_identity(check), found)
    if found["refusal"]:
        raise Refused(found["refusal"])


def _difference(answer: Any, due: Any) -> str:
    """Why an answer is not what is due, in one line; empty if it is."""
    for figure, is_, should_be in _differing(answer, due, ""):
        return f"{name()} counts differently: {figure} of the check is {is_}, not {should_be}"
    return ""


def _differing(answer: Any, due: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(answer, dict) and isinstance(due, dict):
        for key in sorted({*answer, *due}):
            yield from _differing(answer.get(key), due.get(key), f"{path}.{key}".lstrip("."))
    elif answer != due:
        yield path, answer, due


def refused(store: Store, check: Optional[str]) -> dict[str, str]:
    """The machines that were refused, and why."""
    return {found["node"]: found["refusal"] for found in store.nodes()
            if found["refusal"] and found["check"] == check}
