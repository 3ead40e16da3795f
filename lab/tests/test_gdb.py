# SPDX-License-Identifier: MIT
"""What the heap commands show and compare, without GDB; and the document's sessions."""

from __future__ import annotations

import importlib.util
import struct
import unittest

from lab import transcript
from lab.errors import RunError
from lab.gdb import draw
from lab.gdb.snapshot import Block, Region, Snapshot, State, difference, tiled

MAP, ARENA, END = 0x1000, 0x1100, 0x2100
REGION = Region(MAP, ARENA, END)
PLAIN = draw.Ink(False)


def meta(start: int, count: int) -> Block:
    return Block(start, count, 0, 0, State.META)


def live(start: int, count: int, header: int = 0, payload: int | None = None) -> Block:
    return Block(start, count, start + header, count - header if payload is None else payload,
                 State.LIVE)


def hole(start: int, count: int) -> Block:
    return Block(start, count, 0, 0, State.FREE)


def heap(*blocks: Block) -> Snapshot:
    return tiled(REGION, [meta(MAP, ARENA - MAP), *blocks])


WHOLE = heap(live(0x1100, 0x40, header=8, payload=0x28), hole(0x1140, 0xC0),
             live(0x1200, 0x100), hole(0x1300, 0xE00))


class Walks(unittest.TestCase):

    def test_blocks_that_tile_the_region_are_taken_as_they_are(self):
        self.assertEqual(WHOLE.broken, "")
        self.assertEqual(sum(block.bytes for block in WHOLE.blocks), END - MAP)

    def test_where_a_walk_makes_no_sense_the_rest_is_unknown(self):
        for wrong in (hole(0x1148, 8), hole(0x1140, 0), hole(0x1140, 0x1000)):
            with self.subTest(wrong):
                broken = heap(live(0x1100, 0x40), wrong, hole(0x1200, 0xF00))
                self.assertEqual(broken.blocks[-1], Block(0x1140, END - 0x1140, 0, 0,
                                                          State.UNKNOWN))
                self.assertEqual(broken.broken, "the walk leaves its way at 0x00001140")

    def test_a_walk_that_ends_early_says_why(self):
        self.assertEqual(heap(live(0x1100, 0x40)).broken, "the walk ends at 0x00001140")
        self.assertEqual(tiled(REGION, [], "the walk crashes").broken, "the walk crashes")

    def test_an_address_belongs_to_the_block_around_it(self):
        for address, start in ((MAP, MAP), (0x10FF, MAP), (0x1100, 0x1100), (0x113F, 0x1100),
                               (0x1140, 0x1140), (END - 1, 0x1300)):
            found = WHOLE.at(address)
            assert found
            self.assertEqual(found.start, start)
        self.assertIsNone(WHOLE.at(END))
        self.assertIsNone(WHOLE.at(MAP - 1))


class Asked(unittest.TestCase):
    """What is known of blocks from elsewhere than the walk."""

    def test_rounding_is_waste_where_it_is_known_how_much_was_asked_for(self):
        told = WHOLE.with_asked({0x1108: 0x11, 0x1200: 0xF8, 0x1140: 8, 0x1144: 8})
        self.assertEqual([block.asked_bytes for block in told.blocks],
                         [None, 0x11, None, 0xF8, None])
        self.assertEqual(told.waste_bytes, 0x40 - 0x11 + 0x8)
        self.assertEqual(draw.cells(told, 0x1100, 8, 9), "w##wwwww.")
        self.assertEqual(WHOLE.waste_bytes, 0x18, "the first remains as it was")

    def test_what_a_block_has_no_room_for_was_not_asked_for_it(self):
        self.assertEqual(WHOLE.with_asked({0x1108: 0x29}).waste_bytes, WHOLE.waste_bytes)

    def test_a_block_that_is_only_better_known_has_not_changed(self):
        self.assertFalse(difference(WHOLE, WHOLE.with_asked({0x1108: 0x11})))

    def test_a_table_of_blocks_says_how_much_was_asked_for(self):
        told = WHOLE.with_asked({0x1108: 0x11, 0x1200: 0x100})
        self.assertEqual([draw.block_line(block, PLAIN).split("  ")[-1].strip()
                          for block in told.of(State.LIVE)], ["40, 17 asked for", "256"])

    def test_of_the_blocks_kept_for_reuse_those_in_magazines_are_parked(self):
        def cached(start: int) -> Block:
            return Block(start, 0x20, 0, 0, State.CACHED)

        seen = heap(live(0x1100, 0x40), cached(0x1140), cached(0x1160), hole(0x1180, 0xF80))
        where = {0x1108: "nobody's: it is live", 0x1168: "processor 1's"}
        told = seen.with_parked(where)
        self.assertEqual([block.start for block in told.of(State.PARKED)], [0x1160])
        self.assertEqual(told.places(where)[0x1160], "processor 1's")
        self.assertEqual(draw.cells(told, 0x1100, 0x20, 5), "##cp.")
        self.assertIn("reusable 32, parked 32,\nown 256", draw.totals(told))
        self.assertTrue(draw.block_line(told.blocks[3], PLAIN, "processor 1's").endswith(
            "  parked, processor 1's"))


