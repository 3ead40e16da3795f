# SPDX-License-Identifier: MIT
"""Row 10: what the buddy system grants beyond what was asked for."""

from __future__ import annotations

from lab.answer import draw
from lab.experiment import Experiment
from lab.papers.row import (ABSTRACT, About, Check, Records, Result, Scale, Telling, near, simulate,
                            within)

ABOUT = About(
    (10,), "buddy", "The buddy system's over-allocation",
    "D. L. Russell, \"Internal fragmentation in a class of buddy systems\", SIAM Journal on"
    " Computing 6 (4), 1977; J. L. Peterson and T. A. Norman, \"Buddy systems\", CACM 20 (6), 1977")

BUDDY = "buddy"
S1 = (100, 2000)
S1_RATIO = 1.348
LEAST, MOST = 1.33, 1.50
TOLERANCE = 0.01
WASTE = (0.25, 0.28)
"""Peterson and Norman's, of all memory granted."""
_LAST = range(512, 1025, 32)
"""Sizes from 1 to so many: an octave of it goes through all there is."""


def _run(first: int, last: int) -> Experiment:
    return simulate(BUDDY, f"rounding number={first} size={last} scale=64", 4096)


def experiments(scale: Scale) -> list[Experiment]:
    return [_run(*S1), *(_run(1, last + extra) for last in _LAST for extra in (0, 1))]


def _ratio(records: Records, first: int, last: int) -> float:
    raw = records[_run(first, last)]
    return float(raw["granted_bytes"] / raw["requested_bytes"])


def tell(records: Records, scale: Scale) -> Telling:
    s1 = _ratio(records, *S1)
    lasts = [last + extra for last in _LAST for extra in (0, 1)]
    uniform = [_ratio(records, 1, last) for last in lasts]
    waste = 1 - 1 / s1
    spread = f"{min(uniform):.3f} to {max(uniform):.3f}"
    checks = (
        Check("granted / requested, Knuth's S1", f"{S1_RATIO}", f"{s1:.4f}",
              f"within {TOLERANCE}", near(s1, S1_RATIO, TOLERANCE / S1_RATIO)),
        Check("the same, sizes 1 to n, for n over an octave", f"{LEAST} to {MOST:.2f}", spread,
              f"within {TOLERANCE}, both ends",
              near(min(uniform), LEAST, TOLERANCE / LEAST) and
              near(max(uniform), MOST, TOLERANCE / MOST)),
        Check("share of memory lost, S1 (from memory)",
              "{:.0f} to {:.0f} %".format(*(100 * share for share in WASTE)),
              f"{100 * waste:.1f} %", "in that range", within(waste, *WASTE)))
    return Telling(
        [Result("10", ABOUT.title, f"{LEAST} to {MOST:.2f} for uniform sizes; {S1_RATIO} for S1",
                f"{spread}; {s1:.4f}", ABSTRACT, checks)],
        {"s1": S1, "least": LEAST, "most": MOST, "ratio": S1_RATIO,
         "lasts": (min(lasts), max(lasts))}, {"ratio": _figure(lasts, uniform)})


def _figure(lasts: list[int], ratios: list[float]) -> str:
    with draw.sheet(1, 2.6) as sheet:
        (axes,) = sheet.panels
        axes.plot(lasts, ratios, color=draw.BLUE, linewidth=1.2)
        for ratio in (LEAST, MOST):
            axes.axhline(ratio, color=draw.GREY, linestyle=":", linewidth=1)
        axes.set_title("Granted / requested, all sizes from 1 to n (dotted: as published)")
        axes.set_xlabel("n, units")
        axes.set_ylabel("ratio")
    return sheet.svg
