# SPDX-License-Identifier: MIT
"""`heaplab mutate`: small changes of a heap's code, and which of them no test notices.

Each mutant is compiled into the tests' programs and tried on the quickest test first, up to the
first that fails. What is compiled to the very code of the original is no mutant. Survivors are
tried again under the sanitizers. Those that survive that as well are explained in
tests/mutants.txt, one by one, or are a gap in the tests.

    python3 -m lab.mutate --build build --sample 2 bitmap tlsf

tries so many of each file's mutants with a build that is there; `meson test` does so.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import random
import re
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Callable, Iterable, Mapping, Optional, Sequence

from lab import ROOT, build, mutants, process, results, variant, witness
from lab.errors import InputError, status_of
from lab.mutants import Mutant

EXPLANATIONS = ROOT / "tests" / "mutants.txt"
DOCUMENT = ROOT / "docs" / "mutation.md"
KEPT = Path("heaplab-results/mutants.json")
"""What earlier runs found, so that the next goes on where one was interrupted."""

SAME, NO_CODE, SURVIVES = "same code", "no C", "survives"
"""Outcomes besides the name of the test that killed."""

_CPU_SECONDS = {"strategy": 3, "exhaustive": 9, "host": 2}
"""What a program may use; it is twice and more what the original uses, sanitized."""

_QUICK = ("-O1",)
_QUICK_DROPS = ("-fsanitize", "-fno-sanitize")
_SAMPLE_SHARE = 0.9
_SKIPPED = 77
_PLACE = re.compile(r"(?ms)^(<!-- mutants -->)\n.*?^(<!-- end of mutants -->)$")


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant."""

    key: str
    file: str
    kind: str
    outcome: str
    message: str = ""

    @property
    def counts(self) -> bool:
        """Whether it is a mutant at all."""
        return self.outcome not in (SAME, NO_CODE)

    @property
    def witness(self) -> str:
        """The program that killed it, without strategy and case."""
        return self.outcome.partition(":")[0].partition("-")[0]


class Bench:
    """Tries the mutants of one file, with one strategy that it belongs to, in one tree."""

    def __init__(self, recipes: variant.Recipes, place: Path, file: str, strategy: str,
                 strategies: Sequence[str]) -> None:
        self._recipes = recipes
        self._place = place
        self._strategy = strategy
        self._text = (ROOT / file).read_text("utf-8")
        self._tree = variant.Tree(recipes, place / "tree", file, strategy, strategies)
        self._original: Optional[list[bytes]] = None

    async def _is_the_same(self, text: str) -> bool:
        """Whether this text is compiled to the very code of the original."""
        program = witness.of_front_door(self._strategy).program
        if self._original is None:
            self._tree.write(self._text)
            self._original = await variant.compile_only(
                self._tree, self._recipes.directory, program, _QUICK, _QUICK_DROPS)
        self._tree.write(text)
        return self._original == await variant.compile_only(
            self._tree, self._recipes.directory, program, _QUICK, _QUICK_DROPS)

    async def _catch(self, one: witness.Witness,
                     dropped: Sequence[str]) -> Optional[witness.Catch]:
        program = self._place / one.name
        if not await variant.make(self._tree, self._recipes.directory, one.program, program,
                                  _QUICK, dropped):
            return None
        testimony = await witness.ask(one, program, self._place,
                                      _CPU_SECONDS[one.name.partition("-")[0]],
                                      one_is_enough=True)
        return testimony.catches[0] if testimony.catches else None

    async def attempt(self, mutant: Mutant) -> Verdict:
        """Whether a test kills it, and which."""
        def verdict(outcome: str, message: str = "") -> Verdict:
            return Verdict(mutant.key, mutant.file, mutant.kind, outcome, message)

        text = mutant.applied(self._text)
        self._tree.write(text)
        witnesses = witness.of_strategy(self._strategy)
        try:
            for one in witnesses:
                if catch := await self._catch(one, _QUICK_DROPS):
                    return verdict(catch.test, catch.message)
        except variant.CompileError:
            return verdict(NO_CODE)
        if await self._is_the_same(text):
            return verdict(SAME)
        for one in witnesses[:2]:
            if catch := await self._catch(one, ()):
                return verdict(catch.test, catch.message)
        return verdict(SURVIVES)


# --- which mutants, and what is known of them -----------------------------------------------------

def subjects(strategies: Sequence[str]) -> dict[str, list[str]]:
    """Each file of these strategies, and those that it belongs to."""
    files: dict[str, list[str]] = {}
    for strategy in strategies:
        for file in mutants.files_of(strategy):
            files.setdefault(file, []).append(strategy)
    return files


