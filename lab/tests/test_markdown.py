# SPDX-License-Identifier: MIT
"""Figures inside documents."""

from __future__ import annotations

import unittest

from lab import markdown
from lab.errors import InputError
from lab.tests.support import document, temporary_directory

BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


class Markdown(unittest.TestCase):

    def test_figures_replace_what_stood_in_their_place_and_nothing_else(self) -> None:
        with temporary_directory() as directory:
            path = directory / "page.md"
            path.write_text(f"before\n{BEGIN}\nstale\n{END}\nafter\n")
            text = markdown.text_for(path, document())
            self.assertTrue(text.startswith(f"before\n{BEGIN}\n**one**: "), text[:80])
            self.assertTrue(text.endswith(f"\n{END}\nafter\n"))
            self.assertNotIn("stale", text)
            path.write_text(text)
            self.assertEqual(markdown.text_for(path, document()), text)

    def test_a_place_takes_only_the_tables_it_names(self) -> None:
        with temporary_directory() as directory:
            path = directory / "page.md"
            path.write_text(f"<!-- figures: two, footprint -->\n{END}\nthen\n"
                            f"<!-- figures: one -->\n{END}\n")
            first, then, second = markdown.text_for(path, document()).partition("then\n")
        self.assertIn("**two**", first)
        self.assertIn("**footprint**", first)
        self.assertNotIn("**one**", first)
        self.assertIn("**one**", second)
        self.assertNotIn("**two**", second)

    def test_a_place_that_names_no_table_is_refused(self) -> None:
        with temporary_directory() as directory:
            path = directory / "page.md"
            path.write_text(f"<!-- figures: three -->\n{END}\n")
            with self.assertRaisesRegex(InputError, "there is no table 'three'; there are: one,"):
                markdown.text_for(path, document())

    def test_a_new_document_is_the_figures(self) -> None:
        with temporary_directory() as directory:
            text = markdown.text_for(directory / "new.md", document())
        self.assertRegex(text, r"(?m)^\| strategy \| mean \| p99\.9 \|")
        self.assertRegex(text, r"(?m)^\| bitmap \| \**\d")

    def test_a_document_without_a_place_is_refused(self) -> None:
        with temporary_directory() as directory:
            path = directory / "page.md"
            for text in ("nothing\n", BEGIN, f"{END}\n{BEGIN}\n"):
                path.write_text(text)
                with self.assertRaisesRegex(InputError, "page.md: has no place for the figures"):
                    markdown.check(path)


if __name__ == "__main__":
    unittest.main()
