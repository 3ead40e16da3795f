# SPDX-License-Identifier: MIT
"""The stopped kernel, as GDB sees it: its symbols and types, its memory, and its heap."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional

import gdb

from lab import ROOT
from lab.gdb import magazines
from lab.gdb.double import PAGE_BYTES, Double, DoubleError
from lab.gdb.snapshot import Block, Region, Snapshot, State, tiled

_CHUNK_BYTES = 1 << 16
_ADDRESS_MASK = 0xFFFFFFFF
_GRANULE_BYTES = 4
"""No strategy makes smaller blocks, so that a walk that shows more has lost its way."""


def evaluate(expression: str) -> int:
    """The address that an expression stands for.

    Raises gdb.GdbError in one line.
    """
    try:
        value = gdb.parse_and_eval(expression)
        if value.type.strip_typedefs().code in (gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_FUNC,
                                                gdb.TYPE_CODE_STRUCT):
            value = value.address
        return int(value) & _ADDRESS_MASK
    except gdb.error as error:
        try:  # the assembler's symbols have no type
            return int(gdb.parse_and_eval(f"(unsigned int) &{expression}"))
        except gdb.error:
            raise gdb.GdbError(f"'{expression}' is no address: {error}") from None


def symbol(name: str) -> int:
    """The address of one of the kernel's own names; raises gdb.GdbError without a kernel."""
    try:
        return int(gdb.parse_and_eval(f"(unsigned int) &{name}"))
    except gdb.error:
        raise gdb.GdbError("no LOS kernel is loaded (or one without symbols): 'file"
                           " los-NAME.elf', then 'target remote ...'") from None


def is_code(address: int) -> bool:
    """Whether an address is one of the kernel's code."""
    return symbol("_text_start") <= address < symbol("_text_end")


def place_of(address: int) -> str:
    """Where in the source an address of code is: "take_frame (kernel/careless_driver.c:75)"."""
    block = gdb.block_for_pc(address)
    while block is not None and block.function is None and block.superblock is not None:
        block = block.superblock
    if block is None or block.function is None:
        return _without_source(address)
    line = gdb.find_pc_line(address)
    name = block.function.print_name
    return f"{name} ({source_file(line.symtab)}:{line.line})" if line.symtab else name


def _without_source(address: int) -> str:
    text = str(gdb.execute(f"info symbol 0x{address:x}", to_string=True))
    return text.partition(" in section")[0] if " in section" in text else f"0x{address:08x}"


def source_file(table: Any) -> str:
    """A source file as it is called in the project."""
    path = Path(*(part for part in Path(table.filename).parts if part != ".."))
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def caller_place(return_address: int) -> str:
    """Where a call is that returns to this address."""
    return place_of(return_address - 1)


def read_memory(address: int, count: int) -> bytes:
    """Memory of the machine; raises gdb.GdbError where there is none."""
    try:
        return bytes(gdb.selected_inferior().read_memory(address, count))
    except gdb.MemoryError:
        raise gdb.GdbError(f"there is no memory at 0x{address:08x}") from None


def read_word(address: int) -> int:
    """A word of the machine's memory."""
    return int(struct.unpack("<I", read_memory(address, 4))[0])


def _read_all(start: int, end: int) -> bytes:
    """Memory from start to end; pages that are not mapped, as under stacks, read as 0."""
    inferior = gdb.selected_inferior()
    memory = bytearray(end - start)

    def take(first: int, count: int) -> None:
        memory[first - start:first - start + count] = inferior.read_memory(first, count)

    for chunk in range(start, end, _CHUNK_BYTES):
        count = min(_CHUNK_BYTES, end - chunk)
        try:
            take(chunk, count)
        except gdb.MemoryError:
            for page in range(chunk, chunk + count, PAGE_BYTES):
                try:
                    take(page, PAGE_BYTES)
                except gdb.MemoryError:
                    pass
    return bytes(memory)


class Layout:
    """A structure of the kernel's, of words alone, read out of bytes."""

    def __init__(self, name: str) -> None:
        try:
            self._type = gdb.lookup_type(f"struct {name}")
        except gdb.error:
            raise gdb.GdbError("this kernel has no debug information: build it with Meson's"
                               " option debug=true") from None
        self.bytes = int(self._type.sizeof)

    def fields(self, memory: bytes) -> Any:
        """The structure that these bytes are."""
        return gdb.Value(memory, self._type)

    def offset(self, name: str) -> int:
        """How far into the structure a field is."""
        return int(self._type[name].bitpos) // 8


