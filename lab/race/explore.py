# SPDX-License-Identifier: MIT
"""All schedules of a few switches: how many there are, and how many of them go wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Mapping, Optional, Sequence

from lab.race.boots import Boot, Record


@dataclass(frozen=True)
class Scenario:
    """Who races with what locking."""

    title: str
    locking: str
    processors: int
    words: str = ""
    bound_max: int = 3
    """Where a call takes many instructions, more switches would take hours."""


SCENARIOS = (
    Scenario("none, interrupt", "none", 1),
    Scenario("irq, interrupt", "irq", 1),
    Scenario("none, 2 processors", "none", 2),
    Scenario("spin, 2 processors", "spin", 2),
    Scenario("percpu, 2 processors", "percpu", 2, bound_max=1),
    Scenario("percpu, 2, loaded", "percpu", 2, " warm"),
)


def boots(strategy: str, bound: int) -> dict[Scenario, Boot]:
    """What is to be tried with one strategy."""
    return {one: Boot(strategy, f"run=race bound={min(bound, one.bound_max)}{one.words}",
                      one.locking, one.processors) for one in SCENARIOS}


def rows(strategy: str, records: Mapping[Scenario, Optional[Record]]) -> Iterator[Sequence[str]]:
    """A row for each scenario and number of switches."""
    for scenario, record in records.items():
        assert record is not None
        for part in record["explored"]:
            ends = ", ".join(f"{name} {count:,}" for name, count in part["ends"].items())
            yield (strategy, scenario.title, str(part["switches"]),
                   str(part["stride"]), f"{part['schedules']:,}",
                   f"{part['failing']:,}", ends)
