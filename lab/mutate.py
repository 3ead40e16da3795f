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
import importlib.util
import random
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional, Sequence

from lab import ROOT, build, mutants, process, results, variant, witness
from lab.errors import status_of
from lab.mutants import Mutant
from lab.verdicts import (NO_CODE, SAME, SURVIVES, Ledger, Verdict, explanations, placed, report,
                          settled)

DOCUMENT = ROOT / "docs" / "mutation.md"
KEPT = Path("heaplab-results/mutants.json")
"""What earlier runs found, so that the next goes on where one was interrupted."""

_CPU_SECONDS = {"strategy": 3, "exhaustive": 9, "host": 2, "heap": 2, "oracle": 2, "front": 3,
                "wanting": 2, "lock": 3, "magazine": 3}
"""What a program may use; it is twice and more what the original uses, sanitized."""

_QUICK = ("-O1",)
_QUICK_DROPS = ("-fsanitize", "-fno-sanitize")
_SAMPLE_SHARE = 0.9
_SKIPPED = 77


@dataclass(frozen=True)
class Owner:
    """A strategy that a file belongs to, built in some way; and who tells whether it is right."""

    strategy: str
    witnesses: tuple[witness.Witness, ...]
    units: tuple[str, ...] = ()
    """The programs whose code tells a mutant from the original; the last witness's if none."""

    @property
    def programs(self) -> tuple[str, ...]:
        """The same, said in full."""
        return self.units or (self.witnesses[-1].program,)


class Bench:
    """Tries the mutants of one file, with one strategy that it belongs to, in one tree."""

    def __init__(self, recipes: variant.Recipes, place: Path, file: str, owner: Owner,
                 strategies: Sequence[str]) -> None:
        self._recipes = recipes
        self._place = place
        self._owner = owner
        self._witnesses = owner.witnesses
        self._text = (ROOT / file).read_text("utf-8")
        self._tree = variant.Tree(recipes, place / "tree", file, owner.strategy, strategies)
        self._original: Optional[list[bytes]] = None

    async def _objects(self, text: str) -> list[bytes]:
        self._tree.write(text)
        return [one for program in self._owner.programs for one in await variant.compile_only(
            self._tree, self._recipes.directory, program, _QUICK, _QUICK_DROPS)]

    async def _is_the_same(self, text: str) -> bool:
        """Whether this text is compiled to the very code of the original."""
        if self._original is None:
            self._original = await self._objects(self._text)
        return self._original == await self._objects(text)

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
        try:
            for one in self._witnesses:
                if catch := await self._catch(one, _QUICK_DROPS):
                    return verdict(catch.test, catch.message)
        except variant.CompileError:
            return verdict(NO_CODE)
        if await self._is_the_same(text):
            return verdict(SAME)
        for one in self._witnesses:
            if one.is_sanitized and (catch := await self._catch(one, ())):
                return verdict(catch.test, catch.message)
        return verdict(SURVIVES)


# --- which mutants, and what is known of them -----------------------------------------------------

@dataclass(frozen=True)
class Subject:
    """A file to make mutants of."""

    file: str
    unit: str
    """The translation unit that it is, or is a part of."""
    flags: tuple[str, ...]
    """With which the unit can be read."""
    owners: tuple[Owner, ...]
    """All that it is tried with, in this order."""


def _flags(level: str, locking: str, inside: str) -> tuple[str, ...]:
    """With which heap.c can be read, as meson.build says them in mm/."""
    return ("-DHEAP_STRATEGY=heap_tlsf", f"-DHARDENING=HARDENING_{level}",
            f"-DLOCKING=LOCKING_{locking}", "-DHEAP_KIB=1024", "-DLOCK_IS_WATCHED",
            f'-DHARDENING_INSIDE="{inside}_heap.h"', f"-I{ROOT / 'arch' / 'host'}",
            f"-I{ROOT / 'kernel'}")


def _front_door(name: str, level: str) -> Owner:
    """The front door over a strategy, at a hardening level."""
    at_default = level == "check"
    return Owner(name, (witness.of_cases(f"front-door-{name}-{level}"),
                        witness.of_front_door(name, "" if at_default else level)))


