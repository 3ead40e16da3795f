# SPDX-License-Identifier: MIT
"""From calls at addresses to a trace: what was recorded, made into `.rep` text.

Whoever records sees addresses: malloc returned one, free was given one. A trace has ids: one
for each allocation, never used twice. The Converter gives them out, and keeps account of what
cannot be used, because nothing is ever left out silently.
"""

from __future__ import annotations

import collections
import gzip
import os
import re
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable, Optional

from lab.errors import RunError
from lab.trace import NUMBER_MAX

SUGGESTED_BYTES = 1 << 20
"""The header's first number, which the malloc lab's format wants and nobody here uses."""


@dataclass(frozen=True)
class Alloc:
    """A block was handed out."""

    address: int
    size: int
    caller: str = ""
    aligned: bool = False
    """It was asked for at a multiple of something: traces cannot say that."""


@dataclass(frozen=True)
class Free:
    """A block was given back."""

    address: int


@dataclass(frozen=True)
class Resize:
    """A block got another size, and perhaps another place."""

    old: int
    address: int
    size: int
    caller: str = ""


@dataclass(frozen=True)
class ResizeBegins:
    """A block is about to get another size: from here on its address may be somebody else's."""

    address: int
    key: int
    """Which ResizeEnds belongs to it."""


@dataclass(frozen=True)
class ResizeEnds:
    """The block has it; address 0: it could not be had, and the block is where it was."""

    key: int
    address: int
    size: int
    caller: str = ""


@dataclass(frozen=True)
class Failed:
    """A request got NULL."""

    size: int


@dataclass(frozen=True)
class Lost:
    """So many events are missing here."""

    events: int


Event = Alloc | Free | Resize | ResizeBegins | ResizeEnds | Failed | Lost


@dataclass(frozen=True)
class Choice:
    """Which blocks are wanted."""

    size_min: int = 0
    size_max: int = NUMBER_MAX
    caller: Optional[re.Pattern[str]] = None

    def wants(self, size: int, caller: str) -> bool:
        """Whether a block of that size, and of that caller, is."""
        return self.size_min <= size <= self.size_max and \
            (self.caller is None or self.caller.search(caller) is not None)


class Excluded:
    """Stands for the id of a live block that is not wanted."""


_EXCLUDED = Excluded()

# What is counted, and how it is said; a trace that has the last ones is not what happened.
WORDS = {
    "excluded": "of blocks that were not asked for",
    "aligned": "aligned requests, written as plain ones",
    "failed": "requests that had failed, left out",
    "null_free": "frees of NULL, left out",
    "unknown_free": "frees of blocks from before the recording, left out",
    "unknown_resize": "resizes of blocks from before the recording, written as allocations",
    "live_address": "allocations that returned a live address: its free is missing, and was put in",
    "lost": "events that the recorder lost",
}
HARMFUL = ("live_address", "lost")


@dataclass
class Account:
    """What became of the events."""

    events: int = 0
    operations: int = 0
    counts: collections.Counter[str] = field(default_factory=collections.Counter)

    def lines(self) -> list[str]:
        """The account in words, a line for each kind that occurred."""
        return [f"{self.counts[name]:,} {words}" for name, words in WORDS.items()
                if self.counts[name]]


class Converter:
    """Turns events into the operations of a trace."""

    def __init__(self, choice: Choice = Choice()) -> None:
        self._choice = choice
        self._ids: dict[int, int | Excluded] = {}
        self._resizing: dict[int, tuple[int, Optional[int | Excluded]]] = {}
        """By key: the old address, and the id that it had."""
        self._next_id = 0
        self._lines: list[str] = []
        self.callers: list[str] = []
        """By id."""
        self.account = Account()

    def take(self, event: Event) -> None:
        """Take the next event."""
        self.account.events += 1
        if isinstance(event, Alloc):
            self._count("aligned", event.aligned)
            self._alloc(event.address, event.size, event.caller)
        elif isinstance(event, Free):
            self._free(event.address)
        elif isinstance(event, Resize):
            self._resize(event.old, self._ids.pop(event.old, None), event)
        elif isinstance(event, ResizeBegins):
            self._resizing[event.key] = event.address, self._ids.pop(event.address, None)
        elif isinstance(event, ResizeEnds):
            self._end_resize(event)
        elif isinstance(event, Failed):
            self._count("failed")
        else:
            self._count("lost", event.events)

    def take_all(self, events: Iterable[Event]) -> Converter:
        """Take all of them; returns itself."""
        for event in events:
            self.take(event)
        return self

    def _count(self, what: str, times: int = 1) -> None:
        self.account.counts[what] += times

    def _write(self, line: str) -> None:
        self._lines.append(line)

    def _alloc(self, address: int, size: int, caller: str) -> None:
        if address in self._ids:
            self._count("live_address")
            self._end(address)
        if not self._choice.wants(size, caller):
            self._count("excluded")
            self._ids[address] = _EXCLUDED
            return
        self._ids[address] = self._next_id
        self.callers.append(caller)
        self._write(f"a {self._next_id} {size}")
        self._next_id += 1

    def _end(self, address: int) -> None:
        ident = self._ids.pop(address)
        if not isinstance(ident, Excluded):
            self._write(f"f {ident}")

    def _free(self, address: int) -> None:
        if address == 0:
            self._count("null_free")
        elif address not in self._ids:
            self._count("unknown_free")
        else:
            self._end(address)

    def _end_resize(self, event: ResizeEnds) -> None:
        old, ident = self._resizing.pop(event.key)
        if event.address != 0:
            self._resize(old, ident, event)
            return
        if ident is not None:
            self._ids[old] = ident
        if event.size != 0:
            self._count("failed")
        else:
            self._free(old)

    def _resize(self, old: int, ident: Optional[int | Excluded],
                event: Resize | ResizeEnds) -> None:
        if ident is None:
            self._count("unknown_resize", old != 0)
            self._alloc(event.address, event.size, event.caller)
            return
        if event.address in self._ids:
            self._count("live_address")
            self._end(event.address)
        self._ids[event.address] = ident
        if isinstance(ident, Excluded):
            self._count("excluded")
        elif event.size <= NUMBER_MAX:
            self._write(f"r {ident} {event.size}")
        else:
            self._ids[event.address] = _EXCLUDED
            self._write(f"f {ident}")
            self._count("excluded")

    def text(self) -> str:
        """The trace."""
        self.account.operations = len(self._lines)
        head = (SUGGESTED_BYTES, self._next_id, len(self._lines), 1)
        return "".join(f"{line}\n" for line in (*head, *self._lines))


def write_trace(path: Path, text: str) -> None:
    """Write a trace, packed if its name says so; the file appears only when it is whole.

    Raises RunError if it cannot be written.
    """
    raw = text.encode("ascii")
    if path.name.endswith(".gz"):
        raw = gzip.compress(raw, 9, mtime=0)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.",
                                         delete=False) as file:
            temporary = Path(file.name)
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        if temporary:
            temporary.unlink(missing_ok=True)
