# SPDX-License-Identifier: MIT
"""`heaplab debug` with kernels that it builds itself, of several hardenings and lockings."""

from __future__ import annotations

import shutil
import subprocess
import unittest

from lab import ROOT, debug
from lab.build import Build
from lab.tests import support


def _missing() -> str:
    missing = [tool for tool in ("gdb", "qemu-img") if not shutil.which(tool)]
    return support.programs_missing() or (f"not installed: {', '.join(missing)}" if missing else "")


@unittest.skipIf(_missing(), _missing())
class Hardened(unittest.TestCase):

    def test_with_hardening_the_commands_know_who_took_a_block_and_what_was_asked_for(self) -> None:
        commands = ("heap next 9", "heap at $heap", "heap map $heap - 64, $heap + 64",
                    "heap check", "heap leaks", "heap break address=$heap", "continue",
                    "heap next", "heap at $heap", "heap stats")
        done = subprocess.run(
            ["/usr/bin/python3", "-m", "lab", "debug", "--heap", "slab", "--hardening", "full",
             "run=experiment", "experiment=stale", "--batch",
             *(part for one in commands for part in ("-ex", "echo ---\\n", "-ex", one))],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=500)
        self.assertEqual(done.returncode, 0, done.stdout)
        _, _, at, picture, check, leaks, _, _, freed, dead, stats = done.stdout.split("---\n")
        self.assertRegex(at, r"the start of a live block of \d+ bytes, taking \d+,")
        self.assertRegex(at, r"allocated by leave_secrets \(kernel/contents.c:\d+\), number 8 ")
        self.assertIn("w#", picture)
        self.assertRegex(check, "^sound: ")
        self.assertRegex(leaks, r"^8 blocks, [\d,]+ bytes, by leave_secrets \(")
        self.assertRegex(freed, r"(?m)^kfree\(0x\w+\) = 0, called by leave_secrets ")
        self.assertRegex(dead, r"a block kept for reuse[^\0]*"
                         r"  freed by leave_secrets \(kernel/contents.c:\d+\)\n[^\0]* dd dd dd ")
        self.assertIn("hardening  full\n", stats)
        self.assertRegex(stats, r"(?m)^requested  [\d,]+ bytes, at most [\d,]+$")

    def test_without_hardening_they_know_the_heap_all_the_same(self) -> None:
        commands = ("heap next 2", "heap check", "heap stats")
        done = subprocess.run(
            ["/usr/bin/python3", "-m", "lab", "debug", "--hardening", "off",
             "run=experiment", "experiment=stale", "--batch",
             *(part for one in commands for part in ("-ex", "echo ---\\n", "-ex", one))],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=500)
        _, called, check, stats = done.stdout.split("---\n")
        self.assertRegex(called, r"(?m)^kmalloc\(\d+\) = 0x\w+, called by leave_secrets ")
        self.assertEqual(check, "sound: 3 blocks tile the heap, and all invariants of bitmap"
                         " hold\n")
        self.assertIn("counted    nothing: hardening is off\n", stats)

    def test_with_locking_they_know_the_magazines(self) -> None:
        commands = ("heap next 2", "heap stats", "heap at $heap + 0x20")
        done = subprocess.run(
            ["/usr/bin/python3", "-m", "lab", "debug", "--hardening", "off", "--locking", "percpu",
             "run=experiment", "experiment=stale", "--batch",
             *(part for one in commands for part in ("-ex", "echo ---\\n", "-ex", one))],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=500)
        _, called, stats, beside = done.stdout.split("---\n")
        self.assertRegex(called, r"(?m)^\+ .*  parked, and ")
        self.assertRegex(stats, r"(?m)^hardening  off\nlocking    percpu\n")
        self.assertIn("parked     31 blocks: 31 processor 0's\n", stats)
        self.assertRegex(beside, r"of 32 bytes at 0x\w+\n  the magazine is processor 0's\n")

    def test_a_kernel_may_be_called_as_one_likes(self) -> None:
        build = Build(debug.HEAP_KIB)
        build.prepare(["los-bitmap.elf"], lambda _: None)
        with support.temporary_directory() as directory:
            kernel = directory / """a "b" $c, 'd'.elf"""
            shutil.copy(build.program("los-bitmap.elf"), kernel)
            done = subprocess.run(
                ["/usr/bin/python3", "-m", "lab", "debug", "--kernel", str(kernel), "--batch",
                 "-ex", "heap check"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, timeout=100)
        self.assertIn("sound: 2 blocks tile the heap", done.stdout)

    def test_a_level_that_there_is_not_is_refused_in_one_line(self) -> None:
        for option, levels in (("hardening", "off, check, redzone, full"),
                               ("locking", "none, irq, spin, percpu")):
            done = subprocess.run(
                ["/usr/bin/python3", "-m", "lab", "debug", f"--{option}", "much"], cwd=ROOT,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100)
            self.assertEqual(done.stdout, f"heaplab: error: there is no {option} 'much'; there are:"
                             f" {levels}\n")
            self.assertNotEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
