# SPDX-License-Identifier: MIT
"""The model of the lock and of the magazines: every interleaving holds, and every mutant fails.

usage: model_test.py [unittest arguments]

Needs SPIN and a C compiler; without them it ends as a test that is skipped.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

MODEL = pathlib.Path(__file__).resolve().parents[2] / "mm" / "magazine.pml"
MUTANTS = {
    "NO_LOCK": r"assertion violated \(has_lock==1\)",
    "NO_QUEUE": r"assertion violated \(has_lock==1\)",
    "BARGE": r"assertion violated.*lock_next_ticket==lock_now_serving",
    "NO_MASK": "invalid end state",
    "NO_OWN": r"assertion violated.*block!=0",
    "RECLAIM_ALONE": r"assertion violated.*block!=0",
}
MEMORY_MIB_MAX = 1000
DEPTH_MAX = 100_000
SKIPPED = 77  # to Meson


class Model(unittest.TestCase):
    """mm/magazine.pml."""

    def verify(self, *defines: str) -> str:
        """Tries every interleaving, until something is wrong; returns what was said."""
        with tempfile.TemporaryDirectory() as scratch:
            for command in (["spin", "-a", *(f"-D{name}" for name in defines), MODEL],
                            ["gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE",
                             f"-DMEMLIM={MEMORY_MIB_MAX}", "-o", "pan", "pan.c"],
                            ["./pan", f"-m{DEPTH_MAX}"]):
                done = subprocess.run(command, cwd=scratch, check=True, capture_output=True,
                                      text=True)
        return done.stdout

    def assert_holds(self, said: str) -> None:
        self.assertIn("errors: 0", said)
        self.assertNotIn("max search depth too small", said)
        self.assertNotIn("MEMLIM bound", said)
        (states,) = re.findall(r"(\d+) states, stored", said)
        self.assertGreater(int(states), 1_000_000)

    def test_with_all_memory_free_at_first_every_interleaving_holds(self) -> None:
        self.assert_holds(self.verify())

    def test_with_all_blocks_live_at_first_every_interleaving_holds(self) -> None:
        self.assert_holds(self.verify("ALL_LIVE"))

    def test_every_mutant_fails_and_for_its_reason(self) -> None:
        for mutant, reason in MUTANTS.items():
            with self.subTest(mutant):
                said = self.verify(mutant)
                self.assertIn("errors: 1", said)
                self.assertRegex(said, reason)

    def test_the_model_lists_these_mutants(self) -> None:
        text = MODEL.read_text("utf-8")
        self.assertEqual(re.findall(r"^ \*   ([A-Z_]+)  ", text, re.MULTILINE), list(MUTANTS))


if __name__ == "__main__":
    for tool in ("spin", "gcc"):
        if shutil.which(tool) is None:
            print(f"skipped: there is no {tool} (Debian's package of that name)")
            sys.exit(SKIPPED)
    unittest.main(verbosity=2)
