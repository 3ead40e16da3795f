# SPDX-License-Identifier: MIT
"""Recordings that others made, recognised by what is in them.

Each reader turns lines of text into events; what a line means is said beside its pattern. Lines
that are no calls are passed over, but a file in which no line is one is refused.
"""

from __future__ import annotations

import csv
import gzip
import lzma
import re
import shutil
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterable, Iterator, Optional, Sequence

from lab import trace
from lab.errors import InputError
from lab.record.events import Alloc, Event, Failed, Free, Lost, Resize

_SNIFFED_BYTES = 1 << 16

Lines = Iterable[str]


@dataclass(frozen=True)
class Format:
    """A kind of recording."""

    name: str
    title: str
    knows: Callable[[str], bool]
    """Whether the beginning of a file looks like it."""
    read: Callable[[Lines, Path], Iterator[Event]]


# --- Linux's trace events ------------------------------------------------------------------------

# trace-cmd puts the name of call_site in brackets before the fields; ftrace does not.
_KMEM = re.compile(
    r"\b(?P<event>kmalloc(?:_node)?|kfree|kmem_cache_alloc(?:_node)?|kmem_cache_free(?:_bulk)?):\s+"
    r"(?:\((?P<site>[^)]*)\)\s*)?(?:call_site=(?P<caller>\S+)\s+)?ptr=(?P<pointer>\S+)"
    r"(?:\s+name=\S+)?(?:\s+bytes_req=(?P<bytes>\d+))?")
# A probe on kmem_cache_free_bulk, as `record linux` puts one there.
_KMEM_BULK = re.compile(r"\bbulk_free: .*?\bn=(?P<count>\d+) blocks=\{(?P<blocks>[^}]*)\}")
_LOST = re.compile(r"\[LOST (?P<events>\d+) EVENTS\]|(?P<dropped>\d+) EVENTS DROPPED"
                   r"|CPU:\d+ \[EVENTS DROPPED\]")
_HASHED = re.compile(r"ptr=\((?:____)?ptrval(?:____)?\)")


def _knows_ftrace(start: str) -> bool:
    return bool(_KMEM.search(start)) or bool(_HASHED.search(start)) or \
        start.startswith("# tracer:") and "kmem" in start


def _read_ftrace(lines: Lines, path: Path) -> Iterator[Event]:
    for number, line in enumerate(lines, start=1):
        if lost := _LOST.search(line):
            yield Lost(int(lost["events"] or lost["dropped"] or 1))
            continue
        found = _KMEM.search(line)
        if found is None:
            if bulk := _KMEM_BULK.search(line):
                yield from _bulk(int(bulk["count"]), bulk["blocks"].split(","))
            continue
        if _HASHED.search(line):
            raise InputError(f"{path}:{number}: the addresses are hashed; boot with"
                             " no_hash_pointers and record again")
        pointer = _hexadecimal(found["pointer"], path, number)
        if "free" in found["event"]:
            yield Free(pointer)
        elif pointer == 0:
            yield Failed(int(found["bytes"] or 0))
        elif found["bytes"] is None:
            raise InputError(f"{path}:{number}: an allocation without bytes_req")
        else:
            yield Alloc(pointer, int(found["bytes"]), found["site"] or found["caller"] or "")


def _bulk(count: int, seen: Sequence[str]) -> Iterator[Event]:
    """A probe reads an array of fixed length: what is behind its end is lost."""
    for pointer in seen[:count]:
        yield Free(int(pointer, 16))
    if count > len(seen):
        yield Lost(count - len(seen))


def _hexadecimal(text: str, path: Path, line: int) -> int:
    if text == "(null)" or text == "(nil)":
        return 0
    try:
        return int(text, 16)
    except ValueError:
        raise InputError(f"{path}:{line}: {text!r} is not an address") from None


# --- glibc's mtrace ------------------------------------------------------------------------------

_MTRACE = re.compile(r"^@ (?P<caller>\S.*?)?\s*(?P<sign>[-+<>!]) (?P<pointer>0x[0-9a-f]+|\(nil\))"
                     r"(?: (?P<size>0x[0-9a-f]+))?$")


def _knows_mtrace(start: str) -> bool:
    return start.startswith("= Start")


