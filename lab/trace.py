# SPDX-License-Identifier: MIT
"""Recorded workloads: the `.rep` text of the CS:APP malloc lab, plain or gzipped.

Four header lines (suggested heap bytes, number of ids, number of operations, weight), then one
operation a line: `a id bytes`, `r id bytes`, `f id`. The reader rejects whatever the kernel's
would reject, and a number of ids that is not one more than the highest id (as the malloc lab's
own driver does), so that a bad trace is named before anything is built or booted.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Iterator, NoReturn, Optional, Sequence

from lab import ROOT
from lab.errors import InputError

SHIPPED_DIRECTORY = ROOT / "traces"
SUFFIXES = (".rep.gz", ".rep")
HEADER = ("suggested heap bytes", "number of ids", "number of operations", "weight")
NUMBER_MAX = 0xFFFFFFFF

_GZIP_MAGIC = b"\x1f\x8b"
_BLANKS = " \t\r"
_FIELD = re.compile(f"[^{_BLANKS}]+")
"""What the kernel takes for a word: control characters belong to it, and make it a wrong one."""
_OPERANDS = {"a": "an id and a size", "r": "an id and a size", "f": "an id"}


@dataclass(frozen=True)
class Trace:
    """One valid workload."""

    name: str
    """What it is called in results: the file's name without its suffix."""
    path: Path
    sha256: str
    """Of the unpacked text."""
    ids: int
    operations: int
    peak_requested_bytes: int
    """The highest sum of the sizes that are live at once, if no allocation fails."""
    text: bytes = b""
    """The workload as the kernel gets it: one space between fields, one `\\n` after each line."""
    seed: Optional[int] = None
    """Of a synthetic workload, which the kernel makes itself; None: this was recorded."""

    @property
    def fills(self) -> bool:
        """Whether it is a workload that ends at its first failure."""
        return self.seed is not None and is_fill(self.name)


def is_fill(workload: str) -> bool:
    """Whether the workload of this name ends at its first failure."""
    return workload.startswith("fill-")


