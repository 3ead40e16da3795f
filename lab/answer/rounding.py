# SPDX-License-Identifier: MIT
"""Chapter 3: what rounding every request up to whole blocks of 64 bytes costs."""

from __future__ import annotations

import functools
from collections import Counter
from typing import Any, Sequence

from lab import trace
from lab.answer import draw
from lab.answer.chapter import NAIVE, About, Records, Scale, Telling
from lab.errors import RunError
from lab.experiment import KERNEL, LAB, Evidence, Experiment, operations_of
from lab.trace import Trace

ABOUT = About(
    3, "rounding", "Rounding to 64 bytes",
    "A good part of the memory that is handed out, nobody asked for.")

STEPS_BYTES = (8, 16, 32, 64)
NAIVE_STEP_BYTES = 64
OTHERS = ("tlsf", "boundary-map")
SAMPLES = 64
CLASSES_BYTES = (16, 32, 64, 128, 256, 512, 1024, 1 << 32)
"""Requests are counted by size: up to so many bytes."""
MUCH = 0.1
_COLOURS = (draw.SKY, draw.GREEN, draw.ORANGE, draw.VERMILION)


def round_up(size: int, step: int) -> int:
    return -(-size // step) * step


def rounded(evidence: Evidence) -> dict[str, Any]:
    """What the live blocks of a trace take if each is rounded up: at its peak, and over time."""
    assert evidence.trace
    sizes: dict[int, int] = {}
    granted = dict.fromkeys(STEPS_BYTES, 0)
    requested = peak = 0
    at_peak = dict(granted)
    samples: list[int] = []
    classes: Counter[int] = Counter()
    wasted: Counter[int] = Counter()
    every = -(-evidence.trace.operations // SAMPLES)
    for index, (kind, ident, size) in enumerate(operations_of(evidence.trace), start=1):
        change = size - sizes.pop(ident, 0)
        before = size - change
        requested += change
        for step in STEPS_BYTES:
            granted[step] += round_up(size, step) - round_up(before, step)
        if size:
            sizes[ident] = size
            limit = next(limit for limit in CLASSES_BYTES if size <= limit)
            classes[limit] += 1
            wasted[limit] += round_up(size, NAIVE_STEP_BYTES) - size
        if requested > peak:
            peak, at_peak = requested, dict(granted)
        if index % every == 0:
            samples.append(granted[NAIVE_STEP_BYTES])
    return {"peak": peak, "granted_at_peak": {str(step): at_peak[step] for step in STEPS_BYTES},
            "granted_samples": samples,
            "requests": [classes[limit] for limit in CLASSES_BYTES],
            "wasted": [wasted[limit] for limit in CLASSES_BYTES]}


@functools.cache
def _traces() -> Sequence[Trace]:
    return trace.read_all(trace.shipped())


def _chosen(scale: Scale) -> Sequence[Trace]:
    return [one for one in _traces() if not scale.quick or one.operations < 30_000]


def _computed(of: Trace) -> Experiment:
    return Experiment(LAB, NAIVE, trace=of, digest=rounded, effort=of.operations)


def _run(strategy: str, of: Trace) -> Experiment:
    return Experiment(KERNEL, strategy, f"run=replay samples={SAMPLES}", trace=of,
                      effort=of.operations)


def experiments(scale: Scale) -> list[Experiment]:
    return [made for one in _chosen(scale) for made in (
        _computed(one), *(_run(strategy, one) for strategy in (NAIVE, *OTHERS)))]


def waste(requested: int, granted: int) -> float:
    """The share of what was granted that nobody asked for."""
    return 1 - requested / granted if granted else 0.0


def _own_waste(raw: Any) -> float:
    """A heap's waste, headers included, where its trace requests most."""
    series = raw["series"]
    top = max(range(len(series["requested"])), key=lambda place: series["requested"][place])
    return waste(series["requested"][top], series["granted"][top])


def _verify(computed: Any, raw: Any, of: Trace) -> None:
    """The kernel's heap must have granted what the lab computes, at each sample."""
    if computed["granted_samples"] != raw["series"]["granted"]:
        raise RunError(f"{of.name}: the kernel's {NAIVE} grants other sums than the lab computes")


def tell(records: Records, scale: Scale) -> Telling:
    rows = []
    requests, wasted = [0] * len(CLASSES_BYTES), [0] * len(CLASSES_BYTES)
    for one in _chosen(scale):
        computed = records[_computed(one)]["digest"]
        _verify(computed, records[_run(NAIVE, one)], one)
        by_step = [waste(computed["peak"], computed["granted_at_peak"][str(step)])
                   for step in STEPS_BYTES]
        rows.append((one.name, by_step,
                     [_own_waste(records[_run(strategy, one)]) for strategy in OTHERS]))
        requests = [a + b for a, b in zip(requests, computed["requests"])]
        wasted = [a + b for a, b in zip(wasted, computed["wasted"])]
    worst = max(rows, key=lambda row: row[1][-1])
    least = min(rows, key=lambda row: row[1][-1])
    return Telling(
        finding=f"{100 * least[1][-1]:.0f} to {100 * worst[1][-1]:.0f} % of the memory handed out"
        " is rounding",
        verdict="wasteful for small requests" if worst[1][-1] > MUCH else "hardly matters",
        words={
            "steps": STEPS_BYTES, "others": OTHERS, "rows": rows, "worst": worst,
            "map_shares": [1 / (step + 1) for step in STEPS_BYTES],
            "classes": _classes(requests, wasted), "naive_step": NAIVE_STEP_BYTES,
        },
        figures={"waste": _figure(rows, _classes(requests, wasted))})


def _classes(requests: Sequence[int], wasted: Sequence[int]) -> list[tuple[str, float, float]]:
    """Name, share of all requests, and mean bytes lost, of each class of sizes."""
    total = sum(requests)
    return [(f"to {limit}" if limit <= 1024 else "above",
             count / total, lost / count if count else 0.0)
            for limit, count, lost in zip(CLASSES_BYTES, requests, wasted)]


def _figure(rows: Sequence[tuple[str, list[float], list[float]]],
            classes: Sequence[tuple[str, float, float]]) -> str:
    with draw.sheet(2) as sheet:
        traces, sizes = sheet.panels
        width = 0.8 / len(STEPS_BYTES)
        for place, (step, colour) in enumerate(zip(STEPS_BYTES, _COLOURS)):
            traces.bar([row + (place - 1.5) * width for row in range(len(rows))],
                       [100 * shares[place] for _, shares, _ in rows], width, color=colour,
                       label=f"blocks of {step} bytes")
        traces.set_xticks(range(len(rows)), [name for name, _, _ in rows])
        traces.set_title("Lost to rounding, where the trace requests most")
        traces.set_ylabel("per cent of granted")
        traces.legend(ncol=2)
        sizes.bar(range(len(classes)), [lost for _, _, lost in classes], 0.7, color=draw.VERMILION)
        for row, (_, share, lost) in enumerate(classes):
            sizes.annotate(f"{100 * share:.0f} % of\nrequests", (row, lost), xytext=(0, 3),
                           textcoords="offset points", ha="center", fontsize=7.5)
        sizes.set_xticks(range(len(classes)), [name for name, _, _ in classes])
        sizes.set_ylim(0, 1.35 * max(lost for _, _, lost in classes))
        sizes.set_title("Mean loss to blocks of 64 bytes, by size of the request")
        sizes.set_xlabel("bytes requested")
        sizes.set_ylabel("bytes lost")
        for axes in sheet.panels:
            axes.grid(axis="x", visible=False)
    return sheet.svg
