# SPDX-License-Identifier: MIT
"""Chapter 2: an adversary who makes every allocation look at the whole map."""

from __future__ import annotations

import functools
from pathlib import Path

from lab.answer import draw
from lab.answer.chapter import NAIVE, About, Records, Scale, Telling
from lab.answer.fit import line
from lab.experiment import KERNEL, Experiment
from lab.trace import Trace, parse

ABOUT = About(
    2, "worst-case", "The worst case is the whole heap",
    "One caller can make every allocation of all others look at every block there is.")

HEAPS = (NAIVE, "next-fit", "best-fit", "free-list", "boundary-tag", "segregated", "buddy", "slab",
         "half-fit", "tlsf", "boundary-map")
BLOCK_BYTES = 64
MAX_KIB = 2048
"""Building the comb looks at all of it once for each tooth: beyond this size it takes minutes."""
CLOCK_MHZ = 1000
INSTRUCTIONS_PER_MS = CLOCK_MHZ * 1000
"""At one instruction a cycle."""


def comb(heap_kib: int, rounds: int) -> str:
    """The adversary's trace, as `.rep` text.

    It takes the whole heap in single blocks but for the last two, and gives every other one
    back: half of the heap is free, in holes of one block. From then on it asks for two blocks,
    which fit only at the very end, and frees them again.
    """
    teeth = heap_kib * 1024 // BLOCK_BYTES - 2
    operations = [f"a {tooth} {BLOCK_BYTES}" for tooth in range(teeth)]
    operations += [f"f {tooth}" for tooth in range(0, teeth, 2)]
    operations += [f"a {teeth} {2 * BLOCK_BYTES}", f"f {teeth}"] * rounds
    header = [heap_kib * 1024, teeth + 1, len(operations), 1]
    return "\n".join([*map(str, header), *operations]) + "\n"


@functools.cache
def _trace(heap_kib: int, rounds: int) -> Trace:
    return parse(comb(heap_kib, rounds).encode(), Path(f"comb-{heap_kib}.rep"))


def _experiment(strategy: str, scale: Scale, heap_kib: int = 1024) -> Experiment:
    trace = _trace(heap_kib, scale.operations // 8)
    return Experiment(KERNEL, strategy, "run=replay samples=0", heap_kib=heap_kib, trace=trace,
                      effort=trace.operations * heap_kib // 1024)


def _sizes(scale: Scale) -> list[int]:
    return [heap_kib for heap_kib in scale.heap_sizes_kib if heap_kib <= MAX_KIB]


def experiments(scale: Scale) -> list[Experiment]:
    return [*(_experiment(strategy, scale) for strategy in HEAPS),
            *(_experiment(NAIVE, scale, heap_kib) for heap_kib in _sizes(scale))]


def tell(records: Records, scale: Scale) -> Telling:
    worst = {strategy: records[_experiment(strategy, scale)]["malloc"]["max"]
             for strategy in HEAPS}
    sizes = [(heap_kib, records[_experiment(NAIVE, scale, heap_kib)]["malloc"]["max"])
             for heap_kib in _sizes(scale)]
    fitted = line([kib for kib, _ in sizes], [cost for _, cost in sizes])
    blocks = 1024 * 1024 // BLOCK_BYTES
    per_ms = {strategy: INSTRUCTIONS_PER_MS // cost for strategy, cost in worst.items()}
    return Telling(
        finding=f"{worst[NAIVE]:,} instructions for one kmalloc: {per_ms[NAIVE]:,} in a"
        " millisecond at 1 GHz",
        verdict="no deadline can be promised" if fitted.r_squared > 0.99 else "not shown",
        words={
            "worst": worst, "per_ms": per_ms, "sizes": sizes, "fitted": fitted, "blocks": blocks,
            "each": worst[NAIVE] / blocks, "block_bytes": BLOCK_BYTES, "clock_mhz": CLOCK_MHZ,
            "free_share": 0.5,
            "bounded": [name for name in ("half-fit", "tlsf", "boundary-map")],
            "footprints": {name: records[_experiment(name, scale)]["footprint"]
                           for name in HEAPS},
        },
        figures={"worst": _figure(worst)})


def _figure(worst: dict[str, int]) -> str:
    with draw.sheet(1, 3.4) as sheet:
        (axes,) = sheet.panels
        draw.bars(axes, list(worst), list(worst.values()), [f"{cost:,}" for cost in worst.values()],
                  [draw.VERMILION if name == NAIVE else draw.BLUE for name in worst])
        axes.set_xscale("log")
        axes.set_xlim(10, max(worst.values()) * 6)
        axes.set_title("The dearest kmalloc on the adversary's trace")
        axes.set_xlabel("instructions (logarithmic)")
        draw.numbers(axes.xaxis)
    return sheet.svg
