# SPDX-License-Identifier: MIT
"""Chapter 5: where the search spends its steps, and what it costs to begin elsewhere."""

from __future__ import annotations

from typing import Any, Sequence

import numpy

from lab.answer import draw
from lab.answer.chapter import NAIVE, About, Records, Scale, Telling, churn, mean
from lab.answer.fit import Line, line
from lab.answer.placed import BLOCK_BYTES, replay
from lab.errors import RunError
from lab.experiment import HOST, KERNEL, NO_PLACEMENT, Evidence, Experiment

ABOUT = About(
    5, "front", "Small holes pile up at the front",
    "Every search begins at the same end, where the holes are too small, and steps over them all"
    " again.")

PERCENT = 50
GOOD_FIT = 0.99
BINS = 64
HOLES_EVERY = 64
"""Holes are looked at before each so-manieth operation."""
POLICIES = (NAIVE, "next-fit", "best-fit")
MIXES = ("kernel", "uniform", "power")


def search_steps(evidence: Evidence) -> dict[str, Any]:
    """How often first fit looked at each part of the map, and what it found there.

    First fit begins at block 0 and ends with the last block of its answer: so many blocks it
    looks at, one after the other. Operations of the build-up are not counted.
    """
    steps = _Steps(evidence)
    for index, (kind, _, size), placement, heap in replay(evidence):
        if index < evidence.raw["build_up_operations"]:
            continue
        if index % HOLES_EVERY == 0:
            steps.note_holes(heap.holes())
        if kind == "a":
            end = heap.map_bytes if placement == NO_PLACEMENT else heap.run(size, placement)[1]
            steps.used[:end] += heap.used[:end]
            steps.all[:end] += 1
            steps.searches += 1
    return steps.answer()


