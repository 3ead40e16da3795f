# SPDX-License-Identifier: MIT
"""Many traces in one boot: each has the figures that it has alone, and a wrong one is named.

usage: trials_test.py KERNEL HOST_PROGRAM
"""

import array
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
KERNEL = HOST = ""

TRACES = (
    "65536\n2\n4\n1\na 0 5000\na 1 70\nf 0\na 0 100\n",
    "65536\n3\n5\n1\na 0 64\na 1 640\na 2 64\nf 1\nf 0\n",
    "65536\n1\n2\n1\na 0 4000000000\nf 0\n",
)
NO_COST = 0xFFFFFFFF


class Trials(unittest.TestCase):

    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.bulk = self.directory / "costs"

    def boot(self, words: str, text: str) -> subprocess.CompletedProcess:
        """A boot with this module."""
        module = self.directory / "module"
        module.write_text(text)
        return subprocess.run(
            [sys.executable, "-m", "lab.qemu", "--count", "--kernel", KERNEL, "--module", module,
             "--debug-console", self.bulk,
             "--append", f"{words} unit=instructions samples=0 costs"],
            capture_output=True, text=True, env=dict(os.environ, PYTHONPATH=str(SOURCE)))

    def costs(self) -> list:
        return list(array.array("I", self.bulk.read_bytes()))

    def test_each_has_the_figures_that_it_has_alone(self):
        alone, records = [], []
        for trace in TRACES:
            done = self.boot("run=replay", trace)
            (record,) = re.findall(r"^result: (.*)$", done.stdout, re.MULTILINE)
            records.append(json.loads(record))
            alone.append(self.costs())
        done = self.boot("run=trials", "".join(trace + "end\n" for trace in TRACES))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.costs(), sum(alone, []))
        trials = [json.loads(trial) for trial in
                  re.findall(r"^trial: (.*)$", done.stdout, re.MULTILINE)]
        self.assertEqual(trials, [
            {"operations": one["operations"], "failures": one["failures"],
             "malloc": one["malloc"]["max"], "free": one["free"]["max"],
             "placement_hash": one["placement_hash"]} for one in records])
        self.assertEqual([one["failures"] for one in trials], [0, 0, 1])
        self.assertEqual(self.costs()[-1], NO_COST)
        (result,) = re.findall(r"^result: (.*)$", done.stdout, re.MULTILINE)
        self.assertEqual(json.loads(result)["trials"], 3)

    def test_a_wrong_trace_is_named_and_ends_all(self):
        done = self.boot("run=trials", TRACES[0] + "end\n" + "1\n1\n1\n1\nf 0\n" + "end\n")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("\nerror: trial 1: trace, line 5: ", done.stdout)
        self.assertNotIn("result:", done.stdout)

    def test_a_trace_without_its_end_is_told(self):
        done = self.boot("run=trials", TRACES[0])
        self.assertIn("error: trial 0: its trace is not ended by a line 'end'\n", done.stdout)

    def test_no_module_is_told(self):
        done = subprocess.run([HOST, "run=trials"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout),
                         (1, "error: there are no traces: they are the first boot module\n"))


if __name__ == "__main__":
    KERNEL, HOST = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1], verbosity=2)
