# SPDX-License-Identifier: MIT
"""`heaplab worst`: searches for the traces that hurt most, keeps them, says how bad they are."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Sequence

from rich.console import Console

from lab import process, results
from lab.build import Build, strategies as known_strategies, what_makes_code
from lab.errors import InputError, Interrupted, RunError
from lab.progress import Board, duration
from lab.schedule import Job, Plan, carry_out
from lab.words import plural
from lab.worst import adversaries, goals, page
from lab.worst.goals import MEMORY
from lab.worst.measure import Heap
from lab.worst.records import Record, Shelf, record
from lab.worst.search import Budget, Search
from lab.worst.sequence import Limits, Operations

DEFAULT_DIRECTORY = Path("heaplab-results/worst")
EVALUATIONS, QUICK_EVALUATIONS = 1000, 120
MEMORY_FACTOR = 5
"""So many times as many are tried for memory, where trying one takes less."""
_TIMED = 1000
"""What a search that time ends counts as: how many traces it will try is not known."""


@dataclass(frozen=True)
class Request:
    """What is asked for; all of it has been checked."""

    strategies: Sequence[str]
    goals: Sequence[str]
    seed: int
    budget: Budget
    shelf: Shelf
    afresh: bool
    markdown: Optional[Path]
    workers: int

    @property
    def wanted(self) -> list[tuple[str, str]]:
        """The searches: strategy and goal."""
        return [(strategy, goal) for strategy in self.strategies for goal in goals.of(strategy)
                if goal in self.goals]


def check(names: Sequence[str], everything: bool, wanted: Optional[str], seed: int,
          budget: Budget, directory: Path, afresh: bool, markdown: Optional[Path],
          workers: int) -> Request:
    """The request, once it is known to make sense.

    Raises InputError for what is wrong, before anything is started.
    """
    known = known_strategies()
    if everything == bool(names):
        raise InputError("which heaps? either some of them, or --all; there are:"
                         f" {', '.join(known)}")
    for name in names:
        if name not in known:
            raise InputError(f"there is no strategy {name!r}; there are: {', '.join(known)}")
    chosen = wanted.split(",") if wanted else list(goals.NAMES)
    for goal in chosen:
        if goal not in goals.NAMES:
            raise InputError(f"there is no goal {goal!r}; there are: {', '.join(goals.NAMES)}")
    shelf = Shelf(directory)
    request = Request(list(dict.fromkeys(names)) or known, chosen, seed, budget, shelf, afresh,
                      markdown, workers)
    if not request.wanted:
        raise InputError(f"{', '.join(request.strategies)} has no such goal: {', '.join(chosen)}")
    results.check_writable([shelf.document, *([markdown] if markdown else []),
                            *(shelf.trace_file(*one) for one in request.wanted)])
    if markdown:
        page.check(markdown)
    shelf.records()
    return request


class Searches:
    """Carries out the searches of a request."""

    def __init__(self, request: Request, builds: dict[int, Build], scratch: Path,
                 console: Console) -> None:
        self._request = request
        self._builds = builds
        self._scratch = scratch
        self._console = console
        self._jobs = {Job(goals.NAMES[goal], strategy, "made-up traces",
                          request.budget.evaluations or _TIMED): (strategy, goal)
                      for strategy, goal in request.wanted}
        self.plan = Plan(self._jobs)
        self._worst: dict[Job, int] = {}
        self._kept = 0
        self._adversaries: dict[tuple[Limits, int], list[Operations]] = {}

    async def perform(self, job: Job) -> None:
        """Search for one goal; what was found is kept, even if the search is interrupted."""
        strategy, goal = self._jobs[job]
        heap = heap_of(self._builds, strategy)
        budget = self._request.budget.times(MEMORY_FACTOR if goal == MEMORY else 1)
        search = Search(heap, goal, self._request.seed, budget, self._scratch,
                        lambda search: self._note(job, search))
        try:
            await search.run(self._first(heap, goal, search))
        finally:
            if search.best:
                made, operations = record(search, self._request.seed)
                self._request.shelf.keep(made, operations, self._provenance())
                self._kept += 1

    def left(self) -> str:
        """What is in the directory, in words, when the searches are interrupted."""
        if not self._kept:
            return f"nothing was found yet, {self._request.shelf.directory} is as it was"
        return f"{self._kept} of {self.plan.total} searches had found something, which is in" \
            f" {self._request.shelf.directory} in place of what was there for their goals"

    def _first(self, heap: Heap, goal: str, search: Search) -> list[Operations]:
        """What a search begins with: the adversaries, and what an earlier search found."""
        key = (search.limits, heap.heap_kib)
        if key not in self._adversaries:
            self._adversaries[key] = adversaries.all_of(*key, heap.host, self._scratch)
        first = self._adversaries[key]
        earlier = self._request.shelf.earlier(heap.strategy, goal)
        return ([earlier] if earlier and not self._request.afresh else []) + first

    def _note(self, job: Job, search: Search) -> None:
        budget = search.budget
        done = search.tried / budget.evaluations if budget.evaluations else \
            (time.monotonic() - search.started) / (budget.seconds or 1)
        self.plan.advance(job, done)
        if search.best and search.best.figure > self._worst.get(job, 0):
            self._worst[job] = search.best.figure
            unit = "bytes" if search.goal == MEMORY else "instructions"
            self._console.print(f"heaplab: {search.heap.strategy}, {goals.NAMES[search.goal]}:"
                                f" {search.best.figure:,} {unit} after {search.tried:,} traces",
                                markup=False, highlight=False, soft_wrap=True)

    def _provenance(self) -> dict[str, Any]:
        return provenance(self._builds, self._request.strategies[0])


def provenance(builds: dict[int, Build], strategy: str) -> dict[str, Any]:
    """What made the programs, whichever heap they have: where it is the same, figures are."""
    return what_makes_code(builds[goals.heap_kib(strategy)].provenance(strategy))


def prepare(strategies: Sequence[str], say: Any) -> dict[int, Build]:
    """The builds, by heap size, up to date."""
    by_size: dict[int, list[str]] = {}
    for strategy in strategies:
        by_size.setdefault(goals.heap_kib(strategy), []).append(strategy)
    builds = {}
    for heap_kib, names in by_size.items():
        builds[heap_kib] = Build(heap_kib)
        builds[heap_kib].prepare([f"{kind}-{name}{suffix}" for name in names for kind, suffix
                                  in (("los", ".elf"), ("host", ""))], say)
    return builds


def heap_of(builds: dict[int, Build], strategy: str) -> Heap:
    """A strategy's programs, out of these builds."""
    heap_kib = goals.heap_kib(strategy)
    build = builds[heap_kib]
    return Heap(strategy, heap_kib, build.program(f"los-{strategy}.elf"),
                build.program(f"host-{strategy}"))