class Heap:
    """The kernel's heap at this moment, by means of a double."""

    def __init__(self, double: Double) -> None:
        self.double = double
        self.address = double.call(symbol("kheap"))
        self.strategy = double.call(symbol("kheap_strategy"))
        region = Layout("heap").fields(double.read(self.address, Layout("heap").bytes))["region"]
        arena = int(region["arena"])
        self.region = Region(int(region["map"]), arena, arena + int(region["arena_bytes"]))
        self.knows_asked = False
        """Whether others than the heap have been asked how much was asked for."""
        self._snapshot: Optional[Snapshot] = None
        self._parked: Optional[dict[int, str]] = None
        self._damage: Optional[str] = None

    def function(self, name: str) -> int:
        """The address of a function of the strategy's."""
        return self.double.word(self.strategy + Layout("heap_strategy").offset(name))

    @property
    def name(self) -> str:
        """The strategy's name."""
        return self.double.text(self.function("name"))

    @property
    def hardening(self) -> str:
        """The kernel's hardening level."""
        return self.double.text(self.double.call(symbol("kheap_hardening")))

    @property
    def locking(self) -> str:
        """Who may call the kernel's heap while somebody else is in it."""
        return self.double.text(self.double.call(symbol("kheap_locking")))

    def snapshot(self) -> Snapshot:
        """All blocks, as far as the heap can be walked."""
        if self._snapshot is None:
            self._snapshot = self._walked().with_parked(self.parked)
        return self._snapshot

    def know_asked(self, bytes_by_address: Mapping[int, int]) -> None:
        """Be told how much was asked for, by the blocks' addresses."""
        self.knows_asked = True
        self._snapshot = self.snapshot().with_asked(bytes_by_address)

    @property
    def parked(self) -> dict[int, str]:
        """The addresses of the blocks that are parked in magazines, with who has these."""
        if self._parked is None:
            self._parked = magazines.parked(self.double)
        return self._parked

    def _walked(self) -> Snapshot:
        layout = Layout("heap_block")
        offsets = [layout.offset(name) for name in ("start", "bytes", "payload", "payload_bytes",
                                                    "state")]
        blocks: list[Block] = []
        blocks_max = (self.region.end - self.region.map) // _GRANULE_BYTES

        def visit(address: int) -> bool:
            memory = self.double.read(address, layout.bytes)
            start, count, payload, payload_bytes, state = (
                struct.unpack_from("<I", memory, offset)[0] for offset in offsets)
            sane = state < State.UNKNOWN and count > 0
            blocks.append(Block(start, count if sane else 0, payload, payload_bytes,
                                State(state if sane else State.UNKNOWN)))
            return sane and len(blocks) < blocks_max

        why = ""
        try:
            self.double.call_with_visitor(self.function("walk"), visit, self.address)
        except DoubleError as error:
            why = f"the walk {error}"
        return tiled(self.region, blocks, why)

    def damage(self) -> str:
        """What the heap's check says: the label of a broken invariant; empty if all hold."""
        if self._damage is None:
            try:
                text = self.double.call(symbol("heap_check"), self.strategy, self.address)
                self._damage = self.double.text(text) if text else ""
            except DoubleError as error:
                self._damage = f"the check itself {error}"
        return self._damage

    def last_looked_at(self) -> Optional[tuple[int, int]]:
        """Where the check looked last, in the heap's memory, before it gave its verdict."""
        double = self.double.fresh()
        strategy = double.call(symbol("kheap_strategy"))
        return double.last_read(self.region.map, self.region.end, symbol("heap_check"),
                                strategy, self.address)

    def filled_in(self, function: str, structure: str, *arguments: int) -> Any:
        """The structure that a function fills in, whose address is its last argument."""
        layout = Layout(structure)
        place = self.double.scratch() + PAGE_BYTES // 2
        self.double.call(symbol(function), *arguments, place)
        return layout.fields(self.double.read(place, layout.bytes))

    def stats(self) -> Any:
        """struct heap_status."""
        return self.filled_in("heap_stats", "heap_status")  # where it is to be returned

    def magazine_status(self) -> Any:
        """struct heap_magazine_status."""
        return self.filled_in("heap_magazine_status", "heap_magazine_status")

    def leaks(self, callers_max: int) -> Iterator[Any]:
        """Each struct heap_leak: live blocks with the same caller."""
        layout = Layout("heap_leak")
        place = self.double.scratch() - PAGE_BYTES * 16
        count = self.double.call(symbol("heap_leaks"), place, callers_max)
        for entry in range(count):
            yield layout.fields(self.double.read(place + entry * layout.bytes, layout.bytes))


_HEAPS: list[Heap] = []
"""The heap as it is now; empty when that is not known."""


def forget(*_: object) -> None:
    """The machine has moved, or its memory was changed."""
    _HEAPS.clear()


def heap() -> Heap:
    """The heap at this moment.

    Raises gdb.GdbError in one line if there is no kernel, or no heap yet.
    """
    if not _HEAPS:
        insist_on_heap()
        start = symbol("_kernel_start")
        end = -(-symbol("_kernel_end") // PAGE_BYTES) * PAGE_BYTES
        try:
            image = bytearray(_read_all(start, end))
            magazines.open_locks(image, start)
            _HEAPS.append(Heap(Double(start, bytes(image), _fs_base())))
        except ImportError:
            raise gdb.GdbError("the heap commands need the Debian package python3-unicorn"
                               ) from None
        except DoubleError as error:
            raise gdb.GdbError(f"what is loaded does not behave like a LOS kernel: its code"
                               f" {error}") from None
    return _HEAPS[0]


def _fs_base() -> int:
    """Where what belongs to the selected processor lies; 0 where GDB does not know."""
    try:
        return int(gdb.newest_frame().read_register("fs_base")) & _ADDRESS_MASK
    except ValueError:
        return 0


def insist_on_kernel() -> None:
    """Raise gdb.GdbError unless a kernel is loaded and runs."""
    symbol("kheap")
    if gdb.selected_thread() is None:
        raise gdb.GdbError("the kernel does not run: 'target remote ...' connects to QEMU's"
                           " '-gdb ...'")


def insist_on_heap() -> None:
    """Raise gdb.GdbError unless kinitHeap() has made the heap."""
    insist_on_kernel()
    if int(gdb.parse_and_eval("account_state")) == 0:
        raise gdb.GdbError("there is no heap yet: kinitHeap() has not been called")


def watch_for_changes() -> None:
    """Forget the heap whenever the machine may have changed."""
    for event in (gdb.events.cont, gdb.events.stop, gdb.events.exited,
                  gdb.events.memory_changed, gdb.events.new_objfile):
        event.connect(forget)
