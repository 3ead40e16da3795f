# SPDX-License-Identifier: MIT
"""The results as pictures: SVG by matplotlib, the same bytes for the same results.

Colours are those of Okabe and Ito, told apart by colour-blind eyes; shapes and lightness differ
as well, so that a grey print still reads.
"""

from __future__ import annotations

import io
from typing import Any, ContextManager, Iterator, Optional, Sequence

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from lab import heaps
from lab.portrait import STATES, pixels
from lab.results import Document, Record, main_traces, sampled_traces, total_bytes
from lab.table import ordered

BLUE, SKY, ORANGE, VERMILION, GREEN = "#0072B2", "#A6D3EE", "#E69F00", "#D55E00", "#009E73"
GREY = "#777777"

WIDTH_INCHES = 4.6
_ROW_INCHES = 0.27
POINTS = 128
"""Samples that a panel of one and a half inches shows."""
_STYLE = {
    "svg.hashsalt": "los-heap-lab",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}

_COST_MARKS = (("mean", "mean", "o", BLUE), ("p999", "p99.9", "s", ORANGE),
               ("max", "max", "^", VERMILION))


def svg(figure: Figure) -> str:
    """The text of a picture."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def _panels(document: Document, traces: Sequence[str], extra_inches: float) -> tuple[Figure, Any]:
    """A figure with a panel for each of `traces`, each with a row for each heap."""
    rows = len(heaps.all_of(document["settings"]))
    height = len(traces) * (0.45 + rows * _ROW_INCHES) + extra_inches
    figure = Figure(figsize=(WIDTH_INCHES, height))
    return figure, figure.subplots(len(traces), 1, sharex=True, squeeze=False)[:, 0]


def _name_rows(axes: Axes, records: Sequence[Record]) -> None:
    axes.set_yticks(range(len(records)), [heaps.of(one).name for one in records])
    axes.set_ylim(len(records) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)


def cost(document: Document, traces: Optional[Sequence[str]] = None) -> str:
    """Cost per operation: mean, p99.9 and max of every heap on every trace, or on these; the axis
    is the same for any choice of traces."""
    with style():
        traces = traces or main_traces(document)
        figure, panels = _panels(document, traces, 0.75)
        for axes, trace in zip(panels, traces):
            _cost_panel(axes, trace, ordered(document, trace))
        panels[-1].set_xscale("log")
        panels[-1].set_xlim(*_cost_limits(document))
        panels[-1].xaxis.set_major_formatter(FuncFormatter(power))
        panels[-1].set_xlabel(f"{document['settings']['unit']} per operation (logarithmic)")
        _legend_above(panels[0], entries=3)
        return svg(figure)


def _cost_limits(document: Document) -> tuple[float, float]:
    """From a bit below the least cost to a bit above the greatest."""
    costs = [one["cost"] for one in document["records"]
             if one["trace"] in main_traces(document) and one["cost"]["operations"]]
    return (min((one["mean"] for one in costs), default=1) / 1.5 or 0.1,
            max((one["max"] for one in costs), default=10) * 1.5 or 1)


def _legend_above(axes: Axes, entries: int) -> None:
    """A legend beside the title of the first panel, where it hides no figure."""
    axes.legend(loc="lower right", bbox_to_anchor=(1.01, 0.97), ncol=entries, borderpad=0,
                borderaxespad=0.3, handletextpad=0.4, columnspacing=1.2)


def _cost_panel(axes: Axes, trace: str, records: Sequence[Record]) -> None:
    for row, one in enumerate(records):
        if one["cost"]["operations"]:
            axes.plot([one["cost"]["mean"], one["cost"]["max"]], [row, row], color=GREY,
                      linewidth=1, zorder=1)
    for figure, label, marker, colour in _COST_MARKS:
        shown = [(one["cost"][figure], row) for row, one in enumerate(records)
                 if one["cost"]["operations"]]
        axes.scatter([value for value, _ in shown], [row for _, row in shown], marker=marker,
                     s=34, color=colour, label=label, zorder=2)
    axes.set_title(trace, parse_math=False)
    _name_rows(axes, records)


def power(value: float, _: object) -> str:
    """A tick's number as people write it: 20 k, 3 M."""
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


