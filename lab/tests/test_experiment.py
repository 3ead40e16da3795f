# SPDX-License-Identifier: MIT
"""Experiments: what names them, how their answers are judged, and what cachegrind's file says."""

from __future__ import annotations

import json
import signal
import subprocess
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from lab import cachegrind, process, qemu
from lab.errors import RunError
from lab.experiment import (HOST, KERNEL, LAB, SIMULATION, Evidence, Experiment, Laboratory,
                            operations_of)
from lab.schedule import Plan
from lab.tests.support import temporary_directory, trace


class Builds:
    """Stands in for the builds: every program is /bin/true."""

    def program(self, one: Experiment) -> Path:
        return Path("/bin/true")


def count(evidence: Evidence) -> dict[str, Any]:
    return {"operations": len(operations_of(evidence.trace)) if evidence.trace else 0}


class Keys(unittest.TestCase):

    def test_a_key_says_all_that_makes_a_difference(self) -> None:
        base = Experiment(KERNEL, "bitmap", "run=replay")
        others = [Experiment(HOST, "bitmap", "run=replay"),
                  Experiment(KERNEL, "tlsf", "run=replay"),
                  Experiment(KERNEL, "bitmap", "run=tests"),
                  Experiment(KERNEL, "bitmap", "run=replay", heap_kib=256),
                  Experiment(KERNEL, "bitmap", "run=replay", hardening="check"),
                  Experiment(KERNEL, "bitmap", "run=replay", trace=trace()),
                  Experiment(KERNEL, "bitmap", "run=replay", digest=count)]
        self.assertEqual(len({one.key for one in (base, *others)}), len(others) + 1)

    def test_effort_makes_no_difference(self) -> None:
        self.assertEqual(Experiment(KERNEL, "bitmap", effort=1),
                         Experiment(KERNEL, "bitmap", effort=2))


class Answers(unittest.TestCase):

    def setUp(self) -> None:
        self.scratch = self.enterContext(temporary_directory())

    def answer(self, one: Experiment, lines: list[str], status: int = qemu.STATUS_DONE) -> Any:
        async def boot(machine: qemu.Machine, *, clock: Any, on_line: Any,
                       cpu_seconds: Any) -> process.Outcome:
            self.assertEqual(cpu_seconds is None, one.survives)
            for line in lines:
                on_line(line)
            return process.Outcome(status, "", tuple(lines))

        laboratory = Laboratory([one], Builds(), self.scratch)
        job = laboratory.plan.start_next()
        assert job
        with mock.patch.object(qemu, "boot", boot):
            process.wait_for(laboratory.perform(job))
        return laboratory.answers[one.key]

    def test_a_result_is_kept(self) -> None:
        said = {"strategy": "bitmap", "heap_kib": 1024, "hardening": "off", "operations": 3}
        one = Experiment(KERNEL, "bitmap", "run=replay")
        self.assertEqual(self.answer(one, [f"result: {json.dumps(said)}"]), said)

    def test_another_kernel_than_asked_for_is_an_error(self) -> None:
        said = {"strategy": "bitmap", "heap_kib": 512, "hardening": "off"}
        with self.assertRaises(RunError) as raised:
            self.answer(Experiment(KERNEL, "bitmap"), [f"result: {json.dumps(said)}"])
        self.assertIn("the result's heap_kib is 512, not 1024", raised.exception.message)

    def test_a_panic_is_an_error(self) -> None:
        with self.assertRaises(RunError) as raised:
            self.answer(Experiment(KERNEL, "bitmap"), ["panic: page fault"], qemu.STATUS_PANIC)
        self.assertIn("panicked (panic: page fault)", raised.exception.message)

    def test_a_panic_is_an_answer_where_the_heap_was_damaged_on_purpose(self) -> None:
        one = Experiment(KERNEL, "bitmap", survives=False)
        self.assertEqual(self.answer(one, ["panic: page fault"], qemu.STATUS_PANIC),
                         {"died": "panic: page fault"})

    def test_the_lab_itself_can_answer(self) -> None:
        one = Experiment(LAB, "bitmap", trace=trace(), digest=count)
        self.assertEqual(self.answer(one, []), {"digest": {"operations": 4}})

    def test_a_simulation_is_told_its_strategy_and_its_size(self) -> None:
        one = Experiment(SIMULATION, "bitmap", "robson size=4 number=64", heap_kib=9)
        self.assertEqual((one.program, one.subject), ("host-papers", "robson at 9 KiB"))
        commands: list[list[str]] = []

        async def run(command: list[str], *, clock: Any, on_line: Any) -> process.Outcome:
            commands.append(command)
            on_line('result: {"units":64}')
            return process.Outcome(0, "", ())

        laboratory = Laboratory([one], Builds(), self.scratch)
        job = laboratory.plan.start_next()
        assert job
        with mock.patch.object(process, "run", run):
            process.wait_for(laboratory.perform(job))
        self.assertEqual(laboratory.answers, {one.key: {"units": 64}})
        self.assertEqual(commands, [["/bin/true", "robson", "size=4", "number=64", "kib=9",
                                     "strategy=bitmap"]])

    def test_two_jobs_about_the_same_are_both_carried_out(self) -> None:
        both = [Experiment(KERNEL, "bitmap", "run=replay workload=x samples=0"),
                Experiment(KERNEL, "bitmap", "run=replay workload=x samples=9")]
        plan: Plan = Laboratory(both, Builds(), self.scratch).plan
        self.assertEqual(plan.total, 2)


