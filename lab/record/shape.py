# SPDX-License-Identifier: MIT
"""What traces are made of, and traces made of traces: windows, samples, selections, mixtures.

Everything works on a list of operations, and gives one back; ids are given out anew, in the
order in which they are first used.
"""

from __future__ import annotations

import bisect
import hashlib
from dataclasses import dataclass
from typing import Iterable, Iterator, Sequence

from lab.errors import InputError
from lab.record.events import SUGGESTED_BYTES
from lab.trace import HEADER, Trace


@dataclass(frozen=True)
class Operation:
    """One line of a trace."""

    kind: str
    """`a`, `r` or `f`."""
    ident: int
    size: int = 0


def operations_of(one: Trace) -> list[Operation]:
    """The operations of a trace."""
    fields = (line.split() for line in one.text.decode().splitlines()[len(HEADER):])
    return [Operation(kind, int(ident), int(size[0]) if size else 0)
            for kind, ident, *size in fields]


def text_of(operations: Iterable[Operation]) -> str:
    """A trace of these operations.

    Raises InputError if there are none.
    """
    names: dict[int, int] = {}
    lines = []
    count = 0
    for one in operations:
        if one.kind == "a":
            names[one.ident] = count
            count += 1
        size = "" if one.kind == "f" else f" {one.size}"
        lines.append(f"{one.kind} {names[one.ident]}{size}\n")
    if not lines:
        raise InputError("nothing is left of the trace")
    return f"{SUGGESTED_BYTES}\n{count}\n{len(lines)}\n1\n" + "".join(lines)


# --- traces out of traces ------------------------------------------------------------------------


def cut(operations: Sequence[Operation], begin: int, end: int) -> list[Operation]:
    """The operations from `begin` to before `end`; what was live at `begin` is allocated first."""
    if not 0 <= begin < end <= len(operations):
        raise InputError(f"a window from {begin} to {end} is not in a trace of"
                         f" {len(operations)} operations")
    live: dict[int, int] = {}
    for one in operations[:begin]:
        if one.kind == "f":
            del live[one.ident]
        else:
            live[one.ident] = one.size
    return [Operation("a", ident, size) for ident, size in live.items()] + \
        list(operations[begin:end])


def _draw(ident: int, seed: int) -> float:
    """A number from 0 to 1 for an id, the same on every machine."""
    digest = hashlib.sha256(f"{seed} {ident}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48)


def sample(operations: Iterable[Operation], share: float, seed: int) -> list[Operation]:
    """Each block with a chance of `share`, with all that becomes of it."""
    return [one for one in operations if _draw(one.ident, seed) < share]


def by_size(operations: Iterable[Operation], least: int, most: int) -> list[Operation]:
    """The blocks that are first asked for with `least` to `most` bytes, with all that becomes of
    them."""
    chosen: set[int] = set()
    kept = []
    for one in operations:
        if one.kind == "a":
            chosen.discard(one.ident)
            if least <= one.size <= most:
                chosen.add(one.ident)
        if one.ident in chosen:
            kept.append(one)
    return kept


def merge(traces: Sequence[Sequence[Operation]]) -> list[Operation]:
    """All of the traces at once, each at a speed that lets them end together."""
    stride = len(traces)
    moments = ((place / len(one), number, operation)
               for number, one in enumerate(traces) for place, operation in enumerate(one))
    return [Operation(one.kind, one.ident * stride + number, one.size)
            for _, number, one in sorted(moments, key=lambda moment: moment[:2])]


# --- what a trace is like ------------------------------------------------------------------------


@dataclass(frozen=True)
class Shape:
    """Figures of a trace. A lifetime is in operations, a realloc ends nothing."""

    allocations: int
    resizes: int
    frees: int
    sizes: list[int]
    """Of every allocation, sorted."""
    lifetimes: list[int]
    """Of every block that is freed, sorted."""
    live: list[int]
    """Requested bytes after each operation."""
    peak_objects: int
    never_freed: int


def shape(operations: Sequence[Operation]) -> Shape:
    """Go through a trace and note down what it is like."""
    sizes: list[int] = []
    lifetimes: list[int] = []
    live: list[int] = []
    born: dict[int, tuple[int, int]] = {}
    requested = peak = resizes = 0
    for place, one in enumerate(operations):
        if one.kind == "a":
            sizes.append(one.size)
            born[one.ident] = (place, one.size)
            requested += one.size
        elif one.kind == "r":
            resizes += 1
            place_born, old = born[one.ident]
            born[one.ident] = (place_born, one.size)
            requested += one.size - old
        else:
            place_born, old = born.pop(one.ident)
            lifetimes.append(place - place_born)
            requested -= old
        peak = max(peak, len(born))
        live.append(requested)
    return Shape(len(sizes), resizes, len(lifetimes), sorted(sizes), sorted(lifetimes), live, peak,
                 len(born))


@dataclass(frozen=True)
class Class:
    """The allocations of a size class: above half of `most` bytes, up to `most`."""

    most: int
    count: int
    bytes: int


def classes(sizes: Sequence[int]) -> Iterator[Class]:
    """The allocations by powers of two, from the smallest class that has any to the largest."""
    if not sizes:
        return
    most, start = 8, 0
    while start < len(sizes):
        end = bisect.bisect_right(sizes, most)
        if end > start or start > 0:
            yield Class(most, end - start, sum(sizes[start:end]))
        start, most = end, most * 2


def quantile(values: Sequence[int], share: float) -> int:
    """The nearest-rank quantile of sorted values; 0 if there are none."""
    if not values:
        return 0
    return values[min(len(values) - 1, max(0, -int(-share * len(values) // 1) - 1))]
