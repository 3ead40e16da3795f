# SPDX-License-Identifier: MIT
"""The results as one page that needs nothing else: the tables and the pictures."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import jinja2

from lab import figures, heaps, overtime, table, tradeoff
from lab.portrait import STATES
from lab.results import Document, main_traces, sampled_traces

_TEMPLATES = Path(__file__).resolve().parent / "templates"


@dataclass(frozen=True)
class Picture:
    """A picture inside a page."""

    title: str
    caption: str
    svg: str

    @property
    def uri(self) -> str:
        """The picture as an address that holds all of it."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg.encode()).decode()


def overview(document: Document) -> Picture:
    """The picture over all traces."""
    return Picture(
        "Speed against memory",
        "Tightness over the mean cost; the whisker ends at the worst operation. No heap to"
        " the right of the line and below it is best in anything but, perhaps, its worst"
        " case. Bold: no other heap equals it in mean, worst and tightness together.",
        tradeoff.chart(document))


def pictures(document: Document) -> dict[str, list[Picture]]:
    """By trace: what was sampled over time, and the costs."""
    sampled = sampled_traces(document)
    return {trace: [*(_over_time(document, trace) if trace in sampled else ()),
                    _cost(document, trace)]
            for trace in main_traces(document)}


def _cost(document: Document, trace: str) -> Picture:
    return Picture(
        f"{trace}: cost per operation",
        f"{document['settings']['unit'].capitalize()} for one kmalloc, krealloc or kfree: the"
        " mean, the worst one in a thousand, and the worst of all. Left is better; each labelled"
        " step is ten times the one before.",
        figures.cost(document, [trace]))


def _over_time(document: Document, trace: str) -> Iterator[Picture]:
    yield Picture(
        f"{trace}: memory over time",
        "The gap between requested and granted is waste: rounding and headers. The gap between"
        " free and the largest hole is external fragmentation: memory that is free, but of no use"
        " to a large request.",
        overtime.memory(document, trace))
    yield Picture(
        f"{trace}: portraits",
        "Time runs to the right, addresses run down; each dot shows one byte of the heap at one"
        " moment. " + " ".join(f"{state.title.capitalize()}: {state.meaning}." for state in STATES),
        overtime.portraits(document, trace))


def page(document: Document) -> str:
    """The HTML page of a document."""
    return rendered("report.html", document=document, tables=table.tables(document),
                    legend=table.legend(document), overview=overview(document),
                    pictures=pictures(document), heaps=heaps.all_of(document["settings"]),
                    on=table.load(document["settings"]))


def rendered(template: str, **values: object) -> str:
    """A page made of one of the templates."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.get_template(template).render(
        marks={table.BEST: "best", table.WARNING: "warning"}, **values)
