# SPDX-License-Identifier: MIT
"""Rows 8 and 9: a saturated queue: Shore's first fit against best fit, and Bays's next fit."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Sequence

from lab.answer import draw
from lab.experiment import Experiment
from lab.papers.row import (ABSTRACT, SEQUENTIAL, About, Check, Records, Result, Scale, Telling,
                            simulate)

ABOUT = About(
    (8, 9), "queue", "Shore's and Bays's queues",
    "J. E. Shore, \"On the external storage fragmentation produced by first-fit and best-fit"
    " allocation strategies\", CACM 18 (8), 1975; C. Bays, \"A comparison of next-fit, first-fit,"
    " and best-fit\", CACM 20 (3), 1977")

FIRST, BEST, NEXT = "bitmap", "best-fit", "next-fit"
MEMORY_KIB = 2048
MEMORY_UNITS = 32768
"""M: a unit is one block of 64 bytes."""
SHORE = {"exponential": FIRST, "hyperexponential": FIRST, "uniform": BEST, "normal": BEST}
"""Who is published to win, by the distribution of sizes."""
SHORE_MEANS = (256, 64)
BAYS_MEANS = (64, 256, 1024, 2048)
BAYS_DEFICIT_LEAST, BAYS_DEFICIT_MOST = 0.02, 0.01
"""Next fit's deficit at M/128, at least; at M/16, less than."""
CLOSE = 0.03
ERRORS = 2


@dataclass(frozen=True)
class Difference:
    """How much more of memory one strategy uses than another, over the same requests."""

    mean: float
    error: float
    """The standard error of the mean."""

    @property
    def is_sure(self) -> bool:
        return abs(self.mean) > ERRORS * self.error


FINEST = ("exponential", 64)
"""Where the two differ least, and more requests and seeds are needed to see it."""


def _requests(sizes: str, mean: int, scale: Scale) -> int:
    if scale.quick:
        return 4000
    return 40_000 if (sizes, mean) == FINEST else 10_000


def _seeds(sizes: str, mean: int, scale: Scale) -> Sequence[int]:
    if scale.quick:
        return range(1, 4)
    return range(1, 11) if (sizes, mean) == FINEST else range(1, 7)


def _means(scale: Scale) -> Sequence[int]:
    return SHORE_MEANS[:1] if scale.quick else SHORE_MEANS


def _run(strategy: str, sizes: str, mean: int, seed: int, scale: Scale) -> Experiment:
    requests = _requests(sizes, mean, scale)
    words = f"queue sizes={sizes} size={mean} number={requests} seed={seed}"
    return simulate(strategy, words, MEMORY_KIB, seconds=requests / 3e4 * (256 / mean) ** 0.5)


def experiments(scale: Scale) -> list[Experiment]:
    return [*(_run(strategy, sizes, mean, seed, scale) for strategy in (FIRST, BEST)
              for sizes in SHORE for mean in _means(scale)
              for seed in _seeds(sizes, mean, scale)),
            *(_run(strategy, "exponential", mean, seed, scale) for strategy in SEQUENTIAL
              if strategy != "worst-fit" for mean in BAYS_MEANS
              for seed in _seeds("exponential", mean, scale))]


def _shares(records: Records, strategy: str, sizes: str, mean: int, scale: Scale) -> list[float]:
    """By seed: the share of memory that was in use, over time."""
    raws = (records[_run(strategy, sizes, mean, seed, scale)]
            for seed in _seeds(sizes, mean, scale))
    return [raw["used_unit_ticks"] / (raw["ticks"] * raw["memory_units"]) for raw in raws]


def difference(these: Sequence[float], those: Sequence[float]) -> Difference:
    """In pairs: the same requests to both."""
    pairs = [this - that for this, that in zip(these, those)]
    return Difference(statistics.fmean(pairs), statistics.stdev(pairs) / len(pairs) ** 0.5)


