# SPDX-License-Identifier: MIT
"""Chapter 10: what a fresh block still holds, and what it costs to clear it."""

from __future__ import annotations

from typing import Any, Sequence

from lab.answer import draw
from lab.answer.chapter import NAIVE, About, Records, Scale, Telling
from lab.answer.fit import line
from lab.experiment import KERNEL, Experiment

ABOUT = About(
    10, "contents", "Stale contents",
    "A fresh block holds what its last owner left there.")

HEAPS = (NAIVE, "boundary-tag", "slab", "tlsf", "boundary-map")


def _experiment(name: str, heap: str) -> Experiment:
    return Experiment(KERNEL, heap, f"run=experiment experiment={name}", effort=100)


def experiments(scale: Scale) -> list[Experiment]:
    return [_experiment(name, heap) for name in ("stale", "zeroing") for heap in HEAPS]


def tell(records: Records, scale: Scale) -> Telling:
    stale = {heap: records[_experiment("stale", heap)] for heap in HEAPS}
    zeroing = {heap: records[_experiment("zeroing", heap)] for heap in HEAPS}
    share = stale[NAIVE]["stale_bytes"] / stale[NAIVE]["bytes"]
    sizes = zeroing[NAIVE]["sizes"]
    extra = {heap: [zeroed - plain for zeroed, plain in zip(raw["kcalloc"], raw["kmalloc"])]
             for heap, raw in zeroing.items()}
    fitted = line(sizes, extra[NAIVE])
    return Telling(
        finding=f"{100 * share:.0f} % of the bytes of fresh blocks are another owner's",
        verdict="secrets leak" if share > 0.01 else "nothing leaks",
        words={"stale": stale, "zeroing": zeroing, "sizes": sizes, "extra": extra,
               "fitted": fitted, "share": share, "heaps": HEAPS},
        figures={"zeroing": _figure(sizes, zeroing)})


def _figure(sizes: Sequence[int], zeroing: dict[str, Any]) -> str:
    with draw.sheet(1) as sheet:
        (axes,) = sheet.panels
        for heap in (NAIVE, "tlsf", "boundary-map"):
            axes.plot(sizes, zeroing[heap]["kcalloc"], label=f"{heap}, zeroed", **draw.look(heap))
            axes.plot(sizes, zeroing[heap]["kmalloc"], linestyle=":", label=f"{heap}, as it is",
                      **draw.look(heap))
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.set_xlabel("bytes requested (logarithmic)")
        axes.set_ylabel("instructions (logarithmic)")
        axes.set_title("A block zeroed, or as it is, from an empty heap")
        axes.legend(loc="upper left", fontsize=8)
        draw.numbers(axes.yaxis)
    return sheet.svg
