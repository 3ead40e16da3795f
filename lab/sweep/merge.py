# SPDX-License-Identifier: MIT
"""The results of all jobs, put together.

The records are those of `compare`, one for each cell of the grid. Those of one heap size, one
hardening level, one lock and the first seed are a comparison: `slices` makes them the document
that `compare` writes, which every picture, page and baseline takes.
"""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Mapping

from lab import heaps, replay, results, trace
from lab.heaps import Care, Heap
from lab.results import Document, Record
from lab.sweep.grid import Grid
from lab.sweep.plan import UNIT, Cell
from lab.sweep.store import Store

SCHEMA = "los-heap-lab/sweep"
VERSION = 2


def records(grid: Grid, cells: Iterable[Cell], store: Store) -> list[Record]:
    """One record for each cell, sorted."""
    peaks = {one.name: trace.peak_requested_bytes(one, grid.operations(one))
             for one in grid.traces}
    made = [_record(grid, cell, store, peaks) for cell in cells]
    return sorted(made, key=lambda one: (
        *heaps.place(one), one["trace"], one["heap_kib"], one["seed"] or 0))


def _record(grid: Grid, cell: Cell, store: Store, peaks: Mapping[str, int]) -> Record:
    """The record of one cell; the results may be of another day, and are judged once more."""
    raw = store.result(cell.count.key)
    replay.check_count(cell.count.title, raw, cell.count.due, cell.count.fills)
    search = store.result(cell.smallest.key) if cell.smallest else None
    if cell.smallest:
        replay.check_search(cell.smallest.title, search)
    peak = peaks.get(cell.trace.name) if cell.trace.seed is None else None
    return replay.record_of(raw, search, cell.trace,
                            cell.trace.peak_requested_bytes if peak is None else peak,
                            grid.operations_limit)


def document(grid: Grid, cells: Iterable[Cell], made: Iterable[Record],
             build: Mapping[str, Any], host: Mapping[str, Any]) -> Document:
    """The whole sweep; but for `host` the same, wherever and in whatever order it was done."""
    traces = {(cell.trace.name, cell.trace.seed or 0, cell.heap_kib if cell.trace.seed else 0):
              cell.trace for cell in cells}
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "settings": {
            "strategies": list(grid.strategies),
            "traces": [one.name for one in grid.traces],
            "workloads": list(grid.workloads),
            "seeds": grid.seeds,
            "heap_kib": list(grid.heap_kib),
            "hardening": list(grid.hardening),
            "locking": list(grid.locking),
            "operations_limit": grid.operations_limit,
            "unit": UNIT,
        },
        "build": dict(build),
        "traces": [{"name": one.name, "seed": one.seed, "heap_kib": kib or None,
                    "sha256": one.sha256, "ids": one.ids, "operations": one.operations,
                    "peak_requested_bytes": one.peak_requested_bytes}
                   for (_, _, kib), one in sorted(traces.items(), key=lambda item: item[0])],
        "records": list(made),
        "host": dict(host),
    }


def slices(made: Document) -> Iterator[tuple[str, Document]]:
    """What `compare` would have written at each heap size, hardening level and lock, by a name."""
    for care in heaps.cares(made["settings"]):
        for kib in made["settings"]["heap_kib"]:
            yield f"{kib}-kib{care.suffix}", _slice(made, kib, care)


def _slice(made: Document, kib: int, care: Care) -> Document:
    settings = made["settings"]
    traces = [{name: value for name, value in one.items() if name != "heap_kib"}
              for one in made["traces"]
              if one["heap_kib"] in (None, kib) and one["seed"] in (None, 1)]
    return {
        "schema": results.SCHEMA,
        "version": results.VERSION,
        "settings": {
            "strategies": settings["strategies"],
            "traces": settings["traces"],
            "workloads": settings["workloads"],
            "seed": 1 if settings["workloads"] else None,
            "hardening": [care.hardening],
            "locking": [care.locking],
            "heap_kib": kib,
            "operations_limit": settings["operations_limit"],
            "unit": settings["unit"],
        },
        "build": {name: made["build"][name] for name in (
            Heap(strategy, *care).name for strategy in sorted(settings["strategies"]))},
        "traces": traces,
        "records": [one for one in made["records"] if one["heap_kib"] == kib
                    and heaps.of(one).care == care and one["seed"] in (None, 1)],
        "host": made["host"],
    }
