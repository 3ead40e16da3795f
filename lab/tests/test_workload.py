# SPDX-License-Identifier: MIT
"""Synthetic workloads: which names there are, and what becomes of them."""

import re
import unittest
from pathlib import Path

from lab import ROOT, workload
from lab.errors import InputError, RunError
from lab.tests.support import script, temporary_directory, trace
from lab.trace import Trace


def _named(name: str) -> list[str]:
    """The names in a C file's tables; what begins with a capital is none."""
    return re.findall(r'\{"([a-z]\w*)",', (ROOT / "kernel" / f"{name}.c").read_text("utf-8"))


class Names(unittest.TestCase):

    def test_families_and_mixes_are_the_kernels(self) -> None:
        tables = re.findall(r"workload_\w+(?=[,}])", (ROOT / "kernel" / "workload.c").read_text())
        self.assertEqual([name for table in tables for name in _named(table)],
                         [re.split(r"\W", form)[0] for form in workload.FORMS])
        self.assertEqual(_named("size_mix"), list(workload.MIXES))

    def test_every_form_makes_names(self) -> None:
        names = ["churn-s1", "fifo-larson-09", "fill-halving", "fixed-words-500", "knuth-s1-1000",
                 "queue-uniform", "queue-power-70", "alloctest", "alloctest-100", "mstress",
                 "rptest-7", "holes-32", "tlsf-5", "bestfit-32-500", "hoard-150",
                 "hoard-60-65536", "robson-6-4096"]
        self.assertEqual(workload.chosen(",".join(names)), names)

    def test_all_are_the_standard_ones_and_none_is_none(self) -> None:
        self.assertEqual(workload.chosen("all"), list(workload.STANDARD))
        self.assertEqual(workload.chosen("none"), [])
        self.assertEqual(workload.chosen(",".join(workload.STANDARD)), list(workload.STANDARD))

    def test_a_name_counts_once(self) -> None:
        self.assertEqual(workload.chosen("fill-small, churn-power-7,fill-small"),
                         ["fill-small", "churn-power-7"])

    def test_wrong_names_are_told_with_the_form(self) -> None:
        for name in ("", "churn", "churn-kernel-0", "churn-kernel-100", "churn-kernel-",
                     "fill-kernel-50", "churn-kernels", "linux-boot", "churn-kernel-\u0665",
                     "fixed-s1", "fixed-s1-0", "knuth-100-s1", "tlsf", "tlsf-1-2", "alloctest-s1",
                     "bestfit-32", "churn-", "-"):
            with self.subTest(name), self.assertRaises(InputError) as refused:
                workload.chosen(f"fill-small,{name}")
            self.assertTrue(refused.exception.message.startswith(
                f"there is no workload '{name}'; there are: churn-MIX[-PERCENT],"
                " fifo-MIX[-PERCENT], "))


class Making(unittest.TestCase):

    def setUp(self) -> None:
        self.directory = self.enterContext(temporary_directory())

    def make(self, body: str) -> Trace:
        program = script(self.directory / "host-any", f"#!/bin/sh\n{body}\n")
        (made,) = workload.make(["fill-small"], seed=3, heap_kib=64, operations_limit=9,
                                program=program, directory=self.directory)
        return made

    def test_the_host_program_is_told_all_that_matters(self) -> None:
        made = self.make(f'echo "$@" > {self.directory}/told; printf "9\\n1\\n1\\n1\\na 0 8\\n"')
        self.assertEqual(Path(self.directory / "told").read_text("utf-8"),
                         "run=print workload=fill-small seed=3 kib=64 operations=9\n")
        self.assertEqual((made.name, made.seed, made.operations), ("fill-small", 3, 1))
        self.assertTrue(made.fills)
        self.assertEqual(workload.words(made), ["workload=fill-small", "seed=3"])

    def test_a_program_that_refuses_is_quoted(self) -> None:
        with self.assertRaises(RunError) as refused:
            self.make("echo error: too little RAM; exit 1")
        self.assertEqual(refused.exception.message,
                         "fill-small: the workload cannot be made: error: too little RAM")

    def test_a_recorded_trace_needs_no_words_whatever_its_name(self) -> None:
        self.assertEqual(workload.words(trace("fill-small")), [])
        self.assertFalse(trace("fill-small").fills)


if __name__ == "__main__":
    unittest.main()
