# SPDX-License-Identifier: MIT
"""What the chapters compute from traces and placements, on heaps small enough to count by hand."""

from __future__ import annotations

import unittest
from collections import Counter
from pathlib import Path
from typing import Any, Optional, Sequence

from lab.answer import fragmentation, front, leak, rounding, trust
from lab.answer.placed import ByteMap
from lab.errors import RunError
from lab.experiment import NO_PLACEMENT, Evidence, operations_of
from lab.trace import parse

MAP_BYTES = 64
NONE = NO_PLACEMENT


def at(block: int) -> int:
    """The placement of a block."""
    return MAP_BYTES + 64 * block


def evidence(operations: str, placements: Sequence[int], build_up: int = 0,
             failure: Optional[dict[str, int]] = None) -> Evidence:
    lines = operations.split(", ")
    ids = 1 + max(int(line.split()[1]) for line in lines)
    text = "\n".join(["0", str(ids), str(len(lines)), "1", *lines])
    raw: dict[str, Any] = {"footprint": {"map_bytes": MAP_BYTES}, "build_up_operations": build_up,
                           "first_failure": failure}
    return Evidence(raw, placements, parse(text.encode(), Path("made-up.rep")))


class Maps(unittest.TestCase):

    def setUp(self) -> None:
        self.heap = ByteMap({"footprint": {"map_bytes": MAP_BYTES}})

    def test_a_fresh_heap_is_one_hole(self) -> None:
        self.assertEqual(self.heap.holes(), [(0, MAP_BYTES)])

    def test_a_block_takes_whole_blocks_and_gives_them_back(self) -> None:
        self.heap.apply("a", 7, 65, at(3))
        self.assertEqual(self.heap.holes(), [(0, 3), (5, MAP_BYTES - 5)])
        self.heap.apply("f", 7, 0, NONE)
        self.assertEqual(self.heap.holes(), [(0, MAP_BYTES)])

    def test_a_resized_block_moves(self) -> None:
        self.heap.apply("a", 0, 64, at(0))
        self.heap.apply("r", 0, 128, at(10))
        self.assertEqual(self.heap.holes(), [(0, 10), (12, MAP_BYTES - 12)])

    def test_a_failed_resize_leaves_the_block(self) -> None:
        self.heap.apply("a", 0, 64, at(0))
        self.heap.apply("r", 0, 9999, NONE)
        self.assertEqual(self.heap.holes(), [(1, MAP_BYTES - 1)])

    def test_a_full_heap_has_no_hole(self) -> None:
        self.heap.apply("a", 0, 64 * MAP_BYTES, at(0))
        self.assertEqual(self.heap.holes(), [])


class Steps(unittest.TestCase):

    def test_first_fit_looks_at_all_blocks_up_to_the_end_of_its_answer(self) -> None:
        digest = front.search_steps(evidence("a 0 64, a 1 128, f 0, a 2 64, a 3 64",
                                             [at(0), at(1), NONE, at(0), at(3)], build_up=3))
        self.assertEqual(digest["searches"], 2)
        self.assertEqual(digest["steps"][:5], [2, 1, 1, 1, 0])
        self.assertEqual(digest["steps_over_used"][:5], [1, 1, 1, 0, 0])

    def test_a_failed_search_looks_at_all(self) -> None:
        digest = front.search_steps(evidence("a 0 9999", [NONE]))
        self.assertEqual(sum(digest["steps"]), MAP_BYTES)


class Failure(unittest.TestCase):

    TRACE = "a 0 64, a 1 64, f 0, a 2 4096"
    PLACED = [at(0), at(1), NONE, NONE]
    TOLD = {"operation": 3, "free": 63 * 64, "holes": 2, "largest": 62 * 64}

    def test_the_map_shows_each_hole(self) -> None:
        digest = fragmentation.map_at_failure(evidence(self.TRACE, self.PLACED,
                                                       failure=self.TOLD))
        self.assertEqual(digest, {"holes": [(0, 1), (2, 62)], "blocks": MAP_BYTES})

    def test_a_map_that_contradicts_the_heap_is_an_error(self) -> None:
        for name in ("free", "holes", "largest"):
            with self.subTest(name), self.assertRaisesRegex(RunError, f"says {name} = 1"):
                fragmentation.map_at_failure(evidence(self.TRACE, self.PLACED,
                                                      failure=self.TOLD | {name: 1}))

    def test_without_a_failure_there_is_no_map(self) -> None:
        self.assertIsNone(fragmentation.map_at_failure(evidence("a 0 64", [at(0)]))["holes"])


