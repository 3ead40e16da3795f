# SPDX-License-Identifier: MIT
"""A heap's portrait: time across, address down, colour by state (docs/runner.md).

The colours are told apart by colour-blind eyes, after Okabe and Ito; and each is lighter than
the one before, from what is taken to what was never used, so that a grey print reads as well.
Only holes and parked blocks are alike in grey: both are free.
"""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass
from typing import Sequence

from PIL import Image

from lab.results import PORTRAIT_STATES, Record

_RUN = re.compile(rf"(\d+)([{PORTRAIT_STATES}])")


@dataclass(frozen=True)
class State:
    """What a byte of a heap can be."""

    letter: str
    title: str
    meaning: str
    colour: str


STATES = (
    State("m", "the heap's own", "side array, list heads, sentinels", "#1a1a1a"),
    State("r", "requested", "a caller asked for it", "#00518a"),
    State("w", "waste", "granted, but nobody asked for it: rounding, headers", "#d55e00"),
    State("h", "hole", "free, and used before", "#e69f00"),
    State("c", "parked", "free, but kept whole for a request of its size", "#56b4e9"),
    State("n", "never used", "free, and no block ever lay there", "#f4f4f4"),
)


def pixels(record: Record) -> list[bytes]:
    """The rows of a record's portrait, the lowest address first: a byte for each sample, the
    state's place in STATES."""
    place = {state.letter: bytes([index]) for index, state in enumerate(STATES)}
    return [b"".join(place[letter] * int(count) for count, letter in _RUN.findall(row))
            for row in record["portrait"]]


def png(record: Record) -> bytes:
    """A record's portrait as an image, a pixel for each cell and sample."""
    rows = pixels(record)
    image = Image.frombytes("P", (len(rows[0]), len(rows)), b"".join(rows))
    image.putpalette(b"".join(bytes.fromhex(state.colour[1:]) for state in STATES))
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def uri(record: Record) -> str:
    """The image as an address that holds all of it."""
    return "data:image/png;base64," + base64.b64encode(png(record)).decode()


def shares(rows: Sequence[bytes], sample: int) -> dict[str, float]:
    """Which share of a portrait each state has in one sample, by title."""
    column = bytes(row[sample] for row in rows)
    return {state.title: column.count(index) / len(column)
            for index, state in enumerate(STATES)}
