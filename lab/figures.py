# SPDX-License-Identifier: MIT
"""The results as pictures: SVG by matplotlib, the same bytes for the same results.

Colours are those of Okabe and Ito, told apart by colour-blind eyes; shapes and lightness differ
as well, so that a grey print still reads. All pictures are one column of panels, wide enough for
a telephone held upright.
"""

from __future__ import annotations

import io
from typing import Any, ContextManager, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from lab.results import Document, Record, main_traces
from lab.table import ordered

BLUE, SKY, ORANGE, VERMILION, GREEN = "#0072B2", "#A6D3EE", "#E69F00", "#D55E00", "#009E73"
GREY = "#777777"

_WIDTH_INCHES = 4.6
_ROW_INCHES = 0.27
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


def _svg(figure: Figure) -> str:
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return file.getvalue()


def _panels(document: Document, traces: Sequence[str], extra_inches: float) -> tuple[Figure, Any]:
    """A figure with a panel for each of `traces`, each with a row for each strategy."""
    rows = len(document["settings"]["strategies"])
    height = len(traces) * (0.45 + rows * _ROW_INCHES) + extra_inches
    figure = Figure(figsize=(_WIDTH_INCHES, height))
    return figure, figure.subplots(len(traces), 1, sharex=True, squeeze=False)[:, 0]


def _name_rows(axes: Axes, records: Sequence[Record]) -> None:
    axes.set_yticks(range(len(records)), [one["strategy"] for one in records])
    axes.set_ylim(len(records) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)


def cost(document: Document) -> str:
    """Cost per operation: mean, p99.9 and max of every strategy on every trace."""
    with _style():
        traces = main_traces(document)
        figure, panels = _panels(document, traces, 0.75)
        for axes, trace in zip(panels, traces):
            _cost_panel(axes, trace, ordered(document, trace))
        panels[-1].set_xscale("log")
        panels[-1].xaxis.set_major_formatter(FuncFormatter(_power))
        panels[-1].set_xlabel(f"{document['settings']['unit']} per operation (logarithmic)")
        _legend_above(panels[0], entries=3)
        return _svg(figure)


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
    axes.set_title(trace)
    _name_rows(axes, records)


def _power(value: float, _: object) -> str:
    for unit, name in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


def tightness(document: Document) -> str:
    """Tightness of every strategy on every trace."""
    with _style():
        traces = main_traces(document)
        figure, panels = _panels(document, traces, 0.45)
        for axes, trace in zip(panels, traces):
            records = ordered(document, trace)
            values = [one["tightness"] or 0 for one in records]
            axes.barh(range(len(records)), values, height=0.62, color=BLUE)
            for row, one in enumerate(records):
                text = "fits in no heap tried" if one["tightness"] is None else \
                    f"{one['tightness']:.3f}"
                axes.text(values[row] + 0.01, row, text, va="center", fontsize=8.5)
            axes.set_title(trace)
            axes.set_xlim(0, 1.12)
            axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
            _name_rows(axes, records)
        panels[-1].set_xlabel("bytes requested at once / smallest total memory")
        return _svg(figure)


def holes(document: Document, trace: str) -> str:
    """Free memory and the largest hole while one trace runs, a panel for each strategy."""
    with _style():
        records = ordered(document, trace)
        figure = Figure(figsize=(_WIDTH_INCHES, 0.7 + 1.15 * len(records)))
        panels = figure.subplots(len(records), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for axes, one in zip(panels, records):
            series = one["series"]
            axes.fill_between(series["operation"], [kib / 1024 for kib in series["free"]],
                              color=SKY, linewidth=0, label="free")
            axes.plot(series["operation"], [kib / 1024 for kib in series["largest"]],
                      color=VERMILION, linewidth=1.4, label="largest hole")
            axes.set_title(one["strategy"] + _failures(one["failures"]))
            axes.set_ylabel("KiB")
            axes.yaxis.set_major_locator(MaxNLocator(4))
        panels[0].set_ylim(bottom=0)
        _legend_above(panels[0], entries=2)
        panels[-1].set_xlabel("operations replayed")
        panels[-1].xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
        panels[-1].xaxis.set_major_locator(MaxNLocator(5))
        panels[-1].margins(x=0)
        return _svg(figure)


def _failures(number: int) -> str:
    return f" ({number:,} failed)" if number else ""


def _style() -> ContextManager[None]:
    """This module's style alone, whatever the user's configuration says."""
    style: dict[str, Any] = dict(matplotlib.rcParamsDefault)
    return matplotlib.rc_context(rc=style | {"backend": "svg"} | _STYLE)