class Rounding(unittest.TestCase):

    def test_the_peak_is_where_most_is_requested(self) -> None:
        digest = rounding.rounded(evidence("a 0 10, a 1 100, f 1, r 0 20, a 2 1", [0] * 5))
        self.assertEqual(digest["peak"], 110)
        self.assertEqual(digest["granted_at_peak"], {"8": 120, "16": 128, "32": 160, "64": 192})
        self.assertEqual(digest["granted_samples"], [64, 192, 64, 64, 128])

    def test_requests_are_counted_by_size(self) -> None:
        digest = rounding.rounded(evidence("a 0 16, a 1 17, a 2 2000", [0] * 3))
        self.assertEqual(digest["requests"], [1, 1, 0, 0, 0, 0, 0, 1])
        self.assertEqual(digest["wasted"], [48, 47, 0, 0, 0, 0, 0, 48])

    def test_waste_is_the_share_nobody_asked_for(self) -> None:
        self.assertEqual(rounding.waste(48, 64), 0.25)
        self.assertEqual(rounding.waste(0, 0), 0)


class Leak(unittest.TestCase):

    def test_only_the_culprit_holds_more_than_it_needs(self) -> None:
        owners, trace = leak.made_up_kernel()
        live = Counter(owners[ident] for kind, ident, _ in operations_of(trace) if kind == "a")
        live.subtract(owners[ident] for kind, ident, _ in operations_of(trace) if kind == "f")
        for place, caller in enumerate(leak.CALLERS):
            with self.subTest(caller.name):
                if caller.forgets:
                    self.assertGreater(live[place], 2 * caller.blocks)
                else:
                    self.assertLessEqual(live[place], caller.blocks)

    def test_history_tells_who_holds_what(self) -> None:
        owners, trace = leak.made_up_kernel()
        operations = operations_of(trace)[:200]
        placements = [at(index) if kind == "a" else NONE
                      for index, (kind, _, _) in enumerate(operations)]
        raw = {"footprint": {"map_bytes": 4096}, "first_failure": {"operation": 199}}
        digest = leak.live_at_failure(Evidence(raw, placements, trace))
        held = Counter(owners[ident] for kind, ident, _ in operations[:199] if kind == "a")
        held.subtract(owners[ident] for kind, ident, _ in operations[:199] if kind == "f")
        self.assertEqual(digest["blocks"], [held[place] for place in range(len(leak.CALLERS))])
        self.assertEqual(sum(count for _, count, _ in digest["by_size"]), digest["live"])

    def test_a_leak_that_does_no_harm_is_an_error(self) -> None:
        with self.assertRaisesRegex(RunError, "did not exhaust the heap"):
            leak.live_at_failure(evidence("a 0 64", [at(0)]))


class Sins(unittest.TestCase):

    QUIET = {"refused": False, "broken": None, "shared": 0, "damaged": 0, "broken_later": None,
             "reported": 0}

    def test_the_worst_that_came_of_a_sin_is_told(self) -> None:
        for record, due in (
                ({"died": "panic: page fault"}, trust.DEAD), (self.QUIET, trust.UNSEEN),
                (self.QUIET | {"refused": True}, trust.REFUSED),
                (self.QUIET | {"reported": 1, "broken": "F1: a guard"}, trust.TOLD),
                (self.QUIET | {"damaged": 1, "reported": 1}, trust.DAMAGE),
                (self.QUIET | {"damaged": 1, "broken_later": "I2"}, trust.BROKEN),
                (self.QUIET | {"damaged": 1, "broken": "I2", "shared": 1}, trust.SHARED)):
            with self.subTest(due):
                self.assertEqual(trust.outcome(record), due)

    def test_every_outcome_has_its_colour_and_its_meaning(self) -> None:
        self.assertEqual(set(trust.LOOKS), set(trust.MEANINGS))


if __name__ == "__main__":
    unittest.main()
