# SPDX-License-Identifier: MIT
"""`heaplab papers`: runs what the published results ask for, and writes their page."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

from rich.console import Console
from rich.table import Table

from lab import build, evidence
from lab.page import produce, summary_table
from lab.papers import csapp, pages
from lab.papers.row import Scale

DEFAULT_PAGE = Path("heaplab-results/papers.md")


def measure(scale: Scale, workers: int, console: Console) -> dict[str, Any]:
    """Carry out all experiments; their document."""
    return pages.document(scale, evidence.take(pages.experiments(scale), workers, console))


def run(page: Path, json_path: Optional[Path], quick: bool, traces: Optional[Path],
        workers: int) -> int:
    """Run everything, print the summary, write page, pictures and records."""
    theirs = tuple(csapp.read(traces)) if traces else ()
    return produce(page, json_path, lambda console: measure(
        Scale(quick, tuple(build.strategies()), theirs),
        workers, console), pages.files, summary)


def summary(made: dict[str, Any]) -> Table:
    """The published results, a row each."""
    return summary_table(("", "Result", "Published", "Measured", "Verdict"), [
        (one.number, one.title, one.published, one.measured, one.verdict)
        for _, one in pages.rows(pages.sections(made))])
