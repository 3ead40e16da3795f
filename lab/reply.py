# SPDX-License-Identifier: MIT
"""What a LOS kernel, or its Linux twin, says while it works (docs/runner.md)."""

from __future__ import annotations

import json
from typing import Any, Callable

from lab.errors import RunError


class Answer:
    """Takes the lines of one run."""

    def __init__(self, on_progress: Callable[[int, int], None]) -> None:
        self._on_progress = on_progress
        self.results: list[str] = []
        self.complaint = ""

    def line(self, text: str) -> None:
        """Take the next line."""
        kind, _, rest = text.partition(": ")
        if kind == "progress":
            done, _, total = rest.partition(" ")
            if done.isdigit() and total.isdigit():
                self._on_progress(int(done), int(total))
        elif kind == "result":
            self.results.append(rest)
        elif kind in ("error", "panic") and not self.complaint:
            self.complaint = text

    def result(self, what: str) -> Any:
        """The one result.

        Raises RunError unless there is exactly one, and it is JSON.
        """
        if len(self.results) != 1:
            raise RunError(f"{what}: there are {len(self.results)} results where one was due")
        try:
            return json.loads(self.results[0])
        except ValueError as error:
            raise RunError(f"{what}: the result is not JSON: {error}") from None
