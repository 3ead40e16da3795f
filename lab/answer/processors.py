# SPDX-License-Identifier: MIT
"""Chapter 11: interrupts and several processors."""

from __future__ import annotations

from typing import Any, Mapping

from lab import heaps
from lab.answer import draw
from lab.answer.chapter import NAIVE, About, Records, Scale, Telling, churn, mean
from lab.experiment import KERNEL, Experiment

ABOUT = About(
    11, "processors", "Interrupts and several processors",
    "Nothing stops two callers from getting the same block.")

HEAPS = ("bitmap", "next-fit", "best-fit", "worst-fit", "free-list", "boundary-tag", "segregated",
         "buddy", "slab", "half-fit", "tlsf", "boundary-map")
SEED = 1
INTERVAL = 3000
CALLS = 200_000
CALLS_LOCKED = 10_000
LOAD_PERCENT = 40

_LONG = 50_000
"""What a race comes to depends on the whole kernel's code: such records are taken, not retaken."""


def _hammer(strategy: str, locking: str = "none") -> Experiment:
    calls = CALLS if locking == "none" else CALLS_LOCKED
    return Experiment(
        KERNEL, strategy, f"run=hammer processors=2 operations={calls} interval={INTERVAL}"
        f" seed={SEED}", locking=locking, processors=2, breaks=True, effort=_LONG)


def _places(scale: Scale, locking: str) -> Experiment:
    return Experiment(KERNEL, NAIVE, f"run=race processors=1 bound={1 if scale.quick else 2}",
                      locking=locking, breaks=True, effort=_LONG)


def _deadlock() -> Experiment:
    return Experiment(KERNEL, NAIVE, "run=race processors=1 bound=1 lock=unmasked", breaks=True,
                      effort=_LONG)


def _cost(scale: Scale, locking: str) -> Experiment:
    return churn(KERNEL, NAIVE, scale, LOAD_PERCENT, locking=locking)


def _heaps(scale: Scale) -> tuple[str, ...]:
    return HEAPS[:3] if scale.quick else HEAPS


def experiments(scale: Scale) -> list[Experiment]:
    return [*(_hammer(heap) for heap in _heaps(scale)),
            *(_hammer(NAIVE, locking) for locking in ("spin", "percpu")),
            *(_places(scale, locking) for locking in ("none", "irq")), _deadlock(),
            *(_cost(scale, locking) for locking in heaps.LOCKINGS)]


def _calls(raw: Mapping[str, Any]) -> int:
    return int(raw["operations"] + raw["interrupt_operations"])


def _sum(raw: Mapping[str, Any], figure: str) -> int:
    return sum(part[figure] for part in raw["explored"])


def tell(records: Records, scale: Scale) -> Telling:
    hammered = {heap: records[_hammer(heap)] for heap in _heaps(scale)}
    held = {locking: records[_hammer(NAIVE, locking)] for locking in ("spin", "percpu")}
    places = {locking: records[_places(scale, locking)] for locking in ("none", "irq")}
    costs = {locking: records[_cost(scale, locking)] for locking in heaps.LOCKINGS}
    stuck = records[_deadlock()]
    broken = [heap for heap, raw in hammered.items() if raw["trouble"] is not None]
    mended = [locking for locking, raw in held.items() if raw["trouble"] is None]
    first = places["none"]["explored"][0]
    plain = mean(costs["none"]["cost"])
    return Telling(
        finding=f"{first['failing']} of {first['schedules']} places for one interrupt hand a block"
                " out twice",
        verdict="two callers get one block" if NAIVE in broken and first["failing"]
        else "not shown",
        words={"hammered": {heap: (_calls(raw), raw["ticks"], raw["trouble"])
                            for heap, raw in hammered.items()},
               "heaps": len(hammered), "broken": len(broken), "first": first,
               "held": {locking: _calls(held[locking]) for locking in mended},
               "holds": len(mended) == len(held),
               "tried": {locking: (_sum(raw, "schedules"), _sum(raw, "failing"))
                         for locking, raw in places.items()},
               "switches": len(places["irq"]["explored"]),
               "stuck": stuck["explored"][0], "interval": INTERVAL, "seed": SEED,
               "percent": LOAD_PERCENT, "plain": plain,
               "lock": {locking: mean(costs[locking]["cost"]) - plain
                        for locking in ("irq", "spin")},
               "hit": (costs["percpu"]["malloc"]["p50"], costs["percpu"]["free"]["p50"]),
               "percpu": mean(costs["percpu"]["cost"])},
        figures={"calls": _figure(hammered)})


def _figure(hammered: Mapping[str, Mapping[str, Any]]) -> str:
    with draw.sheet(1) as sheet:
        (axes,) = sheet.panels
        calls = [_calls(raw) for raw in hammered.values()]
        draw.bars(axes, list(hammered), calls, [f"{number:,}" for number in calls],
                  [draw.look(heap)["color"] for heap in hammered])
        axes.set_xscale("log")
        axes.set_xlim(left=1)
        axes.set_xlabel("calls (logarithmic)")
        axes.set_title("Two processors and their timers: calls until something is wrong")
    return sheet.svg
