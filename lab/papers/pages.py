# SPDX-License-Identifier: MIT
"""The document of all published results, and the page and pictures that are made of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Mapping, Sequence

from lab import evidence, page as pages
from lab.evidence import Records
from lab.experiment import Experiment
from lab.papers import (best_fit, buddy, csapp, fifty_percent, first_fit_bound, knuth, queue,
                        robson, slab, synthetic, tlsf, unikraft, vmem)
from lab.papers.row import (ABSTRACT, MEMORY, NOT_COMPARABLE, NOT_REPRODUCED, REPRODUCED, About,
                            Result, Scale, Telling)
from lab.trace import Trace

PAPERS: Sequence[ModuleType] = (
    fifty_percent, knuth, robson, first_fit_bound, best_fit, tlsf, csapp, queue, buddy, slab, vmem,
    unikraft, synthetic)
KIND = evidence.Kind("los-heap-lab/papers", 1, "rows")
MARKS = {ABSTRACT: "¹", MEMORY: "²"}
"""By how well a published figure is known, where its source was not read."""
VERDICTS = (REPRODUCED, NOT_REPRODUCED, NOT_COMPARABLE)


@dataclass(frozen=True)
class Section:
    """A published result, or two, ready to be shown."""

    about: About
    telling: Telling
    records: int
    """How many records its numbers come from."""
    body: str


def experiments(scale: Scale) -> list[Experiment]:
    """What is to be run for all of them."""
    return list(dict.fromkeys(one for paper in PAPERS for one in paper.experiments(scale)))


def settings(scale: Scale) -> dict[str, Any]:
    """What a document says of how it was measured."""
    return {"quick": scale.quick, "strategies": list(scale.strategies),
            "csapp": [{"name": one.name, "sha256": one.sha256, "operations": one.operations}
                      for one in scale.csapp]}


def scale_of(made: Mapping[str, Any]) -> Scale:
    """What a document was measured with; of the malloc lab's traces, only what they are called."""
    said = made["settings"]
    theirs = tuple(Trace(one["name"], Path(one["name"]), one["sha256"], 0, one["operations"], 0)
                   for one in said["csapp"])
    return Scale(said["quick"], tuple(said["strategies"]), theirs)


def document(scale: Scale, taken: evidence.Taken) -> dict[str, Any]:
    """All records of a run, in the order of the rows."""
    return evidence.document(KIND, settings(scale), [
        (number, paper.experiments(scale)) for paper in PAPERS for number in paper.ABOUT.numbers],
        taken)


def sections(made: Mapping[str, Any]) -> list[Section]:
    """All sections of a document, told from its records."""
    scale = scale_of(made)
    results = evidence.results_of(made)
    environment = pages.environment("papers")
    told = []
    for paper in PAPERS:
        records = Records(results)
        telling = paper.tell(records, scale)
        body = environment.get_template(f"{paper.ABOUT.slug}.md").render(
            telling.words, results=telling.results)
        told.append(Section(paper.ABOUT, telling, len(records.asked), body))
    return told


def rows(told: Sequence[Section]) -> list[tuple[str, Result]]:
    """The rows of the summary, each with the section that explains it, by number."""
    return sorted(((one.about.slug, result) for one in told for result in one.telling.results),
                  key=lambda pair: int(pair[1].number))


def files(made: Mapping[str, Any], page: Path, json_path: Path) -> dict[Path, str]:
    """The page and its pictures, by where they go."""
    told = sections(made)
    pictures = pages.pictures_of(page)
    summary = rows(told)
    text = pages.environment("papers").get_template("papers.md").render(
        sections=told, rows=summary, marks=MARKS, pictures=pictures.name,
        quick=made["settings"]["quick"], results=pages.from_page(page, json_path),
        counts={verdict: sum(one.verdict == verdict for _, one in summary)
                for verdict in VERDICTS})
    return {page: text, **{pictures / f"{one.about.slug}-{name}.svg": svg
                           for one in told for name, svg in one.telling.figures.items()}}
