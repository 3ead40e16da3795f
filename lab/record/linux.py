# SPDX-License-Identifier: MIT
"""`heaplab record linux`: what Debian's own kernel asks of its heaps, recorded in QEMU.

Kernel and busybox come out of Debian's packages, through an apt state of our own, so that nothing
of the system changes. A small initial file system runs the workload once to warm up, once
recorded by the kernel's trace events, and writes these to a disk; QEMU's serial port tells how
far it has come.

Source: Documentation/trace/events-kmem.rst and kprobetrace.rst of Linux.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable, Iterator, Optional

from lab import build, process
from lab.errors import InputError, RunError
from lab.record import importers
from lab.record.cpio import Archive
from lab.record.events import Event, Lost
from lab.results import made_directory

EVENTS = {"kmalloc": ("kmalloc", "kfree"),
          "all": ("kmalloc", "kfree", "kmem_cache_alloc", "kmem_cache_free")}
BULK_POINTERS = 64
"""Of the blocks that are freed at once so many are seen: a probe reads no longer arrays."""

BUFFER_MIB, MEMORY_MIB, DISK_MIB, WORKPLACE_MIB = 96, 1024, 512, 64
LIMIT_SECONDS, STALL_SECONDS = 900.0, 240.0

_MODULES = ("virtio_pci", "virtio_blk", "ext4")
_READY, _DONE, _WRONG = "los-record: ready", "los-record: done", "los-record: error:"

# The first program. It loads what the disk needs, runs the workload, and hands over the events.
_INIT = r"""#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc; mount -t sysfs sys /sys
tracing=/sys/kernel/tracing; mount -t tracefs tracing $tracing
{boot_stop}
mount -t devtmpfs dev /dev; mkdir -p /tmp /mnt; mount -t tmpfs tmp /tmp
for module in $(cat /modules); do insmod /lib/modules/$module || echo "{wrong} $module"; done
echo 3 > /proc/sys/kernel/printk
mount -t ext4 /dev/vdb /mnt || echo "{wrong} the disk for the workload cannot be mounted"
{workload}
sync
echo "{ready}"
cat $tracing/trace > /dev/vda || echo "{wrong} the events do not fit on the disk"
sync
echo "{done}"
poweroff -f
"""
_BOOT_STOP = "echo 0 > $tracing/tracing_on"
_WORKLOAD = r"""cd /tmp
sh /workload.sh > /dev/null 2>&1 || echo "{wrong} the workload fails: status $?"
echo 0 > $tracing/tracing_on
echo > $tracing/trace
{probe}for event in {events}; do echo 1 > $tracing/events/kmem/$event/enable; done
echo 1 > $tracing/tracing_on
sh /workload.sh > /dev/null 2>&1
echo 0 > $tracing/tracing_on"""

_ENTRIES = re.compile(r"^# entries-in-buffer/entries-written: (\d+)/(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Architecture:
    """One of Debian's, and the machine that it is for."""

    name: str
    kernel: str
    qemu: str
    pointer: str
    """The type of a pointer to a probe."""


ARCHITECTURES = {"i686": Architecture("i386", "686-pae", "qemu-system-i386", "x32"),
                 "amd64": Architecture("amd64", "amd64", "qemu-system-x86_64", "x64")}


# --- Debian's packages ---------------------------------------------------------------------------