def _read_mtrace(lines: Lines, path: Path) -> Iterator[Event]:
    """`+` allocates, `-` frees; a realloc is `<` with the old address and `>` with the new."""
    old = 0
    for number, line in enumerate(lines, start=1):
        found = _MTRACE.match(line.rstrip())
        if found is None:
            continue
        pointer, size = _hexadecimal(found["pointer"], path, number), int(found["size"] or "0", 16)
        caller = found["caller"] or ""
        if found["sign"] == "+":
            yield Alloc(pointer, size, caller) if pointer else Failed(size)
        elif found["sign"] == "-":
            yield Free(pointer)
        elif found["sign"] == "<":
            old = pointer
        elif found["sign"] == ">":
            yield Resize(old, pointer, size, caller)
        else:
            yield Failed(size)


# --- ltrace --------------------------------------------------------------------------------------

_CALL = re.compile(
    r"(?:\[pid (?P<pid>\d+)\]\s*|(?P<thread>\d+)\s+)?(?:[\d.:]+\s+)?"
    r"(?:(?P<module>\S+?)->)?"
    r"(?P<name>malloc|calloc|realloc|free|reallocarray|memalign|aligned_alloc|valloc)"
    r"\((?P<arguments>[^)]*?)"
    r"(?:\)\s*=\s*(?P<result>\S+)|\s*<(?:unfinished|no return) \.\.\.>|\s*$)")
_RESUMED = re.compile(r"(?:\[pid (?P<pid>\d+)\]\s*|(?P<thread>\d+)\s+)?"
                      r".*?<\.\.\. (?P<name>\w+) resumed>.*?=\s*(?P<result>\S+)")


def _knows_ltrace(start: str) -> bool:
    return any(map(_CALL.match, start.splitlines()[:200]))


def _number(text: str) -> int:
    text = text.strip()
    if text in ("nil", "(nil)", "NULL", ""):
        return 0
    return int(text, 16 if text.startswith("0x") else 10)


def _call(name: str, arguments: Sequence[int], result: int, caller: str) -> Iterator[Event]:
    if name == "free":
        yield Free(arguments[0])
        return
    size = {"malloc": lambda: arguments[0], "valloc": lambda: arguments[0],
            "calloc": lambda: arguments[0] * arguments[1],
            "realloc": lambda: arguments[1], "memalign": lambda: arguments[1],
            "aligned_alloc": lambda: arguments[1],
            "reallocarray": lambda: arguments[1] * arguments[2]}[name]()
    if "realloc" not in name:
        aligned = name in ("memalign", "aligned_alloc", "valloc")
        yield Alloc(result, size, caller, aligned) if result else Failed(size)
    elif result:
        yield Resize(arguments[0], result, size, caller)
    else:
        yield Free(arguments[0]) if size == 0 and arguments[0] else Failed(size)


def _read_ltrace(lines: Lines, path: Path) -> Iterator[Event]:
    """A call that another thread interrupts is in two parts; a free counts from its first."""
    unfinished: dict[str, tuple[str, list[int], str]] = {}
    for number, line in enumerate(lines, start=1):
        resumed = _RESUMED.match(line)
        found = resumed or _CALL.match(line)
        thread = found and (found["pid"] or found["thread"]) or ""
        try:
            if resumed and thread in unfinished:
                name, arguments, caller = unfinished.pop(thread)
                if name != "free":
                    yield from _call(name, arguments, _number(resumed["result"]), caller)
            elif found and not resumed:
                arguments = [_number(word) for word in found["arguments"].split(",")]
                caller = found["module"] or ""
                if found["result"] is None:
                    unfinished[thread] = (found["name"], arguments, caller)
                    if found["name"] == "free":
                        yield Free(arguments[0])
                else:
                    result = 0 if found["name"] == "free" else _number(found["result"])
                    yield from _call(found["name"], arguments, result, caller)
        except (ValueError, IndexError):
            raise InputError(f"{path}:{number}: a call that cannot be understood:"
                             f" {line.strip()!r}") from None
    without_end = sum(name != "free" for name, _, _ in unfinished.values())
    if without_end:
        yield Lost(without_end)


# --- heaptrack -----------------------------------------------------------------------------------

_HEAPTRACK_START = re.compile(r"^v [0-9a-f]+ [0-9a-f]+\s*$", re.MULTILINE)


