# SPDX-License-Identifier: MIT
"""`heaplab sweep`: measures a whole grid, and can be killed and resumed at any time."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterable, Optional, Protocol

from rich.console import Console

from lab import outputs, process, report, results, table
from lab.compare import qemu_version
from lab.errors import InputError, RunError
from lab.progress import duration
from lab.results import Document
from lab.sweep import chart, grid as grids, merge, page, plan, slurm, tables
from lab.sweep.board import Board
from lab.sweep.grid import Asked, Grid
from lab.sweep.job import Job
from lab.sweep.local import Local
from lab.sweep.plan import Cell
from lab.sweep.store import Store
from lab.sweep.work import Work
from lab.words import plural


class Engine(Protocol):
    """Who has jobs done."""

    async def carry_out(self, work: Work, show: Callable[[Work, str], None]) -> None:
        """Do all that is to be done."""


@dataclass(frozen=True)
class Request:
    """A sweep that is asked for."""

    asked: Asked
    directory: Path
    resume: bool = False
    workers: int = 1
    stall_seconds: Optional[float] = None
    slurm: bool = False
    batch: Optional[int] = None
    """How many jobs a task of Slurm's array has."""
    pages: bool = False
    """Whether each heap size gets the page that compare would write."""


def run(request: Request) -> int:
    """Carry out a sweep, or the rest of one, write its files and print its tables."""
    started = time.monotonic()
    store = Store(request.directory)
    asked = _asked(request, store)
    grid = grids.check(asked)
    if request.slurm:
        slurm.check()
    results.check_writable([store.directory / "sweep.json"])
    with store.locked():
        store.forget_failures()
        store.write_grid(asked.written())
        sweep = Sweep(request, grid, store, Console(stderr=True))
        cells, build = sweep.carry_out()
        document = merge.document(
            grid, cells, merge.records(grid, cells, store), build,
            results.host("tcg", qemu_version(), {}, time.monotonic() - started))
        sweep.say("writing tables, curves and pages")
        write(document, store.directory, request.pages)
    table.show_all([made for title, names in tables.groups(document)
                    for made in tables.of_traces(document, names, title)],
                   tables.legend(document), sys.stdout)
    sweep.say(f"{request.directory / 'sweep.json'} and {request.directory / 'sweep.html'} written,"
              f" {duration(time.monotonic() - started)} in all")
    return 0


def _asked(request: Request, store: Store) -> Asked:
    """The grid of the command line; when that says none, the one that is to be resumed.

    Raises InputError where one sweep would go on with another's results without being told to.
    """
    if request.resume and request.asked != Asked():
        return request.asked
    earlier = _asked_earlier(request.directory, store)
    if not request.resume:
        if earlier is not None:
            raise InputError(f"{request.directory}: there is a sweep already; --resume goes on with"
                             " it, --out names another directory")
        return request.asked
    if earlier is None:
        raise InputError(f"{request.directory}: there is no sweep to resume")
    return earlier


def _asked_earlier(directory: Path, store: Store) -> Optional[Asked]:
    """What the sweep in the directory was asked for; None if there is none."""
    try:
        found = store.grid()
        return None if found is None else Asked.read(found)
    except (RunError, TypeError):
        raise InputError(f"{directory}: there is a sweep, but its grid.json cannot be read;"
                         " --resume with the options that it had"
                         f" (--heap-kib {grids.HEAP_KIB} if it had none) goes on with its results"
                         ) from None


class Sweep:
    """The jobs of a grid, carried out."""

    def __init__(self, request: Request, grid: Grid, store: Store, console: Console) -> None:
        self._request = request
        self._grid = grid
        self._store = store
        self._console = console
        self._local = Local(request.workers)
        self._before = store.done()
        """What had its result before this sweep did anything."""

    def say(self, text: str) -> None:
        """Tell whoever waits."""
        self._console.print(f"heaplab: {text}", markup=False, highlight=False, soft_wrap=True)

    def carry_out(self) -> tuple[list[Cell], dict[str, Any]]:
        """Do all jobs; returns the cells of the grid, and how the programs were built."""
        programs = plan.build(self._grid, self._store, self.say)
        for one in self._grid.traces:
            self._store.put_trace(one.sha256, one.text)
        making = plan.making(self._grid, programs)
        check = plan.check_job(self._grid, programs)
        self._do("preparation", [check, *making.values()], self._local, None)
        planner = plan.Planner(self._grid, programs, self._request.stall_seconds)
        cells = list(planner.cells(plan.made_workloads(making, self._store)))
        jobs = [job for cell in cells for job in (cell.count, cell.smallest) if job]
        self._do("job", [check, *jobs], self._engine(), check.key)
        return cells, programs.provenance

    def _engine(self) -> Engine:
        if self._request.slurm:
            return slurm.Slurm(self._request.batch)
        return self._local

    def _do(self, what: str, jobs: Iterable[Job], engine: Engine, check: Optional[str]) -> None:
        by_key = {job.key: job for job in jobs}
        self._store.write_jobs({key: job.written() for key, job in by_key.items()})
        work = Work(self._store, by_key, check)
        if work.pending:
            before = len(self._before & by_key.keys())
            self.say(plural(work.total, what)
                     + (f", {before:,} of them done before" if before else ""))
            with Board(self._console, f"{what}s") as board:
                process.wait_for(engine.carry_out(work, board.show))
        work.insist_on_all()


def write(document: Document, directory: Path, pages: bool) -> None:
    """Write the merged results, the curves, the page, and a comparison for each heap size."""
    charts = list(chart.all_of(document))
    files = {directory / "sweep.json": results.to_json(document) + "\n",
             directory / "sweep.csv": outputs.to_csv(document),
             directory / "sweep.html": page.page(document, charts)}
    files |= {directory / "curves" / f"{name}.svg": svg for name, _, _, svg in charts}
    for name, made in merge.slices(document):
        files[directory / "sizes" / f"{name}.json"] = results.to_json(made) + "\n"
        if pages:
            files[directory / "sizes" / f"{name}.html"] = report.page(made)
    results.write_files(files)
    for path in (*directory.glob("curves/*"), *directory.glob("sizes/*")):
        if path not in files:
            path.unlink()  # of an earlier grid
