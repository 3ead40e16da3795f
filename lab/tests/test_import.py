# SPDX-License-Identifier: MIT
"""Recordings of others, and traces made of traces: `heaplab import` and `heaplab trace`."""

import contextlib
import gzip
import io
import re
import tempfile
import unittest
from pathlib import Path

from lab import trace
from lab.errors import InputError
from lab.record import command, importers, info, shape
from lab.record.events import Alloc, Choice, Converter, Free, Lost, Resize
from lab.record.shape import Operation

FTRACE = """\
# tracer: nop
#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION
 sh-71 [000] ..... 12.1: kmalloc: call_site=alloc_one+0x1/0x9 ptr=0xc1000040 bytes_req=100 \
bytes_alloc=128 gfp_flags=GFP_KERNEL node=-1 accounted=false
 sh-71 [000] ..... 12.2: kmem_cache_alloc: call_site=two+0x1/0x9 ptr=0xc1000100 name=dentry \
bytes_req=136 bytes_alloc=136 gfp_flags=GFP_KERNEL node=-1 accounted=true
 sh-71 [000] ..... 12.3: kfree: call_site=x+0x1/0x9 ptr=0xc1000040
 sh-71 [000] ..... 12.4: kfree: call_site=x+0x1/0x9 ptr=(null)
 sh-71 [000] ..... 12.5: bulk_free: (kmem_cache_free_bulk+0x0/0x4) n=3 blocks={0xc1000100,0x2}
CPU:0 [LOST 7 EVENTS]
 sh-71 [000] ..... 12.6: sched_switch: nothing of ours
"""
FTRACE_LINES = ["a 0 100", "a 1 136", "f 0", "f 1"]
FTRACE_COUNTS = {"null_free": 1, "unknown_free": 1, "lost": 8}

TRACE_CMD = """\
cpus=2
 sleep-9 [001] 5.1: kmalloc:              (alloc_one+0x1) call_site=ffffffff81 ptr=0xffff888 \
bytes_req=24 bytes_alloc=32 gfp_flags=0xcc0
 sleep-9 [001] 5.2: kfree:                (free_one+0x1) call_site=ffffffff82 ptr=0xffff888
"""

# In each, five blocks: 10 bytes; 30 bytes; the first grows to 50; both are freed; 7 stay.
SAME_LINES = ["a 0 10", "a 1 30", "r 0 50", "f 1", "f 0", "a 2 7"]
SAME = {
    "mtrace": """\
= Start
@ ./p:(main+0x1)[0x1] + 0x100 0xa
@ ./p:[0x2] + 0x200 0x1e
@ ./p:[0x3] < 0x100
@ ./p:[0x3] > 0x300 0x32
@ ./p:[0x4] - 0x200
@ ./p:[0x5] - 0x300
@ ./p:[0x6] + 0x100 0x7
= End
""",
    "ltrace": """\
p->malloc(10)                        = 0x100
[pid 7] calloc(3, 10 <unfinished ...>
[pid 7] <... calloc resumed> )       = 0x200
p->realloc(0x100, 50)                = 0x300
strlen("malloc") = 6
9 p->free(0x200 <unfinished ...>
9 <... free resumed> )               = <void>
p->free(0x300)                       = <void>
p->malloc(7)                         = 0x100
+++ exited (status 0) +++
""",
    "csv": """\
# a UART's log
Event, Address, Size, Old, Task
malloc,0x20001000,10,,main
pvPortMalloc,0x20001100,30,,main
realloc,0x20001200,50,0x20001000,main
vPortFree,0x20001100,,,idle

free,0x20001200,0,,idle
k_malloc,0x20001000,7,,idle
""",
    "rep": "1\n3\n6\n1\na 0 10\na 1 30\nr 0 50\nf 1\nf 0\na 2 7\n",
}


class Place(unittest.TestCase):

    def setUp(self) -> None:
        self.place = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def file(self, content: str | bytes, name: str = "recording") -> Path:
        """A file of that content."""
        path = self.place / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def converted(self, content: str | bytes, choice: Choice = Choice()) -> Converter:
        """What becomes of a recording."""
        _, events = importers.read(self.file(content))
        return Converter(choice).take_all(events)

    def refused(self, content: str | bytes, pattern: str) -> None:
        """Expects a recording to be refused with such words."""
        with self.assertRaisesRegex(InputError, pattern):
            self.converted(content)

    @staticmethod
    def lines(converter: Converter) -> list[str]:
        """The operations of a trace."""
        text = converter.text()
        if converter.account.operations:
            trace.parse(text.encode(), Path("made.rep"))
        return text.splitlines()[4:]


