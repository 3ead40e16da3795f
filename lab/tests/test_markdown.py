# SPDX-License-Identifier: MIT
"""Figures inside documents."""

from __future__ import annotations

import unittest

from lab import markdown
from lab.errors import InputError
from lab.tests.support import document, temporary_directory


class Markdown(unittest.TestCase):

    def test_figures_replace_what_stood_between_the_marks_and_nothing_else(self) -> None:
        with temporary_directory() as directory:
            path = directory / "page.md"
            path.write_text(f"before\n{markdown.BEGIN}\nstale\n{markdown.END}\nafter\n")
            text = markdown.text_for(path, document())
            self.assertTrue(text.startswith(f"before\n{markdown.BEGIN}\n**one**: "), text[:80])
            self.assertTrue(text.endswith(f"\n{markdown.END}\nafter\n"))
            self.assertNotIn("stale", text)
            path.write_text(text)
            self.assertEqual(markdown.text_for(path, document()), text)

    def test_a_new_document_is_the_figures(self) -> None:
        with temporary_directory() as directory:
            text = markdown.text_for(directory / "new.md", document())
        self.assertRegex(text, r"(?m)^\| strategy \| mean \| p99\.9 \|")
        self.assertRegex(text, r"(?m)^\| bitmap \| \**\d")

    def test_a_document_without_a_place_is_refused(self) -> None:
        with temporary_directory() as directory:
            path = directory / "page.md"
            for text in ("nothing\n", markdown.BEGIN, f"{markdown.END}\n{markdown.BEGIN}\n"):
                path.write_text(text)
                with self.assertRaisesRegex(InputError, "page.md: has no place for the figures"):
                    markdown.check(path)


if __name__ == "__main__":
    unittest.main()
