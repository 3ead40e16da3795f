# SPDX-License-Identifier: MIT
"""A straight line through points, and how well it fits."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Sequence


@dataclass(frozen=True)
class Line:
    """y = intercept + slope * x."""

    slope: float
    intercept: float
    r_squared: float
    """The share of the variance of y that the line explains: 1 is a perfect fit."""

    def at(self, x: float) -> float:
        return self.intercept + self.slope * x


def line(xs: Sequence[float], ys: Sequence[float]) -> Line:
    """The line of least squares through at least two points, not all at the same x."""
    fitted = statistics.linear_regression(xs, ys)
    constant = len(set(ys)) == 1
    r = 1.0 if constant else statistics.correlation(xs, ys)
    return Line(fitted.slope, fitted.intercept, r * r)
