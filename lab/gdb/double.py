# SPDX-License-Identifier: MIT
"""A double of the kernel: a copy of its memory, in which its own functions can be called.

A debugger can call functions of the machine it has stopped, but that moves the machine: it fails
where interrupts are off and the processor halted, it cannot be undone if the heap is damaged and
the function never comes back, and in a replay every instruction more is one too many. So the
functions are called in an emulator (Unicorn, https://www.unicorn-engine.org) on a copy of the
kernel's memory, which is thrown away afterwards. What the kernel itself would say of its heap is
said, by the very code that it was built with, and the machine does not notice.
"""

from __future__ import annotations

import struct
from typing import Callable, Optional

PAGE_BYTES = 4096
SECONDS_MAX = 2.0
"""How long a function may take; one that walks a damaged heap may never end."""

_OWN = 0xF0000000
"""Where the double has what the kernel has not: a stack, and two instructions."""
_STACK_BYTES = 1 << 20
_CALLBACK = _OWN + _STACK_BYTES
_HOME = _CALLBACK + 1
_TABLE = _CALLBACK + 64
_CODE, _DATA = 0x9B, 0x93
_WORD = 4
_RETURN, _HALT = b"\xc3", b"\xf4"


class DoubleError(Exception):
    """A function does not come back; in words that follow its name."""


def _segment(base: int, access: int) -> int:
    """A descriptor of 4 GiB from base on (Intel SDM 3A, 3.4.5)."""
    return 0xFFFF | (base & 0xFFFFFF) << 16 | access << 40 | 0xCF << 48 | (base >> 24) << 56


class Double:
    """Memory from `base` on, and a processor, whose segment FS begins where the kernel has what
    belongs to one processor alone."""

    def __init__(self, base: int, image: bytes, fs_base: int = 0) -> None:
        import unicorn  # here, so that GDB starts without it
        from unicorn import x86_const
        self._unicorn, self._x86 = unicorn, x86_const
        self._base, self._image, self._fs_base = base, image, fs_base
        self._machine = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_32)
        self._machine.mem_map(base, -(-len(image) // PAGE_BYTES) * PAGE_BYTES)
        self._machine.mem_write(base, image)
        self._machine.mem_map(_OWN, _STACK_BYTES + PAGE_BYTES)
        self._machine.mem_write(_CALLBACK, _RETURN + _HALT)
        self._load_segments(fs_base)

    def _load_segments(self, fs_base: int) -> None:
        """Flat segments, and FS as the kernel has it."""
        table = struct.pack("<4Q", 0, _segment(0, _CODE), _segment(0, _DATA),
                            _segment(fs_base, _DATA))
        self._machine.mem_write(_TABLE, table)
        self._machine.reg_write(self._x86.UC_X86_REG_GDTR, (0, _TABLE, len(table) - 1, 0))
        self._machine.reg_write(self._x86.UC_X86_REG_CS, 8)
        for register in (self._x86.UC_X86_REG_SS, self._x86.UC_X86_REG_DS,
                         self._x86.UC_X86_REG_ES):
            self._machine.reg_write(register, 16)
        self._machine.reg_write(self._x86.UC_X86_REG_FS, 24)

    def fresh(self) -> "Double":
        """Another, of the same memory, in which nothing was called yet."""
        return Double(self._base, self._image, self._fs_base)

    def read(self, address: int, count: int) -> bytes:
        """Bytes of memory; raises DoubleError where there is none."""
        try:
            return bytes(self._machine.mem_read(address, count))
        except self._unicorn.UcError as error:
            raise DoubleError(f"there is no memory at 0x{address:08x}") from error

    def word(self, address: int) -> int:
        """A word of memory."""
        return int(struct.unpack("<I", self.read(address, _WORD))[0])

    def text(self, address: int) -> str:
        """A string of C's."""
        found = b""
        while b"\0" not in found:
            found += self.read(address + len(found), 1)
        return found[:-1].decode("ascii", "replace")

    def scratch(self) -> int:
        """An address below which functions do not write, for what they return in memory."""
        return _OWN + _STACK_BYTES - PAGE_BYTES

    def call(self, function: int, *arguments: int) -> int:
        """Call a function with words for arguments. Returns: what it left in EAX.

        Raises DoubleError if it does not come back.
        """
        stack = self.scratch() - _WORD * (len(arguments) + 1)
        self._machine.mem_write(stack, struct.pack(f"<{len(arguments) + 1}I", _HOME, *arguments))
        self._machine.reg_write(self._x86.UC_X86_REG_ESP, stack)
        self._machine.reg_write(self._x86.UC_X86_REG_EFLAGS, 2)
        try:
            self._machine.emu_start(function, _HOME, timeout=int(SECONDS_MAX * 1e6))
        except self._unicorn.UcError as error:
            raise DoubleError(f"crashes at 0x{self._eip():08x}") from error
        if self._eip() != _HOME:
            raise DoubleError(f"does not come back within {SECONDS_MAX:g} s")
        return int(self._machine.reg_read(self._x86.UC_X86_REG_EAX))

    def call_with_visitor(self, function: int, visit: Callable[[int], bool],
                          heap: int) -> None:
        """Call a strategy's walk(heap, visit, context), and visit with each block's address.

        It ends early, without complaint, when visit returns False.
        """

        enough = False

        def on_visit(machine: object, address: int, size: int, data: object) -> None:
            nonlocal enough
            stack = int(self._machine.reg_read(self._x86.UC_X86_REG_ESP))
            if not visit(self.word(stack + 2 * _WORD)):
                enough = True
                self._machine.emu_stop()

        hook = self._machine.hook_add(self._unicorn.UC_HOOK_CODE, on_visit, None,
                                      _CALLBACK, _CALLBACK)
        try:
            self.call(function, heap, _CALLBACK, 0)
        except DoubleError:
            if not enough:
                raise
        finally:
            self._machine.hook_del(hook)

    def last_read(self, start: int, end: int, function: int,
                  *arguments: int) -> Optional[tuple[int, int]]:
        """Call a function. Returns: the last memory it read from start to end: where, and how
        many bytes; None if it read none. How it ended does not matter.

        Requires: a fresh double. What the emulator has translated before is not observed.
        """
        last: list[tuple[int, int]] = []

        def on_read(machine: object, access: int, address: int, size: int, *_: object) -> None:
            last[:] = [(address, size)]

        hook = self._machine.hook_add(self._unicorn.UC_HOOK_MEM_READ, on_read, None, start,
                                      end - 1)
        try:
            self.call(function, *arguments)
        except DoubleError:
            pass
        finally:
            self._machine.hook_del(hook)
        return last[0] if last else None

    def _eip(self) -> int:
        return int(self._machine.reg_read(self._x86.UC_X86_REG_EIP))
