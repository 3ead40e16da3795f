# SPDX-License-Identifier: MIT
"""Sequences of kmalloc and kfree that a search may cut, join and change at will."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Sequence

from lab.experiment import operations_of
from lab.trace import Trace

Operation = tuple[int, int]
"""An id and the bytes that are requested; 0 bytes: the block is freed."""
Operations = tuple[Operation, ...]


@dataclass(frozen=True)
class Limits:
    """What a trace of a search may have."""

    operations: int
    size_min: int
    size_max: int
    live_bytes: int
    """Requested at once, at most."""


def mended(raw: Iterable[Operation], limits: Limits) -> Operations:
    """The nearest sequence that is a trace and keeps to the limits.

    An id that is allocated while it is live is another block from then on, and the next free
    of it is that block's. Frees of what is not live are left away, and so are requests beyond
    a limit.
    """
    live: dict[int, list[int]] = {}
    sizes: list[int] = []
    made: list[Operation] = []
    requested = 0
    for name, size in raw:
        if len(made) == limits.operations:
            break
        if size:
            size = min(max(size, limits.size_min), limits.size_max)
            if requested + size > limits.live_bytes:
                continue
            live.setdefault(name, []).append(len(sizes))
            made.append((len(sizes), size))
            sizes.append(size)
            requested += size
        elif live.get(name):
            ident = live[name].pop()
            made.append((ident, 0))
            requested -= sizes[ident]
    return tuple(made)


def live_at_end(operations: Sequence[Operation]) -> dict[int, int]:
    """The blocks that are live in the end, the oldest first, and their sizes."""
    live: dict[int, int] = {}
    for ident, size in operations:
        if size:
            live[ident] = size
        else:
            live.pop(ident, None)
    return live


def to_rep(operations: Sequence[Operation], heap_kib: int) -> str:
    """A sequence as `.rep` text."""
    lines = [f"a {ident} {size}" if size else f"f {ident}" for ident, size in operations]
    ids = 1 + max((ident for ident, _ in operations), default=-1)
    return "\n".join([*map(str, (heap_kib * 1024, ids, len(lines), 1)), *lines]) + "\n"


def of_trace(trace: Trace) -> list[Operation]:
    """The operations of a trace; a reallocation is a free and an allocation."""
    made: list[Operation] = []
    for kind, ident, size in operations_of(trace):
        made += [(ident, 0), (ident, size)] if kind == "r" else [(ident, size)]
    return made