class Differences(unittest.TestCase):

    def test_blocks_come_and_go(self):
        after = heap(hole(0x1100, 0x100), live(0x1200, 0x100), hole(0x1300, 0xE00))
        change = difference(WHOLE, after)
        self.assertEqual([block.start for block in change.gone], [0x1100, 0x1140])
        self.assertEqual([block.start for block in change.come], [0x1100])
        self.assertEqual(change.span, (0x1100, 0x1140))
        self.assertFalse(difference(WHOLE, WHOLE))

    def test_lines_are_in_the_order_of_addresses_and_what_is_gone_comes_first(self):
        after = heap(hole(0x1100, 0x100), live(0x1200, 0x100), hole(0x1300, 0xE00))
        self.assertEqual([line[:12] for line in
                          draw.difference_lines(difference(WHOLE, after), PLAIN)],
                         ["- 0x00001100", "+ 0x00001100", "- 0x00001140"])

    def test_blocks_alike_that_nobody_owns_take_one_line(self):
        def cached(start: int) -> Block:
            return Block(start, 8, 0, 0, State.CACHED)

        before = heap(hole(0x1100, 0x1000))
        after = heap(live(0x1100, 8), *map(cached, range(0x1108, 0x1140, 8)),
                     hole(0x1140, 0xFC0))
        lines = draw.difference_lines(difference(before, after), PLAIN)
        self.assertEqual(len(lines), 4)
        self.assertTrue(lines[2].endswith("kept for reuse, and 6 more of 8 up to 0x00001140"))


