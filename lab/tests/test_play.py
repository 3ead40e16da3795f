# SPDX-License-Identifier: MIT
"""The film of what real kernels did, in a real browser: dragged, stepped through, jumped in."""

from __future__ import annotations

import contextlib
import io
import random
import re
import time
import unittest
from pathlib import Path
from typing import Sequence
from unittest import mock

from lab import __main__ as commands, build, process
from lab.build import Build
from lab.play import command, film, page
from lab.play.film import FAILED, FREE, LIVE, NONE, Block, Reel
from lab.schedule import Plan, carry_out
from lab.tests.browser import browser, missing
from lab.tests.films import FilmInBrowser
from lab.tests.support import TRACE_TEXT, eventually, programs_missing, temporary_directory
from lab.trace import Trace, parse

STRATEGIES = ("bitmap", "slab", "boundary-map")
HEAP_KIB = 1024

KNOWN = ["bitmap", "tlsf", "boundary-map"]

FIGURES = ("requested", "granted", "free", "largest", "holes")


def _script(operations: int, seed: int, sizes: range) -> Trace:
    """A trace that fills a heap and goes on; one operation in eight changes a block's size."""
    chance = random.Random(seed)
    live: list[int] = []
    lines = []
    ids = 0
    for _ in range(operations):
        deed = chance.random()
        if live and deed > 0.6:
            lines.append(f"f {live.pop(chance.randrange(len(live)))}")
        elif live and deed > 0.475:
            lines.append(f"r {chance.choice(live)} {chance.choice(sizes)}")
        else:
            lines.append(f"a {ids} {chance.choice(sizes)}")
            live.append(ids)
            ids += 1
    text = "\n".join(["0", str(ids), str(len(lines)), "1", *lines]) + "\n"
    return parse(text.encode(), Path("made-up.rep"))


class BadInput(unittest.TestCase):
    """Each is one whole line on standard error, status 2, and nothing written or started."""

    def refusal(self, *arguments: str) -> str:
        err = io.StringIO()
        with temporary_directory() as directory, contextlib.chdir(directory), \
                mock.patch.object(build, "strategies", lambda: KNOWN), \
                mock.patch.object(command, "builds_of", side_effect=AssertionError), \
                contextlib.redirect_stderr(err):
            (directory / "good.rep").write_text(TRACE_TEXT, "ascii")
            (directory / "bad.rep").write_text(TRACE_TEXT + "f 0\n", "ascii")
            self.assertEqual(commands.main(["play", *arguments]), 2)
            self.assertEqual(len(list(directory.iterdir())), 2)
        return err.getvalue()

    def test_a_trace_that_is_not_there_or_not_valid_is_told(self) -> None:
        self.assertIn("heaplab: error: none.rep: there is no such trace; shipped are: linux-boot,",
                      self.refusal("none.rep"))
        self.assertEqual(self.refusal("bad.rep"), "heaplab: error: bad.rep:9: id 0 is freed after"
                         " it was freed (in line 7)\n")
        self.assertIn("the following arguments are required: TRACE", self.refusal())

    def test_an_unknown_strategy_is_told_with_the_list(self) -> None:
        for given in ("slab", ""):
            self.assertEqual(
                self.refusal("good.rep", "--strategies", given), "heaplab: error: there is no"
                f" strategy '{given}'; choose from: bitmap, tlsf, boundary-map\n")

    def test_an_unknown_hardening_is_told_with_the_list(self) -> None:
        self.assertEqual(
            self.refusal("good.rep", "--strategies", "bitmap", "--hardening", "off,much"),
            "heaplab: error: there is no hardening level 'much'; choose from: off, check,"
            " redzone, full\n")

    def test_a_page_that_cannot_be_written_is_told(self) -> None:
        for given, words in ((".", "cannot be written: it is a directory"),
                             ("good.rep", "cannot be written: this film is of it")):
            self.assertEqual(
                self.refusal("good.rep", "--strategies", "bitmap", "--out", given),
                f"heaplab: error: {given}: {words}\n")

    def test_a_fill_cannot_be_cut(self) -> None:
        self.assertEqual(
            self.refusal("fill-small", "--strategies", "bitmap", "--operations", "10"),
            "heaplab: error: --operations: not with fill-small: it fills the heap, and ends at its"
            " first failure\n")

    def test_numbers_out_of_range_are_told(self) -> None:
        for option, value in (("--heap-kib", "63"), ("--operations", "0"), ("--seed", "x"),
                              ("--jobs", "0")):
            self.assertRegex(self.refusal("good.rep", "--strategies", "bitmap", option, value),
                             rf"\Aheaplab: error: .*{option}.*\n\Z")


