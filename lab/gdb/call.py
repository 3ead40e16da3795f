# SPDX-License-Identifier: MIT
"""The calls of heap.h: which is at work, who made it, and how to run from one to the next."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Any, Iterator, Optional

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


def _caller_of(frame: Any) -> str:
    """Where a frame was called; beyond those who measure, by their frame pointers."""
    caller = frame.older()
    address, base = int(caller.pc()), int(caller.read_register("ebp")) & 0xFFFFFFFF
    with contextlib.suppress(gdb.GdbError):
        for _ in range(_FRAMES_MAX):
            if _function_at(address - 1) not in _MEASURING:
                break
            address, base = kernel.read_word(base + 4), kernel.read_word(base)
    return kernel.caller_place(address)


def _function_at(address: int) -> str:
    """The function that an address of code belongs to, by the symbol table."""
    text = str(gdb.execute(f"info symbol 0x{address:x}", to_string=True))
    return text.split()[0] if " in section" in text else ""


def of_frame(frame: Any) -> Call:
    """The call that a frame of one of its functions stands for."""
    older = frame.older()
    stack = int(older.read_register("esp")) & 0xFFFFFFFF
    function = str(frame.name())
    arguments = tuple(kernel.read_word(stack + 4 * place)
                      for place in range(len(PARAMETERS[function])))
    return Call(function, arguments, int(older.pc()), stack, _caller_of(frame))


def at_work() -> Optional[Call]:
    """The outermost call that is at work, on any processor; None if the heap is at rest."""
    selected = gdb.selected_thread()
    try:
        for thread in gdb.selected_inferior().threads():
            thread.switch()
            found = None
            for frame in _frames(gdb.newest_frame()):
                if frame.name() in PARAMETERS and frame.older() is not None:
                    found = frame
            if found is not None:
                return of_frame(found)
    finally:
        if selected is not None:
            selected.switch()
    return None


def is_nested(return_address: int) -> bool:
    """Whether a call that returns there was made by the heap itself."""
    return kernel.symbol("_heap_text_start") <= return_address < kernel.symbol("_heap_text_end")


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
        return not is_nested(kernel.read_word(register("esp")))


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
    return of_frame(gdb.newest_frame())


def finish(call: Call) -> int:
    """Run until a call has returned. Returns: what it returned; raises as run_to() does."""
    with only_own_breakpoints():
        run_to(Return(call))
    return register("eax")
