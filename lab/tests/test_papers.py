# SPDX-License-Identifier: MIT
"""papers: what it refuses, what its page says, and that rows 1 to 6 are as published."""

from __future__ import annotations

import math
import re
import unittest
from collections import Counter
from pathlib import Path
from unittest import mock

from lab import ROOT
from lab.errors import InputError, RunError
from lab.evidence import Records
from lab.experiment import KERNEL, REPEATABLE, Builds, Experiment, operations_of
from lab.papers import (command as papers, csapp, first_fit_bound, knuth, pages, queue, robson,
                        slab, synthetic)
from lab.papers.row import (MEMORY, NOT_COMPARABLE, NOT_REPRODUCED, REPRODUCED, Check, Result,
                            Scale)
from lab.tests import committed
from lab.tests.support import programs_missing, temporary_directory


class BadInput(committed.BadInput):

    NAME = "papers"
    command = papers

    def test_a_page_that_is_no_markdown_is_told(self) -> None:
        self.assertEqual(self.refusal("--out", "papers.html"), "heaplab: error: --out papers.html:"
                         " the page is Markdown, its name ends with .md\n")

    def test_a_directory_without_the_malloc_labs_traces_is_told(self) -> None:
        self.assertEqual(self.refusal("--csapp", "."), "heaplab: error: --csapp .: there is none of"
                         " the malloc lab's traces, such as amptjp-bal.rep\n")

    def test_a_broken_trace_of_the_malloc_lab_is_told_with_its_line(self) -> None:
        Path("amptjp-bal.rep").write_text("0\n1\n1\n1\nx 0 8\n", "ascii")
        self.assertEqual(self.refusal("--csapp", "."), "heaplab: error: amptjp-bal.rep:5: unknown"
                         " operation 'x 0 8'\n")


