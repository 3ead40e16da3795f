# SPDX-License-Identifier: MIT
"""The results as one page that needs nothing else: the tables and the pictures."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import jinja2

from lab import figures, table, tradeoff
from lab.results import Document, sampled_traces

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


def pictures(document: Document) -> list[Picture]:
    """All pictures of a document."""
    unit = document["settings"]["unit"]
    made = [
        Picture("Cost per operation",
                f"{unit.capitalize()} for one kmalloc, krealloc or kfree: the mean, the worst one"
                " in a thousand, and the worst of all. Left is better; each labelled step"
                " is ten times the one before.",
                figures.cost(document)),
        Picture("Speed against memory",
                "Tightness over the mean cost; the whisker ends at the worst operation. No heap to"
                " the right of the line and below it is best in anything but, perhaps, its worst"
                " case. Bold: no other heap equals it in mean, worst and tightness together.",
                tradeoff.chart(document)),
    ]
    if sampled_traces(document):
        made.append(Picture(
            "Holes over time",
            "Free memory, and the largest hole in it. The gap between the two is external"
            " fragmentation: memory that is free, but of no use to a large request.",
            figures.holes(document)))
    return made


def page(document: Document) -> str:
    """The HTML page of a document."""
    return rendered("report.html", document=document, tables=table.tables(document),
                    legend=table.legend(document), pictures=pictures(document))


def rendered(template: str, **values: object) -> str:
    """A page made of one of the templates."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.get_template(template).render(
        marks={table.BEST: "best", table.WARNING: "warning"}, **values)
