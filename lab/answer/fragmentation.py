# SPDX-License-Identifier: MIT
"""Chapter 4: much memory is free, and the request fails all the same."""

from __future__ import annotations

from typing import Any, Sequence

from lab.answer import draw
from lab.answer.chapter import NAIVE, About, Records, Scale, Telling
from lab.answer.placed import BLOCK_BYTES, replay
from lab.errors import RunError
from lab.experiment import HOST, KERNEL, Evidence, Experiment

ABOUT = About(
    4, "fragmentation", "Free memory in pieces",
    "A request fails while many times as much memory is free.")

HEAPS = (NAIVE, "next-fit", "best-fit", "worst-fit", "boundary-tag", "buddy", "half-fit", "tlsf",
         "boundary-map")
PERCENT = 75
OPERATIONS = 32768
"""All of a churn, quick or not: the request that fails comes late."""
SAMPLES = 256
ROW_BLOCKS = 256


def map_at_failure(evidence: Evidence) -> dict[str, Any]:
    """Every hole at the moment when a request failed for the first time: [first, blocks], ...

    The kernel's own account of that moment must say the same.
    """
    failure = evidence.raw["first_failure"]
    if failure is None:
        return {"holes": None, "blocks": 0}
    for index, _, _, heap in replay(evidence):
        if index == failure["operation"]:
            holes = heap.holes()
            _verify(failure, [blocks * BLOCK_BYTES for _, blocks in holes])
            return {"holes": holes, "blocks": heap.map_bytes}
    raise RunError(f"operation {failure['operation']} is not in the trace")


def _verify(failure: Any, holes_bytes: Sequence[int]) -> None:
    seen = {"free": sum(holes_bytes), "holes": len(holes_bytes),
            "largest": max(holes_bytes, default=0)}
    for name, value in seen.items():
        if failure[name] != value:
            raise RunError(f"at the first failure the heap says {name} = {failure[name]}, its"
                           f" placements {value}")


def _churn(machine: str, strategy: str, **more: Any) -> Experiment:
    return Experiment(
        machine, strategy, f"run=replay workload=churn-kernel-{PERCENT} samples={SAMPLES}"
        f" operations={OPERATIONS}", effort=OPERATIONS, **more)


def _mapped() -> Experiment:
    return _churn(HOST, NAIVE, digest=map_at_failure)


def experiments(scale: Scale) -> list[Experiment]:
    return [_churn(KERNEL, NAIVE), _mapped(), *(_churn(HOST, strategy) for strategy in HEAPS)]


def tell(records: Records, scale: Scale) -> Telling:
    kernel = records[_churn(KERNEL, NAIVE)]
    mapped = records[_mapped()]
    if kernel["placement_hash"] != mapped["placement_hash"]:
        raise RunError("kernel and host place the blocks of one workload differently")
    failure, holes = kernel["first_failure"], mapped["digest"]["holes"]
    if failure is None:
        raise RunError(f"no request failed at {PERCENT} %: chapter 4 needs another workload")
    rows = [_row(strategy, records[_churn(HOST, strategy)]) for strategy in HEAPS]
    return Telling(
        finding=f"needs {failure['size'] / 1024:.1f} KiB; {failure['free'] / 1024:.0f} KiB free in"
        f" {failure['holes']} holes, the largest {failure['largest'] / 1024:.1f} KiB",
        verdict="fails with memory to spare" if failure["free"] > 2 * failure["size"]
        else "fails because it is full",
        words={"failure": failure, "rows": rows, "percent": PERCENT, "failures": kernel["failures"],
               "heap_bytes": kernel["heap_kib"] * 1024,
               "serving": [strategy for strategy, failed, _, _ in rows if not failed]},
        figures={"map": _map(holes, mapped["digest"]["blocks"], failure),
                 "time": _over_time(kernel)})


def _row(strategy: str, raw: Any) -> tuple[str, int, float, float]:
    """Failures, and at the end external fragmentation and the largest hole in KiB."""
    free, largest = raw["series"]["free"][-1], raw["series"]["largest"][-1]
    return strategy, raw["failures"], 1 - largest / free if free else 0.0, largest / 1024


def _boxes(first: int, blocks: int) -> list[tuple[float, float, float, float]]:
    """A hole's boxes on the map, one for each row it touches."""
    boxes = []
    while blocks:
        row, column = divmod(first, ROW_BLOCKS)
        width = min(blocks, ROW_BLOCKS - column)
        boxes.append((float(column), float(row), float(width), 1.0))
        first, blocks = first + width, blocks - width
    return boxes


def _map(holes: Sequence[Sequence[int]], blocks: int, failure: Any) -> str:
    rows = blocks // ROW_BLOCKS
    largest = max(holes, key=lambda hole: hole[1])
    needed = -(-failure["size"] // BLOCK_BYTES)
    with draw.sheet(1, 4.6) as sheet:
        (axes,) = sheet.panels
        draw.rectangles(axes, [(0, 0, ROW_BLOCKS, rows)], draw.SKY, "live")
        draw.rectangles(axes, [box for hole in holes for box in _boxes(*hole)], "#ffffff")
        draw.rectangles(axes, _boxes(*largest), draw.VERMILION, "the largest hole")
        draw.rectangles(axes, [(0, rows + 2, needed, 1)], draw.BLACK, "what was asked for")
        axes.set_xlim(0, ROW_BLOCKS)
        axes.set_ylim(rows + 4, 0)
        row_kib = ROW_BLOCKS * BLOCK_BYTES // 1024
        axes.set_yticks([rows * quarter // 4 for quarter in range(5)],
                        [f"{rows * quarter // 4 * row_kib:,}" for quarter in range(5)])
        axes.set_xticks([0, ROW_BLOCKS // 2, ROW_BLOCKS], ["0", str(row_kib // 2), str(row_kib)])
        axes.set_xlabel("KiB along a row; white is free")
        axes.set_ylabel("KiB from the start of the heap")
        axes.grid(visible=False)
        axes.set_title("The heap at the moment of the failure")
        axes.legend(loc="upper right", ncol=3, bbox_to_anchor=(1.01, -0.13), borderpad=0)
    return sheet.svg


def _over_time(raw: Any) -> str:
    series, failure = raw["series"], raw["first_failure"]
    with draw.sheet(1) as sheet:
        (axes,) = sheet.panels
        axes.fill_between(series["operation"], [free / 1024 for free in series["free"]],
                          color=draw.SKY, linewidth=0, label="free")
        axes.plot(series["operation"], [largest / 1024 for largest in series["largest"]],
                  color=draw.VERMILION, linewidth=1.4, label="largest hole")
        axes.axvline(failure["operation"], color=draw.BLACK, linestyle=":", linewidth=1.2,
                     label="first failure")
        axes.set_yscale("symlog", linthresh=10)
        axes.set_ylim(bottom=0)
        axes.set_title("Free memory and the largest hole")
        axes.set_xlabel("operations")
        axes.set_ylabel("KiB (logarithmic above 10)")
        axes.legend(loc="upper right")
        draw.numbers(axes.xaxis)
        draw.numbers(axes.yaxis)
        axes.margins(x=0)
    return sheet.svg