class Packages:
    """Debian's packages of one architecture, by an apt that knows nothing of this system's."""

    def __init__(self, architecture: Architecture, say: Callable[[str], None]) -> None:
        for tool in ("apt-get", "dpkg-deb"):
            if shutil.which(tool) is None:
                raise InputError(f"there is no {tool} here: Linux kernels to record come out of"
                                 " Debian's packages")
        self.directory = build.lab_root() / "record" / architecture.name
        self._architecture = architecture
        self._say = say
        self._updated = False

    def _apt(self, *words: str, directory: Optional[Path] = None, may_fail: bool = False) -> str:
        state = self.directory / "apt"
        for place in ("state/lists/partial", "cache/archives/partial"):
            made_directory(state / place)
        (state / "status").touch()
        options = {"Dir::State": state / "state", "Dir::Cache": state / "cache",
                   "Dir::State::status": state / "status",
                   "APT::Architecture": self._architecture.name,
                   "APT::Architectures::": self._architecture.name}
        configuration = state / "apt.conf"
        configuration.write_text("".join(f'{name} "{value}";\n'
                                         for name, value in options.items()), "utf-8")
        done = subprocess.run(words, cwd=directory, check=False, text=True, capture_output=True,
                              env=build.environment() | {"APT_CONFIG": str(configuration)})
        if done.returncode and not may_fail:
            raise RunError(f"'{' '.join(words)}' failed; is there a network?",
                           done.stderr.splitlines())
        return done.stdout

    def update(self) -> None:
        """Bring the lists of packages up to date, once."""
        if not self._updated:
            self._say(f"asking for Debian's packages for {self._architecture.name}")
            self._apt("apt-get", "--quiet", "update", may_fail=True)  # one list may be stale
            self._updated = True

    def kernel_version(self, wanted: Optional[str]) -> str:
        """The version of the kernel that is wanted, as in 6.1.0-50; Debian's newest by default.

        Raises InputError if Debian has no such kernel.
        """
        flavour = self._architecture.kernel
        if wanted:
            version = wanted.removeprefix("linux-image-").removesuffix(f"-{flavour}")
            name = f"linux-image-{version}-{flavour}"
            if not (self.directory / name).is_dir() and name not in self._kernels():
                raise InputError(f"--kernel {wanted}: apt knows no package {name}; Debian's newest"
                                 f" is {self.kernel_version(None)}")
            return version
        self.update()
        said = self._apt("apt-cache", "depends", f"linux-image-{flavour}")
        found = re.search(rf"linux-image-(\S+)-{flavour}\b", said.partition("\n")[2])
        if not found:
            raise RunError(f"apt knows no kernel linux-image-{flavour}")
        return found[1]

    def _kernels(self) -> list[str]:
        """Every package of a kernel that apt knows."""
        self.update()
        return self._apt("apt-cache", "pkgnames", "linux-image-").split()

    def unpacked(self, package: str) -> Path:
        """The directory of an unpacked package, downloaded if need be."""
        place = self.directory / package
        if place.is_dir():
            return place
        self.update()
        fresh = self.directory / f"{package}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        (fresh / "deb").mkdir(parents=True)
        self._say(f"downloading {package}")
        self._apt("apt-get", "--quiet", "download", package, directory=fresh / "deb")
        (deb,) = (fresh / "deb").glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", deb, fresh], check=True)
        shutil.rmtree(fresh / "deb")
        fresh.rename(place)
        return place


# --- the initial file system ---------------------------------------------------------------------


def _module_files(root: Path) -> dict[str, Path]:
    return {path.name.removesuffix(".ko").replace("-", "_"): path for path in root.rglob("*.ko")}


def _dependencies(module: Path) -> list[str]:
    """What must be loaded before a module, as it says itself."""
    found = re.search(rb"\0depends=([^\0]*)\0", module.read_bytes())
    return [name.decode() for name in found[1].split(b",") if name] if found else []


def load_order(root: Path, wanted: Iterable[str]) -> list[Path]:
    """The modules to be loaded, each behind those that it needs; what is built in is left out."""
    files = _module_files(root)
    order: list[Path] = []

    def visit(name: str) -> None:
        path = files.get(name.replace("-", "_"))
        if path is None or path in order:
            return
        for other in _dependencies(path):
            visit(other)
        order.append(path)

    # ext4's checksums ask for this one by another name than its own.
    for name in ("crc32c_generic", *wanted):
        visit(name)
    return order


def _init(workload: bool, events: Iterable[str], probe: str) -> str:
    words = {"wrong": _WRONG, "ready": _READY, "done": _DONE}
    setup = f"echo '{probe}' > $tracing/kprobe_events\n" \
            "echo 1 > $tracing/events/kprobes/bulk_free/enable\n" if probe else ""
    part = _WORKLOAD.format(events=" ".join(events), probe=setup, **words) if workload else ""
    return _INIT.format(boot_stop="" if workload else _BOOT_STOP, workload=part, **words)


def initial_files(kernel: Path, busybox: Path, workload: Optional[bytes], events: Iterable[str],
                  probe: str) -> bytes:
    """The initial file system."""
    archive = Archive()
    archive.add_console()
    archive.add("bin/busybox", (busybox / "bin" / "busybox").read_bytes(), 0o755)
    modules = load_order(kernel / "lib" / "modules", _MODULES)
    for module in modules:
        archive.add(f"lib/modules/{module.name}", module.read_bytes())
    archive.add("modules", "".join(f"{module.name}\n" for module in modules).encode())
    for directory in ("proc", "sys", "dev", "tmp", "mnt"):
        archive.make_directory(directory)
    if workload is not None:
        archive.add("workload.sh", workload, 0o755)
    archive.add("init", _init(workload is not None, events, probe).encode(), 0o755)
    return archive.bytes()