class _Steps:
    def __init__(self, evidence: Evidence) -> None:
        blocks = evidence.raw["footprint"]["map_bytes"]
        self.all = numpy.zeros(blocks, dtype=numpy.int64)
        self.used = numpy.zeros(blocks, dtype=numpy.int64)
        self.searches = 0
        self.holes = [0] * BINS
        self.hole_blocks = [0] * BINS
        self._bin_blocks = blocks // BINS

    def note_holes(self, holes: Sequence[tuple[int, int]]) -> None:
        for first, blocks in holes:
            self.holes[first // self._bin_blocks] += 1
            self.hole_blocks[first // self._bin_blocks] += blocks

    def answer(self) -> dict[str, Any]:
        def binned(of: Any) -> list[int]:
            return [int(part.sum()) for part in numpy.split(of, BINS)]

        return {"searches": self.searches, "steps": binned(self.all),
                "steps_over_used": binned(self.used), "holes": self.holes,
                "hole_blocks": self.hole_blocks}


def _searched(scale: Scale, percent: int) -> Experiment:
    return churn(HOST, NAIVE, scale, percent, digest=search_steps)


def _holes_of_next_fit(scale: Scale) -> Experiment:
    return churn(HOST, "next-fit", scale, PERCENT, digest=search_steps)


def _counted(strategy: str, scale: Scale, percent: int) -> Experiment:
    return churn(KERNEL, strategy, scale, percent)


def _smallest(strategy: str, mix: str, scale: Scale) -> Experiment:
    return Experiment(HOST, strategy, f"run=smallest workload=churn-{mix}-{PERCENT}"
                      f" operations={scale.operations}", effort=40 * scale.operations)


def experiments(scale: Scale) -> list[Experiment]:
    return [*(_searched(scale, percent) for percent in (PERCENT, *scale.fills)),
            *(_counted(NAIVE, scale, percent) for percent in scale.fills),
            *(_counted(strategy, scale, PERCENT) for strategy in POLICIES),
            _holes_of_next_fit(scale),
            *(_smallest(strategy, mix, scale) for strategy in POLICIES for mix in MIXES)]


def _model(records: Records, scale: Scale) -> Line:
    """Instructions of a search against the blocks it looks at, over the fills without a failure.

    Kernel and host must have placed every block alike, or the two do not belong together.
    """
    points = []
    for percent in scale.fills:
        kernel, host = records[_counted(NAIVE, scale, percent)], records[_searched(scale, percent)]
        if kernel["placement_hash"] != host["placement_hash"]:
            raise RunError(f"at {percent} % kernel and host place blocks differently")
        if not kernel["failures"]:
            digest = host["digest"]
            points.append((sum(digest["steps"]) / digest["searches"], mean(kernel["malloc"])))
    return line([x for x, _ in points], [y for _, y in points])


def _hole_bytes(digest: Any) -> list[float]:
    return [BLOCK_BYTES * blocks / holes if holes else numpy.nan
            for holes, blocks in zip(digest["holes"], digest["hole_blocks"])]


def tell(records: Records, scale: Scale) -> Telling:
    digest = records[_searched(scale, PERCENT)]["digest"]
    model = _model(records, scale)
    total, over_used = sum(digest["steps"]), sum(digest["steps_over_used"])
    quarter = BINS // 4
    holes, others = _hole_bytes(digest), _hole_bytes(records[_holes_of_next_fit(scale)]["digest"])
    front_hole, back_hole = _mean_hole(digest, 0, quarter), _mean_hole(digest, quarter, BINS)
    tight = {strategy: [_tightness(records[_smallest(strategy, mix, scale)]) for mix in MIXES]
             for strategy in POLICIES}
    inferior = all(tight["next-fit"][place] < tight[NAIVE][place] for place in range(len(MIXES)))
    return Telling(
        finding=f"{total / digest['searches']:,.0f} blocks looked at for one kmalloc;"
        f" {100 * over_used / total:.0f} % of them live",
        verdict="the same ground is searched over and over" if model.r_squared > GOOD_FIT
        else "not shown",
        words={
            "per_search": total / digest["searches"], "used_share": over_used / total,
            "quarter_share": sum(digest["steps"][:quarter]) / total, "model": model,
            "percent": PERCENT, "mixes": MIXES, "tight": tight, "inferior": inferior,
            "front_hole": front_hole, "back_hole": back_hole,
            "costs": {strategy: records[_counted(strategy, scale, PERCENT)]["malloc"]
                      for strategy in POLICIES},
            "mean": mean,
        },
        figures={"steps": _figure(digest, holes, others)})


def _tightness(raw: Any) -> float:
    return float(raw["peak_requested_bytes"] / raw["smallest_total_bytes"])


def _mean_hole(digest: Any, first: int, end: int) -> float:
    holes = sum(digest["holes"][first:end])
    return float(BLOCK_BYTES * sum(digest["hole_blocks"][first:end]) / holes) if holes else 0.0


def _figure(digest: Any, holes: Sequence[float], others: Sequence[float]) -> str:
    searches = digest["searches"]
    used = [steps / searches for steps in digest["steps_over_used"]]
    free = [(steps - live) / searches
            for steps, live in zip(digest["steps"], digest["steps_over_used"])]
    places = [(place + 0.5) * 1024 / BINS for place in range(BINS)]
    with draw.sheet(2, sharex=True) as sheet:
        steps_axes, hole_axes = sheet.panels
        steps_axes.stackplot(places, used, free, colors=[draw.GREY, draw.ORANGE],
                             labels=["over live blocks", "over free blocks"], linewidth=0)
        steps_axes.set_title("Blocks looked at by one kmalloc, by where they lie")
        steps_axes.set_ylabel("per 16 KiB of heap")
        steps_axes.legend(loc="upper right")
        hole_axes.plot(places, holes, label="first fit", **draw.look(NAIVE))
        hole_axes.plot(places, others, label="next fit", **draw.look("next-fit"))
        hole_axes.set_yscale("log")
        hole_axes.set_title("Mean size of the holes there")
        hole_axes.set_ylabel("bytes (logarithmic)")
        hole_axes.set_xlabel("KiB from the start of the heap")
        hole_axes.legend(loc="upper left")
        for axes in sheet.panels:
            axes.margins(x=0)
            draw.numbers(axes.yaxis)
    return sheet.svg
