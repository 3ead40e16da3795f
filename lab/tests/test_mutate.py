# SPDX-License-Identifier: MIT
"""mutate: which changes are found in a source, what is kept, and what is said of survivors."""

import importlib.util
import re
import unittest
from pathlib import Path
from unittest import mock

from lab import ROOT, mutants, mutate, variant, verdicts
from lab.errors import InputError
from lab.mutants import Mutant
from lab.verdicts import SAME, SURVIVES, Ledger, Verdict
from lab.tests.support import temporary_directory

SOURCE = """/* a < b is a comment */
enum { SIZE = 8 };
_Static_assert(SIZE == 8, "not a body");
static int declared(int a);

static int choose(int a, int b)
{
    if (a < b && !(a & 1))
        return a + 7;
    a -= b;
    (void)b;
    while (a != 0)
        a++;
    return a > b ? a : b;
}
"""


@unittest.skipUnless(importlib.util.find_spec("clang"), "python3-clang is not there")
class Changes(unittest.TestCase):

    def setUp(self) -> None:
        root = self.enterContext(temporary_directory())
        (root / "mm").mkdir()
        (root / "mm" / "x.c").write_text(SOURCE)
        self.enterContext(mock.patch.object(mutants, "ROOT", root))
        self.found = mutants.of_file("mm/x.c", "mm/x.c")

    def test_each_kind_of_change_is_found_where_it_can_be_made(self) -> None:
        changes = {(one.kind, one.after) for one in self.found}
        for change in (
                ("comparison", "if (a <= b && !(a & 1))"), ("logic", "if (a < b || !(a & 1))"),
                ("logic", "if (a < b && (a & 1))"), ("arithmetic", "if (a < b && !(a | 1))"),
                ("condition", "if (!(a < b && !(a & 1)))"), ("constant", "return a + 8;"),
                ("arithmetic", "return a - 7;"), ("statement", ";"), ("arithmetic", "a += b;"),
                ("comparison", "while (a == 0)"), ("arithmetic", "a--;"),
                ("condition", "return !(a > b) ? a : b;")):
            self.assertIn(change, changes)

    def test_only_the_bodies_of_functions_are_changed(self) -> None:
        self.assertEqual({one.function for one in self.found}, {"choose"})
        self.assertFalse([one for one in self.found if "(void)b" in one.old])

    def test_a_change_is_made_at_its_place_and_nowhere_else(self) -> None:
        for one in self.found:
            text = one.applied(SOURCE)
            self.assertEqual(len(text) - len(SOURCE), len(one.new) - len(one.old))
            self.assertEqual(text[:one.offset], SOURCE[:one.offset])
            self.assertNotEqual(text, SOURCE)

    def test_no_two_changes_have_the_same_key(self) -> None:
        self.assertEqual(len(self.found), len({one.key for one in self.found}))


@unittest.skipUnless(importlib.util.find_spec("clang"), "python3-clang is not there")
class Samples(unittest.TestCase):

    def test_the_same_seed_chooses_the_same_and_a_larger_sample_has_all_of_a_smaller(self) -> None:
        (subject, *_) = mutate.subjects(["bitmap"])
        small, again, large = (mutate.chosen(subject, count, 3) for count in (5, 5, 12))
        self.assertEqual(small, again)
        self.assertEqual(len(small), 5)
        self.assertLess(set(small), set(large))

    def test_a_header_is_tried_with_every_strategy_that_includes_it(self) -> None:
        found = {one.file: [owner.strategy for owner in one.owners] for one in
                 mutate.subjects(["bitmap", "tlsf", "half-fit", "best-fit"])}
        self.assertEqual(found["mm/byte_map.h"], ["bitmap", "best-fit"])
        self.assertEqual(found["mm/tagged_block.h"], ["tlsf", "half-fit"])
        self.assertNotIn("mm/heap_strategy.h", found)

    def test_the_front_door_and_the_check_can_be_asked_for(self) -> None:
        for name, file in (("heap", "mm/heap.c"), ("fences", "mm/quarantine.h"),
                           ("locks", "mm/lock.h"), ("heap_check", "mm/heap_check.c")):
            found = {one.file: one for one in mutate.subjects([name])}
            self.assertTrue(mutate.chosen(found[file], 3, 1))

    def test_every_file_of_the_heap_belongs_to_something(self) -> None:
        names = {path.stem for path in (ROOT / "mm").glob("*.c")} - {"heap", "heap_check"}
        found = {one.file for one in mutate.subjects([*names, *mutate.PARTS])}
        with_functions = {f"mm/{path.name}" for path in (ROOT / "mm").glob("*.[ch]")
                          if re.search(r"^\{", path.read_text("utf-8"), re.MULTILINE)}
        self.assertEqual(with_functions - found, {"mm/heap_step.h"})  # which only counts steps

    def test_a_mutant_is_compared_in_every_program_whose_code_may_show_it(self) -> None:
        (magazines, *_) = (one for one in mutate.subjects(["locks"]) if one.file == "mm/depot.h")
        (strategy, *_) = mutate.subjects(["tlsf"])
        self.assertEqual(magazines.owners[0].programs,
                         ("tests/locking/magazine-test", "arch/host/host-bitmap-percpu"))
        self.assertEqual(strategy.owners[0].programs, ("arch/host/host-tlsf",))


