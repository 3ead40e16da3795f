# SPDX-License-Identifier: MIT
"""What searches found: a directory of traces, and beside them one document with their figures."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Optional

from lab import ROOT, results, trace
from lab.errors import InputError, RunError
from lab.worst import goals
from lab.worst.cost_bounds import COST_BOUNDS, FREE, MALLOC
from lab.worst.goals import MEMORY, Found
from lab.worst.measure import Heap
from lab.worst.memory_bounds import MEMORY_BOUNDS
from lab.worst.search import Search
from lab.worst.sequence import Operations, of_trace, to_rep

COMMITTED = ROOT / "traces" / "worst"
DOCUMENT = "worst.json"
SCHEMA, VERSION = "heaplab-worst", 1

Record = dict[str, Any]


@dataclass(frozen=True)
class Shelf:
    """The directory where finds are kept."""

    directory: Path

    @property
    def document(self) -> Path:
        return self.directory / DOCUMENT

    def trace_file(self, strategy: str, goal: str) -> Path:
        """Where the trace of a goal is."""
        return self.directory / f"{strategy}-{goal}.rep"

    def records(self) -> list[Record]:
        """What is there, in the order of strategies and goals.

        Raises InputError if it is not a document of this kind.
        """
        return list(self._read()["records"])

    def build(self) -> Any:
        """What made the programs that the figures were taken with; None if there are none."""
        return self._read()["build"]

    def _read(self) -> dict[str, Any]:
        if not self.document.exists():
            return {"build": None, "records": []}
        try:
            made = json.loads(self.document.read_text("utf-8"))
            if (made["schema"], made["version"]) != (SCHEMA, VERSION):
                raise ValueError
            return {"build": made["build"], "records": sorted(made["records"], key=_place)}
        except (OSError, ValueError, KeyError, TypeError):
            raise InputError(f"{self.document}: this is no document of heaplab worst, version"
                             f" {VERSION}") from None

    def earlier(self, strategy: str, goal: str) -> Optional[Operations]:
        """The trace that an earlier search left; None if there is none."""
        file = self.trace_file(strategy, goal)
        return tuple(of_trace(trace.read(file))) if file.exists() else None

    def keep(self, record: Record, operations: Operations, build: Mapping[str, Any]) -> None:
        """Write a find down, in place of what was there for its goal.

        Figures that were taken with another build do not stay; their traces do.
        """
        key = (record["strategy"], record["goal"])
        rest = [one for one in self.records() if (one["strategy"], one["goal"]) != key
                and build == self.build()]
        made = {"schema": SCHEMA, "version": VERSION, "build": build,
                "records": sorted([*rest, record], key=_place)}
        file = self.trace_file(*key)
        results.write_files({file: to_rep(operations, record["heap_kib"]),
                             self.document: results.to_json(made) + "\n"})


def _place(record: Record) -> tuple[str, int]:
    return record["strategy"], list(goals.NAMES).index(record["goal"])


def record(search: Search, seed: int) -> tuple[Record, Operations]:
    """What a search has found so far, for its shelf."""
    if search.best is None:
        raise RunError(f"{search.heap.strategy}: no trace has a {search.goal}")
    return _record(search.heap, search.goal, search.best) | {
        "seed": seed, "tried": search.tried, "minimal": search.minimal}, search.best.operations


def _record(heap: Heap, goal: str, found: Found) -> Record:
    words, source = _bound_words(heap.strategy, goal)
    text = to_rep(found.operations, heap.heap_kib)
    return {
        "strategy": heap.strategy, "goal": goal, "heap_kib": heap.heap_kib,
        "figure": found.figure, "bound": found.bound, "bound_words": words,
        "bound_source": source, "operation": found.index,
        "operation_bytes": _bytes_of(found), "operations": len(found.operations),
        "peak_requested_bytes": _peak(found.operations),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def _bytes_of(found: Found) -> Optional[int]:
    """Of the block that the worst operation asks for or frees."""
    if found.index is None:
        return None
    ident = found.operations[found.index][0]
    return max(size for one, size in found.operations if one == ident)


def _peak(operations: Operations) -> int:
    sizes: dict[int, int] = {}
    peak = total = 0
    for ident, size in operations:
        total += size - (0 if size else sizes[ident])
        sizes[ident] = size
        peak = max(peak, total)
    return peak


def _bound_words(strategy: str, goal: str) -> tuple[str, str]:
    if goal == MEMORY:
        bound = MEMORY_BOUNDS.get(strategy)
        return (bound.words, bound.source) if bound else ("none", "none is stated")
    cost = COST_BOUNDS.get((strategy, FREE if goal == FREE else MALLOC))
    return (cost.words, cost.source) if cost else ("none", "none is stated")
