# SPDX-License-Identifier: MIT
"""The commands that look at the heap as it is. What GDB prints as a command's help is its
docstring."""

from __future__ import annotations

import os
import sys
from collections import Counter
from typing import Any, Optional, Sequence

import gdb

from lab.gdb import asked, call as calls, draw, kernel, magazines
from lab.gdb.double import DoubleError
from lab.gdb.snapshot import WORDS, Block, Snapshot, State, difference
from lab.gdb.stops import outside
from lab.words import plural

LARGEST_HOLES = 10
CONTENTS_BYTES = 64
DAMAGE_BYTES = 64
LEAKING_CALLERS_MAX = 64
CANNOT_SAY = "(the kernel cannot say more now, perhaps because the heap is locked: its function"

_saved: list[Snapshot] = []
"""The snapshot that `heap diff` compares with; empty if there is none."""


def ink() -> draw.Ink:
    """Colours if a person looks."""
    person = sys.__stdout__ is not None and os.isatty(1) and gdb.parameter("style enabled")
    return draw.Ink(bool(person) and os.environ.get("TERM", "dumb") != "dumb"
                    and "NO_COLOR" not in os.environ)


def say(*lines: str) -> None:
    """Print lines."""
    for line in lines:
        gdb.write(f"{line}\n")


class Command(gdb.Command):  # type: ignore[misc]
    """A command `heap NAME`."""

    name = ""
    completer: Optional[int] = gdb.COMPLETE_EXPRESSION

    def __init__(self) -> None:
        arguments: list[Any] = [f"heap {self.name}", gdb.COMMAND_DATA]
        super().__init__(*arguments, *([self.completer] if self.completer is not None else []))

    def invoke(self, argument: str, from_tty: bool) -> None:
        """What GDB calls."""
        try:
            self.run(argument.strip())
        except calls.Stopped as stop:
            say(str(stop))
        except DoubleError as error:
            raise gdb.GdbError(f"the kernel's own function {error}") from None
        except gdb.MemoryError as error:
            raise gdb.GdbError(str(error)) from None

    def run(self, argument: str) -> None:
        """Carry it out; raises gdb.GdbError in one line."""
        raise NotImplementedError


class Heap(gdb.Command):  # type: ignore[misc]
    """See the kernel's heap, whatever strategy is behind it.

The machine must be stopped, and kinitHeap() have been called. Addresses are expressions, as GDB's
own commands take them: a number, a variable, &frame->payload. What the commands show is said by
the kernel's own code, in a copy of its memory; the machine itself is not touched."""

    def __init__(self) -> None:
        super().__init__("heap", gdb.COMMAND_DATA, gdb.COMPLETE_COMMAND, True)


def current_heap() -> kernel.Heap:
    """The heap at this moment, with what a trace that is replayed has asked of it."""
    heap = kernel.heap()
    if not heap.knows_asked:
        heap.know_asked(asked.by_address())
    return heap


def _note(heap: kernel.Heap) -> list[str]:
    """What is to be said before a heap is shown."""
    at_work, damage = calls.at_work(), heap.damage()
    if at_work:
        lines = [f"in the middle of {at_work}, called by {at_work.caller}"]
        if damage:
            lines.append(f"in a critical step of it ('heap next' ends it), or damaged: {damage}")
        return lines
    if damage:
        return [f"the heap is damaged ('heap check' shows where): {damage}"]
    return []


def _shown(heap: kernel.Heap) -> Snapshot:
    """The heap's blocks; says what is to be said before."""
    say(*_note(heap))
    snapshot = heap.snapshot()
    if snapshot.broken:
        say(f"from 0x{snapshot.blocks[-1].start:08x} on its blocks are unknown:"
            f" {snapshot.broken}")
    return snapshot


def _span(argument: str, heap: kernel.Heap) -> tuple[int, int]:
    """The part of the heap that `START, END` or `START` means; all of it if there is nothing."""
    region = heap.region
    if not argument:
        return region.map, region.end
    first, comma, last = argument.partition(",")
    start = kernel.evaluate(first.strip())
    end = kernel.evaluate(last.strip()) if comma else region.end
    if not region.map <= start < region.end:
        raise gdb.GdbError(outside(start, heap))
    if end <= start:
        raise gdb.GdbError(f"0x{end:08x} does not lie behind 0x{start:08x}")
    return start, min(end, region.end)


