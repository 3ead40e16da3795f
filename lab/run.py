# SPDX-License-Identifier: MIT
"""`heaplab run`: the chosen kernel, booted to its shell on this terminal.

It boots as on a PC, from an image, by GRUB, which sets up the graphics screen that the live map
of the heap needs; where there is a desktop, a window shows it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import termios
from pathlib import Path
from typing import Iterator, Optional, Sequence

from lab import ROOT, build, heaps, qemu, trace
from lab.errors import InputError, RunError
from lab.options import Parser, add_heap_kib

WINDOWS = ("gtk", "sdl")
"""QEMU's displays that open a window; Debian has them in packages of their own."""


def chosen_display(wanted: str) -> str:
    """What QEMU is to show the screen with; empty: nothing."""
    if wanted != "auto":
        return "" if wanted == "none" else wanted
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return ""
    known = subprocess.run(["qemu-system-i386", "-display", "help"], check=False, text=True,
                           capture_output=True).stdout.split()
    return next((window for window in WINDOWS if window in known), "")


def make_image(programs: build.Build, heap: str, traces: Sequence[Path], directory: Path) -> Path:
    """An image that starts the shell of `heap` at once, with traces to load."""
    iso = directory / "los.iso"
    done = subprocess.run(
        [sys.executable, ROOT / "arch" / "x86" / "image.py", "--output", iso,
         "--default", f"{heap}-shell", "--timeout", "0", "--traces", *traces, "--",
         programs.program(f"los-{heap}.elf")], check=False, capture_output=True, text=True)
    if done.returncode:
        raise RunError("the image could not be made", done.stderr.splitlines())
    return iso


@contextlib.contextmanager
def _terminal_as_it_was() -> Iterator[None]:
    """QEMU takes the terminal over; should it be killed, nobody else gives it back."""
    kept = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, kept)


def run(*, heap: str, traces: Optional[Sequence[str]], heap_kib: int, hardening: str,
        locking: str, firmware: str, display: str, accel: str) -> int:
    """Build the kernel and its image, and boot it; ends when the shell does."""
    if not sys.stdin.isatty():
        raise InputError("run talks with a person: its standard input must be a terminal")
    if accel == "kvm" and (why := qemu.why_no_kvm()):
        raise InputError(f"--accel kvm: there is no usable KVM here ({why}); leave the option away")
    known = build.strategies()
    if heap not in known:
        raise InputError(f"there is no strategy '{heap}'; there are: {', '.join(known)}")
    files = [trace.find(name) for name in traces or trace.shipped()]
    for file in files:
        trace.read(file)  # what is wrong with it is said now, not by the kernel
    programs = build.Build(heap_kib, hardening=hardening, locking=locking)
    programs.prepare([f"los-{heap}.elf"], lambda text: print(f"heaplab: {text}", file=sys.stderr))
    with tempfile.TemporaryDirectory(prefix="los-run-") as place, _terminal_as_it_was():
        iso = make_image(programs, heap, files, Path(place))
        machine = qemu.Machine(iso=iso, firmware=firmware, accel=accel, for_a_person=True,
                               display=chosen_display(display),
                               memory_mib=qemu.MEMORY_MIB + heap_kib * 4 // 1024)
        print(f"heaplab: booting {heap}; the screen is {machine.display or 'not shown'}; 'poweroff'"
              " or Ctrl-A X ends it", file=sys.stderr)
        status = subprocess.run(["setpriv", "--pdeathsig", "KILL",
                                 *machine.command(Path(place))], check=False).returncode
    if status not in (0, qemu.STATUS_DONE):
        raise RunError(f"QEMU ended with status {status}")
    return 0


def main(argv: Sequence[str]) -> int:
    """Boot a kernel to its shell, on this terminal."""
    parser = Parser(prog="heaplab run", allow_abbrev=False,
                    description="Boot a kernel to its shell on this terminal, by GRUB as on a PC;"
                    " where there is a desktop, a window shows the heap live.")
    parser.add_argument("--heap", default="bitmap", metavar="NAME",
                        help="the strategy (default: %(default)s)")
    parser.add_argument("--traces", nargs="+", metavar="FILE",
                        help="traces for 'load', files or names of shipped ones (default: all"
                        " shipped)")
    add_heap_kib(parser)
    parser.add_argument("--hardening", choices=heaps.LEVELS, default="check",
                        help="what is done about misuse (default: %(default)s)")
    parser.add_argument("--locking", choices=heaps.LOCKINGS, default=heaps.NONE,
                        help="who may call the heap at the same time (default: %(default)s)")
    parser.add_argument("--firmware", choices=("bios", "ovmf64", "ovmf32"), default="bios",
                        help="what the machine starts with (default: bios)")
    parser.add_argument("--display", default="auto", metavar="D",
                        help="how QEMU shows the screen: its -display, such as gtk, vnc=:1, or none"
                        " (default: a window, where there is a desktop)")
    parser.add_argument("--accel", choices=("tcg", "kvm"), default="tcg",
                        help="what QEMU runs on (default: tcg)")
    options = parser.parse_args(argv)
    return run(heap=options.heap, traces=options.traces,
               heap_kib=build.checked_heap_kib(options.heap_kib),
               hardening=options.hardening, locking=options.locking,
               firmware=options.firmware, display=options.display, accel=options.accel)