def _knows_heaptrack(start: str) -> bool:
    return bool(_HEAPTRACK_START.search(start)) and re.search(r"^[+atsx] ", start, re.M) is not None


def _read_heaptrack(lines: Lines, path: Path) -> Iterator[Event]:
    """Numbers are hexadecimal. What heaptrack's recorder writes has addresses: `+ size trace
    address`, `- address`. What heaptrack_interpret makes of that has none: `a size trace` is a
    kind of allocation, `+ kind` one of it, `- kind` the end of one; taken to be the latest."""
    kinds: list[tuple[int, str]] = []
    live: dict[int, list[int]] = {}
    serial = 0
    for number, line in enumerate(lines, start=1):
        what, *fields = line.split() or [""]
        if what not in ("a", "+", "-"):
            continue
        try:
            values = [int(word, 16) for word in fields]
            if what == "a":
                kinds.append((values[0], f"trace {values[1]:x}"))
            elif what == "+" and len(values) == 3:
                yield Alloc(values[2], values[0], f"trace {values[1]:x}")
            elif what == "-" and not kinds:
                yield Free(values[0])
            elif what == "+":
                serial += 1
                live.setdefault(values[0], []).append(serial)
                yield Alloc(serial, *kinds[values[0]])
            else:
                blocks = live.get(values[0])
                yield Free(blocks.pop() if blocks else -1)
        except (ValueError, IndexError):
            raise InputError(f"{path}:{number}: heaptrack's line {line.strip()!r} cannot be"
                             " understood") from None


# --- a table with named columns ------------------------------------------------------------------

# What a column may be called, without case; FreeRTOS's and Zephyr's hooks print what you choose.
_COLUMNS = {
    "event": ("event", "op", "operation", "type", "call", "function"),
    "address": ("address", "addr", "ptr", "pointer", "pvaddress", "mem", "result"),
    "size": ("size", "bytes", "uisize", "length"),
    "old": ("old", "old_address", "old_ptr", "from"),
    "caller": ("caller", "task", "thread", "where", "call_site"),
}
_EVENTS = {
    "alloc": ("malloc", "alloc", "a", "+", "kmalloc", "calloc", "pvportmalloc", "k_malloc",
              "heap_alloc", "tracemalloc", "zalloc"),
    "free": ("free", "f", "-", "kfree", "vportfree", "k_free", "heap_free", "tracefree"),
    "resize": ("realloc", "r", "krealloc", "resize", "k_realloc"),
}


def _columns(head: str) -> Optional[dict[str, int]]:
    names = [name.strip().strip('"').lower() for name in head.split(",")]
    places = {column: names.index(name) for column, known in _COLUMNS.items()
              for name in known if name in names}
    return places if {"event", "address"} <= places.keys() and "size" in places else None


def _head(lines: Iterable[str]) -> Optional[str]:
    return next((line for line in lines if line.strip() and not line.startswith("#")), None)


def _knows_csv(start: str) -> bool:
    head = _head(start.splitlines())
    return head is not None and _columns(head) is not None


def _read_csv(lines: Lines, path: Path) -> Iterator[Event]:
    """Blank lines and those that begin with # are passed over; numbers may be 0x... or decimal."""
    rows = csv.reader(line for line in lines if line.strip() and not line.startswith("#"))
    try:
        places = _columns(",".join(next(rows, [])))
        if places is None:
            raise InputError(f"{path}: its first line does not name the columns event, address and"
                             " size")
        for row in rows:
            try:
                yield from _csv_event(row, places)
            except (ValueError, IndexError) as error:
                why = str(error) if isinstance(error, ValueError) else "a column is missing"
                raise InputError(f"{path}: row {rows.line_num}, {','.join(row)!r}: {why}") from None
    except csv.Error as error:  # such as a quotation mark without its other one
        raise InputError(f"{path}: up to row {rows.line_num}: {error}") from None


