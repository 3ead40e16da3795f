# SPDX-License-Identifier: MIT
"""Synthetic workloads: traces that the kernel itself makes from a name and a seed.

docs/runner.md says what they do. They are made by the one generator in kernel/workload.c: the
lab asks a host program for the text, to know what a kernel will replay.
"""

from __future__ import annotations

import dataclasses
import re
import subprocess
from pathlib import Path
from typing import Optional, Sequence

from lab import results, trace
from lab.errors import InputError, RunError
from lab.trace import Trace

FORMS = ("churn-MIX[-PERCENT]", "fifo-MIX[-PERCENT]", "lifo-MIX[-PERCENT]", "ramp-MIX[-PERCENT]",
         "fill-MIX", "fixed-MIX-BLOCKS", "fixedfifo-MIX-BLOCKS", "fixedlifo-MIX-BLOCKS",
         "knuth-MIX-LIFETIME", "queue-MIX[-PERCENT]", "alloctest[-SLOTS]", "mstress[-BLOCKS]",
         "rptest[-SLOTS]", "holes-HOLES", "tlsf-TEST", "bestfit-SIZE-ROUNDS",
         "hoard-BLOCKS[-BYTES]", "robson-LOG2-UNITS")
"""What names look like; words in capitals but MIX and PERCENT are numbers above 0."""
MIXES = ("kernel", "small", "uniform", "power", "large", "words", "eight", "s1", "s2", "s3",
         "larson", "halving")
COMMON_MIXES = MIXES[:5]
LOADS = (50, 70, 85)
SEED_DEFAULT = 1

STANDARD = (*(f"churn-{mix}-{load}" for mix in COMMON_MIXES for load in LOADS),
            "fifo-kernel-50", "lifo-kernel-50", "ramp-kernel-50",
            *(f"fill-{mix}" for mix in COMMON_MIXES))
"""What a whole comparison replays."""

ALL, NONE = "all", "none"


def _pattern(form: str) -> str:
    """A regular expression for names of this form."""
    pattern = form.replace("[", "(?:").replace("]", ")?").replace("MIX", f"(?:{'|'.join(MIXES)})")
    return re.sub(r"[A-Z][A-Z0-9]+", r"0*[1-9]\\d{0,8}", pattern.replace("PERCENT", r"0*[1-9]\d?"))


_NAME = re.compile("|".join(map(_pattern, FORMS)), re.ASCII)


def is_name(text: str) -> bool:
    """Whether a kernel would know a workload of this name."""
    return _NAME.fullmatch(text) is not None


def chosen(text: str) -> list[str]:
    """The workloads that --workloads names.

    Raises InputError for a name that no kernel would know.
    """
    if text in (ALL, NONE):
        return list(STANDARD) if text == ALL else []
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if not _NAME.fullmatch(name):
            raise InputError(
                f"there is no workload {name!r}; there are: {', '.join(FORMS)}; MIX is one of:"
                f" {', '.join(MIXES)}; or {ALL}, or {NONE}")
    return list(dict.fromkeys(names))


def words(of: Trace) -> list[str]:
    """What a kernel is told, to replay this workload; nothing for a recorded trace."""
    return [] if of.seed is None else [f"workload={of.name}", f"seed={of.seed}"]


def make(names: Sequence[str], *, seed: int, heap_kib: int, operations_limit: Optional[int],
         program: Path, directory: Path) -> list[Trace]:
    """The workloads for a heap of `heap_kib`, as the host program `program` makes them.

    Their texts are kept in `directory`, under names that say what they are.
    """
    return [_make(name, seed, heap_kib, operations_limit, program, directory) for name in names]


def _make(name: str, seed: int, heap_kib: int, operations_limit: Optional[int], program: Path,
          directory: Path) -> Trace:
    command = [str(program), "run=print", f"workload={name}", f"seed={seed}", f"kib={heap_kib}"]
    if operations_limit:
        command.append(f"operations={operations_limit}")
    made = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          check=False)
    if made.returncode:
        raise RunError(f"{name}: the workload cannot be made: {made.stdout.strip()}"
                       f"{made.stderr.strip()}")
    path = directory / f"{name}-seed-{seed}-{heap_kib}-kib-{operations_limit or 'all'}.rep"
    results.write_files({path: made.stdout})
    return dataclasses.replace(trace.read(path, name), seed=seed)
