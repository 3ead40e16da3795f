# SPDX-License-Identifier: MIT
"""The calls of heap.h: which is at work, who made it, and how to run from one to the next."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from typing import Any, Iterator, Optional, Sequence

import gdb

from lab.gdb import kernel

PARAMETERS = {
    "kmalloc": ("size",),
    "kmalloc_aligned": ("size", "align_bytes"),
    "kcalloc": ("count", "size"),
    "krealloc": ("address", "size"),
    "kfree": ("address",),
    "kinitHeap": (),
}
ALLOCATING = ("kmalloc", "kmalloc_aligned", "kcalloc", "krealloc")
_FRAMES_MAX = 64
_MEASURING = ("measuredCall", "machine_measure")
"""Who calls the heap on behalf of others: they are not its users."""
_WORDS_MAX = 256
"""How much of the stack is looked at for the address to which a call returns."""
_BEHIND_BYTES, _BEHIND_STEP = 256, 8
"""What assembler a function keeps behind its end belongs to it, too, and has no name."""


@dataclass(frozen=True)
class Call:
    """One call of a function that changes the heap."""

    function: str
    arguments: tuple[int, ...]
    return_address: int
    stack: int
    """Where the arguments are: what ESP is once the call has returned."""
    caller: str

    def _argument(self, name: str) -> Optional[int]:
        names = PARAMETERS[self.function]
        return self.arguments[names.index(name)] if name in names else None

    @property
    def address(self) -> Optional[int]:
        """The block that it was called with, if any."""
        return self._argument("address")

    @property
    def requested_bytes(self) -> int:
        """How much it asks for; 0 if it does not."""
        return (self._argument("size") or 0) * (self.arguments[0] if self.function == "kcalloc"
                                                else 1)

    def __str__(self) -> str:
        values = (f"0x{value:08x}" if name == "address" else str(value)
                  for name, value in zip(PARAMETERS[self.function], self.arguments))
        return f"{self.function}({', '.join(values)})"

    def with_result(self, result: int) -> str:
        """The call and what it returned."""
        if self.function == "kinitHeap":
            return str(self)
        if self.function == "kfree":
            return f"{self} = {0 if result & 0xFF == 0 else -1}"
        return f"{self} = " + (f"0x{result:08x}" if result else "NULL")


def _frames(frame: Optional[Any]) -> Iterator[Any]:
    """A frame and those that called it, as far as GDB can tell."""
    with contextlib.suppress(gdb.error):
        for _ in range(_FRAMES_MAX):
            if frame is None:
                return
            yield frame
            frame = frame.older()


def _measured_by(slot: int) -> Optional[int]:
    """The frame pointer of measuredCall, if it is what a call returns to; it has pushed that right
    above the call's two arguments."""
    address = kernel.read_word(slot)
    return kernel.read_word(slot + 12) if _function_at(address - 1) == _MEASURING[0] else None


def _caller_of(slot: int) -> str:
    """Where the call came from that returns to what a slot of the stack says; beyond those who
    measure."""
    address, base = kernel.read_word(slot), _measured_by(slot)
    with contextlib.suppress(gdb.GdbError):
        while base is not None and _function_at(address - 1) in _MEASURING:
            address, base = kernel.read_word(base + 4), kernel.read_word(base)
    return kernel.caller_place(address)


def frame_pointer_of(functions: Sequence[str]) -> Optional[int]:
    """The frame pointer of the innermost of these functions that is on this processor's stack.

    The heap's own functions keep none; how they were called is looked for first.
    """
    inside = _outermost_of_heap()
    slot = _return_slot(inside) if inside is not None else None
    base = _measured_by(slot) if slot is not None else None
    if inside is not None and base is None:
        return None
    if base is None:
        base = register("ebp")
        if _function_at(register("eip")) in functions:
            return base
    with contextlib.suppress(gdb.GdbError):
        for _ in range(_FRAMES_MAX):
            address, base = kernel.read_word(base + 4), kernel.read_word(base)
            if not kernel.is_code(address):
                return None
            if _function_at(address - 1) in functions:
                return base
    return None


def _function_at(address: int) -> str:
    """The function that an address of code belongs to, by the symbol table."""
    for place in range(address, address - _BEHIND_BYTES, -_BEHIND_STEP):
        text = str(gdb.execute(f"info symbol 0x{place:x}", to_string=True))
        if " in section" in text:
            return text.split()[0]
    return ""


def beginning() -> Call:
    """The call at whose first instruction the machine has stopped."""
    return _returning_from(register("esp"), str(gdb.newest_frame().name()))


def _returning_from(slot: int, function: str) -> Call:
    """The call whose return address is in a slot of the stack."""
    arguments = tuple(kernel.read_word(slot + 4 * place)
                      for place in range(1, len(PARAMETERS[function]) + 1))
    return Call(function, arguments, kernel.read_word(slot), slot + 4, _caller_of(slot))


def at_work() -> Optional[Call]:
    """The outermost call that is at work, on any processor; None if the heap is at rest."""
    selected = gdb.selected_thread()
    try:
        for thread in gdb.selected_inferior().threads():
            thread.switch()
            if (found := _on_this_processor()) is not None:
                return found
    finally:
        if selected is not None:
            selected.switch()
    return None


def _outermost_of_heap() -> Optional[Any]:
    inside: Optional[Any] = None
    for frame in _frames(gdb.newest_frame()):
        if is_in_heap(int(frame.pc())):
            inside = frame
    return inside


