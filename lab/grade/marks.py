# SPDX-License-Identifier: MIT
"""The rule for marks: all of it is here, and docs/grading.md tells it.

A property's mark is the number of classics that are not better than the heap: a point for each
that it equals or beats. So a mark says, without any scale of its own, in whose company a heap is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping, Optional, Sequence

CLASSICS = ("bitmap", "free-list", "boundary-tag", "tlsf", "boundary-map")
"""From the naive heap to the best that is known, as they are in mm/."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Property:
    """Something that a heap is measured by."""

    name: str
    unit: str
    value: Callable[[Row], Optional[float]]
    """Of a row of lab.table.totals(); None if it has none."""
    more_is_better: bool = False
    counts_work: bool = False
    """A heap that refuses requests does less work: then this says nothing, and gets no point."""
    digits: int = 0

    def written(self, value: Optional[float]) -> str:
        """A value as it is shown."""
        return "never" if value is None else f"{value:,.{self.digits}f}"

    def is_better(self, one: Optional[float], other: Optional[float]) -> bool:
        """Whether the value `one` is better than `other`; any is better than none."""
        if one is None or other is None:
            return one is not None and other is None
        return one > other if self.more_is_better else one < other


PROPERTIES = (
    Property("cost", "mean instructions an operation",
             lambda row: row["cost"]["mean"], counts_work=True, digits=1),
    Property("worst case", "instructions of the costliest operation",
             lambda row: row["cost"]["max"], counts_work=True),
    Property("tightness", "requested / smallest memory that does",
             lambda row: row["tightness"], more_is_better=True, digits=4),
    Property("size", "bytes of code, constants and control block",
             lambda row: row["footprint"]["text_bytes"] + row["footprint"]["control_bytes"]),
)

POINTS = len(CLASSICS)
"""The best mark of a property; the worst is 0."""


@dataclass(frozen=True)
class Mark:
    """What a heap gets for one property."""

    of: Property
    points: int
    reason: str

    def __str__(self) -> str:
        return f"{self.points}/{POINTS}"


def _reason(of: Property, better: Sequence[tuple[float, str]]) -> str:
    if not better:
        return "no classic is better"
    value, name = (min if of.more_is_better else max)(better)
    return f"next to reach: {name}, {of.written(value)}"


def mark(of: Property, row: Row, classics: Sequence[Row]) -> Mark:
    """The mark of the heap that `row` is about, beside those of the classics."""
    least = min(one["failures"] for one in classics)
    if of.counts_work and row["failures"] > least:
        return Mark(of, 0, f"it refused {row['failures']:,} requests, the classics {least:,}:"
                    " less work is no speed")
    mine = of.value(row)
    better = [(value, one["strategy"]) for one in classics
              if of.is_better(value := of.value(one), mine)]
    return Mark(of, len(classics) - len(better),
                _reason(of, [(value, name) for value, name in better if value is not None]))


def marks(row: Row, classics: Sequence[Row]) -> list[Mark]:
    """All marks of a heap."""
    return [mark(one, row, classics) for one in PROPERTIES]
