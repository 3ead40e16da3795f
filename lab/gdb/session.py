# SPDX-License-Identifier: MIT
"""How `./heaplab debug` begins and ends a session."""

from __future__ import annotations

import contextlib

import gdb

from lab.gdb import backwards, call as calls

ENDS_AT = "machine_stop"
"""Where every kernel ends; it would take the machine with it."""


def begin(socket: str, recorded: bool) -> None:
    """Run to where the heap is ready, and see to it that the end does not go by unseen."""
    gdb.events.gdb_exiting.connect(end)
    with calls.quietly():
        gdb.execute(f"target remote {socket}")
        gdb.execute(f"break {ENDS_AT}")
    try:
        if recorded:
            backwards.go_to_beginning()
        calls.finish(calls.run_to_next())
    except calls.Stopped:
        gdb.write("the kernel has ended before there was a heap; the serial port says why\n")
        return
    gdb.write("kinitHeap() has returned: the heap is ready; a breakpoint is where the kernel ends"
              f" ({ENDS_AT})\n'help heap' lists the commands"
              + (", of which 'heap who' and 'heap when' look backwards\n" if recorded else "\n"))


def end(*_: object) -> None:
    """Let go of QEMU as it is: GDB would let it run on, if only for a moment."""
    with contextlib.suppress(gdb.error):
        gdb.execute("disconnect", to_string=True)