class Maps(unittest.TestCase):

    def test_a_letter_is_what_most_of_its_bytes_are_and_live_and_free_are_never_one(self):
        self.assertEqual(draw.cells(WHOLE, 0x1100, 8, 9), "w#####ww.")
        self.assertEqual(draw.cells(WHOLE, 0x1100, 0x40, 9), "#...####.")
        self.assertEqual(draw.cells(WHOLE, MAP, 0x100, 5), "mo#..")

    def test_rows_that_repeat_are_left_out(self):
        lines = draw.map_lines(heap(hole(ARENA, END - ARENA)), MAP, END, PLAIN)
        self.assertEqual(lines[0], "0x00001000  " + "m" * 32 + "." * 32)
        self.assertEqual(lines[1:3], ["0x00001200  " + "." * 64, "*"])
        self.assertEqual(lines[-1], "0x00002100  8 bytes a letter; . hole, m own")

    def test_any_heap_fits_one_screen(self):
        for size in (0x100, 0x10000, 0x104000, 0x4100000):
            cell = draw.cell_bytes_for(size, draw.COLUMNS * draw.ROWS_MAX)
            self.assertLessEqual(size, cell * draw.COLUMNS * draw.ROWS_MAX)
            self.assertTrue(cell == 8 or size > cell // 2 * draw.COLUMNS * draw.ROWS_MAX)

    def test_what_changed_is_marked(self):
        after = heap(live(0x1100, 0x40, header=8, payload=0x28), live(0x1140, 0x40),
                     hole(0x1180, 0x80), live(0x1200, 0x100), hole(0x1300, 0xE00))
        old, new, marks, _ = draw.change_lines(WHOLE, after, difference(WHOLE, after), PLAIN)
        self.assertEqual(new[marks.index("^"):][:8], "#" * 8)
        self.assertEqual(old[marks.index("^"):][:8], "." * 8)
        self.assertEqual(marks.count("^"), 8)

    def test_colours_change_no_letter(self):
        coloured = draw.Ink(True).letters("mm##..")
        self.assertEqual(coloured, "\033[34mmm\033[0m\033[32m##\033[0m\033[90m..\033[0m")
        self.assertEqual(PLAIN.letters("mm##.."), "mm##..")

    def test_totals_add_up(self):
        self.assertEqual(draw.totals(WHOLE), "live 320 in 2 blocks (waste 24), free 3,776 in"
                         " 2 holes (largest 3,584), own 256")

    def test_long_totals_break_between_two_sums(self):
        lines = draw.totals(WHOLE, "so much is there at this very moment: ").split("\n")
        self.assertEqual(lines[1].strip(), "free 3,776 in 2 holes (largest 3,584), own 256")
        self.assertTrue(all(len(line) <= 98 for line in lines))


class Tables(unittest.TestCase):

    def test_many_holes_are_counted_by_size(self):
        holes = [hole(0x1100 + 0x100 * place, 16 << place % 3) for place in range(12)]
        lines = draw.hole_lines(holes, 2)
        self.assertEqual(lines[0], "12 holes, 448 bytes")
        self.assertEqual(lines[1:3], ["  0x00001300          64", "  0x00001600          64"])
        self.assertEqual(lines[3], "  and 10 smaller holes; by size:")
        self.assertEqual([line.split()[-1] for line in lines[4:]], ["4", "4", "4"])

    def test_a_dump_marks_the_bytes_that_are_meant(self):
        lines = draw.dump_lines(bytes(range(0x40, 0x58)), 0x1000, range(0x1011, 0x1013))
        self.assertEqual(lines[0], "  0x00001000  40 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e 4f"
                         "  @ABCDEFGHIJKLMNO")
        self.assertEqual(lines[1][:40].rstrip(), "  0x00001010  50 51 52 53 54 55 56 57")
        self.assertEqual(lines[2], " " * 17 + "^^ ^^")


@unittest.skipUnless(importlib.util.find_spec("unicorn"), "not installed: python3-unicorn")
class Doubles(unittest.TestCase):
    """Functions of a few bytes of machine code, at BASE."""

    BASE = 0x100000

    def double(self, code: bytes):
        from lab.gdb.double import Double
        return Double(self.BASE, code.ljust(4096, b"\0"))

    def test_a_function_gets_its_arguments_and_returns(self):
        add = b"\x8b\x44\x24\x04\x03\x44\x24\x08\xc3"  # mov eax,[esp+4]; add eax,[esp+8]; ret
        self.assertEqual(self.double(add).call(self.BASE, 40, 2), 42)

    def test_what_belongs_to_one_processor_is_found_through_fs(self):
        from lab.gdb.double import Double
        code = b"\x64\xa1\x04\0\0\0\xc3"  # mov eax,fs:[4]; ret
        memory = code.ljust(64, b"\0") + struct.pack("<2I", 0, 77)
        self.assertEqual(Double(self.BASE, memory, self.BASE + 64).call(self.BASE), 77)

    def test_one_that_crashes_or_never_ends_is_told_from_one_that_returns(self):
        from lab.gdb import double
        with self.assertRaisesRegex(double.DoubleError, "^crashes at 0x00100000$"):
            self.double(b"\xa1\0\0\0\0\xc3").call(self.BASE)  # mov eax,[0]
        before, double.SECONDS_MAX = double.SECONDS_MAX, 0.2
        try:
            with self.assertRaisesRegex(double.DoubleError, "^does not come back within 0.2 s$"):
                self.double(b"\xeb\xfe").call(self.BASE)  # jmp $
        finally:
            double.SECONDS_MAX = before

    def test_a_walk_visits_until_it_is_told_to_stop(self):
        # mov eax,[esp+8]; push 7; push dword [esp+16]; call eax; add esp,8; jmp the first
        walk = b"\x8b\x44\x24\x08\x6a\x07\xff\x74\x24\x10\xff\xd0\x83\xc4\x08\xeb\xef"
        seen: list[int] = []

        def visit(address: int) -> bool:
            seen.append(address)
            return len(seen) < 3

        self.double(walk).call_with_visitor(self.BASE, visit, 0)
        self.assertEqual(seen, [7, 7, 7])

    def test_the_last_memory_read_is_known_and_the_image_stays_as_it_was(self):
        # mov eax,[BASE+64]; mov al,[BASE+70]; mov [BASE+64],eax; ret
        code = b"\xa1" + struct.pack("<I", self.BASE + 64) + b"\xa0" \
            + struct.pack("<I", self.BASE + 70) + b"\xa3" + struct.pack("<I", self.BASE + 64) \
            + b"\xc3"
        double = self.double(code.ljust(64, b"\0") + b"\x11" * 64)
        self.assertEqual(double.last_read(self.BASE + 64, self.BASE + 128, self.BASE),
                         (self.BASE + 70, 1))
        self.assertIsNone(double.fresh().last_read(self.BASE + 128, self.BASE + 256, self.BASE))
        self.assertEqual(double.fresh().word(self.BASE + 64), 0x11111111)


DOCUMENT = """# Title
```
$ ./heaplab debug --heap tlsf one
old
(gdb) heap map
old
```
words
```
(gdb) heap next
```
```
$ other
```
"""


class Transcripts(unittest.TestCase):

    def test_a_document_is_its_own_script(self):
        (session,) = transcript.sessions(DOCUMENT)
        self.assertEqual(session.command, "./heaplab debug --heap tlsf one")
        self.assertEqual(session.asked, [["heap map"], ["heap next"]])

    def test_a_block_that_continues_nothing_is_refused(self):
        with self.assertRaises(RunError):
            transcript.sessions("```\n(gdb) bt\n```\n")

    def test_addresses_and_lines_may_differ_but_not_what_is_said(self):
        old = "kmalloc(116) = 0x0017a000, by take_frame (kernel/careless_driver.c:76)\n"
        self.assertEqual(transcript.differences(
            old, old.replace("0x0017a000", "0x0018b000").replace(":76", ":81")), [])
        self.assertTrue(transcript.differences(old, old.replace("take_frame", "drop_runt")))
        self.assertTrue(transcript.differences(old, ""))


if __name__ == "__main__":
    unittest.main()
