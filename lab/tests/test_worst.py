# SPDX-License-Identifier: MIT
"""worst: what it refuses and keeps, and that the committed traces hurt as much as they say."""

from __future__ import annotations

import asyncio
import json
import signal
import unittest
from pathlib import Path
from typing import Sequence
from unittest import mock

from lab import ROOT, process, trace
from lab.errors import InputError, Interrupted, RunError
from lab.tests.support import empty_directory, programs_missing, said, temporary_directory
from lab.worst import command as worst, goals, page
from lab.worst.cost_bounds import CostBounds
from lab.worst.goals import Found
from lab.worst.measure import Heap
from lab.worst.memory_bounds import MEMORY_BOUNDS
from lab.worst.records import COMMITTED, Shelf
from lab.worst.search import Budget

RECORD = {
    "strategy": "tlsf", "goal": "malloc", "heap_kib": 64, "figure": 110, "bound": 113,
    "bound_words": "constant", "bound_source": "longest path", "operation": 4,
    "operation_bytes": 56, "operations": 5, "peak_requested_bytes": 300, "sha256": "0" * 64,
    "seed": 1, "tried": 10, "minimal": True,
}
MEMORY_RECORD = RECORD | {"goal": "memory", "figure": 5200, "bound": None, "bound_words": "none",
                          "operation": None, "operation_bytes": None, "minimal": False}


class Keeping(unittest.TestCase):

    def setUp(self) -> None:
        self.shelf = Shelf(self.enterContext(temporary_directory()))

    def test_a_find_takes_the_place_of_the_one_for_its_goal_alone(self) -> None:
        self.shelf.keep(dict(RECORD), ((0, 56),), {"by": "clang"})
        self.shelf.keep(dict(MEMORY_RECORD), ((0, 64),), {"by": "clang"})
        self.shelf.keep(RECORD | {"figure": 111}, ((0, 48),), {"by": "clang"})
        self.assertEqual([one["figure"] for one in self.shelf.records()], [111, 5200])
        self.assertEqual(self.shelf.earlier("tlsf", "malloc"), ((0, 48),))
        self.assertIsNone(self.shelf.earlier("tlsf", "free"))

    def test_figures_of_another_build_go_and_their_traces_stay(self) -> None:
        self.shelf.keep(dict(RECORD), ((0, 56),), {"by": "clang"})
        self.shelf.keep(dict(MEMORY_RECORD), ((0, 64),), {"by": "gcc"})
        self.assertEqual([one["goal"] for one in self.shelf.records()], ["memory"])
        self.assertEqual(self.shelf.earlier("tlsf", "malloc"), ((0, 56),))

    def interrupted(self, *goals_searched: str) -> worst.Searches:
        """Searches of which the first is interrupted, once it has tried what it begins with."""
        heap = mock.Mock(strategy="tlsf", heap_kib=64, kernel=Path("/none"), host=Path("/none"))
        heap.costs = mock.AsyncMock(side_effect=lambda traces, _: [[70] * len(one)
                                                                   for one in traces])
        variations = mock.patch("lab.worst.search.variation.varied",
                                side_effect=asyncio.CancelledError)
        request = worst.Request(["tlsf"], goals_searched, 1, Budget(1000), self.shelf, False, None,
                                1)
        with mock.patch.object(worst, "heap_of", return_value=heap), variations, \
                mock.patch.object(worst, "provenance", return_value={}), \
                mock.patch.object(worst.adversaries, "all_of", return_value=[((0, 64),)]), \
                mock.patch("lab.worst.search.CostBounds") as bounds:
            bounds.return_value.at.return_value = 75
            searches = worst.Searches(request, {}, Path("/none"), mock.Mock())
            job = searches.plan.start_next()
            assert job
            self.assertEqual(searches.left(),
                             f"nothing was found yet, {self.shelf.directory} is as it was")
            with self.assertRaises(asyncio.CancelledError):
                asyncio.run(searches.perform(job))
        return searches

    def test_a_search_that_is_interrupted_keeps_what_it_found(self) -> None:
        self.interrupted("malloc")
        self.assertEqual([(one["figure"], one["bound"], one["minimal"])
                          for one in self.shelf.records()], [(70, 75, False)])
        self.assertEqual(len(self.shelf.earlier("tlsf", "malloc") or ()), 1)

    def test_who_interrupts_is_told_what_is_there_now(self) -> None:
        self.shelf.keep(dict(RECORD), ((0, 56),), {})
        due = f"1 of 2 searches had found something, which is in {self.shelf.directory} in place" \
            " of what was there for their goals"
        self.assertEqual(self.interrupted("malloc", "free").left(), due)
        stop = Interrupted(signal.SIGINT)
        with mock.patch.object(worst, "prepare", return_value={}), \
                mock.patch.object(worst, "provenance", return_value={}), \
                mock.patch.object(worst, "Searches") as searches, \
                mock.patch.object(worst, "carry_out", new=mock.Mock()), \
                mock.patch.object(process, "wait_for", side_effect=stop):
            searches.return_value.left.return_value = due
            searches.return_value.plan.total = 2
            for jobs, cores in (("1", "1 core"), ("3", "3 cores")):
                self.assertEqual(
                    said("worst", "tlsf", "--jobs", jobs, "--out", str(self.shelf.directory)), (
                        128 + signal.SIGINT, "", f"heaplab: 2 searches on {cores}\n"
                        f"heaplab: ended by SIGINT; {due}\n"))

    def test_another_document_is_refused(self) -> None:
        own = '{"schema": "heaplab-worst", "version": 1, "build": null, "records": %s}'
        for text in ('{"schema": "heaplab", "version": 1}', own % "5", own % "[1]",
                     own % '[{"strategy": "tlsf"}]',
                     own % '[{"strategy": "tlsf", "goal": "speed"}]'):
            self.shelf.document.write_text(text)
            with self.subTest(text), self.assertRaises(InputError) as raised:
                self.shelf.records()
            self.assertEqual(raised.exception.message, f"{self.shelf.document}: this is no"
                             " document of heaplab worst, version 1")

    def test_a_broken_bound_is_an_error_that_names_the_trace(self) -> None:
        self.assertEqual(worst.judge([RECORD, MEMORY_RECORD], self.shelf), 0)
        with self.assertRaises(RunError) as raised:
            worst.judge([RECORD, RECORD | {"figure": 114}], self.shelf)
        self.assertEqual(raised.exception.message,
                         "a bound is broken: its proof or the code is wrong")
        self.assertEqual(raised.exception.log, (
            "tlsf, kmalloc: 114 is more than 113 (constant; longest path):"
            f" {self.shelf.directory}/tlsf-malloc.rep",))


