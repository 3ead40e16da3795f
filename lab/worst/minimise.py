# SPDX-License-Identifier: MIT
"""Leaves away of a trace what it can do without.

Source: A. Zeller and R. Hildebrandt, "Simplifying and isolating failure-inducing input", IEEE
Transactions on Software Engineering 28 (2), 2002: their ddmin, over operations. Departs from it
in that a piece that is left away takes the frees of its blocks along; in that many pieces are
tried at once, since starting a machine for each would take longer; and in trying those
together that could be spared one by one.
"""

from __future__ import annotations

from typing import Awaitable, Callable, Iterator, Sequence, TypeVar

from lab.worst.sequence import Limits, Operation, Operations, mended

Figure = TypeVar("Figure")
Keeps = Callable[[Sequence[Operations]], Awaitable[Sequence[bool]]]
"""Which of these traces are still as bad."""


async def minimise(operations: Operations, limits: Limits, keeps: Keeps, batch: int,
                   may_go_on: Callable[[], bool]) -> tuple[Operations, bool]:
    """The shortest trace found that `keeps` is content with, and whether it is minimal.

    It is if no single operation can be left away. `may_go_on` is asked before each batch.
    """
    parts = 2
    while len(operations) > 1:
        parts = min(parts, len(operations))
        shorter = operations
        for spans in _grouped(list(_spans(len(operations), parts)), batch):
            if not may_go_on():
                return min(operations, shorter, key=len), False
            shorter = await _without_some(operations, spans, limits, keeps)
            if len(shorter) < len(operations):
                break
        if len(shorter) < len(operations):
            operations = shorter
        elif parts == len(operations):
            break
        else:
            parts *= 2
    return operations, True


async def _without_some(operations: Operations, spans: Sequence[range], limits: Limits,
                        keeps: Keeps) -> Operations:
    """A trace without as many of these spans as can be spared; the same one if none can."""
    alone = [_without(operations, [span], limits) for span in spans]
    spared = [span for span, kept in zip(spans, await keeps(alone)) if kept]
    if not spared:
        return operations
    together = [_without(operations, some, limits) for some in
                (spared, spared[:len(spared) // 2], spared[len(spared) // 2:], spared[::2],
                 spared[:1]) if some]
    verdicts = await keeps(together)
    return min((one for one, kept in zip(together, verdicts) if kept), key=len,
               default=operations)


def _without(operations: Operations, spans: Sequence[range], limits: Limits) -> Operations:
    left_away = {index for span in spans for index in span}
    lost = {operations[index][0] for index in left_away if operations[index][1]}
    rest: list[Operation] = [one for index, one in enumerate(operations)
                             if index not in left_away and (one[1] or one[0] not in lost)]
    return mended(rest, limits)


def _spans(length: int, parts: int) -> Iterator[range]:
    for part in range(parts):
        start, end = part * length // parts, (part + 1) * length // parts
        if start < end:
            yield range(start, end)


def _grouped(spans: Sequence[range], size: int) -> Iterator[Sequence[range]]:
    for start in range(0, len(spans), size):
        yield spans[start:start + size]
