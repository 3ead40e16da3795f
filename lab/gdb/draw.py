# SPDX-License-Identifier: MIT
"""Heaps as text. Every picture reads the same without its colours."""

from __future__ import annotations

import itertools
import textwrap
from dataclasses import dataclass
from typing import Iterable, Iterator, Mapping, Sequence

from lab.gdb.snapshot import Block, Difference, Snapshot, State
from lab.words import plural

COLUMNS = 64
LINE_LETTERS = 98
ROWS_MAX = 24
CELL_BYTES_MIN = 8

LIVE, WASTE, HOLE, CACHED, PARKED, META, UNKNOWN, MIXED = "#", "w", ".", "c", "p", "m", "?", "o"

_MEANING = {
    LIVE: "live", WASTE: "waste", HOLE: "hole", CACHED: "reusable", PARKED: "parked", META: "own",
    UNKNOWN: "unknown", MIXED: "live and free"}
_COLOUR = {LIVE: "32", WASTE: "33", HOLE: "90", CACHED: "36", PARKED: "96", META: "34",
           UNKNOWN: "31", MIXED: "35"}
_LETTER = {State.FREE: HOLE, State.CACHED: CACHED, State.PARKED: PARKED, State.META: META,
           State.UNKNOWN: UNKNOWN}
_ROW_BYTES = 16
_HARD_SPACE = "\0"


@dataclass(frozen=True)
class Ink:
    """Colours, or none."""

    coloured: bool

    def letters(self, text: str) -> str:
        """A row of a map, each letter in its colour."""
        if not self.coloured:
            return text
        parts: list[str] = []
        for letter in text:
            if parts and parts[-1][-1] == letter:
                parts[-1] += letter
            else:
                parts.append(letter)
        return "".join(f"\033[{_COLOUR[part[0]]}m{part}\033[0m" if part[0] in _COLOUR else part
                       for part in parts)

    def block(self, block: Block, text: str) -> str:
        """Words on a block, in the colour that it has on a map."""
        letter = _LETTER.get(block.state, LIVE)
        return f"\033[{_COLOUR[letter]}m{text}\033[0m" if self.coloured else text


# --- maps ---------------------------------------------------------------------------------------


def _pieces(blocks: Iterable[Block]) -> Iterator[tuple[int, int, str]]:
    """From where to where memory has which letter."""
    for block in blocks:
        if block.state is not State.LIVE:
            yield block.start, block.end, _LETTER[block.state]
            continue
        yield block.start, block.payload, WASTE
        yield block.payload, block.payload + block.owned_bytes, LIVE
        yield block.payload + block.owned_bytes, block.end, WASTE


def _letter(shares: Mapping[str, int]) -> str:
    """The one letter for a cell, of which so many bytes have each letter."""
    if LIVE in shares and shares.keys() & {HOLE, CACHED, PARKED}:
        return MIXED
    return max(shares, key=lambda letter: shares[letter]) if shares else " "


def cells(snapshot: Snapshot, start: int, cell_bytes: int, count: int) -> str:
    """A letter for each of so many cells."""
    shares: list[dict[str, int]] = [{} for _ in range(count)]
    end = start + cell_bytes * count
    for first, last, letter in _pieces(snapshot.between(start, end)):
        first, last = max(first, start), min(last, end)
        while first < last:
            place = (first - start) // cell_bytes
            to = min(last, start + (place + 1) * cell_bytes)
            shares[place][letter] = shares[place].get(letter, 0) + to - first
            first = to
    return "".join(map(_letter, shares))


def cell_bytes_for(span_bytes: int, cells_max: int) -> int:
    """How large a cell must be, a power of two, so that so many show all of the span."""
    size = CELL_BYTES_MIN
    while size * cells_max < span_bytes:
        size *= 2
    return size


