# SPDX-License-Identifier: MIT
"""Scaling curves: cost and tightness against the heap's size, a panel for each strategy.

A line is the mean over seeds, the band around it goes from the lowest to the highest of them. In
grey, all other strategies, to compare with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterator, Optional, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from lab import heaps
from lab.figures import BLUE, ORANGE, VERMILION, legend_on_top, power, style, svg
from lab.heaps import Care, Heap
from lab.results import Document, Record
from lab.sweep.tables import size
from lab.trace import is_fill

_COLUMNS = 3
_PANEL_INCHES = (2.35, 1.75)
_LEGEND_COLUMNS = 3
"""Of a legend over fewer panels than a row can have."""
_TICKS = 4
_OTHERS = "#c4c4c4"


@dataclass(frozen=True)
class Line:
    """One figure of a record: how it is called and drawn."""

    label: str
    value: Callable[[Record], Optional[float]]
    marker: str
    colour: str


def _cost(figure: str) -> Callable[[Record], Optional[float]]:
    def value(one: Record) -> Optional[float]:
        found: Optional[float] = one["cost"][figure]
        return found

    return value


_COSTS = (Line("mean", _cost("mean"), "o", BLUE), Line("p99.9", _cost("p999"), "s", ORANGE),
          Line("max", _cost("max"), "^", VERMILION))
_TIGHTNESS = (Line("tightness", lambda one: one["tightness"], "o", BLUE),)


def cost(document: Document, trace: str, care: Care) -> str:
    """Mean, p99.9 and max against the heap's size."""
    return _chart(document, trace, care, _COSTS,
                  f"{document['settings']['unit']}, logarithmic", logarithmic=True)


def tightness(document: Document, trace: str, care: Care) -> str:
    """Tightness against the heap's size."""
    return _chart(document, trace, care, _TIGHTNESS, "tightness", logarithmic=False)


def all_of(document: Document) -> Iterator[tuple[str, str, Care, str]]:
    """Name, trace, what is done about misuse and callers, and SVG of every picture.

    There is none where there is but one size: a line takes two points.
    """
    settings = document["settings"]
    if len(settings["heap_kib"]) == 1:
        return
    for care in heaps.cares(settings):
        for trace in (*settings["traces"], *settings["workloads"]):
            yield f"cost-{trace}{care.suffix}", trace, care, cost(document, trace, care)
            yield f"tightness-{trace}{care.suffix}", trace, care, tightness(document, trace, care)


def _chart(document: Document, trace: str, care: Care, lines: Sequence[Line], label: str,
           logarithmic: bool) -> str:
    strategies = document["settings"]["strategies"]
    by_strategy = {strategy: [one for one in document["records"] if one["trace"] == trace
                              and heaps.of(one) == Heap(strategy, *care)]
                   for strategy in strategies}
    columns = min(_COLUMNS, len(strategies))
    rows = -(-len(strategies) // columns)
    with style():
        figure = Figure(figsize=(max(4.6, columns * _PANEL_INCHES[0]),
                                 0.75 + rows * _PANEL_INCHES[1]))
        panels = list(figure.subplots(rows, columns, sharex=True, sharey=True,
                                      squeeze=False).flat)
        for axes, strategy in zip(panels, strategies):
            _others(axes, by_strategy, strategy, lines[0])
            _own(axes, by_strategy[strategy], lines)
            axes.set_title(strategy)
        _axes(panels[0], document["settings"]["heap_kib"], logarithmic)
        for axes in panels[len(strategies):]:
            axes.set_visible(False)
        for axes in panels[max(0, len(strategies) - columns):len(strategies)]:
            axes.tick_params(axis="x", labelbottom=True)  # also where the last row ends early
        figure.supylabel(label, fontsize=9.5)
        figure.supxlabel("heap", fontsize=9.5)
        _legend(figure, by_strategy, lines)
        return svg(figure)


def _points(records: Sequence[Record], line: Line) -> list[tuple[int, list[float]]]:
    """By heap size: the figure, for each seed."""
    sizes = sorted({one["heap_kib"] for one in records})
    found = [(kib, [value for one in records if one["heap_kib"] == kib
                    and (value := line.value(one)) is not None]) for kib in sizes]
    return [(kib, values) for kib, values in found if values]


def _means(points: Sequence[tuple[int, list[float]]]) -> tuple[list[int], list[float]]:
    return ([kib for kib, _ in points], [sum(values) / len(values) for _, values in points])


def _others(axes: Axes, by_strategy: dict[str, list[Record]], strategy: str, line: Line) -> None:
    for other, records in by_strategy.items():
        if other != strategy:
            axes.plot(*_means(_points(records, line)), color=_OTHERS, linewidth=0.8, zorder=1)


def _own(axes: Axes, records: Sequence[Record], lines: Sequence[Line]) -> None:
    refusing = {one["heap_kib"] for one in records if one["failures"] and
                not is_fill(one["trace"])}
    for line in lines:
        points = _points(records, line)
        axes.fill_between([kib for kib, _ in points], [min(values) for _, values in points],
                          [max(values) for _, values in points], color=line.colour, alpha=0.25,
                          linewidth=0, zorder=2)
        sizes, means = _means(points)
        axes.plot(sizes, means, color=line.colour, marker=line.marker, markersize=4,
                  linewidth=1.4, zorder=3)
        hollow = [(kib, value) for kib, value in zip(sizes, means) if kib in refusing]
        axes.plot([kib for kib, _ in hollow], [value for _, value in hollow], color=line.colour,
                  marker=line.marker, markersize=4, markerfacecolor="white", linestyle="none",
                  zorder=4)


def _axes(axes: Axes, sizes: Sequence[int], logarithmic: bool) -> None:
    """Scales and ticks of one panel, which all others share."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(list(sizes[::-(-len(sizes) // _TICKS)])))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda kib, _: size(round(kib))))
    if logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(power))
    else:
        axes.set_ylim(0, 1.02)


def _legend(figure: Figure, by_strategy: dict[str, list[Record]], lines: Sequence[Line]) -> None:
    axes: Any = figure.axes[0]
    handles = [axes.plot([], [], color=line.colour, marker=line.marker, markersize=4,
                         label=line.label)[0] for line in lines]
    if len(by_strategy) > 1:
        handles += axes.plot([], [], color=_OTHERS, linewidth=0.8,
                             label=f"others' {lines[0].label}")
    if any(one["failures"] and not is_fill(one["trace"])
           for records in by_strategy.values() for one in records):
        handles += axes.plot([], [], color=BLUE, marker="o", markersize=4, linestyle="none",
                             markerfacecolor="white", label="hollow: refuses requests")
    legend_on_top(figure, handles,
                  columns=len(handles) if len(by_strategy) >= _COLUMNS else _LEGEND_COLUMNS)
