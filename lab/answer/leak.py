# SPDX-License-Identifier: MIT
"""Chapter 9: a leak, looked for without and with a memory of who allocated."""

from __future__ import annotations

import functools
import random
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.answer import draw
from lab.answer.chapter import NAIVE, About, Records, Scale, Telling
from lab.answer.placed import replay
from lab.errors import RunError
from lab.experiment import HOST, KERNEL, Evidence, Experiment
from lab.trace import Trace, parse

ABOUT = About(
    9, "leak", "No memory of who allocated",
    "When memory is gone, the heap cannot say who has it.")

HEAP_KIB = 512
OPERATIONS = 80_000
SEED = 1
FORGETS_ONE_IN = 6
SAMPLES = 48
NOTE_BYTES = 8
"""What it takes to remember a block's caller and its number."""


@dataclass(frozen=True)
class Caller:
    """A part of a kernel that allocates: blocks of these sizes, so many at once."""

    name: str
    smallest: int
    largest: int
    blocks: int
    forgets: bool = False


CALLERS = (
    Caller("paths", 10, 200, 120), Caller("timers", 40, 64, 300), Caller("sockets", 130, 190, 250),
    Caller("buffers", 500, 2000, 120), Caller("driver", 140, 180, 250, forgets=True),
    Caller("names", 8, 60, 500))
CULPRIT = next(place for place, one in enumerate(CALLERS) if one.forgets)


