# SPDX-License-Identifier: MIT
"""Breakpoints on what heaps do: a request that fails, one of a certain size, a certain address.

Each is a breakpoint of GDB's on the functions that it has to do with, to be listed, disabled and
deleted like others. Where the result of a call counts, there is one more where the call returns,
of which GDB's lists say nothing. GDB looks at each call itself, which takes a millisecond or two.
"""

from __future__ import annotations

from typing import Callable, Optional, Sequence

import gdb

from lab.gdb import call as calls, kernel
from lab.gdb.call import ALLOCATING, Call

COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    ">": lambda size, bound: size > bound,
    "<": lambda size, bound: 0 < size < bound,
    "=": lambda size, bound: size == bound,
}


class _Returns(gdb.Breakpoint):  # type: ignore[misc]
    """Where calls of one place in the code return."""

    def __init__(self, address: int) -> None:
        super().__init__(f"*{address}", internal=True)
        self.silent = True
        self.waiting: dict[int, tuple[Call, "Stop"]] = {}

    def stop(self) -> bool:
        call, whose = self.waiting.pop(calls.register("esp"), (None, None))
        if call is None or whose is None or not whose.is_valid() or not whose.enabled:
            return False
        return whose.returned(call, calls.register("eax"))


class Stop(gdb.Breakpoint):  # type: ignore[misc]
    """One function of the heap, and what it is stopped for."""

    _returns: dict[int, _Returns] = {}

    def __init__(self, function: str, what: str) -> None:
        super().__init__(f"*{kernel.symbol(function)}")
        self.silent = True
        self.what = what

    def stop(self) -> bool:
        if calls.is_in_heap(kernel.read_word(calls.register("esp"))):
            return False
        return self.entered(calls.beginning())

    def await_return(self, call: Call) -> None:
        """See to it that returned() is called when the call returns."""
        point = self._returns.get(call.return_address)
        if point is None or not point.is_valid():
            point = self._returns[call.return_address] = _Returns(call.return_address)
        point.waiting[call.stack] = (call, self)

    def entered(self, call: Call) -> bool:
        """Whether to stop where a call begins."""
        raise NotImplementedError

    def returned(self, call: Call, result: int) -> bool:
        """Whether to stop where it has returned."""
        return False


class OnFailure(Stop):
    """Stops where a request got NULL."""

    def entered(self, call: Call) -> bool:
        if call.requested_bytes:
            self.await_return(call)
        return False

    def returned(self, call: Call, result: int) -> bool:
        if result == 0:
            kernel.forget()
            _say(f"{call} returned NULL to {call.caller}", f"{why_failed(call.requested_bytes)}")
        return result == 0


class OnSize(Stop):
    """Stops where a request of a certain size begins."""

    def __init__(self, function: str, what: str, holds: Callable[[int], bool]) -> None:
        super().__init__(function, what)
        self._holds = holds

    def entered(self, call: Call) -> bool:
        if not self._holds(call.requested_bytes):
            return False
        _say(f"{call} is called by {call.caller}")
        return True


class Owned:
    """An address, and the block that it lies in, as far as calls tell."""

    def __init__(self, address: int, block: int) -> None:
        self.address = address
        self.block = block
        """Where the live block begins; 0 if none is known."""


class OnAddress(Stop):
    """Stops where the block that an address lies in is handed out, freed or resized."""

    def __init__(self, function: str, what: str, owned: Owned) -> None:
        super().__init__(function, what)
        self._owned = owned

    def entered(self, call: Call) -> bool:
        if call.requested_bytes:
            self.await_return(call)
        if call.address is None or call.address != self._owned.block or not call.address:
            return False
        if call.function == "kfree":
            self._owned.block = 0
        _say(f"{call} is called by {call.caller}")
        return True

    def returned(self, call: Call, result: int) -> bool:
        if not result <= self._owned.address < result + call.requested_bytes or not result:
            return False
        self._owned.block = result
        _say(f"{call.with_result(result)}, called by {call.caller}")
        return True


def _say(*lines: str) -> None:
    for line in lines:
        gdb.write(f"heap: {line}\n")


def why_failed(requested_bytes: int) -> str:
    """Why a heap like this cannot serve a request."""
    from lab.gdb.snapshot import State
    snapshot = kernel.heap().snapshot()
    holes = [hole.bytes for hole in snapshot.of(State.FREE)]
    cached = snapshot.bytes_of(State.CACHED) + snapshot.bytes_of(State.PARKED)
    total, largest = sum(holes) + cached, max(holes, default=0)
    spare = f" and {cached:,} kept for reuse" if cached else ""
    told = f"needs {requested_bytes:,}; {sum(holes):,} free in {len(holes):,} holes{spare}," \
        f" the largest {largest:,}"
    if requested_bytes > snapshot.region.end - snapshot.region.map:
        return f"too large for this heap: {told}"
    if total < requested_bytes:
        return f"exhausted: {told}"
    if largest < requested_bytes:
        return f"fragmented: {told}"
    return f"a hole was large enough, but not where or as the strategy looks: {told}"


def _on_failure(condition: str) -> Optional[Sequence[Stop]]:
    if condition != "fail":
        return None
    return [OnFailure(function, "a request gets NULL") for function in ALLOCATING]


def _on_size(condition: str) -> Optional[Sequence[Stop]]:
    name, sign, bound = condition[:4], condition[4:5], condition[5:]
    if name != "size" or sign not in COMPARISONS or not bound.strip():
        return None
    limit = kernel.evaluate(bound)
    what = f"a request is for {'more than ' if sign == '>' else 'less than ' * (sign == '<')}" \
        f"{limit:,} bytes"
    return [OnSize(function, what, lambda size: COMPARISONS[sign](size, limit))
            for function in ALLOCATING]


def _on_address(condition: str) -> Optional[Sequence[Stop]]:
    name, sign, expression = condition.partition("=")
    if name != "address" or not sign or not expression.strip():
        return None
    heap = kernel.heap()
    address = kernel.evaluate(expression)
    block = heap.snapshot().at(address)
    if block is None:
        raise gdb.GdbError(outside(address, heap))
    owned = Owned(address, block.payload)
    what = f"the block at 0x{address:08x} is handed out, freed or resized"
    return [OnAddress(function, what, owned) for function in (*ALLOCATING, "kfree")]


def outside(address: int, heap: kernel.Heap) -> str:
    """That an address is not in the heap."""
    return f"0x{address:08x} lies outside the heap, which is 0x{heap.region.map:08x} to" \
        f" 0x{heap.region.end:08x}"


def make(condition: str) -> Sequence[Stop]:
    """The breakpoints for a condition.

    Raises gdb.GdbError in one line if it is none.
    """
    condition = "".join(condition.split()) if condition.startswith(("size", "fail")) else condition
    for kind in (_on_failure, _on_size, _on_address):
        if made := kind(condition):
            return made
    raise gdb.GdbError("heap break fail, heap break size>N (or <N, =N), or heap break address=A"
                       + (f"; not '{condition}'" if condition else ""))
