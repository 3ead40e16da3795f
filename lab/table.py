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

from lab import heaps
from lab.results import COSTS, FOOTPRINT_FIELDS, Document, Record, main_traces
from lab.trace import is_fill
from lab.words import plural

WIDTH = 100
"""Columns that a table takes at most."""

_GAP = 2
"""Between two columns."""

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
    failures: Callable[[Row], int] = lambda row: int(row["failures"])
    """The failures of the replay that the figure is of."""
    marks_failures: bool = False
    """A figure with more failures than the least is marked as a warning."""


@dataclass(frozen=True)
class Cell:
    """One figure as it is written."""

    text: str
    mark: str = ""
    """BEST, WARNING or nothing."""
    value: Value = None
    """The figure itself, for sorting."""

    @property
    def marked(self) -> str:
        """The text with its mark, or a space that keeps columns aligned."""
        return self.text + (self.mark or " ")


@dataclass(frozen=True)
class Table:
    """A titled table: a row for each heap."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Cell]]] = field(default_factory=list)


def whole(value: Value) -> str:
    """A whole number as it is written."""
    return "-" if value is None else f"{value:,.0f}"


def mean(value: Value) -> str:
    """A mean as it is written: with its first decimal, where that tells."""
    return "-" if value is None else f"{value:,.1f}" if value < 10_000 else f"{value:,.0f}"


def share(value: Value) -> str:
    """A tightness as it is written; none: the trace fits in no heap."""
    return "never" if value is None else f"{value:.4f}"


def _cost(kind: str, figure: str) -> Callable[[Row], Value]:
    return lambda row: row[kind][figure]


def _footprint(name: str) -> Callable[[Row], Value]:
    return lambda row: row["footprint"][name]


COST_COLUMNS = (
    Column("mean", _cost("cost", "mean"), mean, only_least_failures=True),
    Column("p99.9", _cost("cost", "p999"), whole, only_least_failures=True),
    Column("max", _cost("cost", "max"), whole, only_least_failures=True),
    Column("kmalloc", _cost("malloc", "mean"), mean, only_least_failures=True),
    Column("kfree", _cost("free", "mean"), mean, only_least_failures=True),
    Column("tightness", lambda row: row["tightness"], share, best=max),
    Column("failures", lambda row: row["failures"], whole, warns=True),
)

FOOTPRINT_COLUMNS = (
    Column("side array", _footprint("map_bytes"), whole),
    Column("control", _footprint("control_bytes"), whole),
    Column(".text", _footprint("text_bytes"), whole),
    Column("stack", _footprint("stack_bytes"), whole),
    Column("kinitHeap", lambda row: row["init_cost"], whole),
)

HARDENING_COLUMN = Column("hardening", _footprint("hardening_bytes"), whole)
"""Where anything is hardened."""

LOCKING_COLUMN = Column("locking", _footprint("locking_bytes"), whole)
"""Where anything is locked."""


def _failing_rows(column: Column, rows: Sequence[Row]) -> set[int]:
    """The rows with more failures than the least."""
    least = min(column.failures(row) for row in rows)
    return {index for index, row in enumerate(rows) if column.failures(row) > least}


def _best_rows(column: Column, rows: Sequence[Row]) -> set[int]:
    """The rows that win a column; none if there is nothing to win."""
    if not column.best or len(rows) < 2:
        return set()
    failing = _failing_rows(column, rows) if column.only_least_failures else set()
    values = {index: value for index, row in enumerate(rows)
              if (value := column.value(row)) is not None and index not in failing}
    if not values:
        return set()
    best = column.best(values.values())
    winners = {index for index, value in values.items() if value == best}
    return winners if len(winners) < len(rows) else set()


def name_of_heap(row: Row) -> str:
    """What a row is called where rows are heaps."""
    return heaps.of(row).name


def filled(title: str, note: str, columns: Sequence[Column], rows: Sequence[Row],
           name: Callable[[Row], str] = name_of_heap) -> Table:
    """The table of `columns` over `rows`, with the marks that its columns give."""
    marks = [_marks(column, rows) for column in columns]
    return Table(title, note, ["strategy", *(column.title for column in columns)], [
        (name(row), [
            Cell(column.written(column.value(row)), marked[index], column.value(row))
            for column, marked in zip(columns, marks)])
        for index, row in enumerate(rows)])


def _marks(column: Column, rows: Sequence[Row]) -> list[str]:
    """The mark of a column's figure in each row."""
    best = _best_rows(column, rows)
    if column.warns:
        return [WARNING if best and index not in best else "" for index in range(len(rows))]
    failing = _failing_rows(column, rows) if column.marks_failures else set()
    return [BEST if index in best else WARNING if index in failing else ""
            for index in range(len(rows))]


