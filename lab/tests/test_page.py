# SPDX-License-Identifier: MIT
"""The page in a real browser: at the width of a desk and of a phone, by pointer and by key."""

from __future__ import annotations

import contextlib
import unittest
from pathlib import Path
from typing import Any

from lab import report, results
from lab.results import Document
from lab.tests.browser import Browser, browser, missing
from lab.tests.support import changed, document, temporary_directory

HEAPS = ("bitmap", "next-fit", "tlsf", "boundary-map")
MEANS = {"bitmap": 9000.5, "next-fit": 95.25, "tlsf": 95.125, "boundary-map": None}
"""Apart only behind the digits that are shown; and one that has no figure."""

_NOTHING = {"operations": 0, "total": 0, "mean": None, "p50": None, "p99": None, "p999": None,
            "max": None, "max_operation": None}


def _document() -> Document:
    made = document(strategies=HEAPS, traces=("one", "a-trace-with-a-name-as-long-as-they-come"))
    for name, mean in MEANS.items():
        (first, *_) = [one for one in made["records"] if one["strategy"] == name]
        cost = _NOTHING if mean is None else first["cost"] | {"mean": mean}
        made = changed(made, name, cost=cost)
    return changed(made, "bitmap", failures=12,
                   first_failure={name: 7 for name in results.FIRST_FAILURE})


@unittest.skipIf(missing(), missing())
class Page(unittest.TestCase):
    """One browser for all of them: it takes a while to start."""

    browser: Browser
    page: Path
    tall: Path

    @classmethod
    def setUpClass(cls) -> None:
        stack = contextlib.ExitStack()
        cls.addClassCleanup(stack.close)
        directory = stack.enter_context(temporary_directory())
        cls.page, cls.tall = directory / "report.html", directory / "tall.html"
        cls.page.write_text(report.page(_document()), "utf-8")
        cls.tall.write_text(report.page(
            document(strategies=[f"heap-{place}" for place in range(40)], traces=("one",))),
            "utf-8")
        cls.browser = stack.enter_context(browser())

    def order(self) -> list[str]:
        """The heaps in the first table, from above."""
        names = self.browser.run("return [...document.querySelector('table').tBodies[0].rows]"
                                 ".map(row => row.cells[0].textContent)")
        return list(names)

    def heading(self, column: str) -> Any:
        """The button in a heading of the first table."""
        return self.browser.run(
            "return [...document.querySelectorAll('table')[0].tHead.rows[0].cells]"
            ".find(cell => cell.textContent === arguments[0]).firstChild", column)

    def sorted_by(self) -> dict[str, str]:
        """The columns that a reader is told the table is sorted by."""
        pairs = self.browser.run(
            "return [...document.querySelectorAll('table')[0].tHead.rows[0].cells]"
            ".map(cell => [cell.textContent, cell.getAttribute('aria-sort')])")
        return {column: how for column, how in pairs if how != "none"}

    def test_it_fits_a_desk_and_a_phone_without_complaint_or_request(self) -> None:
        for width in (1280, 400):
            with self.subTest(width):
                self.browser.open(self.page, width)
                self.assertEqual(self.browser.errors(), [])
                self.assertEqual(self.browser.requests(), [self.page.as_uri()])
                self.assertEqual(self.browser.overflow(), 0)
                broken = self.browser.run("return [...document.images].filter(image =>"
                                          " !image.complete || !image.naturalWidth).length")
                self.assertEqual((broken, self.browser.run("return document.images.length")),
                                 (0, 7))

    def test_a_picture_is_never_wider_than_its_column(self) -> None:
        for width in (1280, 400):
            self.browser.open(self.page, width)
            widths = self.browser.run("return [...document.images].map(i => i.clientWidth)")
            self.assertGreaterEqual(min(widths), 340)
            self.assertLessEqual(max(widths), min(width, 736))

    def test_a_click_sorts_by_the_figures_and_not_by_their_digits(self) -> None:
        self.browser.open(self.page, 1280)
        mean = self.heading("mean")
        for how, due in (("ascending", ["tlsf", "next-fit", "bitmap", "boundary-map"]),
                         ("descending", ["bitmap", "next-fit", "tlsf", "boundary-map"]),
                         (None, list(HEAPS))):
            mean.click()
            self.assertEqual(self.order(), due)
            self.assertEqual(self.sorted_by(), {"mean": how} if how else {})

    def test_keys_sort_as_a_pointer_does(self) -> None:
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys
        self.browser.open(self.page, 1280)
        keys = ActionChains(self.browser.driver)
        keys.send_keys(Keys.TAB, Keys.ENTER).perform()
        self.assertEqual(self.sorted_by(), {"strategy": "ascending"})
        self.assertEqual(self.order(), sorted(HEAPS))
        keys.send_keys(Keys.TAB, Keys.SPACE).perform()
        self.assertEqual(self.sorted_by(), {"mean": "ascending"})
        self.assertEqual(self.order()[0], "tlsf")

    def test_sorting_one_table_leaves_the_others_alone(self) -> None:
        self.browser.open(self.page, 1280)
        before = self.browser.run("return document.querySelectorAll('table')[1].innerHTML")
        self.heading("failures").click()
        self.heading("failures").click()
        self.assertEqual(self.order()[0], "bitmap")
        self.assertEqual(
            self.browser.run("return document.querySelectorAll('table')[1].innerHTML"), before)

    def test_on_paper_no_picture_of_40_heaps_is_cut_by_the_end_of_a_page(self) -> None:
        self.browser.open(self.tall, 700)
        self.browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        try:
            paper_pixels = 25 / 2.54 * 96
            heights = self.browser.run("return [...document.querySelectorAll('figure')]"
                                       ".map(one => one.offsetHeight)")
            self.assertLess(max(heights), paper_pixels)
            kept = self.browser.run("return [...document.querySelectorAll('figure, table')]"
                                    ".every(one => getComputedStyle(one).breakInside === 'avoid')")
            self.assertTrue(kept)
        finally:
            self.browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


if __name__ == "__main__":
    unittest.main()
