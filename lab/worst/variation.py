# SPDX-License-Identifier: MIT
"""How a search makes traces up, and changes those it has.

A single operation changed seldom hurts a heap. So most changes are what an adversary would do:
many requests alike, every other block freed, a span done again.
"""

from __future__ import annotations

import random
from typing import Callable, Iterable, Sequence

from lab.worst.sequence import Limits, Operation, Operations, live_at_end, mended

_NEW = 1 << 40
"""Ids from here on are free to be used: mended() numbers them anew."""
_BURST_MAX = 512
_GESTURES_MAX = 10
_REPEATED_MAX = 2048
"""Operations that are added when a span is done again and again."""

Change = Callable[[random.Random, Sequence[Operation], Limits], Iterable[Operation]]


def _count(rng: random.Random, most: int) -> int:
    """A number from 1 to `most`, small ones likelier."""
    return int(max(1, most) ** rng.random())


def _size(rng: random.Random, operations: Sequence[Operation], limits: Limits) -> int:
    """A size that may matter: one of the trace, or near it, or near a power of two, or any."""
    known = [size for _, size in rng.sample(operations, min(8, len(operations))) if size]
    power = 1 << rng.randrange(limits.size_min.bit_length() - 1, limits.size_max.bit_length())
    any_size = int(limits.size_min * (limits.size_max / limits.size_min) ** rng.random())
    base = rng.choice([*known, *known, power, any_size])
    step = rng.choice((0, 0, 0, 1, -1, 8, -8, 16, -16, 64, -64, base, -base // 2))
    return min(max(base + step, limits.size_min), limits.size_max)


def _burst(rng: random.Random, operations: Sequence[Operation], limits: Limits) -> list[Operation]:
    """Many requests, of one size, of two in turn, or of any."""
    sizes = [_size(rng, operations, limits) for _ in range(rng.choice((1, 1, 2, 3)))]
    count = _count(rng, _BURST_MAX)
    if rng.random() < 0.2:
        count = limits.live_bytes // sum(sizes) * len(sizes) + 1
    return [(_NEW + index, sizes[index % len(sizes)]) for index in range(count)]


def _release(rng: random.Random, operations: Sequence[Operation]) -> list[Operation]:
    """Frees of some of the blocks that are live."""
    live = list(live_at_end(operations).items())
    if not live:
        return []
    pace = rng.choice((2, 2, 2, 3, 4, rng.randrange(1, 65)))
    size = rng.choice(live)[1]
    chosen = rng.choice((
        lambda: live[rng.randrange(pace)::pace],
        lambda: [block for index, block in enumerate(live) if index % pace],
        lambda: [block for block in live if block[1] == size],
        lambda: live[-_count(rng, len(live)):],
        lambda: live[:_count(rng, len(live))],
        lambda: rng.sample(live, _count(rng, len(live))),
        lambda: [rng.choice(live)],
        lambda: [rng.choice(live)],
    ))()
    order = rng.choice((list, lambda blocks: blocks[::-1], lambda blocks: rng.sample(
        blocks, len(blocks))))
    return [(ident, 0) for ident, _ in order(chosen)]


def _gesture(rng: random.Random, before: Sequence[Operation], limits: Limits) -> list[Operation]:
    if rng.random() < 0.55:
        return _burst(rng, before, limits)
    return _release(rng, before)


def _span(rng: random.Random, length: int) -> tuple[int, int]:
    size = _count(rng, length)
    start = rng.randrange(length - size + 1)
    return start, start + size


def _append(rng: random.Random, operations: Sequence[Operation], limits: Limits
            ) -> Iterable[Operation]:
    return [*operations, *_gesture(rng, operations, limits)]


def _insert(rng: random.Random, operations: Sequence[Operation], limits: Limits
            ) -> Iterable[Operation]:
    place = rng.randrange(len(operations) + 1)
    before = operations[:place]
    return [*before, *_gesture(rng, before, limits), *operations[place:]]


def _replace_end(rng: random.Random, operations: Sequence[Operation], limits: Limits
                 ) -> Iterable[Operation]:
    return _append(rng, operations[:len(operations) - _count(rng, len(operations))], limits)


def _probe(rng: random.Random, operations: Sequence[Operation], limits: Limits
           ) -> Iterable[Operation]:
    """One more request, and perhaps its end."""
    before = operations[:-1] if rng.random() < 0.5 else operations
    return [*before, (_NEW, _size(rng, operations, limits)),
            *([(_NEW, 0)] if rng.random() < 0.5 else [])]


def _resize_one(rng: random.Random, operations: Sequence[Operation], limits: Limits
                ) -> Iterable[Operation]:
    place = rng.randrange(len(operations))
    changed = list(operations)
    if changed[place][1]:
        changed[place] = (changed[place][0], _size(rng, operations, limits))
    return changed


def _resize_alike(rng: random.Random, operations: Sequence[Operation], limits: Limits
                  ) -> Iterable[Operation]:
    old, new = rng.choice(operations)[1], _size(rng, operations, limits)
    return [(ident, new if size and size == old else size) for ident, size in operations]


def _drop(rng: random.Random, operations: Sequence[Operation], _: Limits) -> Iterable[Operation]:
    start, end = _span(rng, len(operations))
    return [*operations[:start], *operations[end:]]


def _repeat(rng: random.Random, operations: Sequence[Operation], limits: Limits
            ) -> Iterable[Operation]:
    start, end = _span(rng, len(operations))
    times = _count(rng, max(1, _REPEATED_MAX // (end - start)))
    return [*operations[:end], *(list(operations[start:end]) * times), *operations[end:]]


def _move(rng: random.Random, operations: Sequence[Operation], _: Limits) -> Iterable[Operation]:
    start, end = _span(rng, len(operations))
    rest = [*operations[:start], *operations[end:]]
    place = rng.randrange(len(rest) + 1)
    return [*rest[:place], *operations[start:end], *rest[place:]]


_CHANGES: Sequence[Change] = (_append, _append, _insert, _replace_end, _probe, _probe, _resize_one,
                              _resize_alike, _drop, _repeat, _move)


def made_up(rng: random.Random, limits: Limits) -> Operations:
    """A trace of a few gestures."""
    made: list[Operation] = []
    for _ in range(rng.randrange(1, _GESTURES_MAX)):
        made = list(mended([*made, *_gesture(rng, made, limits)], limits))
    return tuple(made) or ((0, limits.size_min),)


def varied(rng: random.Random, parents: Sequence[Operations], limits: Limits) -> Operations:
    """A trace like one of `parents`, the first likeliest, or made of two of them."""
    parent: Sequence[Operation] = parents[_count(rng, len(parents)) - 1]
    if rng.random() < 0.1:
        other = rng.choice(parents)
        parent = [*parent[:rng.randrange(len(parent) + 1)], *other[rng.randrange(len(other)):]]
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        parent = parent or made_up(rng, limits)
        parent = mended(rng.choice(_CHANGES)(rng, parent, limits), limits)
    return tuple(parent) or made_up(rng, limits)
