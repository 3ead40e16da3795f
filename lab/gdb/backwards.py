# SPDX-License-Identifier: MIT
"""Who changed memory, and when, in a recorded run.

QEMU replays a recording, and GDB runs in it backwards: QEMU goes back to the beginning, whose
state it keeps, and replays to the moment before the one where it was. So each step back takes as
long as the run up to there.

Backwards, QEMU stops near a write, in the same stretch of code, but not always right behind it;
forwards it stops right behind it. So the last change is found by going back until memory differs
from what it is now, and from there forwards to where it becomes that.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import Any, Callable, Iterator, TypeVar

import gdb

from lab.gdb import call as calls, kernel
from lab.gdb.call import Call

_FIRST = "multiboot2Start"
"""The kernel's beginning, before which nothing is looked for: QEMU needs a place to stop at."""
_REPEATED = (b"\xf2", b"\xf3")
_beginning = [0]
"""What QEMU had counted when the kernel began; the loader's part is not the same in every run."""
_BACKWARDS = "reverse-continue"

Result = TypeVar("Result")


def instruction() -> int:
    """The number of instructions since the kernel's beginning.

    Raises gdb.GdbError if this is no replay.
    """
    kernel.insist_on_kernel()
    try:
        said = str(gdb.execute("monitor info replay", to_string=True))
    except gdb.error:
        said = ""
    if not said.startswith("Replaying"):
        raise gdb.GdbError("this run is not a recorded one, so it does not go backwards:"
                           " './heaplab debug --record' makes one that does")
    return int(re.findall(r"instruction count = (\d+)", said)[0]) - _beginning[0]


def go_to_beginning() -> None:
    """Run to where the kernel begins, and count from there on."""
    instruction()
    point = _breakpoint(kernel.symbol(_FIRST))
    try:
        calls.run_to(point)
    except calls.Stopped as stop:
        raise gdb.GdbError(str(stop)) from None
    _beginning[0] += instruction()


def at_beginning() -> bool:
    """Whether the machine has gone back as far as it is to go."""
    return calls.register("eip") == kernel.symbol(_FIRST)


@dataclass(frozen=True)
class Change:
    """A change of memory: the machine is right behind it."""

    moment: int
    before: bytes
    after: bytes

    @property
    def places(self) -> list[int]:
        """Which bytes are others."""
        return [place for place, (old, new) in enumerate(zip(self.before, self.after))
                if old != new]


def _watchpoint(start: int, count: int) -> Any:
    point = gdb.Breakpoint(f"*(unsigned char (*)[{count}]) {start}", gdb.BP_WATCHPOINT,
                           gdb.WP_WRITE, internal=True)
    point.silent = True
    return point


def _breakpoint(address: int) -> Any:
    point = gdb.Breakpoint(f"*{address}", internal=True)
    point.silent = True
    return point


def _run(command: str) -> None:
    with calls.quietly():
        gdb.execute(command, to_string=True)
    kernel.forget()


@contextlib.contextmanager
def _watching(start: int, count: int) -> Iterator[None]:
    gdb.execute("set max-value-size unlimited", to_string=True)
    points = [_watchpoint(start, count), _breakpoint(kernel.symbol(_FIRST))]
    try:
        yield
    finally:
        for point in points:
            point.delete()


def _is_copying() -> bool:
    """Whether the machine has stopped in the middle of a repeated string instruction."""
    return kernel.read_memory(calls.register("eip"), 1) in _REPEATED


def _leave_copying() -> None:
    """Go back to the beginning of the function that copies: its bytes are one change, not many."""
    function = gdb.newest_frame().function()
    if function is None or not _is_copying():
        return
    point = _breakpoint(int(function.value().address))
    try:
        _run(_BACKWARDS)
    finally:
        point.delete()


def last_change(start: int, count: int) -> Change:
    """Run backwards to the last change of memory.

    Raises gdb.GdbError if there was none since the beginning, to which the machine then has gone.
    """
    with calls.only_own_breakpoints():
        _leave_copying()
        now = kernel.read_memory(start, count)
        with _watching(start, count):
            while kernel.read_memory(start, count) == now:
                if at_beginning():
                    raise gdb.GdbError("nobody has changed it since the recording began")
                _run(_BACKWARDS)
        before = kernel.read_memory(start, count)
        with _watching(start, count):
            while (after := kernel.read_memory(start, count)) != now:
                before = after
                _run("continue")
    return Change(instruction(), before, after)


# --- a block's life -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """A call that had to do with an address."""

    moment: int
    text: str
    caller: str
    what: str


def _to_beginning() -> None:
    point = _breakpoint(kernel.symbol(_FIRST))
    try:
        while not at_beginning():
            _run(_BACKWARDS)
    finally:
        point.delete()


def _covers(block: int, count: int, address: int) -> bool:
    return block != 0 and block <= address < block + max(count, 1)


class _Life:
    """What becomes of the memory at an address, call by call."""

    def __init__(self, address: int) -> None:
        self._address = address
        self._block = 0
        self._used_before = False
        self.events: list[Event] = []

    def see(self, call: Call, result: int, moment: int) -> None:
        """Take note of a call that has returned."""
        what = ""
        if call.function == "kinitHeap":
            what = "forgotten" if self._block else ""
            self._block = 0
        elif call.address is not None and call.address == self._block != 0:
            what = self._given_back(call, result)
        elif _covers(result, call.requested_bytes, self._address) and call.requested_bytes:
            what = "reused" if self._used_before else "allocated"
            self._block, self._used_before = result, True
        if what:
            self.events.append(Event(moment, call.with_result(result), call.caller, what))

    def _given_back(self, call: Call, result: int) -> str:
        if call.function == "kfree":
            if result & 0xFF:
                return "free refused"
            self._block = 0
            return "freed"
        if call.requested_bytes == 0:
            self._block = 0
            return "freed"
        if result == 0:
            return "not resized"
        stays = _covers(result, call.requested_bytes, self._address)
        self._block = result if stays else 0
        return "resized" if stays else "moved away"


def life_of(address: int, progress: Callable[[int], None]) -> list[Event]:
    """What calls have had to do with an address, from the recording's beginning to now.

    The machine goes back to the beginning, runs again and ends where it was.
    """
    here = _Here()
    life, seen = _Life(address), 0
    with calls.only_own_breakpoints():
        _to_beginning()
        here.mark()
        with contextlib.suppress(_Arrived):
            while True:
                with calls.quietly():
                    call = here.reached_after(calls.run_to_next)
                    began = instruction()
                    life.see(call, here.reached_after(lambda: calls.finish(call)), began)
                progress(seen := seen + 1)
    kernel.forget()
    return life.events


class _Arrived(Exception):
    """The machine is back where it was."""


class _Here:
    """The moment at which the machine was, to which it is to come back."""

    def __init__(self) -> None:
        self._moment = instruction()

    def mark(self) -> None:
        """Let QEMU stop there."""
        gdb.execute(f"monitor replay_break {self._moment + _beginning[0]}", to_string=True)

    def reached_after(self, run: Callable[[], Result]) -> Result:
        """What `run` returns, once it gets there; raises _Arrived if this place comes first."""
        while True:
            try:
                result = run()
            except calls.Stopped:
                self._look()
                continue
            self._look()
            return result

    def _look(self) -> None:
        if instruction() >= self._moment:
            raise _Arrived
