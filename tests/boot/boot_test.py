# SPDX-License-Identifier: MIT
"""Boots kernels that must fail, and asserts what they say; boots replays, and compares them.

usage: boot_test.py BUILD_DIRECTORY STRATEGY [unittest arguments]
"""

import gzip
import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import unittest

from lab import process

SOURCE = pathlib.Path(__file__).resolve().parents[2]
KERNELS = pathlib.Path()
HOSTS = pathlib.Path()
STRATEGY = ""

DONE, FAILED, PANICKED = 0, 1, 2
MIB = 1024 * 1024
RAM_STEP = 8192  # QEMU rounds sizes up to a multiple of this


def boot(*options: object) -> tuple[int, str]:
    """Boots the kernel under test, or what the options name; returns status and serial output."""
    command = [sys.executable, "-m", "lab.qemu", *map(str, options)]
    if "--kernel" not in options and "--iso" not in options:
        command += ["--kernel", str(KERNELS / f"los-{STRATEGY}.elf")]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace",
                          env=dict(os.environ, PYTHONPATH=str(SOURCE)))
    return done.returncode, done.stdout + done.stderr


def symbols() -> dict[str, int]:
    """Returns the addresses of the kernel's symbols by name."""
    lines = subprocess.run(["nm", KERNELS / f"los-{STRATEGY}.elf"], check=True, text=True,
                           capture_output=True).stdout.splitlines()
    return {name: int(address, 16) for address, _, name in map(str.split, lines)}


def ram_that_ends_in_the_heap(at: dict[str, int]) -> int:
    """Returns a size of RAM, in bytes, that lacks a part of the heap and of nothing else.

    SeaBIOS keeps its tables in the last 128 KiB of RAM and works below them, in the middle of
    a small kernel, unless less than 256 KiB lie above 1 MiB: then it leaves them alone.
    """
    small = min(at["_kernel_end"] - 1, MIB + 256 * 1024 - 1) // RAM_STEP * RAM_STEP
    return small if small > at["_kernelHeap"] else at["_kernelHeap"] + MIB


def record_in(said: str) -> dict[str, object]:
    """Returns the record among the lines that a kernel or its like says."""
    return json.loads(re.search(r"^result: (.*)$", said, re.MULTILINE)[1])