class Pages(unittest.TestCase):

    def test_the_tables_take_their_place_and_the_rest_stays(self) -> None:
        with temporary_directory() as directory:
            path = directory / "worst.md"
            path.write_text("# Worst\n\n<!-- worst -->\n<!-- end of worst -->\n\nAfter.\n")
            text = page.text_for(path, [RECORD, MEMORY_RECORD])
            path.write_text(text)
            self.assertEqual(page.text_for(path, [RECORD, MEMORY_RECORD]), text)
        self.assertTrue(text.startswith("# Worst\n\n<!-- worst -->\n**the dearest call**\n"))
        self.assertTrue(text.endswith("\n<!-- end of worst -->\n\nAfter.\n"))
        self.assertIn("| tlsf | kmalloc, 56 bytes | 110 | 113 | 0.973 | 5 | constant |", text)
        self.assertIn("| tlsf | 300 | 5,200 | 17.33 | none proven | - | 5 + | none |", text)

    def test_a_document_without_a_place_is_told(self) -> None:
        with temporary_directory() as directory:
            path = directory / "worst.md"
            path.write_text("# Worst\n<!-- end of worst -->\n<!-- worst -->\n")
            with self.assertRaises(InputError) as raised:
                page.check(path)
        self.assertIn("has no place for the tables", raised.exception.message)


