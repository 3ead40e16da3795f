# SPDX-License-Identifier: MIT
"""Earlier results as a measure: what is called a change, what is worse, and what is refused.

The real gate holds this tree against lab/tests/baseline.json. Where a change of the heaps makes
something worse on purpose, UPDATE writes that file anew.
"""

from __future__ import annotations

import copy
import io
import json
import subprocess
import sys
import unittest
from fractions import Fraction
from pathlib import Path
from typing import Any, Callable

from lab import ROOT, baseline, results
from lab.baseline import Change, Comparison, summary
from lab.errors import InputError
from lab.results import Document
from lab.tests.support import document, programs_missing, temporary_directory

BASELINE = ROOT / "lab" / "tests" / "baseline.json"
ARGUMENTS = ("--quick", "--traces", "linux-boot", "user-sqlite", "--samples", "0")
UPDATE = f"./heaplab compare {' '.join(ARGUMENTS)} --json lab/tests/baseline.json"


def _compared(change: Callable[[Document], Any], tolerance: str = "0") -> Comparison:
    """The made-up document against itself after a change."""
    new = copy.deepcopy(document())
    change(new)
    return Comparison(summary(document()), summary(new), Fraction(tolerance))


def _set(path: str, value: Any) -> Callable[[Document], None]:
    """A change of one member of the first record."""
    *steps, last = path.split(".")

    def change(made: Document) -> None:
        inner = made["records"][0]
        for step in steps:
            inner = inner[step]
        inner[last] = value

    return change


class Judgement(unittest.TestCase):

    def only(self, comparison: Comparison) -> Change:
        (one,) = comparison.changes
        self.assertEqual(one.place, ("bitmap", "one"))
        return one

    def cells(self, comparison: Comparison) -> list[str]:
        return list(self.only(comparison).cells(comparison.tolerance))

    def test_equal_documents_have_no_change(self) -> None:
        comparison = _compared(lambda made: None)
        self.assertEqual((comparison.changes, comparison.worse), ([], []))
        count = 4 * len(baseline.FIGURES)
        self.assertEqual(list(comparison.sentences()), [
            f"Of {count} figures 0 got worse, 0 got better, {count} are the same to the last"
            " digit."])

    def test_a_higher_cost_is_worse_and_a_lower_one_better(self) -> None:
        self.assertEqual(self.cells(_compared(_set("cost.max", 187))),
                         ["bitmap", "one", "max", "170", "187", "+10.00%", "worse"])
        self.assertEqual(self.cells(_compared(_set("cost.max", 153))),
                         ["bitmap", "one", "max", "170", "153", "-10.00%", "better"])

    def test_every_figure_counts(self) -> None:
        for path, name in (("failures", "failures"), ("init_cost", "kinitHeap"),
                           ("cost.p50", "p50"), ("cost.p999", "p99.9"),
                           ("malloc.total", "kmalloc mean"), ("malloc.p99", "kmalloc p99"),
                           ("free.max", "kfree max"), ("footprint.map_bytes", "side array"),
                           ("footprint.control_bytes", "control"),
                           ("footprint.text_bytes", ".text"), ("footprint.stack_bytes", "stack"),
                           ("footprint.hardening_bytes", "hardening"),
                           ("footprint.locking_bytes", "locking"),
                           ("smallest_total_bytes", "tightness")):
            with self.subTest(path):
                comparison = _compared(_set(path, 10 ** 6))
                self.assertEqual([one.figure.name for one in comparison.worse], [name])

    def test_less_tightness_is_worse(self) -> None:
        self.assertEqual(self.cells(_compared(_set("smallest_total_bytes", 625))),
                         ["bitmap", "one", "tightness", "0.3333", "0.3200", "-4.00%", "worse"])

    def test_a_trace_that_fits_no_more_is_worse_than_any_tolerance_allows(self) -> None:
        comparison = _compared(_set("tightness", None), "1000")
        self.assertEqual(self.cells(comparison),
                         ["bitmap", "one", "tightness", "0.3333", "never", "", "worse"])
        back = Comparison(comparison.new, comparison.old, Fraction(0))
        self.assertEqual((self.cells(back)[-1], back.worse), ("better", []))

    def test_the_first_failure_is_worse_than_any_tolerance_allows(self) -> None:
        self.assertEqual(self.cells(_compared(_set("failures", 1), "1000")),
                         ["bitmap", "one", "failures", "0", "1", "", "worse"])

    def test_what_was_never_counted_before_is_neither(self) -> None:
        comparison = _compared(_set("free.p50", None))
        self.assertEqual(self.cells(comparison),
                         ["bitmap", "one", "kfree p50", "90", "-", "", ""])
        self.assertEqual(comparison.worse, [])

    def test_what_was_not_measured_before_is_neither(self) -> None:
        comparison = _compared(_set("footprint.stack_bytes", None))
        self.assertEqual(self.cells(comparison), ["bitmap", "one", "stack", "64", "-", "", ""])
        self.assertEqual(comparison.worse, [])

    def test_the_tolerance_is_a_share_that_may_be_reached(self) -> None:
        change = _set("cost.max", 187)
        self.assertEqual(len(_compared(change, "0.0999").worse), 1)
        self.assertEqual(_compared(change, "0.1").worse, [])
        self.assertEqual(self.cells(_compared(change, "0.1"))[-1], "tolerated")
        self.assertIn("0 got worse by more than 0.1 of what they were,",
                      " ".join(_compared(change, "0.1").sentences()))

    def test_a_change_too_small_for_the_table_is_still_seen(self) -> None:
        new = copy.deepcopy(document())
        for made in (old := document(), new):
            made["records"][0]["cost"] |= {"operations": 10 ** 6, "total": 10 ** 8}
        new["records"][0]["cost"]["total"] += 1
        cells = self.cells(Comparison(summary(old), summary(new), Fraction(0)))
        self.assertEqual(cells[2:], ["mean", "100.000000", "100.000001", "+0.00%", "worse"])

    def test_a_fill_is_as_tight_as_the_share_of_all_memory_that_was_requested(self) -> None:
        old, new = document(), document()
        for made, requested in ((old, 798_720), (new, 532_480)):
            made["records"][0] |= {"smallest_total_bytes": None,
                                   "peak_requested_bytes": requested}
        cells = self.cells(Comparison(summary(old), summary(new), Fraction(0)))
        self.assertEqual(cells[2:], ["tightness", "0.7500", "0.5000", "-33.33%", "worse"])