def chosen(file: str, strategy: str, sample: Optional[int], seed: int) -> list[Mutant]:
    """The file's mutants, or so many of them, always the same for the same seed and file."""
    every = mutants.of_file(file, f"mm/{strategy}.c")
    if sample is None or sample >= len(every):
        return every
    order = list(range(len(every)))
    random.Random(f"{seed} {file}").shuffle(order)  # a larger sample has all of a smaller one
    return [every[index] for index in sorted(order[:sample])]


def explanations(path: Path = EXPLANATIONS) -> dict[str, str]:
    """Why a mutant survives, by its key: a paragraph of keys, and below them the reason.

    Raises InputError for a paragraph without either.
    """
    reasons: dict[str, str] = {}
    for paragraph in path.read_text("utf-8").split("\n\n"):
        lines = [line for line in paragraph.splitlines() if not line.startswith("#")]
        keys = [line for line in lines if not line.startswith("    ")]
        reason = " ".join(line.strip() for line in lines if line.startswith("    "))
        if lines and not (keys and reason):
            raise InputError(f"{path.name}: keys without a reason, or the reverse: {lines[0]}")
        reasons |= dict.fromkeys(keys, reason)
    return reasons


class Ledger:
    """Verdicts kept in a file, each as long as the file that it is about stays the same."""

    def __init__(self, path: Optional[Path]) -> None:
        self._path = path
        self._verdicts: dict[str, dict[str, str]] = {}
        if path and path.exists():
            try:
                self._verdicts = json.loads(path.read_text("utf-8"))
            except ValueError as error:
                raise InputError(f"{path} is no list of verdicts: {error}; remove it") from error
        self._new = 0

    @staticmethod
    def _place(mutant: Mutant) -> str:
        text = (ROOT / mutant.file).read_bytes()
        return f"{hashlib.sha256(text).hexdigest()[:16]} {mutant.offset} {mutant.old} {mutant.new}"

    def find(self, mutant: Mutant) -> Optional[Verdict]:
        """What is known of a mutant."""
        known = self._verdicts.get(self._place(mutant))
        return Verdict(**{**known, "key": mutant.key}) if known else None

    def note(self, mutant: Mutant, verdict: Verdict) -> None:
        """Keep a verdict; written every now and then."""
        self._verdicts[self._place(mutant)] = asdict(verdict)
        self._new += 1
        if self._new % 20 == 0:
            self.write()

    def write(self) -> None:
        """Write all verdicts down."""
        if self._path:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            results.write_files({self._path: json.dumps(self._verdicts, indent=0) + "\n"})


def try_all(strategies: Sequence[str], directory: Path, sample: Optional[int], seed: int,
            workers: int, ledger: Ledger) -> list[Verdict]:
    """Try the mutants of every file of the strategies, with each that it belongs to in turn."""
    from rich.console import Console

    from lab.progress import Board
    from lab.schedule import Job, Plan, carry_out
    recipes = variant.Recipes(directory)
    known = build.strategies()
    verdicts: dict[tuple[str, int, str], Verdict] = {}
    work: dict[Job, tuple[list[Mutant], list[str]]] = {}
    for file, owners in subjects(strategies).items():
        every = chosen(file, owners[0], sample, seed)
        for first in range(0, len(every), _BATCH):
            batch = every[first:first + _BATCH]
            work[Job("mutants", f"{file} {first}", ",".join(owners), len(batch))] = batch, owners
    plan = Plan(work)

    async def perform(job: Job) -> None:
        batch, owners = work[job]
        left = []
        for mutant in batch:
            if verdict := ledger.find(mutant):
                verdicts[mutant.file, mutant.offset, mutant.new] = verdict
            else:
                left.append(mutant)
        for strategy in owners:
            left = await try_batch(left, strategy, job)

    async def try_batch(batch: list[Mutant], strategy: str, job: Job) -> list[Mutant]:
        """Returns: those that live, or are no code of this strategy's."""
        living: list[Mutant] = []
        if not batch:
            return living
        owners = work[job][1]
        with tempfile.TemporaryDirectory(prefix="mutants-") as name:
            bench = Bench(recipes, Path(name), batch[0].file, strategy, known)
            for number, mutant in enumerate(batch):
                verdict = await bench.attempt(mutant)
                before = verdicts.get((mutant.file, mutant.offset, mutant.new))
                if verdict.outcome == SAME and before:
                    verdict = before
                verdicts[mutant.file, mutant.offset, mutant.new] = verdict
                if verdict.outcome in (SURVIVES, SAME) and strategy != owners[-1]:
                    living.append(mutant)
                else:
                    ledger.note(mutant, verdict)
                plan.advance(job, (number + 1) / len(batch))
        return living

    try:
        with Board(Console(stderr=True), workers) as board:
            process.wait_for(carry_out(plan, workers, perform, board))
    finally:
        ledger.write()
    return [verdicts[place] for place in sorted(verdicts)]


_BATCH = 40
"""How many mutants one worker tries in one tree."""


# --- for people -----------------------------------------------------------------------------------

