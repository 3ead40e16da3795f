# SPDX-License-Identifier: MIT
"""Whether a heap is correct: the project's tests, each a program that may do what it likes.

A program that faults, hangs or eats up a processor is an answer like another; none takes longer
than a limit of processor time, which does not depend on what else the machine has to do.
"""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Sequence

from lab import process, qemu
from lab.witness import ENVIRONMENT

CPU_SECONDS = 60
"""What a check may use of a processor; the slowest heap of the project needs a tenth."""
CASES_CPU_SECONDS = 5
"""The same of one that speaks TAP, and does not watch its heap by itself."""
STALL_SECONDS = 300.0
"""And how long it may stand still, should it use none."""

TRANSITIONS = 1_000_000
"""Calls that the exhaustive test makes from distinct states, at most."""
RANDOM_CALLS = 1_000_000

_TELLING = ("ERROR: ", "runtime error: ")
_STORY = re.compile(r"\S+ goes wrong on a heap of (\d+) \+ (\d+) bytes, after (\d+) calls?:")
_COVERED = re.compile(r"every sequence of up to (\d+) calls was tried: (\d+) sequences,"
                      r" (\d+) distinct states")
_RANDOM = re.compile(r".*: (\d+) random calls in (\d+) sequences, .*")
_SHORTENED = re.compile(r"shortened: (\d+) calls? to (\d+)")
_CASE = re.compile(r"(not )?ok \d+ - (\S+)")
_DONE = re.compile(r"progress: (\d+) (\d+)")
_TRANSITIONS = re.compile(r"^up to .* (\d+) transitions$")
_PLAN = re.compile(r"1\.\.(\d+)")
_BAIL_OUT = "Bail out! "


@dataclass(frozen=True)
class Story:
    """Calls that go wrong, as tests/story.h tells them."""

    map_bytes: int
    calls: int
    lines: tuple[str, ...]
    rep: Path


@dataclass(frozen=True)
class Finding:
    """What became of a check."""

    title: str
    is_right: bool
    summary: str
    details: tuple[str, ...] = ()
    story: Optional[Story] = None


@dataclass(frozen=True)
class Said:
    """All that a program said, and how it ended."""

    lines: tuple[str, ...]
    complaints: tuple[str, ...]
    """The telling lines of what it said on standard error."""
    outcome: process.Outcome
    cpu_seconds: int
    """What it was allowed to use of a processor."""

    @property
    def end(self) -> str:
        """How it ended, in words."""
        status = self.outcome.status
        if self.outcome.stopped:
            return self.outcome.stopped
        if status in (-signal.SIGXCPU, -signal.SIGKILL):
            return f"does not come back ({self.cpu_seconds} s of a processor's time)"
        panics = [line for line in self.lines if line.startswith("panic: ")]
        if self.complaints or panics:
            return (*self.complaints, *panics)[0]
        for line in self.lines:
            if line.startswith(_BAIL_OUT):
                return line.removeprefix(_BAIL_OUT)
        return f"ended by {signal.Signals(-status).name}" if status < 0 else f"status {status}"


@dataclass(frozen=True)
class Check:
    """One test of a heap."""

    title: str
    program: str
    """What the build calls it."""
    words: tuple[str, ...]
    judge: Callable[["Check", Said, Path], Finding]
    boots: bool = False
    cpu_seconds: int = CASES_CPU_SECONDS

    def rep(self, results: Path) -> Path:
        """Where it leaves the calls that go wrong."""
        return results / f"{self.program}.rep"


def _telling(log: Path) -> tuple[str, ...]:
    """What a sanitizer says in a word: "runtime error: ...", without addresses."""
    lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
    return tuple(re.sub(r"^==\d+==|( on address| at pc)? 0x[0-9a-f]+.*", "", line.strip())
                 .replace("../", "") for line in lines if any(word in line for word in _TELLING))


async def _boot(check: Check, program: Path, on_line: Callable[[str], None]) -> process.Outcome:
    machine = qemu.Machine(kernel=program, append=" ".join(check.words))
    outcome = await qemu.boot(machine, clock=process.Clock(None, STALL_SECONDS),
                              on_line=on_line, cpu_seconds=check.cpu_seconds)
    return outcome if outcome.status < 0 else process.Outcome(
        int(bool(qemu.verdict(outcome))), outcome.stopped, outcome.tail)


def _progress(lines: Sequence[str]) -> float:
    """How far a program is that has said this much; 0 if it does not tell."""
    if match := _DONE.fullmatch(lines[-1]):
        return int(match[1]) / int(match[2])
    if match := _TRANSITIONS.search(lines[-1]):
        return int(match[1]) / TRANSITIONS
    plans = [int(match[1]) for line in lines if (match := _PLAN.fullmatch(line))]
    return sum(bool(_CASE.match(line)) for line in lines) / max(1, plans[0]) if plans else 0.0


