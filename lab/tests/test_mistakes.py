# SPDX-License-Identifier: MIT
"""mistakes: the gallery's headers and patches, and what is said when a mistake is not caught."""

import unittest
from pathlib import Path
from unittest import mock

from lab import ROOT, mistakes, witness
from lab.errors import InputError, RunError
from lab.tests.support import temporary_directory

ENTRY = """Mistake: a loop is one too short
Strategy: bitmap
Caught by: exhaustive-bitmap
Says: a block is lost

Wrong: it ends too early.

Met in: loops.

Seen: nothing.

--- a/mm/bitmap.c
+++ b/mm/bitmap.c
@@ -1,3 +1,3 @@
 one
-two
+zwei
 three
@@ -9 +9,2 @@
-nine
+neun
+zehn
"""
SOURCE = "zero\none\ntwo\nthree\nfour\nnine\n"


class Entries(unittest.TestCase):

    def setUp(self) -> None:
        self.path = self.enterContext(temporary_directory()) / "too-short.patch"

    def read(self, text: str) -> mistakes.Mistake:
        self.path.write_text(text)
        return mistakes.read(self.path)

    def test_an_entry_says_what_is_wrong_where_and_who_has_to_say_what(self) -> None:
        entry = self.read(ENTRY)
        self.assertEqual((entry.name, entry.title, entry.strategy, entry.file),
                         ("too-short", "a loop is one too short", "bitmap", "mm/bitmap.c"))
        self.assertEqual(entry.expectations,
                         (mistakes.Expectation("exhaustive-bitmap", "a block is lost"),))

    def test_every_hunk_is_applied_wherever_its_lines_are(self) -> None:
        self.assertEqual(self.read(ENTRY).applied(SOURCE),
                         "zero\none\nzwei\nthree\nfour\nneun\nzehn\n")

    def test_a_patch_that_no_longer_fits_is_named_with_its_lines(self) -> None:
        for text, count in (("one\ndue\nthree\nnine\n", 0), (SOURCE + SOURCE, 2)):
            with self.assertRaisesRegex(RunError, "too-short.patch does not fit mm/bitmap.c any"
                                        f" more: these lines are there {count} times") as caught:
                self.read(ENTRY).applied(text)
            self.assertEqual(caught.exception.log, ("one", "two", "three"))

    def test_what_a_header_lacks_is_said(self) -> None:
        for line, said in (("Mistake: a loop is one too short\n", "no 'Mistake: ...'"),
                           ("Caught by: exhaustive-bitmap\n", "no 'Caught by: ...'"),
                           ("Met in: loops.\n", "no paragraph 'Met in: ...'")):
            with self.assertRaisesRegex(InputError, f"too-short.patch: .*{said}"):
                self.read(ENTRY.replace(line, ""))

    def test_an_unknown_mistake_is_one_line_with_the_names_there_are(self) -> None:
        with self.assertRaisesRegex(InputError, "there is no mistake called 'none'; choose from:"
                                    " best-fit-is-first-fit, "):
            mistakes.gallery(["none"])


class Gallery(unittest.TestCase):

    def test_it_has_many_mistakes_of_many_strategies(self) -> None:
        entries = mistakes.gallery()
        self.assertGreaterEqual(len(entries), 25)
        self.assertGreaterEqual(len({one.strategy for one in entries}), 10)

    def test_every_patch_fits_the_sources_of_today(self) -> None:
        for entry in mistakes.gallery():
            text = (ROOT / entry.file).read_text("utf-8")
            self.assertNotEqual(entry.applied(text), text)


class Cases(unittest.TestCase):

    def case(self, *catches: witness.Catch) -> mistakes.Case:
        entry = mistakes.Mistake("too-short", "a loop", "bitmap", "mm/bitmap.c",
                                 (mistakes.Expectation("exhaustive-bitmap", "is lost"),), "", "")
        return mistakes.Case(entry, (witness.Testimony(catches, (), 0.5),))

    def test_it_is_not_enough_that_some_test_fails(self) -> None:
        other = witness.Catch("strategy-bitmap: x", "a block is lost")
        (said,) = self.case(other).complaints()
        self.assertEqual(said, "too-short: exhaustive-bitmap should say 'is lost', but does not"
                         " fail")

    def test_it_is_not_enough_that_the_test_fails_in_other_words(self) -> None:
        (said,) = self.case(witness.Catch("exhaustive-bitmap", "it is red")).complaints()
        self.assertIn("but says: it is red", said)

    def test_a_row_of_the_document_is_compared_but_for_time_and_tests(self) -> None:
        case = self.case(witness.Catch("exhaustive-bitmap", "a block is lost", 3))
        document = self.enterContext(temporary_directory()) / "mistakes.md"
        table = mistakes.as_markdown([case])
        gallery = self.enterContext(temporary_directory())
        (gallery / "too-short.patch").touch()
        with mock.patch.object(mistakes, "GALLERY", gallery):
            for row, count in ((table, 0), (table.replace("500 ms | 1", "7 ms | 9"), 0),
                               (table.replace("| 3 |", "| 4 |"), 1), ("", 2)):
                document.write_text(f"<!-- mistakes -->\n{row}<!-- end of mistakes -->\n")
                self.assertEqual(len(mistakes.differences([case], Path(document))), count, row)


class Witnesses(unittest.TestCase):

    def hear(self, *lines: str) -> list[tuple[str, str, object]]:
        listener = witness._Listener(witness.Witness("strategy-x", ""))
        for line in lines:
            listener.hear(line)
        listener.hear("ok 9 - the_last")
        return [(one.test, one.message, one.calls) for one in listener.catches]

    def test_what_is_said_before_and_behind_a_failed_test_is_its_message(self) -> None:
        self.assertEqual(
            self.hear("ok 1 - a", "ERROR: seed 1, call 7: a block is lost", "not ok 2 - b",
                      "# tests/x.c:3: error: Failure!", "not ok 3 - c", "# kfree(0x1234) is 1"),
            [("strategy-x: b", "seed 1, call 7: a block is lost", 7),
             ("strategy-x: c", "kfree(ADDRESS) is 1", None)])

    def test_a_sanitizers_words_are_added_to_the_test_that_they_end(self) -> None:
        self.assertEqual(
            self.hear("SUMMARY: AddressSanitizer: heap-buffer-overflow /a/b/mm/x.c in f",
                      "Bail out! d: memory is touched"),
            [("strategy-x: d", "memory is touched (AddressSanitizer: heap-buffer-overflow"
              " mm/x.c in f)", None)])

    def test_an_exhaustive_tests_story_counts_its_calls(self) -> None:
        self.assertEqual(
            self.hear("x goes wrong on a heap of 16 + 1024 bytes, after 4 calls:", "  1. kmalloc",
                      "     wrong: two live blocks overlap"),
            [("strategy-x", "two live blocks overlap", 4)])


if __name__ == "__main__":
    unittest.main()
