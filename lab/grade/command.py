# SPDX-License-Identifier: MIT
"""`heaplab grade NAME`: builds, tries, measures, and shows."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Callable, Optional, Sequence

from rich.console import Console

from lab import compare, heaps, process, table, trace
from lab.build import Build, lab_root
from lab.errors import RunError
from lab.grade import checks, marks
from lab.grade.checks import Check, Finding, Story
from lab.grade.screen import Screen, first_story
from lab.progress import Board, duration
from lab.results import made_directory
from lab.schedule import Job, Plan, carry_out
from lab.table import WIDTH

HEAP_KIB = 1024
STALL_SECONDS = 60.0
"""How long a measured boot may come no further."""

_REPLAY_CPU_SECONDS = 3
"""Of a few calls on a tiny heap."""
_GUESSED_OPERATIONS = 100_000
"""By which a check's time is guessed (lab.schedule) until it has shown its pace."""

Say = Callable[[str], None]


def _compiler_errors(name: str, log: Sequence[str]) -> tuple[str, ...]:
    """What the compiler or the linker finds wrong with a strategy; nothing if it is another's."""
    own = re.compile(rf"(?:\.\./)*(mm/{re.escape(name)}\.c:\d+:.*error: .*)")
    found = [match[1] for line in log if (match := own.search(line))]
    symbol = f"heap_{name.replace('-', '_')}"
    found += [line.strip() for line in log
              if re.search(rf"undefined (?:symbol|reference).*\b{symbol}\b", line)]
    return tuple(dict.fromkeys(found))


def _build(name: str, tried: Sequence[Check], say: Say) -> tuple[Build, Optional[Finding]]:
    """Build the programs that try a strategy; a Finding if it does not compile.

    None of them is made from any other strategy.
    """
    built = Build(HEAP_KIB)
    try:
        built.prepare([*(check.program for check in tried), f"host-{name}"], say)
    except RunError as error:
        if errors := _compiler_errors(name, error.log):
            return built, Finding("compiles", False, "the compilers say:", errors)
        raise
    return built, None


def _check(tried: Sequence[Check], name: str, built: Build, results: Path, workers: int,
           console: Console) -> list[Finding]:
    """Run all checks, so many at a time, and show how far they are."""
    jobs = {Job("checking", name, check.title, _GUESSED_OPERATIONS): check for check in tried}
    plan = Plan(jobs)
    found: dict[str, Finding] = {}

    async def perform(job: Job) -> None:
        check = jobs[job]
        found[check.title] = await checks.perform(
            check, built.program(check.program), results,
            lambda fraction: plan.advance(job, fraction))
        console.print(f"heaplab: {check.title}: "
                      + ("right" if found[check.title].is_right else "WRONG"),
                      markup=False, highlight=False)

    with Board(console, workers) as board:
        process.wait_for(carry_out(plan, workers, perform, board))
    return [found[check.title] for check in tried]


def _replayed(host: Path, story: Story) -> str:
    """What a replay of the story's trace says in the end."""
    said: list[str] = []
    outcome = process.wait_for(process.run(
        [str(host), f"map_bytes={story.map_bytes}", "run=replay", str(story.rep)],
        on_line=said.append, clock=process.Clock(60.0, None), cpu_seconds=_REPLAY_CPU_SECONDS))
    error = next((line for line in said if line.startswith(("error: ", "panic: "))), "")
    if error or outcome.status:
        return error or checks.Said(tuple(said), (), outcome, _REPLAY_CPU_SECONDS).end
    return "nothing: a trace has no place for alignment or wrong addresses, and a replay looks" \
        " only at what its blocks hold and at check()"


def _measured(name: str, built: Build, full: bool, workers: int, console: Console,
              say: Say) -> list[marks.Row]:
    """A row of figures for the strategy, and one for each of the classics."""
    names = list(dict.fromkeys((name, *marks.CLASSICS)))
    built.prepare([program for one in names for program in (f"los-{one}.elf", f"host-{one}")], say)
    request = compare.Request(
        strategies=names, traces=trace.read_all(trace.shipped()), heap_kib=HEAP_KIB, samples=0,
        operations_limit=None if full else compare.QUICK_OPERATIONS, workers=workers,
        stall_seconds=STALL_SECONDS)
    directory = lab_root() / "traces"
    directory.mkdir(parents=True, exist_ok=True)
    measurement = compare.Measurement(request, {(heaps.OFF, heaps.NONE): built}, directory)
    with Board(console, workers) as board:
        process.wait_for(carry_out(measurement.plan, workers, measurement.perform, board))
    rows = {row["strategy"]: row for row in table.totals({
        "settings": {"strategies": names, "traces": [one.name for one in request.traces],
                     "workloads": [], "hardening": [heaps.OFF], "locking": [heaps.NONE]},
        "records": measurement.records()})}
    return [rows[name], *(rows[one] for one in marks.CLASSICS)]


def _note(full: bool) -> str:
    part = "all" if full else f"the first {compare.QUICK_OPERATIONS:,} operations"
    return (f"Measured over {part} of each recorded trace, {HEAP_KIB:,} KiB of heap, hardening"
            " off" + ("." if full else "; --full takes all."))


def run(name: str, results: Path, full: bool, workers: int) -> int:
    """Grade one strategy; the exit status is 0 iff it is correct."""
    started = time.monotonic()
    console = Console(stderr=True)
    screen = Screen(Console(file=sys.stdout, width=WIDTH))

    def say(text: str) -> None:
        console.print(f"heaplab: {text}", markup=False, highlight=False, soft_wrap=True)

    results = made_directory(results / name)
    tried = checks.of(name)
    built, failure = _build(name, tried, say)
    findings = [failure] if failure else [
        Finding("compiles", True, "for the kernel and for the tests"),
        *_check(tried, name, built, results.absolute(), workers, console)]
    is_correct = all(one.is_right for one in findings)
    rows = _measured(name, built, full, workers, console, say) if is_correct else []
    screen.verdict(name, is_correct)
    screen.findings(findings)
    if story := first_story(findings):
        host = built.program(f"host-{name}")
        screen.story(story, f"{_short(host)} map_bytes={story.map_bytes} run=replay"
                     f" {_short(story.rep)}", _replayed(host, story))
    if is_correct:
        screen.marks(rows, marks.marks(rows[0], rows[1:]), _note(full))
    else:
        screen.line()
        screen.line("No marks: they are for heaps that are correct (docs/grading.md).")
    say(f"done in {duration(time.monotonic() - started)}; logs are in {_short(results)}")
    return 0 if is_correct else 1


def _short(path: Path) -> str:
    """A path from here, where that is shorter."""
    path = path.absolute()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
