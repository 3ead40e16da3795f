# SPDX-License-Identifier: MIT
"""Row 11: Bonwick's slab allocator against those before it: cost, and waste after a spike."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Mapping, Sequence

from lab import trace
from lab.answer import draw
from lab.experiment import KERNEL, Experiment, operations_of
from lab.papers.row import SOURCE, About, Check, Records, Result, Scale, Telling, simulate
from lab.trace import Trace

ABOUT = About(
    (11,), "slab", "The slab allocator's table",
    "J. Bonwick, \"The Slab Allocator: An Object-Caching Kernel Memory Allocator\", USENIX Summer"
    " 1994, section 5")

KIN = {"slab": "slab", "segregated": "4.4BSD, powers of two", "buddy": "SVr4, lazy buddy",
       "free-list": "SunOS, sequential fit"}
PUBLISHED_COST = {"slab": 3.8, "segregated": 4.1, "buddy": 9.4, "free-list": 25.0}
"""Microseconds for an allocation and its free."""
PUBLISHED_WASTE = {"slab": (11, 13), "free-list": (7, 19), "segregated": (20, 43),
                   "buddy": (23, 45)}
"""Per cent of memory after boot, and after the spike."""
PROCESSES = 256
OBJECTS_EACH = 24
KEPT = 0.05
"""A heap that wastes so much more after the spike than after boot has kept its memory."""
HEAP_KIB = 4096
PAGE_BYTES = 4096
BOOT, FORK = "linux-boot", "linux-fork-exec"


@functools.cache
def _shipped(name: str) -> Trace:
    return trace.read(trace.find(name), name)


def _trace(name: str, lines: Sequence[str], ids: int) -> Trace:
    header = ["0", str(ids), str(len(lines)), "1"]
    return trace.parse("\n".join([*header, *lines]).encode(), Path(f"{name}.rep"))


@functools.cache
def stages() -> Mapping[str, Trace]:
    """A recorded boot; and then as many processes at once, each with objects of recorded sizes,
    all of which end. The same with a request at the end that no heap can serve."""
    boot = _shipped(BOOT)
    lines = boot.text.decode().splitlines()[len(trace.HEADER):]
    sizes = [size for kind, _, size in operations_of(_shipped(FORK)) if kind == "a"]
    objects = range(boot.ids, boot.ids + PROCESSES * OBJECTS_EACH)
    after = [*lines, *(f"a {one} {sizes[place % len(sizes)]}" for place, one in enumerate(objects)),
             *(f"f {one}" for one in objects)]
    short = f"a {objects.stop} {HEAP_KIB * 1024}"
    return {"boot": boot, "boot-shortage": _trace("boot-shortage", [
                *lines, short.replace(str(objects.stop), str(boot.ids), 1)], boot.ids + 1),
            "spike": _trace("spike", after, objects.stop),
            "spike-shortage": _trace("spike-shortage", [*after, short], objects.stop + 1)}


def _counted(strategy: str, name: str) -> Experiment:
    of = _shipped(name)
    return Experiment(KERNEL, strategy, "run=replay samples=0", trace=of, effort=of.operations)


def _after(strategy: str, stage: str) -> Experiment:
    """4.4BSD never merges, so its kin must not either: it meets no shortage. Of the others each
    may do what it does when memory is short, as SunOS 5's slabs are given back."""
    stage += "" if strategy == "segregated" else "-shortage"
    return simulate(strategy, "play", HEAP_KIB, trace=stages()[stage], seconds=1)


def _cost_traces(scale: Scale) -> Sequence[str]:
    return (BOOT,) if scale.quick else (BOOT, FORK)


def experiments(scale: Scale) -> list[Experiment]:
    return [*(_counted(strategy, name) for strategy in KIN for name in _cost_traces(scale)),
            *(_after(strategy, stage) for strategy in KIN for stage in ("boot", "spike"))]


def waste(raw: Any) -> float:
    """The share of the pages that are in use at all that nobody asked for."""
    used = raw["arena_bytes"] + raw["arena_bytes"] // 64 - raw["empty_pages"] * PAGE_BYTES
    return float(1 - raw["requested_bytes"] / used)


def _cost(records: Records, strategy: str, scale: Scale) -> float:
    """Instructions of a kmalloc and a kfree, on average over the traces' operations."""
    raws = [records[_counted(strategy, name)] for name in _cost_traces(scale)]
    return sum(sum(raw[one]["total"] for raw in raws) / sum(raw[one]["operations"] for raw in raws)
               for one in ("malloc", "free"))


def _order(values: Mapping[str, float]) -> list[str]:
    return sorted(values, key=lambda strategy: values[strategy])


def _order_check(what: str, published: Mapping[str, float], measured: Mapping[str, float]) -> Check:
    return Check(what, ", ".join(_order(published)), ", ".join(_order(measured)), "the same order",
                 _order(published) == _order(measured))


def tell(records: Records, scale: Scale) -> Telling:
    costs = {strategy: _cost(records, strategy, scale) for strategy in KIN}
    boot, spike = ({strategy: waste(records[_after(strategy, stage)]) for strategy in KIN}
                   for stage in ("boot", "spike"))
    due = {strategy: after for strategy, (_, after) in PUBLISHED_WASTE.items()}
    checks = [
        _order_check("cost of a kmalloc and a kfree, least first", PUBLISHED_COST, costs),
        _order_check("waste after boot, least first",
                     {strategy: first for strategy, (first, _) in PUBLISHED_WASTE.items()}, boot)]
    for other in ("segregated", "buddy", "free-list"):
        checks.append(Check(
            f"waste after the spike, slab and {other}", f"{due['slab']} and {due[other]} %",
            f"{100 * spike['slab']:.0f} and {100 * spike[other]:.0f} %", "slab less",
            spike["slab"] < spike[other]))
    return Telling(
        [Result("11", ABOUT.title, "slab cheapest; after a spike it wastes least",
                f"cost: {', '.join(_order(costs))}; waste after the spike:"
                f" {', '.join(_order(spike))}", SOURCE, checks)],
        {"rows": [(strategy, kin, PUBLISHED_COST[strategy], costs[strategy],
                   *PUBLISHED_WASTE[strategy], boot[strategy], spike[strategy])
                  for strategy, kin in KIN.items()],
         "kept": [strategy for strategy in KIN if spike[strategy] > boot[strategy] + KEPT],
         "processes": PROCESSES, "objects": OBJECTS_EACH, "traces": _cost_traces(scale)},
        {"waste": _figure(boot, spike)})


def _figure(boot: Mapping[str, float], spike: Mapping[str, float]) -> str:
    with draw.sheet(1, 2.8) as sheet:
        (axes,) = sheet.panels
        series = (("published, after boot", [PUBLISHED_WASTE[one][0] for one in KIN], "#D0D0D0"),
                  ("published, after the spike", [PUBLISHED_WASTE[one][1] for one in KIN],
                   draw.GREY),
                  ("here, after boot", [100 * boot[one] for one in KIN], draw.SKY),
                  ("here, after the spike", [100 * spike[one] for one in KIN], draw.BLUE))
        for place, (label, values, colour) in enumerate(series):
            axes.bar([row + (place - 1.5) * 0.2 for row in range(len(KIN))], values, 0.18,
                     color=colour, label=label)
        axes.set_xticks(range(len(KIN)), list(KIN))
        axes.set_title("Memory that nobody asked for")
        axes.set_ylabel("per cent of pages in use")
        axes.set_ylim(0, 130)
        axes.set_yticks(range(0, 101, 20))
        axes.grid(axis="x", visible=False)
        axes.legend(ncol=2, loc="upper right")
    return sheet.svg
