# SPDX-License-Identifier: MIT
"""Requests that fail on purpose in a replay, in the kernel and as a process; and panic_on_misuse.

usage: failing_test.py KERNEL HOST_PROGRAM WITHOUT_HARDENING GOES_ON STOPS

The last three are host programs as well; of the last two one was built with panic_on_misuse.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
KERNEL = HOST = BARE = GOES_ON = STOPS = ""
WORKLOAD = ["run=replay", "workload=churn-kernel-50", "operations=2000", "samples=8"]


def boot(*words: str) -> subprocess.CompletedProcess[str]:
    """What the kernel says."""
    return subprocess.run(
        [sys.executable, "-m", "lab.qemu", "--kernel", KERNEL, "--append", " ".join(words)],
        capture_output=True, text=True, env=dict(os.environ, PYTHONPATH=str(SOURCE)))


def start(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    """What a Linux process of the same says."""
    return subprocess.run([program, *words], capture_output=True, text=True)


def record(done: subprocess.CompletedProcess[str]) -> dict:
    """The record of a replay that came to its end."""
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(re.findall(r"^result: (.*)$", done.stdout, re.MULTILINE)[0])


class Failing(unittest.TestCase):

    def test_the_nth_request_fails_and_no_other(self):
        for number in (1, 2, 77):
            told = record(start(HOST, *WORKLOAD, f"fail_nth={number}"))
            self.assertEqual(told["failures"], 1)
            # The build-up of a churn allocates only: so the Nth request is its Nth operation.
            self.assertEqual(told["first_failure"]["operation"], number - 1)

    def test_the_kernel_fails_the_same_requests_as_the_process(self):
        for words in (["fail_nth=5"], ["fail_skip=9", "fail_interval=50", "fail_times=7"],
                      ["fail_percent=10", "seed=4"]):
            with self.subTest(words):
                ones = [record(boot(*WORKLOAD, *words)), record(start(HOST, *WORKLOAD, *words))]
                for name in ("failures", "first_failure", "placement_hash"):
                    self.assertEqual(ones[0][name], ones[1][name])
                self.assertGreater(ones[0]["failures"], 0)

    def test_interval_and_times_bound_what_fails(self):
        told = record(start(HOST, *WORKLOAD, "fail_skip=9", "fail_interval=50", "fail_times=7"))
        self.assertEqual((told["failures"], told["first_failure"]["operation"]), (7, 9))

    def test_words_that_make_no_sense_are_refused(self):
        for words in (["fail_nth=0"], ["fail_percent=101"], ["fail_interval=0"], ["fail_x=1"]):
            done = start(HOST, *WORKLOAD, *words)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"error: command line: '{words[0]}' is no word", done.stdout)
        done = start(HOST, "run=tests", "fail_nth=1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("error: command line: fail_nth=, fail_skip= and the like go with run=replay",
                      done.stdout)

    def test_a_kernel_without_hardening_says_that_it_cannot(self):
        done = start(BARE, *WORKLOAD, "fail_nth=1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("error: with -Dhardening=off no request can fail on purpose", done.stdout)


class PanicOnMisuse(unittest.TestCase):

    def test_it_decides_whether_a_report_is_the_end(self):
        # Sins are committed by a process of their own, which is what ends.
        for program, stops in ((GOES_ON, False), (STOPS, True)):
            done = start(program, "run=misuse", "sin=free-twice")
            self.assertRegex(done.stdout, r"(?m)^misuse: kfree of free memory: 0x[0-9a-f]+ lies")
            self.assertEqual("\npanic: the heap was misused\n" in done.stdout, stops)
            self.assertEqual(done.stdout.endswith("sin: free-twice crashed\n"), stops)


if __name__ == "__main__":
    KERNEL, HOST, BARE, GOES_ON, STOPS = sys.argv[1:6]
    del sys.argv[1:6]
    unittest.main(verbosity=2)
