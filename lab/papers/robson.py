# SPDX-License-Identifier: MIT
"""Row 3: Robson's lower bound, which no allocator escapes, played against every strategy."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from lab.answer import draw
from lab.errors import RunError
from lab.experiment import KERNEL, Experiment
from lab.papers.row import (SEQUENTIAL, SOURCE, UNIT_BYTES, About, Check, Records, Result, Scale,
                            Telling, simulate)

ABOUT = About(
    (3,), "robson", "Robson's bound on any allocator",
    "J. M. Robson, \"Bounds for some functions concerning dynamic storage allocation\", JACM 21"
    " (3), 1974; Knuth, *TAOCP* 1, 2.5, exercise 41")

LIVE_UNITS = 4096
LOG2_MAX = 10
HEADER_MOST_BYTES = 8
"""A heap whose blocks take more than their request and this is not one of whole units."""
FOLDED_SHARE = 0.01
BUDDY = "buddy"
KERNEL_UNITS, KERNEL_LOG2 = 2048, 10
_DRAWN = {"bitmap": ("the four sequential fits", draw.VERMILION, "o"),
          BUDDY: ("buddy", draw.BLUE, "x"), "free-list": ("free-list", draw.GREEN, "s"),
          "boundary-map": ("boundary-map", draw.BLACK, "+")}
"""Those that lie apart, where they do; all others are where the sequential fits are."""


def _run(strategy: str, log2: int) -> Experiment:
    return simulate(strategy, f"robson size={log2} number={LIVE_UNITS}", 8192)


_TRACE = f"workload=robson-{KERNEL_LOG2}-{KERNEL_UNITS} scale={UNIT_BYTES}"
"""The adversary as it plays against a sequential fit, without looking."""


def _in_kernel(strategy: str) -> Experiment:
    return Experiment(KERNEL, strategy, f"run=replay {_TRACE} samples=0", effort=30_000)


def _of_trace(strategy: str) -> Experiment:
    return simulate(strategy, f"play {_TRACE}")


def _log2s(scale: Scale) -> Sequence[int]:
    return (1, 4, 8, LOG2_MAX) if scale.quick else range(1, LOG2_MAX + 1)


def experiments(scale: Scale) -> list[Experiment]:
    return [*(_run(strategy, log2) for strategy in scale.strategies for log2 in _log2s(scale)),
            *map(_in_kernel, SEQUENTIAL), *map(_of_trace, SEQUENTIAL)]


def adversary(units: int, log2: int) -> float:
    """What the adversary takes an allocator to whose blocks are whole units."""
    return units * (1 + log2 / 2)


def bound(units: int, log2: int) -> float:
    """Robson's theorem: no allocator can do with less."""
    return adversary(units, log2) - (1 << log2) + 1


def used_units(raw: Any) -> float:
    """The memory used, with the first block's header, in units."""
    return float((raw["extent_bytes"] + raw["header_bytes"]) / UNIT_BYTES)


def folds(raw: Any) -> bool:
    """Whether a block of whole units takes whole units, its header included."""
    return bool(raw["header_bytes"] <= HEADER_MOST_BYTES)


def _strategies(records: Records, scale: Scale) -> Mapping[str, list[Any]]:
    return {strategy: [records[_run(strategy, log2)] for log2 in _log2s(scale)]
            for strategy in scale.strategies}


def _booted_units(records: Records, strategy: str) -> float:
    """What the booted kernel used: it placed every block as the simulation did, or RunError."""
    kernel, played = records[_in_kernel(strategy)], records[_of_trace(strategy)]
    if kernel["placement_hash"] != played["placement_hash"]:
        raise RunError(f"{strategy}: kernel and simulation place Robson's blocks differently")
    return float(played["extent_bytes"] / UNIT_BYTES)