def _address(argument: str, name: str) -> int:
    if not argument:
        raise gdb.GdbError(f"heap {name} needs an address")
    return kernel.evaluate(argument)


def _insist_on_nothing(argument: str, name: str) -> None:
    if argument:
        raise gdb.GdbError(f"heap {name} takes no argument: '{argument}'")


class Map(Command):
    """Show the heap on one screen: heap map [START[, END]]

A letter is what most of its bytes are, or 'o' for live and free memory together; rows that are
as the one before are left out. Waste is headers and, where it is known how much was asked for,
all rounding. The heap itself remembers that from hardening redzone on. Below, it is known of the
blocks of a trace that is being replayed, within a call of the heap and right behind it, and of
what 'heap next' has just run through. Of all others nobody can say it: there, what an owner could
use counts as asked for. What the heap keeps whole for its next user is reusable, or, with locking
percpu, parked in a magazine; what it has for itself its own."""

    name = "map"

    def run(self, argument: str) -> None:
        heap = current_heap()
        start, end = _span(argument, heap)
        snapshot = _shown(heap)
        say(*draw.map_lines(snapshot, start, end, ink()), draw.totals(snapshot))


class Blocks(Command):
    """List the heap's blocks: heap blocks [START[, END]]

Every block of which a byte lies from START to END, in the order of addresses: where it starts,
how many bytes it takes, what it is; of a live one, the address that its owner has, how many
bytes there are his to use and, where that is known ('help heap map'), how many were asked for;
of a parked one, in whose magazine it is. The first live block's address is in $block
afterwards."""

    name = "blocks"

    def run(self, argument: str) -> None:
        heap = current_heap()
        start, end = _span(argument, heap)
        snapshot = _shown(heap)
        blocks = list(snapshot.between(start, end))
        for block in blocks:
            if block.state is State.LIVE:
                gdb.set_convenience_variable("block", block.payload)
                break
        places = heap.snapshot().places(heap.parked)
        say(draw.BLOCK_TITLE,
            *(draw.block_line(block, ink(), places.get(block.start, "")) for block in blocks))


class At(Command):
    """Say what is at an address: heap at ADDRESS

Which block it lies in and how far, whether that is live or free, who allocated and who freed it
(known from hardening redzone on), and what it holds."""

    name = "at"

    def run(self, argument: str) -> None:
        heap = current_heap()
        address = _address(argument, self.name)
        block = heap.snapshot().at(address)
        if block is None:
            raise gdb.GdbError(outside(address, heap))
        holder = heap.snapshot().places(heap.parked).get(block.start)
        say(*_note(heap), f"0x{address:08x} is {_position(address, block)}",
            *([f"  the magazine is {holder}"] if holder else []), *_life(heap, address))
        start = min(max(block.start, address & ~15), block.end - 1)
        count = min(CONTENTS_BYTES, block.end - start)
        say(*draw.dump_lines(heap.double.read(start, count), start, range(address, address + 1)))


def _position(address: int, block: Block) -> str:
    start = block.payload if block.state is State.LIVE else block.start
    size = block.payload_bytes if block.state is State.LIVE else block.bytes
    if address < start:
        where = f"in the header, {plural(start - address, 'byte')} before the payload, of"
    elif address == start:
        where = "the start of"
    elif address < start + size:
        where = f"{plural(address - start, 'byte')} into"
    elif address == start + size:
        where = "right behind the end of"
    else:
        where = f"{plural(address - start - size, 'byte')} behind the end of"
    taking = f", taking {block.bytes:,}," if block.bytes != size else ""
    if block.asked_bytes not in (None, size):
        taking += f"{'' if taking else ','} {block.asked_bytes:,} asked for,"
    return f"{where} {WORDS[block.state]} of {plural(size, 'byte')}{taking}" \
        f" at 0x{start:08x}"


def _life(heap: kernel.Heap, address: int) -> list[str]:
    """Who took and who freed the block at an address, where the heap remembers."""
    try:
        told = heap.filled_in("heap_explain", "heap_explanation", address)
    except DoubleError as error:
        return [f"  {CANNOT_SAY} {error})"]
    lines = _owners(told["life"])
    before = told["before"]
    if int(before["block"]) and not int(told["life"]["freed_by"]):
        lines.append(f"  before, a block of {plural(int(before['bytes']), 'byte')} was there")
        lines += [f"  {line}" for line in _owners(before)]
    if not lines and heap.hardening in ("off", "check"):
        lines.append(f"  (who allocated it is known from hardening redzone on; this is"
                     f" {heap.hardening})")
    return lines


