# SPDX-License-Identifier: MIT
"""The one driver of QEMU, for `compare` and for Meson's boot tests.

    python3 -m lab.qemu --kernel los-bitmap.elf --append run=tests
    python3 -m lab.qemu --iso los.iso --firmware ovmf64

streams the guest's first serial port to standard output, and ends with the kernel's verdict:
0 done, 1 an error or a failed test, 2 a panic, 3 anything else (a hang, a triple fault, QEMU's
own errors), the last with one line that says what and the end of the serial log. Its QEMU never
outlives it. docs/runner.md has the kernel's side of this.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, Optional, Sequence

from lab import process
from lab.errors import InputError, Interrupted, LabError, RunError

STATUS_DONE, STATUS_ERROR, STATUS_PANIC = 33, 35, 37
"""What QEMU ends with when the kernel writes 16, 17 or 18 to isa-debug-exit."""

EXIT_BY_STATUS = {STATUS_DONE: 0, STATUS_ERROR: 1, STATUS_PANIC: 2}
EXIT_OTHERWISE = 3

TIME_LIMIT_SECONDS = 60.0
_KVM_CREATE_VM = 0xAE01
"""linux/kvm.h: _IO(KVMIO, 0x01)."""
MEMORY_MIB = 256


@dataclass(frozen=True)
class Firmware:
    """What starts before the boot loader."""

    program: str
    machine: str
    package: str = ""
    code: str = ""
    variables: str = ""


FIRMWARES = {
    "bios": Firmware("qemu-system-i386", "pc"),
    "ovmf64": Firmware("qemu-system-x86_64", "q35", "ovmf",
                       "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    "ovmf32": Firmware("qemu-system-i386", "q35", "ovmf-ia32",
                       "/usr/share/OVMF/OVMF32_CODE_4M.secboot.fd",
                       "/usr/share/OVMF/OVMF32_VARS_4M.fd"),
}


@dataclass(frozen=True)
class Machine:
    """One machine to start: a kernel directly, or an image through its firmware and GRUB."""

    kernel: Optional[Path] = None
    iso: Optional[Path] = None
    firmware: str = "bios"
    append: str = ""
    module: Optional[Path] = None
    count: bool = False
    """Instructions are counted exactly: the time-stamp counter advances by one for each."""
    accel: str = "tcg"
    cpu: str = ""
    """QEMU's name of the processor; empty: QEMU's own choice, or the host's with kvm."""
    memory_mib: float = MEMORY_MIB
    processors: int = 1
    display: str = ""
    """Where QEMU shows the screen (its -display); empty: nowhere."""
    for_a_person: bool = False
    """A terminal is at the serial port: Ctrl-A X ends QEMU there, and a reset starts it again."""
    debug_console: Optional[Path] = None
    """Where the bytes that the guest writes to port 0xE9 go."""
    serial: Optional[Path] = None
    """Where the first serial port goes; None: to standard output."""

    def title(self) -> str:
        """What messages call it."""
        return (self.kernel or self.iso or Path("no kernel")).name

    def command(self, scratch: Path) -> list[str]:
        """QEMU's command line; files that QEMU writes for itself go to `scratch`.

        Raises InputError if something it names is not there.
        """
        firmware = FIRMWARES[self.firmware]
        cpu = self.cpu or ("host" if self.accel == "kvm" else "")
        for path in (self.kernel, self.iso, self.module):
            if path and not path.is_file():
                raise InputError(f"{path}: there is no such file")
        command = [
            firmware.program, "-nodefaults", "-no-user-config",
            *([] if self.for_a_person else ["-no-reboot"]),
            "-display", self.display or "none", "-vga", "std",
            "-machine", firmware.machine, "-m", f"{self.memory_mib:.10g}M",
            "-smp", str(self.processors),
            "-accel", self.accel, *(["-cpu", cpu] if cpu else []),
            *(["-icount", "shift=0,sleep=off"] if self.count else []),
            "-chardev", self._serial(), "-serial", "chardev:serial0",
            *(["-mon", "chardev=serial0"] if self.for_a_person else []),
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
        ]
        if self.debug_console:
            command += ["-chardev", f"file,id=debug0,path={_escaped(self.debug_console)}",
                        "-device", "isa-debugcon,iobase=0xe9,chardev=debug0"]
        if firmware.code:
            command += self._flash(firmware, scratch)
        if self.iso:
            command += ["-boot", "d", "-drive",
                        f"file={_escaped(self.iso)},media=cdrom,format=raw,readonly=on"]
        if self.kernel:
            command += ["-kernel", str(self.kernel)]
            command += ["-append", self.append] if self.append else []
            command += ["-initrd", str(self.module)] if self.module else []
        return command

    def _serial(self) -> str:
        """The character device behind the serial port."""
        if self.serial:
            return f"file,id=serial0,path={_escaped(self.serial)}"
        return "stdio,id=serial0,signal=off" + (",mux=on" if self.for_a_person else "")

    def _flash(self, firmware: Firmware, scratch: Path) -> list[str]:
        for path in (firmware.code, firmware.variables):
            if not Path(path).is_file():
                raise InputError(f"{path}: there is no such firmware;"
                                 f" the Debian package {firmware.package} brings it")
        variables = scratch / "variables.fd"
        shutil.copyfile(firmware.variables, variables)
        return ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={firmware.code}",
                "-drive", f"if=pflash,unit=1,format=raw,file={_escaped(variables)}"]


