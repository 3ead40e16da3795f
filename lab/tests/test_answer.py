# SPDX-License-Identifier: MIT
"""answer: what it refuses, and that its page says what its records say."""

from __future__ import annotations

import json
import re
import unittest

from lab import ROOT
from lab.answer import command as answer, fit, pages, worst_case
from lab.answer.chapter import Scale
from lab.errors import RunError
from lab.evidence import Records
from lab.experiment import CACHEGRIND, KERNEL, PROCESSOR, REPEATABLE, Experiment
from lab.tests import committed


class BadInput(committed.BadInput):

    NAME = "answer"
    command = answer

    def test_an_unknown_option_is_told(self) -> None:
        self.assertEqual(self.refusal("--fast"), "heaplab: error: unrecognized arguments: --fast;"
                         " 'heaplab answer --help' says more\n")

    def test_a_page_that_is_no_markdown_is_told(self) -> None:
        self.assertEqual(self.refusal("--out", "answer.html"), "heaplab: error: --out answer.html:"
                         " the page is Markdown, its name ends with .md\n")

    def test_an_unwritable_place_is_told(self) -> None:
        self.assertEqual(self.refusal("--json", "."),
                         "heaplab: error: .: cannot be written: it is a directory\n")
        self.assertEqual(self.refusal("--out", "/dev/null/answer.md"), "heaplab: error:"
                         " /dev/null/answer.md: cannot be written: /dev/null is not a directory\n")
        self.assertEqual(self.refusal("--out", "a.md", "--json", "a.md"), "heaplab: error: a.md:"
                         " two results cannot be written to the same file\n")


class Committed(committed.Page):
    """docs/answer.md."""

    NAME = "answer"
    pages = pages

    def test_it_is_the_whole_and_not_the_quick_one(self) -> None:
        self.assertEqual(self.document["settings"], {"quick": False, "cachegrind": True,
                                                     "timed": True})

    def test_each_chapter_has_all_its_parts(self) -> None:
        text = self.page.read_text("utf-8")
        chapters = re.split(r'<a id="', text)[1:]
        self.assertEqual(len(chapters), len(pages.CHAPTERS))
        for module, chapter in zip(pages.CHAPTERS, chapters):
            with self.subTest(module.ABOUT.slug):
                parts = ["**Claim.**", "**Experiment.**", "**Cure", "*Verdict: "]
                parts += ["**Numbers.**", "\n![", ".svg)"]
                for part in parts:
                    self.assertIn(part, chapter)

    def test_each_chapter_says_how_many_records_it_has(self) -> None:
        for one in pages.chapters(self.document):
            marked = [record["key"] for record in self.document["records"]
                      if one.number in record["chapters"]]
            with self.subTest(one.slug):
                self.assertEqual(one.records, len(marked))

    def test_a_quick_part_of_the_records_comes_out_again(self) -> None:
        results = {record["key"]: record["result"] for record in self.document["records"]}
        chosen = [one for one in pages.experiments(Scale())
                  if one.machine in REPEATABLE and one.effort <= 3000 and one.heap_kib == 1024
                  and one.hardening == "off" and "died" not in results[one.key]]
        self.assertGreater(len(chosen), 100)
        self.must_come_out_again(chosen)


class Words(unittest.TestCase):
    """The templates' own words."""

    # May be said without having been measured: what the heaps are made of (1 byte, 4 bytes, 8,
    # 16 KiB a row, 32 bits a word, 64; sizes of 100 to 4,096), years, chapters, percentiles.
    CONSTANTS = {"0", "1", "3", "4", "6", "8", "16", "32", "64", "99.9", "100", "1,000", "4,096",
                 "1977", "1994"}

    def test_no_figure_is_typed(self) -> None:
        for path in sorted((ROOT / "lab" / "templates" / "answer").glob("*.md")):
            text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", path.read_text("utf-8"), flags=re.DOTALL)
            with self.subTest(path.name):
                self.assertLessEqual(set(re.findall(r"\d[\d,.]*\d|\d", text)), self.CONSTANTS)

    def chapter_without(self, setting: str, machine: str) -> pages.Chapter:
        """Chapter 6 of a machine that could not have such records."""
        document = json.loads((ROOT / "docs" / "answer" / "results.json").read_text("utf-8"))
        document["settings"][setting] = False
        document["records"] = [record for record in document["records"]
                               if record["machine"] != machine]
        (chapter,) = (one for one in pages.chapters(document) if one.slug == "byte-map")
        return chapter

    def test_what_valgrind_would_have_said_is_said_to_be_missing(self) -> None:
        self.assertIn("valgrind could not be called",
                      self.chapter_without("cachegrind", CACHEGRIND).body)

    def test_times_of_an_emulator_are_left_out(self) -> None:
        chapter = self.chapter_without("timed", PROCESSOR)
        self.assertIn("Not timed: ", chapter.body)
        self.assertIn("| map | instructions |\n|---|--:|\n| a byte a block, one by one | ",
                      chapter.body)
        self.assertIn("| against | by instructions counted |\n|---|--:|\n| tlsf | ", chapter.body)
        self.assertNotIn("cycles", chapter.telling.figures["scan"])


class Fit(unittest.TestCase):

    def test_points_on_a_line_fit_perfectly(self) -> None:
        line = fit.line([1, 2, 4], [5, 7, 11])
        self.assertAlmostEqual(line.slope, 2)
        self.assertAlmostEqual(line.at(10), 23)
        self.assertAlmostEqual(line.r_squared, 1)

    def test_points_in_disorder_fit_badly(self) -> None:
        self.assertLess(fit.line([1, 2, 3, 4], [0, 9, 9, 0]).r_squared, 0.01)

    def test_a_level_line_is_a_perfect_fit(self) -> None:
        self.assertEqual(fit.line([1, 2], [3, 3]).r_squared, 1)


class RecordsOfChapters(unittest.TestCase):

    def test_a_record_that_is_missing_is_named(self) -> None:
        one = Experiment(KERNEL, "bitmap", "run=replay")
        with self.assertRaises(RunError) as raised:
            Records({})[one]
        self.assertEqual(raised.exception.message, f"there is no record of: {one.key}")

    def test_what_was_asked_for_is_known(self) -> None:
        one = Experiment(KERNEL, "bitmap", "run=replay")
        records = Records({one.key: {"cost": 1}, "other": {}})
        self.assertEqual(records[one], {"cost": 1})
        self.assertEqual(records.asked, {one.key})


class Adversary(unittest.TestCase):

    def test_the_comb_leaves_room_for_two_blocks_only_at_the_end(self) -> None:
        lines = worst_case.comb(64, rounds=3).splitlines()
        blocks = 64 * 1024 // worst_case.BLOCK_BYTES
        taken = {int(line.split()[1]) for line in lines[4:] if line.startswith("a ")
                 and line.endswith(f" {worst_case.BLOCK_BYTES}")}
        freed = {int(line.split()[1]) for line in lines[4:-6] if line.startswith("f ")}
        self.assertEqual(taken, set(range(blocks - 2)))
        self.assertEqual(freed, set(range(0, blocks - 2, 2)))
        self.assertEqual(lines[-6:], [f"a {blocks - 2} 128", f"f {blocks - 2}"] * 3)

    def test_quick_measures_less(self) -> None:
        self.assertLess(len(worst_case.experiments(Scale(quick=True))),
                        len(worst_case.experiments(Scale())))


if __name__ == "__main__":
    unittest.main()