def _csv_event(row: Sequence[str], places: dict[str, int]) -> Iterator[Event]:
    def number(column: str) -> int:
        text = row[places[column]].strip() if column in places else ""
        try:
            value = _number(text)
        except ValueError:
            raise ValueError(f"{column} {text!r} is not a number") from None
        if column == "size" and value < 0:
            raise ValueError(f"size {value} is below 0")
        return value

    word = row[places["event"]].strip().lower()
    kind = next((kind for kind, words in _EVENTS.items() if word in words), None)
    caller = row[places["caller"]].strip() if "caller" in places else ""
    address = number("address")
    if kind == "alloc":
        yield Alloc(address, number("size"), caller) if address else Failed(number("size"))
    elif kind == "free":
        yield Free(address)
    elif kind == "resize":
        if "old" not in places:
            raise ValueError("a realloc needs a column 'old', the address that it had")
        yield Resize(number("old"), address, number("size"), caller) if address \
            else Failed(number("size"))
    else:
        raise ValueError(f"event {word!r} is none of"
                         f" {', '.join(name for names in _EVENTS.values() for name in names)}")


# --- this lab's own format -----------------------------------------------------------------------


def _knows_rep(start: str) -> bool:
    return re.match(r"\s*\d+\s*\n\s*\d+\s*\n\s*\d+\s*\n\s*\d+\s*\n\s*[arf] \d", start) is not None


def _read_rep(lines: Lines, path: Path) -> Iterator[Event]:
    """An id's address is its number; 0 is no address."""
    one = trace.parse("".join(lines).encode(), path)
    for line in one.text.decode().splitlines()[len(trace.HEADER):]:
        kind, ident, *size = line.split()
        address = int(ident) + 1
        if kind == "a":
            yield Alloc(address, int(size[0]))
        elif kind == "r":
            yield Resize(address, address, int(size[0]))
        else:
            yield Free(address)


FORMATS = (
    Format("rep", "the malloc lab's .rep", _knows_rep, _read_rep),
    Format("mtrace", "glibc's mtrace", _knows_mtrace, _read_mtrace),
    Format("heaptrack", "heaptrack", _knows_heaptrack, _read_heaptrack),
    Format("ftrace", "Linux's kmem trace events (ftrace, trace-cmd report)", _knows_ftrace,
           _read_ftrace),
    Format("csv", "a CSV with columns event, address and size", _knows_csv, _read_csv),
    Format("ltrace", "ltrace", _knows_ltrace, _read_ltrace),
)


# --- files ---------------------------------------------------------------------------------------


def _zstd(path: Path) -> str:
    if shutil.which("zstd") is None:
        raise InputError(f"{path}: it is packed with zstd; unpack it, or install zstd")
    done = subprocess.run(["zstd", "-dc", path], check=False, capture_output=True)
    if done.returncode:
        raise InputError(f"{path}: the zstd file is damaged:"
                         f" {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="replace")


def text_of(path: Path) -> str:
    """What is in a file, unpacked if it is packed.

    Raises InputError if it cannot be read.
    """
    try:
        raw = path.read_bytes()
        if raw.startswith(b"\x1f\x8b"):
            raw = gzip.decompress(raw)
        elif raw.startswith(b"\xfd7zXZ\x00"):
            raw = lzma.decompress(raw)
        elif raw.startswith(b"\x28\xb5\x2f\xfd"):
            return _zstd(path)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"{path}: the packed file is damaged: {error}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if raw.startswith(b"\x17\x08\x44tracing"):
        raise InputError(f"{path}: this is trace-cmd's binary file; import what 'trace-cmd report"
                         f" {path}' prints")
    return raw.decode(errors="replace")


def named(name: str) -> Format:
    """The format of that name.

    Raises InputError if there is none.
    """
    for one in FORMATS:
        if one.name == name:
            return one
    raise InputError(f"--format {name}: there is none of that name; there are:"
                     f" {', '.join(one.name for one in FORMATS)}")


def recognise(text: str, path: Path) -> Format:
    """The format of a file's text.

    Raises InputError if it is none that is known here.
    """
    start = text[:_SNIFFED_BYTES]
    for one in FORMATS:
        if one.knows(start):
            return one
    if not text.strip():
        raise InputError(f"{path}: the file is empty")
    raise InputError(f"{path}: this is no recording that is known here; known are:"
                     f" {'; '.join(one.title for one in FORMATS)}")


def read(path: Path, format_name: Optional[str] = None) -> tuple[Format, Iterator[Event]]:
    """The format of a file, and the events in it.

    Raises InputError: one line that names the file, and the line where there is one.
    """
    text = text_of(path)
    one = named(format_name) if format_name else recognise(text, path)
    return one, one.read(text.splitlines(keepends=True), path)
