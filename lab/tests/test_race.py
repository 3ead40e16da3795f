# SPDX-License-Identifier: MIT
"""race: what it refuses, what it draws, and that its races come out the same."""

from __future__ import annotations

import re
import unittest
from typing import Any
from unittest import mock

from lab import ROOT, qemu
from lab.errors import RunError
from lab.race import boots, command, debug, drawing, explore, hold, real, throughput, timer
from lab.tests.support import said

WIDTH = 100


def event(kind: str, side: int, step: int, call: str = "kmalloc", value: int = 0,
          where: str = "kmalloc+0x6f", blocks: str = "") -> dict[str, Any]:
    return {"event": kind, "side": side, "operation": 0, "step": step, "call": call,
            "value": value, "eip": 1, "where": where, "map": blocks.ljust(48, "0")}


RECORD: dict[str, Any] = {
    "strategy": "bitmap", "locking": "none", "lock": "own", "processors": 2, "operations": 2,
    "seed": 1, "interval": 60, "schedule": "0:28,1:73", "end": "twice", "side": 0, "operation": 0,
    "where": "kmalloc+0x9e", "text": "",
    "owner": {"side": 1, "operation": 0, "address": 0x1000, "bytes": 100},
    "found": {"side": 0, "operation": 0, "address": 0x1000, "bytes": 100},
    "events": [event("calls", 0, 0, value=100), event("switches", 0, 28, value=1),
               event("calls", 1, 0, value=100),
               event("returns", 1, 73, value=0x1000, blocks="0102"),
               event("calls", 1, 73, "kfree", 0x1000, blocks="0102"),
               event("switches", 1, 73, "kfree", 0, "kfree+0x0", "0102"),
               event("returns", 0, 73, value=0x1000, blocks="0102")]}

DRAWN = """\
  processor 0                               processor 1                               side array
  kmalloc(100)                                                                        ............
    28 instructions
  stopped before kmalloc+0x6f ----------->
                                            kmalloc(100)
                                              73 instructions                         Fr..........
                                            = 0x1000
                                            kfree(0x1000)
                         <----------------- stopped before kfree+0x0
    45 instructions
  = 0x1000

  0x1000                                   0x1064
  ########################################  processor 1 has it, from its call 0
  ########################################  processor 0 got it, too, by its call 0"""


class BadInput(unittest.TestCase):
    """Each is one line on standard error, status 2, and nothing started."""

    def refusal(self, *arguments: str) -> str:
        with mock.patch.object(command, "carried_out", side_effect=AssertionError):
            status, out, err = said("race", *arguments)
        self.assertEqual((status, out), (2, ""))
        return err

    def test_an_unknown_strategy_is_told(self) -> None:
        self.assertIn("there is no strategy 'best'; choose from: bump, bitmap,",
                      self.refusal("best"))

    def test_a_schedule_that_is_none_is_told(self) -> None:
        self.assertIn("'28'", self.refusal("--schedule", "28"))

    def test_gdb_without_a_schedule_is_told(self) -> None:
        self.assertIn("--gdb goes with --schedule", self.refusal("--gdb"))

    def test_too_many_processors_are_told(self) -> None:
        self.assertIn("number of processors from 1 to 8", self.refusal("--processors", "9"))

    def test_too_many_jobs_are_told(self) -> None:
        self.assertIn("invalid number of jobs value: '1025'", self.refusal("--jobs", "1025"))

    def test_a_schedule_of_two_strategies_is_told(self) -> None:
        self.assertIn("name just one", self.refusal("bitmap", "tlsf", "--schedule", "0:1"))

    def test_a_deadlock_for_real_is_told(self) -> None:
        self.assertIn("does not go with", self.refusal("--real", "--locking", "unmasked"))


