# SPDX-License-Identifier: MIT
"""The results as tables: one model, shown on terminals by rich and on pages by jinja2."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import Any, Callable, Iterable, Mapping, Optional, Sequence, TextIO

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from lab.results import COSTS, FOOTPRINT_FIELDS, Document, Record

WIDTH = 100
"""Columns that a table takes at most."""

BEST, WARNING = "*", "!"
_STYLES = {BEST: "bold green", WARNING: "bold red"}

Value = Optional[float]
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One figure: where it stands in a row, how it is written, and which end of it is good."""

    title: str
    value: Callable[[Row], Value]
    written: Callable[[Value], str]
    best: Optional[Callable[[Iterable[float]], float]] = min
    only_least_failures: bool = False
    """A heap that refuses requests is quick: such columns are won among the least failures."""
    warns: bool = False
    """Whatever is above the least is marked as a warning, and the least is not marked."""


@dataclass(frozen=True)
class Cell:
    """One figure as it is written."""

    text: str
    mark: str = ""
    """BEST, WARNING or nothing."""

    @property
    def marked(self) -> str:
        """The text with its mark, or a space that keeps columns aligned."""
        return self.text + (self.mark or " ")


@dataclass(frozen=True)
class Table:
    """A titled table: a row for each strategy."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]] = field(default_factory=list)


def _whole(value: Value) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _mean(value: Value) -> str:
    return "-" if value is None else f"{value:,.1f}" if value < 10_000 else f"{value:,.0f}"


def _share(value: Value) -> str:
    return "never" if value is None else f"{value:.4f}"


def _cost(kind: str, figure: str) -> Callable[[Row], Value]:
    return lambda row: row[kind][figure]


def _footprint(name: str) -> Callable[[Row], Value]:
    return lambda row: row["footprint"][name]


COST_COLUMNS = (
    Column("mean", _cost("cost", "mean"), _mean, only_least_failures=True),
    Column("p99.9", _cost("cost", "p999"), _whole, only_least_failures=True),
    Column("max", _cost("cost", "max"), _whole, only_least_failures=True),
    Column("kmalloc", _cost("malloc", "mean"), _mean, only_least_failures=True),
    Column("kfree", _cost("free", "mean"), _mean, only_least_failures=True),
    Column("tightness", lambda row: row["tightness"], _share, best=max),
    Column("failures", lambda row: row["failures"], _whole, warns=True),
)

FOOTPRINT_COLUMNS = (
    Column("side array", _footprint("map_bytes"), _whole),
    Column("control", _footprint("control_bytes"), _whole),
    Column(".text", _footprint("text_bytes"), _whole),
    Column("stack", _footprint("stack_bytes"), _whole),
    Column("kinitHeap", lambda row: row["init_cost"], _whole),
)


def _best_rows(column: Column, rows: Sequence[Row]) -> set[int]:
    """The rows that win a column; none if there is nothing to win."""
    if not column.best or len(rows) < 2:
        return set()
    least = min(row["failures"] for row in rows)
    values = {index: value for index, row in enumerate(rows)
              if (value := column.value(row)) is not None
              and not (column.only_least_failures and row["failures"] > least)}
    if not values:
        return set()
    best = column.best(values.values())
    winners = {index for index, value in values.items() if value == best}
    return winners if len(winners) < len(rows) else set()


def _table(title: str, note: str, columns: Sequence[Column], rows: Sequence[Row]) -> Table:
    winners = [_best_rows(column, rows) for column in columns]
    return Table(title, note, ["strategy", *(column.title for column in columns)], [
        (row["strategy"], [Cell(column.written(column.value(row)), _mark(column, best, index))
                           for column, best in zip(columns, winners)])
        for index, row in enumerate(rows)])


def _mark(column: Column, best: set[int], index: int) -> str:
    if column.warns:
        return WARNING if best and index not in best else ""
    return BEST if index in best else ""


def ordered(document: Document, trace: str) -> list[Record]:
    """The records of one trace, in the order in which the strategies were asked for."""
    order = {name: place for place, name in enumerate(document["settings"]["strategies"])}
    return sorted((one for one in document["records"] if one["trace"] == trace),
                  key=lambda one: order[one["strategy"]])


def _total_cost(records: Sequence[Record], kind: str) -> dict[str, Value]:
    operations = sum(one[kind]["operations"] for one in records)
    total = sum(one[kind]["total"] for one in records)
    worst = {figure: max((one[kind][figure] for one in records if one[kind]["operations"]),
                         default=None) for figure in ("p999", "max")}
    return {"mean": total / operations if operations else None, **worst}


def _totals(document: Document) -> list[Row]:
    """A row for each strategy over all traces: mean of all operations, worst of the extremes."""
    rows: list[Row] = []
    for strategy in document["settings"]["strategies"]:
        records = [one for one in document["records"] if one["strategy"] == strategy]
        tight = [one["tightness"] for one in records]
        rows.append({
            "strategy": strategy,
            **{kind: _total_cost(records, kind) for kind in COSTS},
            "tightness": None if None in tight else sum(tight) / len(tight),
            "failures": sum(one["failures"] for one in records),
            "footprint": {name: max(one["footprint"][name] for one in records)
                          for name in FOOTPRINT_FIELDS},
            "init_cost": max(one["init_cost"] for one in records),
        })
    return rows


def tables(document: Document) -> list[Table]:
    """All tables of a document: one for each trace, the totals, the footprint."""
    made = []
    for trace in document["settings"]["traces"]:
        records = ordered(document, trace)
        made.append(_table(
            trace, f"{records[0]['operations']:,} operations,"
            f" at most {records[0]['peak_requested_bytes']:,} bytes requested at once",
            COST_COLUMNS, records))
    totals = _totals(document)
    if len(document["settings"]["traces"]) > 1:
        made.append(_table("all traces", "mean over all operations and mean tightness;"
                           " the worst p99.9 and max; all failures", COST_COLUMNS, totals))
    made.append(_table(
        "footprint", f"bytes beside the heap; deepest stack of any operation; cost of kinitHeap"
        f" in {document['settings']['unit']}", FOOTPRINT_COLUMNS, totals))
    return made


def legend(document: Document) -> list[str]:
    """What the figures mean, in sentences."""
    settings = document["settings"]
    first = document["records"][0]
    sentences = [
        f"Costs in {settings['unit']} per operation, of kmalloc, krealloc and kfree together"
        " unless a column says otherwise.",
        f"Heap: {settings['heap_kib']:,} KiB, side array on top; hardening"
        f" {first['hardening']}, locking {first['locking']}.",
        "Tightness: most bytes requested at once / smallest total memory in which the trace runs"
        " without a failure (1 is perfect).",
        "Failures: requests that got NULL.",
        f"{BEST} marks the best of a column. {WARNING} marks more failures than others have: such"
        " a heap does less work, so its costs do not compete.",
    ]
    if limit := settings["operations_limit"]:
        sentences.insert(0, f"QUICK: only the first {limit:,} operations of each trace."
                            " Leave --quick away for the whole.")
    return sentences


def _rich(table: Table, widths: Sequence[int]) -> RichTable:
    made = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for place, (title, width) in enumerate(zip(table.columns, widths)):
        made.add_column(title + (" " if place else ""), justify="right" if place else "left",
                        no_wrap=True, min_width=width, overflow="ellipsis")
    for strategy, cells in table.rows:
        made.add_row(Text(strategy), *(
            Text(cell.marked, style=_STYLES.get(cell.mark, "")) for cell in cells))
    return made


def _widths(same: Sequence[Table]) -> list[int]:
    """Column widths that tables with the same columns can share."""
    lines = [[name, *(cell.marked for cell in cells)] for one in same for name, cells in one.rows]
    lines += [[title + " " for title in one.columns] for one in same]
    return [max(map(len, column)) for column in zip(*lines)]


def show(document: Document, file: TextIO) -> None:
    """Print all tables and their legend to `file`, at most WIDTH columns wide.

    A terminal that is narrower wraps lines, but no figure is cut.
    """
    console = Console(file=file, highlight=False, width=WIDTH)
    made = tables(document)
    for table in made:
        alike = [other for other in made if other.columns == table.columns]
        console.print()
        console.print(Text.assemble((table.title, "bold"), f": {table.note}"))
        console.print(_rich(table, _widths(alike)))
    console.print()
    for sentence in legend(document):
        for line in textwrap.wrap(sentence, console.width):
            console.print(Text(line, style="dim"))
