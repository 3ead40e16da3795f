# SPDX-License-Identifier: MIT
"""What changed since an earlier comparison, and whether anything got worse.

Counts are exact, so whatever differs is a change of the programs and not of the weather: any
figure that got worse can fail a check. A tolerance is for what is given up on purpose. Cycles
differ from run to run, and are held against nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Optional, TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lab import heaps, results
from lab.errors import InputError
from lab.results import COSTS, Document, Record
from lab.table import WIDTH

Value = Optional[Fraction]
Place = tuple[str, str]
"""A heap's name and a trace."""

_COMPARABLE = ("heap_kib", "unit", "operations_limit")
_STYLES = {"worse": "bold red", "better": "bold green"}


@dataclass(frozen=True)
class Figure:
    """One figure of a record, exactly, and which end of it is good."""

    name: str
    value: Callable[[Record], Value]
    digits: int = 0
    more_is_better: bool = False
    null_is_worst: bool = False
    """Null says that there is no heap in which the trace runs, not that nothing was counted."""


def _cost(kind: str, field: str) -> Figure:
    def mean(one: Record) -> Value:
        cost = one[kind]
        return Fraction(cost["total"], cost["operations"]) if cost["operations"] else None

    def other(one: Record) -> Value:
        return None if one[kind][field] is None else Fraction(one[kind][field])

    name = field.replace("p999", "p99.9")
    name = name if kind == "cost" else f"k{kind} {name}"
    return Figure(name, mean, digits=2) if field == "mean" else Figure(name, other)


def _tightness(one: Record) -> Value:
    """The share that the record has rounded to four places."""
    if one["tightness"] is None:
        return None
    total = one["smallest_total_bytes"] or results.total_bytes(one["heap_kib"])
    return Fraction(one["peak_requested_bytes"], total)


def _whole(name: str, value: Callable[[Record], Optional[int]]) -> Figure:
    def fraction(one: Record) -> Value:
        whole = value(one)
        return None if whole is None else Fraction(whole)

    return Figure(name, fraction)


FIGURES = (
    _whole("failures", lambda one: one["failures"]),
    Figure("tightness", _tightness, digits=4, more_is_better=True, null_is_worst=True),
    *(_cost(kind, field) for kind in COSTS for field in ("mean", "p50", "p99", "p999", "max")),
    _whole("kinitHeap", lambda one: one["init_cost"]),
    _whole("side array", lambda one: one["footprint"]["map_bytes"]),
    _whole("control", lambda one: one["footprint"]["control_bytes"]),
    _whole(".text", lambda one: one["footprint"]["text_bytes"]),
    _whole("stack", lambda one: one["footprint"]["stack_bytes"]),
    _whole("hardening", lambda one: one["footprint"]["hardening_bytes"]),
    _whole("locking", lambda one: one["footprint"]["locking_bytes"]),
)


@dataclass(frozen=True)
class Summary:
    """What of a document is held against another."""

    settings: Mapping[str, Any]
    traces: Mapping[str, str]
    """By name: the SHA-256 of the text."""
    compilers: Mapping[str, str]
    """By heap: the kernel's."""
    figures: Mapping[Place, Mapping[str, Value]]


def summary(document: Document) -> Summary:
    """What of a document is held against another."""
    return Summary(
        {name: document["settings"][name] for name in _COMPARABLE},
        {trace["name"]: trace["sha256"] for trace in document["traces"]},
        {name: programs["kernel"]["compiler"] for name, programs in document["build"].items()},
        {(heaps.of(one).name, one["trace"]): {figure.name: figure.value(one) for figure in FIGURES}
         for one in document["records"]})


