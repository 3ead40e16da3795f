# SPDX-License-Identifier: MIT
"""What a lock costs that nobody else wants, and what magazines cost and save, in instructions.

usage: locking_cost_test.py BUILD_DIRECTORY STRATEGY... [unittest arguments]

All kernels are without hardening.
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
STRATEGIES: list[str] = []

PAIRS = 200
SPIN_PAIR_MAX = 16  # eight in each call: five to take the lock, three to give it
HIT_PAIR_MAX = 40


def replay(strategy: str, locking: str, trace: pathlib.Path) -> dict[str, dict[str, int]]:
    """Returns the record of a counted replay."""
    done = subprocess.run(
        [sys.executable, "-m", "lab.qemu", "--kernel",
         BUILD / f"los-{strategy}-bare-{locking}.elf", "--count", "--module", trace, "--append",
         "run=replay unit=instructions samples=0"], capture_output=True, text=True)
    found = re.search(r"^result: (.*)$", done.stdout, re.MULTILINE)
    if done.returncode != 0 or found is None:
        raise AssertionError(f"no record:\n{done.stdout}{done.stderr}")
    record = json.loads(found[1])
    if (record["hardening"], record["locking"]) != ("off", locking):
        raise AssertionError(f"another kernel than was asked for: {record}")
    return record


class Costs(unittest.TestCase):
    """kmalloc and kfree of one block, again and again."""

    def setUp(self) -> None:
        self.scratch = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def pair(self, strategy: str, locking: str) -> int:
        """Returns what a kmalloc and a kfree cost together once the heap is warm."""
        trace = self.scratch / "pairs.rep"
        trace.write_text(f"4096\n1\n{2 * PAIRS}\n1\n" + "a 0 64\nf 0\n" * PAIRS, "utf-8")
        record = replay(strategy, locking, trace)
        return record["malloc"]["p50"] + record["free"]["p50"]

    def test_a_spin_lock_that_nobody_else_wants(self) -> None:
        for strategy in STRATEGIES:
            with self.subTest(strategy):
                cost = self.pair(strategy, "spin") - self.pair(strategy, "none")
                self.assertGreater(cost, 0)
                self.assertLessEqual(cost, SPIN_PAIR_MAX)

    def test_a_hit_costs_the_same_whatever_the_strategy(self) -> None:
        costs = {strategy: self.pair(strategy, "percpu") for strategy in STRATEGIES}
        self.assertEqual(set(costs.values()), {HIT_PAIR_MAX}, costs)

    def test_the_naive_heap_behind_magazines(self) -> None:
        trace = self.scratch / "linux-fork-exec.rep"
        trace.write_bytes(gzip.decompress((SOURCE / "traces" / "linux-fork-exec.rep.gz")
                                          .read_bytes()))
        naive, parked, best = (replay(*kernel, trace)["cost"]["total"] for kernel in (
            ("bitmap", "none"), ("bitmap", "percpu"), ("segregated", "none")))
        self.assertLess(parked * 100, naive)
        self.assertLess(parked, best * 4)


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv[1]).resolve() / "arch" / "x86"
    STRATEGIES = sys.argv[2:]
    unittest.main(verbosity=2, argv=sys.argv[:1])