def _matrix(document: Document) -> tuple[Figure, Iterator[tuple[Axes, Record]]]:
    """A figure with a row of panels for each heap and a column for each trace that was
    sampled, and those panels with their records."""
    names = [heap.name for heap in heaps.all_of(document["settings"])]
    traces = sampled_traces(document)
    figure = Figure(figsize=(1 + 1.6 * len(traces), 0.7 + 0.85 * len(names)))
    panels = figure.subplots(len(names), len(traces), sharex="col", sharey=True,
                             squeeze=False, gridspec_kw={"wspace": 0.03, "hspace": 0.03})
    for axes, name in zip(panels[:, 0], names):
        axes.set_ylabel(name, rotation="horizontal", ha="right", va="center",
                        fontweight="bold")
    for axes, trace in zip(panels[0], traces):
        axes.set_title(trace, loc="center", parse_math=False)
    for axes in panels[-1]:
        axes.set_xlabel("operations")
        axes.xaxis.set_major_locator(MaxNLocator(2))
        axes.xaxis.set_major_formatter(FuncFormatter(power))
    return figure, ((axes, one) for column, trace in zip(panels.T, traces)
                    for axes, one in zip(column, ordered(document, trace)))


def legend_on_top(figure: Figure, handles: Sequence[Artist], columns: int = 0) -> None:
    """A legend above all panels, in a strip of its own."""
    columns = columns or len(handles)
    strip = (0.1 + 0.2 * -(-len(handles) // columns)) / figure.get_figheight()
    figure.get_layout_engine().set(rect=(0, 0, 1, 1 - strip))
    figure.legend(handles=handles, loc="upper right", ncol=columns, borderaxespad=0.2,
                  handlelength=1.2, handletextpad=0.5, columnspacing=1.2)


def holes(document: Document) -> str:
    """Free memory and the largest hole in it over time, a panel for each strategy and trace."""
    with style():
        figure, panels = _matrix(document)
        for axes, one in panels:
            step = -(-len(one["series"]["operation"]) // POINTS)
            operations, free, largest = (one["series"][name][::step]
                                         for name in ("operation", "free", "largest"))
            axes.fill([operations[0], *operations, operations[-1]],
                      [0, *(size / 1024 for size in free), 0],
                      color=SKY, linewidth=0, label="free, KiB")
            axes.plot(operations, [size / 1024 for size in largest],
                      color=VERMILION, linewidth=1.2, label="largest hole, KiB")
            axes.margins(x=0)
            axes.yaxis.set_major_locator(MaxNLocator(3))
            axes.set_ylim(bottom=0)
        legend_on_top(figure, figure.axes[0].get_legend_handles_labels()[0])
        return svg(figure)


def portraits(document: Document) -> str:
    """What each heap looks like over time, a panel for each strategy and trace."""
    with style():
        figure, panels = _matrix(document)
        for axes, one in panels:
            draw_portrait(axes, one)
            axes.yaxis.set_major_locator(MaxNLocator(3))
        legend_on_top(figure, portrait_legend())
        return svg(figure)


def draw_portrait(axes: Axes, one: Record) -> None:
    """Draw a heap, time across and addresses down; a single sample lasts an operation."""
    rows = [list(row) for row in pixels(one)]
    operations, total_kib = one["series"]["operation"], total_bytes(one["heap_kib"]) / 1024
    axes.imshow(rows, cmap=ListedColormap([state.colour for state in STATES]), vmin=0,
                vmax=len(STATES) - 1, aspect="auto", interpolation="nearest",
                interpolation_stage="rgba",
                extent=(operations[0], max(operations[-1], operations[0] + 1), total_kib, 0))
    axes.grid(visible=False)


def portrait_legend() -> list[Artist]:
    """What a portrait's colours mean."""
    return [Patch(facecolor=state.colour, edgecolor=GREY, linewidth=0.5, label=state.title)
            for state in STATES]


def style() -> ContextManager[None]:
    """This module's style alone, whatever the user's configuration says."""
    default: dict[str, Any] = dict(matplotlib.rcParamsDefault)
    return matplotlib.rc_context(rc=default | {"backend": "svg"} | _STYLE)
