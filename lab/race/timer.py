# SPDX-License-Identifier: MIT
"""Processors and their timers hammer a heap, and the first thing that goes wrong is told."""

from __future__ import annotations

from typing import Any, Mapping, Optional

from lab.race.boots import Boot, Record

OPERATIONS = 200_000
INTERVAL = 3000


def boot(strategy: str, locking: str, processors: int, seed: int, interval: int) -> Boot:
    """The boot that hammers; a heap that holds is done sooner, having less to do."""
    operations = OPERATIONS if locking == "none" else OPERATIONS // 20
    return Boot(strategy, f"run=hammer operations={operations} interval={interval} seed={seed}",
                locking, processors)


def calls(record: Record) -> int:
    """How many calls there were, the handlers' included."""
    return int(record["operations"] + record["interrupt_operations"])


def _caller(call: Mapping[str, Any]) -> str:
    handler = "'s interrupt handler" if call["interrupt"] else ""
    return f"processor {call['processor']}{handler}, by its call {call['operation']}"


def tell(record: Optional[Record]) -> list[str]:
    """What came of it, in lines."""
    assert record is not None
    trouble = record["trouble"]
    if trouble is None:
        return [f"  {calls(record):,} calls, {record['interrupts']:,} interrupts:"
                " nothing went wrong"]
    lines = [f"  after {calls(record):,} calls, at instruction {trouble['at']:,}:"
             f" {trouble['text']}"]
    if "owner" in trouble:
        lines += [f"  0x{trouble['address']:x} was taken by {_caller(trouble['owner'])};",
                  f"  the block of {trouble['bytes']} bytes at 0x{trouble['block']:x} was taken by"
                  f" {_caller(trouble['found_by'])}"]
    return lines + [f"  processor {one['processor']}'s last interrupt: at instruction"
                    f" {one['at']:,}, in its call {one['operation']}, before {one['where']}"
                    for one in trouble["interrupted"]]
