# SPDX-License-Identifier: MIT
"""The verdict as a person sees it: at most a screen, 100 columns wide."""

from __future__ import annotations

import re
import textwrap
from typing import Optional, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.grade.checks import Finding, Story
from lab.grade.expectations import expected
from lab.grade.marks import POINTS, PROPERTIES, Mark, Row
from lab.table import WIDTH

CALLS_SHOWN = 16
"""Of a story's calls, the last ones."""
DETAILS_SHOWN = 2
"""Of what a check said, for each check."""

_BAR_COLUMNS = 64
_PICTURE = re.compile(r" +((?:[-+?]\d+ ?)+)")
_SIGNS = {"+": "#", "-": ".", "?": "c"}
_CALL = re.compile(r" +\d+\. ")
_WRONG = re.compile(r" +wrong: (.*)")


def bar(picture: str, columns: int = _BAR_COLUMNS) -> str:
    """A heap drawn to scale: `#` live, `.` a hole, `c` cached; from "+16 -48" (tests/picture.h).

    A block's first column is `|`, so that neighbours can be told apart.
    """
    blocks = [(sign, int(size)) for sign, size in re.findall(r"([-+?])(\d+)", picture)]
    total = max(1, sum(size for _, size in blocks))
    drawn, at = "", 0
    for sign, size in blocks:
        at += size
        width = max(0, at * columns // total - len(drawn))
        drawn += ("|" + _SIGNS[sign] * (width - 1))[:width]
    return drawn


def _clipped(line: str, columns: int = WIDTH) -> str:
    return line if len(line) <= columns else line[:columns - 4] + " ..."


def _told(line: str, when: str) -> list[str]:
    """A line of a story, drawn or explained where that helps."""
    if match := _PICTURE.fullmatch(line):
        return [f"     {bar(match[1])}  {when}", _clipped(line)]
    if match := _WRONG.fullmatch(line):
        rule = expected(match[1])
        said = [f"wrong: {match[1]}", *([f"expected: {rule}"] if rule else [])]
        return [row for one in said for row in textwrap.wrap(
            one, WIDTH, initial_indent="     ", subsequent_indent="       ")]
    return [_clipped(line)]


def story_lines(story: Story) -> list[str]:
    """The calls, the heap before and after the last of them, and what is wrong."""
    calls = [place for place, line in enumerate(story.lines) if _CALL.match(line)]
    first = calls[-CALLS_SHOWN] if len(calls) > CALLS_SHOWN else 0
    lines = [f"  ... {len(calls) - CALLS_SHOWN} calls before"] if first else []
    for place, line in enumerate(story.lines):
        if place >= first:
            lines += _told(line, "before" if calls and place < calls[-1] else "after")
    return lines


class Screen:
    """Prints a verdict."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def line(self, text: str = "", style: str = "") -> None:
        """One line, as it is."""
        self._console.print(text, style=style or None, markup=False, highlight=False,
                            soft_wrap=True)

    def verdict(self, name: str, is_correct: bool) -> None:
        """The first line of all."""
        self.line(f"{name}: {'CORRECT' if is_correct else 'NOT CORRECT'}",
                  "bold green" if is_correct else "bold red")
        self.line()

    def findings(self, findings: Sequence[Finding]) -> None:
        """A line for each check; below it what it said, if it found something."""
        width = max(len(one.title) for one in findings)
        for one in findings:
            mark, style = ("right", "green") if one.is_right else ("WRONG", "bold red")
            room = WIDTH - width - len("    right  ")
            self._console.print(
                f"  {one.title:{width}}  [{style}]{mark}[/{style}]  "
                + escape(_clipped(one.summary, room)), highlight=False, soft_wrap=True)
            for detail in one.details[:DETAILS_SHOWN]:
                self.line(_clipped(f"      {detail}"))
            if len(one.details) > DETAILS_SHOWN:
                self.line(f"      and {len(one.details) - DETAILS_SHOWN} more")

    def story(self, story: Story, again: str, replayed: str) -> None:
        """The calls that go wrong, how to replay them, and what the replay says."""
        self.line()
        self.line(f"The shortest calls that show it, on a heap of {story.map_bytes} +"
                  f" {64 * story.map_bytes} bytes (# live, . hole, | a block begins):")
        for line in story_lines(story):
            self.line(line)
        self.line()
        self.line("To replay them:")
        self.line(f"  {again}")
        for line in textwrap.wrap(f"It says: {replayed}", WIDTH, subsequent_indent="  "):
            self.line(line)

    def marks(self, rows: Sequence[Row], given: Sequence[Mark], note: str) -> None:
        """Figures beside those of the classics, and what they are worth."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
        table.add_column("")
        for one in PROPERTIES:
            table.add_column(one.name, justify="right", no_wrap=True)
        table.add_column("refused", justify="right", no_wrap=True)
        for place, row in enumerate(rows):
            if place > 0 and row["strategy"] == rows[0]["strategy"]:
                continue
            table.add_row(row["strategy"],
                          *(one.written(one.value(row)) for one in PROPERTIES),
                          f"{row['failures']:,}", style="bold" if place == 0 else "",
                          end_section=place in (0, len(rows) - 1))
        table.add_row("mark", *(str(one) for one in given), "", style="bold")
        self.line()
        self._console.print(table)
        self.line()
        self._reasons(given)
        for line in textwrap.wrap(note, WIDTH):
            self.line(line)

    def _reasons(self, given: Sequence[Mark]) -> None:
        for one in given:
            self.line(f"  {one.of.name:10} {one}  {one.reason} ({one.of.unit})")
        total = sum(one.points for one in given)
        self.line(f"  {'in all':10} {total}/{POINTS * len(given)}", "bold")
        self.line()
        self.line("A property's mark is the number of classics that are not better"
                  " (docs/grading.md).")


def first_story(findings: Sequence[Finding]) -> Optional[Story]:
    """The one to show: that of the test which finds the shortest."""
    return next((one.story for one in findings if one.story), None)