class _Reader:
    """Reads one trace, line by line, and knows where it is when something is wrong."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = text.split("\n")
        while self.lines and not self.lines[-1].strip(_BLANKS):
            self.lines.pop()
        self.line = 0
        self.sizes: dict[int, int] = {}
        self.allocated_in: dict[int, int] = {}
        self.freed_in: dict[int, int] = {}
        self.requested = 0
        self.peak = 0

    def fail(self, what: str, line: Optional[int] = None) -> NoReturn:
        raise InputError(f"{self.path}:{line or self.line}: {what}")

    def number(self, field: str, what: str) -> int:
        if not (field.isascii() and field.isdigit()):
            self.fail(f"{what} {field!r} is not a number")
        value = int(field) if len(field) <= 20 else NUMBER_MAX + 1
        if value > NUMBER_MAX:
            self.fail(f"{what} {field} does not fit in 32 bits")
        return value

    def header(self) -> Sequence[int]:
        values = []
        for self.line, what in enumerate(HEADER, start=1):
            if self.line > len(self.lines):
                self.fail(f"the header ends before its {what}")
            fields = _FIELD.findall(self.lines[self.line - 1])
            if len(fields) != 1:
                self.fail(f"the header's {what} is not one number")
            values.append(self.number(fields[0], f"the header's {what}"))
        return values

    def operations(self, ids: int) -> Iterator[str]:
        """Check each operation and yield it in its plain form."""
        for self.line, text in enumerate(self.lines[len(HEADER):], start=len(HEADER) + 1):
            fields = _FIELD.findall(text)
            if not fields or fields[0] not in _OPERANDS:
                self.fail(f"unknown operation {text.strip(_BLANKS)!r}")
            operation, *operands = fields
            if len(operands) != (1 if operation == "f" else 2):
                self.fail(f"{operation!r} takes {_OPERANDS[operation]}")
            ident = self.number(operands[0], "id")
            if ident >= ids:
                self.fail(f"id {ident} is not below the header's number of ids, {ids}")
            if operation == "f":
                self.free(ident)
                yield f"f {ident}"
                continue
            size = self.number(operands[1], "size")
            self.allocate(ident, size) if operation == "a" else self.resize(ident, size)
            yield f"{operation} {ident} {size}"

    def allocate(self, ident: int, size: int) -> None:
        if ident in self.sizes:
            self.fail(f"id {ident} is allocated while it is live"
                      f" (since line {self.allocated_in[ident]})")
        self.allocated_in[ident] = self.line
        self.sizes[ident] = size
        self.grow(size)

    def resize(self, ident: int, size: int) -> None:
        if ident not in self.sizes:
            self.fail(f"id {ident} is resized {self.why_dead(ident)}")
        self.grow(size - self.sizes[ident])
        self.sizes[ident] = size

    def free(self, ident: int) -> None:
        if ident not in self.sizes:
            self.fail(f"id {ident} is freed {self.why_dead(ident)}")
        self.freed_in[ident] = self.line
        self.grow(-self.sizes.pop(ident))

    def why_dead(self, ident: int) -> str:
        if ident in self.freed_in:
            return f"after it was freed (in line {self.freed_in[ident]})"
        return "but was never allocated"

    def grow(self, size: int) -> None:
        self.requested += size
        self.peak = max(self.peak, self.requested)


def read(path: Path, name: Optional[str] = None) -> Trace:
    """Read and check the trace in `path`.

    Raises InputError: one line that names the file, the line where there is one, and what is wrong.
    """
    return parse(_unpacked(path), path, name)


def parse(raw: bytes, path: Path, name: Optional[str] = None) -> Trace:
    """Check a trace's text, which `path` is blamed for.

    Raises InputError as read() does.
    """
    if not raw.strip():
        raise InputError(f"{path}: the trace is empty")
    try:
        text = raw.decode("ascii")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: this is not a .rep trace: it is not plain text") from None
    reader = _Reader(path, text)
    _, ids, operations, _ = header = reader.header()
    plain = list(reader.operations(ids))
    if len(plain) != operations:
        reader.fail(f"the header says {_count(operations, 'operation')}, the trace has"
                    f" {len(plain)}", line=3)
    if not plain:
        reader.fail("the trace has no operation", line=3)
    used = max(reader.allocated_in, default=-1) + 1
    if used != ids:
        reader.fail(f"the header says {_count(ids, 'id')}, the trace uses {used}", line=2)
    return Trace(name=name or name_of(path), path=path, sha256=hashlib.sha256(raw).hexdigest(),
                 ids=ids, operations=operations, peak_requested_bytes=reader.peak,
                 text="".join(f"{line}\n" for line in (*header, *plain)).encode())


def _unpacked(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such trace; shipped are:"
                         f" {', '.join(shipped())}") from None
    except OSError as error:
        raise InputError(f"{path}: the trace cannot be read: {error.strerror}") from None
    if not raw.startswith(_GZIP_MAGIC):
        return raw
    try:
        return gzip.decompress(raw)
    except EOFError:
        raise InputError(f"{path}: the gzip file is truncated") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path}: the gzip file is damaged: {error}") from None


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def name_of(path: Path) -> str:
    """The name of the trace in `path`: the file's name without its suffix."""
    for suffix in SUFFIXES:
        if path.name.endswith(suffix) and path.name != suffix:
            return path.name[:-len(suffix)]
    return path.name


def shipped() -> list[str]:
    """The names of the traces that come with the project."""
    return sorted(name_of(path) for path in SHIPPED_DIRECTORY.glob("*.rep.gz"))


def find(argument: str) -> Path:
    """The file that `argument` means: a path, or the bare name of a shipped trace."""
    if not os.path.exists(argument) and argument in shipped():
        return SHIPPED_DIRECTORY / f"{argument}.rep.gz"
    return Path(argument)


def read_all(arguments: Iterable[str]) -> list[Trace]:
    """Read the traces that `arguments` mean, each once, each under a name of its own."""
    paths: dict[Path, Path] = {}
    for argument in arguments:
        path = find(argument)
        paths.setdefault(path.resolve(), path)
    names = [name_of(path) for path in paths.values()]
    return [read(path, name if names.count(name) == 1 else str(path))
            for path, name in zip(paths.values(), names)]


def peak_requested_bytes(trace: Trace, operations: int) -> int:
    """The highest sum of live sizes over the first `operations` operations of a trace."""
    if operations >= trace.operations:
        return trace.peak_requested_bytes
    lines = trace.text.decode().splitlines()[len(HEADER):len(HEADER) + operations]
    reader = _Reader(trace.path, "\n".join(["0"] * len(HEADER) + lines))
    for _ in reader.operations(trace.ids):
        pass
    return reader.peak
