# SPDX-License-Identifier: MIT
"""What searches found, as tables: on a terminal and in Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence

from rich import box
from rich.table import Table

from lab import results
from lab.errors import InputError
from lab.worst import cost_bounds, goals
from lab.worst.cost_bounds import FREE
from lab.worst.goals import MEMORY
from lab.worst.records import Record

BEGIN, END = "<!-- worst -->", "<!-- end of worst -->"
_PLACE = re.compile(f"(?ms)^{BEGIN}\n.*?^{END}$")

NONE_PROVEN = "none proven"


@dataclass(frozen=True)
class Kind:
    """One table: the finds of some goals."""

    title: str
    goals: Sequence[str]
    columns: Sequence[str]
    notes: Sequence[str]


COSTS = Kind(
    "the dearest call", [goal for goal in goals.NAMES if goal != MEMORY],
    ("strategy", "call", "found", "bound", "ratio", "operations", "at most"),
    ("found: instructions of one call, counted in the booted kernel;"
     f" the heap has {goals.HEAP_KIB} KiB, boundary-map's"
     f" {goals.HEAP_KIB_OF['boundary-map']:,}.",
     "bound: what the call may take for a block of that size in that heap; turns of loops by"
     " theory, instructions a turn by the machine code; boundary-map's is argued in its file.",
     "operations: of the trace; without a +, none of them can be left away."))

MEMORIES = Kind(
    "the most memory", [MEMORY],
    ("strategy", "live", "found", "of live", "bound", "ratio", "operations", "at most"),
    (f"Requests of {goals.MEMORY_LIMITS.size_min} to {goals.MEMORY_LIMITS.size_max:,} bytes, of"
     f" which at most {goals.MEMORY_LIMITS.live_bytes:,} are live, in at most"
     f" {goals.MEMORY_LIMITS.operations:,} operations.",
     "live: the most bytes requested at once. found: bytes of the smallest heap in which the trace"
     " runs, side array included.",
     "bound: what is always enough for that trace. M: bytes live as granted, m: blocks live when"
     " a request of n comes, p: its pages, P: those live blocks need; H(n): 1 + 1/2 + ... + 1/n."))

KINDS = (COSTS, MEMORIES)


def _share(record: Record) -> str:
    return f"{record['figure'] / record['bound']:.3f}" if record["bound"] else "-"


def _bound(record: Record) -> str:
    return f"{record['bound']:,}" if record["bound"] else NONE_PROVEN


def _length(record: Record) -> str:
    return f"{record['operations']:,}{'' if record['minimal'] else ' +'}"


def call(record: Record) -> str:
    """The dearest call, in words."""
    name = "kfree" if record["goal"] == FREE else "kmalloc"
    size = record["operation_bytes"]
    return f"{name}, {size:,} {'byte' if size == 1 else 'bytes'}"


def row(record: Record) -> list[str]:
    """The cells of a find."""
    if record["goal"] == MEMORY:
        times = record["figure"] / record["peak_requested_bytes"]
        return [record["strategy"], f"{record['peak_requested_bytes']:,}",
                f"{record['figure']:,}", f"{times:.2f}", _bound(record), _share(record),
                _length(record), record["bound_words"]]
    return [record["strategy"], call(record), f"{record['figure']:,}", _bound(record),
            _share(record), _length(record), record["bound_words"]]


def _rows(kind: Kind, records: Sequence[Record]) -> list[list[str]]:
    return [row(record) for record in records if record["goal"] in kind.goals]


def table(kind: Kind, records: Sequence[Record]) -> Table:
    """For a terminal of 100 columns: without the words of the bounds."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, title=kind.title,
                 title_justify="left", title_style="bold")
    for index, title in enumerate(kind.columns[:-1]):
        made.add_column(title, justify="left" if title in ("strategy", "call") else "right",
                        no_wrap=index == 0)
    for cells in _rows(kind, records):
        made.add_row(*cells[:-1])
    return made


def finding(records: Sequence[Record]) -> list[str]:
    """What the search of a bin comes to in boundary-map, if that was searched for."""
    return [f"boundary-map's kmalloc of {one['operation_bytes']:,} bytes looks at every hole of"
            f" its bin, twice over: without these it would be allowed"
            f" {cost_bounds.claimed(one['operation_bytes']):,} instructions and not"
            f" {one['bound']:,}, and {one['figure']:,} were counted. It is the one cost there that"
            " others decide by what they did." for one in records if one["goal"] == goals.LONG
            and one["figure"] > cost_bounds.claimed(one["operation_bytes"])]


def _markdown(kind: Kind, records: Sequence[Record]) -> str:
    rows = _rows(kind, records)
    left = ("strategy", "call", "at most")
    lines = [f"**{kind.title}**", "", "| " + " | ".join(kind.columns) + " |",
             "|" + "|".join("---" if title in left else "--:" for title in kind.columns) + "|"]
    lines += ["| " + " | ".join(cells) + " |" for cells in rows]
    said = [*kind.notes, *(finding(records) if kind is COSTS else [])]
    return "\n".join([*lines, "", *(f"- {note}" for note in said)])


def figures(records: Sequence[Record]) -> str:
    """All tables, in Markdown."""
    return "\n\n".join(_markdown(kind, records) for kind in KINDS)


def check(path: Path) -> Optional[str]:
    """The text of `path`, None if it is new; InputError if it has no place for the tables."""
    text = results.text_in(path)
    if text is not None and not _PLACE.search(text):
        raise InputError(f"{path}: has no place for the tables: '{BEGIN}' on a line, '{END}'"
                         " on a later one")
    return text


def text_for(path: Path, records: Sequence[Record]) -> str:
    """The text of `path` with the tables in their place; just the tables if it is new."""
    text = check(path)
    if text is None:
        text = f"{BEGIN}\n{END}\n"
    return _PLACE.sub(lambda _: f"{BEGIN}\n{figures(records)}\n{END}", text)