class Drawn(unittest.TestCase):

    def test_a_race_is_drawn_in_columns(self) -> None:
        self.assertEqual("\n".join(drawing.draw(RECORD)), DRAWN)

    def test_an_overlap_in_part_is_to_scale(self) -> None:
        found = RECORD["found"] | {"address": 0x1000 + 100}
        _, owner, other = drawing.overlap(RECORD | {"found": found})
        self.assertEqual((owner.find("#"), owner.count("#")), (2, 20))
        self.assertEqual((other.find("#"), other.count("#")), (22, 20))

    def test_many_sides_have_a_line_each_and_none_is_too_wide(self) -> None:
        events = [event("calls", side, 0, value=100) for side in range(8)]
        lines = drawing.draw(RECORD | {"events": events, "processors": 8})
        self.assertIn("  processor 7: kmalloc(100)", lines)
        self.assertLessEqual(max(map(len, lines)), WIDTH)

    def test_a_deadlock_says_who_has_the_lock_and_who_waits(self) -> None:
        record = RECORD | {"processors": 1, "end": "deadlock", "side": 1, "where": "waits+0x2a",
                           "holder": {"side": 0, "operation": 0, "where": "kmalloc+0x10"}}
        text = "\n".join(drawing.deadlock(record))
        self.assertIn("the interrupt handler waits at waits+0x2a, by its call 0", text)
        self.assertIn("processor 0 has the lock, by its call 0, and stands before kmalloc+0x10",
                      text)

    def test_what_goes_wrong_otherwise_is_said(self) -> None:
        record = RECORD | {"end": "broken", "text": "I2: a REST byte stands ..."}
        self.assertIn("the heap's check finds damage: I2: a REST byte", drawing.draw(record)[-1])

    def test_only_what_led_there_is_drawn(self) -> None:
        before = [event("calls", 0, 0, value=7), event("returns", 0, 9, value=0x2000)]
        self.assertEqual(drawing.draw(RECORD | {"events": before + RECORD["events"]}),
                         drawing.draw(RECORD))


