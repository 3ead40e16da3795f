# SPDX-License-Identifier: MIT
"""One trace over time, as small multiples: a panel for each heap, all with the same axes."""

from __future__ import annotations

from typing import Callable

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from lab import heaps
from lab.figures import (BLUE, GREY, ORANGE, POINTS, VERMILION, WIDTH_INCHES, draw_portrait,
                         legend_on_top, portrait_legend, power, style, svg)
from lab.results import Document, Record
from lab.table import ordered

_COLUMNS = 2
_ROW_INCHES = 1.05


def memory(document: Document, trace: str) -> str:
    """What is requested, granted and free, and the largest hole."""
    with style():
        figure = _drawn(document, trace, _draw_memory)
        legend_on_top(figure, figure.axes[0].get_legend_handles_labels()[0])
        return svg(figure)


def portraits(document: Document, trace: str) -> str:
    """What each heap looks like, time across and addresses down."""
    with style():
        figure = _drawn(document, trace, draw_portrait)
        legend_on_top(figure, portrait_legend(), columns=3)
        return svg(figure)


def _drawn(document: Document, trace: str, draw: Callable[[Axes, Record], None]) -> Figure:
    """A figure with a panel for each heap."""
    records = ordered(document, trace)
    rows = -(-len(records) // _COLUMNS)
    figure = Figure(figsize=(WIDTH_INCHES, 0.8 + _ROW_INCHES * rows))
    panels = figure.subplots(rows, _COLUMNS, sharex=True, sharey=True, squeeze=False).flatten()
    for axes, one in zip(panels, records):
        axes.set_title(heaps.of(one).name, pad=3)
        draw(axes, one)
    for axes in panels[len(records):]:
        axes.set_visible(False)
    panels[0].set_yticks([0, records[0]["heap_kib"] / 2, records[0]["heap_kib"]])
    panels[0].xaxis.set_major_locator(MaxNLocator(3))
    panels[0].xaxis.set_major_formatter(FuncFormatter(power))
    for axes in panels[::_COLUMNS]:
        axes.set_ylabel("KiB")
    for axes in panels[-_COLUMNS:]:
        axes.set_xlabel("operations")
    return figure


def _draw_memory(axes: Axes, one: Record) -> None:
    step = -(-len(one["series"]["operation"]) // POINTS)
    series = {name: [value if name == "operation" else value / 1024 for value in values[::step]]
              for name, values in one["series"].items()}
    time = series["operation"]
    axes.fill_between(time, series["requested"], color=BLUE, alpha=0.3, linewidth=0,
                      label="requested")
    axes.plot(time, series["granted"], color=BLUE, linewidth=1, label="granted")
    axes.plot(time, series["free"], color=ORANGE, linewidth=1.2, linestyle=(0, (4, 1.5)),
              label="free")
    axes.plot(time, series["largest"], color=VERMILION, linewidth=1.2, linestyle=(0, (1, 1)),
              label="largest hole")
    axes.margins(x=0)
    axes.set_ylim(bottom=0)
    axes.spines["bottom"].set_color(GREY)
