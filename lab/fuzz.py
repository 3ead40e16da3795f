# SPDX-License-Identifier: MIT
"""The fuzzers: `heaplab fuzz`, and the bounded run of each among Meson's tests.

    python3 -m lab.fuzz --program build/tests/fuzz/fuzz-heap-tlsf --operations 50000 --results DIR

runs one fuzzer on the committed inputs and on what it makes of them, always the same for the
same seed, until that many operations are done or something goes wrong. An operation is one call
of a heap, or one text or table that a parser reads.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Sequence

from lab import ROOT, process
from lab.errors import InputError, Interrupted, LabError
from lab.results import check_writable, made_directory

CORPORA = tuple(ROOT / "tests" / "fuzz" / name for name in ("seeds", "regressions"))
"""Inputs to start from, and inputs that once went wrong: a directory for each kind of fuzzer."""

PARSERS = ("trace", "boot-info")
HEAP_PREFIX = "heap-"

_INPUT_BYTES_MAX = {"heap": 1024, "trace": 1024, "boot-info": 4096}
_HANG_SECONDS = 60
_STALL_SECONDS = 600.0
_LOG = "log.txt"
_TELLING = ("ERROR: ", "SUMMARY: ", "runtime error: ", "it is not so that")


@dataclass(frozen=True)
class Fuzzer:
    """One fuzzer: `heap-<strategy>`, or the name of a parser."""

    name: str
    program: Path

    @property
    def kind(self) -> str:
        return "heap" if self.name.startswith(HEAP_PREFIX) else self.name

    @property
    def subject(self) -> str:
        """What it puts to the test."""
        return self.name.removeprefix(HEAP_PREFIX)


@dataclass(frozen=True)
class Finding:
    """How a fuzzer's run ended."""

    fuzzer: Fuzzer
    summary: str
    log: tuple[str, ...] = ()
    """What went wrong; empty if nothing did."""

    def __str__(self) -> str:
        return f"{self.fuzzer.subject}: {self.summary}"


class _Answer:
    """What a fuzzer says on standard output: progress, the end, or a story that goes wrong."""

    def __init__(self, on_progress: Callable[[float], None]) -> None:
        self._on_progress = on_progress
        self.done = ""
        self.story: list[str] = []

    def line(self, text: str) -> None:
        """Take the next line."""
        word, _, rest = text.partition(": ")
        if word == "progress":
            done, _, total = rest.partition(" ")
            self._on_progress(int(done) / max(1, int(total)))
        elif word == "done":
            self.done = rest
        else:
            self.story.append(text)


def _command(fuzzer: Fuzzer, operations: int, seed: int) -> list[str]:
    inputs = sorted(path for corpus in CORPORA if (corpus / fuzzer.kind).is_dir()
                    for path in (corpus / fuzzer.kind).iterdir())
    return ["/bin/sh", "-c", f'exec "$0" "$@" 2>{_LOG}', str(fuzzer.program.absolute()),
            f"--operations={operations}", f"-seed={seed}", "-len_control=0",
            f"-max_len={_INPUT_BYTES_MAX[fuzzer.kind]}", f"-timeout={_HANG_SECONDS}",
            "-artifact_prefix=./", f"-seed_inputs={','.join(map(str, inputs))}"]


def _inputs(results: Path) -> set[tuple[Path, int]]:
    """What fuzzers left there of inputs that went wrong, and when they did."""
    return {(path, path.stat().st_mtime_ns) for path in results.iterdir()
            if path.name.startswith(("crash-", "timeout-", "oom-", "leak-"))}


def _what_went_wrong(fuzzer: Fuzzer, answer: _Answer, outcome: process.Outcome,
                     results: Path, earlier: set[tuple[Path, int]]) -> tuple[str, ...]:
    """The story of the calls, the sanitizer's words, and where the input is."""
    log = (results / _LOG).read_text("utf-8", "replace").splitlines()
    said = [line.strip() for line in log if any(word in line for word in _TELLING)]
    again = [f"to see it again: FUZZ_TELL=1 {fuzzer.program} {path}"
             for path, _ in sorted(_inputs(results) - earlier)]
    return (*answer.story, *said, *([outcome.stopped] if outcome.stopped else []),
            f"the whole log: {results / _LOG}", *again)


