# SPDX-License-Identifier: MIT
"""Pages of Markdown, out of templates and records: what templates may say about numbers and names,
and how a command makes its page."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Sequence

import jinja2
from rich import box
from rich.console import Console
from rich.table import Table

from lab import evidence, results
from lab.errors import InputError
from lab.progress import duration

Document = dict[str, Any]

_TEMPLATES = Path(__file__).resolve().parent / "templates"


def environment(name: str) -> jinja2.Environment:
    """The templates of the page called `name`."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES / name), trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    made.filters.update(
        whole=lambda value: f"{value:,.0f}", one=lambda value: f"{value:,.1f}",
        two=lambda value: f"{value:,.2f}", four=lambda value: f"{value:.4f}",
        in_words=lambda value, words: words.format(value),
        percent=lambda share: f"{100 * share:.1f} %", kib=lambda value: f"{value / 1024:,.1f}",
        listed=_listed)
    return made


def _listed(names: Sequence[str]) -> str:
    """Names as a sentence has them: `a`, `b` and `c`."""
    quoted = [f"`{name}`" for name in names]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else \
        "".join(quoted)


def pictures_of(page: Path) -> Path:
    """The directory of a page's pictures: beside the page, and of its name."""
    return page.with_suffix("")


def from_page(page: Path, path: Path) -> str:
    """A file as a link on the page names it."""
    return os.path.relpath(path.absolute(), page.absolute().parent)


def _check(page: Path, json_path: Path) -> None:
    """Raise InputError unless page, pictures and records can be written."""
    if page.suffix != ".md":
        raise InputError(f"--out {page}: the page is Markdown, its name ends with .md")
    results.check_writable([page, json_path, pictures_of(page) / "figure.svg"])


def produce(page: Path, json_path: Optional[Path], measure: Callable[[Console], Document],
            files: Callable[[Document, Path, Path], Mapping[Path, str]],
            summary: Callable[[Document], Table]) -> int:
    """Measure, write page, pictures and records, all or none, and print the summary."""
    json_path = json_path or pictures_of(page) / "results.json"
    _check(page, json_path)
    console = Console(stderr=True)
    started = time.monotonic()
    made = measure(console)
    results.write_files({json_path: evidence.to_json(made), **files(made, page, json_path)})
    Console(file=sys.stdout, width=100).print(summary(made))
    console.print(f"heaplab: {page} and {json_path} written,"
                  f" {duration(time.monotonic() - started)} in all",
                  markup=False, highlight=False, soft_wrap=True)
    return 0


def summary_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A summary as a terminal shows it; its first column has numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in titles:
        table.add_column(title, justify="right" if not title else "left")
    for row in rows:
        table.add_row(*row)
    return table