class Report(unittest.TestCase):

    def shown(self, comparison: Comparison) -> str:
        file = io.StringIO()
        comparison.show(Path("old.json"), file)
        return file.getvalue()

    def test_changes_stand_in_a_table_of_100_columns(self) -> None:
        text = self.shown(_compared(_set("cost.total", 10 ** 17)))
        self.assertIn("changes since old.json", text)
        self.assertRegex(text, r"bitmap +one +mean +100.33 +33,333,333,333,333,333.33 .*% +worse")
        table = text[:text.index("Of ")]
        self.assertLessEqual(max(map(len, table.splitlines())), 100)

    def test_missing_and_new_rows_are_named(self) -> None:
        def change(made: Document) -> None:
            made["records"][0]["strategy"] = "brand-new"

        comparison = _compared(change)
        text = self.shown(comparison)
        self.assertIn("In the baseline, but not measured now: bitmap on one.\n", text)
        self.assertIn("Measured now, but not in the baseline: brand-new on one.\n", text)
        self.assertEqual(comparison.worse, [])

    def test_a_hardened_heap_is_held_against_itself_hardened(self) -> None:
        both = document(hardening=("off", "check"))
        comparison = Comparison(summary(both), summary(document(hardening=("check",))),
                                Fraction(0))
        text = self.shown(comparison)
        self.assertIn("In the baseline, but not measured now: bitmap on one, bitmap on two,", text)
        self.assertNotIn("Measured now, but not in the baseline", text)
        self.assertEqual({change.place[0] for change in comparison.changes},
                         {"bitmap+check", "next-fit+check"})

    def test_another_compiler_is_told_once(self) -> None:
        def change(made: Document) -> None:
            for programs in made["build"].values():
                programs["kernel"]["compiler"] = "clang 15"

        self.assertEqual(self.shown(_compared(change)).count(
            "The compiler has changed from 'clang 14' to 'clang 15'"), 1)