def ordered(document: Document, trace: str) -> list[Record]:
    """The records of one trace, in the order in which the heaps are shown."""
    order = {heap: place for place, heap in enumerate(heaps.all_of(document["settings"]))}
    return sorted((one for one in document["records"] if one["trace"] == trace),
                  key=lambda one: order[heaps.of(one)])


def _total_cost(records: Sequence[Record], kind: str) -> dict[str, Value]:
    operations = sum(one[kind]["operations"] for one in records)
    total = sum(one[kind]["total"] for one in records)
    worst = {figure: max((one[kind][figure] for one in records if one[kind]["operations"]),
                         default=None) for figure in ("p999", "max")}
    return {"mean": total / operations if operations else None, **worst}


def _most(values: Iterable[Value]) -> Value:
    """The greatest of those that were measured."""
    return max((value for value in values if value is not None), default=None)


def totals(document: Document) -> list[Row]:
    """A row for each heap over all traces: mean of all operations, worst of the extremes.

    Synthetic workloads count only where there are no traces.
    """
    names = main_traces(document)
    rows: list[Row] = []
    for heap in heaps.all_of(document["settings"]):
        records = [one for one in document["records"]
                   if heaps.of(one) == heap and one["trace"] in names]
        tight = [one["tightness"] for one in records]
        rows.append({
            "strategy": heap.strategy,
            "hardening": heap.hardening,
            "locking": heap.locking,
            **{kind: _total_cost(records, kind) for kind in COSTS},
            "tightness": None if None in tight else sum(tight) / len(tight),
            "failures": sum(one["failures"] for one in records),
            "footprint": {name: _most(one["footprint"][name] for one in records)
                          for name in FOOTPRINT_FIELDS},
            "init_cost": max(one["init_cost"] for one in records),
        })
    return rows


def _heading(workload: str) -> str:
    """A workload's name in as many lines as it has parts: columns are narrow."""
    return workload.replace("-", "\n")


def _workload_column(workload: str, figure: Callable[[Row], Value],
                     written: Callable[[Value], str],
                     best: Callable[[Iterable[float]], float] = min) -> Column:
    return Column(_heading(workload), lambda row: figure(row[workload]), written, best=best,
                  only_least_failures=best is min,
                  failures=lambda row: int(row[workload]["failures"]), marks_failures=True)


WORKLOADS_A_TABLE = 6
"""Of the standard ones, two mixes of sizes at three loads."""


def _rows_by_trace(document: Document) -> list[Row]:
    """A row for each heap, with its records by the names of their traces."""
    return [{"strategy": heap.strategy, "hardening": heap.hardening, "locking": heap.locking,
             **{one["trace"]: one for one in document["records"] if heaps.of(one) == heap}}
            for heap in heaps.all_of(document["settings"])]


def _workload_tables(document: Document) -> list[Table]:
    """One figure a table, a workload a column."""
    workloads = document["settings"]["workloads"]
    rows = _rows_by_trace(document)
    held = [name for name in workloads if not is_fill(name)]
    made = []
    for first in range(0, len(held), WORKLOADS_A_TABLE):
        part = held[first:first + WORKLOADS_A_TABLE]
        mixes = ", ".join(dict.fromkeys(name.split("-")[1] for name in part))
        for title, note, columns in (
                ("mean cost", "per operation, once the load is reached",
                 [_workload_column(name, _cost("cost", "mean"), mean) for name in part]),
                ("p99.9 cost", "the worst operation in a thousand",
                 [_workload_column(name, _cost("cost", "p999"), whole) for name in part]),
                ("max cost", "the worst operation",
                 [_workload_column(name, _cost("cost", "max"), whole) for name in part]),
                ("tightness", "in the smallest total memory that does",
                 [_workload_column(name, lambda one: one["tightness"], share, max)
                  for name in part])):
            made.append(filled(f"workloads, {title}: {mixes}", note, columns, rows))
    fills = [name for name in workloads if is_fill(name)]
    if fills:
        made.append(filled(
            "workloads, fill", "share of all memory that was requested at the first failure",
            [_workload_column(name, lambda one: one["tightness"], share, max)
             for name in fills], rows))
        made.append(filled(
            "workloads, mean cost: fill", "per operation, up to the first failure",
            [_workload_column(name, _cost("cost", "mean"), mean) for name in fills], rows))
    return made


