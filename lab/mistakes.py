# SPDX-License-Identifier: MIT
"""`heaplab mistakes`: the gallery of classic mistakes, each made again, and each caught.

A mistake is a patch of one file of mm/, with a header that says what is wrong, where it is met,
what its author sees, and which test has to catch it in which words. Here it is applied, the tests
of its strategy are made anew with it, and what they say is held against the header.

    python3 -m lab.mistakes --build build bitmap tlsf

does so for these strategies with a build that is there; that is what `meson test` calls.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable, Optional, Sequence

from lab import ROOT, build, process, results, variant, witness
from lab.errors import InputError, RunError, status_of

GALLERY = ROOT / "tests" / "mistakes"
DOCUMENT = ROOT / "docs" / "mistakes.md"

CPU_SECONDS = 10
"""After which a test that a mistake keeps from coming back is ended."""

_FLAGS = ("-O1",)
_PLACE = re.compile(r"(?ms)^(<!-- mistakes -->)\n.*?^(<!-- end of mistakes -->)$")
_HUNK = re.compile(r"@@ .* @@.*")
_OF_ONE_RUN = re.compile(r"\d+ ms \| \d+")
"""Times are one machine's, and each new test may catch old mistakes, too."""


@dataclass(frozen=True)
class Expectation:
    """Who has to catch a mistake, and what has to be said of it."""

    test: str
    says: str

    def met_by(self, catch: witness.Catch) -> bool:
        """Whether this test failed, and said so."""
        return catch.test == self.test and self.says in catch.message


@dataclass(frozen=True)
class Mistake:
    """One entry of the gallery."""

    name: str
    title: str
    strategy: str
    file: str
    """That the mistake is made in, from the source tree's root."""
    expectations: tuple[Expectation, ...]
    prose: str
    diff: str

    def applied(self, text: str) -> str:
        """The file's text with the mistake.

        Raises RunError unless what a hunk replaces is there exactly once.
        """
        for old, new in _hunks(self.diff):
            if text.count(old) != 1:
                raise RunError(f"{self.name}.patch does not fit {self.file} any more: these lines"
                               f" are there {text.count(old)} times", old.splitlines())
            text = text.replace(old, new)
        return text


@dataclass(frozen=True)
class Case:
    """What became of a mistake."""

    mistake: Mistake
    testimonies: tuple[witness.Testimony, ...]

    @property
    def catches(self) -> list[witness.Catch]:
        """Every test that failed."""
        return [catch for testimony in self.testimonies for catch in testimony.catches]

    def first(self) -> tuple[Optional[witness.Catch], float]:
        """The catch that the mistake's header names first, and the seconds it took."""
        for testimony in self.testimonies:
            for catch in testimony.catches:
                if self.mistake.expectations[0].met_by(catch):
                    return catch, testimony.seconds
        return None, 0.0

    def complaints(self) -> list[str]:
        """What is not as the header says."""
        lines = []
        for wanted in self.mistake.expectations:
            if not any(map(wanted.met_by, self.catches)):
                said = [catch.message for catch in self.catches if catch.test == wanted.test]
                lines.append(f"{self.mistake.name}: {wanted.test} should say '{wanted.says}', but"
                             f" {'says: ' + said[0] if said else 'does not fail'}")
        return lines


def _hunks(diff: str) -> Iterable[tuple[str, str]]:
    """What is replaced, and by what."""
    old: list[str] = []
    new: list[str] = []
    for line in [*diff.splitlines(keepends=True)[2:], "@@ end @@"]:
        if _HUNK.match(line):
            if old:
                yield "".join(old), "".join(new)
            old, new = [], []
        if line.startswith((" ", "-")):
            old.append(line[1:])
        if line.startswith((" ", "+")):
            new.append(line[1:])


