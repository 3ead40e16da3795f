# SPDX-License-Identifier: MIT
"""`heaplab trace info`: what a trace asks for, as tables and as a picture."""

from __future__ import annotations

from typing import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab import figures
from lab.record.shape import Shape, classes, quantile
from lab.table import WIDTH
from lab.trace import Trace

_BAR = "▏▎▍▌▋▊▉█"
_BAR_CELLS = 24
_CURVE = "▁▂▃▄▅▆▇█"
_CURVE_CELLS = 72
_SHARES = ((0.1, "10 %"), (0.5, "half"), (0.9, "90 %"), (0.99, "99 %"), (1.0, "longest"))


def _bar(share: float) -> str:
    eighths = round(share * _BAR_CELLS * 8)
    return "█" * (eighths // 8) + (_BAR[eighths % 8 - 1] if eighths % 8 else "")


def curve(values: Sequence[int], cells: int = _CURVE_CELLS) -> str:
    """The values over time in one line of text; each cell shows the most of its time."""
    cells = min(cells, len(values))
    most = max(max(values, default=0), 1)
    pieces = (values[i * len(values) // cells:(i + 1) * len(values) // cells]
              for i in range(cells))
    return "".join(_CURVE[min(7, max(piece) * 8 // most)] for piece in pieces)


def size_table(shape: Shape) -> Table:
    """How many allocations there are of which sizes, and their bytes."""
    table = Table(box=box.SIMPLE_HEAD, title="requests by size", title_justify="left")
    for name in ("bytes", "allocations", "of all", "bytes of all"):
        table.add_column(name, justify="right")
    table.add_column("")
    total = max(sum(shape.sizes), 1)
    for one in classes(shape.sizes):
        table.add_row(f"to {one.most:,}", f"{one.count:,}", f"{one.count / shape.allocations:.1%}",
                      f"{one.bytes / total:.1%}", _bar(one.count / shape.allocations))
    return table


def lifetime_table(shape: Shape) -> Table:
    """How long blocks live."""
    table = Table(box=box.SIMPLE_HEAD, title="lifetimes of freed blocks, in operations",
                  title_justify="left")
    for _, name in _SHARES:
        table.add_column(f"{name} up to" if name != "longest" else name, justify="right")
    table.add_column("never freed", justify="right")
    table.add_row(*(f"{quantile(shape.lifetimes, share):,}" for share, _ in _SHARES),
                  f"{shape.never_freed:,}")
    return table


def show(one: Trace, shape: Shape, needs: Sequence[tuple[str, int]], console: Console) -> None:
    """Print what a trace is like; `needs` are the smallest heaps that were found."""
    console.print(f"[b]{escape(one.name)}[/b]: {one.operations:,} operations: {shape.allocations:,}"
                  f" allocations, {shape.resizes:,} resizes, {shape.frees:,} frees", width=WIDTH)
    console.print(f"at most {one.peak_requested_bytes:,} bytes in {shape.peak_objects:,} blocks"
                  " at once")
    console.print(size_table(shape), lifetime_table(shape))
    console.print("requested bytes over time")
    console.print(f"  {curve(shape.live)}  {one.peak_requested_bytes:,} at most", width=WIDTH)
    for strategy, total in needs:
        console.print(f"the smallest memory in which {strategy} runs it: "
                      + (f"{total:,} bytes, tightness {one.peak_requested_bytes / total:.4f}"
                         if total else "none up to 64 MiB"))


def _binary(number: int) -> str:
    return f"{number >> 10} Ki" if number >= 1024 else str(number)


def picture(one: Trace, shape: Shape) -> str:
    """Sizes, lifetimes and the live curve, as SVG."""
    with figures.style():
        figure = Figure(figsize=(9, 3))
        sizes, lifetimes, live = figure.subplots(1, 3)
        found = list(classes(shape.sizes))
        sizes.bar(range(len(found)), [each.count for each in found], color=figures.BLUE)
        sizes.set_xticks(range(len(found)), [_binary(each.most) for each in found], rotation=90)
        sizes.set_title("allocations by size")
        sizes.set_xlabel("bytes, up to")
        steps = range(101)
        lifetimes.plot([max(1, quantile(shape.lifetimes, step / 100)) for step in steps], steps,
                       color=figures.VERMILION)
        lifetimes.set_xscale("log")
        lifetimes.set_title("% of freed blocks that live")
        lifetimes.set_xlabel("operations, at most")
        step = max(1, len(shape.live) // 500)
        live.fill_between(range(0, len(shape.live), step),
                          [value / 1024 for value in shape.live[::step]], color=figures.SKY,
                          linewidth=0)
        live.set_title("requested, KiB")
        live.set_xlabel("operations")
        live.set_ylim(bottom=0)
        live.xaxis.set_major_locator(MaxNLocator(4))
        live.xaxis.set_major_formatter(FuncFormatter(figures.power))
        figure.suptitle(one.name, x=0.01, ha="left", fontweight="bold", parse_math=False)
        return figures.svg(figure)