def _checks(raws: Mapping[str, list[Any]], booted_units: Sequence[float]) -> list[Check]:
    exact = [used_units(raw) / adversary(LIVE_UNITS, raw["largest_log2"])
             for strategy in SEQUENTIAL for raw in raws[strategy]]
    booted = [units / adversary(KERNEL_UNITS, KERNEL_LOG2) for units in booted_units]
    others = {strategy: min(used_units(raw) / bound(LIVE_UNITS, raw["largest_log2"])
                            for raw in mine)
              for strategy, mine in raws.items() if folds(mine[0])}
    least = min(others, key=lambda strategy: others[strategy])
    buddy = max(used_units(raw) / LIVE_UNITS / (raw["largest_log2"] + 1) for raw in raws[BUDDY])
    return [
        Check("memory / ((1 + r/2) M), the four sequential fits", "1",
              f"{min(exact):.4f} to {max(exact):.4f}", "exact", set(exact) == {1.0}),
        Check("the same, in the booted kernel", "1", f"{min(booted):.4f} to {max(booted):.4f}",
              "exact", set(booted) == {1.0}),
        Check("memory / Robson's bound, all others", "at least 1",
              f"at least {others[least]:.4f} ({least})", "at least 0.99 (headers)",
              others[least] >= 1 - FOLDED_SHARE),
        Check("memory / ((r + 1) M), buddy", "at most 1", f"at most {buddy:.4f}", "at most 1",
              buddy <= 1)]


def tell(records: Records, scale: Scale) -> Telling:
    raws = _strategies(records, scale)
    checks = _checks(raws, [_booted_units(records, strategy) for strategy in SEQUENTIAL])
    top = adversary(LIVE_UNITS, LOG2_MAX) / LIVE_UNITS
    sequential = used_units(raws["bitmap"][-1]) / LIVE_UNITS
    return Telling(
        [Result("3", ABOUT.title, f"(1 + r/2) M units for M live; {top:.0f} M at r = {LOG2_MAX}",
                f"{sequential:.4f} M for all sequential fits, booted ones too", SOURCE, checks)],
        {"log2s": _log2s(scale), "units": LIVE_UNITS,
         "rows": [(strategy, folds(mine[0]), mine[0]["header_bytes"],
                   [used_units(raw) / LIVE_UNITS for raw in mine])
                  for strategy, mine in raws.items()],
         "due": [adversary(LIVE_UNITS, log2) / LIVE_UNITS for log2 in _log2s(scale)],
         "bound": [bound(LIVE_UNITS, log2) / LIVE_UNITS for log2 in _log2s(scale)],
         "under": [strategy for strategy, mine in raws.items() if folds(mine[0]) and any(
             used_units(raw) < (1 - FOLDED_SHARE) * adversary(LIVE_UNITS, raw["largest_log2"])
             for raw in mine)],
         "unfolded": [strategy for strategy, mine in raws.items() if not folds(mine[0])],
         "kernel_units": KERNEL_UNITS, "kernel_log2": KERNEL_LOG2},
        {"memory": _figure(raws, list(_log2s(scale)))})


def _figure(raws: Mapping[str, list[Any]], log2s: Sequence[int]) -> str:
    with draw.sheet(1, 3.2) as sheet:
        (axes,) = sheet.panels
        axes.plot(log2s, [log2 + 1 for log2 in log2s], color=draw.GREY, linestyle=":",
                  label="buddy's upper bound")
        axes.plot(log2s, [bound(LIVE_UNITS, log2) / LIVE_UNITS for log2 in log2s],
                  color=draw.GREY, label="Robson's lower bound")
        for strategy, (label, colour, mark) in _DRAWN.items():
            axes.plot(log2s, [used_units(raw) / LIVE_UNITS for raw in raws[strategy]], mark,
                      color=colour, fillstyle="none", markersize=7, label=label)
        axes.set_title("Memory that the adversary makes a heap use, for each unit live")
        axes.set_xlabel("r: log2 of the largest request, in units")
        axes.set_ylabel("times what is live")
        axes.set_ylim(bottom=1)
        axes.legend(loc="upper left")
    return sheet.svg