class _Kernel:
    """Callers who allocate up to what they need at once, and from then on free as they allocate.

    One of them forgets: one in so many of its blocks it drops instead of freeing it.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._held: list[list[int]] = [[] for _ in CALLERS]
        self._frees = 0
        self.owners: list[int] = []
        """The caller, by id."""
        self.lines: list[str] = []

    def _below(self, limit: int) -> int:
        return int(self._random.random() * limit)  # the same in every version of Python

    def step(self) -> None:
        place = self._below(len(CALLERS))
        caller, held = CALLERS[place], self._held[place]
        if len(held) < caller.blocks:
            size = caller.smallest + self._below(caller.largest - caller.smallest + 1)
            self.lines.append(f"a {len(self.owners)} {size}")
            held.append(len(self.owners))
            self.owners.append(place)
            return
        dropped = held.pop(self._below(len(held)))
        self._frees += caller.forgets
        if not caller.forgets or self._frees % FORGETS_ONE_IN:
            self.lines.append(f"f {dropped}")


@functools.cache
def made_up_kernel() -> tuple[list[int], Trace]:
    """Who owns each id, and the trace."""
    kernel = _Kernel(SEED)
    while len(kernel.lines) < OPERATIONS:
        kernel.step()
    header = ["0", str(len(kernel.owners)), str(len(kernel.lines)), "1"]
    text = "\n".join(header + kernel.lines) + "\n"
    return kernel.owners, parse(text.encode(), Path("leak.rep"))


def live_at_failure(evidence: Evidence) -> dict[str, Any]:
    """Who holds what when the first request fails: as the heap sees it, and as its history does.

    `by_size`: live blocks, and those of the culprit among them, by the blocks of 64 bytes that
    they take. `by_caller`: requested bytes over time. `old`: live blocks by caller that were
    allocated in the first half.
    """
    owners, _ = made_up_kernel()
    failure = evidence.raw["first_failure"]
    if failure is None:
        raise RunError("the leak did not exhaust the heap: it needs more operations")
    live: dict[int, tuple[int, int, int]] = {}
    bytes_of = [0] * len(CALLERS)
    samples: list[tuple[int, list[int]]] = []
    every = failure["operation"] // SAMPLES
    for index, (kind, ident, size), placement, heap in replay(evidence):
        if index % every == 0:
            samples.append((index, list(bytes_of)))
        if index == failure["operation"]:
            break
        if kind == "a":
            first, end = heap.run(size, placement)
            live[ident] = end - first, size, index
            bytes_of[owners[ident]] += size
        else:
            bytes_of[owners[ident]] -= live.pop(ident)[1]
    all_of = Counter(blocks for blocks, _, _ in live.values())
    culprits = Counter(blocks for ident, (blocks, _, _) in live.items()
                       if owners[ident] == CULPRIT)
    old = Counter(owners[ident] for ident, (_, _, born) in live.items()
                  if born < failure["operation"] // 2)
    return {"live": len(live), "by_size": [[blocks, all_of[blocks], culprits[blocks]]
                                           for blocks in sorted(all_of)],
            "operations": [index for index, _ in samples],
            "by_caller": [[sums[place] for _, sums in samples] for place in range(len(CALLERS))],
            "old": [old[place] for place in range(len(CALLERS))],
            "blocks": [sum(owners[ident] == place for ident in live)
                       for place in range(len(CALLERS))]}


def _experiment(machine: str, **more: Any) -> Experiment:
    return Experiment(machine, NAIVE, "run=replay samples=0", heap_kib=HEAP_KIB,
                      trace=made_up_kernel()[1], effort=OPERATIONS, **more)


def _history() -> Experiment:
    return _experiment(HOST, digest=live_at_failure)


def experiments(scale: Scale) -> list[Experiment]:
    return [_experiment(KERNEL), _history()]


def tell(records: Records, scale: Scale) -> Telling:
    kernel, history = records[_experiment(KERNEL)], records[_history()]
    if kernel["placement_hash"] != history["placement_hash"]:
        raise RunError("kernel and host place the blocks of one trace differently")
    digest = history["digest"]
    growth = [_growth(series) for series in digest["by_caller"]]
    suspect = growth.index(max(growth))
    old_of_suspect = digest["old"][suspect] / sum(digest["old"])
    mixed = max(digest["by_size"], key=lambda row: row[2])
    return Telling(
        finding=f"{digest['live']:,} live blocks and no name; with a history, one caller has"
        f" {100 * old_of_suspect:.0f} % of the old ones",
        verdict="found at once, but only with help" if suspect == CULPRIT else "not found",
        words={
            "heap_kib": HEAP_KIB, "failure": kernel["first_failure"], "live": digest["live"],
            "mixed": mixed,
            "classes": len(digest["by_size"]), "found": suspect == CULPRIT,
            "suspect": CALLERS[suspect].name, "forgets": FORGETS_ONE_IN,
            "rows": list(zip([one.name for one in CALLERS], digest["blocks"], digest["old"],
                             [series[-1] for series in digest["by_caller"]], growth)),
            "note_bytes": NOTE_BYTES, "price": NOTE_BYTES * digest["live"],
            "requested": kernel["first_failure"]["requested"],
        },
        figures={"owners": _figure(digest)})


def _growth(series: list[int]) -> int:
    """Bytes that a caller came to hold in the second half of the run."""
    return series[-1] - series[len(series) // 2]


def _figure(digest: Any) -> str:
    colours = (draw.SKY, draw.BLUE, draw.GREEN, draw.GREY, draw.VERMILION, draw.ORANGE)
    with draw.sheet(2, 2.4, sharex=True) as sheet:
        without, by_caller = sheet.panels
        kib = [[value / 1024 for value in series] for series in digest["by_caller"]]
        without.plot(digest["operations"], [sum(column) for column in zip(*kib)],
                     color=draw.BLACK, linewidth=1.4)
        without.set_title("Without help: bytes requested")
        by_caller.stackplot(digest["operations"], kib, colors=colours, linewidth=0,
                            labels=[one.name for one in CALLERS])
        by_caller.set_title("With help: the same, by who asked")
        by_caller.legend(loc="upper left", ncol=3)
        by_caller.set_xlabel("operations")
        for axes in sheet.panels:
            axes.set_ylabel("KiB")
            axes.set_ylim(bottom=0)
            axes.margins(x=0)
            draw.numbers(axes.xaxis)
    return sheet.svg
