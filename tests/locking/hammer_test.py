# SPDX-License-Identifier: MIT
"""Processors and interrupts hammer a heap: without a lock it breaks, with one it does not.

usage: hammer_test.py BUILD_DIRECTORY STRATEGY [unittest arguments]

Kernels run under -icount: the same schedule comes out the same each time.
"""

import gzip
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path()
STRATEGY = ""

DONE, FAILED, PANICKED = 0, 1, 2
SECOND = 1_000_000_000  # in instructions, at -icount shift=0
WORKLOADS = ("own", "pass", "larson")


def hammer(locking: str, words: str, processors: int = 2,
           *options: object) -> tuple[int, dict[str, object]]:
    """Hammers the heap with this locking; returns how the kernel ended, and its record."""
    kernel = BUILD / f"los-{STRATEGY}{'-' + locking if locking != 'none' else ''}.elf"
    done = subprocess.run(
        [sys.executable, "-m", "lab.qemu", "--kernel", kernel, "--count", "--processors",
         str(processors), "--append", f"run=hammer unit=instructions {words}"
         f" processors={processors}", *map(str, options)],
        capture_output=True, text=True, errors="replace")
    found = re.search(r"^result: (.*)$", done.stdout, re.MULTILINE)
    if found is None:
        raise AssertionError(f"no record:\n{done.stdout}{done.stderr}")
    return done.returncode, json.loads(found[1])


class Breaks(unittest.TestCase):
    """-Dlocking=none."""

    def test_it_breaks_within_a_second_and_at_the_same_instruction_again(self) -> None:
        first, second = (hammer("none", "operations=200000 interval=3000 seed=1")
                         for _ in range(2))
        self.assertEqual(first, second)
        status, record = first
        self.assertIn(status, (FAILED, PANICKED))
        self.assertLess(record["trouble"]["at"], SECOND)
        self.assertEqual(record["locking"], "none")


class Holds(unittest.TestCase):
    """-Dlocking=spin and percpu."""

    def assert_holds(self, locking: str, words: str, *arguments: object) -> dict[str, object]:
        status, record = hammer(locking, words, *arguments)
        self.assertIsNone(record["trouble"], record)
        self.assertEqual((status, record["locking"]), (DONE, locking))
        return record

    def test_a_spin_lock_lets_nothing_be_handed_out_twice(self) -> None:
        record = self.assert_holds("spin", "operations=6000 interval=3000 workload=larson")
        calls = record["operations"] + record["interrupt_operations"]
        self.assertGreater(record["interrupts"], 100)
        self.assertGreater(record["lock"]["waits"], 10)
        self.assertGreaterEqual(record["lock"]["acquisitions"], calls)
        self.assertLessEqual(record["lock"]["held_max"], record["lock"]["kept_out_max"])

    def test_magazines_let_nothing_be_handed_out_twice(self) -> None:
        self.assert_holds("percpu", "operations=12000 interval=3000 workload=larson")

    def test_magazines_spare_the_lock(self) -> None:
        record = self.assert_holds("percpu", "operations=12000 interval=3000 workload=own")
        calls = record["operations"] + record["interrupt_operations"]
        self.assertLess(record["lock"]["acquisitions"], 0.05 * calls)


class Interrupts(unittest.TestCase):
    """-Dlocking=irq: one processor, and its interrupt handlers."""

    def test_masking_interrupts_is_enough_for_one_processor(self) -> None:
        status, record = hammer("irq", "operations=4000 interval=2000", 1)
        self.assertEqual((status, record["trouble"]), (DONE, None))
        self.assertGreater(record["interrupt_operations"], 100)

    def test_and_without_it_one_processor_is_enough_to_break_it(self) -> None:
        status, record = hammer("none", "operations=400000 interval=500", 1)
        self.assertIn(status, (FAILED, PANICKED))
        self.assertIsNotNone(record["trouble"])


class FourProcessors(unittest.TestCase):
    """All workloads, and a recorded trace."""

    def test_every_workload_holds_with_magazines(self) -> None:
        for workload in WORKLOADS:
            with self.subTest(workload):
                status, record = hammer(
                    "percpu", f"operations=40000 interval=10000 workload={workload}", 4)
                self.assertEqual((status, record["trouble"]), (DONE, None))
                self.assertEqual(record["workload"], workload)
                self.assertGreaterEqual(record["operations"], 40000)

    def split(self, name: str) -> dict[str, object]:
        """A recorded trace, split over the processors."""
        with tempfile.NamedTemporaryFile(suffix=".rep") as trace:
            packed = SOURCE / "traces" / f"{name}.rep.gz"
            trace.write(gzip.decompress(packed.read_bytes()))
            trace.flush()
            status, record = hammer("percpu", "interval=20000", 4, "--module", trace.name)
        self.assertEqual((status, record["trouble"], record["workload"]), (DONE, None, "split"))
        return record

    def test_a_recorded_trace_is_split_over_the_processors(self) -> None:
        record = self.split("linux-boot")
        self.assertEqual((record["operations"], record["failures"]), (27305, 0))

    def test_when_memory_is_short_what_is_parked_is_given_back(self) -> None:
        record = self.split("linux-fork-exec")
        self.assertEqual(record["operations"] + record["failures"], 87639)
        self.assertGreater(record["magazines"]["reclaims"], 0)
        self.assertLess(record["failures"], 500)


class BadWords(unittest.TestCase):
    """What cannot be done is said."""

    def assert_error(self, message: str, words: str, processors: int = 1) -> None:
        with self.assertRaisesRegex(AssertionError, re.escape(f"error: {message}")):
            hammer("none", words, processors)

    def test_an_unknown_workload(self) -> None:
        self.assert_error("run=hammer: workload= is own, pass or larson", "workload=churn")

    def test_an_unknown_mix(self) -> None:
        self.assert_error("run=hammer: workload= names no mix", "workload=own-huge")

    def test_too_many_operations_for_a_hand(self) -> None:
        self.assert_error("run=hammer: operations= is more than", "operations=200000000")


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv[1]).resolve() / "arch" / "x86"
    STRATEGY = sys.argv[2]
    del sys.argv[1:3]
    unittest.main(verbosity=2)