def a_mutant(file: str = "mm/bitmap.c") -> Mutant:
    return Mutant(file, "f", "constant", 3, "1", "2", 1, "a = 1;", "a = 2;")


class Trees(unittest.TestCase):

    def test_whoever_includes_upwards_from_a_folder_sees_the_change(self) -> None:
        root = self.enterContext(temporary_directory())
        for name in variant.CODE:
            (root / name / "folder").mkdir(parents=True)
        (root / "mm" / "x.h").write_text("original")
        (root / "tests" / "folder" / "test.c").write_text('#include "../../mm/x.h"')
        with mock.patch.object(variant, "ROOT", root):
            tree = variant.Tree(mock.Mock(), root / "tree", "mm/x.h", "bitmap", ["bitmap"])
        tree.write("changed")
        folder = root / "tree" / "tests" / "folder"
        self.assertEqual((folder / "test.c").read_text(), '#include "../../mm/x.h"')
        self.assertEqual((folder / ".." / ".." / "mm" / "x.h").read_text(), "changed")
        self.assertEqual((root / "mm" / "x.h").read_text(), "original")


class Ledgers(unittest.TestCase):

    def setUp(self) -> None:
        self.path = self.enterContext(temporary_directory()) / "kept" / "mutants.json"

    def test_what_was_found_is_known_to_the_next_run(self) -> None:
        verdict = Verdict(a_mutant().key, "mm/bitmap.c", "constant", SURVIVES)
        ledger = Ledger(self.path)
        ledger.note(a_mutant(), verdict)
        ledger.write()
        self.assertEqual(Ledger(self.path).find(a_mutant()), verdict)

    def test_a_verdict_on_a_file_that_was_changed_since_is_forgotten(self) -> None:
        root = self.enterContext(temporary_directory())
        (root / "mm").mkdir()
        (root / "mm" / "x.c").write_text("int a = 1;")
        with mock.patch.object(verdicts, "ROOT", root):
            ledger = Ledger(None)
            ledger.note(a_mutant("mm/x.c"), Verdict("k", "mm/x.c", "constant", SURVIVES))
            self.assertIsNotNone(ledger.find(a_mutant("mm/x.c")))
            (root / "mm" / "x.c").write_text("int b = 1;")
            self.assertIsNone(ledger.find(a_mutant("mm/x.c")))

    def test_a_survivor_is_tried_again_when_the_tests_have_changed(self) -> None:
        for outcome, is_known in ((SURVIVES, False), ("strategy-bitmap: x", True)):
            ledger = Ledger(None)
            ledger.note(a_mutant(), Verdict("k", "mm/bitmap.c", "constant", outcome))
            self.assertIsNotNone(ledger.find(a_mutant()))
            ledger._tests = {False: "others", True: "others"}
            self.assertEqual(ledger.find(a_mutant()) is not None, is_known)

    def test_a_survivor_is_not_tried_again_if_it_is_settled_why_it_lives(self) -> None:
        keys = verdicts.settled({a_mutant().key: "No difference.", "other": "A gap: no test."})
        self.assertEqual(keys, {a_mutant().key})
        for known, is_known in ((keys, True), ((), False)):
            ledger = Ledger(None, (), known)
            ledger.note(a_mutant(), Verdict("k", "mm/bitmap.c", "constant", SURVIVES))
            ledger._tests = {False: "others", True: "others"}
            self.assertEqual(ledger.find(a_mutant()) is not None, is_known)

    def test_the_front_door_s_own_tests_concern_its_own_files_alone(self) -> None:
        root = self.enterContext(temporary_directory())
        for name, text in (("mm/x.c", "int a = 1;"), ("mm/door.h", "int a = 1;"),
                           ("tests/cases.c", ""), ("tests/front_door.h", ""),
                           ("tests/front_door_test.c", ""), ("tests/fenced_test.c", "")):
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).write_text(text)
        with mock.patch.object(verdicts, "ROOT", root):
            ledger = Ledger(self.path, ["mm/door.h"])
            for file in ("mm/x.c", "mm/door.h"):
                ledger.note(a_mutant(file), Verdict("k", file, "constant", SURVIVES))
            ledger.write()
            for test, forgotten in (("tests/fenced_test.c", "mm/door.h"),
                                    ("tests/cases.c", "mm/x.c")):
                (root / test).write_text("int more;")
                again = Ledger(self.path, ["mm/door.h"])
                self.assertEqual([file for file in ("mm/x.c", "mm/door.h")
                                  if again.find(a_mutant(file)) is None], [forgotten])
                (root / test).write_text("")

    def test_a_file_that_is_no_list_of_verdicts_is_named(self) -> None:
        self.path.parent.mkdir()
        for text in ("{", "[1]", '{"x": 1}', '{"x": {"key": "x"}}', '{"x": {"key": "", "file": "",'
                     ' "kind": "", "outcome": "", "more": ""}}', '{"x": {"key": "", "file": "",'
                     ' "kind": "", "outcome": 1}}'):
            self.path.write_text(text)
            with self.subTest(text), \
                    self.assertRaisesRegex(InputError, "mutants.json is no list of verdicts"):
                Ledger(self.path)


