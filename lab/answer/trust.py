# SPDX-License-Identifier: MIT
"""Chapter 7: what callers do wrong, and what becomes of the heap."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from matplotlib.patches import Rectangle

from lab.answer import draw
from lab.answer.chapter import NAIVE, About, Records, Scale, Telling, churn, mean
from lab.experiment import KERNEL, Experiment

ABOUT = About(
    7, "trust", "It trusts its caller",
    "A caller's mistake is not noticed where it is made, and somebody else pays for it.")

SINS = {
    "double-free": "a block is freed twice",
    "stale-free": "freed twice, a new owner in between",
    "interior-free": "an address inside a block is freed",
    "foreign-free": "an address outside the heap is freed",
    "use-after-free": "a freed block is written to",
    "use-after-reuse": "the same, a new owner in between",
    "overrun": "8 bytes behind the block are written",
    "small-overrun": "1 byte behind the request is written",
}
HEAPS = (NAIVE, "free-list", "boundary-tag", "slab", "tlsf", "boundary-map")
HARDENINGS = ("off", "check", "full")
PRICED = "tlsf"
GUARD_LABEL = "F"
"""How the labels of damaged guards and quarantines begin (mm/fenced_view.h)."""

REFUSED, TOLD, UNSEEN, DAMAGE, SHARED, BROKEN, DEAD = (
    "refused", "told later", "unseen", "damage", "two owners", "heap broken", "dies")
LOOKS = {REFUSED: (draw.GREEN, "white"), TOLD: (draw.SKY, "black"), UNSEEN: ("#eeeeee", "black"),
         DAMAGE: (draw.ORANGE, "black"), SHARED: (draw.VERMILION, "white"),
         BROKEN: (draw.BLUE, "white"), DEAD: ("black", "white")}
MEANINGS = {
    REFUSED: "the heap said -1 and nothing happened",
    TOLD: "no harm was done, and later the heap reported it",
    UNSEEN: "nobody noticed, and nobody was harmed, this time",
    DAMAGE: "an innocent owner's bytes changed",
    SHARED: "one piece of memory was handed out to two owners",
    BROKEN: "the heap's own check finds its account broken",
    DEAD: "the kernel panicked, or never returned",
}


def _experiment(sin: str, heap: str, hardening: str) -> Experiment:
    return Experiment(KERNEL, heap, f"run=experiment experiment={sin}", hardening=hardening,
                      survives=False, effort=10)


def _priced(hardening: str, scale: Scale) -> Experiment:
    return churn(KERNEL, PRICED, scale, 50, hardening=hardening)


def _hardenings(scale: Scale) -> Sequence[str]:
    return HARDENINGS[:1] if scale.quick else HARDENINGS


def experiments(scale: Scale) -> list[Experiment]:
    return [*(_experiment(sin, heap, hardening) for hardening in _hardenings(scale)
              for heap in HEAPS for sin in SINS),
            *(_priced(hardening, scale) for hardening in _hardenings(scale))]


def _is_broken(label: Optional[str]) -> bool:
    """Whether the heap's account is broken: a damaged guard only says that somebody tried."""
    return label is not None and not label.startswith(GUARD_LABEL)


def outcome(record: Any) -> str:
    """The worst that came of a sin."""
    if "died" in record:
        return DEAD
    if record["refused"]:
        return REFUSED
    if record["shared"]:
        return SHARED
    if _is_broken(record["broken"]) or _is_broken(record["broken_later"]):
        return BROKEN
    if record["damaged"]:
        return DAMAGE
    return TOLD if record["reported"] else UNSEEN


def tell(records: Records, scale: Scale) -> Telling:
    table = {hardening: [(sin, [outcome(records[_experiment(sin, heap, hardening)])
                                for heap in HEAPS]) for sin in SINS]
             for hardening in _hardenings(scale)}
    naive = [outcomes[0] for _, outcomes in table["off"]]
    others = [each for _, outcomes in table["off"] for each in outcomes[1:]]
    seen = naive.count(REFUSED)
    return Telling(
        finding=f"{seen} of {len(SINS)} mistakes refused, {naive.count(UNSEEN)} unseen,"
        f" {len(SINS) - seen - naive.count(UNSEEN)} harm others",
        verdict="refuses wrong frees, blind to the rest" if seen else "trusts its caller",
        words={"table": table, "heaps": HEAPS, "sins": SINS, "meanings": MEANINGS, "seen": seen,
               "naive_worst": [sin for sin, outcomes in table["off"]
                               if outcomes[0] not in (REFUSED, UNSEEN)],
               "others_fatal": sum(each in (SHARED, BROKEN, DEAD) for each in others),
               "others": len(others),
               "dearest": _hardenings(scale)[-1], "priced": PRICED,
               "prices": [(hardening, mean(raw["cost"]), raw["footprint"]["hardening_bytes"])
                          for hardening in _hardenings(scale)
                          for raw in [records[_priced(hardening, scale)]]],
               "still": [sin for sin, outcomes in table[_hardenings(scale)[-1]]
                         if not {REFUSED, TOLD} & set(outcomes)]},
        figures={"sins": _figure(table)})


def _figure(table: dict[str, list[tuple[str, list[str]]]]) -> str:
    with draw.sheet(len(table), 3.0) as sheet:
        for axes, (hardening, rows) in zip(sheet.panels, table.items()):
            for row, (_, outcomes) in enumerate(rows):
                for column, each in enumerate(outcomes):
                    colour, ink = LOOKS[each]
                    axes.add_patch(Rectangle((column, row), 0.96, 0.92, color=colour))
                    axes.text(column + 0.48, row + 0.48, each, color=ink, ha="center", va="center",
                              fontsize=7.5)
            axes.set_xlim(0, len(HEAPS))
            axes.set_ylim(len(rows), 0)
            axes.set_xticks([column + 0.48 for column in range(len(HEAPS))], HEAPS)
            axes.set_yticks([row + 0.48 for row in range(len(rows))], [sin for sin, _ in rows])
            axes.tick_params(length=0)
            axes.grid(visible=False)
            axes.set_title(f"hardening {hardening}")
    return sheet.svg
