# SPDX-License-Identifier: MIT
"""What boundary-map promises of each single operation, asked of a kernel that counts.

No kfree takes more than 310 instructions; no kmalloc of up to 4 KiB more than 400, and of a
longer block no more than 210 for each 4 KiB begun besides. Its opening comment argues for that.
"""

from __future__ import annotations

import struct
import unittest
from pathlib import Path
from typing import Iterator

from lab import process, qemu, trace, workload
from lab.build import Build
from lab.compare import Answer
from lab.experiment import operations_of
from lab.tests.support import programs_missing, temporary_directory
from lab.trace import Trace

HEAP = "boundary-map"
HEAP_KIB = 1024
KFREE_MOST, KMALLOC_MOST, EACH_PAGE_MOST, PAGE_BYTES = 310, 400, 210, 4096
IN_NO_COST = 0xFFFFFFFF
WORKLOADS = ("churn-kernel-50", "churn-kernel-70", "churn-kernel-85", "churn-uniform-85",
             "churn-power-85", "churn-large-85", "fill-power", "mstress",
             "hoard-60", "hoard-100-3000", "hoard-150", "hoard-100-20000", "hoard-150-65536",
             "hoard-200-300000")


def bound(kind: str, size: int) -> int:
    """The most instructions that such an operation may take."""
    if kind == "f":
        return KFREE_MOST
    pages = -(-size // PAGE_BYTES) if size > PAGE_BYTES else 0
    return KMALLOC_MOST + EACH_PAGE_MOST * pages


@unittest.skipIf(programs_missing(), programs_missing())
class Bounds(unittest.TestCase):

    build: Build

    @classmethod
    def setUpClass(cls) -> None:
        cls.build = Build(HEAP_KIB)
        cls.build.prepare([f"los-{HEAP}.elf", f"host-{HEAP}"], lambda text: None)

    def setUp(self) -> None:
        self.scratch = self.enterContext(temporary_directory())

    def test_no_operation_of_any_trace_takes_longer(self) -> None:
        traces = trace.read_all(trace.shipped())
        self.assertEqual(len(traces), 5)
        for one in traces:
            text = self.scratch / f"{one.name}.rep"
            text.write_bytes(one.text)
            with self.subTest(one.name):
                self.assert_bounded(one, text)

    def test_nor_of_workloads_and_of_those_made_to_break_the_bound(self) -> None:
        made = workload.make(WORKLOADS, seed=1, heap_kib=HEAP_KIB, operations_limit=None,
                             program=self.build.program(f"host-{HEAP}"), directory=self.scratch)
        for one in made:
            with self.subTest(one.name):
                self.assert_bounded(one, None)

    def assert_bounded(self, one: Trace, module: Path | None) -> None:
        counted = 0
        for (kind, block, size), cost in self.costs(one, module):
            counted += 1
            self.assertLessEqual(cost, bound(kind, size), f"{kind} {block} {size}")
        self.assertGreater(counted, 500)

    def costs(self, one: Trace, module: Path | None) -> Iterator[tuple[tuple[str, int, int], int]]:
        """The allocations and frees, and what each took; reallocations copy, and are left out."""
        notes = self.scratch / "costs"
        words = ["run=replay", "unit=instructions", "samples=0", "costs", *workload.words(one)]
        machine = qemu.Machine(
            kernel=self.build.program(f"los-{HEAP}.elf"), append=" ".join(words), module=module,
            count=True, debug_console=notes)
        answer = Answer(lambda done, total: None)
        outcome = process.wait_for(qemu.boot(
            machine, clock=process.Clock(None, 120), on_line=answer.line))
        self.assertEqual(qemu.verdict(outcome), "", answer.complaint)
        each = struct.unpack(f"<{notes.stat().st_size // 4}I", notes.read_bytes())
        self.assertEqual(len(each), answer.result(one.name)["operations"])
        return ((operation, cost) for operation, cost in zip(operations_of(one), each)
                if operation[0] in "af" and cost != IN_NO_COST)


if __name__ == "__main__":
    unittest.main()