def run(request: Request) -> int:
    """Search, keep what is found, print it; 1 if a bound is broken."""
    console = Console(stderr=True)
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(f"heaplab: {text}", markup=False, highlight=False, soft_wrap=True)

    builds = prepare(request.strategies, say)
    if request.shelf.build() not in (None, provenance(builds, request.strategies[0])):
        say(f"{request.shelf.document}: these figures were taken with another compiler or flags;"
            " they go when there is a new one, their traces stay")
    with tempfile.TemporaryDirectory(prefix="heaplab-") as scratch:
        searches = Searches(request, builds, Path(scratch), console)
        say(f"{plural(searches.plan.total, 'search', 'es')} on {plural(request.workers, 'core')}")
        try:
            with Board(console, request.workers) as board:
                process.wait_for(carry_out(searches.plan, request.workers, searches.perform,
                                           board))
        except Interrupted as stop:
            stop.left = searches.left()
            raise
    records = request.shelf.records()
    if request.markdown:
        results.write_files({request.markdown: page.text_for(request.markdown, records)})
    found = [one for one in records if (one["strategy"], one["goal"]) in request.wanted]
    show(found)
    say(f"{request.shelf.document} and {plural(len(found), 'trace')} written,"
        f" {duration(time.monotonic() - started)} in all")
    return judge(found, request.shelf)


def show(found: Sequence[Record]) -> None:
    """Print the tables."""
    out = Console(file=sys.stdout, width=100)
    for kind in page.KINDS:
        if any(one["goal"] in kind.goals for one in found):
            out.print(page.table(kind, found))
            for note in (*kind.notes, *(page.finding(found) if kind is page.COSTS else [])):
                out.print(note, markup=False, highlight=False)
            out.print()


def judge(found: Sequence[Record], shelf: Shelf) -> int:
    """0, unless a trace breaks a bound: then RunError says which."""
    broken = [one for one in found if one["bound"] and one["figure"] > one["bound"]]
    if broken:
        raise RunError("a bound is broken: its proof or the code is wrong", [
            f"{one['strategy']}, {goals.NAMES[one['goal']]}: {one['figure']:,} is more than"
            f" {one['bound']:,} ({one['bound_words']}; {one['bound_source']}):"
            f" {shelf.trace_file(one['strategy'], one['goal'])}" for one in broken])
    return 0
