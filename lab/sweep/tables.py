# SPDX-License-Identifier: MIT
"""A sweep as tables: a row for each strategy, a column for each heap size."""

from __future__ import annotations

from typing import Any, Callable, Iterable, Iterator, Optional, Sequence

from lab.results import Document, Record
from lab.table import BEST, WARNING, Column, Row, Table, filled, mean, share
from lab.trace import is_fill

COLUMNS = 8
"""Heap sizes in one table, so that it takes no more than 100 columns."""


def size(kib: int) -> str:
    """A heap's size as people say it."""
    return f"{kib // 1024} MiB" if kib % 1024 == 0 else f"{kib} KiB"


def of_traces(document: Document, names: Sequence[str], title: str) -> list[Table]:
    """Mean cost, tightness, and the spread over seeds, of these traces together."""
    made: list[Table] = []
    several = len(document["settings"]["hardening"]) > 1
    for hardening in document["settings"]["hardening"]:
        chosen = [one for one in document["records"]
                  if one["trace"] in names and one["hardening"] == hardening]
        level = f", hardening {hardening}" if several else ""
        made += _figure(document, chosen, f"{title}{level}: mean cost",
                        f"{document['settings']['unit']} per operation", "mean", mean, min)
        made += _figure(document, chosen, f"{title}{level}: tightness",
                        "the mean over traces and seeds", "tightness", share, max)
        if any(one["seed"] for one in chosen) and document["settings"]["seeds"] > 1:
            made += _figure(document, chosen, f"{title}{level}: spread of the mean cost",
                            "over seeds, (highest - lowest) / mean, in percent", "spread",
                            _percent, min)
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
        *(["Spread: of several workloads, the widest."] if settings["seeds"] > 1 else []),
        f"{BEST} marks the best of a column. {WARNING} marks more failures than others have: such"
        " a heap does less work, so its costs do not compete.",
    ]
    if any(one["tightness"] is None for one in document["records"]):
        sentences.insert(-1, "Never: in no memory of up to 64 MiB, for at least one of them.")
    if limit := settings["operations_limit"]:
        sentences.insert(0, f"Only the first {limit:,} operations of each trace were replayed.")
    return sentences


def _percent(value: Optional[float]) -> str:
    return "-" if value is None else f"{value:.1f}"


def _figure(document: Document, chosen: Sequence[Record], title: str, note: str, figure: str,
            written: Callable[[Optional[float]], str],
            best: Callable[[Iterable[float]], float]) -> list[Table]:
    """One figure at every heap size, in as many tables as it takes."""
    rows: list[Row] = [{"strategy": strategy, **{
        str(kib): _summary([one for one in chosen if one["strategy"] == strategy
                            and one["heap_kib"] == kib])
        for kib in document["settings"]["heap_kib"]}}
        for strategy in document["settings"]["strategies"]]
    sizes = document["settings"]["heap_kib"]
    return [filled(title, note, [_column(kib, figure, written, best)
                                 for kib in sizes[first:first + COLUMNS]], rows,
                   name=lambda row: str(row["strategy"]))
            for first in range(0, len(sizes), COLUMNS)]


def _column(kib: int, figure: str, written: Callable[[Optional[float]], str],
            best: Callable[[Iterable[float]], float]) -> Column:
    key = str(kib)
    return Column(size(kib), lambda row: row[key][figure], written, best=best,
                  only_least_failures=figure == "mean", marks_failures=figure == "mean",
                  failures=lambda row: int(row[key]["failures"]))


def _summary(records: Sequence[Record]) -> dict[str, Any]:
    operations = sum(one["cost"]["operations"] for one in records)
    tight = [one["tightness"] for one in records]
    return {
        "mean": sum(one["cost"]["total"] for one in records) / operations if operations else None,
        "tightness": None if None in tight else sum(tight) / len(tight),
        "spread": max(map(_spread, _by_trace(records)), default=None),
        "failures": sum(one["failures"] for one in records),
    }


def _by_trace(records: Sequence[Record]) -> list[list[float]]:
    """The mean costs of each workload, over seeds."""
    names = dict.fromkeys(one["trace"] for one in records)
    means = [[one["cost"]["mean"] for one in records
              if one["trace"] == name and one["cost"]["operations"]] for name in names]
    return [some for some in means if some]


def _spread(means: Sequence[float]) -> float:
    middle = sum(means) / len(means)
    return 100 * (max(means) - min(means)) / middle if middle else 0.0
