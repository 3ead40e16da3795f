# SPDX-License-Identifier: MIT
"""`heaplab record user`: what a program asks of malloc, recorded while it runs.

preload.c is compiled for 64 and 32 bits and preloaded into the program; its files are read when
the program has ended. The program itself is run as it would be: its terminal, its status.
"""

from __future__ import annotations

import os
import shutil
import stat
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Iterator, Mapping, Optional, Sequence

from lab import ROOT, build, process
from lab.errors import InputError, RunError
from lab.record.events import Alloc, Event, Failed, Free, ResizeBegins, ResizeEnds
from lab.results import made_directory

SOURCE = ROOT / "lab" / "record" / "preload.c"
MAGIC = b"losheap1"
RECORDS_OFFSET = 1 << 20

_HEADER = struct.Struct("<8sQII232s")
_RECORD = struct.Struct("<QQQII")
_ALLOC, _FREE, _RESIZE_BEGINS, _RESIZE_ENDS, _ALIGNED = range(1, 6)
_CHUNK_RECORDS = 1 << 15

# Where the loader looks for what $LIB stands for in LD_PRELOAD, by the class of the program.
_LIBRARY_DIRECTORIES = {"64": "lib/x86_64-linux-gnu", "32": "lib/i386-linux-gnu"}
_ELF_CLASSES = {1: "32", 2: "64"}
_ELF_MACHINES = {3: "32", 62: "64"}
_ELF_HEADER_BYTES = 52
"""Of a 32-bit program; that of a 64-bit one is longer."""
_PT_INTERP = 3
_PARTING = " :"
"""What parts the names in LD_PRELOAD; a name cannot have it."""


@dataclass(frozen=True)
class Recording:
    """What one process left."""

    path: Path
    process: int
    program: str
    records: int
    error: int
    """errno of what ended the recording before its time; 0: nothing did."""

    def events(self) -> Iterator[Event]:
        """The calls, in the order in which the heap served them."""
        with open(self.path, "rb") as file:
            file.seek(RECORDS_OFFSET)
            yield from _events(_records(file, self.records))


def _records(file: BinaryIO, count: int) -> Iterator[tuple[int, int, int, int, int]]:
    while count > 0:
        wanted = min(count, _CHUNK_RECORDS)
        chunk = file.read(wanted * _RECORD.size)
        yield from _RECORD.iter_unpack(chunk[:len(chunk) - len(chunk) % _RECORD.size])
        if len(chunk) < wanted * _RECORD.size:
            raise RunError(f"{file.name}: the recording is cut off")
        count -= wanted


def _events(records: Iterator[tuple[int, int, int, int, int]]) -> Iterator[Event]:
    for address, size, caller, kind, thread in records:
        where = f"0x{caller:x}"
        if kind == _FREE:
            yield Free(address)
        elif kind == _RESIZE_BEGINS:
            yield ResizeBegins(address, thread)
        elif kind == _RESIZE_ENDS:
            yield ResizeEnds(thread, address, size, where)
        elif address == 0:
            yield Failed(size)
        else:
            yield Alloc(address, size, where, aligned=kind == _ALIGNED)


def read(path: Path) -> Optional[Recording]:
    """What is in a file of the recorder; None if it is none, or the process ended at once."""
    with open(path, "rb") as file:
        head = file.read(_HEADER.size)
    if len(head) < _HEADER.size or not head.startswith(MAGIC):
        return None
    _, records, error, process, program = _HEADER.unpack(head)
    return Recording(path, process, program.rstrip(b"\0").decode(errors="replace"), records, error)


# --- may it be recorded? -------------------------------------------------------------------------


def check(command: str) -> Path:
    """The program that a command means.

    Raises InputError if there is none, or the loader would not preload anything into it.
    """
    path = _found(command, f"{command}: there is no such program")
    mode = path.stat()
    if mode.st_mode & (stat.S_ISUID | stat.S_ISGID):
        raise InputError(f"{path}: the program is set-user-id or set-group-id: the loader preloads"
                         " nothing into it; record a copy without that bit")
    return path if not _is_script(path) else _checked_elf(_interpreter(path), path)


def _found(command: str, missing: str) -> Path:
    """The program that a command means; InputError if there is none: `missing`, or why not."""
    if found := shutil.which(command):
        if not os.access(found, os.R_OK, effective_ids=True):
            raise InputError(f"{found}: no permission to read the program, which tells whether it"
                             " can be recorded")
        return Path(found)
    if os.sep not in command or not os.path.exists(command):
        raise InputError(missing)
    why = "a directory, not a program" if os.path.isdir(command) else "there, but not executable"
    raise InputError(f"{command}: it is {why}")