def why_no_kvm(device: Path = Path("/dev/kvm")) -> str:
    """Why no machine can be had from KVM, in words; empty if one can."""
    try:
        with open(device, "rb+", buffering=0) as kvm:
            os.close(fcntl.ioctl(kvm, _KVM_CREATE_VM, 0))
    except OSError as error:
        return f"{device}: {error.strerror}"
    return ""


def _escaped(path: Path) -> str:
    """A file name inside one of QEMU's comma-separated options."""
    return str(path).replace(",", ",,")


@contextlib.contextmanager
def _scratch(machine: Machine) -> Iterator[Path]:
    """A directory for what QEMU writes; only a machine with flash memory needs one."""
    if not FIRMWARES[machine.firmware].code:
        yield Path()
        return
    with tempfile.TemporaryDirectory(prefix="los-qemu-") as directory:
        yield Path(directory)


async def boot(machine: Machine, *, clock: process.Clock,
               on_line: Callable[[str], None] = lambda line: None,
               on_bytes: Callable[[bytes], None] = lambda chunk: None,
               cpu_seconds: Optional[int] = None) -> process.Outcome:
    """Start `machine`, pass on what it says, and wait for its end, or a limit's."""
    with _scratch(machine) as scratch:
        return await process.run(machine.command(scratch), clock=clock,
                                 on_line=on_line, on_bytes=on_bytes, cpu_seconds=cpu_seconds)


def verdict(outcome: process.Outcome) -> str:
    """What became of a boot, in words that follow its name; empty if the kernel was done."""
    if outcome.stopped:
        return f"{outcome.stopped} and was killed"
    words = {
        STATUS_DONE: "",
        STATUS_ERROR: "ended with an error",
        STATUS_PANIC: "panicked",
        0: "ended without a verdict: it shut down or reset (a triple fault resets)",
    }
    if outcome.status < 0:
        return f"was ended by a signal: {signal.strsignal(-outcome.status)}"
    return words.get(outcome.status, f"ended with QEMU's status {outcome.status}")


def _arguments(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="lab.qemu", description="Boot a LOS kernel or image in QEMU, its serial port on"
        " standard output. Ends with 0: done, 1: an error or a failed test, 2: a panic,"
        " 3: anything else.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--kernel", type=Path, metavar="ELF", help="boot this kernel directly")
    what.add_argument("--iso", type=Path, help="boot this image through its boot loader")
    parser.add_argument("--firmware", choices=FIRMWARES, default="bios",
                        help="of the machine that boots the image (default: bios)")
    parser.add_argument("--append", default="", metavar="WORDS",
                        help="the command line of a directly booted kernel")
    parser.add_argument("--module", type=Path, metavar="FILE",
                        help="the boot module of a directly booted kernel")
    parser.add_argument("--count", action="store_true",
                        help="let the time-stamp counter count instructions, exactly")
    parser.add_argument("--accel", choices=("tcg", "kvm"), default="tcg")
    parser.add_argument("--cpu", default="", metavar="MODEL",
                        help="the processor, by QEMU's name, such as 486")
    parser.add_argument("--memory", type=float, default=MEMORY_MIB, metavar="MIB",
                        help="RAM of the machine in MiB (default: %(default)s)")
    parser.add_argument("--processors", type=int, default=1, metavar="N",
                        help="of the machine (default: %(default)s)")
    parser.add_argument("--debug-console", type=Path, metavar="FILE",
                        help="write what the kernel sends to port 0xE9 to this file")
    parser.add_argument("--time-limit", type=float, default=TIME_LIMIT_SECONDS, metavar="SECONDS",
                        help="kill the machine after this time (default: %(default)g)")
    options = parser.parse_args(argv)
    if options.iso and (options.append or options.module):
        parser.error("--append and --module go with --kernel: an image has its own menu")
    if options.kernel and options.firmware != "bios":
        parser.error("--firmware goes with --iso: a kernel is booted without it")
    if options.count and options.accel != "tcg":
        parser.error("--count needs --accel tcg")
    return options


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Boot what the command line asks for."""
    options = _arguments(argv)
    machine = Machine(kernel=options.kernel, iso=options.iso, firmware=options.firmware,
                      append=options.append, module=options.module, count=options.count,
                      accel=options.accel, cpu=options.cpu, memory_mib=options.memory,
                      processors=options.processors, debug_console=options.debug_console)

    def show(chunk: bytes) -> None:
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()

    try:
        outcome = process.wait_for(
            boot(machine, clock=process.Clock(options.time_limit, None), on_bytes=show))
        status = EXIT_OTHERWISE if outcome.stopped else \
            EXIT_BY_STATUS.get(outcome.status, EXIT_OTHERWISE)
        if status == EXIT_OTHERWISE:
            raise RunError(f"{machine.title()} {verdict(outcome)}; the end of its serial log:",
                           outcome.tail)
        return status
    except LabError as error:
        print(f"lab.qemu: error: {error.message}", file=sys.stderr)
        for line in error.log:
            print(f"    {line}", file=sys.stderr)
        return EXIT_OTHERWISE
    except Interrupted as stop:
        return stop.status


if __name__ == "__main__":
    sys.exit(main())
