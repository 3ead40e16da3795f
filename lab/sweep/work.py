# SPDX-License-Identifier: MIT
"""Which jobs are still to be done: those of a killed worker again, those that keep failing not."""

from __future__ import annotations

import collections
from typing import Collection, Iterable, Optional, Sequence

from lab.errors import RunError
from lab.sweep.store import Store

ATTEMPTS = 3
"""How often a job is begun, if it fails or its worker is killed."""


class Work:
    """The jobs of a sweep, by key: pending, handed out, done, failed."""

    def __init__(self, store: Store, keys: Iterable[str], check: Optional[str] = None) -> None:
        self.store = store
        self.check = check
        """The job by which machines are checked; None: they are not."""
        keys = list(dict.fromkeys(keys))
        self._keys = set(keys)
        self.done = self._keys & store.done()
        self.total = len(keys)
        self.pending = collections.deque(key for key in keys if key not in self.done)
        self.found_done = len(self.done)
        """How many had their results before this work began."""
        self.failures: dict[str, RunError] = {}
        self._attempts: collections.Counter[str] = collections.Counter()

    def take(self, number: int) -> list[str]:
        """Hand out up to so many jobs."""
        return [self.pending.popleft() for _ in range(min(number, len(self.pending)))]

    def look(self) -> None:
        """See what workers that say nothing have done."""
        self.done |= self._keys & self.store.done()

    def settle(self, keys: Sequence[str], begun: Collection[str]) -> None:
        """The worker that had `keys` has ended; `begun` are those it came to."""
        for key in keys:
            if self.store.has(key):
                self.done.add(key)
                continue
            self._attempts[key] += key in begun
            if self._attempts[key] < ATTEMPTS:
                self.pending.append(key)
            else:
                self.failures[key] = self._failure(key)

    def _failure(self, key: str) -> RunError:
        failure = self.store.failure(key)
        if failure:
            return RunError(failure["message"], failure["log"])
        return RunError(f"the worker that had job {key} died of it {ATTEMPTS} times")

    def insist_on_all(self) -> None:
        """Raise RunError, with the first failure, unless all is done."""
        if not self.failures:
            return
        first = next(iter(self.failures.values()))
        others = f"{len(self.failures):,} jobs of {self.total:,} failed {ATTEMPTS} times, the" \
            " others are done, and kept; the first: " if len(self.failures) > 1 else ""
        raise RunError(others + first.message, first.log)