class _Silent:
    def show(self, plan: Plan) -> None:
        """Nothing."""


def _filmed(of: Trace, scratch: Path) -> Sequence[Reel]:
    """What the kernels make of a trace."""
    programs = Build(HEAP_KIB)
    programs.prepare([f"los-{name}.elf" for name in STRATEGIES], lambda text: None)
    filming = command.Filming(
        command.Request("made-up.rep", STRATEGIES, HEAP_KIB), of,
        {name: programs.program(f"los-{name}.elf") for name in STRATEGIES}, scratch)
    process.wait_for(carry_out(filming.plan, 2, filming.perform, _Silent()))
    return filming.reels


@unittest.skipIf(programs_missing() or missing(), programs_missing() or missing())
class Hardened(FilmInBrowser):
    """Levels of hardening, and locks, side by side; fill-large ends at its first failure."""

    def test_each_level_is_a_heap_of_its_own_and_explains_its_failure(self) -> None:
        self.film_two("--hardening", "full,off", ["bitmap", "bitmap+full"])

    def test_each_lock_is_a_heap_of_its_own_too(self) -> None:
        self.film_two("--locking", "percpu,none", ["bitmap", "bitmap+percpu"])

    def film_two(self, option: str, words: str, names: list[str]) -> None:
        """Film one strategy at two settings of a dial, and go to each one's failure."""
        said = io.StringIO()
        with temporary_directory() as directory, browser() as type(self).browser, \
                contextlib.redirect_stderr(said):
            type(self).page = directory / "film.html"
            self.assertEqual(commands.main(
                ["play", "fill-large", "--strategies", "bitmap", option, words, "--out",
                 str(self.page)]), 0)
            told = dict(re.findall(r"(?m)^heaplab: (bitmap\S*): .*; 1 failure, in operation"
                                   r" ([\d,]+)$", said.getvalue()))
            self.assertEqual(list(told), names, said.getvalue())
            self.open()
            self.assertEqual(self.browser.run(
                "return [...document.querySelectorAll('[data-heap]')].map(one =>"
                " one.dataset.heap)"), list(told))
            for name, operation in told.items():
                self.go(int(operation) + 1)
                self.assertRegex(self.part(name, "deed").text,
                                 r"^Refused in [\d,]+ instructions: needs [\d,]+; ")
            self.assertEqual(self.browser.errors(), [])


