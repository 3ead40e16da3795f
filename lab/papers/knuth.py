# SPDX-License-Identifier: MIT
"""Row 2: Knuth's simulation: how many blocks and holes there are, how many are looked at, and
which strategy lasts longest as memory gets scarce."""

from __future__ import annotations

from typing import Any, Sequence

from lab.answer import draw
from lab.experiment import Experiment
from lab.papers.fifty_percent import half_p
from lab.papers.row import (MEMORY, SEQUENTIAL, About, Check, Records, Result, Scale, Telling,
                            near, simulate, within)

ABOUT = About(
    (2,), "knuth", "Knuth's simulation",
    "D. E. Knuth, *The Art of Computer Programming* 1, section 2.5; C. Bays, \"A comparison of"
    " next-fit, first-fit, and best-fit\", CACM 20 (3), 1977, for next fit's inspections")

FIRST, NEXT, BEST = "bitmap", "next-fit", "best-fit"
MEAN_S1 = 1050
UNSCALED = 64
"""A unit of 64 bytes stands for one byte, and this many KiB for one."""
SLIVER = 4
"""Scale at which a unit of 64 bytes stands for 16: smaller slivers are not split off."""
HALF_FULL_KIB = 1024
NEXT_FIT_KIB = (1024, 768, 704, 672)
NEXT_FIT_AT = 704
SURVIVAL_SCALE = 8
LOADS = (66, 73, 77, 82)
MIXES = ("s1", "s2", "s3")
LIFETIMES = (10, 100, 1000)
_BYTES_EACH = {"s1": 1050, "s2": 6, "s3": 532}

COUNTS_SHARE = 0.05
RESERVED, FREE, FREE_BEST, P_BEST = 515, 240, 176, 0.7
RESERVED_100, FREE_100 = (45, 55), (20, 30)
FIRST_LOOKS, NEXT_LOOKS, NEXT_LOAD = (110, 130), (2, 4), (0.70, 0.75)


def _s1(strategy: str, seed: int, kib: int = HALF_FULL_KIB, scale: int = UNSCALED) -> Experiment:
    return simulate(strategy, f"play workload=knuth-s1-1000 scale={scale} seed={seed}", kib * scale,
                    seconds=2.5 * kib * scale / 65536)


def _s1_100(seed: int) -> Experiment:
    return simulate(FIRST, f"play workload=knuth-s1-100 scale=64 seed={seed}", 16384, seconds=0.3)


