# SPDX-License-Identifier: MIT
"""Documents of records: experiments are carried out, their records kept, and asked for by parts.

`answer` and `papers` both write pages whose every number comes from a record. A page has parts
(chapters, rows); each says which experiments it wants, and is told from their records alone. So
the same records give the same page, byte for byte.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Sequence

import matplotlib
from rich.console import Console

from lab import process, results
from lab.errors import RunError
from lab.experiment import Builds, Experiment, Laboratory
from lab.progress import Board
from lab.schedule import carry_out
from lab.words import plural


class Records:
    """The records of a run, as the parts of a page ask for them."""

    def __init__(self, results: Mapping[str, Any]) -> None:
        self._results = results
        self.asked: set[str] = set()
        """The keys of those that somebody asked for."""

    def __getitem__(self, one: Experiment) -> Any:
        self.asked.add(one.key)
        try:
            return self._results[one.key]
        except KeyError:
            raise RunError(f"there is no record of: {one.key}") from None


def mean(cost: Mapping[str, Any]) -> float:
    """The mean of a cost object of a kernel's record."""
    return float(cost["total"] / cost["operations"])


@dataclass(frozen=True)
class Taken:
    """What carrying out experiments gave."""

    answers: Mapping[str, Any]
    """By key: the `result` of each record."""
    programs: Mapping[str, Any]
    """Compilers and flags."""
    host: Mapping[str, Any]
    """Where and when, and how long it took."""


def take(experiments: Sequence[Experiment], workers: int, console: Console) -> Taken:
    """Build what experiments need, and carry out all of them."""
    started = time.monotonic()
    if len({one.key for one in experiments}) < len(set(experiments)):
        raise RunError("two experiments have the same key, so that one's record would be the"
                       " other's")

    def say(text: str) -> None:
        console.print(f"heaplab: {text}", markup=False, highlight=False, soft_wrap=True)

    builds = Builds(experiments)
    builds.prepare(say)
    with tempfile.TemporaryDirectory(prefix="heaplab-") as scratch:
        laboratory = Laboratory(experiments, builds, Path(scratch))
        say(f"{plural(laboratory.plan.total, 'experiment')} on {plural(workers, 'core')}")
        with Board(console, workers) as board:
            process.wait_for(carry_out(laboratory.plan, workers, laboratory.perform, board))
    durations = {str(job): seconds for job, seconds in laboratory.plan.durations.items()}
    host = results.host("tcg", "", durations, time.monotonic() - started)
    return Taken(laboratory.answers, builds.provenance(), host)


@dataclass(frozen=True)
class Kind:
    """What sort of document it is."""

    schema: str
    version: int
    parts: str
    """What a page of it is made of, such as "chapters": the member that says a record's."""


def document(kind: Kind, settings: Mapping[str, Any],
             wanted: Sequence[tuple[int, Sequence[Experiment]]], taken: Taken) -> dict[str, Any]:
    """All records, in the order in which the parts, by number, want them; `host` alone is of
    this machine."""
    numbers: dict[Experiment, list[int]] = {}
    for number, experiments in wanted:
        for one in dict.fromkeys(experiments):
            numbers.setdefault(one, []).append(number)
    return {"schema": kind.schema, "version": kind.version, "settings": dict(settings),
            "build": {"programs": dict(taken.programs), "figures": figures_by()},
            "records": [_record(one, kind.parts, parts, taken.answers[one.key])
                        for one, parts in numbers.items()],
            "host": dict(taken.host)}


def _record(one: Experiment, parts_are: str, parts: Sequence[int], result: Any) -> dict[str, Any]:
    trace = {"name": one.trace.name, "sha256": one.trace.sha256} if one.trace else None
    return {"key": one.key, parts_are: list(parts), "machine": one.machine,
            "strategy": one.strategy, "heap_kib": one.heap_kib, "hardening": one.hardening,
            "words": one.words, "trace": trace, "result": result}


def results_of(made: Mapping[str, Any]) -> dict[str, Any]:
    """The results of a document's records, by key."""
    return {record["key"]: record["result"] for record in made["records"]}


def figures_by() -> str:
    """What draws the figures: another version draws them a little differently."""
    return f"matplotlib {matplotlib.__version__}"


def to_json(made: dict[str, Any]) -> str:
    """The document, a record a line: so that `diff` says which ones changed."""
    records = ",\n".join("    " + json.dumps(record) for record in made["records"])
    rest = results.to_json(made | {"records": []})
    return rest.replace('"records": []', f'"records": [\n{records}\n  ]', 1) + "\n"
