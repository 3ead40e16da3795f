# SPDX-License-Identifier: MIT
"""`heaplab answer`: runs what the chapters ask for, and writes their page."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Optional

from rich import box
from rich.console import Console
from rich.table import Table

from lab import cachegrind, process, results
from lab.answer import pages
from lab.answer.chapter import Scale
from lab.errors import InputError
from lab.experiment import Builds, Laboratory
from lab.progress import Board, duration
from lab.schedule import carry_out

DEFAULT_PAGE = Path("heaplab-results/answer.md")


def measure(scale: Scale, workers: int, console: Console) -> dict[str, Any]:
    """Carry out all experiments; their document."""
    started = time.monotonic()

    def say(text: str) -> None:
        console.print(f"heaplab: {text}", markup=False, highlight=False, soft_wrap=True)

    experiments = pages.experiments(scale)
    builds = Builds(experiments)
    builds.prepare(say)
    with tempfile.TemporaryDirectory(prefix="heaplab-") as scratch:
        laboratory = Laboratory(experiments, builds, Path(scratch))
        say(f"{laboratory.plan.total} experiments on {workers} cores")
        with Board(console, workers) as board:
            process.wait_for(carry_out(laboratory.plan, workers, laboratory.perform, board))
    host = results.host("tcg", "", {str(job): seconds for job, seconds
                                    in laboratory.plan.durations.items()},
                        time.monotonic() - started)
    return pages.document(scale, laboratory.answers, builds.provenance(), host)


def to_json(made: dict[str, Any]) -> str:
    """The document, a record a line: so that `diff` says which ones changed."""
    records = ",\n".join("    " + json.dumps(record) for record in made["records"])
    rest = results.to_json(made | {"records": []})
    return rest.replace('"records": []', f'"records": [\n{records}\n  ]', 1) + "\n"


def _check(page: Path, json_path: Path) -> None:
    if page.suffix != ".md":
        raise InputError(f"--out {page}: the page is Markdown, its name ends with .md")
    results.check_writable([page, json_path, page.with_suffix("") / "figure.svg"])


def run(page: Path, json_path: Optional[Path], quick: bool, workers: Optional[int]) -> int:
    """Run everything, print the summary, write page, pictures and records."""
    json_path = json_path or page.with_suffix("") / "results.json"
    _check(page, json_path)
    console = Console(stderr=True)
    started = time.monotonic()
    made = measure(Scale(quick, cachegrind.is_there()),
                   workers or len(os.sched_getaffinity(0)), console)
    results.write_files({json_path: to_json(made), **pages.files(made, page, json_path)})
    show(made, lambda renderable: Console(file=sys.stdout, width=100).print(renderable))
    console.print(f"heaplab: {page} and {json_path} written,"
                  f" {duration(time.monotonic() - started)} in all",
                  markup=False, highlight=False, soft_wrap=True)
    return 0


def show(made: dict[str, Any], out: Callable[[Table], None]) -> None:
    """Print the summary."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in ("", "What is wrong", "Measured", "Verdict"):
        table.add_column(title, justify="right" if not title else "left")
    for one in pages.chapters(made):
        table.add_row(str(one.number), one.title, one.telling.finding, one.telling.verdict)
    out(table)
