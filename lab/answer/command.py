# SPDX-License-Identifier: MIT
"""`heaplab answer`: runs what the chapters ask for, and writes their page."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

from rich.console import Console
from rich.table import Table

from lab import cachegrind, evidence, process
from lab.answer import pages
from lab.answer.chapter import Scale
from lab.page import produce, summary_table

DEFAULT_PAGE = Path("heaplab-results/answer.md")


def measure(scale: Scale, workers: int, console: Console) -> dict[str, Any]:
    """Carry out all experiments; their document."""
    return pages.document(scale, evidence.take(pages.experiments(scale), workers, console))


def run(page: Path, json_path: Optional[Path], quick: bool, workers: int) -> int:
    """Run everything, print the summary, write page, pictures and records."""
    return produce(page, json_path, lambda console: measure(
        Scale(quick, not cachegrind.obstacle(), not process.emulates_32_bit()), workers, console),
        pages.files, summary)


def summary(made: dict[str, Any]) -> Table:
    """The chapters, a row each."""
    return summary_table(("", "What is wrong", "Measured", "Verdict"), [
        (str(one.number), one.title, one.telling.finding, one.telling.verdict)
        for one in pages.chapters(made)])
