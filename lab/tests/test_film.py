# SPDX-License-Identifier: MIT
"""What kernels note down of a replay: how it is read, and that it is held against the record."""

from __future__ import annotations

import copy
import dataclasses
import struct
import unittest
from typing import Any, Callable, Optional, Sequence

from lab.errors import RunError
from lab.play import film, page
from lab.play.film import DONE, FAILED, FREE, LIVE, NONE, OWN, SKIPPED, Block, Notes, Reel, Walk
from lab.tests.support import trace

TOTAL = 1000
SCRIPT = [("a", 0, 90), ("a", 1, 700), ("a", 2, 600), ("f", 0, 0), ("f", 2, 0)]
"""The third is refused, so the fifth is skipped."""
HISTORY: list[tuple[int, int, list[Block]]] = [
    (104, 10, [(100, 200, LIVE), (200, 1000, FREE)]),
    (204, 30, [(200, 910, LIVE), (910, 1000, FREE)]),
    (NONE, 20, []),
    (NONE, 5, [(100, 200, FREE)]),
    (NONE, NONE, []),
]
FIRST = [(0, 100, OWN), (100, 1000, FREE)]


def written(history: Sequence[tuple[int, int, list[Block]]] = HISTORY,
            first: Sequence[Block] = tuple(FIRST)) -> bytes:
    """What a kernel would write."""
    words = _words(first)
    for placement, cost, blocks in history:
        words += [placement, cost, *_words(blocks)]
    return struct.pack(f"<{len(words)}I", *words)


def _words(blocks: Sequence[Block]) -> list[int]:
    return [word for start, end, state in blocks for word in (start | state << 30, end - start)] \
        + [NONE]


def record() -> dict[str, Any]:
    """What its record would say."""
    return {
        "cost": {"operations": 4, "total": 65, "max_operation": 1, "max": 30}, "failures": 1,
        "placement_hash": film._placement_hash([one[0] for one in HISTORY]),
        "heap_kib": 1, "unit": "instructions",
        "first_failure": {"operation": 2, "size": 600, "requested": 790, "granted": 810,
                          "free": 90, "largest": 90, "holes": 1},
        "series": {"operation": [0, 3], "requested": [90, 700], "granted": [100, 710],
                   "free": [800, 190], "largest": [800, 100], "holes": [1, 2],
                   "highest": [200, 910]},
    }


def reel(name: str = "made-up", history: Sequence[Any] = HISTORY,
         script: Sequence[film.Operation] = tuple(SCRIPT),
         change: Optional[Callable[[dict[str, Any]], object]] = None) -> Reel:
    """One heap's film, made up."""
    made = record()
    if change:
        change(made)
    return Reel(name, made, script, Notes(written(history), len(history)), TOTAL)


class Reading(unittest.TestCase):

    def test_notes_are_placements_costs_and_changes(self) -> None:
        notes = Notes(written(), len(HISTORY))
        self.assertEqual(notes.changes, [FIRST, *(blocks for _, _, blocks in HISTORY)])
        self.assertEqual(list(notes.placements), [one[0] for one in HISTORY])
        self.assertEqual(list(notes.costs), [one[1] for one in HISTORY])

    def test_notes_that_are_cut_off_or_too_long_are_refused(self) -> None:
        with self.assertRaisesRegex(RunError, "the kernel's notes end too early"):
            Notes(written()[:-4], len(HISTORY))
        for more in (b"\0", b"\0\0\0\0"):
            with self.assertRaisesRegex(RunError, "the kernel's notes have .* bytes, not"):
                Notes(written() + more, len(HISTORY))

    def test_new_blocks_take_the_place_of_whole_ones(self) -> None:
        walk = Walk(TOTAL)
        for blocks in (FIRST, [(100, 200, LIVE), (200, 1000, FREE)], [(100, 1000, FREE)]):
            walk.apply(blocks)
        self.assertEqual(walk.figures(), {"granted": 0, "free": 900, "largest": 900, "holes": 1,
                                          "highest": 0})

    def test_blocks_that_fit_no_place_are_refused(self) -> None:
        for wrong in ([(100, 300, LIVE)], [(150, 1000, LIVE)], [(100, 200, LIVE), (300, 1000, 1)],
                      [(1000, 1100, LIVE)]):
            walk = Walk(TOTAL)
            walk.apply(FIRST)
            with self.subTest(wrong), self.assertRaisesRegex(RunError, "not in the place of"):
                walk.apply(wrong)

    def test_two_places_can_change_at_once(self) -> None:
        walk = Walk(TOTAL)
        walk.apply([(0, 300, LIVE), (300, 600, FREE), (600, 1000, LIVE)])
        walk.apply([(0, 300, FREE), (600, 900, LIVE), (900, 1000, FREE)])
        self.assertEqual((walk.figures()["holes"], walk.figures()["free"]), (3, 700))


