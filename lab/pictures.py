# SPDX-License-Identifier: MIT
"""The pictures that documents show, each a file of its own."""

from __future__ import annotations

from lab import figures, tradeoff
from lab.results import Document, sampled_traces


def all_of(document: Document) -> dict[str, str]:
    """The pictures of a document as SVG, by name."""
    made = {"cost": figures.cost(document), "tradeoff": tradeoff.chart(document)}
    if sampled_traces(document):
        made |= {"holes": figures.holes(document), "portraits": figures.portraits(document)}
    return made
