# SPDX-License-Identifier: MIT
"""The kernel's experiments on the naive heap: each says one record, and what it says is so.

usage: experiment_test.py KERNEL HOST_PROGRAM
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
KERNEL = HOST = ""
BLOCK_BYTES = 64

HARMLESS = {"refused": True, "broken": None, "shared": 0, "damaged": 0, "broken_later": None,
            "reported": 1}


def run(experiment: str) -> dict:
    """The record of an experiment, in the booted kernel."""
    done = subprocess.run(
        [sys.executable, "-m", "lab.qemu", "--count", "--kernel", KERNEL, "--append",
         f"run=experiment unit=instructions experiment={experiment}"],
        capture_output=True, text=True, env=dict(os.environ, PYTHONPATH=str(SOURCE)))
    (record,) = re.findall(r"^result: (.*)$", done.stdout, re.MULTILINE)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(record)


class Sins(unittest.TestCase):
    """A heap that knows its live blocks refuses wrong frees, and nothing else."""

    def assert_outcome(self, experiment: str, **different: object):
        record = run(experiment)
        told = {name: record[name] for name in HARMLESS}
        self.assertEqual(told, HARMLESS | different)

    def test_a_free_of_what_is_no_live_block_is_refused_and_does_no_harm(self):
        for sin in ("double-free", "interior-free", "foreign-free"):
            with self.subTest(sin):
                self.assert_outcome(sin)

    def test_a_free_of_a_block_that_has_a_new_owner_takes_it_from_under_him(self):
        self.assert_outcome("stale-free", refused=False, shared=1, damaged=1)

    def test_a_write_after_free_is_seen_by_nobody_until_there_is_an_owner(self):
        self.assert_outcome("use-after-free", refused=None, reported=0)
        self.assert_outcome("use-after-reuse", refused=None, damaged=1, reported=0)

    def test_an_overrun_damages_the_neighbour_but_not_within_the_rounding(self):
        self.assert_outcome("overrun", refused=None, damaged=1, reported=0)
        self.assert_outcome("small-overrun", refused=None, reported=0)


class Driver(unittest.TestCase):

    def test_the_careless_drivers_overrun_hides_in_the_rounding_for_long_and_then_shows(self):
        record = run("careless-driver")
        self.assertIs(record["sound"], False)
        self.assertGreater(record["delivered"], 50)
        self.assertEqual(record["received"], record["delivered"] + 8)  # the queue

    def test_the_careless_driver_forgets_runts(self):
        self.assertGreater(run("careless-driver")["runts"], 0)


class Figures(unittest.TestCase):

    def test_zeroing_costs_more_the_larger_the_block(self):
        record = run("zeroing")
        extra = [zeroed - plain for zeroed, plain in zip(record["kcalloc"], record["kmalloc"])]
        self.assertEqual(extra, sorted(extra))
        self.assertGreater(extra[0], 0)

    def test_fresh_blocks_hold_their_last_owners_bytes(self):
        record = run("stale")
        self.assertGreater(record["stale_bytes"], record["bytes"] // 2)
        self.assertLessEqual(record["stale_bytes"], record["bytes"])

    def test_three_maps_of_the_same_blocks_give_the_same_answer(self):
        record = run("map-scan")
        self.assertEqual(record["found"], [record["blocks"] - 1] * 3)
        self.assertGreater(record["byte"], record["word"])
        self.assertGreater(record["word"], record["bit"])

    def test_a_cached_object_costs_less_than_a_new_one(self):
        record = run("constructed")
        self.assertLess(record["take"], record["kmalloc"] + record["construct"])

    def test_two_runs_say_the_same(self):
        self.assertEqual(run("constructed"), run("constructed"))


class Host(unittest.TestCase):

    def on_host(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([HOST, *words], capture_output=True, text=True)

    def test_an_unknown_experiment_is_refused(self):
        for words in (["experiment=alchemy"], []):
            with self.subTest(words):
                done = self.on_host("run=experiment", *words)
                self.assertEqual((done.returncode, done.stdout), (1, "error: run=experiment needs"
                                 " experiment=NAME; docs/runner.md has their names\n"))

    def test_the_documents_list_of_experiments_is_complete(self):
        listed = re.search(r"## Experiments\n.*?\n\n(\|.*?)\n\n",
                           (SOURCE / "docs" / "runner.md").read_text("utf-8"), re.DOTALL)[1]
        source = (SOURCE / "kernel" / "experiment.c").read_text("utf-8")
        self.assertEqual(set(re.findall(r"^\| `([a-z-]+)`", listed, re.MULTILINE)),
                         set(re.findall(r'\{"([a-z-]+)", experiment_', source)))

    def test_a_process_measures_in_cycles_if_told_so(self):
        words = ["run=replay", "workload=churn-small-10", "operations=100", "samples=0"]
        for unit, due in (([], "none"), (["unit=instructions"], "none"),
                          (["unit=cycles"], "cycles")):
            with self.subTest(unit):
                said = self.on_host(*words, *unit).stdout
                record = json.loads(re.search(r"^result: (.*)$", said, re.MULTILINE)[1])
                self.assertEqual(record["unit"], due)
                self.assertEqual(record["cost"].get("max", 0) > 0, due == "cycles")


if __name__ == "__main__":
    KERNEL, HOST = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1], verbosity=2)