def _simulated(name: str) -> Callable[[Row], Value]:
    return lambda one: one["simulated"][name] / one["operations"]


def _hundredths(value: Value) -> str:
    return "-" if value is None else f"{value:,.2f}"


def _is_simulated(document: Document) -> bool:
    return all("simulated" in one for one in document["records"])


def _simulated_tables(document: Document) -> list[Table]:
    """What a simulated processor did, one figure a table, a trace or workload a column."""
    settings = document["settings"]
    if not _is_simulated(document):
        return []
    rows = _rows_by_trace(document)
    names = [*settings["traces"], *settings["workloads"]]
    made = []
    for first in range(0, len(names), WORKLOADS_A_TABLE):
        part = names[first:first + WORKLOADS_A_TABLE]
        for title, note, figure in (
                ("mispredicted branches", "per operation, build-up included",
                 "mispredicted_branches"),
                ("misses of the first-level cache", "loads and stores, per operation",
                 "level_1_misses")):
            columns = [_workload_column(name, _simulated(figure), _hundredths) for name in part]
            made.append(filled(f"simulated, {title}", note, columns, rows))
    return made


def _added(column: Column) -> Column:
    """How much more a figure is than it is at the least level."""
    def value(row: Row) -> Value:
        now, before = column.value(row), column.value(row["least"])
        return None if now is None or before is None else now - before

    def written(more: Value) -> str:
        return "-" if more is None else ("+" if more > 0 else "") + column.written(more)

    return Column(column.title, value, written, best=None)


ADDED_COLUMNS = tuple(
    _added(column) for column in (*COST_COLUMNS, *FOOTPRINT_COLUMNS)
    if column.title in ("mean", "max", "kmalloc", "kfree", "tightness", ".text"))
"""As many as fit."""


def _added_table(document: Document, overall: Sequence[Row], dial: str, own: Column) -> Table:
    """What each word of a dial adds to the first of those that are there, all else being equal."""
    first = document["settings"][dial][0]

    def rest(row: Row) -> tuple[str, ...]:
        return tuple(row[name] for name in ("strategy", "hardening", "locking") if name != dial)

    least = {rest(row): row for row in overall if row[dial] == first}
    return filled(f"what {dial} adds to {first}", f"to the figures above; {dial}: bytes of"
                  " memory for its own records", (*ADDED_COLUMNS, _added(own)),
                  [{**row, "least": least[rest(row)]} for row in overall if row[dial] != first])


def _footprint_table(document: Document, overall: Sequence[Row], own: Sequence[Column]) -> Table:
    """What each heap takes besides blocks; without what nowhere was measured."""
    columns = [column for column in FOOTPRINT_COLUMNS
               if any(column.value(row) is not None for row in overall)]
    notes = {"side array": "side array: bytes of its region that the empty heap keeps",
             "stack": "deepest stack of any operation",
             "kinitHeap": f"cost of kinitHeap in {document['settings']['unit']}"}
    return filled("footprint", "; ".join(notes[column.title] for column in columns
                                         if column.title in notes), (*columns, *own), overall)


