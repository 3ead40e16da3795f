# SPDX-License-Identifier: MIT
"""grade: a correct heap, heaps as students write them, and the rule for marks.

The students' heaps stand in a copy of the source tree, and are built and run for real.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, Optional
from unittest import mock

from lab import ROOT, build, new, process
from lab.grade import checks, marks, screen
from lab.grade.expectations import expected
from lab.tests.support import (copied_source, programs_missing, said, script,
                               temporary_directory)

# The next block's header lies where the caller writes.
OVERLAPS = ("(size + 2 * sizeof(struct block) - 1)", "(size + sizeof(struct block) - 1)")
# It waits for a large block to be freed, rather than pass by.
LOOPS = ("if (block->mark == LIVE)\n            continue;",
         "while (block->mark == LIVE && block->bytes > 200)\n            ;\n"
         "        if (block->mark == LIVE)\n            continue;")
NO_C = ("return block + 1;", "return block + 1")


def grade(source: Path, name: str, directory: Path,
          build_root: Optional[Path] = None) -> subprocess.CompletedProcess[str]:
    """Run `heaplab grade` of a source tree, without asking apt."""
    environment = {name: value for name, value in os.environ.items() if name != "LAB_BUILD_ROOT"}
    environment |= {"PYTHONPATH": str(source)}
    environment |= {"LAB_BUILD_ROOT": str(build_root)} if build_root else {}
    return subprocess.run(
        [sys.executable, "-B", "-m", "lab", "grade", name, "--results", "results"], cwd=directory,
        env=environment, capture_output=True, text=True, check=False, timeout=500)


@unittest.skipIf(programs_missing(), programs_missing())
class Students(unittest.TestCase):

    source: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.directory = cls.enterClassContext(temporary_directory())
        cls.source = copied_source(cls.directory)
        for name, (right, wrong) in {"overlaps": OVERLAPS, "loops": LOOPS, "no-c": NO_C}.items():
            new.create(name, cls.source)
            path = cls.source / "mm" / f"{name}.c"
            text = path.read_text("utf-8")
            assert text.count(right) == 1, right
            path.write_text(text.replace(right, wrong), "utf-8")

    def graded(self, name: str) -> str:
        """What is said of a heap that is not correct."""
        done = grade(self.source, name, self.directory)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertTrue(done.stdout.startswith(f"{name}: NOT CORRECT\n"), done.stdout)
        self.assertIn("No marks: they are for heaps that are correct", done.stdout)
        self.assertNotIn("Traceback", done.stderr)
        return done.stdout

    def replay(self, name: str, said: str) -> subprocess.CompletedProcess[str]:
        """Carry out the command that the verdict gives."""
        (command,) = re.findall(r"^  (\S+/host-\S+ map_bytes=\d+ run=replay \S+\.rep)$", said, re.M)
        return subprocess.run(["/bin/sh", "-c", f"ulimit -t 2; exec {command}"], text=True,
                              cwd=self.directory, capture_output=True, check=False)

    def test_blocks_that_overlap_are_shown_with_the_calls_and_the_heap(self) -> None:
        said = self.graded("overlaps")
        self.assertRegex(said, r"every short sequence of calls   WRONG  wrong after 1 call\n")
        self.assertRegex(said, r"random calls, long sequences    WRONG  wrong after 1 call"
                         r" \(it was \d+ before shortening\)")
        self.assertRegex(said, r"\|\.{60,}  before\n     -1040\n  1. block 0 = kmalloc\(24\)\n"
                         r"     \|\|\.{60,}  after\n     \+24 -1016\n")
        self.assertIn("wrong: 24 bytes were asked for, but the block at offset 8 has only 16\n"
                      "     expected: usable() says at least the size that was asked for\n", said)
        replayed = self.replay("overlaps", said)
        self.assertEqual(replayed.returncode, 1, replayed.stdout)
        error = re.search(r"^error: .*", replayed.stdout, re.M)
        assert error
        self.assertIn(f"It says: {error[0]}"[:90], said)

    def test_a_heap_that_does_not_come_back_is_told(self) -> None:
        said = self.graded("loops")
        self.assertIn("every short sequence of calls   WRONG  wrong after 2 calls", said)
        self.assertIn("wrong: it does not come back\n     expected: every call comes back", said)
        self.assertRegex(said, r"unit cases +WRONG  \S+: it does not come back")
        self.assertLess(self.replay("loops", said).returncode, 0)

    def test_what_is_no_c_is_told_in_the_compilers_words(self) -> None:
        said = self.graded("no-c")
        self.assertRegex(said, r"compiles  WRONG  the compilers say:\n"
                         r"      mm/no-c\.c:\d+:\d+: error: expected .;. ")


class BadInput(unittest.TestCase):

    def test_a_place_for_results_that_cannot_be_is_told_before_anything_is_built(self) -> None:
        with tempfile.NamedTemporaryFile() as file:
            for place, why in (
                    (file.name, f"cannot be made: {file.name} is not a directory"),
                    ("/proc/x", "cannot be made: No such file or directory")):
                with mock.patch.object(build, "strategies", lambda: ["tlsf"]), \
                        mock.patch("lab.grade.command.Build", side_effect=AssertionError):
                    self.assertEqual(said("grade", "tlsf", "--results", place), (
                        2, "", f"heaplab: error: {place}/tlsf: {why}\n"))

    def test_a_place_for_results_may_be_called_as_one_likes(self) -> None:
        with temporary_directory() as directory:
            results = directory / """a "b" $HOME `c` 'd'"""
            results.mkdir()
            program = script(directory / "fails", "#!/bin/sh\necho ERROR: told >&2\nexit 1\n")
            judge = mock.Mock()
            check = checks.Check("title", "program", (), judge)
            process.wait_for(checks.perform(check, program, results, lambda _: None))
            self.assertEqual((results / "program.log").read_text(), "ERROR: told\n")
            self.assertEqual(judge.call_args.args[1].complaints, ("ERROR: told",))


@unittest.skipIf(programs_missing(), programs_missing())
class Correct(unittest.TestCase):

    def test_a_correct_heap_gets_marks_beside_the_classics(self) -> None:
        with temporary_directory() as directory:
            root = os.environ.get("LAB_BUILD_ROOT")
            done = grade(ROOT, "bitmap", directory, Path(root) if root else None)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertTrue(done.stdout.startswith("bitmap: CORRECT\n"), done.stdout)
        self.assertNotIn("WRONG", done.stdout)
        self.assertRegex(done.stdout, r"all [\d,]+ of up to \d+ calls: [\d,]+ distinct states")
        self.assertRegex(done.stdout, r"mark +1/5 +1/5 +\d/5 +5/5")
        for name in marks.CLASSICS:
            self.assertEqual(len(re.findall(rf"^{name} ", done.stdout, re.M)), 1, done.stdout)
        self.assertLessEqual(max(map(len, done.stdout.splitlines())), 100)


def row(name: str, mean: float, *, worst: int = 10, tightness: Optional[float] = 0.5,
        text: int = 100, failures: int = 0) -> dict[str, Any]:
    """A row of lab.table.totals(), made up."""
    return {"strategy": name, "cost": {"mean": mean, "max": worst}, "tightness": tightness,
            "footprint": {"text_bytes": text, "control_bytes": 0}, "failures": failures}


class Marks(unittest.TestCase):

    classics = [row(f"classic-{mean}", mean) for mean in (100, 80, 60, 40, 20)]

    def points(self, mine: dict[str, Any]) -> list[int]:
        """The marks of a heap beside the classics."""
        return [one.points for one in marks.marks(mine, self.classics)]

    def test_there_is_a_point_for_each_classic_that_is_not_better(self) -> None:
        for mean, points in ((101, 0), (100, 1), (61, 2), (60, 3), (20, 5), (1, 5)):
            self.assertEqual(self.points(row("mine", mean)), [points, 5, 5, 5], mean)

    def test_more_tightness_is_better_and_none_is_worst(self) -> None:
        self.assertEqual(self.points(row("mine", 1, tightness=0.4))[2], 0)
        self.assertEqual(self.points(row("mine", 1, tightness=None))[2], 0)

    def test_a_heap_that_refuses_gets_nothing_for_its_speed(self) -> None:
        given = marks.marks(row("mine", 1, failures=7), self.classics)
        self.assertEqual([one.points for one in given], [0, 0, 5, 5])
        self.assertIn("refused 7 requests", given[0].reason)

    def test_the_next_classic_to_reach_is_named(self) -> None:
        given = marks.marks(row("mine", 70), self.classics)
        self.assertEqual(given[0].reason, "next to reach: classic-60, 60.0")


class Words(unittest.TestCase):

    def test_each_fault_that_the_tests_can_find_has_an_expectation(self) -> None:
        found = []
        for name in ("oracle.c", "caller.c", "trial.c", "exhaustive/probe.c", "exhaustive/main.c"):
            text = (ROOT / "tests" / name).read_text("utf-8")
            text = re.sub(r'"\s*\n\s*"', "", text)
            found += re.findall(r'WRONG\((?:oracle|seen->oracle), "((?:[^"\\]|\\.)*)"', text)
            found += re.findall(r'(?:why|wrong|NULL :|return|tell\() ?=? ?"([a-z][^"]{15,})"', text)
        faults = [re.sub(r"%[ud]", "7", one) for one in found if one != "abort_on_error=1"]
        self.assertGreater(len(faults), 20)
        self.assertEqual([one for one in faults if not expected(one)], [])

    def test_a_heap_is_drawn_to_scale(self) -> None:
        self.assertEqual(screen.bar("+16 -32 ?16", 16), "|###|.......|ccc")
        self.assertEqual(screen.bar("+8 -8 +1000", 10), "|#########")

    def test_of_a_long_story_the_last_calls_are_shown(self) -> None:
        lines = tuple(f"  {number}. kfree(block {number})" for number in range(1, 31))
        told = screen.story_lines(checks.Story(8, 30, lines, Path("x.rep")))
        self.assertEqual(told[0], "  ... 14 calls before")
        self.assertEqual(told[1:], list(lines[14:]))


if __name__ == "__main__":
    unittest.main()
