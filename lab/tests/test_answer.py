# SPDX-License-Identifier: MIT
"""answer: what it refuses, and that its page says what its records say."""

from __future__ import annotations

import contextlib
import io
import os
import unittest
from unittest import mock

from lab import __main__ as command
from lab.answer import command as answer, fit, worst_case
from lab.answer.chapter import Records, Scale
from lab.errors import RunError
from lab.experiment import KERNEL, Experiment
from lab.tests.support import temporary_directory


class BadInput(unittest.TestCase):
    """Each is one whole line on standard error, status 2, and nothing written or started."""

    def setUp(self) -> None:
        self.directory = self.enterContext(temporary_directory())
        before = os.getcwd()
        os.chdir(self.directory)
        self.addCleanup(os.chdir, before)
        self.enterContext(mock.patch.object(answer, "measure", side_effect=AssertionError))

    def refusal(self, *arguments: str) -> str:
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = command.main(["answer", *arguments])
        self.assertEqual((status, out.getvalue()), (2, ""))
        self.assertEqual(list(self.directory.iterdir()), [])
        return err.getvalue()

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