def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def _row(name: str, verdicts: Sequence[Verdict], reasons: Mapping[str, str]) -> list[str]:
    counted = [one for one in verdicts if one.counts]
    by = Counter(one.witness for one in counted)
    alive = [one for one in counted if one.outcome == SURVIVES]
    explained = sum(one.key in reasons for one in alive)
    return [name, str(len(counted)), str(len(counted) - len(alive)),
            _share(len(counted) - len(alive), len(counted)),
            *(str(by[kind]) for kind in ("strategy", "exhaustive", "host")),
            str(explained), str(len(alive) - explained)]


HEADINGS = ("file", "mutants", "killed", "share", "cases", "every sequence", "self-tests",
            "explained", "not explained")


def rows(verdicts: Sequence[Verdict], reasons: Mapping[str, str]) -> list[list[str]]:
    """A row for each file, and one for all."""
    files = list(dict.fromkeys(one.file for one in verdicts))
    lines = [_row(f"`{file}`", [one for one in verdicts if one.file == file], reasons)
             for file in files]
    return [*lines, _row("**all**", verdicts, reasons)]


def as_markdown(verdicts: Sequence[Verdict], reasons: Mapping[str, str]) -> str:
    """The table of files, and below it the survivors with their reasons."""
    lines = [f"| {' | '.join(HEADINGS)} |", "|---|" + "--:|" * (len(HEADINGS) - 1)]
    lines += [f"| {' | '.join(row)} |" for row in rows(verdicts, reasons)]
    for reason, group in _by_reason(verdicts, reasons).items():
        lines += ["", f"**{reason}**", "", *(f"- `{key}`" for key in group)]
    return "\n".join(lines) + "\n"


def _by_reason(verdicts: Iterable[Verdict], reasons: Mapping[str, str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for one in verdicts:
        if one.outcome == SURVIVES:
            groups.setdefault(reasons.get(one.key, "Not explained"), []).append(one.key)
    return groups


def placed(document: str, verdicts: Sequence[Verdict], reasons: Mapping[str, str]) -> str:
    """The text of a document with tables and survivors in their place."""
    shown = as_markdown(verdicts, reasons)
    text, count = _PLACE.subn(lambda found: f"{found[1]}\n{shown}{found[2]}", document)
    if count != 1:
        raise InputError("the document has no place for the table: '<!-- mutants -->' on a line,"
                         " '<!-- end of mutants -->' on a later one")
    return text


def report(verdicts: Sequence[Verdict], reasons: Mapping[str, str],
           say: Callable[[str], None]) -> list[str]:
    """Print a table; returns the keys of survivors that nobody has explained."""
    from rich.console import Console
    from rich.table import Table
    table = Table(*HEADINGS)
    for row in rows(verdicts, reasons):
        table.add_row(*(cell.strip("`*") for cell in row))
    Console(width=100).print(table)
    unexplained = _by_reason(verdicts, reasons).get("Not explained", [])
    for key in unexplained:
        say(f"survives: {key}")
    return unexplained


def run(strategies: Sequence[str], sample: Optional[int], seed: int, workers: int,
        is_update: bool, say: Callable[[str], None] = print) -> int:
    """Build what is needed, try the mutants, and say which survive. 1 if one is not explained."""
    reasons = explanations()
    programs = build.Build(1024, hardening="check")
    programs.prepare(witness.programs([one for name in strategies
                                       for one in witness.of_strategy(name)]), say)
    verdicts = try_all(strategies, programs.directory, sample, seed, workers, Ledger(KEPT))
    unexplained = report(verdicts, reasons, say)
    if is_update:
        results.write_files({DOCUMENT: placed(DOCUMENT.read_text("utf-8"), verdicts, reasons)})
        say(f"{DOCUMENT.relative_to(ROOT)} written")
    return 1 if unexplained else 0


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Try a small sample with a build that is there; most of it has to be killed."""
    parser = argparse.ArgumentParser(prog="lab.mutate", description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, required=True, metavar="DIRECTORY")
    parser.add_argument("--sample", type=int, required=True, metavar="N", help="of each file")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("strategies", nargs="+", metavar="STRATEGY")
    options = parser.parse_args(argv)
    if importlib.util.find_spec("clang") is None:
        print("skipped: python3-clang is not there")
        return _SKIPPED

    def work() -> int:
        reasons = explanations()
        verdicts = try_all(options.strategies, options.build, options.sample, options.seed,
                           options.jobs, Ledger(None))
        report(verdicts, reasons, print)
        counted = [one for one in verdicts if one.counts and one.key not in reasons]
        killed = sum(one.outcome != SURVIVES for one in counted)
        print(f"{killed} of {len(counted)} mutants killed, those left out that are explained")
        return 0 if counted and killed >= _SAMPLE_SHARE * len(counted) else 1

    return status_of(work)


if __name__ == "__main__":
    sys.exit(main())