def tables(document: Document) -> list[Table]:
    """All tables of a document: one for each trace, the totals, the workloads, the footprint,
    and what hardening and locking cost."""
    made = []
    for trace in document["settings"]["traces"]:
        records = ordered(document, trace)
        made.append(filled(
            trace, f"{records[0]['operations']:,} operations,"
            f" at most {records[0]['peak_requested_bytes']:,} bytes requested at once",
            COST_COLUMNS, records))
    overall = totals(document)
    if len(document["settings"]["traces"]) > 1:
        made.append(filled("all traces", "mean over all operations and mean tightness;"
                           " the worst p99.9 and max; all failures", COST_COLUMNS, overall))
    made += _workload_tables(document)
    made += _simulated_tables(document)
    dials = (("hardening", [heaps.OFF], HARDENING_COLUMN),
             ("locking", [heaps.NONE], LOCKING_COLUMN))
    made.append(_footprint_table(document, overall, [
        own for dial, nothing, own in dials if document["settings"][dial] != nothing]))
    made += [_added_table(document, overall, dial, own) for dial, _, own in dials
             if len(document["settings"][dial]) > 1]
    return made


def legend(document: Document) -> list[str]:
    """What the figures mean, in sentences."""
    settings = document["settings"]
    sentences = [
        f"Costs in {settings['unit']} per operation, of kmalloc, krealloc and kfree together"
        " unless a column says otherwise.",
        f"Heap: {settings['heap_kib']:,} KiB, side array on top; hardening"
        f" {', '.join(settings['hardening'])}, locking"
        f" {', '.join(settings['locking'])}.",
        "Tightness: most bytes requested at once / smallest total memory in which the trace runs"
        " without a failure (1 is perfect).",
        "Failures: requests that got NULL.",
        f"{BEST} marks the best of a column. {WARNING} marks more failures than others have: such"
        " a heap does less work, so its costs do not compete.",
    ]
    if _is_simulated(document):
        sentences.insert(2, "Simulated: what a processor that valgrind's cachegrind makes up does in"
                            " the heap's own functions; one build has the same figures each time.")
    if settings["workloads"]:
        sentences.insert(2, "Workloads are synthetic (docs/runner.md), made from seed"
                            f" {settings['seed']}: the first word is what they do, the second how"
                            " large the requests are, the number how full the heap is in percent.")
    if limit := settings["operations_limit"]:
        sentences.insert(0, f"QUICK: only the first {limit:,} operations of each trace."
                            " Leave --quick away for the whole.")
    return sentences


def load(settings: Mapping[str, Any]) -> str:
    """What heaps are compared on: `5 traces and 1 workload`."""
    counts = {kind: len(settings[f"{kind}s"]) for kind in ("trace", "workload")}
    return " and ".join(plural(count, kind) for kind, count in counts.items() if count)


def _rich(table: Table, widths: Sequence[int]) -> RichTable:
    made = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for place, (title, width) in enumerate(zip(table.columns, widths)):
        made.add_column(title.replace("\n", " \n") + (" " if place else ""),
                        justify="right" if place else "left",
                        no_wrap=True, min_width=width, overflow="ellipsis")
    for strategy, cells in table.rows:
        made.add_row(Text(strategy), *(
            Text(cell.marked, style=_STYLES.get(cell.mark, "")) for cell in cells))
    return made


def _widths(same: Sequence[Table]) -> list[int]:
    """Column widths that tables with the same columns can share."""
    lines = [[name, *(cell.marked for cell in cells)] for one in same for name, cells in one.rows]
    lines += [[title + " " for title in one.columns] for one in same]
    return [max(len(line) for cell in column for line in cell.split("\n"))
            for column in zip(*lines)]


def show(document: Document, file: TextIO) -> None:
    """Print all tables and their legend to `file`, WIDTH columns wide unless figures are too long.

    A terminal that is narrower wraps lines, but no figure is cut.
    """
    show_all(tables(document), legend(document), file)


def show_all(made: Sequence[Table], sentences: Sequence[str], file: TextIO) -> None:
    """Print tables, and sentences that explain them, in the same way."""
    console = Console(file=file, highlight=False, width=WIDTH)
    for table in made:
        alike = [other for other in made if other.columns == table.columns]
        console.print()
        console.print(Text.assemble((table.title, "bold"), f": {table.note}"))
        widths = _widths(alike)
        console.width = max(WIDTH, sum(width + _GAP for width in widths))
        console.print(_rich(table, widths))
        console.width = WIDTH
    console.print()
    for sentence in sentences:
        for line in textwrap.wrap(sentence, console.width):
            console.print(Text(line, style="dim"))