def read(path: Path) -> Mistake:
    """Read an entry. Raises InputError with what its header lacks."""
    header, _, diff = path.read_text("utf-8").partition("\n--- a/")
    fields, _, prose = header.partition("\n\n")
    values: dict[str, list[str]] = {}
    for line in fields.splitlines():
        name, _, value = line.partition(": ")
        values.setdefault(name, []).append(value)
    if missing := [name for name in ("Mistake", "Strategy", "Caught by", "Says")
                   if not all(values.get(name, [""]))]:
        raise InputError(f"{path.name}: its header has no '{missing[0]}: ...'")
    if len(values["Caught by"]) != len(values["Says"]) or not diff:
        raise InputError(f"{path.name}: each 'Caught by' needs a 'Says', and below is a patch")
    for word in ("Wrong: ", "Met in: ", "Seen: "):
        if f"\n\n{word}" not in f"\n\n{prose}":
            raise InputError(f"{path.name}: there is no paragraph '{word}...'")
    return Mistake(path.stem, values["Mistake"][0], values["Strategy"][0],
                   diff.partition("\n")[0],
                   tuple(map(Expectation, values["Caught by"], values["Says"])), prose.strip(),
                   f"--- a/{diff}")


def gallery(names: Sequence[str] = ()) -> list[Mistake]:
    """The entries of these names, or all. Raises InputError for a name that there is not."""
    paths = {path.stem: path for path in sorted(GALLERY.glob("*.patch"))}
    for name in names:
        if name not in paths:
            raise InputError(f"there is no mistake called {name!r}; choose from:"
                             f" {', '.join(paths)}")
    return [read(paths[name]) for name in (names or paths)]


def needed(entries: Sequence[Mistake]) -> list[str]:
    """The programs of the build that the entries are tried on."""
    return witness.programs([one for name in dict.fromkeys(entry.strategy for entry in entries)
                             for one in witness.of_strategy(name)])


async def commit(mistake: Mistake, recipes: variant.Recipes, strategies: Sequence[str]) -> Case:
    """Make the mistake, and ask every test that can see it."""
    text = mistake.applied((ROOT / mistake.file).read_text("utf-8"))
    testimonies: list[witness.Testimony] = []
    with tempfile.TemporaryDirectory(prefix="mistake-") as name:
        place = Path(name)
        tree = variant.Tree(recipes, place / "tree", mistake.file, mistake.strategy, strategies)
        tree.write(text)
        for one in witness.of_strategy(mistake.strategy):
            program = place / one.name
            if await variant.make(tree, recipes.directory, one.program, program, _FLAGS):
                testimonies.append(await witness.ask(one, program, place, CPU_SECONDS))
    return Case(mistake, tuple(testimonies))


def commit_all(entries: Sequence[Mistake], directory: Path, workers: int) -> list[Case]:
    """Make each mistake, so many at a time, with the programs of a build directory."""
    from rich.console import Console

    from lab.progress import Board
    from lab.schedule import Job, Plan, carry_out
    recipes = variant.Recipes(directory)
    strategies = build.strategies()
    jobs = {Job("a mistake", one.strategy, one.name, 1): one for one in entries}
    cases: dict[str, Case] = {}

    async def perform(job: Job) -> None:
        cases[job.trace] = await commit(jobs[job], recipes, strategies)

    with Board(Console(stderr=True), workers) as board:
        process.wait_for(carry_out(Plan(jobs), workers, perform, board))
    return [cases[one.name] for one in entries]


# --- for people -----------------------------------------------------------------------------------

def as_markdown(cases: Sequence[Case]) -> str:
    """A table: mistake, who caught it first, in which words, after how many calls and how long."""
    lines = ["| mistake | strategy | caught by | which says | calls | time | tests |",
             "|---|---|---|---|--:|--:|--:|"]
    for case in cases:
        mistake = case.mistake
        catch, seconds = case.first()
        calls = catch.calls if catch and catch.calls is not None else "–"
        lines.append(f"| [{mistake.title}](../tests/mistakes/{mistake.name}.patch) |"
                     f" {mistake.strategy} | `{mistake.expectations[0].test}` |"
                     f" {catch.message if catch else 'nothing'} | {calls} |"
                     f" {max(1, round(1000 * seconds))} ms | {len(case.catches)} |")
    return "\n".join(lines) + "\n"


