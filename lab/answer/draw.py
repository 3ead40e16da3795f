# SPDX-License-Identifier: MIT
"""How the chapters' figures look: those of `compare`, and what their panels share.

Each strategy has its colour and its mark in every figure.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.patches import PathPatch
from matplotlib.ticker import FuncFormatter

from lab.figures import BLUE, GREEN, GREY, ORANGE, SKY, VERMILION, power, style, svg

__all__ = ["BLUE", "GREEN", "GREY", "ORANGE", "SKY", "VERMILION", "BLACK", "PINK", "Sheet", "sheet",
           "look", "numbers", "rectangles", "bars"]

BLACK, PINK = "#000000", "#CC79A7"
WIDTH_INCHES = 6.4

_LOOKS = {
    "bitmap": (VERMILION, "o"), "next-fit": (ORANGE, "v"), "best-fit": (PINK, "^"),
    "half-fit": (GREEN, "D"), "tlsf": (BLUE, "s"), "boundary-map": (BLACK, "P"),
}


def look(strategy: str) -> dict[str, Any]:
    """The colour and the mark of a strategy."""
    colour, marker = _LOOKS.get(strategy, (GREY, "."))
    return {"color": colour, "marker": marker, "markersize": 5, "linewidth": 1.2}


class Sheet:
    """A figure of panels below each other."""

    def __init__(self, panels: int, panel_inches: float, **sharing: Any) -> None:
        self._figure = Figure(figsize=(WIDTH_INCHES, 0.3 + panels * panel_inches))
        self.panels: list[Axes] = list(
            self._figure.subplots(panels, 1, squeeze=False, **sharing)[:, 0])
        self.svg = ""

    def finish(self) -> None:
        self.svg = svg(self._figure)


@contextmanager
def sheet(panels: int, panel_inches: float = 2.7, **sharing: Any) -> Iterator[Sheet]:
    """A sheet to draw on; its `svg` is there when the block is left."""
    with style():
        made = Sheet(panels, panel_inches, **sharing)
        yield made
        made.finish()


def numbers(axis: Any) -> None:
    """Write an axis' numbers as people do: 10 k, 2 M."""
    axis.set_major_formatter(FuncFormatter(power))


def bars(axes: Axes, names: Sequence[str], values: Sequence[float], labels: Sequence[str],
         colours: Sequence[str]) -> None:
    """Bars from left to right, a row each, the first on top, each with its label at its end."""
    axes.barh(range(len(names)), values, height=0.62, color=colours)
    for row, (value, label) in enumerate(zip(values, labels)):
        axes.annotate(label, (value, row), xytext=(3, 0), textcoords="offset points",
                      va="center", fontsize=8.5)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)


def rectangles(axes: Axes, boxes: Sequence[tuple[float, float, float, float]], colour: str,
               label: str = "") -> None:
    """Many boxes (left, top, width, height) of one colour, as one path."""
    if not boxes:
        return
    corners: list[tuple[float, float]] = []
    codes: list[Any] = []
    for left, top, width, height in boxes:
        corners += [(left, top), (left + width, top), (left + width, top + height),
                    (left, top + height), (left, top)]
        codes += [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
    axes.add_patch(PathPatch(Path(corners, codes), facecolor=colour, linewidth=0, label=label))
