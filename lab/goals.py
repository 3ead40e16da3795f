# SPDX-License-Identifier: MIT
"""What boundary-map was made to reach, against what a comparison says it reached.

A document that has the line `<!-- goals -->` gets the table there, up to the line
`<!-- end of goals -->`, from a comparison with the peers, all traces and all workloads; from
any other the place stays as it is. The bound on each single operation by its size is held by
lab/tests/test_bounds.py, since a record only has the worst of all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Iterable, Iterator, Sequence

from lab.results import Document, Record, total_bytes
from lab.workload import COMMON_MIXES, LOADS, STANDARD

HEAP = "boundary-map"
RIVALS = ("dlmalloc", "tlsf")


@dataclass(frozen=True)
class Figure:
    """What was reached on one trace or workload."""

    name: str
    text: str
    met: bool


class Records:
    """The records of a document, by heap and trace."""

    def __init__(self, document: Document) -> None:
        self.traces: Sequence[str] = document["settings"]["traces"]
        self._records = {(one["strategy"], one["trace"]): one for one in document["records"]}

    def are_enough(self) -> bool:
        """Whether every figure can be told from them."""
        return bool(self.traces) and all(
            (heap, name) in self._records
            for heap in (HEAP, *RIVALS) for name in (*self.traces, *STANDARD)) and all(
            one["series"]["operation"] for one in self.all())

    def of(self, name: str, heap: str = HEAP) -> Record:
        """The record of one heap on one trace or workload."""
        return self._records[heap, name]

    def all(self) -> Iterator[Record]:
        """Those of this heap on the traces and the standard workloads."""
        return (self.of(name) for name in (*self.traces, *STANDARD))


def _mean(one: Record) -> float:
    """Of kmalloc and kfree: reallocations copy, and are another matter."""
    operations = one["malloc"]["operations"] + one["free"]["operations"]
    return (one["malloc"]["total"] + one["free"]["total"]) / operations


def _at_most(limit: float, names: Iterable[str], value: Callable[[Record], float],
             records: Records) -> list[Figure]:
    made = []
    for name in names:
        reached = value(records.of(name))
        text = f"{reached:.1f}" if isinstance(reached, float) else f"{reached:,}"
        made.append(Figure(name, text, reached <= limit))
    return made


def _tightness(one: Record) -> float:
    return one["tightness"] or 0.0


def _tightness_with_state(one: Record) -> float:
    """Tightness if a heap's fixed state outside its region counted as memory too."""
    region_bytes = one["smallest_total_bytes"] or total_bytes(one["heap_kib"])
    return one["peak_requested_bytes"] / (region_bytes + one["footprint"]["control_bytes"])


def _tighter(names: Iterable[str], share: float, records: Records,
             value: Callable[[Record], float] = _tightness) -> list[Figure]:
    """At least so large a share of what the tighter of the rivals reaches."""
    made = []
    for name in names:
        ours = value(records.of(name))
        best = max(RIVALS, key=lambda heap: value(records.of(name, heap)))
        theirs = value(records.of(name, best))
        met = ours > theirs if share == 1 else ours >= share * theirs
        made.append(Figure(name, f"{ours:.4f} ({best} {theirs:.4f})", met))
    return made


def _worst(kind: str, limit: int, records: Records) -> list[Figure]:
    worst = max(records.all(), key=lambda one: one[kind]["max"] or 0)
    return [Figure(worst["trace"], f"{worst[kind]['max']:,}", worst[kind]["max"] <= limit)]


def _largest_hole(name: str, limit_kib: int, records: Records) -> list[Figure]:
    one = records.of(name)
    series = one["series"]
    least = min(largest for operation, largest in zip(series["operation"], series["largest"])
                if operation >= one["build_up_operations"]) // 1024
    return [Figure(name, f"{least} KiB", least >= limit_kib)]


def figures(records: Records) -> Iterator[tuple[str, list[Figure]]]:
    """Each goal, and what was reached of it."""
    kernel = [f"churn-kernel-{load}" for load in LOADS]
    yield ("mean at most 45, kernel mix at 50 and 70 %", _at_most(45, kernel[:2], _mean, records))
    yield ("at most 62 at 85 %", _at_most(62, kernel[2:], _mean, records))
    yield ("at most 45 on each trace, kmalloc and kfree",
           _at_most(45, records.traces, _mean, records))
    yield ("p99.9 at most 215", _at_most(
        215, (*kernel, *records.traces), lambda one: one["cost"]["p999"], records))
    yield ("no kfree above 310, anywhere", _worst("free", 310, records))
    close = [f"churn-small-{load}" for load in LOADS]
    tight = (*kernel, "fill-kernel", *close, "fill-small", *records.traces)
    yield ("tighter than dlmalloc and tlsf", _tighter(tight, 1, records))
    yield ("the same with what they keep outside the region charged", _tighter(
        tight, 1, records, _tightness_with_state))
    others = [name for mix in COMMON_MIXES[2:]
              for name in (*(f"churn-{mix}-{load}" for load in LOADS), f"fill-{mix}")]
    yield ("within 1 % on other mixes", _tighter(others, 0.99, records))
    yield ("largest hole at 50 % at least 390 KiB", _largest_hole(kernel[0], 390, records))
    yield ("no failure at 85 %, kernel mix", _at_most(
        0, kernel[2:], lambda one: one["failures"], records))


def _cell(reached: Sequence[Figure]) -> str:
    """What fell short by name; of what did not, the figures, or how many there are."""
    short = [f"**{one.name} {one.text}**" for one in reached if not one.met]
    met = [one.text if len(reached) < 9 else "" for one in reached if one.met]
    if len(reached) >= 9:
        met = [f"{len(met)} of {len(reached)}"]
    return ", ".join(met) + ("; short: " + ", ".join(short) if short else "")


def table(document: Document) -> str:
    """The goals and what was reached, in Markdown; empty if the document has not all records."""
    records = Records(document)
    if not records.are_enough():
        return ""
    rows = [f"| {goal} | {_cell(reached)} |" for goal, reached in figures(records)]
    return "\n".join(["| goal | reached |", "|---|---|", *rows])