def _owners(life: Any) -> list[str]:
    lines = []
    if int(life["allocated_by"]):
        lines.append(f"  allocated by {kernel.caller_place(int(life['allocated_by']))}, number"
                     f" {int(life['number']):,} since kinitHeap()")
    if int(life["freed_by"]):
        lines.append(f"  freed by {kernel.caller_place(int(life['freed_by']))}")
    return lines


class Stats(Command):
    """Say how the heap is doing: heap stats

Which strategy it is, how much is live and free and in how many pieces, with locking percpu what is
parked in whose magazines, and, from hardening check on, what it has counted since kinitHeap()."""

    name = "stats"
    completer = gdb.COMPLETE_NONE

    def run(self, argument: str) -> None:
        _insist_on_nothing(argument, self.name)
        heap = current_heap()
        snapshot = _shown(heap)
        region = heap.region
        say(f"strategy   {heap.name}: {heap.double.text(heap.function('source'))}",
            f"hardening  {heap.hardening}", f"locking    {heap.locking}",
            f"memory     0x{region.map:08x} to 0x{region.end:08x}:"
            f" {region.arena - region.map:,} bytes of side array,"
            f" {region.end - region.arena:,} of heap",
            draw.totals(snapshot, "now        "), *self._fragmentation(snapshot))
        if snapshot.broken:
            return
        if magazines.are_there():
            say(*self._parked(heap))
        say(*self._counted(heap) if heap.hardening != "off" else
            ["counted    nothing: hardening is off"])

    def _parked(self, heap: kernel.Heap) -> list[str]:
        try:
            status = heap.magazine_status()
        except DoubleError as error:
            return [f"{CANNOT_SAY} {error})"]
        counts = Counter(heap.parked.values())
        whose = ", ".join(f"{counts[place]:,} {place}" for place in sorted(counts))
        return [f"magazines  {int(status['exchanges']):,} exchanged at the depot,"
                f" {int(status['refills']):,} filled by the strategy,"
                f" {plural(int(status['reclaims']), 'reclaim')}",
                f"parked     {plural(len(heap.parked), 'block')}{': ' * bool(whose)}{whose}"]

    def _fragmentation(self, snapshot: Snapshot) -> list[str]:
        holes = [hole.bytes for hole in snapshot.of(State.FREE)]
        if not holes:
            return []
        return [f"fragments  {1 - max(holes) / sum(holes):.2%} of the free bytes are not in the"
                " largest hole"]

    def _counted(self, heap: kernel.Heap) -> list[str]:
        try:
            stats = heap.stats()
        except DoubleError as error:
            return [f"{CANNOT_SAY} {error})"]
        failures = [int(stats["failures"][place]) for place in range(4)]
        lines = [f"counted    at most {plural(int(stats['peak_live_blocks']), 'live block')}"
                 f" at once; {plural(int(stats['misuses']), 'misuse')}"]
        if int(stats["peak_requested_bytes"]):
            lines.append(f"requested  {int(stats['requested_bytes']):,} bytes, at most"
                         f" {int(stats['peak_requested_bytes']):,}")
        lines.append(f"failures   {sum(failures):,}: {failures[0]:,} too large, {failures[1]:,}"
                     f" exhausted, {failures[2]:,} fragmented, {failures[3]:,} on purpose")
        return lines


