# SPDX-License-Identifier: MIT
"""valgrind's cachegrind: how it is called, and what its file says of the heap's own functions.

The simulated cache is the same wherever the lab runs, whatever cache that processor has: 32 KiB
of first level, 8 ways, lines of 64 bytes; 1 MiB of last level. So is the predictor of branches, one
of 16 K counters of two bits, by address and what the last branches did (Valgrind's manual, 5.2.2).
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Callable, Iterable

from lab import process
from lab.errors import RunError

LINE_BYTES = 64
LEVEL_1_BYTES = 32 * 1024
_LAST_LEVEL_BYTES = 1024 * 1024

EVENTS = ("Ir", "Dr", "D1mr", "DLmr")
"""Instructions, data reads, and of these the misses in the first and in the last level."""

SIMULATED = {"mispredicted_branches": ("Bcm", "Bim"), "level_1_misses": ("D1mr", "D1mw")}
"""What a record has of a simulated processor, and of which events it is the sum. Loads and stores
alike miss the cache; jumps to where a register says are branches, too."""

# What looks at the heap from outside, and is no part of an allocation.
_ONLOOKER = re.compile(r"walk|check|visit|measure|init")


def obstacle() -> str:
    """Why cachegrind cannot be called, in a few words; empty if it can."""
    if shutil.which("valgrind") is None:
        return "valgrind, which is not installed: sudo apt-get install valgrind"
    if process.emulates_32_bit():
        return "a system that starts 32-bit programs itself, and here an emulator does"
    return ""


def command(output: Path, branches: bool = False) -> list[str]:
    """What to put in front of a command, to have its figures in `output`; of branches, too."""
    return ["valgrind", "--tool=cachegrind", "--cache-sim=yes", "--quiet",
            *(["--branch-sim=yes"] if branches else []),
            f"--I1={LEVEL_1_BYTES},8,{LINE_BYTES}", f"--D1={LEVEL_1_BYTES},8,{LINE_BYTES}",
            f"--LL={_LAST_LEVEL_BYTES},16,{LINE_BYTES}", f"--cachegrind-out-file={output}"]


def read(path: Path) -> dict[str, int]:
    """The events of all functions in mm/ that allocate and free, added up."""
    return _totals(path, EVENTS, lambda file, function: "/mm/" in file)


def read_simulated(path: Path, library: Path) -> dict[str, int]:
    """What SIMULATED names, of all functions in a library that allocate and free, added up."""
    listed = subprocess.run(["nm", "--defined-only", library], check=True, stdout=subprocess.PIPE,
                            text=True).stdout
    functions = set(re.findall(r"^\w+ [tT] (\S+)$", listed, re.MULTILINE))
    found = _totals(path, sorted({event for events in SIMULATED.values() for event in events}),
                    lambda file, function: function in functions)
    return {name: sum(found[event] for event in events) for name, events in SIMULATED.items()}


def _totals(path: Path, events: Iterable[str], counts: Callable[[str, str], bool]
            ) -> dict[str, int]:
    """The events of the functions, by file and name, that count and are no onlookers, added up.

    A file of cachegrind has lines `fl=FILE` and `fn=FUNCTION`, and below them lines of a line
    number and one count for each event that the line `events:` names.
    """
    totals = dict.fromkeys(events, 0)
    columns: list[str] = []
    file = ""
    counted = any_of_them = False
    for line in path.read_text("utf-8", "replace").splitlines():
        name, _, value = line.partition("=")
        if line.startswith("events: "):
            columns = line.split()[1:]
        elif name == "fl":
            file = value
        elif name == "fn":
            counted = counts(file, value) and not _ONLOOKER.search(value)
        elif counted and line[:1].isdigit():
            any_of_them = True
            found = dict(zip(columns, map(int, line.split()[1:])))
            for event in totals:
                totals[event] += found[event]
    if not any_of_them:
        raise RunError("cachegrind saw no function of the heap: were they built without -g?")
    return totals