@unittest.skipIf(programs_missing() or missing(), programs_missing() or missing())
class Film(FilmInBrowser):

    reels: Sequence[Reel]

    @classmethod
    def setUpClass(cls) -> None:
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        directory = stack.enter_context(temporary_directory())
        of = _script(1500, 1, range(64, 24000))
        cls.reels = _filmed(of, directory)
        cls.page = directory / "film.html"
        cls.page.write_text(page.page(of, cls.reels), "utf-8")
        cls.browser = stack.enter_context(browser())

    def test_it_fits_a_desk_and_a_phone_without_complaint_or_request(self) -> None:
        for width in (1280, 400):
            with self.subTest(width):
                self.open(width)
                self.go(700)
                self.press(self.control("failure"))
                self.assertEqual(self.browser.errors(), [])
                self.assertEqual(self.browser.requests(), [self.page.as_uri()])
                self.assertEqual(self.browser.overflow(), 0)

    def test_the_numbers_shown_are_those_of_the_records(self) -> None:
        self.open()
        shown = self.browser.run(
            "return arguments[0].map(index => { player.film.time = index + 1; player.show();"
            " return player.views.map(view => arguments[1].map(name =>"
            " Number(view.part(name).textContent.replaceAll(',', '')))) })",
            self.reels[0].record["series"]["operation"], FIGURES)
        self.assertGreater(len(shown), 200)
        for place, reel in enumerate(self.reels):
            series = reel.record["series"]
            self.assertEqual([one[place] for one in shown], [
                list(figures) for figures in zip(*(series[name] for name in FIGURES))], reel.name)

    def test_each_operation_tells_its_place_and_its_cost(self) -> None:
        self.open()
        for reel in self.reels:
            index = reel.record["malloc"]["max_operation"]
            self.go(index + 1)
            said = self.part(reel.name, "deed").text
            self.assertIn(f"in {reel.record['malloc']['max']:,} instructions", said)
            if reel.notes.placements[index] != NONE:
                self.assertIn(f"Placed at +0x{reel.notes.placements[index]:06x}", said)

    def test_a_failure_is_explained_with_the_figures_of_the_record(self) -> None:
        self.open()
        for reel in self.reels:
            first = reel.record["first_failure"]
            self.go(first["operation"] + 1)
            holes = f"{first['holes']:,} hole{'s' if first['holes'] != 1 else ''}"
            self.assertIn(f": needs {first['size']:,}; {first['free']:,} free in {holes},"
                          f" largest {first['largest']:,}", self.part(reel.name, "deed").text)

    def test_jumps_go_where_they_say(self) -> None:
        self.open()
        failures = sorted({index + 1 for reel in self.reels
                           for index, what in enumerate(reel.outcomes) if what == FAILED})
        self.assertGreater(len(failures), 3)
        self.assertEqual(self.browser.run("return player.failures"), failures)
        self.assertEqual([self.press(self.control("failure")) for _ in range(3)], failures[:3])
        self.assertEqual(self.press(self.control("failure-before")), failures[1])
        difference = film.first_difference(self.reels)
        assert difference is not None
        self.assertEqual(self.press(self.control("difference")), difference + 1)
        for reel in self.reels:
            self.assertEqual(self.press(self.part(reel.name, "worst")),
                             reel.record["cost"]["max_operation"] + 1)
            least = _walk(reel, self.press(self.part(reel.name, "squeezed"))).figures()["largest"]
            self.assertLessEqual(least, min(reel.record["series"]["largest"]))

    def test_the_bar_can_be_dragged(self) -> None:
        from selenium.webdriver.common.action_chains import ActionChains
        self.open()
        bar = self.control("time")
        self.browser.run("window.been = []; arguments[0].addEventListener('input', () =>"
                         " been.push(player.film.time))", bar)
        width = bar.size["width"]
        drag = ActionChains(self.browser.driver, duration=20)
        drag.move_to_element_with_offset(bar, 8 - width // 2, 0).click_and_hold()
        drag.move_by_offset(width // 2, 0).move_by_offset(-width // 4, 0).release().perform()
        self.assertTrue(eventually(lambda: 300 < self.at() < 450), self.at())
        self.assertGreater(max(self.browser.run("return window.been")), 600)

    def test_keys_step_play_and_jump(self) -> None:
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys
        self.open()

        def type_keys(*keys: str, held: str = "") -> int:
            chain = ActionChains(self.browser.driver)
            chain = chain.key_down(held).send_keys(*keys).key_up(held) if held \
                else chain.send_keys(*keys)
            chain.perform()
            self.browser.run("player.show()")
            return self.at()

        self.assertEqual(type_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT), 3)
        self.assertEqual(type_keys(Keys.ARROW_LEFT), 2)
        self.assertEqual(type_keys(Keys.ARROW_RIGHT, held=Keys.SHIFT), 102)
        self.assertEqual(type_keys(Keys.END), 1500)
        self.assertEqual(type_keys(Keys.HOME), 0)
        failures = self.browser.run("return player.failures.slice(0, 2)")
        self.assertEqual([type_keys("f"), type_keys("f")], failures)
        self.assertEqual(type_keys("F"), failures[0])
        self.assertEqual(type_keys("d"),
                         self.browser.run("return player.film.first_difference") + 1)

    def test_playing_goes_on_until_it_is_stopped(self) -> None:
        self.open()
        self.control("play").click()
        self.assertEqual(self.control("play").text, "Pause")
        self.assertTrue(eventually(lambda: self.at() > 20))
        self.control("play").click()
        stopped = self.at()
        time.sleep(0.3)
        self.assertEqual((self.at(), self.control("play").text), (stopped, "Play"))

    def test_the_pointer_finds_every_kind_of_block(self) -> None:
        self.open()
        self.go(900)
        for reel in self.reels:
            found = set()
            owners = _owners(reel, 900)
            for start, stop, state in _blocks(reel, 900):
                if stop - start < 64:
                    continue
                said = self.pointed_at(reel, (start + stop) // 2)
                found.add(state)
                self.assertIn(f"{stop - start:,}", said)
                if state == LIVE:
                    (index,) = (index for index in owners
                                if start <= reel.notes.placements[index] < stop)
                    self.assertRegex(said, self.life(reel, index, stop - start))
            self.assertLessEqual({LIVE, FREE}, found)

    def pointed_at(self, reel: Reel, place: int) -> str:
        """What is said when the pointer moves to a place in the region."""
        return str(self.browser.run("""
            const view = player.views.find(view => view.reel.name === arguments[0]);
            const canvas = view.part("marks"), box = canvas.getBoundingClientRect();
            const cell = Math.floor(arguments[1] / view.reel.cellBytes);
            canvas.dispatchEvent(new PointerEvent("pointermove", {
                clientX: box.left + (cell % 256 + 0.5) / 256 * box.width,
                clientY: box.top + (Math.floor(cell / 256) + 0.5) / view.rows * box.height}));
            return view.part("block").textContent;""", reel.name, place))

    def life(self, reel: Reel, index: int, granted: int) -> str:
        """What must be said of the block that an operation placed."""
        kind, ident, size = reel.operations[index]
        return (rf"id {ident}: {size:,} requested, {granted:,} granted, {granted - size:,} wasted;"
                rf" {'allocated' if kind == 'a' else 'resized'} by operation {index:,},"
                rf" {899 - index:,} operations? ago")

    def test_arrow_keys_go_from_block_to_block_on_a_map(self) -> None:
        from selenium.webdriver.common.keys import Keys
        self.open()
        self.go(900)
        marks = self.part("bitmap", "marks")
        blocks = _blocks(self.reels[0], 900)
        for place in (1, 2, 3):
            marks.send_keys(Keys.ARROW_RIGHT)
            start = self.browser.run("return player.views[0].selected")
            self.assertEqual(start, blocks[place][0])
        self.assertEqual(self.at(), 900)

    def test_any_moment_is_the_same_from_whichever_side_it_is_reached(self) -> None:
        self.open()
        for moment in (1499, 0, 750, 749, 1024, 1023, 1500, 3):
            self.go(moment)
            shown = self.browser.run(
                "return player.reels.map(reel => [...Array(reel.walk.count).keys()].map(i =>"
                " [reel.walk.start(i), reel.walk.end(i), reel.walk.state(i)]))")
            for place, reel in enumerate(self.reels):
                self.assertEqual(shown[place], [list(one) for one in _blocks(reel, moment)],
                                 f"{reel.name} after {moment} operations")


def _owners(reel: Reel, moment: int) -> list[int]:
    """The operations that placed the blocks that are live, from trace and placements."""
    owners: dict[int, int] = {}
    for index, (_, ident, _) in enumerate(reel.operations[:moment]):
        if reel.outcomes[index] == film.DONE:
            owners.pop(ident, None)
            if reel.notes.placements[index] != NONE:
                owners[ident] = index
    return list(owners.values())


def _walk(reel: Reel, moment: int) -> film.Walk:
    walk = film.Walk(reel.total_bytes)
    for blocks in reel.notes.changes[:moment + 1]:
        walk.apply(blocks)
    return walk


def _blocks(reel: Reel, moment: int) -> list[Block]:
    return list(_walk(reel, moment).blocks)


if __name__ == "__main__":
    unittest.main()
