# SPDX-License-Identifier: MIT
"""How traces are changed, measured against each other, and made small."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import unittest
from pathlib import Path
from typing import Sequence
from unittest import mock

from lab import trace
from lab.errors import RunError
from lab.worst import goals, variation
from lab.worst.goals import Found
from lab.worst.minimise import minimise
from lab.worst.search import Budget, Search
from lab.worst.sequence import Limits, Operations, live_at_end, mended, to_rep

LIMITS = Limits(operations=100, size_min=8, size_max=1000, live_bytes=4000)


class Sequences(unittest.TestCase):

    def test_frees_of_what_is_not_live_are_left_away(self) -> None:
        self.assertEqual(mended([(0, 0), (7, 64), (7, 0), (7, 0)], LIMITS), ((0, 64), (0, 0)))

    def test_an_id_that_is_live_becomes_another_block(self) -> None:
        self.assertEqual(mended([(3, 64), (3, 32), (3, 0), (3, 0)], LIMITS),
                         ((0, 64), (1, 32), (1, 0), (0, 0)))

    def test_requests_beyond_a_limit_are_left_away_or_made_to_fit(self) -> None:
        self.assertEqual(mended([(0, 1), (1, 5000)], LIMITS), ((0, 8), (1, 1000)))
        self.assertEqual(mended([(i, 900) for i in range(9)], LIMITS),
                         tuple((i, 900) for i in range(4)))
        self.assertEqual(len(mended([(i, 8) for i in range(200)], LIMITS)), 100)

    def test_whatever_is_changed_is_a_trace_within_the_limits(self) -> None:
        rng = random.Random(1)
        parents = [variation.made_up(rng, LIMITS) for _ in range(6)]
        for _ in range(400):
            parents = [variation.varied(rng, parents, LIMITS), *parents[:5]]
            made = trace.parse(to_rep(parents[0], 64).encode(), Path("made"))
            self.assertLessEqual(made.operations, LIMITS.operations)
            self.assertLessEqual(made.peak_requested_bytes, LIMITS.live_bytes)

    def test_the_same_seed_makes_the_same_traces(self) -> None:
        def made() -> list[Operations]:
            rng = random.Random(7)
            parents = [variation.made_up(rng, LIMITS) for _ in range(4)]
            return [variation.varied(rng, parents, LIMITS) for _ in range(50)]

        self.assertEqual(made(), made())
        self.assertGreater(len(set(made())), 40)


class Minimising(unittest.TestCase):

    def minimised(self, operations: Operations, needs: set[int],
                  tries: int = 10**6) -> tuple[Operations, bool]:
        """Whoever asks is content as long as blocks of all these sizes are live in the end."""
        left = [tries]

        async def keeps(traces: Sequence[Operations]) -> list[bool]:
            left[0] -= len(traces)
            return [needs <= set(live_at_end(one).values()) for one in traces]

        return asyncio.run(minimise(operations, LIMITS, keeps, 8, lambda: left[0] > 0))

    def test_only_what_is_needed_remains(self) -> None:
        operations = mended([(i, 10 + i) for i in range(60)] + [(i, 0) for i in range(5, 40)],
                            dataclasses.replace(LIMITS, live_bytes=10**6))
        shorter, minimal = self.minimised(operations, {12, 60})
        self.assertEqual((shorter, minimal), (((0, 12), (1, 60)), True))

    def test_a_free_goes_with_its_block(self) -> None:
        shorter, _ = self.minimised(((0, 100), (1, 64), (0, 0)), {64})
        self.assertEqual(shorter, ((0, 64),))

    def test_who_is_stopped_has_something_and_says_that_it_may_be_longer_than_need_be(self) -> None:
        operations = tuple((i, 10 + i) for i in range(60))
        shorter, minimal = self.minimised(operations, {12, 60}, tries=20)
        self.assertLessEqual({12, 60}, set(live_at_end(shorter).values()))
        self.assertFalse(minimal)


class FakeHeap:
    """A heap whose kmalloc costs what was asked for, and 1000 more for a 77."""

    strategy, heap_kib, kernel, host = "fake", 64, Path("/none"), Path("/none")

    def __init__(self) -> None:
        self.searched = 0

    async def smallest(self, one: Operations, _: Path) -> int:
        """A step of region for each operation."""
        self.searched += 1
        return 520 * len(one)

    async def fails(self, traces: Sequence[Operations], total_bytes: int, _: Path) -> list[bool]:
        return [520 * len(one) > total_bytes for one in traces]

    async def costs(self, traces: Sequence[Operations], _: Path) -> list[list[int]]:
        return [[size + 1000 * (size == 77) for _, size in one] for one in traces]


class Searching(unittest.TestCase):

    def search(self, seed: int = 1, evaluations: int = 400, goal: str = "malloc") -> Search:
        with mock.patch("lab.worst.search.CostBounds") as bounds:
            bounds.return_value.at.return_value = None
            one = Search(FakeHeap(), goal, seed,  # type: ignore[arg-type]
                         Budget(evaluations), Path())
        one.limits = LIMITS
        return one

    def test_the_worst_is_found_and_made_small(self) -> None:
        search = self.search()
        found = asyncio.run(search.run([((0, 64), (1, 70), (0, 0))]))
        self.assertIn(found.figure, (1000, 1077))
        self.assertEqual((len(found.operations), search.minimal), (1, True))

    def test_the_same_seed_is_the_same_search(self) -> None:
        first, second = self.search(), self.search()
        self.assertEqual(asyncio.run(first.run([])), asyncio.run(second.run([])))
        self.assertEqual(first.tried, second.tried)

    def test_it_ends_with_its_budget(self) -> None:
        search = self.search(evaluations=100)
        asyncio.run(search.run([]))
        self.assertLess(search.tried, 150)

    def test_it_begins_with_no_more_traces_than_its_budget_has(self) -> None:
        first = [((0, size),) for size in range(64, 164)]
        search = self.search(evaluations=5)
        found = asyncio.run(search.run(first))
        self.assertEqual((search.tried, found.operations, search.minimal),
                         (5, ((0, 68),), True))

    def test_a_search_that_finds_nothing_to_measure_says_so(self) -> None:
        search = self.search(evaluations=2, goal="free")
        with self.assertRaises(RunError) as caught:
            asyncio.run(search.run([((0, 64),), ((0, 65),)]))
        self.assertEqual(caught.exception.message,
                         "fake, kfree: there is none in the 2 traces that were tried")

    def test_the_smallest_region_is_looked_for_only_where_it_may_matter(self) -> None:
        search = self.search(goal="memory")
        found = asyncio.run(search.run([]))
        self.assertEqual((found.figure, len(found.operations)), (52000, LIMITS.operations))
        self.assertLess(search.heap.searched, search.tried / 2)  # type: ignore[attr-defined]

    def test_what_breaks_a_bound_is_the_worst_of_all(self) -> None:
        bounds = mock.Mock()
        bounds.at.side_effect = lambda _, size: 50 if size == 64 else 10**6
        operations = ((0, 64), (1, 900))
        found = goals.dearest("malloc", operations, [51, 9000], bounds)
        assert found
        self.assertEqual((found.figure, found.bound, found.index), (51, 50, 0))
        self.assertTrue(goals.exceeds(found))
        self.assertFalse(goals.exceeds(Found(operations, 1, 50, 50)))

    def test_a_call_that_cost_nothing_was_not_made(self) -> None:
        bounds = mock.Mock()
        bounds.at.return_value = None
        self.assertIsNone(goals.dearest("free", ((0, 64), (0, 0)), [9, None], bounds))


if __name__ == "__main__":
    unittest.main()
