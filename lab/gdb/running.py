# SPDX-License-Identifier: MIT
"""The commands that let the machine run, forwards and backwards."""

from __future__ import annotations

from typing import Optional

import gdb

from lab.gdb import backwards, call as calls, draw, kernel, stops
from lab.gdb.commands import Command, current_heap, ink, say
from lab.gdb.snapshot import WORDS, Block, State, difference
from lab.gdb.stops import outside
from lab.words import plural

PROGRESS_CALLS = 1000
FRAMES_SHOWN = 4
BYTES_WHERE_NO_BLOCK = 4
"""What 'heap who' watches at an address that is in no block which somebody owns."""


class Break(Command):
    """Stop on what matters: heap break fail | size>N | address=A

fail        where a request has got NULL, and says why
size>N      where more than N bytes are requested (size<N, size=N likewise)
address=A   where the block that A lies in is handed out, resized or freed

GDB looks at every call to find out, which takes a millisecond or two each. 'info breakpoints'
lists what this makes, 'delete' takes it away."""

    name = "break"
    completer: Optional[int] = None

    def complete(self, text: str, word: str) -> list[str]:
        """What GDB offers for what was typed."""
        return [choice for choice in ("fail", "size>", "size<", "size=", "address=")
                if choice.startswith(text)]

    def run(self, argument: str) -> None:
        kernel.insist_on_kernel()
        made = stops.make(argument)
        first, last = made[0].number, made[-1].number
        say(f"breakpoints {first} to {last} stop where {made[0].what}; 'delete {first}-{last}'"
            " ends that")


class Next(Command):
    """Run to the next call that changes the heap, and through it: heap next [COUNT]

Shows the call, who made it, which blocks it changed, and how the map looks there before and
after. Where the machine has stopped within such a call, it is that call. The block that a request
has got is in $heap afterwards."""

    name = "next"
    completer = gdb.COMPLETE_NONE

    def run(self, argument: str) -> None:
        kernel.insist_on_kernel()
        if argument and not (argument.isdigit() and int(argument) > 0):
            raise gdb.GdbError(f"heap next takes a number of calls: '{argument}'")
        for _ in range(int(argument or 1)):
            self._show_next()

    def _show_next(self) -> None:
        call = calls.at_work() or calls.run_to_next()
        if call.function == "kinitHeap":
            calls.finish(call)
            say(f"{call}, called by {call.caller}", draw.totals(current_heap().snapshot()))
            return
        before = current_heap().snapshot()
        result = calls.finish(call)
        if call.requested_bytes:
            gdb.set_convenience_variable("heap", result)
            current_heap().know_asked({result: call.requested_bytes})
        after = current_heap().snapshot()
        change = difference(before, after)
        say(f"{call.with_result(result)}, called by {call.caller}")
        if call.requested_bytes and result == 0:
            say(stops.why_failed(call.requested_bytes))
        if not change:
            say("no block has changed")
            return
        say(*draw.difference_lines(change, ink()))
        say(*draw.change_lines(before, after, change, ink()))


def _watched(heap: kernel.Heap, address: int) -> tuple[int, int, str]:
    """What 'heap who' watches for an address: from where on, how many bytes, and what that is."""
    block = heap.snapshot().at(address)
    if block is None:
        raise gdb.GdbError(outside(address, heap))
    if _is_owned(block):
        size = plural(block.bytes, "byte")
        return block.start, block.bytes, f"{WORDS[block.state]} of {size} at 0x{block.start:08x}"
    count = min(BYTES_WHERE_NO_BLOCK, heap.region.end - address)
    return address, count, f"{plural(count, 'byte')} at 0x{address:08x}, in" \
        f" {WORDS[block.state]}"


def _is_owned(block: Block) -> bool:
    return block.state in (State.LIVE, State.CACHED, State.PARKED)


class Who(Command):
    """Say who changed a block last, and go there: heap who ADDRESS[, BYTES]

Runs a recorded machine (./heaplab debug --record) backwards to the moment at which any byte of
the block at ADDRESS, its header included, was changed last; where there is no block that somebody
owns, of 4 bytes at ADDRESS; with BYTES, of so many. The machine stays right behind that change:
look around there, or ask again for the one before; 'continue' goes forwards."""

    name = "who"

    def run(self, argument: str) -> None:
        backwards.instruction()
        heap = current_heap()
        expression, comma, amount = argument.partition(",")
        if not expression.strip():
            raise gdb.GdbError("heap who needs an address")
        address = kernel.evaluate(expression.strip())
        start, count, what = _watched(heap, address)
        if comma:
            start, count = address, self._count(amount.strip(), address, heap)
            what = f"{plural(count, 'byte')} at 0x{address:08x}"
        change = backwards.last_change(start, count)
        place = change.places[0]
        marked = range(start + place, start + change.places[-1] + 1)
        say(f"{what}, changed last at instruction {change.moment:,}",
            f"by {kernel.caller_place(calls.register('eip'))}:",
            f"  0x{marked.start:08x}: {change.before[place:change.places[-1] + 1].hex(' ')}"
            f" became {change.after[place:change.places[-1] + 1].hex(' ')}",
            *self._backtrace())
        at_work = calls.at_work()
        say(f"that is the heap's own doing, in {at_work}" if at_work else
            "that is none of the heap's doing: no call of it is at work")

    @staticmethod
    def _backtrace() -> list[str]:
        said = str(gdb.execute(f"backtrace {FRAMES_SHOWN}", to_string=True))
        return [line for line in said.replace("../", "").splitlines() if line.startswith("#")]

    def _count(self, amount: str, address: int, heap: kernel.Heap) -> int:
        count = kernel.evaluate(amount) if amount else 0
        if not 1 <= count <= heap.region.end - address:
            raise gdb.GdbError("heap who takes a number of bytes that the heap has behind the"
                               f" address: '{amount}'")
        return count


class When(Command):
    """Tell the life of the memory at an address: heap when ADDRESS

Lists every call since the beginning of a recorded run (./heaplab debug --record) that handed out,
resized or freed a block with ADDRESS in what was asked for. The machine runs through all of it
again, a few milliseconds for each call of the heap, and ends where it was."""

    name = "when"

    def run(self, argument: str) -> None:
        moment = backwards.instruction()
        heap = current_heap()
        if not argument:
            raise gdb.GdbError("heap when needs an address")
        address = kernel.evaluate(argument)
        if heap.snapshot().at(address) is None:
            raise gdb.GdbError(outside(address, heap))
        events = backwards.life_of(address, _show_progress)
        say(f"instruction  what became of 0x{address:08x}")
        for event in events:
            say(f"{event.moment:>11,}  {event.what:9}  {event.text}, by {event.caller}")
        say(f"{moment:>11,}  {'now':9}  {self._now(heap, address)}" if events else
            f"{moment:>11,}  {'now':9}  no call has had to do with it")

    def _now(self, heap: kernel.Heap, address: int) -> str:
        block = heap.snapshot().at(address)
        assert block is not None
        return f"in {WORDS[block.state]} of {plural(block.bytes, 'byte')}" \
            f" at 0x{block.start:08x}"


def _show_progress(seen: int) -> None:
    if seen % PROGRESS_CALLS == 0:
        say(f"... {seen:,} calls so far")
        gdb.flush()


COMMANDS = (Break, Next, Who, When)