class Figures(unittest.TestCase):

    def test_a_schedule_is_replayed_by_the_options_that_are_printed(self) -> None:
        self.assertEqual(debug.again(RECORD), "--processors 2 --schedule 0:28,1:73")
        self.assertEqual(
            debug.again(RECORD | {"lock": "unmasked", "operations": 3}),
            "--processors 2 --schedule 0:28,1:73 --locking unmasked --calls 3")

    def test_runs_for_real_are_put_together(self) -> None:
        def ran(calls: int, trouble: Any) -> dict[str, Any]:
            return {"operations": calls - 1, "interrupt_operations": 1, "trouble": trouble}

        self.assertEqual(
            real.row("tlsf", [ran(9, {"kind": "twice"}), ran(7, {"kind": "panic"}),
                              ran(1005, {"kind": "stuck"}), ran(5000, None), None]),
            ("tlsf", "3", "7", "9", "1,005", "1", "1"))

    def test_throughput_is_told_as_ratios(self) -> None:
        def ran(ticks: int) -> dict[str, Any]:
            return {"operations": 100, "interrupt_operations": 0, "ticks": ticks, "trouble": None,
                    "lock": {"acquisitions": 5, "held_max": 30, "kept_out_max": 1200}}

        asked = throughput.boots("tlsf", "spin")
        records = {asked.counted: ran(1), **{boot: ran(400 // number)
                                             for number, boot in asked.real.items()}}
        self.assertEqual(throughput.row("tlsf", "spin", asked, records),
                         ("tlsf", "spin", "0.050", "30", "1,200", "2.00", "4.00", "8.00"))

    def test_a_long_run_that_goes_wrong_is_told_and_is_an_error(self) -> None:
        well: dict[str, Any] = {
            "operations": 4000, "interrupt_operations": 1000, "failures": 3,
            "interrupt_failures": 2, "interrupts": 1000, "trouble": None,
            "lock": {"waits": 9, "held_max": 30, "kept_out_max": 1200}}
        trouble = {"kind": "twice", "at": 77, "text": "somebody's", "interrupted": []}
        for ends, expected, kind in ((well, 0, "well"), (well | {"trouble": trouble}, 1, "twice")):
            records = {boot: record for boot, record in zip(
                hold.boots("tlsf", 4000, 4, 1, hold.INTERVAL).values(), (well, ends))}
            with self.subTest(kind), \
                    mock.patch.object(command, "carried_out", return_value=records) as carried_out:
                status, out, _ = said("race", "tlsf", "--hold", "4000", "--processors", "4")
            self.assertEqual(list(carried_out.call_args[0][0]), list(records))
            self.assertEqual(status, expected)
            row = out.splitlines()[3]
            self.assertEqual(row.split(), ["tlsf", "percpu", "5,000", "5", "1,000", "9", "30",
                                           "1,200", kind])
            self.assertEqual("at instruction 77: somebody's" in out, expected == 1)

    def test_each_number_of_switches_has_a_row(self) -> None:
        record = {"explored": [
            {"switches": 1, "stride": 1, "schedules": 1330, "failing": 0, "ends": {}},
            {"switches": 2, "stride": 3, "schedules": 18368, "failing": 31,
             "ends": {"twice": 30, "lost": 1}}]}
        self.assertEqual(
            list(explore.rows("tlsf", {explore.SCENARIOS[0]: record})),
            [("tlsf", explore.SCENARIOS[0].title, "1", "1", "1,330", "0", ""),
             ("tlsf", explore.SCENARIOS[0].title, "2", "3", "18,368", "31",
              "twice 30, lost 1")])

    def test_each_way_to_go_wrong_is_explained(self) -> None:
        part = {"switches": 1, "stride": 1, "schedules": 99, "failing": 1}
        for way, meaning in drawing.ENDS.items():
            record = {"explored": [part | {"ends": {} if way == "clean" else {way: 1}}]}
            records = {boot: record for boot in explore.boots("tlsf", 1).values()}
            with self.subTest(way), \
                    mock.patch.object(command, "carried_out", return_value=records):
                _, out, _ = said("race", "tlsf", "--explore", "1")
            self.assertEqual(f"{way}: {meaning}." in out, way != "clean")

    def test_a_boot_without_a_record_is_an_error_unless_it_may_hang(self) -> None:
        async def boot(*_: object, **__: object) -> Any:
            return mock.Mock(stopped="", status=qemu.STATUS_PANIC, tail=())

        for may_hang in (False, True):
            one = boots.Boot("tlsf", "run=race", may_hang=may_hang)
            runs = boots.Runs([one], mock.Mock(program=lambda name: ROOT / name))
            job = runs.plan.start_next()
            assert job
            with self.subTest(may_hang), mock.patch.object(qemu, "boot", boot):
                if may_hang:
                    boots.process.wait_for(runs.perform(job))
                    self.assertEqual(runs.records, {one: None})
                else:
                    with self.assertRaises(RunError):
                        boots.process.wait_for(runs.perform(job))


def shape(text: str) -> list[str]:
    """A report from its drawing on, without numbers, and whatever follows from their length."""
    drawing_on = text[text.index("  processor 0  "):]
    return [re.sub(r"[-\s]+", " ", re.sub(r"0x[0-9a-f]+|\d+", "N", line)).strip()
            for line in drawing_on[:drawing_on.index("--schedule")].splitlines()]


class Raced(unittest.TestCase):
    """The command, with kernels."""

    def test_it_says_what_the_timers_and_the_schedule_did(self) -> None:
        status, out, err = said("race", "--seed", "3")
        self.assertEqual(status, 0, err)
        self.assertIn("a block was handed out", out)
        self.assertIn("a block is handed out twice.", out)
        self.assertLessEqual(max(map(len, out.splitlines())), WIDTH)
        replay = next(line for line in out.splitlines() if line.startswith("  ./heaplab race "))
        status, again, _ = said(*replay.split()[1:])
        self.assertEqual(shape(out)[:-3], shape(again + "--schedule"))
        self.assertEqual(status, 0)
        self.assertIn("a block is handed out twice", again)

    def test_the_documents_example_is_what_it_says(self) -> None:
        """But for numbers: they are those of the kernel that it was taken with."""
        _, out, _ = said("race")
        text = (ROOT / "docs" / "concurrency.md").read_text("utf-8")
        self.assertEqual(shape(out), shape(text))

    def test_the_more_calls_the_longer_a_hold_may_say_nothing(self) -> None:
        few, many = ({boot.patience_seconds for boot in hold.boots(
            "worst-fit", calls, 4, 1, hold.INTERVAL).values()} for calls in (1000, 10_000_000))
        self.assertEqual((few, many), ({600.0}, {6250.0}))

    def test_a_lock_holds_for_long(self) -> None:
        status, out, err = said("race", "--hold", "3000", "--interval", "3000")
        self.assertEqual(status, 0, err)
        rows = [line.split() for line in out.splitlines() if line.startswith("bitmap ")]
        self.assertEqual([(row[1], row[-1]) for row in rows],
                         [("spin", "well"), ("percpu", "well")])

    def test_a_hammered_heap_with_a_lock_holds(self) -> None:
        record = {"operations": 9, "interrupt_operations": 1, "interrupts": 3, "trouble": None}
        self.assertEqual(timer.tell(record),
                         ["  10 calls, 3 interrupts: nothing went wrong"])


if __name__ == "__main__":
    unittest.main()
