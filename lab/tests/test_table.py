# SPDX-License-Identifier: MIT
"""The tables and the page."""

import io
import re
import unittest
from typing import Any, Optional

from lab import report, table, workload
from lab.results import Document
from lab.tests.support import changed, document


class Tables(unittest.TestCase):

    def shown(self, made: Document) -> str:
        file = io.StringIO()
        table.show(made, file)
        return file.getvalue()

    def marks(self, made: Document, column: str, title: Optional[str] = None) -> dict[str, str]:
        """The marks of a column in the first table, or the one with a title, by strategy."""
        one = next(one for one in table.tables(made) if title in (None, one.title))
        place = list(one.columns).index(column) - 1
        return {strategy: cells[place].mark for strategy, cells in one.rows}

    def test_a_piped_table_takes_at_most_100_columns(self) -> None:
        cost = {"operations": 94581, "total": 94581 * 3_743_895, "mean": 3_743_895.12,
                "p50": 1, "p99": 2, "p999": 3_743_895, "max": 7_487_790,
                "max_operation": 3}
        huge: dict[str, Any] = {name: cost for name in ("cost", "malloc", "free")}
        made = changed(document(strategies=("bitmap", "boundary-map")), "bitmap", **huge)
        text = self.shown(made)
        self.assertLessEqual(max(map(len, text.splitlines())), 100)
        self.assertNotIn("\x1b", text)

    def test_no_figure_is_cut(self) -> None:
        text = self.shown(changed(document(), "bitmap", init_cost=123_456_789))
        self.assertNotIn("…", text)
        self.assertIn("123,456,789", text)
        self.assertIn("0.3333*", text)

    def test_every_trace_the_totals_and_the_footprint_have_a_table(self) -> None:
        titles = [one.title for one in table.tables(document())]
        self.assertEqual(titles, ["one", "two", "all traces", "footprint"])
        for one in table.tables(document()):
            self.assertEqual([strategy for strategy, _ in one.rows], ["bitmap", "next-fit"])

    def test_one_trace_needs_no_totals(self) -> None:
        self.assertEqual([one.title for one in table.tables(document(traces=("one",)))],
                         ["one", "footprint"])

    def test_strategies_stand_in_the_order_they_were_asked_for(self) -> None:
        rows = table.tables(document(strategies=("next-fit", "bitmap")))[0].rows
        self.assertEqual([strategy for strategy, _ in rows], ["next-fit", "bitmap"])

    def test_the_lowest_cost_and_the_highest_tightness_are_best(self) -> None:
        made = changed(document(), "next-fit", tightness=0.9)
        self.assertEqual(self.marks(made, "mean"), {"bitmap": "*", "next-fit": ""})
        self.assertEqual(self.marks(made, "tightness"), {"bitmap": "", "next-fit": "*"})

    def test_equals_win_together_unless_all_are_equal(self) -> None:
        made = document(strategies=("a", "b", "c"))
        made = changed(changed(made, "b", tightness=0.5), "c", tightness=0.5)
        self.assertEqual(self.marks(made, "tightness"), {"a": "", "b": "*", "c": "*"})
        self.assertEqual(self.marks(document(), "side array", "footprint"),
                         {"bitmap": "", "next-fit": ""})

    def test_a_heap_with_failures_wins_no_cost(self) -> None:
        made = changed(document(), "bitmap", failures=7)
        self.assertEqual(self.marks(made, "mean"), {"bitmap": "", "next-fit": "*"})
        self.assertEqual(self.marks(made, "failures"), {"bitmap": "!", "next-fit": ""})
        self.assertIn("7!", self.shown(made))

    def test_a_trace_that_never_fits_says_so_and_wins_nothing(self) -> None:
        made = changed(document(), "bitmap", tightness=None, smallest_total_bytes=None)
        self.assertEqual(self.marks(made, "tightness"), {"bitmap": "", "next-fit": "*"})
        self.assertIn("never", self.shown(made))

    def test_totals_weigh_every_operation_alike(self) -> None:
        made = document(strategies=("bitmap",))
        made["records"][0]["cost"] |= {"operations": 9, "total": 90, "p999": 11, "max": 12}
        made["records"][1]["cost"] |= {"operations": 1, "total": 110, "p999": 110, "max": 110}
        totals = next(one for one in table.tables(made) if one.title == "all traces")
        (_, cells), = totals.rows
        self.assertEqual([cell.text for cell in cells[:3]], ["20.0", "110", "110"])

    def test_the_legend_says_unit_heap_and_haste(self) -> None:
        made = document()
        text = " ".join(table.legend(made))
        self.assertIn("Costs in instructions per operation", text)
        self.assertIn("Heap: 1,024 KiB", text)
        self.assertNotIn("QUICK", text)
        made["settings"]["operations_limit"] = 5000
        self.assertIn("QUICK: only the first 5,000 operations of each trace.",
                      self.shown(made))


