# SPDX-License-Identifier: MIT
"""A sweep as one page that needs nothing else: curves and tables of every trace.

Of a single heap size there are no curves, and the tables have a column for each trace.
"""

from __future__ import annotations

from typing import Any, Iterable

from lab import report
from lab.heaps import Care
from lab.report import Picture
from lab.results import Document
from lab.sweep import tables

_CAPTIONS = {
    "cost": "Instructions for one kmalloc, krealloc or kfree against the heap's size.",
    "tightness": "Most bytes requested at once, as a share of the smallest memory that does.",
}
_BAND = " The band reaches from the lowest to the highest seed."


def page(document: Document, charts: Iterable[tuple[str, str, Care, str]]) -> str:
    """The HTML page of a sweep, with its pictures."""
    pictures: dict[str, list[Picture]] = {}
    settings = document["settings"]
    for name, trace, care, svg in charts:
        kind = name.partition("-")[0]
        band = _BAND if settings["seeds"] > 1 else ""
        pictures.setdefault(trace, []).append(Picture(
            f"{trace}, {kind}{care.told(settings)}", _CAPTIONS[kind] + band, svg))
    parts: list[dict[str, Any]] = [
        {"title": trace, "pictures": shown, "tables": tables.of_traces(document, [trace], trace)}
        for trace, shown in pictures.items()] or [
        {"title": title, "pictures": [], "tables": tables.of_traces(document, names, title)}
        for title, names in tables.groups(document)]
    sizes = [tables.size(kib) for kib in settings["heap_kib"]]
    return report.rendered("sweep.html", document=document, parts=parts,
                           legend=tables.legend(document),
                           where=f"from {sizes[0]} to {sizes[-1]}" if len(sizes) > 1 else
                           f"at {sizes[0]}")
