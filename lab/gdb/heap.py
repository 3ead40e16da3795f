# SPDX-License-Identifier: MIT
"""The heap commands, for any GDB that debugs a LOS kernel: `source lab/gdb/heap.py`."""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
_ROOT = str(Path(__file__).resolve().parents[2])
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)

import gdb  # noqa: E402  (the path comes first)

from lab.gdb import call, commands, interrupts, kernel, running  # noqa: E402

kernel.watch_for_changes()
interrupts.look_behind()
gdb.events.stop.connect(call.note_stop)
commands.Heap()
for _command in (*commands.COMMANDS, *running.COMMANDS):
    _command()