class Importers(Place):

    def test_each_format_is_recognised_and_says_the_same(self) -> None:
        for name, text in SAME.items():
            with self.subTest(name):
                found, _ = importers.read(self.file(text))
                self.assertEqual(found.name, name)
                converter = self.converted(text)
                self.assertEqual(self.lines(converter), SAME_LINES)
                self.assertEqual(+converter.account.counts, {})

    def test_packed_files_are_unpacked(self) -> None:
        converter = self.converted(gzip.compress(SAME["mtrace"].encode()))
        self.assertEqual(self.lines(converter), SAME_LINES)
        self.refused(gzip.compress(SAME["mtrace"].encode())[:-9], "the packed file is damaged")

    def test_ftrace_counts_what_it_cannot_use(self) -> None:
        converter = self.converted(FTRACE)
        self.assertEqual(self.lines(converter), FTRACE_LINES)
        self.assertEqual(+converter.account.counts, FTRACE_COUNTS)
        self.assertEqual(converter.callers, ["alloc_one+0x1/0x9", "two+0x1/0x9"])

    def test_trace_cmd_names_callers_in_brackets(self) -> None:
        converter = self.converted(TRACE_CMD)
        self.assertEqual(self.lines(converter), ["a 0 24", "f 0"])
        self.assertEqual(converter.callers, ["alloc_one+0x1"])

    def test_hashed_addresses_and_binary_files_are_refused_with_advice(self) -> None:
        self.refused(re.sub(r"ptr=\S+", "ptr=(____ptrval____)", FTRACE),
                     r":3: the addresses are hashed; boot with no_hash_pointers")
        self.refused(b"\x17\x08\x44tracing6\0",
                     "trace-cmd's binary file; import what 'trace-cmd report")

    def test_heaptracks_recorder_and_its_interpreter_are_both_understood(self) -> None:
        raw = "v 10400 3\nx 4 /p\nt 7f 0\n+ a 1 100\n+ 1e 1 200\n- 200\n- 100\n+ 7 2 100\n"
        self.assertEqual(self.lines(self.converted(raw)),
                         ["a 0 10", "a 1 30", "f 1", "f 0", "a 2 7"])
        interpreted = "v 10400 3\nx /p\na a 1\n+ 0\n+ 0\na 1e 1\n+ 1\n- 0\n- 1\n- 1\n"
        converter = self.converted(interpreted)
        self.assertEqual(self.lines(converter), ["a 0 10", "a 1 10", "a 2 30", "f 1", "f 2"])
        self.assertEqual(converter.account.counts["unknown_free"], 1)

    def test_what_is_wrong_is_said_with_its_line(self) -> None:
        csv = SAME["csv"]
        self.refused(csv.replace("0x20001200,0,,", "0x2000zz,0,,"),
                     "'free,0x2000zz,0,,idle': address '0x2000zz' is not a number")
        self.refused(csv.replace("k_malloc", "borrow"), "event 'borrow' is none of malloc, alloc")
        self.refused("op,ptr,bytes\nrealloc,1,2\n", "a realloc needs a column 'old'")
        self.refused("op,ptr,bytes\nmalloc,1\n", "a column is missing")
        self.refused(SAME["ltrace"].replace("malloc(10)", "malloc(ten)"),
                     ":1: a call that cannot be understood: 'p->malloc")
        self.refused("v 1 2\nt 1 0\n+ zz\n", ":3: heaptrack's line '\\+ zz' cannot be understood")
        self.refused(SAME["rep"].replace("a 1 30", "a 0 30"), ":6: id 0 is allocated while")

    def test_a_damaged_packed_file_is_told_wherever_the_damage_is(self) -> None:
        whole = gzip.compress(SAME["csv"].encode())
        for place in range(10, len(whole)):
            with self.subTest(place=place):
                damaged = bytearray(whole)
                damaged[place] ^= 0xff
                self.refused(bytes(damaged), "the packed file is damaged: ")

    def test_a_table_that_cannot_be_one_is_told(self) -> None:
        for text in ("", "hello,world\nmalloc,1\n"):
            with self.assertRaisesRegex(InputError, "its first line does not name the columns"):
                Converter().take_all(importers.read(self.file(text), "csv")[1])
        head = "op,ptr,bytes\n"
        self.refused(head + '"' + "malloc,1,2\n" * 20_000, "up to row 1.*: field larger than")
        self.refused(head + "malloc,1,-5\n", "row 2, 'malloc,1,-5': size -5 is below 0")

    def test_a_format_that_nobody_knows_is_refused_with_those_that_are(self) -> None:
        self.refused("hello\nworld\n", "no recording that is known here; known are: the malloc")
        self.refused("", "the file is empty")
        self.refused(b"\x7fELF" + bytes(range(256)), "no recording that is known here")
        with self.assertRaisesRegex(InputError, "there is none of that name; there are: rep, mtr"):
            importers.read(self.file("x"), "pdf")
        with self.assertRaisesRegex(InputError, "there is no such file"):
            importers.read(self.place / "nothing")

    def test_a_live_address_that_returns_has_its_missing_free_put_in_and_counted(self) -> None:
        converter = Converter().take_all([Alloc(1, 5), Alloc(1, 6), Free(1), Free(1), Lost(2),
                                          Resize(9, 3, 4), Free(3)])
        self.assertEqual(self.lines(converter),
                         ["a 0 5", "f 0", "a 1 6", "f 1", "a 2 4", "f 2"])
        self.assertEqual(+converter.account.counts, {"live_address": 1, "unknown_free": 1,
                                                     "lost": 2, "unknown_resize": 1})

    def test_blocks_are_chosen_by_size_and_by_caller(self) -> None:
        by_size = self.converted(FTRACE, Choice(101))
        self.assertEqual(self.lines(by_size), ["a 0 136", "f 0"])
        self.assertEqual(by_size.account.counts["excluded"], 1)
        by_caller = self.converted(FTRACE, Choice(caller=re.compile("alloc_")))
        self.assertEqual(self.lines(by_caller), ["a 0 100", "f 0"])

    def test_import_says_what_it_did_and_leaves_nothing_behind_when_it_fails(self) -> None:
        out = self.place / "out" / "made.rep.gz"
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            command.import_file(self.file(FTRACE), out, None, Choice())
        self.assertRegex(said.getvalue(), r"ftrace.*: 8 events, 4 operations in \S+made\.rep\.gz\n")
        self.assertIn("  8 events that the recorder lost\n", said.getvalue())
        self.assertIn("  so this trace is not quite what happened\n", said.getvalue())
        self.assertEqual(trace.read(out).operations, 4)
        with self.assertRaises(InputError):
            command.import_file(self.file(SAME["ltrace"].replace("(50)", "(")), self.place / "x",
                                None, Choice())
        self.assertEqual(sorted(path.name for path in self.place.iterdir()), ["out", "recording"])

    def test_a_trace_has_a_traces_name_and_is_not_written_over_its_source(self) -> None:
        with self.assertRaisesRegex(InputError, "a trace's name ends in .rep or .rep.gz"):
            command.checked_output(Path("x.txt"))
        path = self.file(SAME["rep"], "mine.rep")
        with self.assertRaisesRegex(InputError, "would be written over the recording"):
            command.import_file(path, path, None, Choice())

    def test_a_traces_name_is_shown_as_it_is(self) -> None:
        name = r"[red]a$\x$"
        path = self.file(SAME["rep"], f"{name}.rep")
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            command.info(str(path), self.place / "picture.svg", False)
        self.assertTrue(said.getvalue().startswith(f"{name}: 6 operations"), said.getvalue())
        self.assertTrue((self.place / "picture.svg").is_file())

    def test_a_picture_of_a_trace_is_not_drawn_over_it(self) -> None:
        path = self.file(SAME["rep"], "mine.rep")
        link = self.place / "link.svg"
        link.symlink_to(path)
        for picture in (path, link):
            with self.assertRaisesRegex(InputError, f"^{picture}: cannot be written: this is the"):
                command.info(str(path), picture, False)
        with self.assertRaisesRegex(InputError, "cannot be written: it is a directory"):
            command.info(str(path), self.place, False)
        self.assertEqual(path.read_text(), SAME["rep"])