async def fuzz(fuzzer: Fuzzer, operations: int, seed: int, results: Path,
               on_progress: Callable[[float], None] = lambda fraction: None) -> Finding:
    """Run one fuzzer; what it leaves behind, inputs and a log, goes to `results`."""
    made_directory(results)
    check_writable([results / _LOG])
    earlier = _inputs(results)
    clock = process.Clock(None, _STALL_SECONDS)

    def progress(fraction: float) -> None:
        clock.renew()
        on_progress(fraction)

    answer = _Answer(progress)
    started = time.monotonic()
    outcome = await process.run(_command(fuzzer, operations, seed), on_line=answer.line,
                                clock=clock, cwd=results)
    if answer.done and not outcome.status:
        return Finding(fuzzer, f"{answer.done}, nothing wrong, {time.monotonic() - started:.0f} s")
    return Finding(fuzzer, f"wrong, with seed {seed}:",
                   _what_went_wrong(fuzzer, answer, outcome, results, earlier))


def chosen(names: Sequence[str], strategies: Sequence[str]) -> list[str]:
    """The fuzzers that `names` ask for; all if there are none.

    Raises InputError for a name that is neither a strategy nor a parser.
    """
    for name in names:
        if name not in strategies and name not in PARSERS:
            raise InputError(f"there is nothing called {name!r} to fuzz; choose from:"
                             f" {', '.join((*strategies, *PARSERS))}")
    return [name if name in PARSERS else f"{HEAP_PREFIX}{name}"
            for name in dict.fromkeys(names or (*strategies, *PARSERS))]


def run(fuzzers: Sequence[Fuzzer], operations: int, seed: int, workers: int,
        results: Path) -> list[Finding]:
    """Run all fuzzers, so many at a time, and show how far they are.

    What was found until an interruption is told.
    """
    from rich.console import Console

    from lab.progress import Board
    from lab.schedule import Job, Plan, carry_out
    jobs = {Job("fuzzing", one.subject, "made-up input", operations): one for one in fuzzers}
    plan = Plan(jobs)
    findings: list[Finding] = []

    async def perform(job: Job) -> None:
        findings.append(await fuzz(jobs[job], operations, seed, results / jobs[job].subject,
                                   lambda fraction: plan.advance(job, fraction)))

    try:
        with Board(Console(stderr=True), workers) as board:
            process.wait_for(carry_out(plan, workers, perform, board))
    except Interrupted as stop:
        report(findings)
        stop.left = f"logs, and inputs that went wrong, are in {results}"
        raise
    return findings


def report(findings: Sequence[Finding]) -> int:
    """Print how each run ended; the exit status."""
    for finding in findings:
        print(finding)
        for line in finding.log:
            print(f"    {line}")
    return 1 if any(finding.log for finding in findings) else 0


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the one fuzzer that the command line names."""
    parser = argparse.ArgumentParser(prog="lab.fuzz", description="Run one fuzzer.")
    parser.add_argument("--program", type=Path, required=True, metavar="FILE")
    parser.add_argument("--operations", type=int, required=True, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--results", type=Path, required=True, metavar="DIR",
                        help="where the log goes, and inputs that go wrong")
    options = parser.parse_args(argv)
    fuzzer = Fuzzer(options.program.name.removeprefix("fuzz-"), options.program)
    try:
        return report([process.wait_for(
            fuzz(fuzzer, options.operations, options.seed, options.results))])
    except LabError as error:
        print(f"lab.fuzz: error: {error.message}", file=sys.stderr)
        return error.status
    except Interrupted as stop:
        return stop.status


if __name__ == "__main__":
    sys.exit(main())
