# SPDX-License-Identifier: MIT
"""The film as one page: what the kernels wrote down, packed, and a player for it.

Numbers are written as base-128 varints, as differences where these are small, a stream for each
kind of number; all streams together are deflated and stand in the page as base64. The player
(templates/film) unpacks them, goes through the whole film once, and keeps keyframes.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from typing import Any, Iterable, Iterator, Sequence

import jinja2

from lab import ROOT
from lab.play.film import LIVE, NONE, Block, Reel, first_difference
from lab.portrait import STATES
from lab.trace import Trace

_CELLS_MAX = 140_000

_TEMPLATES = ROOT / "lab" / "templates" / "film"


def page(trace: Trace, reels: Sequence[Reel]) -> str:
    """The page that shows reels of one trace side by side."""
    streams = _Streams()
    operations = max((reel.operations for reel in reels), key=len)
    grain = math.gcd(*(number for reel in reels for number in _bounds(reel)), 8)
    about = {
        "trace": trace.name, "ids": trace.ids, "operations": len(operations), "grain": grain,
        "heap_kib": reels[0].record["heap_kib"], "total_bytes": reels[0].total_bytes,
        "cell_bytes": _cell_bytes(reels[0].total_bytes),
        "unit": reels[0].record["unit"],
        "first_difference": first_difference(reels) if len(reels) > 1 else None,
        "states": [{"letter": state.letter, "title": state.title, "meaning": state.meaning,
                    "colour": state.colour} for state in STATES],
        "script": {
            "kinds": streams.add("arf".index(kind) for kind, _, _ in operations),
            "ids": streams.add(_differences(ident for _, ident, _ in operations)),
            "sizes": streams.add(size for kind, _, size in operations if kind != "f"),
        },
        "reels": [_about(reel, grain, streams) for reel in reels],
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True,
        lstrip_blocks=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.get_template("film.html").render(
        about=about, json=json.dumps(about).replace("<", "\\u003c"), film=streams.packed())


def _cell_bytes(total_bytes: int) -> int:
    """How much memory a dot of the map stands for."""
    power = 0
    while total_bytes >> power > _CELLS_MAX:
        power += 1
    return 1 << power


class _Streams:
    """Streams of numbers, one behind the other."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, numbers: Iterable[int]) -> list[int]:
        """Add one, and say where it begins and ends."""
        start = len(self._bytes)
        for number in numbers:
            while number > 0x7F:
                self._bytes.append(number & 0x7F | 0x80)
                number >>= 7
            self._bytes.append(number)
        return [start, len(self._bytes)]

    def packed(self) -> str:
        """All of them, deflated, as base64."""
        return base64.b64encode(zlib.compress(self._bytes, 9)).decode()


def _signed(number: int) -> int:
    """A number as one that is not negative, small where it is near zero."""
    return 2 * number if number >= 0 else -2 * number - 1


def _differences(numbers: Iterable[int]) -> Iterator[int]:
    last = 0
    for number in numbers:
        yield _signed(number - last)
        last = number


def _bounds(reel: Reel) -> Iterator[int]:
    """Whatever lies somewhere in the region."""
    for blocks in reel.notes.changes:
        for start, end, _ in blocks:
            yield from (start, end)
    yield from (place for place in reel.notes.placements if place != NONE)


def _about(reel: Reel, grain: int, streams: _Streams) -> dict[str, Any]:
    record, notes = reel.record, reel.notes
    blocks = list(_with_gaps(notes.changes))
    return {
        "name": reel.name, "operations": len(reel.operations), "failures": record["failures"],
        "worst": record["cost"].get("max_operation"),
        "costs": streams.add((cost + 1) & NONE for cost in notes.costs),
        "counts": streams.add(map(len, notes.changes)),
        "gaps": streams.add(_signed(gap // grain) for gap, _ in blocks),
        "sizes": streams.add((end - start) // grain for _, (start, end, _) in blocks),
        "block_states": streams.add(state for _, (_, _, state) in blocks),
        "placements": streams.add(_placements(reel, grain)),
    }


def _with_gaps(changes: Sequence[Sequence[Block]]) -> Iterator[tuple[int, Block]]:
    """All new blocks, each with the distance from the end of the one before."""
    last = 0
    for blocks in changes:
        for block in blocks:
            yield block[0] - last, block
            last = block[1]


def _placements(reel: Reel, grain: int) -> Iterator[int]:
    """Each placement, as the distance from the first live block that is new, or from the last
    placement: mostly the size of a header. 0 stands for none."""
    last = 0
    for placement, blocks in zip(reel.notes.placements, reel.notes.changes[1:]):
        if placement == NONE:
            yield 0
            continue
        base = next((start for start, _, state in blocks if state == LIVE), last)
        yield _signed((placement - base) // grain) + 1
        last = placement