def _other(mix: str, lifetime: int) -> Experiment:
    kib = max(64, _BYTES_EACH[mix] * lifetime * UNSCALED // 1024)
    return simulate(FIRST, f"play workload=knuth-{mix}-{lifetime} scale=64", kib, seconds=0.5)


def _lasting(strategy: str, load: int, seed: int) -> Experiment:
    """Ends at the first failure, in a heap that the mean live bytes fill so far."""
    kib = MEAN_S1 * 500 * SURVIVAL_SCALE * 100 // (load * 1024)
    return simulate(strategy, f"play until-failure workload=knuth-s1-1000 scale={SURVIVAL_SCALE}"
                    f" seed={seed}", kib, seconds=0.4)


def _lifetimes(scale: Scale) -> Sequence[int]:
    return LIFETIMES[:2] if scale.quick else LIFETIMES


def experiments(scale: Scale) -> list[Experiment]:
    seeds = scale.seeds
    return [*(one for seed in seeds for one in (
                _s1(FIRST, seed), _s1(BEST, seed, scale=SLIVER), _s1_100(seed),
                *(_s1(NEXT, seed, kib) for kib in NEXT_FIT_KIB))),
            *(_other(mix, lifetime) for mix in MIXES for lifetime in _lifetimes(scale)),
            *(_lasting(strategy, load, seed)
              for strategy in SEQUENTIAL for load in LOADS for seed in seeds)]


def _mean(raws: Sequence[Any], above: str, below: str) -> float:
    return float(sum(raw[above] for raw in raws) / sum(raw[below] for raw in raws))


def _reserved(raws: Sequence[Any]) -> float:
    return _mean(raws, "live_sum", "samples")


def _free(raws: Sequence[Any]) -> float:
    return _mean(raws, "hole_sum", "samples")


def _looks(raws: Sequence[Any]) -> float:
    return _mean(raws, "alloc_steps", "allocations")


def _load(raws: Sequence[Any]) -> float:
    """The share of memory that is requested, on average."""
    return _reserved(raws) * MEAN_S1 * UNSCALED / raws[0]["arena_bytes"]


def _count_checks(first: Sequence[Any], best: Sequence[Any], hundred: Sequence[Any]) -> list[Check]:
    share = f"within {100 * COUNTS_SHARE:.0f} %"
    p_best = sum(2 * half_p(raw) for raw in best) / len(best)
    rows = (("blocks reserved, first fit, t = 1000", RESERVED, _reserved(first)),
            ("holes, first fit, t = 1000", FREE, _free(first)),
            ("holes, best fit, slivers under 16 not split", FREE_BEST, _free(best)))
    checks = [Check(what, f"{due}", f"{value:.0f}", share, near(value, due, COUNTS_SHARE))
              for what, due, value in rows]
    checks.append(Check("p, the same", f"about {P_BEST}", f"{p_best:.3f}", share,
                        near(p_best, P_BEST, COUNTS_SHARE)))
    for what, (least, most), value in (
            ("blocks reserved, first fit, t = 100", RESERVED_100, _reserved(hundred)),
            ("holes, first fit, t = 100", FREE_100, _free(hundred))):
        checks.append(Check(what, f"{least} to {most}", f"{value:.1f}", "in that range",
                            within(value, least, most)))
    return checks


def _look_checks(first: Sequence[Any], roving: Sequence[Any]) -> list[Check]:
    looks, more = _looks(first), _looks(roving)
    return [Check("holes looked at, first fit, half full", "more than 125", f"{looks:.1f}",
                  "{} to {}".format(*FIRST_LOOKS), within(looks, *FIRST_LOOKS)),
            Check(f"holes looked at, next fit, {100 * _load(roving):.0f} % full", "2.8",
                  f"{more:.2f}", "{} to {} at 70 to 75 %".format(*NEXT_LOOKS),
                  within(more, *NEXT_LOOKS) and within(_load(roving), *NEXT_LOAD))]


def tell(records: Records, scale: Scale) -> Telling:
    first = [records[_s1(FIRST, seed)] for seed in scale.seeds]
    best = [records[_s1(BEST, seed, scale=SLIVER)] for seed in scale.seeds]
    hundred = [records[_s1_100(seed)] for seed in scale.seeds]
    roving = {kib: [records[_s1(NEXT, seed, kib)] for seed in scale.seeds]
              for kib in NEXT_FIT_KIB}
    counts = [*_count_checks(first, best, hundred), *_look_checks(first, roving[NEXT_FIT_AT])]
    lasted = {strategy: [sum(records[_lasting(strategy, load, seed)]["failures"] == 0
                             for seed in scale.seeds) for load in LOADS]
              for strategy in SEQUENTIAL}
    outlives = Check("runs survived: first fit against best fit", "first fit more",
                     f"{sum(lasted[FIRST])} against {sum(lasted[BEST])}",
                     "first fit more than best fit", sum(lasted[FIRST]) > sum(lasted[BEST]))
    return Telling(
        [Result("2", "Knuth's simulation: counts",
                f"{RESERVED} blocks, {FREE} holes; best fit {FREE_BEST} holes; looks at 125, next"
                " fit at 2.8", f"{_reserved(first):.0f}, {_free(first):.0f}; {_free(best):.0f};"
                f" {_looks(first):.0f}, {_looks(roving[NEXT_FIT_AT]):.1f}", MEMORY, counts),
         Result("2", "Knuth's simulation: survival", "first fit lasts longer than best fit",
                f"survives {sum(lasted[FIRST])} of {len(LOADS) * len(scale.seeds)} runs, best fit"
                f" {sum(lasted[BEST])}", MEMORY, [outlives])],
        {"seeds": len(scale.seeds), "lasted": [(SEQUENTIAL[one], lasted[one]) for one in lasted],
         "loads": LOADS, "outlives": outlives.holds, "mixes": [
             (mix, lifetime, [records[_other(mix, lifetime)]])
             for mix in MIXES for lifetime in _lifetimes(scale)],
         "reserved": _reserved, "free": _free, "looks": _looks, "half_p": half_p,
         "roving": [(_load(raws), _looks(raws), sum(raw["failures"] for raw in raws))
                    for raws in roving.values()]},
        {"survival": _figure(lasted, len(scale.seeds), list(roving.values()))})


def _figure(lasted: dict[str, list[int]], seeds: int, roving: Sequence[Sequence[Any]]) -> str:
    with draw.sheet(2) as sheet:
        survival, looks = sheet.panels
        for place, (strategy, survived) in enumerate(lasted.items()):
            look = draw.look(strategy)
            survival.bar([column + (place - 1.5) * 0.2 for column in range(len(LOADS))],
                         survived, 0.18, color=look["color"], label=SEQUENTIAL[strategy])
        survival.set_xticks(range(len(LOADS)), [f"{load} % full" for load in LOADS])
        survival.set_yticks(range(seeds + 1))
        survival.set_title(f"Runs of {seeds} in which no request failed")
        survival.set_ylabel("runs")
        survival.set_ylim(0, 1.5 * seeds)
        survival.legend(ncol=2, loc="upper right")
        survival.grid(axis="x", visible=False)
        looks.plot([100 * _load(raws) for raws in roving], [_looks(raws) for raws in roving],
                   **draw.look(NEXT))
        looks.set_title("Holes that next fit looks at, as memory gets scarce")
        looks.set_xlabel("per cent of memory requested")
        looks.set_ylabel("holes an allocation")
        looks.set_ylim(bottom=0)
    return sheet.svg
