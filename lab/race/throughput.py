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
OPERATIONS = 100_000


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
                      counted=False) for number in PROCESSORS})


def _rate(record: Optional[Record]) -> float:
    assert record is not None and record["trouble"] is None, record
    return float(calls(record) / record["ticks"])


def row(strategy: str, locking: str, boots_of: Boots,
        records: Mapping[Boot, Optional[Record]]) -> Sequence[str]:
    """One line of the table."""
    counted = records[boots_of.counted]
    assert counted is not None
    lock = counted["lock"]
    alone = _rate(records[boots_of.real[1]])
    return (strategy, locking, f"{lock['acquisitions'] / calls(counted):.3f}",
            f"{lock['held_max']:,}", f"{lock['kept_out_max']:,}",
            *(f"{_rate(records[boots_of.real[number]]) / alone:.2f}" for number in PROCESSORS[1:]))