def read(path: Path) -> Summary:
    """The results in a file.

    Raises InputError if they are not those of `heaplab compare`.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: the baseline cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path}: the baseline is not JSON: {error}") from None
    kind = (document.get("schema"), document.get("version")) if isinstance(document, dict) else ()
    if kind != (results.SCHEMA, results.VERSION):
        raise InputError(f"{path}: the baseline is no results file of this version of"
                         " 'heaplab compare --json'")
    try:
        return summary(document)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise InputError(f"{path}: the baseline is damaged: {type(error).__name__}:"
                         f" {error}") from None


def check_unit(unit: str, accel: str) -> None:
    """Raise InputError unless costs in `unit` are exact; `accel` is the option they come from."""
    if unit != "instructions":
        raise InputError(f"--baseline: not with --accel {accel}: its {unit} differ from run to run,"
                         " and only exact counts can be held against earlier ones")


def check(path: Path, old: Summary, settings: Mapping[str, Any],
          traces: Mapping[str, str]) -> None:
    """Raise InputError unless what is going to be measured can be held against `old`."""
    for name in _COMPARABLE:
        if old.settings[name] != settings[name]:
            raise InputError(f"{path}: the baseline's {name} is {old.settings[name]}, this"
                             f" comparison's is {settings[name]}")
    for name in sorted(traces.keys() & old.traces.keys()):
        if traces[name] != old.traces[name]:
            raise InputError(f"{path}: the baseline is of another {name}: its text has changed")


def _decimal(value: Fraction) -> Decimal:
    """The value in 28 digits, for writing: a float has 15."""
    return Decimal(value.numerator) / value.denominator


@dataclass(frozen=True)
class Change:
    """A figure that is not what it was."""

    place: Place
    figure: Figure
    old: Value
    new: Value

    @property
    def share(self) -> Value:
        """By how much it changed, as a share of what it was; None if that says nothing."""
        if self.old is None or self.new is None or not self.old:
            return None
        return self.new / self.old - 1

    @property
    def direction(self) -> int:
        """1: worse; -1: better; 0: neither, since there is nothing to compare with."""
        if self.old is None or self.new is None:
            return (-1 if self.old is None else 1) if self.figure.null_is_worst else 0
        return 1 if (self.new > self.old) != self.figure.more_is_better else -1

    def is_worse_by_more_than(self, tolerance: Fraction) -> bool:
        """Worse from nothing is worse by more than any share."""
        return self.direction > 0 and (self.share is None or abs(self.share) > tolerance)

    def cells(self, tolerance: Fraction) -> Iterator[str]:
        """The change as it is written, a column each."""
        digits = self.figure.digits
        while digits and digits < 12 and \
                self._written(self.old, digits) == self._written(self.new, digits):
            digits += 1
        yield from (*self.place, self.figure.name)
        yield from (self._written(value, digits) for value in (self.old, self.new))
        yield "" if self.share is None else f"{_decimal(self.share):+,.2%}"
        worse = "worse" if self.is_worse_by_more_than(tolerance) else "tolerated"
        yield {1: worse, -1: "better", 0: ""}[self.direction]

    def _written(self, value: Value, digits: int) -> str:
        if value is None:
            return "never" if self.figure.null_is_worst else "-"
        return f"{_decimal(value):,.{digits}f}"


@dataclass(frozen=True)
class Comparison:
    """Two results, held against each other."""

    old: Summary
    new: Summary
    tolerance: Fraction

    @property
    def changes(self) -> list[Change]:
        """In the order of the new results."""
        return [Change(place, figure, self.old.figures[place][figure.name], value[figure.name])
                for place, value in self.new.figures.items() if place in self.old.figures
                for figure in FIGURES
                if self.old.figures[place][figure.name] != value[figure.name]]

    @property
    def worse(self) -> list[Change]:
        """What got worse by more than the tolerance."""
        return [one for one in self.changes if one.is_worse_by_more_than(self.tolerance)]

    @property
    def compilers(self) -> list[tuple[str, str]]:
        """The compilers of old and new kernels, where they differ."""
        both = self.old.compilers.keys() & self.new.compilers.keys()
        pairs = ((self.old.compilers[name], self.new.compilers[name]) for name in sorted(both))
        return [(old, new) for old, new in dict.fromkeys(pairs) if old != new]

    def sentences(self) -> Iterator[str]:
        """What a table of changes does not say."""
        for old, new in self.compilers:
            yield (f"The compiler has changed from '{old}' to '{new}': counts differ between"
                   " compilers.")
        for what, one, other in (("In the baseline, but not measured now", self.old, self.new),
                                 ("Measured now, but not in the baseline", self.new, self.old)):
            places = [f"{heap} on {trace}" for heap, trace in one.figures
                      if (heap, trace) not in other.figures]
            if places:
                yield f"{what}: {', '.join(places)}."
        compared = len(self.old.figures.keys() & self.new.figures.keys()) * len(FIGURES)
        better = sum(one.direction < 0 for one in self.changes)
        margin = f" by more than {float(self.tolerance):.6g} of what they were" \
            if self.tolerance else ""
        yield (f"Of {compared:,} figures {len(self.worse):,} got worse{margin}, {better:,} got"
               f" better, {compared - len(self.changes):,} are the same to the last digit.")

    def show(self, path: Path, file: TextIO) -> None:
        """Print what changed since `path` to `file`."""
        console = Console(file=file, highlight=False, width=WIDTH)
        made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
        for title in ("heap", "trace", "figure", "was", "is", "change", ""):
            numeric = title in ("was", "is", "change")
            made.add_column(title, justify="right" if numeric else "left", no_wrap=numeric,
                            overflow="fold")
        for one in self.changes:
            *cells, verdict = one.cells(self.tolerance)
            made.add_row(*map(Text, cells), Text(verdict, style=_STYLES.get(verdict, "")))
        console.print()
        console.print(Text.assemble((f"changes since {path}", "bold")))
        if self.changes:
            console.print(made)
        for sentence in self.sentences():
            console.print(Text(sentence), soft_wrap=True)
