# SPDX-License-Identifier: MIT
"""The answer's document, and the page and pictures that are made of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Mapping, Sequence

from lab import evidence, page as pages
from lab.answer import (byte_map, constructed, contents, fixed_size, fragmentation, front, leak,
                        linear_search, processors, rounding, trust, worst_case)
from lab.answer.chapter import Scale, Telling
from lab.evidence import Records
from lab.experiment import Experiment

CHAPTERS: Sequence[ModuleType] = (
    linear_search, worst_case, rounding, fragmentation, front, byte_map, trust, fixed_size, leak,
    contents, processors, constructed)
KIND = evidence.Kind("los-heap-lab/answer", 1, "chapters")


@dataclass(frozen=True)
class Chapter:
    """A chapter, ready to be shown."""

    number: int
    slug: str
    title: str
    claim: str
    telling: Telling
    records: int
    """How many records its numbers come from."""
    body: str


def experiments(scale: Scale) -> list[Experiment]:
    """What is to be run for all chapters."""
    return list(dict.fromkeys(one for chapter in CHAPTERS for one in chapter.experiments(scale)))


def document(scale: Scale, taken: evidence.Taken) -> dict[str, Any]:
    """All records of a run, in the order of the chapters."""
    return evidence.document(KIND, dataclasses.asdict(scale), [
        (chapter.ABOUT.number, chapter.experiments(scale)) for chapter in CHAPTERS], taken)


def chapters(made: Mapping[str, Any]) -> list[Chapter]:
    """All chapters of a document, told from its records."""
    scale = Scale(**made["settings"])
    results = evidence.results_of(made)
    environment = pages.environment("answer")
    told = []
    for module in CHAPTERS:
        records = Records(results)
        telling = module.tell(records, scale)
        about = module.ABOUT
        body = environment.get_template(f"{about.slug}.md").render(telling.words)
        told.append(Chapter(about.number, about.slug, about.title, about.claim, telling,
                            len(records.asked), body))
    return told


def files(made: Mapping[str, Any], page: Path, json_path: Path) -> dict[Path, str]:
    """The page and its pictures, by where they go: the pictures beside the page, in a
    directory of its name."""
    told = chapters(made)
    pictures = pages.pictures_of(page)
    text = pages.environment("answer").get_template("answer.md").render(
        chapters=told, pictures=pictures.name, quick=made["settings"]["quick"],
        results=pages.from_page(page, json_path))
    return {page: text, **{pictures / f"{one.slug}-{name}.svg": svg
                           for one in told for name, svg in one.telling.figures.items()}}
