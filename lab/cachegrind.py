# SPDX-License-Identifier: MIT
"""valgrind's cachegrind: how it is called, and what its file says of the heap's own functions.

The simulated cache is the same wherever the lab runs, whatever cache that processor has: 32 KiB
of first level, 8 ways, lines of 64 bytes; 1 MiB of last level.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from lab.errors import RunError

LINE_BYTES = 64
LEVEL_1_BYTES = 32 * 1024
_LAST_LEVEL_BYTES = 1024 * 1024

EVENTS = ("Ir", "Dr", "D1mr", "DLmr")
"""Instructions, data reads, and of these the misses in the first and in the last level."""

# What looks at the heap from outside, and is no part of an allocation.
_ONLOOKER = re.compile(r"walk|check|visit|measure|init")


def is_there() -> bool:
    """Whether cachegrind can be called."""
    return shutil.which("valgrind") is not None


def command(output: Path) -> list[str]:
    """What to put in front of a command, to have its figures in `output`."""
    return ["valgrind", "--tool=cachegrind", "--cache-sim=yes", "--quiet",
            f"--I1={LEVEL_1_BYTES},8,{LINE_BYTES}", f"--D1={LEVEL_1_BYTES},8,{LINE_BYTES}",
            f"--LL={_LAST_LEVEL_BYTES},16,{LINE_BYTES}", f"--cachegrind-out-file={output}"]


def read(path: Path) -> dict[str, int]:
    """The events of all functions in mm/ that allocate and free, added up.

    A file of cachegrind has lines `fl=FILE` and `fn=FUNCTION`, and below them lines of a line
    number and one count for each event that the line `events:` names.
    """
    totals = dict.fromkeys(EVENTS, 0)
    columns: list[str] = []
    file = ""
    counts = False
    for line in path.read_text("utf-8", "replace").splitlines():
        name, _, value = line.partition("=")
        if line.startswith("events: "):
            columns = line.split()[1:]
        elif name == "fl":
            file = value
        elif name == "fn":
            counts = "/mm/" in file and not _ONLOOKER.search(value)
        elif counts and line[:1].isdigit():
            found = dict(zip(columns, map(int, line.split()[1:])))
            for event in EVENTS:
                totals[event] += found[event]
    if not totals["Ir"]:
        raise RunError("cachegrind saw no function of the heap: were they built without -g?")
    return totals
