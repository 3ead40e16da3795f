# SPDX-License-Identifier: MIT
"""One replay of one trace: what a kernel is told, and how what it answers is judged.

The same for a comparison and for a sweep, so that both make the same records.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional, Sequence

from lab import heaps, process, qemu, results, workload
from lab.errors import RunError
from lab.reply import Answer
from lab.trace import Trace

PORTRAIT_CELLS = 256

STALL_SECONDS = 60.0
"""How long a boot may come no further, for a heap of 1 MiB and a trace of 100,000 operations."""

SEARCH_PATIENCE = 30
"""How much longer than a boot a search may be silent: it replays the trace some thirty times."""


def count_words(one: Trace, unit: str, limit: Optional[int], samples: int) -> list[str]:
    """What a kernel is told, to replay a trace or workload and count."""
    return ["run=replay", f"unit={unit}", *words(one, limit), f"samples={samples}",
            f"portrait={PORTRAIT_CELLS}"]


def search_words(one: Trace, limit: Optional[int]) -> list[str]:
    """What a host program is told, to search the smallest memory for a trace or workload."""
    return ["run=smallest", *words(one, limit)]


def words(one: Trace, limit: Optional[int]) -> list[str]:
    """Which operations a program is to make; a recorded trace is given it besides."""
    return [*workload.words(one), *([f"operations={limit}"] if limit else [])]


def operations(of: Trace, limit: Optional[int]) -> int:
    """How many operations of a trace are replayed; a workload was made with the limit."""
    return of.operations if of.seed is not None or not limit else min(of.operations, limit)


def listener(clock: process.Clock,
             on_further: Callable[[float], None] = lambda share: None) -> Answer:
    """Listens to a replay or search, which may come no further for as long as its clock says.

    `on_further` is told which share of the operations is done.
    """
    furthest = 0

    def on_progress(done: int, total: int) -> None:
        nonlocal furthest
        if done > furthest:
            furthest = done
            clock.renew()
            on_further(done / total)

    return Answer(on_progress)


async def boot(job: object, machine: qemu.Machine, clock: process.Clock, answer: Answer) -> Any:
    """What the kernel of a machine answers; raises RunError if it does not end well."""
    outcome = await qemu.boot(machine, clock=clock, on_line=answer.line)
    if wrong := qemu.verdict(outcome):
        raise _failure(job, "the kernel", wrong, answer, outcome)
    return answer.result(str(job))


async def run(job: object, who: str, command: Sequence[str], clock: process.Clock,
              answer: Answer) -> Any:
    """What a host program answers; raises RunError if it is killed or ends with an error."""
    outcome = await process.run(command, clock=clock, on_line=answer.line)
    check_ended_well(job, who, answer, outcome)
    return answer.result(str(job))


def check_count(what: str, raw: Any, due: Mapping[str, Any], fills: bool) -> None:
    """Raise RunError unless `raw` is a whole record, and of what was asked for.

    A trace that fills the heap must have ended at its one failure.
    """
    results.check_kernel_record(raw)
    if fills and (raw["failures"] != 1 or
                  raw["first_failure"]["operation"] + 1 != raw["operations"]):
        raise RunError(f"{what}: the replay did not end at its first failure")
    for name, value in due.items():
        if raw[name] != value:
            raise RunError(f"{what}: the result's {name} is {raw[name]!r}, not {value!r}")


def check_search(what: str, raw: Any) -> None:
    """Raise RunError unless `raw` is what a search for the smallest memory answers."""
    if not isinstance(raw, dict) or not isinstance(raw.get("smallest_total_bytes"), int):
        raise RunError(f"{what}: the result has no 'smallest_total_bytes'")


def record_of(raw: results.Record, search: Optional[Mapping[str, Any]], one: Trace, peak: int,
              limit: Optional[int]) -> results.Record:
    """The record of a count and a search; without a search, of a workload that fills the heap.

    Raises RunError if kernel and trace disagree on what was requested at most, which is `peak`.
    """
    if not raw["failures"] and raw["peak_requested_bytes"] != peak:
        raise RunError(
            f"{heaps.of(raw).name} on {one.name}: the kernel saw {raw['peak_requested_bytes']}"
            f" bytes requested at once, the trace requests {peak}")
    if search is None:
        return results.fill_record(raw, one, limit)
    return results.record(raw, one, search["smallest_total_bytes"], peak, limit)


def _failure(job: object, who: str, what: str, answer: Answer,
             outcome: process.Outcome) -> RunError:
    """What to raise when `job` failed: who did what, what it said, and the end of its log."""
    said = f" ({answer.complaint})" if answer.complaint else ""
    return RunError(f"{job}: {who} {what}{said}; the end of its log:", outcome.tail)


def check_ended_well(job: object, who: str, answer: Answer, outcome: process.Outcome) -> None:
    """Raise RunError if a host program was killed, or ended with an error."""
    if outcome.stopped or outcome.status:
        what = f"{outcome.stopped} and was killed" if outcome.stopped else \
            f"ended with status {outcome.status}"
        raise _failure(job, who, what, answer, outcome)


def stall_limit(heap_kib: int, operations: int) -> float:
    """How long a boot may come no further, in seconds, unless somebody says otherwise."""
    return STALL_SECONDS * max(1.0, heap_kib / 1024) * max(1.0, operations / 100_000)


def memory_mib(heap_kib: int, of: Trace) -> int:
    """RAM of the machine: the heap, the trace, the runner's tables, and room to spare."""
    tables_bytes = len(of.text) + 64 * (of.operations + of.ids)
    return 128 + 64 * -(-(heap_kib * 1040 + tables_bytes) // (64 << 20))
