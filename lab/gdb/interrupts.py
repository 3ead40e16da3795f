# SPDX-License-Identifier: MIT
"""What was interrupted: GDB's way from a handler to the code behind it.

The stubs of arch/x86/exceptions.asm are assembler, at which GDB's backtrace ends. They hand to
their handler the address of a struct exception_frame (arch/x86/cpu.h), which lies on the stack
right above that argument, and in which all registers are.
"""

from __future__ import annotations

from typing import Any, Optional

import gdb
from gdb.unwinder import Unwinder, register_unwinder

from lab.gdb import kernel

_FIRST, _LAST = "exceptionCommon", "goBack"
_LAYOUT = "exception_frame"
_SAVED = ("eip", "ebp", "ebx", "esi", "edi", "eax", "ecx", "edx")


_STUBS: list[range] = []
"""Where the stubs are in the kernel that is loaded; GDB asks for every frame of every stack."""


def _stubs() -> range:
    if not _STUBS:
        _STUBS.append(range(kernel.symbol(_FIRST), kernel.symbol(_LAST) + 1))
    return _STUBS[0]


class _FrameId:
    def __init__(self, stack: Any, code: Any) -> None:
        self.sp, self.pc = stack, code


class Interrupted(Unwinder):  # type: ignore[misc]
    """Goes on from a stub to what it has interrupted."""

    def __init__(self) -> None:
        super().__init__("LOS interrupts")

    def __call__(self, pending: Any) -> Optional[Any]:
        code, stack = pending.read_register("eip"), pending.read_register("esp")
        try:
            if int(code) not in _stubs():
                return None
            argument = int(stack) & 0xFFFFFFFF
            saved = kernel.read_word(argument)
            if saved != argument + 4:
                return None
            return self._behind(pending, saved, _FrameId(stack, code))
        except gdb.GdbError:
            return None

    def _behind(self, pending: Any, saved: int, ident: _FrameId) -> Any:
        layout = kernel.Layout(_LAYOUT)
        found = pending.create_unwind_info(ident)
        for name in _SAVED:
            kind = pending.read_register(name).type
            word = kernel.read_word(saved + layout.offset(name))
            found.add_saved_register(name, gdb.Value(word).cast(kind))
        kind = pending.read_register("esp").type
        found.add_saved_register("esp", gdb.Value(saved + layout.bytes).cast(kind))
        return found


def look_behind() -> None:
    """Have GDB's backtraces go on behind interrupts from now on."""
    register_unwinder(None, Interrupted(), replace=True)
    gdb.events.new_objfile.connect(lambda _: _STUBS.clear())