# --- recording -----------------------------------------------------------------------------------


def _probe(events: str, architecture: Architecture) -> str:
    """Frees of many blocks at once have no event: a probe looks at the call."""
    if events != "all":
        return ""
    return (f"p:bulk_free kmem_cache_free_bulk n=$arg2:u32"
            f" blocks=+0($arg3):{architecture.pointer}[{BULK_POINTERS}]")


def _command_line(events: Iterable[str], workload: bool) -> str:
    words = ["console=ttyS0", "quiet", "no_hash_pointers", f"trace_buf_size={BUFFER_MIB}M",
             "panic=-1"]
    if not workload:
        words.append("trace_event=" + ",".join(f"kmem:{event}" for event in events))
    return " ".join(words)


def record(*, architecture: str, version: Optional[str], workload: Optional[Path], events: str,
           scratch: Path, say: Callable[[str], None]) -> Path:
    """Record the boot, or a workload; returns the file with the events as the kernel tells them.

    Raises InputError if the workload is not there, RunError if the recording is not whole.
    """
    script = _read_workload(workload)
    machine = ARCHITECTURES[architecture]
    packages = Packages(machine, say)
    kernel_name = f"linux-image-{packages.kernel_version(version)}-{machine.kernel}"
    kernel, busybox = packages.unpacked(kernel_name), packages.unpacked("busybox-static")
    (image,) = (kernel / "boot").glob("vmlinuz-*")
    files = scratch / "initial"
    files.write_bytes(initial_files(kernel, busybox, script, EVENTS[events],
                                    _probe(events, machine)))
    disk, workplace = _make_disks(scratch)
    say(f"booting {kernel_name}")
    _boot([machine.qemu, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
           "-m", f"{MEMORY_MIB}M", "-accel", "tcg", "-kernel", str(image), "-initrd", str(files),
           "-append", _command_line(EVENTS[events], workload is not None),
           "-drive", f"file={disk},format=raw,if=virtio,cache=unsafe",
           "-drive", f"file={workplace},format=raw,if=virtio,cache=unsafe",
           "-chardev", "stdio,id=serial0,signal=off", "-serial", "chardev:serial0"], say)
    return disk


def _make_disks(scratch: Path) -> tuple[Path, Path]:
    """One that the events are written to, and one with an ext4 for the workload."""
    disks = scratch / "events", scratch / "workplace"
    for disk, mib in zip(disks, (DISK_MIB, WORKPLACE_MIB)):
        with open(disk, "wb") as file:
            file.truncate(mib << 20)
    tool = shutil.which("mkfs.ext4", path="/usr/sbin:/sbin")
    if tool is None:
        raise InputError("there is no mkfs.ext4 here; the Debian package e2fsprogs brings it")
    subprocess.run([tool, "-q", disks[1]], check=True)
    return disks


def _read_workload(path: Optional[Path]) -> Optional[bytes]:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: the workload cannot be read: {error.strerror}") from None


def _boot(command: list[str], say: Callable[[str], None]) -> None:
    wrong: list[str] = []
    said: set[str] = set()
    clock = process.Clock(LIMIT_SECONDS, STALL_SECONDS)

    def on_line(line: str) -> None:
        clock.renew()
        text = line.strip()
        if _WRONG in text:
            wrong.append(text.partition(_WRONG)[2].strip())
        if _READY in text:
            say("the workload is done; fetching its events")
        said.update(word for word in (_READY, _DONE) if word in text)

    outcome = process.wait_for(process.run(command, clock=clock, on_line=on_line))
    if wrong:
        raise RunError(f"in the recorded machine: {wrong[0]}", outcome.tail)
    if outcome.stopped or outcome.status or _DONE not in said:
        raise RunError(f"the recorded machine {outcome.stopped or 'ended before it was done'}; the"
                       " end of its console:", outcome.tail)


def read(disk: Path) -> Iterator[Event]:
    """The events that a recorded machine left on its disk."""
    with open(disk, "rb") as file:
        text = file.read().rstrip(b"\0").decode(errors="replace")
    counts = _ENTRIES.search(text)
    if counts is None:
        raise RunError("the recorded machine left no events on its disk")
    if counts[1] != counts[2]:
        yield Lost(int(counts[2]) - int(counts[1]))
    yield from importers.named("ftrace").read(text.splitlines(), disk)
