# SPDX-License-Identifier: MIT
"""`heaplab debug`: a kernel in QEMU under GDB, with the heap commands of lab/gdb.

A recorded run (--record) is carried out once to its end, and then replayed under GDB, in which it
goes backwards as well. QEMU and GDB meet at a socket in a directory of their own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Optional, Sequence

from lab import ROOT, heaps, process, qemu, trace
from lab.build import Build, strategies
from lab.errors import InputError, RunError
from lab.options import Parser
from lab.trace import Trace

HEAP_KIB = 1024
TRACE_MEMORY_SHARE = 64
"""RAM for each operation of a trace: the runner's tables."""
PROCESSORS_MAX = 8
START_SECONDS = 60.0
"""How long QEMU may take until it can be connected to."""
COMMANDS_FILE = ROOT / "lab" / "gdb" / "heap.py"
SNAPSHOT_MIB = 256
"""The virtual size of the drive that keeps a recording's first state."""


@dataclass(frozen=True)
class Request:
    """What is to be debugged; all of it has been checked."""

    kernel: Path
    words: Sequence[str]
    trace: Optional[Trace] = None
    recorded: bool = False
    commands: Sequence[str] = field(default=())
    """What GDB is to do before it asks, or, in batch mode, instead."""
    batch: bool = False


def kernel_of(heap: str, hardening: str, locking: str) -> Path:
    """The kernel with this heap, brought up to date.

    Raises InputError in one line if there can be none.
    """
    for what, name, known in (("heap", heap, strategies()), ("hardening", hardening, heaps.LEVELS),
                              ("locking", locking, heaps.LOCKINGS)):
        if name not in known:
            raise InputError(f"there is no {what} {name!r}; there are: {', '.join(known)}")
    build = Build(HEAP_KIB, hardening=hardening, locking=locking)
    build.prepare([f"los-{heap}.elf"], say)
    return build.program(f"los-{heap}.elf")


def check(*, kernel: Optional[Path], heap: str, hardening: str, locking: str,
          words: Sequence[str], trace_name: Optional[str], recorded: bool,
          commands: Sequence[str], batch: bool) -> Request:
    """Check what is asked for, and build the kernel unless there is one.

    Raises InputError in one line.
    """
    for program, package in (("gdb", "gdb"), ("qemu-system-i386", "qemu-system-x86"),
                             *([("qemu-img", "qemu-utils")] if recorded else [])):
        if not shutil.which(program):
            raise InputError(f"{program} is not there; the Debian package {package} brings it")
    if trace_name is not None and any(word.startswith("run=") for word in words):
        raise InputError("--trace is for run=replay, and says so itself: leave run= away")
    if recorded and processors(words) > 1:
        raise InputError("--record goes with one processor: QEMU cannot record several")
    replayed = trace.read(trace.find(trace_name)) if trace_name is not None else None
    if kernel is not None and not os.path.isfile(kernel):
        raise InputError(f"{kernel}: there is no such file")
    return Request(kernel or kernel_of(heap, hardening, locking),
                   [*(["run=replay"] if replayed else []), *words], replayed, recorded, commands,
                   batch)


def processors(words: Sequence[str]) -> int:
    """How many processors the kernel is to start; the kernel refuses what makes no sense."""
    counts = [word.partition("=")[2] for word in words if word.startswith("processors=")]
    return int(counts[-1]) if counts and counts[-1] in map(str, range(1, PROCESSORS_MAX + 1)) else 1


def run(request: Request) -> int:
    """Record if asked to, and debug. Returns: GDB's exit status."""
    with tempfile.TemporaryDirectory(prefix="los-debug-") as name:
        scratch = Path(name)
        machine = _machine(request, scratch)
        if not request.recorded:
            return _debug(request, [*machine.command(scratch), *_counting()], scratch)
        _record(machine, scratch)
        machine = replace(machine, serial=scratch / "serial.txt")
        return _debug(request, [*machine.command(scratch), *_recording(scratch, "replay")],
                      scratch)


def say(text: str) -> None:
    """Tell what is being done."""
    print(f"heaplab: {text}", file=sys.stderr, flush=True)


def _machine(request: Request, scratch: Path) -> qemu.Machine:
    module, memory = None, float(qemu.MEMORY_MIB)
    if request.trace:
        module = scratch / f"{request.trace.name}.rep"
        module.write_bytes(request.trace.text)
        memory += (len(request.trace.text)
                   + TRACE_MEMORY_SHARE * request.trace.operations >> 20) + 1
    return qemu.Machine(kernel=request.kernel, append=" ".join(request.words), module=module,
                        memory_mib=memory, processors=processors(request.words))


def _counting() -> list[str]:
    """Time is counted in instructions, so that it stands still while the machine does."""
    return ["-icount", "shift=0,sleep=off"]


