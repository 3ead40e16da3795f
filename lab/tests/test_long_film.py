# SPDX-License-Identifier: MIT
"""Made-up films in a real browser: what no heap here does, and more than traces here ask for."""

from __future__ import annotations

import contextlib
import random
import struct
import unittest
from pathlib import Path

from lab.play import film, page
from lab.play.film import FREE, LIVE, NONE, Block, Notes, Reel
from lab.tests import test_film
from lab.tests.browser import browser, missing
from lab.tests.films import FilmInBrowser
from lab.tests.support import temporary_directory, trace
from lab.trace import Trace, parse


class _Stacks:
    """A made-up heap: freed blocks are used again for their size, else memory's end is."""

    def __init__(self, total_bytes: int) -> None:
        self.total_bytes = total_bytes
        self.top = 0
        self.free: dict[int, list[int]] = {}

    def take(self, size: int) -> tuple[int, list[Block]]:
        granted = -(-size // 8) * 8 + 8
        if self.free.get(granted):
            start = self.free[granted].pop()
            return start + 8, [(start, start + granted, LIVE)]
        start, self.top = self.top, self.top + granted
        return start + 8, [(start, self.top, LIVE), (self.top, self.total_bytes, FREE)]

    def give(self, placement: int, size: int) -> list[Block]:
        granted = -(-size // 8) * 8 + 8
        self.free.setdefault(granted, []).append(placement - 8)
        return [(placement - 8, placement - 8 + granted, FREE)]


def _long_reel(of: Trace, name: str) -> Reel:
    """A made-up heap's film of a trace without krealloc."""
    total_bytes, chance = 64 << 20, random.Random(name)
    heap = _Stacks(total_bytes)
    places: dict[int, tuple[int, int]] = {}
    words = [1 << 30, total_bytes, NONE]
    for kind, ident, size in (operations := _operations(of)):
        placement, blocks = heap.take(size) if kind == "a" else \
            (NONE, heap.give(*places.pop(ident)))
        if kind == "a":
            places[ident] = placement, size
        words += [placement, chance.randrange(20, 20_000)]
        words += [word for start, stop, state in blocks
                  for word in (start | state << 30, stop - start)] + [NONE]
    record = {"cost": {"max_operation": 0}, "failures": 0, "heap_kib": 65536,
              "unit": "instructions"}
    return Reel(name, record, operations, Notes(struct.pack(f"<{len(words)}I", *words),
                                                len(operations)), total_bytes)


def _operations(of: Trace) -> list[film.Operation]:
    fields = (line.split() for line in of.text.decode().splitlines()[4:])
    return [(one[0], int(one[1]), int(one[2]) if one[0] == "a" else 0) for one in fields]


def _long_script() -> Trace:
    chance, lines, live = random.Random(3), [], []
    for ident in range(60_000):
        lines.append(f"a {ident} {int(chance.lognormvariate(4.6, 1))}")
        live.append(ident)
        if ident >= 20_000:
            lines.append(f"f {live.pop(chance.randrange(len(live)))}")
    text = "\n".join(["0", "60000", str(len(lines)), "1", *lines]) + "\n"
    return parse(text.encode(), Path("long.rep"))


@unittest.skipIf(missing(), missing())
class MadeUpFilm(FilmInBrowser):
    """What no heap here does."""

    @classmethod
    def setUpClass(cls) -> None:
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        cls.page = stack.enter_context(temporary_directory()) / "made-up.html"
        made = test_film.reel("odd", [
            (104, 1, [(100, 200, LIVE), (200, 1000, FREE)]),
            (208, 1, [(200, 300, LIVE), (300, 1000, FREE)]),
            (NONE, 1, [(100, 120, FREE), (120, 300, LIVE)])], [
            ("a", 0, 90), ("a", 1, 80), ("f", 0, 0)])
        cls.page.write_text(page.page(trace(), [made]), "utf-8")
        cls.browser = stack.enter_context(browser())

    def test_a_block_that_takes_what_its_neighbour_leaves_keeps_its_owner(self) -> None:
        self.open()
        self.go(3)
        self.browser.run("player.views[0].select(250)")
        self.assertEqual(self.part("odd", "block").text,
                         "+0x0000d0: the block of id 1: 80 requested, 180 granted, 100 wasted;"
                         " allocated by operation 1, 1 operation ago.")

    def test_one_heap_has_no_difference_and_no_failure_to_go_to(self) -> None:
        self.open()
        self.assertFalse(self.control("difference").is_enabled())
        self.assertFalse(self.control("failure").is_enabled())
        self.assertEqual(self.press(self.part("odd", "squeezed")), 2)


@unittest.skipIf(missing(), missing())
class LongFilm(FilmInBrowser):
    """100,000 operations on three heaps with 20,000 blocks, and nothing in them that is regular."""

    @classmethod
    def setUpClass(cls) -> None:
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        cls.page = stack.enter_context(temporary_directory()) / "long.html"
        of = _long_script()
        cls.page.write_text(page.page(of, [_long_reel(of, name) for name in "abc"]), "utf-8")
        cls.browser = stack.enter_context(browser())

    def test_it_takes_less_than_5_megabytes(self) -> None:
        self.assertLess(self.page.stat().st_size, 5_000_000)

    def test_no_moment_is_far_from_a_keyframe(self) -> None:
        self.open()
        gaps = self.browser.run("return player.reels.map(reel => Math.max(...[...reel.keyTimes,"
                                " reel.count].map((t, i, all) => i ? t - all[i - 1] : 0)))")
        self.assertLessEqual(max(gaps), 1024)
        self.assertEqual(self.browser.errors(), [])


if __name__ == "__main__":
    unittest.main()