def _rows(snapshot: Snapshot, start: int, end: int, cell_bytes: int) -> Iterator[tuple[int, str]]:
    row_bytes = cell_bytes * COLUMNS
    count = -(-(end - start) // cell_bytes)
    letters = cells(snapshot, start, cell_bytes, count)
    for place in range(0, count, COLUMNS):
        yield start + place // COLUMNS * row_bytes, letters[place:place + COLUMNS]


def map_lines(snapshot: Snapshot, start: int, end: int, ink: Ink) -> list[str]:
    """A map of the memory from start to end on one screen; rows like the one before: '*'."""
    cell_bytes = cell_bytes_for(end - start, COLUMNS * ROWS_MAX)
    lines, last, used = [], "", ""
    for address, letters in _rows(snapshot, start, end, cell_bytes):
        used += letters
        if letters != last:
            lines.append(f"0x{address:08x}  {ink.letters(letters)}")
        elif lines[-1] != "*":
            lines.append("*")
        last = letters
    lines.append(f"0x{end:08x}  {cell_bytes:,} bytes a letter; {legend(used, ink)}")
    return lines


def legend(letters: str, ink: Ink) -> str:
    """What the letters in use mean."""
    return ", ".join(f"{ink.letters(letter)} {meaning}" for letter, meaning in _MEANING.items()
                     if letter in letters)


def totals(snapshot: Snapshot, title: str = "") -> str:
    """How much there is of everything, in one line, or two if they get long."""
    holes = snapshot.of(State.FREE)
    largest = max((hole.bytes for hole in holes), default=0)
    parts = [f"live {snapshot.bytes_of(State.LIVE):,} in"
             f" {plural(len(snapshot.of(State.LIVE)), 'block')} (waste {snapshot.waste_bytes:,})",
             f"free {snapshot.bytes_of(State.FREE):,} in {plural(len(holes), 'hole')}"
             f" (largest {largest:,})"]
    for state, what in ((State.CACHED, "reusable"), (State.PARKED, "parked"),
                        (State.META, "own"), (State.UNKNOWN, "unknown")):
        if amount := snapshot.bytes_of(state):
            parts.append(f"{what} {amount:,}")
    whole = (part.replace(" ", _HARD_SPACE) for part in parts)
    return textwrap.fill(title + ", ".join(whole), LINE_LETTERS,
                         subsequent_indent=" " * len(title)).replace(_HARD_SPACE, " ")


def change_lines(before: Snapshot, after: Snapshot, change: Difference, ink: Ink) -> list[str]:
    """The piece of the map that changed, as it was and as it is, with marks between them."""
    first, last = change.span
    cell_bytes = cell_bytes_for(last - first, COLUMNS // 2)
    span = cell_bytes * COLUMNS
    middle = (first + min(last, first + span)) // 2
    start = max(before.region.map, middle // cell_bytes * cell_bytes - span // 2)
    start = max(before.region.map, min(start, before.region.end - span))
    count = min(COLUMNS, (before.region.end - start) // cell_bytes)
    old, new = (cells(one, start, cell_bytes, count) for one in (before, after))
    marks = "".join("^" if place[0] != place[1] else " " for place in zip(old, new))
    lines = [f"0x{start:08x}  {ink.letters(old)}  before",
             f"0x{start:08x}  {ink.letters(new)}  after"]
    if marks.strip():
        lines.append(" " * 12 + marks.rstrip())
    return [*lines, f"{cell_bytes:,} bytes a letter; {legend(old + new, ink)}"]


# --- blocks -------------------------------------------------------------------------------------

NAMES = {State.LIVE: "live", State.FREE: "hole", State.CACHED: "kept for reuse",
         State.PARKED: "parked", State.META: "the heap's own", State.UNKNOWN: "unknown"}
_NAME_LETTERS = max(map(len, NAMES.values()))
BLOCK_TITLE = f"{'start':10}  {'bytes':>10}  {'what':{_NAME_LETTERS}}  {'payload':10}" \
    f"  {'bytes':>10}"


def block_line(block: Block, ink: Ink, place: str = "") -> str:
    """A row of a table of blocks; `place` is where a parked one is."""
    line = f"0x{block.start:08x}  {block.bytes:>10,}  "
    if block.state is not State.LIVE:
        return line + ink.block(block, NAMES[block.state]) + (f", {place}" if place else "")
    asked = "" if block.asked_bytes in (None, block.payload_bytes) else \
        f", {block.asked_bytes:,} asked for"
    return f"{line}{ink.block(block, f'{NAMES[block.state]:{_NAME_LETTERS}}')}" \
        f"  0x{block.payload:08x}  {block.payload_bytes:>10,}{asked}"


def difference_lines(change: Difference, ink: Ink) -> list[str]:
    """What is gone (-) and what has come (+), by address.

    Of a row of blocks that nobody owns and that are alike, such as a new slab's, only one is shown.
    """
    rows = sorted([(block.start, 0, block) for block in change.gone]
                  + [(block.start, 1, block) for block in change.come], key=lambda row: row[:2])
    lines: list[str] = []
    for (sign, state, count), alike in itertools.groupby(
            rows, lambda row: (row[1], row[2].state, row[2].bytes)):
        blocks = [block for _, _, block in alike]
        shown = blocks if state is State.LIVE else blocks[:1]
        lines += [f"{'-+'[sign]} {block_line(block, ink)}" for block in shown]
        if more := len(blocks) - len(shown):
            lines[-1] += f", and {more:,} more of {count:,} up to 0x{blocks[-1].end:08x}"
    return lines


def hole_lines(holes: Sequence[Block], largest_shown: int) -> list[str]:
    """The largest holes, and how many there are of each size."""
    lines = [f"{plural(len(holes), 'hole')}, {sum(hole.bytes for hole in holes):,} bytes"]
    by_size = sorted(holes, key=lambda hole: (-hole.bytes, hole.start))
    lines += [f"  0x{hole.start:08x}  {hole.bytes:>10,}" for hole in by_size[:largest_shown]]
    if len(holes) <= largest_shown:
        return lines
    lines.append(f"  and {plural(len(holes) - largest_shown, 'smaller hole')}; by size:")
    counts: dict[int, int] = {}
    for hole in holes:
        exponent = hole.bytes.bit_length() - 1
        counts[exponent] = counts.get(exponent, 0) + 1
    lines += [f"  {1 << exponent:>10,} to {(2 << exponent) - 1:>10,} bytes: {count:>7,}"
              for exponent, count in sorted(counts.items())]
    return lines


# --- bytes --------------------------------------------------------------------------------------


def dump_lines(memory: bytes, address: int, marked: range = range(0)) -> list[str]:
    """Bytes, 16 a line, with marks below those that are meant."""
    lines = []
    for place in range(0, len(memory), _ROW_BYTES):
        row = memory[place:place + _ROW_BYTES]
        digits = " ".join(f"{byte:02x}" for byte in row)
        text = "".join(chr(byte) if 0x20 <= byte < 0x7f else "." for byte in row)
        lines.append(f"  0x{address + place:08x}  {digits:47}  {text}")
        marks = " ".join("^^" if address + place + offset in marked else "  "
                         for offset in range(len(row)))
        if marks.strip():
            lines.append(" " * 14 + marks.rstrip())
    return lines