class Hardening(unittest.TestCase):
    """A strategy at several levels is as many heaps."""

    def setUp(self) -> None:
        self.made = document(strategies=("bitmap", "tlsf"), hardening=("off", "check", "full"))

    def titled(self, title: str) -> table.Table:
        return next(one for one in table.tables(self.made) if one.title == title)

    def test_each_level_is_a_row_below_its_strategy(self) -> None:
        for one in table.tables(self.made)[:-1]:
            self.assertEqual([heap for heap, _ in one.rows],
                             ["bitmap", "bitmap+check", "bitmap+full",
                              "tlsf", "tlsf+check", "tlsf+full"])

    def test_a_table_says_what_each_adds(self) -> None:
        made = self.titled("what hardening adds to off")
        self.assertEqual([heap for heap, _ in made.rows],
                         ["bitmap+check", "bitmap+full", "tlsf+check", "tlsf+full"])
        shown = dict(zip(made.columns[1:], (cell.text for cell in made.rows[1][1])))
        self.assertEqual(shown, {
            "mean": "+200.0", "max": "+340", "kmalloc": "+200.0", "kfree": "+200.0",
            "tightness": "-0.0011", ".text": "0", "hardening": "+16,640"})

    def test_what_is_added_to_nothing_known_is_unknown(self) -> None:
        self.made = changed(self.made, "tlsf", tightness=None)
        texts = {heap: cells[4].text for heap, cells in
                 self.titled("what hardening adds to off").rows}
        self.assertEqual(texts["tlsf+full"], "-")
        self.assertNotEqual(texts["bitmap+full"], "-")

    def test_memory_for_hardening_is_in_the_footprint(self) -> None:
        self.assertEqual([cells[-1].text for _, cells in self.titled("footprint").rows],
                         ["0", "16,640", "16,640"] * 2)
        self.assertNotIn("hardening", table.tables(document())[-1].columns)

    def test_one_level_alone_is_named_and_needs_no_table_of_its_own(self) -> None:
        self.made = document(strategies=("tlsf",), hardening=("redzone",))
        (*_, last) = table.tables(self.made)
        self.assertEqual((last.title, last.rows[0][0]), ("footprint", "tlsf+redzone"))
        self.assertIn("hardening redzone,", " ".join(table.legend(self.made)))

    def lines(self, cost: int) -> list[str]:
        """What is shown of four heaps, the hardest of which costs so much."""
        self.made = document(strategies=("boundary-map",),
                             hardening=("off", "check", "redzone", "full"))
        for record in self.made["records"]:
            high = cost if record["hardening"] == "full" else 1
            for kind in ("cost", "malloc", "free"):
                record[kind] |= {name: high for name in ("mean", "p999", "max")}
                record[kind] |= {"total": record[kind]["operations"] * high}
        out = io.StringIO()
        table.show(self.made, out)
        return out.getvalue().splitlines()

    def test_the_longest_names_fit_into_100_columns(self) -> None:
        self.assertLessEqual(max(map(len, self.lines(12_345))), table.WIDTH)

    def test_no_column_is_lost_however_long_the_figures(self) -> None:
        for cost in (12_345, 123_456_789):
            headings = [" ".join(line.split()[1:]) for line in self.lines(cost)]
            for one in table.tables(self.made):
                self.assertIn(" ".join(one.columns[1:]), headings)


class OnTheHost(unittest.TestCase):

    def test_what_was_not_measured_has_neither_column_nor_word(self) -> None:
        made = document()
        whole = table.tables(made)[-1]
        for one in made["records"]:
            one["footprint"]["stack_bytes"] = None
        timed = table.tables(made)[-1]
        self.assertEqual((whole.columns, whole.note.split("; ")[1:]), (
            ["strategy", "side array", "control", ".text", "stack", "kinitHeap"],
            ["deepest stack of any operation", "cost of kinitHeap in instructions"]))
        self.assertEqual((timed.columns, timed.note.split("; ")[1:]), (
            ["strategy", "side array", "control", ".text", "kinitHeap"],
            ["cost of kinitHeap in instructions"]))


class Locking(unittest.TestCase):
    """A strategy with several locks is as many heaps, too."""

    def test_a_table_says_what_each_lock_adds_at_each_level(self) -> None:
        made = table.tables(document(strategies=("tlsf",), hardening=("off", "check"),
                                     locking=("none", "spin", "percpu")))
        hardening, locking = made[-2:]
        self.assertEqual((hardening.title, [heap for heap, _ in hardening.rows]),
                         ("what hardening adds to off",
                          ["tlsf+check", "tlsf+check+spin", "tlsf+check+percpu"]))
        self.assertEqual((locking.title, [heap for heap, _ in locking.rows]),
                         ("what locking adds to none",
                          ["tlsf+spin", "tlsf+percpu", "tlsf+check+spin", "tlsf+check+percpu"]))
        self.assertEqual([[cells[0].text, cells[-1].text] for _, cells in locking.rows],
                         [["+100.0", "+4"], ["+200.0", "+70,000"]] * 2)

    def test_memory_for_locking_is_in_the_footprint(self) -> None:
        *_, footprint, _ = table.tables(document(strategies=("tlsf",), locking=("none", "spin")))
        self.assertEqual([cells[-1].text for _, cells in footprint.rows], ["0", "4"])
        self.assertNotIn("locking", table.tables(document())[-1].columns)

    def test_the_legend_names_all_of_them(self) -> None:
        self.assertIn("locking none, spin.", " ".join(table.legend(
            document(locking=("none", "spin")))))