def _is_script(path: Path) -> bool:
    with open(path, "rb") as file:
        start = file.read(4)
    if start == b"\x7fELF":
        _checked_elf(path, path)
        return False
    return True


def _interpreter(path: Path) -> Path:
    with open(path, "rb") as file:
        first = file.readline(512)
    words = first[2:].split() if first.startswith(b"#!") else []
    if not words:
        raise InputError(f"{path}: this is neither a program nor a script that names one")
    named = words[1] if words[0].rpartition(b"/")[2] == b"env" and len(words) > 1 else words[0]
    name = named.decode(errors="replace")
    return _found(name, f"{path}: its interpreter {name} is not there")


def _checked_elf(path: Path, asked: Path) -> Path:
    with open(path, "rb") as file:
        head = file.read(64)
        if head[:4] != b"\x7fELF" or len(head) < _ELF_HEADER_BYTES:
            raise InputError(f"{path}: this is no program that Linux loads")
        is_64 = _ELF_CLASSES.get(head[4]) == "64"
        if _ELF_MACHINES.get(int.from_bytes(head[18:20], "little")) != _ELF_CLASSES.get(head[4]):
            raise InputError(f"{path}: only programs for x86, 32 and 64 bits, can be recorded")
        offset = int.from_bytes(head[32:40] if is_64 else head[28:32], "little")
        size, count = (int.from_bytes(head[i:i + 2], "little")
                       for i in ((54, 56) if is_64 else (42, 44)))
        file.seek(offset)
        table = file.read(size * count)
    kinds = {int.from_bytes(table[i * size:i * size + 4], "little") for i in range(count)}
    if _PT_INTERP not in kinds:
        raise InputError(f"{asked}: the program is static: nothing can be preloaded into it;"
                         " link it dynamically to record it")
    return asked


# --- recording -----------------------------------------------------------------------------------


def build_library(directory: Path) -> str:
    """Compile the recorder for 64 and 32 bits; returns what LD_PRELOAD is to be.

    Raises InputError if it cannot be there.
    """
    if set(_PARTING).intersection(str(directory)):
        raise InputError(f"{directory}: from a path with blanks or colons nothing can be preloaded;"
                         " LAB_BUILD_ROOT=DIRECTORY puts builds elsewhere")
    for bits, place in _LIBRARY_DIRECTORIES.items():
        target = directory / place / "los-record.so"
        if target.is_file() and target.stat().st_mtime > SOURCE.stat().st_mtime:
            continue
        made_directory(target.parent)
        fresh = target.with_suffix(f".{os.getpid()}")
        done = subprocess.run(
            ["gcc", f"-m{bits}", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared",
             "-fPIC", "-o", fresh, SOURCE], check=False, capture_output=True, text=True)
        if done.returncode:
            fresh.unlink(missing_ok=True)
            raise RunError(f"the recorder could not be compiled for {bits} bits",
                           done.stderr.splitlines())
        os.replace(fresh, target)
    return f"{directory}/$LIB/los-record.so"


def run(command: Sequence[str], scratch: Path, *, children: bool,
        environment: Mapping[str, str] = os.environ) -> tuple[int, list[Recording]]:
    """Run a program and record it; returns its status and what its processes left, oldest first.

    Raises InputError if it cannot be recorded, RunError if the recording is not whole.
    """
    asked = check(command[0])
    library = build_library(build.lab_root() / "record")
    preload = " ".join(filter(None, [library, environment.get("LD_PRELOAD")]))
    variables = dict(environment, LOS_RECORD_DIRECTORY=str(scratch))
    if children:
        variables["LOS_RECORD_CHILDREN"] = "1"
    # The shell only says which process is meant: exec makes the program it.
    line = 'LOS_RECORD_PROCESS=$$ LD_PRELOAD="$0" exec "$@"'
    done = subprocess.run(["/bin/sh", "-c", line, preload, *command], env=variables, check=False)
    recordings = sorted((one for one in map(read, scratch.iterdir())
                         if one and not _is_emulator(one, asked)), key=_age)
    for one in recordings:
        if one.error:
            raise RunError(f"{one.program}: the recording ended after {one.records:,} calls:"
                           f" {os.strerror(one.error)}")
    if not any(one.records for one in recordings):
        raise RunError(f"{command[0]}: nothing was recorded: it called no malloc of the C"
                       " library's, or has one of its own")
    return done.returncode, recordings


def _is_emulator(recording: Recording, asked: Path) -> bool:
    """Whether it is of what starts 32-bit programs here, and not of what it started."""
    emulator = process.emulator_of_32_bit()
    return recording.program == str(emulator) and not asked.samefile(recording.program)


def _age(recording: Recording) -> tuple[float, str]:
    return recording.path.stat().st_ctime, recording.path.name
