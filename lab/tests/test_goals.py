# SPDX-License-Identifier: MIT
"""What boundary-map reached of its goals: told from records, and put where a document says."""

from __future__ import annotations

import unittest
from typing import Any

from lab import ROOT, goals, markdown
from lab.goals import HEAP, RIVALS
from lab.results import Document
from lab.tests.support import document, temporary_directory
from lab.workload import STANDARD

BEGIN, END = "<!-- goals -->", "<!-- end of goals -->"


def made(**changes: Any) -> Document:
    """A comparison of all that is needed, made up; the first heap has these figures."""
    one = document((HEAP, *RIVALS), ("one", *STANDARD))
    one["settings"]["traces"] = ["one"]
    for record in one["records"]:
        record["tightness"] = 0.9 if record["strategy"] == HEAP else 0.8
        if record["strategy"] == HEAP:
            record.update(changes)
    return one


def row(of: Document, goal: str) -> str:
    """What a document says of a goal."""
    (line,) = (line for line in goals.table(of).splitlines() if line.startswith(f"| {goal}"))
    return line


class Goals(unittest.TestCase):

    def test_what_was_reached_is_told(self) -> None:
        self.assertIn("| 170 |", row(made(), "no kfree above 310"))
        self.assertIn("| 9 of 9 |", row(made(), "tighter than"))

    def test_what_fell_short_is_named_with_its_figure(self) -> None:
        self.assertRegex(row(made(), "mean at most 45"), r"short: \*\*churn-kernel-50 10\d\.\d\*\*")
        worst = {"max": 311, "operations": 1, "total": 311}
        self.assertRegex(row(made(free=worst), "no kfree above 310"), r"short: \*\*\S+ 311\*\*")
        self.assertIn("**churn-kernel-85 2**", row(made(failures=2), "no failure at 85"))
        self.assertIn("**churn-kernel-50 0 KiB**", row(made(), "largest hole"))

    def test_as_tight_is_not_tighter_but_within_a_hundredth(self) -> None:
        self.assertIn("**one 0.8000 (dlmalloc 0.8000)**", row(made(tightness=0.8), "tighter than"))
        self.assertNotIn("short", row(made(tightness=0.793), "within 1 %"))
        self.assertIn("short", row(made(tightness=0.791), "within 1 %"))

    def test_state_outside_the_region_can_cost_a_heap_its_lead(self) -> None:
        one = made(smallest_total_bytes=1000, peak_requested_bytes=900)
        for record in one["records"]:
            if record["strategy"] != HEAP:
                record.update(smallest_total_bytes=1010, peak_requested_bytes=900)
            record["footprint"] = record["footprint"] | {"control_bytes": 10}
        self.assertIn("| 9 of 9 |", row(one, "the same with what"))
        for record in one["records"]:
            if record["strategy"] == HEAP:
                record["footprint"] = record["footprint"] | {"control_bytes": 20}
        self.assertIn("**one 0.8824 (dlmalloc 0.8824)**", row(one, "the same with what"))

    def test_a_comparison_without_all_of_it_tells_nothing(self) -> None:
        self.assertEqual(goals.table(document((HEAP, *RIVALS))), "")
        self.assertEqual(goals.table(document((HEAP,), ("one", *STANDARD))), "")
        without_samples = {name: [] for name in made()["records"][0]["series"]}
        self.assertEqual(goals.table(made(series=without_samples)), "")


class Place(unittest.TestCase):

    def test_the_table_takes_its_place_and_is_left_alone_by_lesser_comparisons(self) -> None:
        with temporary_directory() as directory:
            path = directory / "page.md"
            path.write_text(f"<!-- figures: footprint -->\n<!-- end of figures -->\n"
                            f"{BEGIN}\nstale\n{END}\nafter\n")
            text = markdown.text_for(path, made())
            self.assertIn(f"{BEGIN}\n| goal | reached |\n", text)
            self.assertTrue(text.endswith(f"\n{END}\nafter\n"))
            self.assertNotIn("stale", text)
            path.write_text(text)
            inside = text[text.index(BEGIN):]
            self.assertTrue(markdown.text_for(path, document()).endswith(inside))

    def test_the_strategies_page_has_one_with_each_goal(self) -> None:
        text = (ROOT / "docs" / "strategies.md").read_text("utf-8")
        inside = text[text.index(BEGIN):text.index(END)]
        for line in goals.table(made()).splitlines():
            self.assertIn(line.split("|")[1], inside)


if __name__ == "__main__":
    unittest.main()