class Survivors(unittest.TestCase):

    def explain(self, text: str) -> dict[str, str]:
        path = Path(self.enterContext(temporary_directory())) / "mutants.txt"
        path.write_text(text)
        return verdicts.explanations(path)

    def test_keys_share_the_reason_below_them(self) -> None:
        reason = "It makes no difference."
        self.assertEqual(
            self.explain("# why\n\na -> b\nc -> d\n    It makes no\n    difference.\n"),
            {"a -> b": reason, "c -> d": reason})

    def test_a_key_without_a_reason_is_named(self) -> None:
        with self.assertRaisesRegex(InputError, "keys without a reason, or the reverse: a -> b"):
            self.explain("a -> b\n")

    def test_a_row_counts_mutants_only_and_tells_explained_from_not(self) -> None:
        found = [Verdict("a", "mm/x.c", "logic", outcome) for outcome in
                 ("strategy-x: t", "exhaustive-x", SAME, SURVIVES)]
        found.append(Verdict("b", "mm/x.c", "logic", SURVIVES))
        (row, whole) = verdicts.rows(found, {"mm/x.c": 9}, {"a": "no difference"})
        self.assertEqual(row, ["`mm/x.c`", "9", "5", "4", "2", "50.0 %", "1", "1", "0", "1", "1"])
        self.assertEqual(whole[1:], row[1:])

    def test_every_survivor_is_shown_under_its_reason(self) -> None:
        found = [Verdict("a", "mm/x.c", "logic", SURVIVES),
                 Verdict("b", "mm/x.c", "logic", SURVIVES)]
        shown = verdicts.as_markdown(found, {"mm/x.c": 9}, {"a": "No difference"})
        self.assertIn("**No difference**\n\n- `a`\n", shown)
        self.assertIn("**Not explained**\n\n- `b`\n", shown)


class Documents(unittest.TestCase):
    """What is known goes into the document; what only the document knows stays there."""

    TOTALS = {"mm/x.c": 9, "mm/y.h": 7}
    REASONS = {"mm/x.c f: a -> b": "No difference"}

    def setUp(self) -> None:
        outcomes = ("strategy-x: t", "exhaustive-x", "exhaustive-x", "host-x", SAME)
        self.found = [Verdict("mm/x.c f: a -> b", "mm/x.c", "logic", SURVIVES),
                      Verdict("mm/x.c f: c -> d", "mm/x.c", "logic", SURVIVES),
                      *(Verdict("k", "mm/x.c", "logic", outcome) for outcome in outcomes)]
        self.document = self.place("<!-- mutants -->\n<!-- end of mutants -->\n", self.found)

    def place(self, document: str, found: list[Verdict],
              totals: dict[str, int] = TOTALS) -> str:
        return verdicts.placed(document, found, totals, self.REASONS)

    def test_a_row_has_what_was_found(self) -> None:
        self.assertIn("| `mm/x.c` | 9 | 7 | 6 | 4 | 66.7 % | 1 | 2 | 1 | 1 | 1 |", self.document)
        self.assertIn("**Not explained**\n\n- `mm/x.c f: c -> d`", self.document)

    def test_who_knows_nothing_of_a_file_leaves_its_row(self) -> None:
        self.assertEqual(self.place(self.document, []), self.document)
        of_another = Verdict("k", "mm/y.h", "logic", "host-x")
        again = self.place(self.document, [of_another])
        self.assertIn("| `mm/x.c` | 9 | 7 | 6 |", again)
        self.assertIn("| `mm/y.h` | 7 | 1 | 1 | 1 |", again)
        self.assertIn("| **all** | 16 | 8 | 7 | 5 |", again)
        self.assertIn("**No difference**\n\n- `mm/x.c f: a -> b`", again)

    def test_who_knows_more_of_a_file_or_another_file_replaces_its_row(self) -> None:
        killed = [Verdict("k", "mm/x.c", "logic", "host-x")] * 8
        self.assertIn("| `mm/x.c` | 9 | 8 | 8 | 8 |", self.place(self.document, killed))
        changed = self.place(self.document, killed[:1], {"mm/x.c": 8, "mm/y.h": 7})
        self.assertIn("| `mm/x.c` | 8 | 1 | 1 | 1 |", changed)
        self.assertNotIn("mm/x.c f: a", changed)

    def test_a_document_without_a_place_is_refused(self) -> None:
        with self.assertRaisesRegex(InputError, "no place for the table"):
            self.place("text", [])


class Explanations(unittest.TestCase):

    def test_each_is_of_a_file_that_there_is(self) -> None:
        for key in verdicts.explanations():
            self.assertTrue((ROOT / key.partition(" ")[0]).is_file(), key)
            self.assertIn(" -> ", key)


if __name__ == "__main__":
    unittest.main()