class Committed(committed.Page):
    """docs/papers.md."""

    NAME = "papers"
    SURVIVAL = "Knuth's simulation: survival"
    pages = pages
    results: list[Result]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.results = [result for _, result in pages.rows(pages.sections(cls.document))]

    def test_it_is_the_whole_and_needs_nothing_that_is_not_ours(self) -> None:
        self.assertEqual((self.document["settings"]["quick"], self.document["settings"]["csapp"]),
                         (False, []))

    def test_rows_1_to_6_are_within_their_tolerances(self) -> None:
        checked = Counter(one.number for one in self.results if one.title != self.SURVIVAL
                          for _ in one.checks)
        for number, least in (("1", 2), ("2", 8), ("3", 4), ("4", 2), ("5", 5), ("6", 4)):
            self.assertGreaterEqual(checked[number], least, number)
        for one in self.results:
            if int(one.number) <= 6 and one.title != self.SURVIVAL:
                with self.subTest(one.title):
                    self.assertEqual((one.verdict, one.why), (REPRODUCED, ""))

    def test_what_did_not_come_out_stays_on_the_page(self) -> None:
        verdicts = {one.title: one.verdict for one in self.results}
        self.assertEqual(verdicts[self.SURVIVAL], NOT_REPRODUCED)
        self.assertEqual(verdicts["The malloc lab's traces"], NOT_COMPARABLE)

    def test_each_published_result_has_a_row(self) -> None:
        self.assertEqual({one.number for one in self.results}, set(map(str, range(1, 15))))

    def test_each_row_that_fails_says_why(self) -> None:
        for one in self.results:
            with self.subTest(one.title):
                self.assertEqual(one.why == "", one.verdict == REPRODUCED)

    def test_a_figure_quoted_from_memory_is_marked(self) -> None:
        table = self.page.read_text("utf-8").partition("\n<a id=")[0]
        quoted = [one for one in self.results if one.basis == MEMORY]
        self.assertGreater(len(quoted), 1)
        for one in quoted:
            self.assertIn(f"| {one.published}{pages.MARKS[MEMORY]} |", table)

    @unittest.skipIf(programs_missing(), programs_missing())
    def test_a_quick_part_of_the_records_comes_out_again(self) -> None:
        scale = pages.scale_of(self.document)
        chosen = dict.fromkeys(one for paper in pages.PAPERS for one in self.cheapest(
            [one for one in paper.experiments(scale) if one.machine in REPEATABLE
             and (one.machine != KERNEL or one.heap_kib == 1024)]))
        self.assertGreater(len(chosen), 100)
        self.must_come_out_again(list(chosen))

    @staticmethod
    def cheapest(of: list[Experiment]) -> list[Experiment]:
        """Some of each row, and of one with many cheap ones a good part."""
        return sorted(of, key=lambda one: one.effort)[:max(8, len(of) // 8)]


class Words(unittest.TestCase):
    """The templates' own words."""

    # May be said without having been measured: what is defined (sizes, tests, exponents, bounds),
    # what was published, and years.
    DEFINED = {"0", "1", "2", "3", "4", "5", "8", "16", "22", "32", "40", "64", "100", "512", "530",
               "1,000", "1,999", "2,000", "256", "24", "15", "7"}
    PUBLISHED = {"3", "4.4"}

    def test_no_measured_figure_is_typed(self) -> None:
        for path in sorted((ROOT / "lab" / "templates" / "papers").glob("*.md")):
            text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", path.read_text("utf-8"), flags=re.DOTALL)
            with self.subTest(path.name):
                self.assertLessEqual(set(re.findall(r"\d[\d,.]*\d|\d", text)),
                                     self.DEFINED | self.PUBLISHED)


class Verdicts(unittest.TestCase):

    def result(self, *holds: bool, missing: str = "", decides: bool = True) -> Result:
        checks = [Check(f"check {place}", "", "", "", one, decides)
                  for place, one in enumerate(holds)]
        return Result("1", "", "", "", MEMORY, checks, missing)

    def test_all_checks_must_hold(self) -> None:
        self.assertEqual(self.result(True, True).verdict, REPRODUCED)
        failed = self.result(True, False)
        self.assertEqual((failed.verdict, failed.why), (NOT_REPRODUCED, "differs: check 1"))

    def test_what_only_tells_decides_nothing(self) -> None:
        self.assertEqual(self.result(False, decides=False).verdict, REPRODUCED)

    def test_nothing_to_compare_is_no_success(self) -> None:
        self.assertEqual(self.result().verdict, NOT_COMPARABLE)
        self.assertEqual(self.result(True, missing="no traces").why, "no traces")


class Theory(unittest.TestCase):
    """Formulae, on numbers small enough to work out by hand."""

    def test_robsons_bound(self) -> None:
        self.assertEqual(robson.adversary(64, 4), 192)
        self.assertEqual(robson.bound(64, 4), 192 - 15)

    def test_first_fits_bound(self) -> None:
        self.assertAlmostEqual(first_fit_bound.bound_factor(1), 1 / math.log(2))
        self.assertAlmostEqual(first_fit_bound.bound_factor(3), (11 / 6) / math.log(2))

    def test_pairs_have_a_mean_and_its_error(self) -> None:
        lead = queue.difference([5.0, 7.0, 9.0], [4.0, 5.0, 6.0])
        self.assertEqual(lead.mean, 2)
        self.assertAlmostEqual(lead.error, 1 / math.sqrt(3))
        self.assertTrue(lead.is_sure)
        self.assertFalse(queue.Difference(1.0, 0.6).is_sure)

    def test_rank_correlation(self) -> None:
        self.assertEqual(synthetic.rank_correlation("abcd", "abcd"), 1)
        self.assertEqual(synthetic.rank_correlation("abcd", "dcba"), -1)
        self.assertAlmostEqual(synthetic.rank_correlation("abcd", "bacd"), 0.8)

    def test_waste_is_of_the_pages_in_use(self) -> None:
        raw = {"arena_bytes": 64 * 4096, "empty_pages": 60, "requested_bytes": 5 * 4096 // 2}
        self.assertEqual(slab.waste(raw), 0.5)


class Models(unittest.TestCase):

    def test_a_model_has_the_traces_length_and_only_its_sizes(self) -> None:
        real, made = synthetic.recorded("linux-boot"), synthetic.model("linux-boot")
        sizes = {size for kind, _, size in operations_of(real) if kind == "a"}
        allocated = [size for kind, _, size in operations_of(made) if kind == "a"]
        self.assertEqual(len(allocated), sum(kind == "a" for kind, _, _ in operations_of(real)))
        self.assertLessEqual(set(allocated), sizes)
        self.assertGreater(made.operations, len(allocated))

    def test_a_lifetime_is_counted_in_allocations(self) -> None:
        chance = mock.Mock()
        chance.random.return_value = 0.0
        self.assertEqual(synthetic._drawn([8, 9, 9], [2, 0, 0], chance), [
            ("a", 0, 8), ("a", 1, 8), ("f", 0, 0), ("a", 2, 8)])


class MallocLab(unittest.TestCase):

    PEAK_BYTES = 990

    def records(self, scale: Scale, arena_bytes: int) -> Records:
        raw = {"peak_requested_bytes": self.PEAK_BYTES, "arena_bytes": arena_bytes}
        return Records({one.key: raw for one in csapp.experiments(scale)})

    def scale(self, name: str = "amptjp") -> Scale:
        with temporary_directory() as directory:
            (directory / f"{name}-bal.rep").write_text(csapp.OWN, "ascii")
            return Scale(csapp=csapp.read(directory))

    def checks(self, name: str, per_cent: float) -> list[bool]:
        """Whether first, next and best fit are as published, at such a utilisation."""
        scale = self.scale(name)
        arena_bytes = round(8 * 100 * self.PEAK_BYTES / per_cent)
        (result,) = csapp.tell(self.records(scale, arena_bytes), scale).results
        return [one.holds for one in result.checks]

    def test_first_and_best_fit_must_be_exact_next_fit_within_a_point(self) -> None:
        self.assertEqual(self.checks("amptjp", 99.0), [True, False, True])
        self.assertEqual(self.checks("amptjp", 92.0), [False, True, False])
        self.assertEqual(self.checks("random", 93.4), [True, True, False])

    def test_next_fit_may_be_anything_on_coalescing(self) -> None:
        self.assertEqual(self.checks("coalescing", 66.0), [False, True, False])

    def test_a_trace_is_named_without_its_suffix(self) -> None:
        self.assertEqual([one.name for one in self.scale("binary2").csapp], ["binary2"])

    def test_a_page_can_be_told_without_the_traces_themselves(self) -> None:
        scale = self.scale()
        later = pages.scale_of({"settings": pages.settings(scale)})
        self.assertEqual([one.key for one in csapp.experiments(later)],
                         [one.key for one in csapp.experiments(scale)])

    def test_a_directory_that_is_not_there_is_told(self) -> None:
        with self.assertRaises(InputError):
            csapp.read(Path("nowhere"))

    @unittest.skipIf(programs_missing(), programs_missing())
    def test_our_own_trace_uses_memory_as_counted_by_hand(self) -> None:
        scale = self.scale()
        chosen = csapp.experiments(scale)
        builds = Builds(chosen)
        builds.prepare(print)
        answers = committed.carry_out_all(chosen, builds, self.enterContext(temporary_directory()))
        by_hand = 100 * csapp.OWN_PEAK_BYTES / csapp.OWN_HEAP_BYTES
        self.assertEqual([csapp.utilisation(answers[one.key]) for one in chosen],
                         [by_hand] * len(chosen))
        result = csapp.tell(Records(answers), scale).results[0]
        self.assertEqual((len(result.checks), result.verdict), (3, NOT_REPRODUCED))


class Kernels(unittest.TestCase):

    def test_kernel_and_simulation_must_have_placed_robsons_blocks_alike(self) -> None:
        records = Records({robson._in_kernel("bitmap").key: {"placement_hash": "1"},
                           robson._of_trace("bitmap").key: {"placement_hash": "2"}})
        with self.assertRaises(RunError):
            robson._booted_units(records, "bitmap")

    def test_quick_measures_less(self) -> None:
        self.assertLess(len(knuth.experiments(Scale(quick=True))), len(knuth.experiments(Scale())))


if __name__ == "__main__":
    unittest.main()
