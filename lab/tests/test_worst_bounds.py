# SPDX-License-Identifier: MIT
"""Bounds on costs, off machine code, and on memory, by hand."""

from __future__ import annotations

import unittest
from typing import Sequence

from lab.build import strategies
from lab.errors import RunError
from lab.worst import cost_bounds, memory_bounds
from lab.worst.machine_code import Program, Shape
from lab.worst.memory_bounds import MEMORY_BOUNDS


def listing(*functions: tuple[str, Sequence[str]]) -> str:
    """What objdump would say: an instruction an address."""
    text, address = "", 0x1000
    for name, instructions in functions:
        text += f"\n{address:08x} <{name}>:\n"
        for instruction in instructions:
            text += f"  {address:x}:\t{instruction}\n"
            address += 1
    return text


class MachineCode(unittest.TestCase):

    def test_the_longer_of_two_ways_counts(self) -> None:
        code = listing(("f", ["test %eax,%eax", "je     1004 <f+0x4>", "nop", "nop", "ret"]))
        self.assertEqual(Program(code).shape("f"), Shape(5, 0, 0, False))

    def test_a_loop_is_told_from_what_surrounds_it(self) -> None:
        code = listing(("f", ["nop", "nop", "dec    %eax", "jne    1001 <f+0x1>", "ret"]))
        shape = Program(code).shape("f")
        self.assertEqual(shape, Shape(5, 0, 3, False))
        self.assertEqual(shape.at_most(turns=10), 35)

    def test_a_loop_in_a_loop_is_the_inner_one(self) -> None:
        code = listing(("f", ["nop", "nop", "jne    1001 <f+0x1>", "nop", "jne    1000 <f>",
                              "ret"]))
        self.assertEqual(Program(code).shape("f"), Shape(6, 5, 2, False))

    def test_calls_are_followed_and_jumps_to_functions(self) -> None:
        code = listing(("f", ["call   1002 <g>", "jmp    1002 <g>"]), ("g", ["nop", "ret"]))
        self.assertEqual(Program(code).shape("f"), Shape(6, 0, 0, False))

    def test_a_panic_is_no_way(self) -> None:
        code = listing(("f", ["je     1002 <f+0x2>", "ret", "nop", "nop",
                              "call   1006 <heap_panic>", "int3"]), ("heap_panic", ["nop"]))
        self.assertEqual(Program(code).shape("f"), Shape(2, 0, 0, False))

    def test_an_instruction_that_repeats_itself_is_told(self) -> None:
        shape = Program(listing(("f", ["rep stos %eax,%es:(%edi)", "ret"]))).shape("f")
        self.assertEqual(shape.at_most(turns=0, words=100), 102)

    def test_what_cannot_be_followed_is_told(self) -> None:
        for instructions, what in (
                (["call   *%eax", "ret"], "calls through a pointer"),
                (["jmp    *0x1000(,%eax,4)"], "calls through a pointer"),
                (["call   1000 <f>", "ret"], "calls itself"),
                (["jmp    1003 <g+0x1>", "ret"], "jumps into the middle of g()"),
                (["call   9000 <absent>", "ret"], "the code of absent() is not there"),
                (["je     1003 <f+0x3>", "nop", "nop", "nop", "jne    1002 <f+0x2>", "ret"],
                 "a loop is entered at two places")):
            with self.subTest(instructions), self.assertRaises(RunError) as raised:
                Program(listing(("f", instructions), ("g", ["nop", "ret"]))).shape("f")
            self.assertIn(what, raised.exception.message)


class Bounds(unittest.TestCase):
    """Of memory, by hand; of costs, that there is one for each heap."""

    def memory(self, strategy: str, *operations: tuple[int, int]) -> int:
        bytes_for = MEMORY_BOUNDS[strategy].bytes_for
        assert bytes_for
        return bytes_for(operations)

    def test_a_hole_more_than_live_blocks_may_be_too_short(self) -> None:
        """5 blocks of 1 live, a request for 8: 5 + 6 * 7 and one, and none fails."""
        operations = [*((i, 64) for i in range(5)), (5, 512)]
        self.assertEqual(self.memory("next-fit", *operations), 48 * 64 // 512 * 520)

    def test_first_fit_has_robsons_bound(self) -> None:
        """102 blocks live, at most 2 in a piece: 102 * (1 + 1/2) / ln 2 = 220.7, 28 steps of 8;
        the holes of best fit are 100 + 101 + 1, but with requests for 4 they are 100 + 303 + 1."""
        ones = [(i, 64) for i in range(100)]
        self.assertEqual(self.memory("bitmap", *ones, (100, 128)), 26 * 520)
        self.assertEqual(self.memory("best-fit", *ones, (100, 128)), 26 * 520)
        self.assertEqual(self.memory("bitmap", *ones, (100, 256)), 39 * 520)
        self.assertEqual(self.memory("best-fit", *ones, (100, 256)), 51 * 520)

    def test_buddy_needs_the_requests_length_for_each_live_block(self) -> None:
        self.assertEqual(self.memory("buddy", (0, 16), (1, 16), (2, 1000)), 3 * 1024 // 512 * 520)

    def test_buddy_needs_more_for_a_block_that_is_longer_than_the_request(self) -> None:
        self.assertEqual(self.memory("buddy", (0, 2048), (1, 16), (2, 1024)), 4096 // 512 * 520)

    def test_what_is_freed_is_not_live(self) -> None:
        self.assertEqual(self.memory("buddy", (0, 16), (0, 0), (1, 1000)), 1024 // 512 * 520)

    def test_slab_needs_a_page_for_each_buffer(self) -> None:
        self.assertEqual(self.memory("slab", (0, 8), (1, 8)), 3 * 4096 // 512 * 520)

    def test_whoever_has_a_bound_has_all_three_or_says_that_there_is_none(self) -> None:
        """A heap that somebody adds has none until somebody proves them."""
        self.assertLessEqual(set(MEMORY_BOUNDS), set(strategies()))
        self.assertEqual(set(cost_bounds.COST_BOUNDS), {
            (name, call) for name in MEMORY_BOUNDS for call in cost_bounds.CALLS})
        self.assertEqual([name for name, one in MEMORY_BOUNDS.items() if one.bytes_for is None],
                         ["bump"])

    def test_sizes_are_rounded_as_the_heaps_do(self) -> None:
        self.assertEqual([memory_bounds._class(size) for size in (1, 12, 13, 20, 21)],
                         [16, 16, 24, 24, 40])
        self.assertEqual([memory_bounds._TLSF.needed(size) for size in (1, 100, 520, 525)],
                         [16, 104, 528, 544])

    def test_what_boundary_map_states_grows_with_long_requests_alone(self) -> None:
        self.assertEqual([cost_bounds.claimed(size) for size in (1, 4096, 4097, 8193)],
                         [400, 400, 820, 1030])


if __name__ == "__main__":
    unittest.main()