class InScratch(unittest.TestCase):
    """Tests that write files write them where they vanish."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.scratch = pathlib.Path(directory.name)

    def write(self, name: str, contents: str | bytes) -> pathlib.Path:
        path = self.scratch / name
        path.write_bytes(contents.encode() if isinstance(contents, str) else contents)
        return path

    def shipped_trace(self, name: str) -> pathlib.Path:
        packed = (SOURCE / "traces" / f"{name}.rep.gz").read_bytes()
        return self.write(f"{name}.rep", gzip.decompress(packed))


class Panics(unittest.TestCase):
    """A fault is a panic that names it and shows where it happened."""

    def assert_panics(self, fault: str, message: str, *functions: str):
        status, said = boot("--append", f"run=fault fault={fault}")
        self.assertEqual(status, PANICKED, said)
        self.assertRegex(said, f"panic: {message}")
        self.assertRegex(said, r"eax [0-9a-f]{8}  ebx [0-9a-f]{8}  ecx")
        for function in (*functions, "run_fault", "kernel_main"):
            self.assertRegex(said, rf"0x[0-9a-f]{{8}} {function}\+0x", said)

    def test_using_null_says_so(self):
        self.assert_panics("null", "page fault reading 0x00000000: a NULL pointer was used",
                           "machine_provoke")

    def test_a_panic_shows_who_called_it_each_once(self):
        status, said = boot("--append", "run=fault fault=panic")
        self.assertEqual(status, PANICKED, said)
        callers = re.search(r"panic: this was asked for\ncalled from, innermost first:\n"
                            r"((?:  0x.*\n)+)$", said)
        self.assertTrue(callers, said)
        self.assertEqual(re.findall(r"(\w+)\+0x", callers[1])[:3],
                         ["panic", "machine_provoke", "run_fault"], said)

    def test_dividing_by_zero_says_so(self):
        self.assert_panics("divide", "divide error", "machine_provoke")

    def test_a_double_fault_blames_no_address_that_an_earlier_fault_left(self):
        self.assert_panics("double", r"double fault\n", "machine_provoke")

    def test_an_invalid_opcode_says_so(self):
        self.assert_panics("opcode", "invalid opcode", "machine_provoke")

    def test_writing_to_code_says_so(self):
        self.assert_panics("read-only", "page fault writing 0x00100000: that page may only be read",
                           "machine_provoke")

    def test_an_overflowing_stack_says_so(self):
        self.assert_panics("stack", "the kernel stack overflowed", "overflow_stack")

    def test_an_overflowing_heap_stack_says_so(self):
        self.assert_panics("heap-stack", "the heap's stack overflowed", "overflow_stack",
                           "measuredCall")


class Processors(unittest.TestCase):
    """Further processors start, work, are interrupted, and say which they are when they fault."""

    def start(self, there: int, wanted: int, *options: object) -> tuple[int, str]:
        return boot("--processors", there, "--append", f"run=processors processors={wanted}",
                    *options)

    def test_one_to_eight_start_and_share_a_lock(self):
        for count in (1, 2, 5, 8):
            with self.subTest(count):
                status, said = self.start(count, count)
                self.assertEqual(status, DONE, said)
                self.assertIn(f"# {count} of {count} processors run", said)
                self.assertEqual(len(re.findall("^ok ", said, re.MULTILINE)), 3, said)

    def test_counted_instructions_are_the_same_on_every_run(self):
        first, second = (self.start(3, 3, "--count") for _ in range(2))
        self.assertEqual(first[0], DONE, first[1])
        self.assertEqual(first, second)

    def test_only_as_many_start_as_are_wanted(self):
        status, said = self.start(4, 2)
        self.assertEqual(status, DONE, said)
        self.assertIn("# 2 of 2 processors run", said)

    def test_one_that_is_not_there_is_missed(self):
        status, said = self.start(2, 3)
        self.assertEqual(status, FAILED, said)
        self.assertIn("# 2 of 3 processors run\nnot ok 1 - every_processor_starts", said)

    def test_a_fault_says_on_which_processor_it_happened(self):
        for fault, message in (("null", "a NULL pointer was used"),
                               ("stack", "the processor's stack overflowed"),
                               ("double", "double fault")):
            with self.subTest(fault):
                status, said = boot("--processors", 3, "--append",
                                    f"run=fault fault={fault} processors=3")
                self.assertEqual(status, PANICKED, said)
                self.assertRegex(said, f"panic: .*{message}.*\non processor 2\n")
                self.assertRegex(said, r"0x[0-9a-f]{8} another_processor_main\+0x")

    def test_of_panics_at_once_one_is_explained(self):
        for _ in range(3):
            status, said = boot("--processors", 4, "--append",
                                "run=fault fault=panic processors=4")
            self.assertEqual(status, PANICKED, said)
            self.assertRegex(said, r"\npanic: this was asked for\ncalled from, innermost first:\n"
                                   r"  0x\w+ panic\+0x\w+\n  0x\w+ machine_provoke\+0x(.*\n)+$")
            self.assertEqual(said.count("panic: "), 1, said)

    def test_without_an_apic_none_can_be_started(self):
        status, said = boot("--cpu", "qemu32,-apic", "--append", "run=processors")
        self.assertEqual(status, FAILED, said)
        self.assertIn("error: the processor has no APIC, or it is turned off\n", said)

    def test_more_than_eight_are_refused(self):
        status, said = self.start(1, 9)
        self.assertEqual(status, FAILED, said)
        self.assertIn("error: command line: 'processors=9' is no word this kernel knows", said)


class BadBoots(InScratch):
    """A boot that cannot go on ends with one line that says why."""

    def assert_error(self, message: str, *options: object):
        status, said = boot(*options)
        errors = [line for line in said.splitlines() if line.startswith("error: ")]
        self.assertEqual((status, errors), (FAILED, [f"error: {message}"]), said)

    def assert_bad_trace(self, message: str, text: str | bytes):
        self.assert_error(message, "--append", "run=replay", "--module",
                          self.write("bad.rep", text))

    def test_an_unknown_word_is_named(self):
        self.assert_error("command line: 'run=walk' is no word this kernel knows, or its value is"
                          " out of range", "--append", "run=walk")

    def test_a_number_that_is_none_is_named(self):
        self.assert_error("command line: 'operations=ten' is no word this kernel knows, or its"
                          " value is out of range", "--append", "run=replay operations=ten")

    def test_control_characters_on_the_command_line_are_shown(self):
        for words, shown in (("run=tests \1samples=0", "\\x01samples=0"),
                             ("run=tests\x7f", "run=tests\\x7f"),
                             ("run=tests\nseed=0", "\\x0aseed=0")):
            with self.subTest(shown):
                self.assert_error(f"command line: '{shown}' is no word this kernel knows, or its"
                                  " value is out of range", "--append", words)

    def test_a_missing_module_is_missed(self):
        self.assert_error("there is no trace: it is the first boot module, or named by workload=",
                          "--append", "run=replay")

    def test_a_module_and_a_workload_are_one_too_many(self):
        self.assert_error("there are both a workload= and a boot module: which is to be replayed?",
                          "--append", "run=replay workload=churn-kernel-50", "--module",
                          self.write("any.rep", "1\n1\n1\n1\na 0 8\n"))

    def test_an_unknown_workload_gets_the_names_there_are(self):
        self.assert_error("workload: there is none of that name; there are: churn-MIX[-PERCENT]"
                          " fifo-MIX[-PERCENT] lifo-MIX[-PERCENT] ramp-MIX[-PERCENT] fill-MIX"
                          " fixed-MIX-BLOCKS fixedfifo-MIX-BLOCKS fixedlifo-MIX-BLOCKS"
                          " knuth-MIX-LIFETIME queue-MIX[-PERCENT] alloctest[-SLOTS]"
                          " mstress[-BLOCKS] rptest[-SLOTS] holes-HOLES tlsf-TEST"
                          " bestfit-SIZE-ROUNDS hoard-BLOCKS[-BYTES] robson-LOG2-UNITS; MIX is"
                          " one of: kernel small uniform power large words eight s1 s2 s3 larson"
                          " halving", "--append", "run=replay workload=churn-kernels")

    def test_a_scale_that_is_none_or_too_large_is_told(self):
        self.assert_error("command line: 'scale=0' is no word this kernel knows, or its value is"
                          " out of range", "--append", "run=replay workload=tlsf-3 scale=0")
        self.assert_error("scale: a request would be larger than 32 bits can say", "--append",
                          "run=replay workload=tlsf-3 scale=300000000")

    def test_a_processor_that_is_too_old_is_told_what_it_lacks(self):
        for model, missing in (("486,level=0", "PSE TSC CMOV SSE2"), ("486", "TSC CMOV SSE2"),
                               ("pentium", "CMOV SSE2"), ("pentium3", "SSE2"),
                               ("qemu32,-pse", "PSE")):
            with self.subTest(model):
                self.assert_error("this processor is too old for LOS, it lacks: " + missing,
                                  "--cpu", model)

    def test_too_little_ram_names_the_addresses(self):
        at = symbols()
        status, said = boot("--memory", ram_that_ends_in_the_heap(at) / MIB)
        self.assertEqual(status, FAILED, said)
        self.assertRegex(said, r"error: too little RAM: the kernel and its heap need 0x00100000 to"
                               rf" 0x{at['_kernel_end']:08x}, usable memory ends at"
                               r" 0x[0-9a-f]{8}")

    def test_a_loader_that_is_neither_multiboot2_nor_pvh_is_refused(self):
        # The PVH note is made to point at the multiboot2 entry: QEMU then jumps there without
        # multiboot2's magic in EAX, as a loader of another kind would.
        elf = (KERNELS / f"los-{STRATEGY}.elf").read_bytes()
        entry = elf[24:28]
        note = elf.index(b"\x04\0\0\0\x04\0\0\0\x12\0\0\0Xen\0")
        patched = self.write("other.elf", elf[:note + 16] + entry + elf[note + 20:])
        self.assert_error("not started by a multiboot2 or PVH loader: the magic in EAX is"
                          " neither's", "--kernel", patched)

    def test_a_packed_trace_gets_advice(self):
        self.assert_bad_trace("trace: still packed with gzip; unpack it (GRUB does, with insmod"
                              " gzio)", gzip.compress(b"1\n1\n1\n1\na 0 8\n"))

    def test_an_empty_trace_has_no_header(self):
        self.assert_bad_trace("trace, line 2: the text ends before the four header lines do", "\n")

    def test_a_header_that_is_no_number_is_named(self):
        self.assert_bad_trace("trace, line 2: the number of ids is not a number from 0 to"
                              " 4294967295", "1\nmany\n1\n1\na 0 8\n")

    def test_an_unknown_operation_is_refused(self):
        self.assert_bad_trace("trace, line 5: an operation is a, r or f", "1\n1\n1\n1\nx 0 8\n")

    def test_an_id_beyond_the_header_is_refused(self):
        self.assert_bad_trace("trace, line 5: id 1 is not below the number of ids in the header",
                              "1\n1\n1\n1\na 1 8\n")

    def test_an_id_allocated_twice_is_refused(self):
        self.assert_bad_trace("trace, line 6: id 0 is allocated while it is live",
                              "1\n1\n2\n1\na 0 8\na 0 8\n")

    def test_an_id_freed_twice_is_refused(self):
        self.assert_bad_trace("trace, line 7: id 0 is freed, but it is not live",
                              "1\n1\n3\n1\na 0 8\nf 0\nf 0\n")

    def test_an_id_never_allocated_cannot_be_reallocated(self):
        self.assert_bad_trace("trace, line 5: id 0 is reallocated, but it is not live",
                              "1\n1\n1\n1\nr 0 8\n")

    def test_a_size_over_32_bits_is_refused(self):
        self.assert_bad_trace("trace, line 5: the size is not a number from 0 to 4294967295",
                              "1\n1\n1\n1\na 0 4294967296\n")

    def test_fewer_operations_than_promised_are_refused(self):
        self.assert_bad_trace("trace, line 6: there are fewer operations than the header says",
                              "1\n1\n2\n1\na 0 8\n")

    def test_more_operations_than_promised_are_refused(self):
        self.assert_bad_trace("trace, line 6: there are more operations than the header says",
                              "1\n1\n1\n1\na 0 8\nf 0\n")

    def test_a_header_cannot_ask_for_more_than_the_text_holds(self):
        self.assert_bad_trace("trace, line 4: the header promises more operations than the text"
                              " can hold", "1\n1\n4000000000\n1\na 0 8\n")


class Replays(InScratch):
    """Counted replays: exact, and the same placement as on the host."""

    def replay(self, trace: pathlib.Path, words: str = "", *options: object) -> str:
        status, said = boot("--count", "--append", f"run=replay unit=instructions {words}",
                            "--module", trace, *options)
        self.assertEqual(status, DONE, said)
        (record,) = re.findall(r"^result: (.*)$", said, re.MULTILINE)
        return record

    def test_two_replays_give_the_same_record_to_the_last_digit(self):
        trace = self.shipped_trace("linux-fork-exec")
        first, second = (self.replay(trace, "operations=3000") for _ in range(2))
        self.assertEqual(first, second)
        self.assertEqual(json.loads(first)["operations"], 3000)

    def test_kernel_and_host_place_every_block_alike(self):
        for name in ("linux-boot", "user-perl"):  # the second reallocates, too
            with self.subTest(name):
                self.assert_placed_alike(self.shipped_trace(name))

    def assert_placed_alike(self, trace: pathlib.Path):
        in_kernel, on_host = self.scratch / "kernel.bin", self.scratch / "host.bin"
        record = json.loads(self.replay(trace, "placements", "--debug-console", in_kernel))
        subprocess.run([HOSTS / f"host-{STRATEGY}", "run=replay", f"placements={on_host}", trace],
                       check=True, capture_output=True)
        self.assertEqual(len(in_kernel.read_bytes()), 4 * record["operations"])
        self.assertEqual(in_kernel.read_bytes(), on_host.read_bytes())

    def test_the_costs_of_single_operations_are_those_in_the_record(self):
        trace, costs = self.shipped_trace("user-perl"), self.scratch / "costs.bin"
        record = json.loads(self.replay(trace, "operations=3000 costs", "--debug-console", costs))
        each = struct.unpack("<3000I", costs.read_bytes())
        cost = record["cost"]
        self.assertEqual((sum(each), max(each), each[cost["max_operation"]]),
                         (cost["total"], cost["max"], cost["max"]))

    def test_placements_and_costs_take_turns(self):
        trace, notes = self.write("one.rep", "1\n1\n2\n1\na 0 8\nf 0\n"), self.scratch / "notes.bin"
        record = json.loads(self.replay(trace, "costs placements", "--debug-console", notes))
        placed, allocated, freed, cost = struct.unpack("<4I", notes.read_bytes())
        self.assertLess(placed, record["heap_kib"] * 1040)
        self.assertEqual((allocated, freed, cost),
                         (record["malloc"]["total"], 0xFFFFFFFF, record["free"]["total"]))

    def test_changes_lead_from_walk_to_walk_and_are_the_same_on_the_host(self):
        trace = self.write("some.rep", "1\n3\n6\n1\n"
                           "a 0 100\na 1 3000\nf 0\na 2 40\nr 1 9000\nf 1\n")
        in_kernel, on_host = self.scratch / "changes.bin", self.scratch / "host.bin"
        record = json.loads(self.replay(trace, "samples=1 placements changes", "--debug-console",
                                        in_kernel))
        subprocess.run([HOSTS / f"host-{STRATEGY}", "run=replay", "samples=1", "changes",
                        f"placements={on_host}", trace], check=True, capture_output=True)
        self.assertEqual(in_kernel.read_bytes(), on_host.read_bytes())
        blocks = self.last_walk(in_kernel.read_bytes(), operations=6)
        self.assertEqual(sum(size for size, state in blocks.values() if state == 0),
                         record["series"]["granted"][0])
        self.assertEqual(max((size for size, state in blocks.values() if state == 1), default=0),
                         record["series"]["largest"][0])

    def last_walk(self, noted: bytes, operations: int) -> dict[int, tuple[int, int]]:
        """By distance: the size and state of each block after all operations."""
        words = [word for (word,) in struct.iter_unpack("<I", noted)]
        blocks: dict[int, tuple[int, int]] = {}
        for operation in range(operations + 1):
            del words[:1 if operation else 0]  # the placement
            while (word := words.pop(0)) != 0xFFFFFFFF:
                start, size = word & 0x3FFFFFFF, words.pop(0)
                for gone in [place for place in blocks if start <= place < start + size]:
                    del blocks[gone]
                blocks[start] = size, word >> 30
        self.assertEqual(words, [])
        self.assertEqual([place for place in sorted(blocks)][1:],
                         [place + blocks[place][0] for place in sorted(blocks)][:-1])
        return blocks

    def test_operations_that_are_in_no_cost_are_marked(self):
        costs = self.scratch / "costs.bin"
        status, said = boot("--count", "--append", "run=replay unit=instructions samples=0 costs"
                            " workload=churn-kernel-20 operations=100", "--debug-console", costs)
        self.assertEqual(status, DONE, said)
        record = json.loads(re.search(r"^result: (.*)$", said, re.MULTILINE)[1])
        each = struct.unpack(f"<{record['operations']}I", costs.read_bytes())
        self.assertEqual(set(each[:-100]), {0xFFFFFFFF})
        self.assertEqual(sum(each[-100:]), record["cost"]["total"])

    def test_a_workload_is_the_same_in_kernel_and_host_and_as_a_trace(self):
        for made in (["workload=churn-uniform-70", "seed=5"], ["workload=rptest", "operations=99"],
                     ["workload=knuth-s2-50", "scale=16", "operations=900"],
                     ["workload=bestfit-16-12", "scale=64"]):
            with self.subTest(made):
                words = ["run=replay", "samples=0", *made]
                status, said = boot("--append", " ".join(words))
                self.assertEqual(status, DONE, said)
                on_host = self.on_host(*words)
                text = self.on_host("run=print", *made)
                from_text = self.on_host("run=replay", "samples=0", self.write("made.rep", text))
                hashes = {re.search(r'"placement_hash":"(\w+)"', one)[1]
                          for one in (said, on_host, from_text)}
                self.assertEqual(len(hashes), 1, hashes)

    def test_the_program_that_counts_steps_places_blocks_as_the_others_do(self):
        if not (SOURCE / "mm" / f"{STRATEGY}.c").exists():
            self.skipTest("it knows the strategies, and none of the peers")
        for words in (["workload=churn-uniform-70"], ["workload=knuth-s1-100", "scale=8"],
                      ["workload=fill-power"], [self.shipped_trace("user-perl")]):
            with self.subTest(words):
                replayed = record_in(self.on_host("run=replay", "samples=0", *words))
                counted = record_in(subprocess.run(
                    [HOSTS.parents[1] / "papers" / "host-papers", "play", f"strategy={STRATEGY}",
                     f"kib={replayed['heap_kib']}", *words],
                    check=True, capture_output=True, text=True).stdout)
                for field in ("placement_hash", "failures", "operations"):
                    self.assertEqual(counted[field], replayed[field])

    def on_host(self, *arguments: object) -> str:
        return subprocess.run([HOSTS / f"host-{STRATEGY}", *map(str, arguments)], check=True,
                              capture_output=True, text=True).stdout

    def test_a_fill_ends_at_its_first_failure(self):
        status, said = boot("--append", "run=replay samples=0 workload=fill-uniform")
        self.assertEqual(status, DONE, said)
        record = record_in(said)
        first = record["first_failure"]
        self.assertEqual((record["failures"], record["operations"]), (1, first["operation"] + 1))
        # A heap may refuse although a hole is large enough: half-fit looks one class too high.
        self.assertLessEqual(first["requested"], first["granted"])
        self.assertLessEqual(first["granted"] + first["free"], 65 * record["heap_kib"] * 16)
        self.assertLessEqual(first["largest"], first["free"])

    def test_what_builds_a_state_up_enters_no_cost(self):
        status, said = boot("--append", "run=replay samples=0 workload=churn-kernel-20"
                            " operations=1000")
        self.assertEqual(status, DONE, said)
        record = record_in(said)
        self.assertGreater(record["build_up_operations"], record["heap_kib"] // 2)
        self.assertEqual(record["cost"]["operations"], 1000)
        self.assertEqual(record["operations"], record["build_up_operations"] + 1000)

    def test_operations_on_a_failed_allocation_are_skipped(self):
        trace = self.write("large.rep", "1\n2\n6\n1\n"
                           "a 0 4000000000\na 1 8\nr 0 8\nf 0\nf 1\na 1 8\n")
        record = json.loads(self.replay(trace))
        self.assertEqual(record["failures"], 1)
        self.assertEqual((record["first_failure"]["operation"], record["first_failure"]["size"]),
                         (0, 4000000000))
        self.assertEqual(record["operations"], 6)
        self.assertEqual(record["cost"]["operations"], 4)

    def test_the_side_array_is_what_the_empty_heap_keeps_of_its_region(self):
        record = json.loads(self.replay(self.write("nothing.rep", "1\n1\n1\n1\na 0 0\n")))
        self.assertEqual(record["footprint"]["map_bytes"] + record["series"]["free"][-1],
                         record["heap_kib"] * 1040)

    def test_a_traces_zero_sizes_are_no_failures(self):
        trace = self.write("zero.rep", "1\n1\n4\n1\na 0 0\nr 0 8\nr 0 0\nf 0\n")
        record = json.loads(self.replay(trace))
        self.assertEqual((record["failures"], record["cost"]["operations"]), (0, 4))


class Host(InScratch):
    """The runner as a process answers to bad input as the kernel does."""

    def assert_refuses(self, message: str, *arguments: object):
        run = subprocess.run([HOSTS / f"host-{STRATEGY}", *map(str, arguments)],
                             capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout), (FAILED, f"error: {message}\n"))

    def test_a_missing_file_is_named(self):
        self.assert_refuses("/no/such.rep: No such file or directory", "run=replay",
                            "/no/such.rep")

    def test_a_region_out_of_range_is_refused(self):
        self.assert_refuses("kib=63: kib is a number from 64 to 65536", "kib=63")

    def test_a_control_character_in_a_trace_is_refused_with_its_line(self):
        for character in "\0\1\b\v\f\x1b\x1f\x7f":
            with self.subTest(repr(character)):
                self.assert_refuses_operations("a 0 8" + character, "the size is not a number from"
                                               " 0 to 4294967295")
                self.assert_refuses_operations("a 0 8 " + character, "more words than belong on the"
                                               " line")
                self.assert_refuses_operations(character + "a 0 8", "an operation is a, r or f")

    def assert_refuses_operations(self, line: str, message: str):
        trace = self.write("bad.rep", f"1\n1\n2\n1\n{line}\nf 0\n")
        self.assert_refuses(f"trace, line 5: {message}", "run=replay", trace)

    def test_blanks_and_carriage_returns_in_a_trace_do_no_harm(self):
        trace = self.write("blanks.rep", "1\r\n1\r\n 2 \r\n1\r\n\ta\t0  8 \r\n\r\nf 0")
        subprocess.run([HOSTS / f"host-{STRATEGY}", "run=replay", trace], check=True,
                       capture_output=True)

    def replay_long(self, *limited: str) -> subprocess.CompletedProcess[str]:
        """Replays a trace of a million operations, as a process with limits."""
        pairs = 500_000
        trace = self.write("long.rep", f"1\n{pairs}\n{2 * pairs}\n1\n" +
                           "".join(f"a {i} 8\nf {i}\n" for i in range(pairs)))
        return subprocess.run([*limited, HOSTS / f"host-{STRATEGY}", "run=replay", "samples=0",
                               trace], capture_output=True, text=True)

    def test_a_long_trace_gets_the_memory_it_needs(self):
        self.assertIn('"operations":1000000,', self.replay_long().stdout)

    @unittest.skipIf(process.emulates_32_bit(), "an emulator needs more than the limit for itself")
    def test_a_long_trace_that_has_not_the_memory_it_needs_is_refused_at_once(self):
        run = self.replay_long("prlimit", f"--as={48 << 20}")
        trace = run.args[-1]
        self.assertEqual((run.returncode, run.stdout),
                         (FAILED, f"error: {trace}: there are no 50 MiB of memory for a trace's"
                                  " operations and ids\n"))

    def test_smallest_needs_a_trace(self):
        self.assert_refuses("there is no trace: it is the first boot module, or named by"
                            " workload=", "run=smallest")

    def test_a_fill_has_no_smallest_region(self):
        self.assert_refuses("a workload that fills the heap fits into none", "run=smallest",
                            "workload=fill-kernel")

    def test_the_smallest_region_fits_and_a_smaller_one_does_not(self):
        trace = self.shipped_trace("user-perl")
        said = subprocess.run(
            [HOSTS / f"host-{STRATEGY}", "run=smallest", "operations=4000", trace],
            check=True, capture_output=True, text=True).stdout
        record = json.loads(said.splitlines()[-1].removeprefix("result: "))
        smallest = record["smallest_total_bytes"]
        self.assertGreaterEqual(smallest, record["peak_requested_bytes"])
        self.assertEqual(smallest % 520, 0)
        self.assertEqual(self.failures_in(smallest, trace), 0)
        for total in range(smallest - 16 * 520, smallest, 520):
            self.assertGreater(self.failures_in(total, trace), 0, f"{total} bytes would do")

    def failures_in(self, total_bytes: int, trace: pathlib.Path) -> int:
        said = subprocess.run(
            [HOSTS / f"host-{STRATEGY}", "run=replay", "operations=4000", "samples=0",
             f"map_bytes={total_bytes // 65}", trace],
            check=True, capture_output=True, text=True).stdout
        (record,) = re.findall(r"^result: (.*)$", said, re.MULTILINE)
        return json.loads(record)["failures"]


class NeverFails(InScratch):
    """What is promised of bitmap and best-fit. The host places blocks as the kernel does."""

    def test_serves_every_request_of_every_shipped_trace_in_1_mib(self):
        names = [path.name.removesuffix(".rep.gz") for path in (SOURCE / "traces").glob("*.gz")]
        self.assertEqual(len(names), 5)
        for name in names:
            with self.subTest(name):
                said = subprocess.run(
                    [HOSTS / f"host-{STRATEGY}", "run=replay", "kib=1024", "samples=0",
                     self.shipped_trace(name)], check=True, capture_output=True, text=True).stdout
                record = json.loads(re.search(r"^result: (.*)$", said, re.MULTILINE)[1])
                self.assertEqual((record["heap_kib"], record["failures"]), (1024, 0))


if __name__ == "__main__":
    KERNELS = pathlib.Path(sys.argv[1]) / "arch" / "x86"
    HOSTS = pathlib.Path(sys.argv[1]) / "arch" / "host"
    STRATEGY = sys.argv[2]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