class Cachegrind(unittest.TestCase):

    FILE = "\n".join([
        "desc: I1 cache: x", "cmd: host", "events: Ir Dr D1mr DLmr Dw",
        "fl=/src/mm/bitmap.c", "fn=kmalloc", "10 100 40 4 1 9", "11 50 20 0 0 0",
        "fn=byte_map_walk", "12 7 7 7 7 7",
        "fl=/src/kernel/replay.c", "fn=replay", "13 999 9 9 9 9",
        "fl=/src/mm/heap.c", "fn=kfree", "20 5 2 1 0 1", "summary: 1 2 3 4 5"])

    def read(self, text: str) -> dict[str, int]:
        path = self.enterContext(temporary_directory()) / "out"
        path.write_text(text, "ascii")
        return cachegrind.read(path)

    def test_the_heaps_functions_are_added_up_and_onlookers_left_out(self) -> None:
        self.assertEqual(self.read(self.FILE), {"Ir": 155, "Dr": 62, "D1mr": 5, "DLmr": 1})

    def test_a_file_without_the_heap_is_an_error(self) -> None:
        with self.assertRaises(RunError):
            self.read(self.FILE.replace("/mm/", "/lib/"))


    def test_simulated_is_the_sum_over_a_librarys_functions_whatever_their_file(self) -> None:
        directory = self.enterContext(temporary_directory())
        library, events = directory / "heap.o", directory / "events"
        subprocess.run(["gcc", "-x", "c", "-c", "-o", library, "-"], check=True, text=True,
                       input="void kfree(void) {} static int cut; int *heap_walk(void)"
                       " { return &cut; } static void settle(void) {}"
                       " void kmalloc(void) { settle(); kfree(); }")
        events.write_text("\n".join([
            "events: Ir D1mr D1mw Bcm Bim", "fl=???", "fn=kmalloc", "0 100 4 1 9 2",
            "fn=settle", "0 50 20 0 3 0", "fn=heap_walk", "0 7 7 7 7 7", "fn=cut", "0 8 8 8 8 8",
            "fn=replay", "0 999 9 9 9 9"]), "ascii")
        self.assertEqual(cachegrind.read_simulated(events, library),
                         {"mispredicted_branches": 14, "level_1_misses": 25})


class Limits(unittest.TestCase):

    def test_a_program_that_hangs_ends_with_its_share_of_a_processor(self) -> None:
        outcome = process.wait_for(
            process.run(["sh", "-c", "while :; do :; done"], cpu_seconds=1))
        self.assertEqual((outcome.status, outcome.stopped), (-signal.SIGXCPU, ""))


class Traces(unittest.TestCase):

    def test_operations_are_kind_id_and_size(self) -> None:
        self.assertEqual(operations_of(trace()),
                         [("a", 0, 64), ("a", 1, 100), ("f", 0, 0), ("r", 1, 200)])


if __name__ == "__main__":
    unittest.main()