def _recording(scratch: Path, mode: str) -> list[str]:
    """What makes QEMU record, or replay.

    kvmvapic, which speeds up another operating system, is left away: QEMU 7.2 waits for ever when
    it resets that device in order to go backwards.
    """
    return ["-icount", f"shift=0,rr={mode},rrfile={scratch / 'recording'},rrsnapshot=beginning",
            "-drive", f"file={scratch / 'snapshot.qcow2'},if=none,id=snapshot",
            "-global", "apic-common.vapic=off"]


def _record(machine: qemu.Machine, scratch: Path) -> None:
    """Let the machine run to its end, and show what it says."""
    made = subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2",
                           str(scratch / "snapshot.qcow2"), f"{SNAPSHOT_MIB}M"],
                          capture_output=True, text=True, check=False)
    if made.returncode:
        raise RunError("qemu-img failed:", made.stderr.splitlines())
    say("recording, to the kernel's end (Ctrl-C gives up)")

    def show(chunk: bytes) -> None:
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()

    outcome = process.wait_for(process.run(
        [*machine.command(scratch), *_recording(scratch, "record")], on_bytes=show))
    if outcome.status not in qemu.EXIT_BY_STATUS:
        raise RunError(f"{machine.title()} {qemu.verdict(outcome)}, so that there is nothing to"
                       " replay; the end of its log:", outcome.tail)
    size = (scratch / "recording").stat().st_size
    say(f"{machine.title()} {qemu.verdict(outcome) or 'was done'}; recorded in {size:,} bytes,"
        " and now again under GDB")


def _debug(request: Request, command: Sequence[str], scratch: Path) -> int:
    """Start QEMU and, once it listens, GDB; neither outlives the other."""
    socket = scratch / "gdb"
    command = [*command, "-S", "-gdb", f"unix:{socket},server=on,wait=off"]
    with open(scratch / "qemu.txt", "w+b") as complaints, \
            process.background(command, stdin=subprocess.DEVNULL, stderr=complaints) as emulator:
        _await(socket, emulator, complaints.name)
        with process.background(_gdb(request, socket),
                                own_session=False) as debugger:
            return _wait(debugger, request.batch)


def _await(socket: Path, emulator: subprocess.Popen[bytes], complaints: str) -> None:
    end = time.monotonic() + START_SECONDS
    while not socket.exists():
        if emulator.poll() is not None or time.monotonic() > end:
            raise RunError("QEMU does not start; what it says:",
                           Path(complaints).read_text("utf-8", "replace").splitlines())
        time.sleep(0.02)


def _gdb(request: Request, socket: Path) -> list[str]:
    """GDB's command line."""
    commands = [
        "set confirm off", f"source {COMMANDS_FILE}",
        "python from lab.gdb import session",
        f"python session.begin({str(socket)!r}, {request.recorded})",
        *request.commands]
    return ["gdb", "-q", "-nx", *(["-batch"] if request.batch else []),
            *(part for one in commands for part in ("-ex", one)), str(request.kernel.absolute())]


def _wait(debugger: subprocess.Popen[bytes], batch: bool) -> int:
    """Wait for GDB's end; to a person's Ctrl-C, GDB itself listens."""
    before = signal.getsignal(signal.SIGINT)
    if not batch:
        signal.signal(signal.SIGINT, lambda *_: None)
    try:
        return debugger.wait()
    finally:
        signal.signal(signal.SIGINT, before)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="heaplab debug", allow_abbrev=False,
        description="Boot a kernel in QEMU under GDB, with commands that see its heap: 'help heap'"
        " there lists them, docs/debugging.md shows them at work. The machine stops where the heap"
        " is ready.")
    parser.add_argument("words", nargs="*", metavar="WORD",
                        help="of the kernel's command line, as in docs/runner.md (default:"
                        " run=tests)")
    parser.add_argument("--trace", metavar="FILE",
                        help="replay this .rep or .rep.gz file, or a shipped trace")
    parser.add_argument("--heap", default="bitmap", metavar="NAME",
                        help="the strategy (default: %(default)s)")
    parser.add_argument("--hardening", default="check", metavar="LEVEL",
                        help=f"one of {', '.join(heaps.LEVELS)} (default: %(default)s)")
    parser.add_argument("--locking", default="none", metavar="LEVEL",
                        help=f"one of {', '.join(heaps.LOCKINGS)} (default: %(default)s)")
    parser.add_argument("--kernel", type=Path, metavar="ELF",
                        help="debug this kernel rather than build one of --heap, --hardening and"
                        " --locking")
    parser.add_argument("--record", action="store_true",
                        help="let the kernel run to its end first, and debug the recording, which"
                        " goes backwards, too")
    parser.add_argument("-ex", "--execute", action="append", default=[], metavar="COMMAND",
                        help="a command for GDB to begin with; may be given several times")
    parser.add_argument("--batch", action="store_true",
                        help="carry out what -ex says, and end")
    return parser


def main(argv: Sequence[str]) -> int:
    """Check what is asked for, and become a session of GDB."""
    options = _parser().parse_args(argv)
    return run(check(
        kernel=options.kernel, heap=options.heap, hardening=options.hardening,
        locking=options.locking, words=options.words, trace_name=options.trace,
        recorded=options.record, commands=options.execute, batch=options.batch))
