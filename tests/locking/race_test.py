# SPDX-License-Identifier: MIT
"""run=race: schedules to the instruction, which ones go wrong, and that with a lock none does.

usage: race_test.py BUILD_DIRECTORY STRATEGY [unittest arguments]
"""

import json
import pathlib
import re
import subprocess
import sys
import unittest

BUILD = pathlib.Path()
STRATEGY = ""


def race(locking: str, words: str, processors: int, *, counted: bool = True) -> dict[str, object]:
    """What a race's record says."""
    kernel = BUILD / f"los-{STRATEGY}{'-' + locking if locking != 'none' else ''}.elf"
    done = subprocess.run(
        [sys.executable, "-m", "lab.qemu", "--kernel", kernel, "--processors", str(processors),
         *(["--count"] if counted else []),
         "--append", f"run=race {words} processors={processors}"],
        capture_output=True, text=True, errors="replace")
    found = re.search(r"^result: (.*)$", done.stdout, re.MULTILINE)
    if found is None:
        raise AssertionError(f"no record:\n{done.stdout}{done.stderr}")
    record = json.loads(found[1])
    if done.returncode != (0 if record["end"] == "clean" else 1):
        raise AssertionError(f"status {done.returncode} with end {record['end']}")
    return record


class Interrupts(unittest.TestCase):
    """One interrupt, before each instruction of a kmalloc and a kfree."""

    def test_somewhere_it_breaks_a_heap_without_a_lock(self) -> None:
        record = race("none", "bound=1", 1)
        (tried,) = record["explored"]
        self.assertEqual(tried["schedules"], (record["steps"] - 2) // tried["stride"] + 1)
        self.assertGreater(tried["failing"], 0)
        self.assertEqual(sum(tried["ends"].values()), tried["failing"])

    def test_nowhere_does_it_break_one_that_masks_interrupts(self) -> None:
        (tried,) = race("irq", "bound=1", 1)["explored"]
        self.assertGreater(tried["schedules"], 20)
        self.assertEqual((tried["failing"], tried["ends"]), (0, {}))


class Processors(unittest.TestCase):
    """Two of them."""

    def test_the_same_seed_is_the_same_race(self) -> None:
        first, second = (race("none", "seed=1", 2) for _ in range(2))
        self.assertEqual(first, second)
        self.assertEqual(first["end"], "twice")
        self.assertEqual(first["found"]["address"], first["owner"]["address"])
        self.assertNotEqual(first["found"]["side"], first["owner"]["side"])

    def test_no_switch_of_a_minimised_schedule_can_be_left_out(self) -> None:
        record = race("none", "seed=1", 2)
        switches = record["schedule"].split(",")
        self.assertLess(len(switches), record["drawn_switches"])
        for left_out in range(len(switches)):
            rest = ",".join(switches[:left_out] + switches[left_out + 1:])
            self.assertEqual(race("none", f"switches={rest}", 2)["end"], "clean")

    def test_a_schedule_needs_no_counted_instructions(self) -> None:
        first, second = (race("none", "switches=0:28,1:76", 2, counted=False) for _ in range(2))
        self.assertEqual(first, second)
        self.assertNotEqual(first["end"], "clean")

    def test_one_switch_breaks_no_heap_with_a_lock(self) -> None:
        for locking, words in (("spin", ""), ("percpu", " warm")):
            with self.subTest(locking):
                (tried,) = race(locking, f"bound=1{words}", 2)["explored"]
                self.assertGreater(tried["schedules"], 20)
                self.assertEqual(tried["failing"], 0)

    def test_who_waits_for_the_lock_hands_over(self) -> None:
        record = race("none", "switches=0:20 lock=unmasked", 2)
        self.assertEqual(record["end"], "clean")


class Deadlock(unittest.TestCase):
    """A lock that lets interrupts in, and an interrupt that wants it."""

    def test_it_is_found_and_the_holder_is_named(self) -> None:
        record = race("none", "bound=1 lock=unmasked", 1)
        self.assertEqual((record["end"], record["side"]), ("deadlock", 1))
        self.assertEqual(record["holder"]["side"], 0)
        self.assertIn("kmalloc", record["holder"]["where"])
        (tried,) = record["explored"]
        self.assertEqual(tried["ends"], {"deadlock": tried["failing"]})
        self.assertLess(tried["failing"], tried["schedules"])


class BadWords(unittest.TestCase):

    def test_a_side_that_there_is_not(self) -> None:
        with self.assertRaisesRegex(AssertionError, "error: switches= is a list of SIDE:STEP"):
            race("none", "switches=2:10", 2)

    def test_a_schedule_that_is_none(self) -> None:
        for word in ("0", "0:", "a:1", "0:1;1:2"):
            with self.subTest(word), self.assertRaisesRegex(AssertionError, "error: switches= is"):
                race("none", f"switches={word}", 2)


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv[1]).resolve() / "arch" / "x86"
    STRATEGY = sys.argv[2]
    del sys.argv[1:3]
    unittest.main(verbosity=2)
