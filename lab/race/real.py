# SPDX-License-Identifier: MIT
"""For real: QEMU's processors at once, on the cores that there are, and nothing the same twice."""

from __future__ import annotations

import statistics
from typing import Optional, Sequence

from lab.race.boots import Boot, Record
from lab.race.timer import calls

RUNS = 20
OPERATIONS = 1_000_000


def boots(strategy: str, locking: str, processors: int, interval: int) -> list[Boot]:
    """As many boots as make a median."""
    return [Boot(strategy, f"run=hammer operations={OPERATIONS} interval={interval} seed={number}",
                 locking, processors, counted=False, round=number, may_hang=True)
            for number in range(1, RUNS + 1)]


def row(strategy: str, records: Sequence[Optional[Record]]) -> Sequence[str]:
    """How long each run of a strategy went well, put together."""
    silent = sum(record is None for record in records)
    broke = sorted(calls(record) for record in records if record and record["trouble"])
    held = len(records) - silent - len(broke)
    figures = (f"{broke[0]:,}", f"{round(statistics.median(broke)):,}", f"{broke[-1]:,}") \
        if broke else ("-", "-", "-")
    return (strategy, str(len(broke)), *figures, str(held), str(silent))
