# SPDX-License-Identifier: MIT
"""The results as Markdown, inside a document that somebody wrote around them."""

from __future__ import annotations

from pathlib import Path

from lab import table
from lab.errors import InputError
from lab.results import Document

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def _table(one: table.Table) -> str:
    lines = [f"**{one.title}**: {one.note}", "",
             "| " + " | ".join(one.columns) + " |",
             "|---" + "|--:" * (len(one.columns) - 1) + "|"]
    for strategy, cells in one.rows:
        written = (f"**{cell.text}**" if cell.mark == table.BEST else cell.text + cell.mark
                   for cell in cells)
        lines.append(f"| {strategy} | " + " | ".join(written) + " |")
    return "\n".join(lines)


def figures(document: Document) -> str:
    """All tables of a document, and below them what they mean."""
    parts = [_table(one) for one in table.tables(document)]
    legend = [sentence.replace(f"{table.BEST} marks the best", "Bold is the best")
              for sentence in table.legend(document)]
    return "\n\n".join([*parts, "\n".join(f"- {sentence}" for sentence in legend)])


def check(path: Path) -> None:
    """Raise InputError if `path` is a document without a place for the figures."""
    if path.exists():
        _insert(path, path.read_text("utf-8"), "")


def text_for(path: Path, document: Document) -> str:
    """The text of `path` with the figures in their place; just the figures if it is new."""
    if not path.exists():
        return f"{BEGIN}\n{figures(document)}\n{END}\n"
    return _insert(path, path.read_text("utf-8"), figures(document))


def _insert(path: Path, text: str, new: str) -> str:
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"{path}: has no place for the figures: '{BEGIN}' on a line, '{END}' on"
                         " a later one")
    return f"{before}{BEGIN}\n{new}\n{END}{after}"
