# SPDX-License-Identifier: MIT
"""`heaplab misuse`: what becomes of every sin, at every hardening level, with every strategy.

Each strategy and level has a Linux program of the kernel's own code; it commits one sin after the
other, each in a process of its own, and says what became of it (docs/runner.md). Here the answers
are put side by side, shown, and held against the committed table, cell by cell and word by word.

    python3 -m lab.misuse --programs build/arch/host --configured check bitmap tlsf

does the same with programs that are built already; that is what `meson test` calls.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable, Iterator, Mapping, Optional, Sequence

from lab import ROOT, build, results
from lab.errors import InputError, LabError, RunError
from lab.heaps import LEVELS
from lab.options import cores

TABLE = ROOT / "tests" / "misuse.txt"
DOCUMENT = ROOT / "docs" / "misuse.md"

HEAP_KIB_BUILT = 1024
HEAP_KIB = 64
"""The heap that sins are committed in: a small one is quickly walked."""

MARKS = {"at-once": "●", "later": "◐", "filler": "○", "refused": "−", "missed": "·",
         "damaged": "!", "crashed": "x", "hung": "∞", "no-occasion": ""}

RUIN = frozenset({"damaged", "crashed", "hung"})
"""What a heap that was not hardened comes to; which of them may differ between compilers."""

_DEED = re.compile(r"# (\S+): the caller (.*)")
_LINE = re.compile(r"sin: (\S+) ([a-z-]+)(?:: (.*))?")
_PLACE = re.compile(r"(?ms)^(<!-- sins -->)\n.*?^(<!-- end of sins -->)$")
_ADDRESS = re.compile(r"0x[0-9a-f]{8}")
_GROUP = re.compile(r"  ([a-z-]+)(?:\+([a-z]+))? ([a-z0-9,-]+)(?:: (.*))?")
_TIME_LIMIT_SECONDS = 300


@dataclass(frozen=True)
class Cell:
    """One sin, at one level, with one strategy."""

    level: str
    sin: str
    strategy: str

    def __str__(self) -> str:
        return f"{self.sin} with {self.strategy}, hardening {self.level}"


@dataclass(frozen=True)
class Finding:
    """What became of a sin: first this, and perhaps a crash afterwards."""

    outcome: str
    text: str = ""
    """What the heap said of it, addresses left out."""
    then: str = ""

    def __str__(self) -> str:
        return self.outcome + (f" then-{self.then}" if self.then else "") + \
            (f": {self.text}" if self.text else "")

    @property
    def mark(self) -> str:
        """For a table of narrow columns."""
        return MARKS[self.outcome] + (MARKS[self.then] if self.then else "")

    def agrees_with(self, other: Finding) -> bool:
        """Whether it is the same, but for the way in which a heap is ruined."""
        return self == other or (self.outcome in RUIN and other.outcome in RUIN) or \
            ((self.outcome, self.text) == (other.outcome, other.text)
             and bool(self.then) == bool(other.then))


Table = dict[Cell, Finding]


def _strategies(table: Table) -> list[str]:
    return list(dict.fromkeys(cell.strategy for cell in table))


def _sins(table: Table) -> list[tuple[str, str]]:
    """All levels and sins."""
    return list(dict.fromkeys((cell.level, cell.sin) for cell in table))


def findings(said: Iterable[str], level: str, strategy: str) -> Iterator[tuple[Cell, Finding]]:
    """What a program said became of each sin.

    Raises RunError for a line that makes no sense.
    """
    found: Table = {}
    for line in (line for line in said if not line.startswith("#")):
        match = _LINE.fullmatch(line)
        if not match or match[2] not in MARKS:
            raise RunError(f"{strategy}, hardening {level}: cannot be understood: {line!r}")
        cell = Cell(level, match[1], strategy)
        if cell in found:
            first = found[cell]
            found[cell] = Finding(first.outcome, first.text, match[2])
        else:
            found[cell] = Finding(match[2], _ADDRESS.sub("ADDRESS", match[3] or ""))
    yield from found.items()


def deeds(program: Path) -> dict[str, str]:
    """What the caller does, for each sin."""
    return {match[1]: match[2] for match in map(_DEED.fullmatch, _said(program)) if match}


def commit(program: Path, level: str, strategy: str) -> Table:
    """Run one program. Raises RunError unless it says what became of its sins."""
    return dict(findings(_said(program), level, strategy))


def _said(program: Path) -> list[str]:
    try:
        done = subprocess.run([program, "run=misuse", f"kib={HEAP_KIB}"], capture_output=True,
                              text=True, errors="replace", timeout=_TIME_LIMIT_SECONDS,
                              check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RunError(f"{program} cannot be run: {error}") from error
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise RunError(f"{program} ended with status {done.returncode}", lines[-20:])
    return lines


def commit_all(programs: Mapping[tuple[str, str], Path]) -> Table:
    """Run the programs, given by level and strategy, as many at a time as there are cores."""
    table: Table = {}
    with ThreadPoolExecutor(cores()) as pool:
        for part in pool.map(lambda item: commit(item[1], *item[0]), programs.items()):
            table |= part
    return table


# --- the committed table ------------------------------------------------------------------------

def as_text(table: Table) -> str:
    """The table as it is committed: strategies with the same finding on one line."""
    lines = ["# What becomes of each sin: outcome, the strategies it holds for, and what is said.",
             "# Written by './heaplab misuse --update', verified by './heaplab test misuse'.",
             f"strategies {','.join(_strategies(table))}"]
    for level, sin in _sins(table):
        lines += ["", f"{level} {sin}"]
        groups: dict[Finding, list[str]] = {}
        for strategy in _strategies(table):
            groups.setdefault(table[Cell(level, sin, strategy)], []).append(strategy)
        lines += [f"  {finding.outcome}{'+' * bool(finding.then)}{finding.then}"
                  f" {','.join(strategies)}{': ' * bool(finding.text)}{finding.text}"
                  for finding, strategies in groups.items()]
    return "\n".join(lines) + "\n"


def from_text(text: str, name: str = TABLE.name) -> Table:
    """Read a committed table. Raises InputError with the line that is wrong."""
    table: Table = {}
    level = sin = ""
    order: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        match = _GROUP.fullmatch(line)
        if match and match[1] in MARKS and sin:
            finding = Finding(match[1], match[4] or "", match[2] or "")
            table |= {Cell(level, sin, strategy): finding for strategy in match[3].split(",")}
        elif line.startswith("strategies "):
            order = line.partition(" ")[2].split(",")
        elif line.partition(" ")[0] in LEVELS:
            level, _, sin = line.partition(" ")
        elif line and not line.startswith("#"):
            raise InputError(f"{name}, line {number}: cannot be understood: {line}")
    cells = [Cell(level, sin, strategy) for level, sin in _sins(table) for strategy in order]
    if missing := [cell for cell in cells if cell not in table]:
        raise InputError(f"{name}: there is nothing on {missing[0]}")
    return {cell: table[cell] for cell in cells}


def _by_all(expected: Table) -> dict[tuple[str, str], str]:
    """The outcomes on which all strategies agree, by level and sin: a new one must, too."""
    outcomes: dict[tuple[str, str], set[str]] = {}
    for cell, finding in expected.items():
        outcomes.setdefault((cell.level, cell.sin), set()).add(finding.outcome)
    return {place: outcome for place, (outcome, *others) in outcomes.items() if not others}


def differences(found: Table, expected: Table) -> list[str]:
    """What in `found` is not as `expected`, in words.

    A strategy that the table does not know must come out as all others do, where they agree.
    """
    known = {cell.strategy for cell in expected}
    strategies = {cell.strategy for cell in found}
    agreed = _by_all(expected)
    wrong = [f"{cell}: expected '{finding}', but it was not tried"
             for cell, finding in expected.items()
             if cell.strategy in strategies and cell not in found]
    for cell, finding in found.items():
        if cell in expected:
            if not finding.agrees_with(expected[cell]):
                wrong.append(f"{cell}: expected '{expected[cell]}', found '{finding}'")
        elif cell.strategy in known:
            wrong.append(f"{cell}: found '{finding}', but the table does not have it")
        elif finding.outcome != (due := agreed.get((cell.level, cell.sin), finding.outcome)):
            wrong.append(f"{cell}: every other strategy has '{due}', found '{finding}'")
    return wrong


# --- for people -----------------------------------------------------------------------------------

def as_markdown(table: Table) -> str:
    """One table of marks for each level."""
    strategies = _strategies(table)
    lines: list[str] = []
    for level in dict.fromkeys(cell.level for cell in table):
        lines += [f"**hardening {level}**", "", f"| sin | {' | '.join(strategies)} |",
                  "|---|" + ":-:|" * len(strategies)]
        for sin in dict.fromkeys(sin for at, sin in _sins(table) if at == level):
            marks = (table[Cell(level, sin, strategy)].mark for strategy in strategies)
            lines.append(f"| {sin} | {' | '.join(marks)} |")
        lines.append("")
    return "\n".join(lines)


def _list_of(what: Mapping[str, str]) -> str:
    lines = [f"| {sin} | {deed} |" for sin, deed in what.items()]
    return "\n".join(["| sin | the caller |", "|---|---|", *lines, ""])


def placed(document: str, table: Table, what: Mapping[str, str]) -> str:
    """The text of a document with the list of sins and the tables of marks in their place."""
    shown = f"{_list_of(what)}\n{as_markdown(table)}"
    text, count = _PLACE.subn(lambda found: f"{found[1]}\n{shown}{found[2]}", document)
    if count != 1:
        raise InputError("the document has no place for the table: '<!-- sins -->' on a line,"
                         " '<!-- end of sins -->' on a later one")
    return text


def summary(table: Table) -> str:
    """How many cells there are of each outcome, by level."""
    lines = []
    for level in dict.fromkeys(cell.level for cell in table):
        outcomes = [finding.outcome for cell, finding in table.items() if cell.level == level]
        counts = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in MARKS
                           if outcome in outcomes)
        lines.append(f"{level:8} {counts}")
    return "\n".join(lines)


def update(table: Table, what: Mapping[str, str], path: Path = TABLE,
           document: Path = DOCUMENT) -> None:
    """Write the committed table, and its tables of marks into the document."""
    results.write_files({path: as_text(table),
                         document: placed(document.read_text("utf-8"), table, what)})


def verify(table: Table, what: Mapping[str, str], path: Path = TABLE,
           document: Path = DOCUMENT) -> None:
    """Raise RunError, with all that differs, unless all is as committed."""
    expected = from_text(path.read_text("utf-8"), path.name)
    wrong = differences(table, expected)
    text = document.read_text("utf-8")
    if placed(text, expected, what) != text:
        wrong.append(f"{document.name} does not show the table of {path.name}")
    if wrong:
        raise RunError(f"not all is as in {path.name}; after a change that is meant,"
                       f" './heaplab misuse --update' writes it anew ({len(wrong)} differences):",
                       wrong)


def programs_in(directory: Path, strategies: Sequence[str], levels: Sequence[str],
                configured: str) -> dict[tuple[str, str], Path]:
    """The programs of a build whose hardening is `configured`, by level and strategy."""
    def name(level: str, strategy: str) -> str:
        return f"host-{strategy}" + ("" if level == configured else f"-{level}")
    return {(level, strategy): directory / name(level, strategy)
            for level in levels for strategy in strategies}


def run(strategies: Sequence[str], is_update: bool,
        say: Callable[[str], None] = print) -> int:
    """Build what is needed, commit all sins, and verify the committed table or write it."""
    programs = build.Build(HEAP_KIB_BUILT)
    wanted = programs_in(Path(), strategies, LEVELS, programs.hardening)
    programs.prepare([path.name for path in wanted.values()], say)
    table = commit_all({place: programs.program(path.name) for place, path in wanted.items()})
    what = deeds(programs.program(f"host-{strategies[0]}"))
    say(summary(table))
    if is_update:
        update(table, what)
        say(f"{TABLE.relative_to(ROOT)} and {DOCUMENT.relative_to(ROOT)} written")
    else:
        verify(table, what)
        say(f"all {len(table)} cells are as in {TABLE.relative_to(ROOT)}")
    return 0


def main(argv: Optional[Sequence[str]] = None,
         say: Callable[[str], None] = print) -> int:
    """Hold the programs of a build against the committed table."""
    parser = argparse.ArgumentParser(prog="lab.misuse", description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=Path, required=True, metavar="DIRECTORY")
    parser.add_argument("--configured", choices=LEVELS, required=True,
                        help="the hardening that the build is configured for")
    parser.add_argument("strategies", nargs="+", metavar="STRATEGY")
    options = parser.parse_args(argv)
    try:
        table = commit_all(programs_in(options.programs, options.strategies, LEVELS,
                                       options.configured))
        say(summary(table))
        verify(table, deeds(options.programs / f"host-{options.strategies[0]}"))
    except LabError as error:
        say(f"error: {error.message}")
        for line in error.log:
            say(f"    {line}")
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
