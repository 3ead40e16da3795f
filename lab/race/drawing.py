# SPDX-License-Identifier: MIT
"""A race, drawn: who ran when, from where to where, and what became of the heap's map.

Time goes down. Each side has a column; an arrow is where another one goes on.
"""

from __future__ import annotations

import textwrap
from typing import Any, Iterator, Mapping, Sequence

from lab.race.boots import Record

WIDTH = 100
MAP_BLOCKS = 12
BYTE_MAPS = ("bitmap", "next-fit", "best-fit", "worst-fit")
"""Strategies whose side array has a byte for each block (mm/byte_map.h)."""

_MAP_BYTES = {"00": ".", "01": "F", "02": "r"}
_SIDES_MAX = 3
"""Columns that there is room for."""

ENDS = {
    "clean": "nothing goes wrong",
    "twice": "a block is handed out twice",
    "nothing": "kmalloc returns NULL, though the heap is all but empty",
    "refused": "kfree refuses a block that is live: it was handed out twice, and freed before",
    "broken": "the heap's check finds damage",
    "lost": "a block stays taken when all were freed: nobody has it",
    "crashed": "the heap's own code faults",
    "deadlock": "a side waits for a lock for ever",
    "endless": "a call never ends",
}


def side_name(record: Record, side: int) -> str:
    """What a side is called."""
    if record["processors"] == 1 and side == 1:
        return "the interrupt handler"
    return f"processor {side}"


def _call(event: Mapping[str, Any]) -> str:
    argument = event["value"] if event["call"] == "kmalloc" else f"0x{event['value']:x}"
    return f"{event['call']}({argument})"


def _returned(event: Mapping[str, Any]) -> str:
    if event["call"] == "kmalloc":
        return f"= 0x{event['value']:x}" if event["value"] else "= NULL"
    return "= 0" if event["value"] == 0 else "= -1: refused"


def _instructions(number: int) -> str:
    return f"  {number} instruction{'' if number == 1 else 's'}"


class Drawing:
    """The lines of one record's events."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._events = _telling(record["events"])
        self._sides = sorted({event["side"] for event in self._events})
        self._has_map = record["strategy"] in BYTE_MAPS
        columns = min(len(self._sides), _SIDES_MAX)
        self._column = (WIDTH - 2 - (MAP_BLOCKS + 2 if self._has_map else 0)) // columns
        self._done: dict[int, int] = {}

    def lines(self) -> Iterator[str]:
        """All of them."""
        if len(self._sides) <= _SIDES_MAX:
            titles = "".join(side_name(self._record, side).ljust(self._column)
                             for side in self._sides)
            yield f"  {titles}{'side array' if self._has_map else ''}".rstrip()
        before = ""
        for event in self._events:
            shown = self._map(event)
            yield from self._event(event, shown if shown != before else "")
            before = shown

    def _map(self, event: Mapping[str, Any]) -> str:
        if not self._has_map:
            return ""
        pairs = textwrap.wrap(event["map"], 2)[:MAP_BLOCKS]
        return "".join(_MAP_BYTES.get(pair, "?") for pair in pairs)

    def _line(self, side: int, text: str, shown: str = "") -> str:
        if len(self._sides) > _SIDES_MAX:
            return f"  {side_name(self._record, side)}: {text.ljust(60)}{shown}".rstrip()
        indent = self._sides.index(side) * self._column
        return f"  {' ' * indent}{text}".ljust(2 + len(self._sides) * self._column) + shown \
            if shown else f"  {' ' * indent}{text}".rstrip()

    def _ran(self, event: Mapping[str, Any]) -> int:
        side = event["side"]
        ran = event["step"] - self._done.get(side, event["step"])
        self._done[side] = event["step"]
        return int(ran)

    def _event(self, event: Mapping[str, Any], shown: str) -> Iterator[str]:
        side, kind, ran = event["side"], event["event"], self._ran(event)
        if kind == "calls":
            yield self._line(side, _call(event), shown)
            return
        if ran:
            yield self._line(side, _instructions(ran), shown)
            shown = ""
        if kind == "returns":
            yield self._line(side, _returned(event), shown)
        else:
            yield self._arrow(event, shown)

    def _arrow(self, event: Mapping[str, Any], shown: str) -> str:
        why = {"switches": "stopped before", "waits": "waits at",
               "interrupted": "interrupted before"}[event["event"]]
        text = f"{why} {event['where']}"
        side, goes_to = event["side"], event["value"]
        if len(self._sides) > _SIDES_MAX or goes_to not in self._sides:
            return self._line(side, f"{text} -> {side_name(self._record, goes_to)}", shown)
        if goes_to > side:
            return self._line(side, f"{text} {'-' * (self._column - len(text) - 4)}> ", shown)
        return self._back(side, text, shown)

    def _back(self, side: int, text: str, shown: str) -> str:
        """An arrow to the left begins in the column before."""
        at = self._sides.index(side) * self._column
        head = "  " + " " * (at - self._column + 2 + self._column // 2)
        arrow = (head + "<").ljust(at + 1, "-") + " " + text
        return arrow.ljust(2 + len(self._sides) * self._column) + shown if shown else arrow


def _telling(events: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The events from the first call on that does not end before there is a switch."""
    switched = [index for index, event in enumerate(events)
                if event["event"] in ("switches", "waits", "interrupted")]
    if not switched:
        return list(events)
    side = events[switched[0]]["side"]
    calls = [index for index in range(switched[0])
             if events[index]["event"] == "calls" and events[index]["side"] == side]
    return list(events[calls[-1] if calls else switched[0]:])


def overlap(record: Record) -> Iterator[str]:
    """The two blocks of which one was handed out though the other was somebody's, to scale."""
    owner, found = record["owner"], record["found"]
    first = min(owner["address"], found["address"])
    behind = max(one["address"] + one["bytes"] for one in (owner, found))
    scale = 40 / (behind - first)
    yield f"  0x{first:x}".ljust(43) + f"0x{behind:x}"
    for one, words in ((owner, "has it, from its call"), (found, "got it, too, by its call")):
        left = round((one["address"] - first) * scale)
        bar = " " * left + "#" * max(1, round(one["bytes"] * scale))
        yield f"  {bar.ljust(41)} {side_name(record, one['side'])} {words} {one['operation']}"


def deadlock(record: Record) -> Iterator[str]:
    """Who has the lock, who waits for it, and why that does not end."""
    waits = side_name(record, record["side"])
    yield f"  {waits} waits at {record['where']}, by its call {record['operation']}"
    if holder := record.get("holder"):
        name = side_name(record, holder["side"])
        yield (f"  {name} has the lock, by its call {holder['operation']}, and stands before"
               f" {holder['where']}:")
        yield f"  it goes on when {waits} is done, which is never"


def draw(record: Record) -> list[str]:
    """The whole drawing."""
    lines = list(Drawing(record).lines())
    if record["end"] == "twice":
        lines += ["", *overlap(record)]
    elif record["end"] == "deadlock":
        lines += ["", *deadlock(record)]
    elif record["end"] != "clean":
        found = f": {record['text']}" if record["text"] else ""
        lines += ["", f"  {side_name(record, record['side'])}, call {record['operation']}:"
                      f" {ENDS[record['end']]}{found}; the last instruction was"
                      f" {record['where']}"]
    return lines
