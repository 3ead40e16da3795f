# SPDX-License-Identifier: MIT
"""Speed against memory: which heaps no other heap beats in both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.ticker import FuncFormatter
from matplotlib.transforms import Bbox

from lab import heaps, table
from lab.figures import BLUE, GREY, VERMILION, WIDTH_INCHES, power, style, svg
from lab.results import Document


@dataclass(frozen=True)
class Point:
    """A heap: how fast, at worst how slow, how tight."""

    strategy: str
    mean: float
    worst: float
    tightness: float
    competes: bool
    """Whether no heap has fewer failures: one that refuses requests does less work."""


def points(document: Document) -> list[Point]:
    """The heaps that have a place: with a cost, and with a heap size in which every trace fits."""
    rows = table.totals(document)
    least = min(row["failures"] for row in rows)
    return [Point(heaps.of(row).name, row["cost"]["mean"], row["cost"]["max"], row["tightness"],
                  row["failures"] == least)
            for row in rows if row["cost"]["mean"] and row["tightness"] is not None]


def front(of: Sequence[Point]) -> list[Point]:
    """The competing heaps that none is both faster and tighter than, from fast to tight."""
    best: list[Point] = []
    for one in sorted(of, key=lambda one: (one.mean, -one.tightness)):
        if one.competes and (not best or one.tightness > best[-1].tightness):
            best.append(one)
    return best


def unbeaten(of: Sequence[Point]) -> list[Point]:
    """The competing heaps than which none is better in mean, worst case or tightness and in none
    of them worse."""
    def beats(other: Point, one: Point) -> bool:
        theirs, ours = ((heap.mean, heap.worst, -heap.tightness) for heap in (other, one))
        return theirs != ours and all(their <= our for their, our in zip(theirs, ours))

    competing = [one for one in of if one.competes]
    return [one for one in competing if not any(beats(other, one) for other in competing)]


def chart(document: Document) -> str:
    """Mean cost against tightness, the worst case as a whisker, the front as a line.

    The names of heaps that are unbeaten where the worst case counts, too, are bold.
    """
    made = points(document)
    with style():
        figure = Figure(figsize=(WIDTH_INCHES, 4.4))
        axes = figure.subplots()
        for one in made:
            _draw_point(axes, one)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(power))
        axes.set_xlabel(f"{document['settings']['unit']} per operation (logarithmic)")
        axes.set_ylabel("tightness")
        axes.margins(0.16, 0.09)
        _draw_front(axes, front(made))
        _legend(axes)
        _place_labels(axes, made, [one.strategy for one in unbeaten(made)])
        return svg(figure)


def _draw_front(axes: Axes, best: Sequence[Point]) -> None:
    """A line to whose right and below every heap is beaten, from edge to edge."""
    (_, right), (bottom, _) = limits = axes.get_xlim(), axes.get_ylim()
    if best:
        axes.step([best[0].mean, *(one.mean for one in best), right],
                  [bottom, *(one.tightness for one in best), best[-1].tightness], where="post",
                  color=BLUE, linewidth=5, alpha=0.22, solid_joinstyle="round", zorder=1)
    axes.set(xlim=limits[0], ylim=limits[1])


def _draw_point(axes: Axes, one: Point) -> None:
    colour = BLUE if one.competes else VERMILION
    axes.plot([one.mean, one.worst], [one.tightness] * 2, color=colour, linewidth=0.8, alpha=0.65,
              marker="|", markevery=[1], markersize=6, zorder=2)
    axes.plot([one.mean], [one.tightness], color=colour, marker="o" if one.competes else "X",
              markersize=6, linestyle="none", zorder=3)


def _legend(axes: Axes) -> None:
    """What the marks mean, above the panel."""
    entries = (
        axes.plot([], [], color=BLUE, marker="o", linestyle="none", label="mean")[0],
        axes.plot([], [], color=GREY, marker="|", markevery=[1], linewidth=0.8,
                  label="to the worst")[0],
        axes.plot([], [], color=VERMILION, marker="X", linestyle="none",
                  label="refuses requests")[0],
        axes.plot([], [], color=BLUE, linewidth=5, alpha=0.22, label="front")[0])
    axes.legend(handles=entries, loc="lower center", bbox_to_anchor=(0.46, 1), ncol=4, borderpad=0,
                fontsize=8.5, handletextpad=0.4, columnspacing=1)


# --- labels ------------------------------------------------------------------------------------

_LEADER = {"arrowstyle": "-", "color": GREY, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 3}


def _offsets() -> Iterator[tuple[float, float, str, str]]:
    """Where a label may stand: points to the right and up of its mark, and which side is near."""
    for far in (6, 13, 22, 32):
        yield from ((0, far - 1, "center", "bottom"), (0, 1 - far, "center", "top"),
                    (-far, 0, "right", "center"), (far, far - 2, "left", "bottom"),
                    (far, 2 - far, "left", "top"), (-far, far - 2, "right", "bottom"),
                    (-far, 2 - far, "right", "top"))


def _place_labels(axes: Axes, made: Sequence[Point], bold: Sequence[str]) -> None:
    """Write each heap's name near its mark, where it covers and misleads least."""
    figure = axes.figure
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    marks = {one.strategy: axes.transData.transform([(one.mean, one.tightness),
                                                     (one.worst, one.tightness)]) for one in made}
    taken = [box for ends in marks.values() for box in _marked(ends)]
    for one in sorted(made, key=lambda one: (-one.tightness, one.mean)):
        labels = [axes.annotate(
            one.strategy, (one.mean, one.tightness), xytext=(right, up), ha=near_x, va=near_y,
            textcoords="offset points", fontsize=8.5, zorder=4,
            fontweight="bold" if one.strategy in bold else "normal",
            arrowprops=_LEADER if abs(right) + abs(up) > 14 else None)
            for right, up, near_x, near_y in _offsets()]
        best = min(labels, key=lambda label: _hidden(label, taken) + _astray(axes, label, marks))
        taken.append((_text_box(best), 4))
        for label in labels:
            if label is not best:
                label.remove()


