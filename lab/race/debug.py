# SPDX-License-Identifier: MIT
"""A race again, under GDB."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from rich.console import Console

from lab.race.boots import Boot, Record, machine, prepared

PORT = 1234


def again(record: Record) -> str:
    """The options that replay a record's schedule."""
    locking = "unmasked" if record["lock"] == "unmasked" else record["locking"]
    parts = [f"--processors {record['processors']}", f"--schedule {record['schedule']}"]
    parts += [f"--locking {locking}"] if locking != "none" else []
    parts += [f"--calls {record['operations']}"] if record["operations"] != 2 else []
    return " ".join(parts)


def gdb_command(kernel: Path) -> list[str]:
    """How GDB is started: it stops wherever the turn goes from one side to another."""
    return ["gdb", "-ex", f"target remote :{PORT}", "-ex", "hbreak race_switches",
            "-ex", "continue", str(kernel)]


def wait_for_gdb(boot: Boot, console: Console) -> int:
    """Start QEMU, stopped, and say how to go on; wait until it ends."""
    build = prepared([boot], console)
    print(f"In another terminal:\n\n  {shlex.join(gdb_command(build.program(boot.program)))}\n\n"
          "There 'print *from' shows who hands over, and 'info threads' where all are.", flush=True)
    command = machine(boot, build).command(Path())
    done = subprocess.run([*command, "-S", "-gdb", f"tcp:127.0.0.1:{PORT}"], check=False)
    return 0 if done.returncode in (33, 35) else 1
