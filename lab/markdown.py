# SPDX-License-Identifier: MIT
"""The results as Markdown, inside a document that somebody wrote around them.

A place for figures begins with the line `<!-- figures -->` and ends with the line
`<!-- end of figures -->`. With `<!-- figures: TITLE, TITLE -->` only those tables go there.
Goals have a place of their own (lab/goals.py).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Optional, Sequence

from lab import goals, results, table
from lab.errors import InputError
from lab.results import Document

_PLACE = re.compile(r"(?ms)^(<!-- figures(?:: ([^>\n]*))? -->)\n.*?^(<!-- end of figures -->)$")

_GOALS = re.compile(r"(?ms)^(<!-- goals -->)\n.*?^(<!-- end of goals -->)$")


def _table(one: table.Table) -> str:
    lines = [f"**{one.title}**: {one.note}", "",
             "| " + " | ".join(title.replace("\n", " ") for title in one.columns) + " |",
             "|---" + "|--:" * (len(one.columns) - 1) + "|"]
    for strategy, cells in one.rows:
        written = (f"**{cell.text}**" if cell.mark == table.BEST else cell.text + cell.mark
                   for cell in cells)
        lines.append(f"| {strategy} | " + " | ".join(written) + " |")
    return "\n".join(lines)


def figures(document: Document, titles: Optional[Sequence[str]] = None) -> str:
    """The tables of a document, all or those with these titles, and what they mean.

    Raises InputError if there is no table of such a title.
    """
    made = {one.title: one for one in table.tables(document)}
    for title in titles or ():
        if title not in made:
            raise InputError(f"there is no table {title!r}; there are: {', '.join(made)}")
    parts = [_table(made[title]) for title in titles or made]
    legend = [sentence.replace(f"{table.BEST} marks the best", "Bold is the best")
              for sentence in table.legend(document)]
    return "\n\n".join([*parts, "\n".join(f"- {sentence}" for sentence in legend)])


def check(path: Path) -> Optional[str]:
    """The text of `path`, None if it is new; InputError if it has no place for the figures."""
    text = results.text_in(path)
    if text is not None and not _PLACE.search(text):
        raise InputError(f"{path}: has no place for the figures: '<!-- figures -->' on a line,"
                         " '<!-- end of figures -->' on a later one")
    return text


def text_for(path: Path, document: Document) -> str:
    """The text of `path` with the figures in their places; just the figures if it is new."""
    text = check(path)
    if text is None:
        text = "<!-- figures -->\n<!-- end of figures -->\n"

    def place(found: re.Match[str]) -> str:
        titles = [title.strip() for title in found[2].split(",")] if found[2] else None
        return f"{found[1]}\n{figures(document, titles)}\n{found[3]}"

    text = _PLACE.sub(place, text)
    reached = goals.table(document)
    if not reached:
        return text
    return _GOALS.sub(lambda found: f"{found[1]}\n{reached}\n{found[2]}", text)