class Check(Command):
    """Verify every invariant of the heap: heap check

Those of the strategy, as listed at the top of its file in mm/, those of every heap
(mm/heap_check.h), and from hardening redzone on the guards around blocks. Names the first that
is broken, and shows the bytes that the check looked at last before it said so; their address is
in $damage afterwards."""

    name = "check"
    completer = gdb.COMPLETE_NONE

    def run(self, argument: str) -> None:
        _insist_on_nothing(argument, self.name)
        heap = current_heap()
        damage = heap.damage()
        if not damage:
            at_work = calls.at_work()
            say(f"sound: {plural(len(heap.snapshot().blocks), 'block')} tile the heap, and"
                f" all invariants of {heap.name} hold"
                + (f" (in the middle of {at_work})" if at_work else ""))
            return
        say(*_note(heap)) if calls.at_work() else say(f"broken: {damage}")
        say(*self._where(heap))

    def _where(self, heap: kernel.Heap) -> Sequence[str]:
        looked_at = heap.last_looked_at()
        if looked_at is None:
            return ["the check looked at none of the heap's memory before it said so"]
        address, count = looked_at
        gdb.set_convenience_variable("damage", address)
        block = heap.snapshot().at(address)
        assert block is not None
        start = max(heap.region.map, (address & ~15) - DAMAGE_BYTES // 2)
        memory = heap.double.read(start, min(DAMAGE_BYTES + 16, heap.region.end - start))
        return [f"the bytes it looked at last are at 0x{address:08x}:",
                f"  {_position(address, block)}",
                *draw.dump_lines(memory, start, range(address, address + count)),
                *_life(heap, address)]


class Holes(Command):
    """Show the heap's holes: heap holes

The largest, by size, and how many there are of each size."""

    name = "holes"
    completer = gdb.COMPLETE_NONE

    def run(self, argument: str) -> None:
        _insist_on_nothing(argument, self.name)
        snapshot = _shown(current_heap())
        say(*draw.hole_lines(snapshot.of(State.FREE), LARGEST_HOLES))
        for state, how in ((State.CACHED, "kept whole for reuse"), (State.PARKED, "parked")):
            if blocks := snapshot.of(state):
                say(f"besides, {plural(len(blocks), 'free block')} of"
                    f" {snapshot.bytes_of(state):,} bytes in all {how}")


class Leaks(Command):
    """List the live blocks by who allocated them: heap leaks

The caller of the oldest block comes first. Callers are known from hardening redzone on."""

    name = "leaks"
    completer = gdb.COMPLETE_NONE

    def run(self, argument: str) -> None:
        _insist_on_nothing(argument, self.name)
        heap = current_heap()
        if heap.hardening in ("off", "check"):
            raise gdb.GdbError("who allocated a block is known from hardening redzone on; this"
                               f" kernel has {heap.hardening}")
        say(*_note(heap))
        leaks = list(heap.leaks(LEAKING_CALLERS_MAX))
        for leak in leaks:
            oldest = leak["oldest"]
            say(f"{plural(int(leak['blocks']), 'block')}, {int(leak['bytes']):,} bytes, by"
                f" {kernel.caller_place(int(leak['allocated_by']))}; the oldest at"
                f" 0x{int(oldest['block']):08x}, number {int(oldest['number']):,}")
        if len(leaks) == LEAKING_CALLERS_MAX:
            say(f"and perhaps others: only {LEAKING_CALLERS_MAX} callers are listed")
        if not leaks:
            say("no block is live")


class TakeSnapshot(Command):
    """Remember the heap as it is now, for 'heap diff': heap snapshot"""

    name = "snapshot"
    completer = gdb.COMPLETE_NONE

    def run(self, argument: str) -> None:
        _insist_on_nothing(argument, self.name)
        snapshot = _shown(current_heap())
        _saved[:] = [snapshot]
        say(draw.totals(snapshot, "remembered: "))


class Diff(Command):
    """Show what is no longer as it was at the last 'heap snapshot': heap diff

Blocks that are gone are marked '-', blocks that have come '+'. A block that has only been written
to is the same block."""

    name = "diff"
    completer = gdb.COMPLETE_NONE

    def run(self, argument: str) -> None:
        _insist_on_nothing(argument, self.name)
        heap = current_heap()
        if not _saved:
            raise gdb.GdbError("there is no snapshot to compare with: 'heap snapshot' takes one")
        if _saved[0].region != heap.region:
            raise gdb.GdbError("the snapshot is of another kernel's heap: 'heap snapshot' takes"
                               " one of this")
        now = _shown(heap)
        change = difference(_saved[0], now)
        say(*draw.difference_lines(change, ink()))
        say(draw.totals(_saved[0], "before: "), draw.totals(now, "now:    ")
            if change else "nothing has changed")


COMMANDS = (Map, Blocks, At, Stats, Check, Holes, Leaks, TakeSnapshot, Diff)
