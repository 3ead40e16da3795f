# SPDX-License-Identifier: MIT
"""Long runs of heaps that have a lock: nothing may go wrong, however long they are."""

from __future__ import annotations

from typing import Mapping, Sequence

from lab.race.boots import STALL_SECONDS, Boot, Record
from lab.race.throughput import LOCKINGS
from lab.race.timer import calls

INTERVAL = 10_000
CALLS_A_SECOND = 1_600
"""At least: worst-fit behind one lock makes ten times as many, the quick heaps a thousand times."""
TITLES = ("strategy", "locking", "calls", "got NULL", "interrupts", "waits", "held", "kept out",
          "ends")


def boots(strategy: str, operations: int, processors: int, seed: int,
          interval: int) -> Mapping[str, Boot]:
    """What is to be run of one strategy: a boot for each locking that serves all callers."""
    words = f"run=hammer operations={operations} interval={interval} seed={seed}"
    patience = max(STALL_SECONDS, operations / CALLS_A_SECOND)
    return {locking: Boot(strategy, words, locking, processors, patience_seconds=patience)
            for locking in LOCKINGS}


def row(strategy: str, locking: str, record: Record) -> Sequence[str]:
    """One line of the table."""
    lock = record["lock"]
    trouble = record["trouble"]
    counts = (calls(record), record["failures"] + record["interrupt_failures"],
              record["interrupts"], lock["waits"], lock["held_max"], lock["kept_out_max"])
    return (strategy, locking, *(f"{count:,}" for count in counts),
            "well" if trouble is None else trouble["kind"])
