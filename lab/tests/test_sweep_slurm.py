# SPDX-License-Identifier: MIT
"""sweep on a cluster: a Slurm of one node, which the test itself configures and starts."""

import contextlib
import json
import os
import signal
import subprocess
import unittest
from pathlib import Path
from unittest import mock

from lab import ROOT, process
from lab.errors import RunError
from lab.sweep import node, slurm
from lab.sweep.store import Store
from lab.sweep.work import Work
from lab.tests import slurm_cluster, sweep_stand_in
from lab.tests.support import (children_of, eventually, programs_missing, script,
                               temporary_directory)
from lab.tests.test_sweep import Swept, processes_that_name


@unittest.skipIf(slurm_cluster.missing(), slurm_cluster.missing())
class Cluster(Swept):

    @classmethod
    def setUpClass(cls) -> None:
        place = cls.enterClassContext(temporary_directory())
        cls.enterClassContext(slurm_cluster.cluster(place))

    def arrays(self) -> str:
        return slurm_cluster.ask("squeue", "--noheader") or ""

    def test_a_cluster_and_this_machine_give_the_same_records(self) -> None:
        grid = ("--heap-kib", "64,128", "--traces", *self.traces, "--workloads", "churn-small-50",
                "--seeds", "3")
        here = self.succeed(*grid, out=self.place / "here")
        boots = self.boots()
        there = self.succeed(*grid, "--engine", "slurm", "--batch", "10")
        self.assertEqual(there, here)
        self.assertEqual(set(self.results()), set(self.results(self.place / "here")))
        self.assertGreater(self.boots(), boots + 2 * 2 * 5)
        self.assertEqual(self.arrays(), "")

    def test_a_killed_task_and_a_killed_sweep_are_made_good(self) -> None:
        grid = ("--heap-kib", "64", "--workloads", "churn-small-50", "--seeds", "40")
        here = self.succeed(*grid, out=self.place / "here")
        sweep = self.sweep(*grid, "--engine", "slurm", "--batch", "20")
        self.assertTrue(eventually(lambda: len(self.results()) > 60, 120))
        for pid in self.workers()[:1]:
            os.kill(pid, signal.SIGKILL)
        sweep.kill()
        sweep.wait()
        kept = self.results()
        self.assertEqual(self.succeed("--resume", "--engine", "slurm", "--batch", "20"), here)
        self.assertEqual(kept.items() - self.results().items(), set())
        self.assertEqual(self.arrays(), "")
        self.assertTrue(eventually(lambda: not processes_that_name(self.place)))

    def workers(self) -> list[int]:
        found = []
        for pid in processes_that_name(self.out):
            with contextlib.suppress(OSError):
                if b"lab.sweep.worker" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                    found.append(pid)
        return found

    def test_an_interrupted_sweep_takes_its_array_back(self) -> None:
        sweep = self.sweep("--heap-kib", "64", "--workloads", "churn-small-50", "--seeds", "60",
                           "--engine", "slurm")
        self.assertTrue(eventually(lambda: bool(self.arrays()), 120))
        sweep.send_signal(signal.SIGINT)
        status, _, err = sweep_stand_in.finish(sweep)
        self.assertEqual(status, 128 + signal.SIGINT, err)
        self.assertTrue(eventually(lambda: self.arrays() == ""), self.arrays())
        self.assertTrue(eventually(lambda: not processes_that_name(self.place)))

    def test_a_node_that_counts_differently_gets_no_jobs(self) -> None:
        (self.place / "wrong").touch()
        status, out, err = self.finish("--heap-kib", "64", "--traces", *self.traces,
                                       "--engine", "slurm", "--batch", "20")
        self.assertEqual((status, out), (1, ""))
        self.assertRegex(err.splitlines()[-1], r"^heaplab: error: sbatch refused the array: .*"
                         r" \(\S+ counts differently: init_cost of the check is 77777, not \d+\)$")
        # The check alone, which was made here.
        self.assertEqual(len(self.results()), 1)

    @unittest.skipIf(programs_missing(), programs_missing())
    @unittest.skipUnless(os.environ.get("HEAPLAB_LONG_TESTS"), "boots a thousand real kernels,"
                         " which takes many minutes: HEAPLAB_LONG_TESTS=1 asks for it")
    def test_a_thousand_real_jobs_survive_kills_and_count_the_same_in_a_cluster(self) -> None:
        here, there = self.place / "here", self.place / "there"
        sweep = self.real("--out", str(here), *self.REAL)
        for number in (300, 500, 700):
            self.assertTrue(eventually(lambda: len(self.results(here)) >= number, 1200))
            os.kill(children_of(sweep.pid)[0], signal.SIGKILL)
        sweep.kill()
        sweep.wait()
        self.assertTrue(eventually(lambda: not processes_that_name(self.place)))
        kept = self.results(here)
        self.assertEqual(self.real("--out", str(here), "--resume").wait(), 0)
        self.assertEqual(kept.items() - self.results(here).items(), set())
        self.assertEqual(self.real("--out", str(there), *self.REAL, "--engine", "slurm",
                                   "--batch", "25").wait(), 0)
        self.assertEqual(len(self.written(here)["records"]), 500)
        self.assertEqual(self.written(here), self.written(there))

    REAL = ("--strategies", "bitmap,tlsf", "--workloads", "holes-9", "--seeds", "250",
            "--heap-kib", "128", "--operations", "20", "--samples", "0")

    def real(self, *arguments: str) -> "subprocess.Popen[bytes]":
        sweep = subprocess.Popen([ROOT / "heaplab", "sweep", *arguments],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.addCleanup(sweep.wait)
        self.addCleanup(sweep.kill)
        return sweep


class WithoutACluster(unittest.TestCase):
    """What stand-ins for Slurm's programs tell."""

    def setUp(self) -> None:
        self.place = self.enterContext(temporary_directory())
        self.enterContext(mock.patch.dict(
            os.environ, PATH=f"{self.place}{os.pathsep}{os.environ['PATH']}"))
        self.enterContext(mock.patch.object(slurm, "_POLL_SECONDS", 0.01))
        self.enterContext(mock.patch.object(slurm, "_PATIENCE_POLLS", 3))
        for name in ("sbatch", "squeue", "scancel", "scontrol"):
            self.program(name, "exit 0")
        self.program("sbatch", "echo 17")
        self.store = Store(self.place / "out")
        self.enterContext(self.store.locked())

    def program(self, name: str, body: str) -> None:
        script(self.place / name, f"#!/bin/sh\n{body}\n")

    def carry_out(self, keys: list[str]) -> Work:
        work = Work(self.store, keys, "check")
        process.wait_for(slurm.Slurm().carry_out(work, lambda *_: None))
        return work

    def test_an_array_that_leaves_nothing_is_not_sent_again_and_again(self) -> None:
        self.program("sbatch", f"echo call >> {self.place}/calls; echo 17;"
                     f" echo no such directory > {self.store.logs}/17_0")
        with self.assertRaisesRegex(RunError, "^no task of Slurm's array left a result; the end of"
                                    " the log of one:$") as caught:
            self.carry_out(["a", "b"])
        self.assertEqual(caught.exception.log, ("no such directory",))
        self.assertEqual((self.place / "calls").read_text("ascii"), "call\n")

    def test_a_disk_that_is_full_on_a_node_is_told(self) -> None:
        self.program("sbatch", f"echo 17; echo 'stopped: /out: cannot be written: No space left'"
                     f" > {self.store.logs}/17_1")
        with self.assertRaisesRegex(RunError, "^/out: cannot be written: No space left$"):
            self.carry_out(["a"])

    def test_a_controller_that_falls_silent_is_waited_for_and_then_given_up(self) -> None:
        self.program("squeue", f"echo call >> {self.place}/calls; echo 'cannot connect' >&2;"
                     " exit 1")
        with self.assertRaisesRegex(RunError, "^Slurm no longer answers: cannot connect$"):
            self.carry_out(["a"])
        self.assertEqual((self.place / "calls").read_text("ascii"), "call\n" * 3)

    def test_an_array_may_have_no_more_tasks_than_the_cluster_allows(self) -> None:
        self.program("scontrol", "echo 'MaxArraySize            = 4'")
        self.program("sbatch", f"echo \"$*\" >> {self.place}/calls; echo 17;"
                     f" for key in $(cat {self.store.directory}/slurm-tasks); do"
                     f" mkdir -p {self.store.directory}/results;"
                     f" echo 1 > {self.store.directory}/results/$key.json; done")
        work = self.carry_out([f"k{number}" for number in range(8)])
        self.assertEqual((len(work.done), work.failures), (8, {}))
        self.assertIn("--array=0-2 ", (self.place / "calls").read_text("ascii"))
        self.assertEqual((self.store.directory / "slurm-tasks").read_text("ascii"),
                         "k0 k1 k2\nk3 k4 k5\nk6 k7\n")

    def test_jobs_of_a_refused_node_go_to_others_and_do_not_count_as_tried(self) -> None:
        found = {"node": "n7", "check": "check", "refusal": "n7 counts differently"}
        (self.place / "found").write_text(json.dumps(found), "ascii")
        self.program("sbatch", f"echo \"$*\" >> {self.place}/calls; echo 17;"
                     f" mkdir -p {self.store.directory}/nodes {self.store.directory}/results;"
                     " case \"$*\" in *--exclude=n7*)"
                     f" echo 1 > {self.store.directory}/results/a.json ;; *)"
                     f" cp {self.place}/found {self.store.directory}/nodes/x.json ;; esac")
        work = self.carry_out(["a"])
        self.assertEqual((work.done, work.failures), ({"a"}, {}))
        self.assertEqual(node.refused(self.store, "check"), {"n7": "n7 counts differently"})
        self.assertEqual(len((self.place / "calls").read_text("ascii").splitlines()), 2)