def _marked(ends: Any) -> list[tuple[Bbox, float]]:
    """What a heap's mark and whisker cover, in pixels, and how bad it is to hide each."""
    (left, y), (right, _) = ends
    return [(Bbox.from_extents(left - 6, y - 6, left + 6, y + 6), 1),
            (Bbox.from_extents(left, y - 1.5, right + 2, y + 1.5), 0.3)]


def _text_box(label: Annotation) -> Bbox:
    """What a label covers, in pixels, without its line."""
    canvas = label.figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    label.update_positions(canvas.get_renderer())
    return Text.get_window_extent(label, canvas.get_renderer())


def _hidden(label: Annotation, taken: Sequence[tuple[Bbox, float]]) -> float:
    """How many square pixels a label hides of what is there, each as bad as it is."""
    box = _text_box(label)
    return float(sum(both.width * both.height * weight for other, weight in taken
                     if (both := Bbox.intersection(box, other)) is not None))


def _astray(axes: Axes, label: Annotation, marks: Mapping[str, Any]) -> float:
    """How far a label is from its mark and outside the panel; and whether others are nearer."""
    box, panel = _text_box(label), axes.get_window_extent()
    outside = max(0, panel.x0 - box.x0) + max(0, box.x1 - panel.x1) + \
        max(0, panel.y0 - box.y0) + max(0, box.y1 - panel.y1)
    far = {name: math.dist((min(max(x, box.x0), box.x1), min(max(y, box.y0), box.y1)), (x, y))
           for name, ((x, y), _) in marks.items()}
    own = far.pop(label.get_text())
    return 100 * outside + 3 * own + 120 * any(other <= own for other in far.values())
