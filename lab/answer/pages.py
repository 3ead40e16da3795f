# SPDX-License-Identifier: MIT
"""The answer's document, and the page and pictures that are made of it."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Mapping, Sequence

import jinja2
import matplotlib

from lab.answer import (byte_map, constructed, contents, fixed_size, fragmentation, front, leak,
                        linear_search, processors, rounding, trust, worst_case)
from lab.answer.chapter import Records, Scale, Telling
from lab.experiment import Experiment

CHAPTERS: Sequence[ModuleType] = (
    linear_search, worst_case, rounding, fragmentation, front, byte_map, trust, fixed_size, leak,
    contents, processors, constructed)
SCHEMA = "los-heap-lab/answer"
VERSION = 1

_TEMPLATES = Path(__file__).resolve().parent.parent / "templates" / "answer"


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


def _record(one: Experiment, chapters: Sequence[int], result: Any) -> dict[str, Any]:
    trace = {"name": one.trace.name, "sha256": one.trace.sha256} if one.trace else None
    return {"key": one.key, "chapters": list(chapters), "machine": one.machine,
            "strategy": one.strategy, "heap_kib": one.heap_kib, "hardening": one.hardening,
            "words": one.words, "trace": trace, "result": result}


def document(scale: Scale, answers: Mapping[str, Any], build: Mapping[str, Any],
             host: Mapping[str, Any]) -> dict[str, Any]:
    """All records of a run, in the order of the chapters; `host` alone is of this machine."""
    numbers: dict[Experiment, list[int]] = {}
    for chapter in CHAPTERS:
        for one in dict.fromkeys(chapter.experiments(scale)):
            numbers.setdefault(one, []).append(chapter.ABOUT.number)
    return {"schema": SCHEMA, "version": VERSION, "settings": dataclasses.asdict(scale),
            "build": {"programs": dict(build), "figures": figures_by()},
            "records": [_record(one, chapters, answers[one.key])
                        for one, chapters in numbers.items()],
            "host": dict(host)}


def figures_by() -> str:
    """What draws the figures: another version draws them a little differently."""
    return f"matplotlib {matplotlib.__version__}"


def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), trim_blocks=True, lstrip_blocks=True,
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


def chapters(made: Mapping[str, Any]) -> list[Chapter]:
    """All chapters of a document, told from its records."""
    scale = Scale(**made["settings"])
    results = {record["key"]: record["result"] for record in made["records"]}
    environment = _environment()
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
    pictures = page.with_suffix("")
    text = _environment().get_template("answer.md").render(
        chapters=told, pictures=pictures.name, quick=made["settings"]["quick"],
        results=os.path.relpath(json_path.absolute(), page.absolute().parent))
    return {page: text, **{pictures / f"{one.slug}-{name}.svg": svg
                           for one in told for name, svg in one.telling.figures.items()}}