class Committed(unittest.TestCase):
    """docs/worst.md and the traces it tells of: each replays to its figure, within its bound."""

    PAGE = ROOT / "docs" / "worst.md"
    SHELF = Shelf(COMMITTED)
    REMEDY = "search anew: ./heaplab worst --all --out traces/worst --markdown docs/worst.md"

    def test_the_page_says_what_the_records_say(self) -> None:
        self.assertEqual(self.PAGE.read_text("utf-8"),
                         page.text_for(self.PAGE, self.SHELF.records()), self.REMEDY)

    def test_every_goal_of_each_strategy_with_bounds_has_its_trace(self) -> None:
        due = {(strategy, goal) for strategy in MEMORY_BOUNDS for goal in goals.of(strategy)}
        records = {(one["strategy"], one["goal"]): one for one in self.SHELF.records()}
        self.assertEqual(set(records), due, self.REMEDY)
        self.assertEqual({self.SHELF.trace_file(*one) for one in due},
                         set(COMMITTED.glob("*.rep")))
        for key, one in records.items():
            with self.subTest(key):
                read = trace.read(self.SHELF.trace_file(*key))
                self.assertEqual((read.sha256, read.operations, read.peak_requested_bytes),
                                 (one["sha256"], one["operations"], one["peak_requested_bytes"]))

    def test_each_trace_replays_to_its_figure_and_no_bound_is_broken(self) -> None:
        if missing := programs_missing():
            self.skipTest(missing)
        strategies = list(MEMORY_BOUNDS)
        builds = worst.prepare(strategies, print)
        scratch = self.enterContext(temporary_directory())
        heaps = [worst.heap_of(builds, strategy) for strategy in strategies]
        found = process.wait_for(self.replayed(heaps, scratch))
        for key, one in found.items():
            with self.subTest(key):
                self.assertFalse(goals.exceeds(one), f"{one.figure} is more than {one.bound}: the"
                                 " bound's proof or the code is wrong")
        if worst.provenance(builds, strategies[0]) != self.SHELF.build():
            self.skipTest("the committed figures were taken with other compilers or flags; no"
                          " bound is broken")
        for one in self.SHELF.records():
            again = found[one["strategy"], one["goal"]]
            with self.subTest(one["strategy"], goal=one["goal"]):
                self.assertEqual((again.figure, again.bound, again.index),
                                 (one["figure"], one["bound"], one["operation"]), self.REMEDY)

    async def replayed(self, heaps: Sequence[Heap], scratch: Path
                       ) -> dict[tuple[str, str], Found]:
        """What each committed trace comes to now."""
        made = {}
        for heap in heaps:
            bounds = CostBounds(heap.strategy, heap.heap_kib, heap.kernel)
            of = {goal: self.SHELF.earlier(heap.strategy, goal) or ()
                  for goal in goals.of(heap.strategy)}
            hungry = of.pop(goals.MEMORY)
            costs = await heap.costs(list(of.values()), scratch)
            for (goal, operations), one in zip(of.items(), costs):
                found = goals.dearest(goal, operations, one, bounds)
                assert found
                made[heap.strategy, goal] = found
            made[heap.strategy, goals.MEMORY] = goals.hungriest(
                heap.strategy, hungry, await heap.smallest(hungry, scratch))
        return made

    def test_compare_says_the_same(self) -> None:
        """One of them, as a person would replay it: the dearest call, and the memory."""
        if missing := programs_missing():
            self.skipTest(missing)
        directory = self.enterContext(temporary_directory())
        records = {one["goal"]: one for one in self.SHELF.records()
                   if one["strategy"] == "tlsf"}
        if worst.provenance(worst.prepare(["tlsf"], print), "tlsf") != self.SHELF.build():
            self.skipTest("the committed figures were taken with other compilers or flags")
        traces = [str(self.SHELF.trace_file("tlsf", goal)) for goal in records]
        status, _, err = said(
            "compare", "--strategies", "tlsf", "--heap-kib", "64", "--traces", *traces, "--json",
            str(directory / "r.json"), "--html", str(directory / "r.html"))
        self.assertEqual(status, 0, err)
        again = {one["trace"]: one
                 for one in json.loads((directory / "r.json").read_text("utf-8"))["records"]}
        for goal, of in (("malloc", "malloc"), ("free", "free")):
            self.assertEqual(again[f"tlsf-{goal}"][of]["max"], records[goal]["figure"])
        self.assertEqual(again["tlsf-memory"]["smallest_total_bytes"],
                         records["memory"]["figure"])


class BadInput(unittest.TestCase):
    """Each is one whole line on standard error, status 2, and nothing written or started."""

    def setUp(self) -> None:
        self.enterContext(empty_directory())
        self.enterContext(mock.patch.object(worst, "prepare", side_effect=AssertionError))

    def refusal(self, *arguments: str) -> str:
        status, out, err = said("worst", *arguments)
        self.assertEqual((status, out, err.count("\n")), (2, "", 1))
        return err

    def test_neither_a_strategy_nor_all_is_told(self) -> None:
        self.assertIn("which heaps? either some of them, or --all; there are: bump,",
                      self.refusal())
        self.assertIn("which heaps?", self.refusal("tlsf", "--all"))

    def test_an_unknown_strategy_or_goal_is_told_with_those_there_are(self) -> None:
        self.assertIn("there is no strategy 'lsft'; there are: bump,", self.refusal("lsft"))
        self.assertIn("there is no goal 'speed'; there are: malloc, short-malloc, long-malloc,"
                      " free, memory", self.refusal("tlsf", "--goals", "speed"))

    def test_a_number_that_makes_no_sense_is_told(self) -> None:
        self.assertIn("argument --evaluations", self.refusal("tlsf", "--evaluations", "0"))
        self.assertIn("argument --minutes: invalid number above zero value: '0'",
                      self.refusal("tlsf", "--minutes", "0"))
        self.assertIn("argument --minutes", self.refusal("tlsf", "--minutes", "-1"))
        self.assertIn("not allowed with", self.refusal("tlsf", "--quick", "--minutes", "1"))

    def test_an_unwritable_place_is_told(self) -> None:
        self.assertIn("/dev/null is not a directory", self.refusal("tlsf", "--out", "/dev/null/a"))

    def test_a_goal_that_only_others_have_is_told(self) -> None:
        self.assertIn("tlsf has no such goal", self.refusal("tlsf", "--goals", "long-malloc"))


if __name__ == "__main__":
    unittest.main()
