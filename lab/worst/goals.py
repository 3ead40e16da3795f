# SPDX-License-Identifier: MIT
"""What is searched for: a goal says which figure of a trace counts, and what is allowed at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence

from lab.worst.cost_bounds import FREE, MALLOC, CostBounds
from lab.worst.memory_bounds import MEMORY_BOUNDS
from lab.worst.sequence import Limits, Operations

MEMORY = "memory"
SHORT, LONG = "short-malloc", "long-malloc"
SHORT_BYTES = 4096

NAMES = {MALLOC: "kmalloc", SHORT: "kmalloc up to 4 KiB",
         LONG: "kmalloc above 4 KiB, for its size", FREE: "kfree", MEMORY: "memory"}

HEAP_KIB = 64
"""In which heap costs are searched for: a thousand operations fill it, and for how they grow
with a heap there is the bound."""
HEAP_KIB_OF = {"boundary-map": 512}
"""Where that would be too small to show what there is: a cache of full size."""

COST_OPERATIONS, MEMORY_OPERATIONS = 16384, 8192
_BROKEN = 1e9
"""So much worse than all others is a trace that breaks a bound."""
MEMORY_LIMITS = Limits(MEMORY_OPERATIONS, size_min=64, size_max=2048, live_bytes=16384)


@dataclass(frozen=True)
class Found:
    """A trace and its figure."""

    operations: Operations
    fitness: float
    """What a search goes by: the larger, the worse."""
    figure: int
    """Instructions, or bytes."""
    bound: Optional[int]
    """What theory allows; None: anything."""
    index: Optional[int] = None
    """Of the operation that cost so much; None: the figure is the whole trace's."""

    def is_worse_than(self, other: "Found") -> bool:
        """Whether a search goes on from here rather than from there."""
        return (self.fitness, -len(self.operations)) > (other.fitness, -len(other.operations))


def of(strategy: str) -> list[str]:
    """The goals of a strategy's searches."""
    apart = [SHORT, LONG] if strategy == "boundary-map" else []
    return [MALLOC, *apart, FREE, MEMORY]


def heap_kib(strategy: str) -> int:
    """The size of the heap in which a strategy's costs are searched for."""
    return HEAP_KIB_OF.get(strategy, HEAP_KIB)


def limits(goal: str, heap_kib: int) -> Limits:
    """What a search's traces may have."""
    if goal == MEMORY:
        return MEMORY_LIMITS
    return Limits(COST_OPERATIONS, size_min=1, size_max=heap_kib * 1024,
                  live_bytes=2 * heap_kib * 1024)


def dearest(goal: str, operations: Operations, costs: Sequence[Optional[int]],
            bounds: CostBounds) -> Optional[Found]:
    """The operation that cost most, or came nearest to a bound that grows with its size; the
    trace ends with it. None if there is none of the goal's.
    """
    best: Optional[Found] = None
    sizes: dict[int, int] = {}
    for index, ((ident, size), cost) in enumerate(zip(operations, costs)):
        sizes[ident] = bytes_of = size or sizes[ident]
        if cost is None or not _counts(goal, size):
            continue
        bound = bounds.at(FREE if goal == FREE else MALLOC, bytes_of)
        fitness = cost / bound if bound and goal == LONG else cost
        fitness += _BROKEN if bound and cost > bound else 0
        if best is None or fitness > best.fitness:
            best = Found(operations[:index + 1], fitness, cost, bound, index)
    return best


def _counts(goal: str, size: int) -> bool:
    if goal == FREE:
        return size == 0
    if goal == SHORT:
        return 0 < size <= SHORT_BYTES
    return size > (SHORT_BYTES if goal == LONG else 0)


def hungriest(strategy: str, operations: Operations, smallest_bytes: int) -> Found:
    """What a trace needs of memory."""
    bound = MEMORY_BOUNDS.get(strategy)
    most = bound.bytes_for(operations) if bound and bound.bytes_for else None
    fitness = smallest_bytes + (_BROKEN if most and smallest_bytes > most else 0)
    return Found(operations, fitness, smallest_bytes, most)


def exceeds(found: Found) -> bool:
    """Whether the bound is broken: its proof, or the code, is wrong."""
    return found.bound is not None and found.figure > found.bound