_MAGAZINES = Owner("bitmap", (witness.of_cases("magazine-test", "locking"),
                              witness.of_cases("magazine-off-test", "locking"),
                              witness.of_front_door("bitmap", "percpu"),
                              witness.of_hammer("bitmap", "percpu")),
                   ("tests/locking/magazine-test", "arch/host/host-bitmap-percpu"))
_LOCKED = Owner("bitmap", (witness.of_cases("lock-test", "locking"),
                           witness.of_front_door("bitmap", "spin"),
                           witness.of_hammer("bitmap", "spin")),
                ("tests/locking/lock-test", "arch/host/host-bitmap-spin"))
_PLAIN = (_front_door("bitmap", "check"), _front_door("boundary-map", "check"),
          _front_door("bump", "check"), _front_door("boundary-map", "off"),
          _front_door("bitmap", "off"))
_FENCED = (_front_door("boundary-map", "full"), _front_door("bitmap", "redzone"))
_WANTING = Owner("bitmap", (witness.of_cases("wanting-test"),))
_CHECK = Owner("bitmap", (witness.Witness("heap-check", "tests/heap-check-test"),
                          witness.Witness("oracle", "tests/oracle-test")))


def _parts_of_front_door(files: Sequence[str], owners: Sequence[Owner],
                         flags: tuple[str, ...]) -> tuple[Subject, ...]:
    return tuple(Subject(f"mm/{file}", "mm/heap.c", flags, tuple(owners)) for file in files)


PARTS: dict[str, tuple[Subject, ...]] = {
    "heap": (*_parts_of_front_door(("plain_heap.h",), _PLAIN, _flags("CHECK", "NONE", "plain")),
             *_parts_of_front_door(("heap.c",), (*_PLAIN, *_FENCED, _WANTING, _MAGAZINES),
                                   _flags("CHECK", "NONE", "plain")),
             *_parts_of_front_door(("account.h", "guard.h", "explain.h"),
                                   (*_PLAIN, *_FENCED, _MAGAZINES),
                                   _flags("CHECK", "NONE", "plain"))),
    "fences": _parts_of_front_door(
        ("fenced_heap.h", "fenced_view.h", "fence.h", "quarantine.h", "history.h"), _FENCED,
        _flags("FULL", "NONE", "fenced")),
    "locks": (*_parts_of_front_door(("lock.h",), (_LOCKED, _MAGAZINES),
                                    _flags("FULL", "SPIN", "fenced")),
              *_parts_of_front_door(
                  ("magazine.h", "depot.h", "reclaim.h", "magazine_heap.h", "magazine_view.h"),
                  (_MAGAZINES,), _flags("CHECK", "PERCPU", "magazine"))),
    "heap_check": (Subject("mm/heap_check.c", "mm/heap_check.c", (), (_CHECK,)),),
}
"""What is no strategy, and can be asked for all the same."""

_FRONT_DOOR = frozenset(subject.file for name, of_part in PARTS.items() for subject in of_part
                        if name != "heap_check")


def subjects(names: Sequence[str]) -> list[Subject]:
    """Each file of these strategies and parts, a shared one with all of them."""
    owners: dict[str, list[str]] = {}
    for name in names:
        for file in mutants.files_of(name) if name not in PARTS else ():
            owners.setdefault(file, []).append(name)
    of_strategies = [
        Subject(file, f"mm/{these[0]}.c", (),
                tuple(Owner(name, witness.of_strategy(name)) for name in these))
        for file, these in owners.items()]
    return [*of_strategies, *(one for name in names for one in PARTS.get(name, ()))]


def needed(names: Sequence[str]) -> list[str]:
    """The programs of the build that mutants are tried on."""
    return witness.programs([one for subject in subjects(names)
                             for owner in subject.owners for one in owner.witnesses])


