# SPDX-License-Identifier: MIT
"""What the hardening level `check` costs, in kernels that replay the recorded traces."""

from __future__ import annotations

import io
import unittest

from rich.console import Console

from lab import process, trace
from lab.experiment import KERNEL, Builds, Experiment, Laboratory
from lab.progress import Board
from lab.schedule import carry_out
from lab.tests.support import programs_missing, temporary_directory

STRATEGY = "boundary-map"
"""The fastest of those that are tight as well; it validates every free by itself."""
BOUND_INSTRUCTIONS = 10
OPERATIONS = 10_000


def experiment(name: str, hardening: str) -> Experiment:
    """The replay of a shipped trace's beginning."""
    return Experiment(KERNEL, STRATEGY, f"run=replay samples=0 operations={OPERATIONS}",
                      hardening=hardening, trace=trace.read(trace.find(name)))


@unittest.skipIf(programs_missing(), programs_missing())
class Check(unittest.TestCase):

    def test_it_costs_at_most_ten_instructions_an_operation(self) -> None:
        pairs = {name: (experiment(name, "off"), experiment(name, "check"))
                 for name in trace.shipped()}
        experiments = [one for pair in pairs.values() for one in pair]
        builds = Builds(experiments)
        builds.prepare(lambda text: None)
        with temporary_directory() as scratch:
            laboratory = Laboratory(experiments, builds, scratch)
            with Board(Console(file=io.StringIO()), 2) as board:
                process.wait_for(carry_out(laboratory.plan, 2, laboratory.perform, board))
        for name, (off, check) in pairs.items():
            costs = [laboratory.answers[one.key]["cost"] for one in (off, check)]
            means = [one["total"] / one["operations"] for one in costs]
            print(f"{name}: {means[0]:.2f} off, {means[1]:.2f} check,"
                  f" {means[1] - means[0]:.2f} more")
            with self.subTest(trace=name):
                self.assertEqual(costs[0]["operations"], costs[1]["operations"])
                self.assertGreater(means[1], means[0])
                self.assertLessEqual(means[1] - means[0], BOUND_INSTRUCTIONS)


if __name__ == "__main__":
    unittest.main()