async def perform(check: Check, program: Path, results: Path,
                  on_progress: Callable[[float], None]) -> Finding:
    """Run one check; its log and its trace go to `results`."""
    lines: list[str] = []

    def on_line(line: str) -> None:
        lines.append(line)
        on_progress(_progress(lines))

    log = results / f"{check.program}.log"
    log.unlink(missing_ok=True)
    check.rep(results).unlink(missing_ok=True)
    words = [word.replace("{rep}", str(check.rep(results))) for word in check.words]
    if check.boots:
        outcome = await _boot(check, program, on_line)
    else:
        outcome = await process.run(
            ["/bin/sh", "-c", 'exec "$@" 2>"$0"', str(log), str(program), *words],
            on_line=on_line, clock=process.Clock(None, STALL_SECONDS),
            cpu_seconds=check.cpu_seconds, env={**os.environ, **ENVIRONMENT})
    return check.judge(check, Said(tuple(lines), _telling(log), outcome, check.cpu_seconds),
                       results)


def _story(check: Check, said: Said, results: Path) -> Optional[Story]:
    for place, line in enumerate(said.lines):
        if match := _STORY.fullmatch(line):
            told = tuple(line for line in said.lines[place + 1:] if line.startswith("  "))
            return Story(int(match[1]), int(match[3]), told, check.rep(results))
    return None


def _judge_sequences(check: Check, said: Said, results: Path) -> Finding:
    """Of the programs that tell stories."""
    text = "\n".join(said.lines)
    if not said.outcome.status and (match := _COVERED.search(text)):
        return Finding(check.title, True, f"all {int(match[2]):,} of up to {match[1]} calls:"
                       f" {int(match[3]):,} distinct states")
    if not said.outcome.status and (match := _RANDOM.search(text)):
        return Finding(check.title, True, f"{int(match[1]):,} calls in {int(match[2]):,} sequences")
    story = _story(check, said, results)
    if not story:
        errors = [line for line in said.lines if line.startswith("error: ")]
        return Finding(check.title, False, errors[0] if errors else said.end, said.complaints)
    shortened = _SHORTENED.search(text)
    return Finding(check.title, False, f"wrong after {story.calls} call{'s'[story.calls == 1:]}"
                   + (f" (it was {shortened[1]} before shortening)" if shortened else ""),
                   said.complaints, story)


def _messages(said: Said) -> tuple[str, ...]:
    """The names of the cases that failed, each with the first thing said of it.

    What cmocka's fail_msg() says goes to standard error, and "Failure!" stands for it.
    """
    told = []
    aside = iter(one.removeprefix("ERROR: ") for one in said.complaints
                 if one.startswith("ERROR: ") and "Sanitizer" not in one)
    for place, line in enumerate(said.lines):
        if not (match := _CASE.match(line)) or not match[1]:
            continue
        below = said.lines[place + 1:place + 2]
        why = below[0].lstrip("# ") if below and below[0].startswith("#") else ""
        told.append(f"{match[2]}: {next(aside, why) if why.endswith('Failure!') else why}")
    return tuple(told)


def _judge_cases(check: Check, said: Said, results: Path) -> Finding:
    """Of the programs that speak TAP."""
    del results
    cases = [match for line in said.lines if (match := _CASE.match(line))]
    plans = [int(match[1]) for line in said.lines if (match := _PLAN.fullmatch(line))]
    failed = [match[2] for match in cases if match[1]]
    if plans and len(cases) == plans[0] and not failed and not said.outcome.status:
        return Finding(check.title, True, f"{len(cases)} pass")
    number = f"{len(failed)} of {plans[0] if plans else '?'} fail" if failed else ""
    if plans and len(cases) < plans[0]:
        behind = f", after {cases[-1][2]}" if cases else ""
        number += ("; " if number else "") + said.end + behind
    return Finding(check.title, False, number or said.end, _messages(said))


def of(name: str) -> list[Check]:
    """All checks of a strategy: those first whose verdict says most."""
    return [
        Check("every short sequence of calls", f"exhaustive-{name}",
              (f"transitions={TRANSITIONS}", "rep={rep}"), _judge_sequences,
              cpu_seconds=CPU_SECONDS),
        Check("random calls, long sequences", f"stress-{name}",
              (f"calls={RANDOM_CALLS}", "rep={rep}"), _judge_sequences,
              cpu_seconds=CPU_SECONDS),
        Check("unit cases", f"cases-{name}", (name,), _judge_cases),
        Check("self-tests, as a Linux process", f"host-{name}-sanitized", ("run=tests",),
              _judge_cases),
        Check("self-tests, in the kernel", f"los-{name}.elf", ("run=tests",), _judge_cases,
              boots=True),
    ]
