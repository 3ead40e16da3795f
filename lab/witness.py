# SPDX-License-Identifier: MIT
"""The programs that put a strategy to the test, and what they say of one that is wrong.

They are called witnesses here, for what is wanted of them is more than a verdict: which test
fails, in which words, and after how many calls of the heap.
"""

from __future__ import annotations

import contextlib
import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence

from lab import build, process

ENVIRONMENT = {"CMOCKA_MESSAGE_OUTPUT": "TAP", "ASAN_OPTIONS": "detect_leaks=0"}
"""What its environment tells a test: to speak TAP; what it holds when it ends is no leak."""
_PATIENCE = 20.0
"""How many times its processor time a program may take on a machine that has much to do."""

_FAILED = re.compile(r"not ok \d+ - (\S+)")
_BAILED = re.compile(r"Bail out! (\S+): (.*)")
_STRAY = re.compile(r" goes wrong on a heap of .*, after (\d+) calls?:")
_NOISE = re.compile(r"# (?:\S+:\d+: error: Failure!|seed=\d+|not ok .*|\d+ of \d+ failed)")
_ADDRESS = re.compile(r"0x[0-9a-f]+")
_PLACE = re.compile(r"\S*/(?=(?:mm|tests)/)|\(/\S*\+ADDRESS\) | \.\./\S*(?= in )")
_PROBED = "that shows when wrong addresses are offered, and then all blocks freed: "
"""When, not what."""
_CALLS = re.compile(r"call (\d+):")


@dataclass(frozen=True)
class Witness:
    """A program, and how it is asked about a strategy."""

    name: str
    """What Meson calls the test."""
    program: str
    """Its file in the build directory."""
    arguments: tuple[str, ...] = ()

    @property
    def is_sanitized(self) -> bool:
        """Whether the build makes it with sanitizers."""
        return self.program.startswith("tests/")


@dataclass(frozen=True)
class Catch:
    """A test that a strategy does not pass."""

    test: str
    message: str
    calls: Optional[int] = None
    """Of the heap, made until then; None if the test does not count them."""


def of_strategy(name: str) -> tuple[Witness, ...]:
    """Who can tell whether a strategy is right, the quickest first."""
    return (Witness(f"strategy-{name}", "tests/strategies-test", (name,)),
            Witness(f"exhaustive-{name}", f"tests/exhaustive-{name}"),
            of_front_door(name))


def of_front_door(name: str, level: str = "") -> Witness:
    """Who can tell whether a strategy serves the kernel, at a hardening level."""
    program = f"host-{name}" + (f"-{level}" if level else "")
    return Witness(program, f"arch/host/{program}", ("run=tests",))


def of_cases(name: str, folder: str = "") -> Witness:
    """A program of cases in tests/, or in a folder there, that wants no arguments."""
    return Witness(name, f"tests/{folder}/{name}" if folder else f"tests/{name}")


def of_hammer(name: str, locking: str) -> Witness:
    """Threads that hammer a heap with locks, for a part of a second."""
    program = f"host-{name}-{locking}"
    return Witness(program, f"arch/host/{program}",
                   ("run=hammer", "workload=own", "processors=2", "operations=3000"))


@dataclass(frozen=True)
class Testimony:
    """What a witness said."""

    catches: tuple[Catch, ...]
    """Every test that failed."""
    lines: tuple[str, ...]
    seconds: float


class _Listener:
    """Understands what a witness says, line by line: TAP, or the story of an exhaustive test."""

    def __init__(self, witness: Witness) -> None:
        self._name = witness.name
        self._test = ""
        """That failed, and of which something may still be said."""
        self._said: list[str] = []
        self._fault = ""
        self._calls: Optional[int] = None
        self.catches: list[Catch] = []

    def hear(self, line: str) -> None:
        """Take the next line."""
        if match := _FAILED.match(line):
            self._end_test()
            self._test = f"{self._name}: {match[1]}"
        elif match := _BAILED.match(line):
            self._end_test()
            self._add(f"{self._name}: {match[1]}", match[2] + self._fault)
        elif match := _STRAY.search(line):
            self._calls = int(match[1])
        elif line.startswith("     wrong: "):
            wrong = line.removeprefix("     wrong: ").removeprefix(_PROBED)
            self._add(self._name, wrong + self._fault, self._calls)
        elif line.startswith("ERROR: "):
            self._end_test()
            self._said.append(line.removeprefix("ERROR: "))
        elif line.startswith("error: "):
            self._add(self._name, line.removeprefix("error: "))
        elif line.startswith("ok "):
            self._end_test()
        elif line.startswith("SUMMARY: "):
            self._fault = f" ({line.removeprefix('SUMMARY: ')})"
        elif line.startswith("# ") and not _NOISE.fullmatch(line):
            self._said.append(line[2:])

    def end(self, outcome: process.Outcome) -> None:
        """It says no more."""
        self._end_test()
        if outcome.status and not self.catches:
            hangs = outcome.stopped or outcome.status in (-signal.SIGXCPU, -signal.SIGKILL)
            self._add(self._name, "it does not come back" if hangs else
                      f"it ends with status {outcome.status}" + self._fault)

    def _end_test(self) -> None:
        if self._test:
            said = self._said[0] if self._said else ""
            calls = _CALLS.search(said)
            self._add(self._test, said or "it fails", int(calls[1]) if calls else None)
            self._test = ""
            self._said = []

    def _add(self, test: str, message: str, calls: Optional[int] = None) -> None:
        message = _PLACE.sub("", _ADDRESS.sub("ADDRESS", message))
        self.catches.append(Catch(test, message, calls))


class _Enough(Exception):
    """One catch was wanted, and there it is."""


async def ask(witness: Witness, program: Path, place: Path, cpu_seconds: int,
              one_is_enough: bool = False) -> Testimony:
    """Run a witness's program, in the directory `place`, for so long at most.

    With `one_is_enough` the program is ended when the first test has failed.
    """
    listener = _Listener(witness)
    lines: list[str] = []
    started = time.monotonic()

    def on_line(line: str) -> None:
        lines.append(line)
        listener.hear(line)
        if one_is_enough and listener.catches:
            raise _Enough

    with contextlib.suppress(_Enough):
        listener.end(await process.run(
            ["/bin/sh", "-c", 'exec "$0" "$@" 2>&1', str(program), *witness.arguments],
            on_line=on_line, cpu_seconds=cpu_seconds, cwd=place,
            clock=process.Clock(_PATIENCE * cpu_seconds, None),
            env={**build.environment(), **ENVIRONMENT}))
    return Testimony(tuple(listener.catches), tuple(lines), time.monotonic() - started)


def programs(witnesses: Sequence[Witness]) -> list[str]:
    """The files of their programs, by name."""
    return sorted({Path(witness.program).name for witness in witnesses})