class Refusal(unittest.TestCase):

    def setUp(self) -> None:
        self.path = self.enterContext(temporary_directory()) / "old.json"

    def refusal(self, text: str) -> str:
        self.path.write_text(text, "utf-8")
        with self.assertRaises(InputError) as caught:
            baseline.read(self.path)
        return caught.exception.message

    def test_what_compare_wrote_is_read(self) -> None:
        self.path.write_text(results.to_json(document()), "utf-8")
        self.assertEqual(baseline.read(self.path), summary(document()))

    def test_what_it_did_not_write_is_refused(self) -> None:
        with self.assertRaisesRegex(InputError, "none.json: the baseline cannot be read: No such"):
            baseline.read(Path("none.json"))
        self.assertIn("old.json: the baseline is not JSON: ", self.refusal("{"))
        for text in ("[]", "{}", '{"schema": "los-heap-lab/answer", "version": 1}',
                     results.to_json(document() | {"version": 2})):
            self.assertIn("old.json: the baseline is no results file of this version of"
                          " 'heaplab compare --json'", self.refusal(text))

    def test_a_damaged_one_is_refused_with_the_place(self) -> None:
        made = document()
        del made["records"][1]["cost"]["p99"]
        self.assertRegex(self.refusal(results.to_json(made)), "is damaged: KeyError: 'p99'$")
        damages: tuple[dict[str, Any], ...] = (
            {"records": None}, {"records": [1]}, {"build": []}, {"settings": 3})
        for damage in damages:
            self.assertIn("old.json: the baseline is damaged: ",
                          self.refusal(results.to_json(document() | damage)))

    def test_unlike_is_not_compared_with_like(self) -> None:
        old, new = summary(document()), document()
        traces = {"one": "0" * 64, "other": "1" * 64}
        baseline.check(self.path, old, new["settings"], traces)
        with self.assertRaisesRegex(InputError, "old.json: the baseline's heap_kib is 1024, this"
                                    " comparison's is 64"):
            baseline.check(self.path, old, new["settings"] | {"heap_kib": 64}, traces)
        with self.assertRaisesRegex(InputError, "the baseline's operations_limit is None, this"):
            baseline.check(self.path, old, new["settings"] | {"operations_limit": 9}, traces)
        with self.assertRaisesRegex(InputError, "the baseline is of another one: its text has"):
            baseline.check(self.path, old, new["settings"], {"one": "1" * 64})


@unittest.skipIf(programs_missing(), programs_missing())
class Gate(unittest.TestCase):
    """compare --baseline, as a person or a CI calls it."""

    def setUp(self) -> None:
        self.directory = self.enterContext(temporary_directory())

    def compare(self, *arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-c", "import sys; sys.path[0] = sys.argv.pop(1);"
             " from lab.__main__ import main; sys.exit(main())", str(ROOT), "compare", *arguments],
            cwd=self.directory, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False)
        return done.returncode, done.stdout, done.stderr

    def test_nothing_is_worse_than_in_the_committed_baseline(self) -> None:
        status, out, err = self.compare(*ARGUMENTS, "--baseline", str(BASELINE))
        self.assertIn("changes since", out, err)
        new = baseline.read(self.directory / "heaplab-results" / "results.json")
        comparison = Comparison(baseline.read(BASELINE), new, Fraction(0))
        for old_compiler, new_compiler in comparison.compilers:
            self.skipTest(f"the baseline is of {old_compiler!r}, this is {new_compiler!r}")
        self.assertEqual(status, 0, f"{out[out.index('changes since'):]}\n"
                         f"If it is meant: {UPDATE}")

    def test_what_got_worse_ends_with_1_and_is_printed_to_the_digit(self) -> None:
        arguments = ("--quick", "--traces", "linux-boot", "--strategies", "tlsf", "--samples", "0")
        self.assertEqual(self.compare(*arguments, "--json", "old.json")[0], 0)
        old = self.directory / "old.json"
        made = json.loads(old.read_text("utf-8"))
        cost = made["records"][0]["cost"]
        before = cost["max"]
        cost["max"] -= 10
        old.write_text(results.to_json(made), "utf-8")
        status, out, _ = self.compare(*arguments, "--baseline", "old.json")
        self.assertEqual(status, 1)
        self.assertRegex(out, rf"tlsf +linux-boot +max +{before - 10:,} +{before:,} .* worse")
        self.assertIn(" 1 got worse, 0 got better", out)
        status, _, _ = self.compare(*arguments, "--baseline", "old.json", "--tolerance", "0.5")
        self.assertEqual(status, 0)

    def test_a_baseline_of_another_size_is_refused_before_anything_is_measured(self) -> None:
        status, out, err = self.compare("--traces", "linux-boot", "--strategies", "tlsf",
                                        "--baseline", str(BASELINE))
        self.assertEqual((status, out), (2, ""))
        self.assertIn("the baseline's operations_limit is 10000, this comparison's is None", err)
        self.assertFalse((self.directory / "heaplab-results").exists())


if __name__ == "__main__":
    unittest.main()