def _on_this_processor() -> Optional[Call]:
    inside = _outermost_of_heap()
    slot = _return_slot(inside) if inside is not None else None
    function = _begun_as(inside) if slot is not None else None
    return _returning_from(slot, function) if slot is not None and function else None


def _return_slot(frame: Any) -> Optional[int]:
    """Where on the stack the address is to which the outermost frame of the heap's returns.

    GDB does not know how far assembler within the heap's functions has moved the stack, where it
    keeps interrupts out or waits for the lock, and knows nothing of what stands behind a
    function's end; then the first address after a call is taken.
    """
    if frame.function() is not None:
        with contextlib.suppress(gdb.error, gdb.GdbError):
            slot = (int(frame.older().read_register("esp")) & 0xFFFFFFFF) - 4
            if _is_return(kernel.read_word(slot)):
                return slot
    start = int(frame.read_register("esp")) & 0xFFFFFFFF
    with contextlib.suppress(gdb.GdbError):
        for slot in range(start, start + 4 * _WORDS_MAX, 4):
            if _is_return(kernel.read_word(slot)):
                return slot
    return None


def _is_return(address: int) -> bool:
    """Whether the code before an address, which is not the heap's, calls."""
    if is_in_heap(address) or not kernel.is_code(address - 1):
        return False
    code = kernel.read_memory(address - 7, 7)
    return code[-5] == 0xE8 or any(code[-count] == 0xFF and code[1 - count] >> 3 & 7 == 2
                                   for count in (2, 3, 6, 7))


def is_in_heap(address: int) -> bool:
    """Whether code at an address is the heap's."""
    return kernel.symbol("_heap_text_start") <= address < kernel.symbol("_heap_text_end")


def _begun_as(frame: Any) -> Optional[str]:
    """The function of heap.h that a call began with, of which this is the outermost frame.

    Where a function ends with a call of another, the compiler jumps there, and the first has no
    frame any more.
    """
    now = _function_at(int(frame.pc()))
    return now if now in PARAMETERS else _JUMPS.setdefault(now, _jumping_to(now))


_JUMPS: dict[str, Optional[str]] = {}


def _jumping_to(wanted: str) -> Optional[str]:
    for function in PARAMETERS:
        seen, todo = {function}, [function]
        while todo:
            jumps = _jumps_of(todo.pop()) - seen
            seen |= jumps
            todo += jumps
        if wanted in seen:
            return function
    return None


def _jumps_of(function: str) -> set[str]:
    """The heap's other functions into whose beginnings a function jumps."""
    said = str(gdb.execute(f"disassemble {function}", to_string=True))
    targets = re.findall(r"\sj\w+\s+0x(\w+) <(\w+)>$", said, re.MULTILINE)
    return {name for address, name in targets if is_in_heap(int(address, 16))}


def register(name: str) -> int:
    """A register of the processor that has stopped."""
    return int(gdb.newest_frame().read_register(name)) & 0xFFFFFFFF


# --- running ------------------------------------------------------------------------------------


class Entry(gdb.Breakpoint):  # type: ignore[misc]
    """Stops where somebody else than the heap itself calls a function of it."""

    def __init__(self, function: str) -> None:
        super().__init__(f"*{kernel.symbol(function)}", internal=True)
        self.silent = True

    def stop(self) -> bool:
        return not is_in_heap(kernel.read_word(register("esp")))


class Return(gdb.Breakpoint):  # type: ignore[misc]
    """Stops where one call has returned."""

    def __init__(self, call: Call) -> None:
        super().__init__(f"*{call.return_address}", internal=True)
        self.silent = True
        self._stack = call.stack

    def stop(self) -> bool:
        return register("esp") == self._stack


class Stopped(Exception):
    """The machine stopped somewhere else first; what GDB said of that."""


_STOPS: list[Any] = []


def note_stop(event: Any) -> None:
    """Remember why the machine stopped."""
    _STOPS[:] = [event]


def _hits() -> tuple[Any, ...]:
    """The breakpoints that the machine stopped at last."""
    return tuple(getattr(_STOPS[0], "breakpoints", ())) if _STOPS else ()


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Keep GDB from telling of stops that are not the user's: to_string does not hold all of it."""
    gdb.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        gdb.flush()
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def run_to(*points: Any, command: str = "continue") -> None:
    """Run until one of these breakpoints stops the machine, and delete them.

    Raises Stopped if something else stops it, gdb.GdbError if it ends.
    """
    _STOPS.clear()
    try:
        said = str(gdb.execute(command, to_string=True))
        if not set(points) & set(_hits()):
            raise Stopped(said.strip())
    except gdb.error as error:
        raise gdb.GdbError(f"the machine has ended ({error})") from None
    finally:
        for point in points:
            if point.is_valid():
                point.delete()


@contextlib.contextmanager
def only_own_breakpoints() -> Iterator[None]:
    """For a while, nothing of the user's stops the machine."""
    others = [one for one in gdb.breakpoints() if one.enabled]
    for one in others:
        one.enabled = False
    try:
        yield
    finally:
        for one in others:
            if one.is_valid():
                one.enabled = True


def run_to_next() -> Call:
    """Run until a call begins; raises as run_to() does."""
    run_to(*(Entry(function) for function in PARAMETERS))
    return beginning()


def finish(call: Call) -> int:
    """Run until a call has returned. Returns: what it returned; raises as run_to() does."""
    with only_own_breakpoints():
        run_to(Return(call))
    return register("eax")