def placed(document: str, cases: Sequence[Case]) -> str:
    """The text of a document with the table in its place."""
    table = as_markdown(cases)
    text, count = _PLACE.subn(lambda found: f"{found[1]}\n{table}{found[2]}", document)
    if count != 1:
        raise InputError("the document has no place for the table: '<!-- mistakes -->' on a line,"
                         " '<!-- end of mistakes -->' on a later one")
    return text


def _rows(document: str) -> list[str]:
    """The rows of the document's table, without what only the run that wrote it can say."""
    found = _PLACE.search(document)
    lines = document[found.start():found.end()].splitlines() if found else []
    return [_OF_ONE_RUN.sub("", line) for line in lines if line.startswith("| [")]


def differences(cases: Sequence[Case], document: Path = DOCUMENT) -> list[str]:
    """What is not as the headers of the mistakes say; then, what is not as the document says."""
    wrong = [line for case in cases for line in case.complaints()]
    if wrong:
        return wrong
    rows = _rows(document.read_text("utf-8"))
    now = [_OF_ONE_RUN.sub("", line) for line in as_markdown(cases).splitlines()[2:]]
    wrong = [f"{document.name} does not have: {line}" for line in now if line not in rows]
    if len(rows) != len(list(GALLERY.glob("*.patch"))):
        wrong.append(f"{document.name} has {len(rows)} mistakes, {GALLERY.name}/ has"
                     f" {len(list(GALLERY.glob('*.patch')))}")
    return wrong


def verify(cases: Sequence[Case]) -> None:
    """Raise RunError, with all that is wrong, unless each is caught as the gallery says."""
    if wrong := differences(cases):
        raise RunError("not every mistake is caught as the gallery says; after a change that is"
                       " meant, './heaplab mistakes --update' writes the document anew:", wrong)


def tell(case: Case, say: Callable[[str], None]) -> None:
    """Everything about one mistake: what it is, its patch, and what each test says."""
    mistake = case.mistake
    say(f"{mistake.name}: {mistake.title}\n\n{mistake.prose}\n\n{mistake.diff}")
    for testimony in case.testimonies:
        story = [line for line in testimony.lines if line.startswith(("  ", "up to")) or
                 " goes wrong on " in line]
        for catch in testimony.catches:
            say(f"{catch.test}: {catch.message}")
        if any("  1. " in line for line in story):
            say("\n".join(line for line in story if not line.startswith("up to")) + "\n")


def run(names: Sequence[str], is_update: bool, workers: int,
        say: Callable[[str], None] = print) -> int:
    """Build what is needed, make the mistakes, and verify the gallery or write its document."""
    entries = gallery(names)
    programs = build.Build(HEAP_KIB_BUILT, hardening="check")
    programs.prepare(needed(entries), say)
    cases = commit_all(entries, programs.directory, workers)
    if len(names) == 1:
        tell(cases[0], say)
    if is_update:
        results.write_files({DOCUMENT: placed(DOCUMENT.read_text("utf-8"), cases)})
        say(f"{DOCUMENT.relative_to(ROOT)} written")
    else:
        verify(cases)
    say(f"{len(cases)} mistake{'s' * (len(cases) != 1)} made, each caught by the test that"
        " should, and in its words")
    return 0


HEAP_KIB_BUILT = 1024
"""The size of heap that the programs are built for; the tests have heaps of their own."""


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Try the gallery on a build that is there."""
    parser = argparse.ArgumentParser(prog="lab.mistakes", description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True, metavar="DIRECTORY")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("strategies", nargs="+", metavar="STRATEGY", help="that it builds")
    options = parser.parse_args(argv)

    def work() -> int:
        entries = [one for one in gallery() if one.strategy in options.strategies]
        verify(commit_all(entries, options.build, options.jobs))
        print(f"{len(entries)} mistakes, each caught")
        return 0

    return status_of(work)


if __name__ == "__main__":
    sys.exit(main())
