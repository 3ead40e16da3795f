# SPDX-License-Identifier: MIT
"""Chapter 12: objects that are made anew each time, and objects that are kept as they were made."""

from __future__ import annotations

from typing import Any

from lab.answer import draw
from lab.answer.chapter import NAIVE, About, Records, Scale, Telling
from lab.experiment import KERNEL, Experiment

ABOUT = About(
    12, "constructed", "No memory of freed objects",
    "Every object is made from nothing, although the last one of its kind was just given back.")

HEAPS = (NAIVE, "slab", "half-fit", "tlsf", "boundary-map")
STEPS = ("kmalloc", "construct", "destruct", "kfree")


def _experiment(heap: str) -> Experiment:
    return Experiment(KERNEL, heap, "run=experiment experiment=constructed", effort=4000)


def experiments(scale: Scale) -> list[Experiment]:
    return [_experiment(heap) for heap in HEAPS]


def _per_object(raw: Any) -> dict[str, float]:
    """Instructions for one object's life, by step; `made`: without a cache, `cached`: with one."""
    steps = {name: raw[name] / raw["rounds"] for name in (*STEPS, "take", "give")}
    made = sum(steps[name] for name in STEPS)
    return steps | {"made": made, "cached": steps["take"] + steps["give"]}


def tell(records: Records, scale: Scale) -> Telling:
    lives = {heap: _per_object(records[_experiment(heap)]) for heap in HEAPS}
    naive = lives[NAIVE]
    best = min((heap for heap in HEAPS), key=lambda heap: lives[heap]["made"])
    return Telling(
        finding=f"{naive['made']:,.0f} instructions for an object made and unmade,"
        f" {naive['cached']:,.0f} for a cached one",
        verdict="the work is done again each time" if naive["cached"] < naive["made"]
        else "a cache saves nothing",
        words={"lives": lives, "steps": STEPS, "best": best, "fixed": naive["construct"]
               + naive["destruct"], "object_bytes": records[_experiment(NAIVE)]["object_bytes"]},
        figures={"life": _figure(lives)})


def _figure(lives: dict[str, dict[str, float]]) -> str:
    colours = dict(zip(STEPS, (draw.VERMILION, draw.BLUE, draw.SKY, draw.ORANGE)))
    shown = [heap for heap in HEAPS if heap != NAIVE]
    cached = lives[NAIVE]["cached"]
    with draw.sheet(1, 2.6) as sheet:
        (axes,) = sheet.panels
        left = [0.0] * len(shown)
        for step in STEPS:
            values = [lives[heap][step] for heap in shown]
            axes.barh(range(len(shown)), values, 0.62, left=left, color=colours[step], label=step)
            left = [a + b for a, b in zip(left, values)]
        axes.barh(len(shown), cached, 0.62, color=draw.GREEN, label="taken and given back")
        axes.set_yticks(range(len(shown) + 1), [*shown, "a cache, on any heap"])
        axes.set_ylim(len(shown) + 0.5, -0.5)
        axes.grid(axis="y", visible=False)
        axes.set_xlim(0, 1.7 * max(left))
        axes.set_title(f"An object's life ({NAIVE}: {lives[NAIVE]['made']:,.0f}, not drawn)")
        axes.set_xlabel("instructions")
        axes.legend(loc="center right")
    return sheet.svg