class Outcomes(unittest.TestCase):
    """As the kernel's replay goes on after a failure."""

    def outcomes(self, *deeds: tuple[str, int, int, int]) -> tuple[list[int], int]:
        owners = film.Owners()
        made = [owners.apply((kind, ident, size), placement)
                for kind, ident, size, placement in deeds]
        return made, owners.requested

    def test_a_block_that_was_refused_is_skipped_until_it_is_asked_for_again(self) -> None:
        self.assertEqual(
            self.outcomes(("a", 0, 8, NONE), ("r", 0, 9, NONE), ("f", 0, 0, NONE),
                          ("a", 0, 10, 64)), ([FAILED, SKIPPED, SKIPPED, DONE], 10))

    def test_a_refused_krealloc_leaves_the_block_as_it_was(self) -> None:
        self.assertEqual(
            self.outcomes(("a", 0, 8, 64), ("r", 0, 900, NONE), ("r", 0, 20, 64)),
            ([DONE, FAILED, DONE], 20))

    def test_nothing_asked_for_is_no_failure(self) -> None:
        self.assertEqual(self.outcomes(("a", 0, 0, NONE), ("r", 0, 5, 64), ("r", 0, 0, NONE),
                                       ("f", 0, 0, NONE)), ([DONE] * 4, 0))


class Agreement(unittest.TestCase):

    def test_notes_and_record_agree(self) -> None:
        reel().check()
        self.assertEqual(reel().outcomes, [DONE, DONE, FAILED, DONE, SKIPPED])

    def test_any_figure_that_differs_is_told(self) -> None:
        for path, words in (
                (("cost", "total"), "the cost of all operations is 65, its record says 66"),
                (("failures",), "the number of failures is 1, its record says 2"),
                (("first_failure", "free"), "free after operation 2 is 90, its record says 91"),
                (("first_failure", "requested"), "requested after operation 2 is 790,"),
                *((("series", name, 1), f"{name} after operation 3 is") for name in
                  ("requested", "granted", "free", "largest", "holes", "highest"))):
            def change(made: dict[str, Any]) -> None:
                inner: Any = made
                for step in path[:-1]:
                    inner = inner[step]
                inner[path[-1]] += 1

            with self.subTest(path), self.assertRaisesRegex(
                    RunError, f"made-up: the kernel's notes say that {words}"):
                reel(change=change).check()

    def test_a_block_elsewhere_is_told(self) -> None:
        history = copy.deepcopy(HISTORY)
        history[0] = (112, *history[0][1:])
        with self.assertRaisesRegex(RunError, "that the placements' hash is"):
            reel(history=history).check()


class Difference(unittest.TestCase):

    def first(self, *histories: Sequence[int]) -> Optional[int]:
        """Of heaps that place three blocks, free the second, and place a fourth."""
        script = [("a", 0, 8), ("a", 1, 8), ("a", 2, 8), ("f", 1, 0), ("a", 3, 8)]
        return film.first_difference([
            dataclasses.replace(reel(), operations=script[:len(places)], notes=Notes(written(
                [(place, 1, []) for place in places]), len(places))) for places in histories])

    def test_addresses_alone_are_no_difference(self) -> None:
        self.assertIsNone(self.first([0, 64, 128, NONE, 192], [1000, 2000, 3000, NONE, 3008]))

    def test_another_order_is_one(self) -> None:
        self.assertEqual(self.first([0, 64, 128, NONE, 192], [0, 64, 128, NONE, 64]), 4)
        self.assertEqual(self.first([0, 64, 128, NONE, 192], [0, 64, 32, NONE, 192]), 2)
        self.assertEqual(self.first([0, 64, 128, NONE, 192], [99, 64, 32, NONE, 16]), 1)

    def test_one_failure_is_one_and_an_early_end_too(self) -> None:
        self.assertEqual(self.first([0, 64, 128, NONE, 192], [0, 64, NONE, NONE, 192]), 2)
        self.assertEqual(self.first([0, 64, 128, NONE, 192], [0, 64, 128]), 3)


class Page(unittest.TestCase):

    def test_the_page_needs_nothing_else_and_is_the_same_every_time(self) -> None:
        made = page.page(trace(), [reel(), reel("other")])
        self.assertNotRegex(made, r"@import|<link|src=|href=|https?:")
        self.assertEqual(made, page.page(trace(), [reel(), reel("other")]))

    def test_words_of_a_trace_are_no_markup(self) -> None:
        made = page.page(dataclasses.replace(trace(), name="</script><b>x</b>"), [reel()])
        self.assertNotIn("<b>x", made)
        self.assertEqual(made.count("</script>"), 5)

    def test_a_dot_stands_for_8_bytes_of_a_heap_of_1_mib(self) -> None:
        self.assertEqual([page._cell_bytes(kib * 1040) for kib in (64, 1024, 65536)],
                         [1, 8, 512])


if __name__ == "__main__":
    unittest.main()