def chosen(subject: Subject, sample: Optional[int], seed: int) -> list[Mutant]:
    """The file's mutants, or so many of them, always the same for the same seed and file."""
    every = mutants.of_file(subject.file, subject.unit, subject.flags)
    if sample is None or sample >= len(every):
        return every
    order = list(range(len(every)))
    random.Random(f"{seed} {subject.file}").shuffle(order)  # a larger sample has all of a smaller
    return [every[index] for index in sorted(order[:sample])]


def try_all(names: Sequence[str], directory: Path, sample: Optional[int], seed: int,
            workers: int, ledger: Ledger) -> list[Verdict]:
    """Try the mutants of every file of these, with each strategy that it belongs to in turn."""
    from rich.console import Console

    from lab.progress import Board
    from lab.schedule import Job, Plan, carry_out
    recipes = variant.Recipes(directory)
    known = build.strategies()
    verdicts: dict[tuple[str, int, str], Verdict] = {}
    work: dict[Job, tuple[list[Mutant], Subject]] = {}
    for subject in subjects(names):
        every = chosen(subject, sample, seed)
        with_ = ",".join(dict.fromkeys(owner.strategy for owner in subject.owners))
        for first in range(0, len(every), _BATCH):
            batch = every[first:first + _BATCH]
            work[Job("mutants", f"{subject.file} {first}", with_, len(batch))] = batch, subject
    plan = Plan(work)

    async def perform(job: Job) -> None:
        batch, subject = work[job]
        left = []
        for mutant in batch:
            if verdict := ledger.find(mutant):
                verdicts[mutant.file, mutant.offset, mutant.new] = verdict
            else:
                left.append(mutant)
        for owner in subject.owners:
            left = await try_batch(left, owner, job)

    async def try_batch(batch: list[Mutant], owner: Owner, job: Job) -> list[Mutant]:
        """Returns: those that live, or are no code of this owner's."""
        living: list[Mutant] = []
        if not batch:
            return living
        last = work[job][1].owners[-1]
        with tempfile.TemporaryDirectory(prefix="mutants-") as name:
            bench = Bench(recipes, Path(name), batch[0].file, owner, known)
            for number, mutant in enumerate(batch):
                verdict = await bench.attempt(mutant)
                before = verdicts.get((mutant.file, mutant.offset, mutant.new))
                if verdict.outcome == SAME and before:
                    verdict = before
                verdicts[mutant.file, mutant.offset, mutant.new] = verdict
                if verdict.outcome in (SURVIVES, SAME) and owner != last:
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


def run(names: Sequence[str], sample: Optional[int], seed: int, workers: int,
        is_update: bool, say: Callable[[str], None] = print) -> int:
    """Build what is needed, try the mutants, and say which survive. 1 if one is not explained."""
    reasons = explanations()
    programs = build.Build(1024, hardening="check")
    programs.prepare(needed(names), say)
    ledger = Ledger(KEPT, _FRONT_DOOR, settled(reasons))
    verdicts = try_all(names, programs.directory, sample, seed, workers, ledger)
    unexplained = report(verdicts, totals(names), reasons, say)
    if is_update:
        update(names, ledger)
        say(f"{DOCUMENT.relative_to(ROOT)} written")
    return 1 if unexplained else 0


def totals(names: Sequence[str]) -> dict[str, int]:
    """How many changes there are of each file."""
    return {one.file: len(chosen(one, None, 0)) for one in subjects(names)}


def update(names: Sequence[str], ledger: Ledger) -> None:
    """Write all that is known of today's sources into the document."""
    known = [verdict for subject in subjects(names) for mutant in chosen(subject, None, 0)
             if (verdict := ledger.find(mutant))]
    text = placed(DOCUMENT.read_text("utf-8"), known, totals(names), explanations())
    results.write_files({DOCUMENT: text})


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
        report(verdicts, totals(options.strategies), reasons, print)
        counted = [one for one in verdicts if one.counts and one.key not in reasons]
        killed = sum(one.outcome != SURVIVES for one in counted)
        print(f"{killed} of {len(counted)} mutants killed, those left out that are explained")
        return 0 if counted and killed >= _SAMPLE_SHARE * len(counted) else 1

    return status_of(work)


if __name__ == "__main__":
    sys.exit(main())
