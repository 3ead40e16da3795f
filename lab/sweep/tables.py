# SPDX-License-Identifier: MIT
"""A sweep as tables: a row for each strategy, a column for each heap size, or for each trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterable, Iterator, Mapping, Optional, Sequence

from lab import heaps
from lab.heaps import Heap
from lab.results import Document, Record
from lab.table import BEST, WARNING, Column, Row, Table, filled, mean, share
from lab.trace import is_fill

COLUMNS = 8
"""Of one table, so that it takes no more than 100 of a terminal's."""


@dataclass(frozen=True)
class Part:
    """What one column is of."""

    title: str
    has: Callable[[Record], bool]


def size(kib: int) -> str:
    """A heap's size as people say it."""
    return f"{kib // 1024} MiB" if kib % 1024 == 0 else f"{kib} KiB"


def of_traces(document: Document, names: Sequence[str], title: str) -> list[Table]:
    """Mean cost, tightness, and the spread of both over seeds.

    Of these traces together, at each heap size; of each, where there is but one size.
    """
    settings = document["settings"]
    each = len(settings["heap_kib"]) == 1 < len(names)
    parts = [_of_trace(name) for name in names] if each else \
        [_of_size(kib) for kib in settings["heap_kib"]]
    where = f"{title}, {size(settings['heap_kib'][0])}" if each else title
    chosen = [one for one in document["records"] if one["trace"] in names]
    seeded = settings["seeds"] > 1 and any(one["seed"] for one in chosen)
    over = [*(["traces"] if len(names) > 1 and not each else []), *(["seeds"] if seeded else [])]
    words = {"unit": settings["unit"],
             "mean": f"the mean over {' and '.join(over)}" if over else
             "in the smallest total memory that does"}
    made: list[Table] = []
    for care in heaps.cares(settings):
        rows = [_row(Heap(strategy, *care), chosen, parts) for strategy in settings["strategies"]]
        for figure in _FIGURES if seeded else _FIGURES[:2]:
            made += _tables(figure, rows, parts, where + care.told(settings), words)
    return made


def groups(document: Document) -> Iterator[tuple[str, list[str]]]:
    """What tables are made of when there is no room for one of each trace."""
    settings = document["settings"]
    fills = [name for name in settings["workloads"] if is_fill(name)]
    held = [name for name in settings["workloads"] if name not in fills]
    for title, names in (("traces", settings["traces"]), ("workloads", held),
                         ("fill workloads", fills)):
        if names:
            yield (title if len(names) > 1 else names[0]), names


def legend(document: Document) -> list[str]:
    """What the figures mean, in sentences."""
    settings = document["settings"]
    sentences = [
        f"Costs in {settings['unit']}, of kmalloc, krealloc and kfree together, over all operations"
        + (f" and {settings['seeds']} seeds." if settings["seeds"] > 1 else "."),
        "Tightness: most bytes requested at once / smallest total memory in which the trace runs"
        " without a failure (1 is perfect). A recorded trace has the same at every size.",
        *(["Spread: of several workloads, the widest."]
          if settings["seeds"] > 1 and len(settings["heap_kib"]) > 1 else []),
        f"{BEST} marks the best of a column. {WARNING} marks more failures than others have: such"
        " a heap does less work, so its costs do not compete.",
    ]
    if any(map(is_fill, settings["workloads"])):
        sentences.insert(2, "Of what fills the heap: the share of all memory that was requested at"
                            " the first failure.")
    if any(one["tightness"] is None for one in document["records"]):
        sentences.insert(-1, "Never: in no memory of up to 64 MiB, for at least one of them.")
    if limit := settings["operations_limit"]:
        sentences.insert(0, f"Only the first {limit:,} operations of each trace were replayed"
                         + ("; of a workload so many after its build-up, but of what fills the heap"
                            " all." if settings["workloads"] else "."))
    return sentences


def _of_size(kib: int) -> Part:
    return Part(size(kib), lambda one: one["heap_kib"] == kib)


def _of_trace(name: str) -> Part:
    return Part(name.replace("-", "\n"), lambda one: one["trace"] == name)


@dataclass(frozen=True)
class Figure:
    """One figure of several records together."""

    name: str
    note: str
    written: Callable[[Optional[float]], str]
    best: Callable[[Iterable[float]], float] = min

    def column(self, part: Part) -> Column:
        """Its column for a part; rows are those of _row()."""
        cost = self.name == "mean cost"
        return Column(part.title, lambda row: row["parts"][part.title][self.name], self.written,
                      best=self.best, only_least_failures=cost, marks_failures=cost,
                      failures=lambda row: int(row["parts"][part.title]["failures"]))


def _percent(value: Optional[float]) -> str:
    return "-" if value is None else f"{value:.1f}"


_SPREAD = "over seeds, (highest - lowest) / mean, in percent"
_FIGURES = (Figure("mean cost", "{unit} per operation", mean),
            Figure("tightness", "{mean}", share, max),
            Figure("spread of the mean cost", _SPREAD, _percent),
            Figure("spread of the tightness", _SPREAD, _percent))


def _row(heap: Heap, records: Sequence[Record], parts: Sequence[Part]) -> Row:
    """What is told of one heap, part by part."""
    own = [one for one in records if heaps.of(one) == heap]
    return {"strategy": heap.strategy, "parts": {
        part.title: _summary([one for one in own if part.has(one)]) for part in parts}}


def _tables(figure: Figure, rows: Sequence[Row], parts: Sequence[Part], title: str,
            words: Mapping[str, str]) -> Iterator[Table]:
    """One figure of every part, in as many tables as it takes."""
    for first in range(0, len(parts), COLUMNS):
        yield filled(f"{title}: {figure.name}", figure.note.format_map(words),
                     [figure.column(part) for part in parts[first:first + COLUMNS]], rows,
                     name=lambda row: str(row["strategy"]))


def _summary(records: Sequence[Record]) -> dict[str, Any]:
    operations = sum(one["cost"]["operations"] for one in records)
    tight = [one["tightness"] for one in records]
    return {
        "mean cost": sum(one["cost"]["total"] for one in records) / operations
                     if operations else None,
        "tightness": None if None in tight else sum(tight) / len(tight),
        "spread of the mean cost": _spread(records, lambda one: one["cost"]["mean"]),
        "spread of the tightness": _spread(records, lambda one: one["tightness"]),
        "failures": sum(one["failures"] for one in records),
    }


def _spread(records: Sequence[Record],
            figure: Callable[[Record], Optional[float]]) -> Optional[float]:
    """How far the seeds of a workload lie apart, in percent of their mean: the widest of all."""
    found = []
    for name in dict.fromkeys(one["trace"] for one in records):
        values = [value for one in records
                  if one["trace"] == name and (value := figure(one)) is not None]
        if any(values):
            found.append(100 * (max(values) - min(values)) * len(values) / sum(values))
    return max(found, default=None)