TEXT = "9\n4\n9\n1\na 0 10\na 1 500\nr 0 90\na 2 40\nf 1\na 3 7\nf 0\nf 3\nf 2\n"


class Traces(Place):

    def setUp(self) -> None:
        super().setUp()
        self.operations = shape.operations_of(trace.parse(TEXT.encode(), Path("t")))

    @staticmethod
    def body(operations: list[Operation]) -> list[str]:
        """The lines of a trace."""
        text = shape.text_of(operations)
        trace.parse(text.encode(), Path("made"))
        return text.splitlines()[4:]

    def test_a_window_begins_with_what_was_live(self) -> None:
        self.assertEqual(self.body(shape.cut(self.operations, 4, 7)),
                         ["a 0 90", "a 1 500", "a 2 40", "f 1", "a 3 7", "f 0"])
        self.assertEqual(self.body(shape.cut(self.operations, 0, 9)), TEXT.splitlines()[4:])
        for begin, end in ((-1, 3), (3, 3), (0, 10)):
            with self.assertRaisesRegex(InputError, "is not in a trace of 9 operations"):
                shape.cut(self.operations, begin, end)

    def test_a_sample_keeps_or_drops_each_block_as_a_whole(self) -> None:
        large = [Operation(kind, ident, 8) for kind in "af" for ident in range(4000)]
        kept = shape.sample(large, 0.25, seed=1)
        self.assertEqual(len({one.ident for one in kept}) * 2, len(kept))
        self.assertAlmostEqual(len(kept) / len(large), 0.25, delta=0.03)
        self.assertEqual(kept, shape.sample(large, 0.25, seed=1))
        self.assertNotEqual(kept, shape.sample(large, 0.25, seed=2))
        self.assertEqual(shape.sample(large, 1, seed=1), large)

    def test_a_choice_by_size_looks_at_the_first_request(self) -> None:
        self.assertEqual(self.body(shape.by_size(self.operations, 0, 10)),
                         ["a 0 10", "r 0 90", "a 1 7", "f 0", "f 1"])
        with self.assertRaisesRegex(InputError, "nothing is left of the trace"):
            shape.text_of(shape.by_size(self.operations, 1000, 2000))

    def test_merged_traces_keep_their_order_and_end_together(self) -> None:
        short = [Operation("a", 0, 1), Operation("f", 0)]
        merged = shape.merge([self.operations, short])
        self.assertEqual(self.body(merged), [
            "a 0 10", "a 1 1", "a 2 500", "r 0 90", "a 3 40", "f 2", "f 1", "a 4 7", "f 0", "f 4",
            "f 3"])

    def test_the_shape_of_a_trace_is_what_a_hand_count_finds(self) -> None:
        found = shape.shape(self.operations)
        self.assertEqual((found.allocations, found.resizes, found.frees), (4, 1, 4))
        self.assertEqual(found.sizes, [7, 10, 40, 500])
        self.assertEqual(found.lifetimes, [2, 3, 5, 6])
        self.assertEqual(found.live, [10, 510, 590, 630, 130, 137, 47, 40, 0])
        self.assertEqual((found.peak_objects, found.never_freed), (3, 0))
        self.assertEqual([(one.most, one.count, one.bytes) for one in shape.classes(found.sizes)],
                         [(8, 1, 7), (16, 1, 10), (32, 0, 0), (64, 1, 40), (128, 0, 0),
                          (256, 0, 0), (512, 1, 500)])
        self.assertEqual([shape.quantile(found.lifetimes, share) for share in (0, .25, .5, .51, 1)],
                         [2, 2, 3, 5, 6])

    def test_the_curve_shows_the_most_of_each_time(self) -> None:
        self.assertEqual(info.curve([0, 1, 2, 4, 8, 8], 3), "▂▅█")
        self.assertEqual(info.curve([5], 9), "█")
        self.assertEqual(info.curve([0, 0], 2), "▁▁")


if __name__ == "__main__":
    unittest.main()
