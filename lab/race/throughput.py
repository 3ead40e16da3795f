# SPDX-License-Identifier: MIT
"""What a lock costs: how long interrupts are kept out, exactly; and how throughput grows.

The first is counted under -icount. The second is for real, on the cores that there are: figures
of one machine and one run, of which only the ratios mean something.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional, Sequence

from lab.race.boots import Boot, Record
from lab.race.timer import calls

PROCESSORS = (1, 2, 4, 8)
LOCKINGS = ("spin", "percpu")
OPERATIONS = 40_000


@dataclass(frozen=True)
class Boots:
    """What is measured of one strategy with one locking."""

    counted: Boot
    real: Mapping[int, Boot]
    """By the number of processors."""


def boots(strategy: str, locking: str) -> Boots:
    """All that a row needs."""
    return Boots(
        Boot(strategy, "run=hammer operations=12000 interval=3000 workload=own", locking),
        {number: Boot(strategy, f"run=hammer operations={OPERATIONS} workload=own", locking, number,
                      counted=False, may_hang=True) for number in PROCESSORS})


def _ratio(record: Optional[Record], alone: Optional[Record]) -> str:
    """How much more is done in the same time; '-' if one was not done in time."""
    if record is None or alone is None:
        return "-"
    return f"{calls(record) / record['ticks'] / (calls(alone) / alone['ticks']):.2f}"


def row(strategy: str, locking: str, boots_of: Boots,
        records: Mapping[Boot, Optional[Record]]) -> Sequence[str]:
    """One line of the table."""
    counted = records[boots_of.counted]
    assert counted is not None
    lock = counted["lock"]
    real = {number: records[boot] for number, boot in boots_of.real.items()}
    return (strategy, locking, f"{lock['acquisitions'] / calls(counted):.3f}",
            f"{lock['held_max']:,}", f"{lock['kept_out_max']:,}",
            *(_ratio(real[number], real[1]) for number in PROCESSORS[1:]))