class Workloads(unittest.TestCase):
    """Synthetic workloads stand side by side, a figure a table."""

    def setUp(self) -> None:
        names = ["churn-kernel-50", "churn-kernel-85", "fill-small"]
        self.made = document(traces=["one", *names])
        self.made["settings"] |= {"traces": ["one"], "workloads": names, "seed": 7}

    def titled(self, title: str) -> table.Table:
        return next(one for one in table.tables(self.made) if one.title == title)

    def test_each_figure_has_a_table_with_a_column_for_each(self) -> None:
        self.assertEqual([one.title for one in table.tables(self.made)],
                         ["one", *(f"workloads, {figure}: kernel" for figure in
                                   ("mean cost", "p99.9 cost", "max cost", "tightness")),
                          "workloads, fill", "workloads, mean cost: fill", "footprint"])
        self.assertEqual(self.titled("workloads, mean cost: kernel").columns,
                         ["strategy", "churn\nkernel\n50", "churn\nkernel\n85"])

    def test_all_of_a_whole_comparison_fit_into_100_columns(self) -> None:
        made = document(strategies=("boundary-map", "bitmap"),
                        traces=("one", *workload.STANDARD))
        for record in made["records"]:
            record["cost"] = {name: 123456 for name in record["cost"]}
        made["settings"] |= {"traces": ["one"], "workloads": list(workload.STANDARD), "seed": 1}
        out = io.StringIO()
        table.show(made, out)
        self.assertLessEqual(max(map(len, out.getvalue().splitlines())), table.WIDTH)
        self.assertNotIn("\u2026", out.getvalue())

    def test_a_heap_that_fails_is_marked_there_and_wins_no_cost_there(self) -> None:
        self.made = changed(self.made, "bitmap", "churn-kernel-85", failures=2)
        marks = {strategy: [cell.mark for cell in cells]
                 for strategy, cells in self.titled("workloads, mean cost: kernel").rows}
        self.assertEqual(marks, {"bitmap": ["*", "!"], "next-fit": ["", "*"]})

    def test_the_totals_are_over_recorded_traces_alone(self) -> None:
        made = document(traces=("one", "two", "churn-kernel-50"))
        made["settings"] |= {"traces": ["one", "two"], "workloads": ["churn-kernel-50"],
                             "seed": 1}
        for record in made["records"]:
            record["failures"] = 1000 if record["trace"] == "churn-kernel-50" else 1
        totals = next(one for one in table.tables(made) if one.title == "all traces")
        self.assertEqual({cells[-1].text for _, cells in totals.rows}, {"2"})

    def test_the_legend_says_what_they_are(self) -> None:
        self.assertIn("made from seed 7", " ".join(table.legend(self.made)))


class Page(unittest.TestCase):

    def setUp(self) -> None:
        self.made = changed(document(), "next-fit", failures=3)
        self.page = report.page(self.made)

    def test_the_page_needs_nothing_else(self) -> None:
        sources = re.findall(r'(?:src|href)="([^"]*)"', self.page)
        self.assertTrue(sources)
        self.assertEqual([uri for uri in sources if not uri.startswith("data:")], [])
        self.assertNotRegex(self.page, r"@import|<script[^>]|<link")

    def test_the_page_has_the_figures_of_the_table(self) -> None:
        for one in table.tables(self.made):
            self.assertIn(f"<h3>{one.title}</h3>", self.page)
            for _, cells in one.rows:
                for cell in cells:
                    self.assertIn(f">{cell.text}{cell.mark}</td>", self.page)

    def test_each_trace_has_memory_portraits_and_costs(self) -> None:
        titles = {trace: [one.title for one in made]
                  for trace, made in report.pictures(self.made).items()}
        self.assertEqual(titles, {name: [
            f"{name}: memory over time", f"{name}: portraits", f"{name}: cost per operation"]
            for name in ("one", "two")})
        self.assertEqual(self.page.count("<img "), 7)

    def test_without_samples_there_are_costs_alone(self) -> None:
        self.made = changed(self.made, "bitmap", portrait=[])
        made = report.pictures(changed(self.made, "next-fit", portrait=[]))
        self.assertEqual([len(pictures) for pictures in made.values()], [1, 1])

    def test_words_of_a_trace_are_no_markup(self) -> None:
        page = report.page(document(traces=("<b>x</b>",)))
        self.assertNotIn("<b>x</b>", page)
        self.assertIn("&lt;b&gt;x&lt;/b&gt;", page)


if __name__ == "__main__":
    unittest.main()
