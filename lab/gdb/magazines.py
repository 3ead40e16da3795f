# SPDX-License-Identifier: MIT
"""Magazines (mm/magazine.h, with -Dlocking=percpu): which free blocks are in whose; and how to
look at a heap that somebody has locked."""

from __future__ import annotations

import struct
from typing import Any, Iterator

import gdb

from lab.gdb.double import Double, DoubleError

_BLOCKS_MAX = 1 << 22
"""No magazine, and no depot, has more: whoever counts further goes round in a ring."""
_DEPOT = "'heap.c'::depot"
_LOCK_FREE = -1


def _is_there(expression: str) -> bool:
    try:
        gdb.parse_and_eval(expression)
    except gdb.error:
        return False
    return True


def are_there() -> bool:
    """Whether this kernel's heap has magazines."""
    return _is_there(_DEPOT)


def _read(double: Double, expression: str) -> Any:
    """A variable of the kernel's, out of the double."""
    value = gdb.parse_and_eval(expression)
    return gdb.Value(double.read(int(value.address), int(value.type.sizeof)), value.type)


def _each_of(array: Any) -> Iterator[tuple[int, Any]]:
    """The members of an array, with their numbers."""
    first, last = array.type.range()
    return ((place, array[place]) for place in range(first, last + 1))


def _chain(double: Double, first: int, count: int) -> Iterator[int]:
    """The blocks of a magazine; each begins with the address of the next."""
    block = first
    for _ in range(count):
        if block == 0:
            return
        yield block
        block = double.word(block)


def _of_processor(double: Double, own: Any, number: int) -> Iterator[tuple[int, str]]:
    for kind, loaded in _each_of(own["loaded"]):
        for first, count in ((loaded, int(own["size"][kind]) - int(own["room"][kind])),
                             (own["previous"][kind], int(own["previous_count"][kind]))):
            for block in _chain(double, int(first), count):
                yield block, f"processor {number}'s"


def _of_depot(double: Double, depot: Any) -> Iterator[tuple[int, str]]:
    for _, magazine in _each_of(depot["magazines"]):
        magazine = int(magazine)
        while magazine:
            _, following, count = struct.unpack("<IIi", double.read(magazine, 12))
            for block in _chain(double, magazine, count):
                yield block, "the depot's"
            magazine = following


def parked(double: Double) -> dict[int, str]:
    """For each address that lies in a magazine: in whose."""
    found: dict[int, str] = {}
    if not are_there():
        return found
    processors, depot = _read(double, "processors"), _read(double, _DEPOT)

    def each() -> Iterator[tuple[int, str]]:
        for number, processor in _each_of(processors):
            yield from _of_processor(double, processor["heap_own"], number)
        yield from _of_depot(double, depot)

    try:
        for block, where in each():
            if len(found) == _BLOCKS_MAX or block in found:
                break  # a ring; the heap's check says so
            found[block] = where
    except DoubleError:
        pass  # a chain leads astray; the heap's check says so, too
    return found


def open_locks(image: bytearray, base: int) -> None:
    """Let nobody have the heap's lock, nor be at any magazine, in a copy of the kernel's memory.

    Else the kernel's functions would wait in it for those who are not there.
    """
    def put(expression: str, value: int) -> None:
        struct.pack_into("<i", image, int(gdb.parse_and_eval(f"&{expression}")) - base, value)

    if _is_there("&'heap.c'::lock.word"):
        put("'heap.c'::lock.word", _LOCK_FREE)
    if are_there():
        for number, _ in _each_of(gdb.parse_and_eval("processors")):
            put(f"processors[{number}].heap_own.is_free", 1)