def _shore(records: Records, scale: Scale) -> tuple[Result, list[tuple[str, str, float, float]]]:
    checks, rows = [], []
    for sizes, winner in SHORE.items():
        for mean in _means(scale):
            first, best = (_shares(records, one, sizes, mean, scale) for one in (FIRST, BEST))
            lead = difference(first, best)
            right = lead.is_sure and (lead.mean > 0) == (winner == FIRST)
            share = f"M/{MEMORY_UNITS // mean}"
            checks.append(Check(f"{sizes} sizes, mean {share}", f"{SEQUENTIAL[winner]} wins",
                                f"first fit {100 * lead.mean:+.1f} ± {100 * lead.error:.1f} points",
                                f"that sign, beyond {ERRORS} standard errors", right))
            rows.append((sizes, share, statistics.fmean(first), statistics.fmean(best)))
    widest = max(abs(row[2] - row[3]) for row in rows)
    checks.append(Check("widest gap between the two", "1 to 3 %", f"{100 * widest:.1f} points",
                        f"at most {100 * CLOSE:.0f} points", widest <= CLOSE, decides=False))
    holding = sum(one.holds for one in checks[:-1])
    return Result("8", "Shore: first fit and best fit", "within 3 %; first fit wins for exponential"
                  " sizes, best fit for uniform", f"winner as published in {holding} of"
                  f" {len(checks) - 1} set-ups; widest gap {100 * widest:.1f} points", ABSTRACT,
                  checks), rows


def _deficits(records: Records, scale: Scale) -> dict[int, float]:
    """By mean size: by which share next fit uses less memory than first fit."""
    made = {}
    for mean in BAYS_MEANS:
        first, roving = (statistics.fmean(_shares(records, one, "exponential", mean, scale))
                         for one in (FIRST, NEXT))
        made[mean] = 1 - roving / first
    return made


def _bays(deficits: dict[int, float]) -> Result:
    small, large = deficits[256], deficits[2048]
    return Result(
        "9", "Bays: next fit", "\"decidedly inferior\" while the mean size is below M/16",
        f"uses {100 * small:.1f} % less than first fit at M/128, {100 * large:.1f} % at M/16",
        ABSTRACT,
        (Check("next fit's deficit at M/128", "decidedly inferior", f"{100 * small:.1f} %",
               f"at least {100 * BAYS_DEFICIT_LEAST:.0f} %", small >= BAYS_DEFICIT_LEAST),
         Check("next fit's deficit at M/16", "about equal", f"{100 * large:.1f} %",
               f"under {100 * BAYS_DEFICIT_MOST:.0f} %", large < BAYS_DEFICIT_MOST)))


def tell(records: Records, scale: Scale) -> Telling:
    shore, rows = _shore(records, scale)
    deficits = _deficits(records, scale)
    used = {strategy: [statistics.fmean(_shares(records, strategy, "exponential", mean, scale))
                       for mean in BAYS_MEANS] for strategy in (FIRST, BEST, NEXT)}
    return Telling([shore, _bays(deficits)],
                   {"rows": rows, "deficits": [(f"M/{MEMORY_UNITS // mean}", share)
                                               for mean, share in deficits.items()],
                    "runs": [(_requests(*which, scale), len(_seeds(*which, scale)))
                             for which in (("uniform", 256), FINEST)], "units": MEMORY_UNITS},
                   {"used": _figure(used)})


def _figure(used: dict[str, list[float]]) -> str:
    with draw.sheet(1, 3.0) as sheet:
        (axes,) = sheet.panels
        for strategy, shares in used.items():
            axes.plot(BAYS_MEANS, [100 * share for share in shares], label=SEQUENTIAL[strategy],
                      **draw.look(strategy))
        axes.set_xscale("log", base=2)
        axes.set_xticks(BAYS_MEANS, [f"M/{MEMORY_UNITS // mean}" for mean in BAYS_MEANS])
        axes.set_title("Memory in use in a saturated queue, exponential sizes")
        axes.set_xlabel("mean size of a request (logarithmic)")
        axes.set_ylabel("per cent of memory")
        axes.legend(loc="lower left")
    return sheet.svg
