# SPDX-License-Identifier: MIT
"""The files that a comparison writes: checked before it starts, written when it is done.

What draws and fills them needs rich and matplotlib, and takes a second to load: it is imported
where it is used, so that `--help` needs neither.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Optional, Sequence

from lab import cachegrind, results
from lab.errors import InputError
from lab.results import COST_FIELDS, COSTS, FIRST_FAILURE, FOOTPRINT_FIELDS, Document, Record

DEFAULT_JSON = Path("heaplab-results/results.json")
DEFAULT_HTML = Path("heaplab-results/report.html")

PICTURES = ("cost", "tradeoff", "holes", "portraits")
"""By what names they are written; those over time only where there are samples."""

_GROUPS = {"first_failure": FIRST_FAILURE, **{name: COST_FIELDS for name in COSTS},
           "footprint": FOOTPRINT_FIELDS, "simulated": tuple(cachegrind.SIMULATED)}
_OVER_TIME = ("series", "portrait")


@dataclass(frozen=True)
class Outputs:
    """Where the results go."""

    json: Path = DEFAULT_JSON
    html: Path = DEFAULT_HTML
    csv: Optional[Path] = None
    markdown: Optional[Path] = None
    """A document whose places for figures are filled in."""
    pictures: Optional[Path] = None
    """A directory for the pictures that documents show."""

    def check(self, inputs: Sequence[Path]) -> None:
        """Raise InputError unless all can be written, and none is one of the files read."""
        written = [path for path in (self.json, self.html, self.csv, self.markdown) if path]
        written += [self.pictures / f"{name}.svg" for name in PICTURES] if self.pictures else []
        results.check_writable(written)
        if self.markdown:
            from lab import markdown
            markdown.check(self.markdown)
        for path in written:
            if path.resolve() in {one.resolve() for one in inputs}:
                raise InputError(f"{path}: cannot be written: this comparison reads it")

    def write(self, document: Document) -> Sequence[Path]:
        """Write all of them, or none; returns what was written."""
        from lab import markdown, pictures, report
        files = {self.json: results.to_json(document) + "\n", self.html: report.page(document)}
        if self.csv:
            files[self.csv] = to_csv(document)
        if self.markdown:
            files[self.markdown] = markdown.text_for(self.markdown, document)
        if self.pictures:
            files |= {self.pictures / f"{name}.svg": svg
                      for name, svg in pictures.all_of(document).items()}
        results.write_files(files)
        return list(files)


def to_csv(document: Document) -> str:
    """The records for a spreadsheet: a row each, every figure but what is over time.

    A member of a group goes by both names, as in `cost_mean`; null is an empty field.
    """
    file = io.StringIO()
    rows = [dict(_fields(one)) for one in document["records"]]
    writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _fields(record: Record) -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if name in _GROUPS:
            yield from ((f"{name}_{field}", value and value[field]) for field in _GROUPS[name])
        elif name not in _OVER_TIME:
            yield name, value
