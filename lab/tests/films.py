# SPDX-License-Identifier: MIT
"""Films in a browser."""

from __future__ import annotations

import unittest
from pathlib import Path
from typing import Any

from lab.tests.browser import Browser
from lab.tests.support import eventually


class FilmInBrowser(unittest.TestCase):
    """A film in a window, and what its page says."""

    browser: Browser
    page: Path

    def open(self, width: int = 1280) -> None:
        self.browser.open(self.page, width)
        ready = "return document.body.dataset.ready === 'yes'"
        if not eventually(lambda: bool(self.browser.run(ready)), 60):
            self.fail(f"the film does not begin: {self.browser.errors()}")

    def at(self) -> int:
        """How many operations the film has shown."""
        return int(self.browser.run("return player.film.time"))

    def go(self, moment: int) -> None:
        self.browser.run("player.go(arguments[0]); player.show()", moment)

    def control(self, name: str) -> Any:
        return self.browser.run(f"return document.querySelector('[data-control={name}]')")

    def part(self, heap: str, name: str) -> Any:
        return self.browser.run(
            "return document.querySelector(arguments[0])",
            f"[data-heap='{heap}'] [data-part={name}]")

    def press(self, element: Any) -> int:
        """Click, and say where the film is then."""
        element.click()
        self.browser.run("player.show()")
        return self.at()
