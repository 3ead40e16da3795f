# SPDX-License-Identifier: MIT
"""The heap commands in GDB, in sessions of `heaplab debug`; and GDB without one.

usage: debug_test.py DIRECTORY_OF_KERNELS STRATEGY ...

The kernels are of hardening check; of each strategy there are those of every locking, too.
"""

import itertools
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE))

from lab.tests.support import children_of, end, eventually, is_alive  # noqa: E402

KERNELS = pathlib.Path()
STRATEGIES: list[str] = []
REGION_BYTES = 1_064_960
MARK = "-- next --"
SOUND = ("run=experiment", "experiment=stale")
DRIVER = ("run=experiment", "experiment=careless-driver")
VICTIM = "queue.frames[queue.delivered % 8]"

SESSION = {
    "start": "heap next",
    "first": "heap next",
    "snapshot": "heap snapshot",
    "two": "heap next 2",
    "diff": "heap diff",
    "blocks": "heap blocks",
    "map": "heap map",
    "holes": "heap holes",
    "check": "heap check",
    "stats": "heap stats",
    "within": "tbreak kmalloc",
    "to kmalloc": "continue",
    "map within": "heap map",
    "check within": "heap check",
    "end of it": "heap next",
    "at": "heap at $heap + 8",
    "sized": "heap break size>200",
    "to size": "continue",
    "no more sizes": "delete 2-99",
    "address": "heap break address=$heap",
    "to address": "continue",
    "list": "info breakpoints",
}
"""What is asked in each session, by what it is called here."""


def command_of(strategy: str, *arguments: str) -> list[str]:
    return ["/usr/bin/python3", "-m", "lab", "debug", "--kernel",
            str(KERNELS / f"los-{strategy}.elf"), *arguments]


def debug(strategy: str, words: tuple[str, ...], commands: dict[str, str]) -> dict[str, str]:
    """What each command says in a session."""
    asked = [part for one in commands.values() for part in ("-ex", f"echo {MARK}\\n", "-ex", one)]
    done = subprocess.run(command_of(strategy, *words, "--batch", *asked), cwd=SOURCE, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100)
    said = done.stdout.split(f"{MARK}\n")
    assert len(said) == len(commands) + 1, done.stdout
    return dict(zip(commands, said[1:]))


def plain_gdb(*commands: str) -> str:
    """What GDB says, with nothing but the commands loaded."""
    done = subprocess.run(
        ["gdb", "-q", "-nx", "-batch", "-ex", f"source {SOURCE / 'lab/gdb/heap.py'}",
         *(part for one in commands for part in ("-ex", one))],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    return done.stdout.strip()


def numbers(pattern: str, text: str) -> list[int]:
    return [int(found.replace(",", ""), 0) for found in re.findall(pattern, text, re.MULTILINE)]


class Sessions(unittest.TestCase):
    """What the commands say of a heap with a few blocks, whatever its strategy."""

    said: dict[str, dict[str, str]] = {}

    @classmethod
    def setUpClass(cls):
        cls.said = {strategy: debug(strategy, SOUND, SESSION) for strategy in STRATEGIES}

    def each(self, judge):
        for strategy, said in self.said.items():
            with self.subTest(strategy):
                judge(said | {"strategy": strategy})

    def test_next_shows_a_call_its_caller_its_blocks_and_the_map(self):
        def judge(said):
            self.assertRegex(said["start"], r"(?m)^kinitHeap\(\), called by experiment_stale ")
            self.assertRegex(said["first"], r"^kmalloc\(\d+\) = 0x\w+, called by leave_secrets"
                             r" \(kernel/contents.c:\d+\)\n")
            self.assertRegex(said["first"], r"(?m)^\+ 0x\w+ +[\d,]+  live ")
            self.assertRegex(said["first"], r"(?m)^0x\w+  .*#.*  after$")
            self.assertEqual(len(re.findall(r"kmalloc\(\d+\) = 0x", said["two"])), 2)

        self.each(judge)

    def test_diff_shows_what_has_come_since_the_snapshot(self):
        def judge(said):
            self.assertIn("remembered: live ", said["snapshot"])
            self.assertEqual(len(re.findall(r"(?m)^\+ 0x\w+ +[\d,]+  live ", said["diff"])), 2)
            self.assertRegex(said["diff"], r"before: live [\d,]+ in 1 block ")
            self.assertRegex(said["diff"], r"now:    live [\d,]+ in 3 blocks ")

        self.each(judge)

    def test_blocks_tile_the_region(self):
        def judge(said):
            starts = numbers(r"^(0x\w+) ", said["blocks"])
            sizes = numbers(r"^0x\w+ +([\d,]+) ", said["blocks"])
            self.assertEqual(sum(sizes), REGION_BYTES)
            self.assertEqual(starts[1:], [start + size
                                          for start, size in zip(starts, sizes)][:-1])
            self.assertEqual(said["blocks"].count("  live "), 3)

        self.each(judge)

    def test_the_map_adds_up_and_has_its_addresses(self):
        def judge(said):
            picture, totals = re.split(r"(?m)^(?=live )", said["map"])
            *rows, legend = picture.splitlines()
            self.assertIn("1,024 bytes a letter; ", legend)
            self.assertLessEqual(max(map(len, said["map"].splitlines())), 100)
            self.assertIn("o", rows[0] + rows[-1] + rows[1])
            self.assertEqual(sum(numbers(r"(?:live|free|own|reusable) ([\d,]+)", totals)),
                             REGION_BYTES)
            self.assertLessEqual(len(rows), 24)
            self.assertNotIn("\033", said["map"], "colours, though nobody looks")

        self.each(judge)

    def test_holes_check_and_stats_agree_with_the_blocks(self):
        def judge(said):
            blocks = len(numbers(r"^(0x\w+) ", said["blocks"]))
            holes = said["blocks"].count("  hole\n")
            self.assertEqual(numbers(r"^([\d,]+) holes?, ", said["holes"]), [holes])
            self.assertEqual(said["check"], f"sound: {blocks} blocks tile the heap, and all"
                             f" invariants of {said['strategy']} hold\n")
            self.assertIn(f"strategy   {said['strategy']}: ", said["stats"])
            self.assertIn("hardening  check\n", said["stats"])
            self.assertIn("at most 3 live blocks at once; 0 misuses\n", said["stats"])

        self.each(judge)

    def test_within_a_call_the_commands_say_so_and_next_ends_it(self):
        def judge(said):
            self.assertRegex(said["map within"], r"^in the middle of kmalloc\(\d+\), called by"
                             r" leave_secrets")
            self.assertRegex(said["check within"], r"in the middle of kmalloc\(\d+\)")
            self.assertRegex(said["end of it"], r"^kmalloc\(\d+\) = 0x\w+, called by leave_secrets")

        self.each(judge)

    def test_at_says_which_block_and_how_far_into_it(self):
        def judge(said):
            self.assertRegex(said["at"], r"^0x\w+ is 8 bytes into a live block of \d+ bytes")
            self.assertIn("^^\n", said["at"])
            self.assertIn("known from hardening redzone on; this is check", said["at"])

        self.each(judge)

    def test_break_stops_at_a_size_and_at_an_address(self):
        def judge(said):
            sizes = numbers(r"heap: kmalloc\((\d+)\) is called by leave_secrets", said["to size"])
            self.assertEqual(len(sizes), 1)
            self.assertGreater(sizes[0], 200)
            self.assertRegex(said["to address"], r"heap: kfree\(0x\w+\) is called by"
                             r" leave_secrets \(kernel/contents.c:\d+\)\n")
            self.assertEqual(len(re.findall(r"breakpoint .* in k(?:malloc|free)", said["list"])),
                             2)

        self.each(judge)


STEPS = """
python
from lab.gdb import call as calls
def through(function):
    point = calls.Entry(function)
    gdb.execute("continue", to_string=True)
    point.delete()
    call, steps, missed = calls.beginning(), 0, []
    while calls.register("esp") != call.stack or calls.register("eip") != call.return_address:
        if calls.at_work() != call:
            missed.append(calls.register("eip"))
        with calls.quietly():
            gdb.execute("stepi", to_string=True)
        steps += 1
    print(f"{call}: {steps} steps, {len(missed)} missed {[hex(place) for place in missed[:5]]}")
end
"""
"""Steps through a call, and asks after each instruction which call is at work."""


class Locked(unittest.TestCase):
    """Kernels that may be called by several at once."""

    def test_at_every_instruction_of_a_call_the_commands_know_it(self):
        commands = {"kmalloc": 'python through("kmalloc")', "kfree": 'python through("kfree")'}
        with tempfile.NamedTemporaryFile("w", suffix=".gdb") as script:
            script.write(STEPS)
            script.flush()
            for strategy, locking in zip(itertools.cycle(STRATEGIES),
                                         ("percpu", "spin", "irq")):
                with self.subTest(strategy=strategy, locking=locking):
                    said = debug(f"{strategy}-{locking}", SOUND,
                                 {"steps": f"source {script.name}", "init": "heap next"} | commands)
                    for name in commands:
                        self.assertRegex(said[name], rf"^{name}\([x\w]+\): \d\d+ steps,"
                                         r" 0 missed \[\]\n")

    def test_parked_blocks_are_shown_as_such_and_whose_they_are(self):
        for strategy in STRATEGIES[:3]:
            with self.subTest(strategy):
                said = debug(f"{strategy}-percpu", SOUND, {
                    "init": "heap next", "first": "heap next",
                    "row": "heap map $heap, $heap + 0x80", "map": "heap map",
                    "blocks": "heap blocks", "holes": "heap holes", "check": "heap check",
                    "stats": "heap stats", "freed": "heap break address=$heap", "go": "continue",
                    "next": "heap next", "at": "heap at $heap"})
                parked = len(re.findall(r"(?m)^0x\w+ +[\d,]+  parked, processor 0's$",
                                        said["blocks"]))
                self.assertGreater(parked, 1)
                self.assertRegex(said["first"], r"(?m)^\+ .*  parked, and [\d,]+ more of ")
                self.assertRegex(said["row"], r"^0x\w+  #+w*p+\n")
                self.assertIn("p parked", said["row"])
                sums = numbers(r"(?:live|free|own|reusable|parked) ([\d,]+)",
                               re.split(r"(?m)^(?=live )", said["map"])[1])
                self.assertEqual(sum(sums), REGION_BYTES)
                self.assertIn(f"besides, {parked} free blocks of ", said["holes"])
                self.assertRegex(said["check"], "^sound: ")
                self.assertIn("locking    percpu\n", said["stats"])
                self.assertIn(f"parked     {parked} blocks: {parked} processor 0's\n",
                              said["stats"])
                self.assertRegex(said["next"], r"^kfree\(0x\w+\) = 0, [^\0]*\n- .*  live "
                                 r"[^\0]*\n\+ .*  parked\n")
                self.assertRegex(said["at"], r"(?:the start of|\d bytes into) a parked block of"
                                 r"[^\0]*\n  the magazine is processor 0's\n")

    def test_what_the_lock_guards_is_shown_while_it_is_held(self):
        for locking in ("spin", "percpu"):
            with self.subTest(locking):
                said = debug(f"{STRATEGIES[0]}-{locking}", SOUND, {
                    "init": "heap next", "one": "heap next 3",
                    "within": f"tbreak {STRATEGIES[0]}_alloc",
                    "to it": "continue", "held": "print 'heap.c'::lock.word",
                    "stats": "heap stats", "blocks": "heap blocks"})
                self.assertIn(" = 0\n", said["held"])
                self.assertIn("in the middle of kmalloc(", said["stats"])
                self.assertRegex(said["stats"], r"at most \d live blocks? at once; 0 misuses\n")
                self.assertNotIn("unknown", said["blocks"])


INTERRUPTED = """
python
from lab.gdb import call as calls
def within_the_heap():
    where = 0
    while not calls.is_in_heap(where):
        gdb.execute("continue", to_string=True)
        where = int(gdb.parse_and_eval("where"))
end
"""
"""Runs to a handler that has interrupted a call of the heap."""


class Interrupts(unittest.TestCase):

    def test_in_a_handler_the_commands_know_which_call_it_has_interrupted(self):
        with tempfile.NamedTemporaryFile("w", suffix=".gdb") as script:
            script.write(INTERRUPTED)
            script.flush()
            said = debug(STRATEGIES[0], ("run=hammer", "workload=own", "interval=300",
                                         "operations=500"), {
                "script": f"source {script.name}", "break": "break interrupted",
                "go": "python within_the_heap()", "backtrace": "backtrace", "map": "heap map",
                "next": "heap next"})
        self.assertRegex(said["backtrace"], r"(?m)^#0  interrupted [^\0]* in interruptCommon"
                         r" [^\0]* k(malloc|free) \([^\0]* in kernel_main ")
        (call,) = re.findall(r"^in the middle of (k.*), called by hammer_(?:take|give) ",
                             said["map"])
        self.assertIn(f"{call} = ", said["next"])


class Asked(unittest.TestCase):
    """How much was asked for, below hardening redzone."""

    def test_next_and_a_trace_that_is_replayed_tell_it(self):
        for strategy in STRATEGIES[:3]:
            with self.subTest(strategy):
                said = debug(strategy, ("run=replay", "workload=churn-kernel-50"), {
                    "init": "heap next", "three": "heap next 3", "at once": "heap blocks",
                    "within": "tbreak kmalloc", "to it": "continue", "later": "heap blocks",
                    "map": "heap map"})
                requests = numbers(r"^kmalloc\((\d+)\) = 0x", said["three"])
                self.assertEqual(len(requests), 3, said["three"])
                for name in ("at once", "later"):
                    known = [int((asked or granted).replace(",", "")) for granted, asked in
                             re.findall(r"  live +0x\w+ +([\d,]+)(?:, ([\d,]+) asked for)?$",
                                        said[name], re.MULTILINE)]
                    self.assertEqual(sorted(known), sorted(requests), name)
                live, waste = (numbers(pattern, said["map"])[0] for pattern in
                               (r"^live ([\d,]+) ", r"\(waste ([\d,]+)\)"))
                self.assertEqual(live - waste, sum(requests))

    def test_where_nobody_knows_it_nothing_is_said(self):
        said = debug(STRATEGIES[0], SOUND, {
            "init": "heap next", "one": "heap next", "asked": "heap blocks", "two": "heap next",
            "stale": "heap blocks"})
        self.assertEqual(said["asked"].count(" asked for"), 1)
        self.assertLessEqual(said["stale"].count(" asked for"), 1, "what was known is outdated")


class CriticalSteps(unittest.TestCase):

    def test_between_two_steps_of_a_call_the_commands_say_so_and_next_leads_out(self):
        step = 'gdb.execute("stepi 5", to_string=True)'
        look = 'gdb.execute("heap check", to_string=True)'
        said = debug("tlsf" if "tlsf" in STRATEGIES else STRATEGIES[-1], SOUND, {
            "go": "heap next 4", "within": "tbreak *kmalloc", "to kmalloc": "continue",
            "search": f'python next(0 for _ in range(60) if ({step}, "critical" in {look})[1])',
            "map": "heap map", "out": "heap next", "check": "heap check"})
        self.assertRegex(said["map"], r"^in the middle of kmalloc\(\d+\), called by leave_secrets"
                         r".*\nin a critical step of it \('heap next' ends it\), or damaged: I\d")
        self.assertRegex(said["out"], r"^kmalloc\(\d+\) = 0x")
        self.assertRegex(said["check"], "^sound: ")


class Failures(unittest.TestCase):

    def test_break_fail_stops_where_a_request_gets_null_and_says_why(self):
        said = debug(STRATEGIES[0], ("run=replay", "workload=fill-large"), {
            "break": "heap break fail", "go": "continue", "look": "heap holes"})
        (asked,) = numbers(r"heap: kmalloc\((\d+)\) returned NULL to \w+ ", said["go"])
        self.assertRegex(said["go"], r"heap: (exhausted|fragmented): needs [\d,]+; ")
        largest = numbers(r"the largest ([\d,]+)$", said["go"])
        self.assertEqual(largest, numbers(r"^  0x\w+ +([\d,]+)$", said["look"])[:1])
        self.assertGreater(asked, largest[0])


class Backwards(unittest.TestCase):
    """In a recorded run."""

    def test_who_names_the_function_that_has_overrun_its_block(self):
        for strategy in STRATEGIES[:3]:
            with self.subTest(strategy):
                said = debug(strategy, (*DRIVER, "--record"), {
                    "end": "continue", "who": f"heap who {VICTIM}", "where": "frame function "
                    "copy_from_card", "own": f"print frame != {VICTIM}"})
                self.assertRegex(said["who"], r"by memcpy \(arch/x86/string.c:\d+\):\n")
                self.assertRegex(said["who"], r"#1 .* in copy_from_card \(frame=.*\) at"
                                 r" kernel/careless_driver.c:\d+\n")
                self.assertIn("none of the heap's doing", said["who"])
                self.assertEqual(said["own"], "$1 = 1\n", "it wrote to a block of its own")

    def test_when_lists_the_life_of_a_block_and_comes_back(self):
        said = debug("bitmap" if "bitmap" in STRATEGIES else STRATEGIES[0],
                     (*DRIVER, "--record"), {
                         "end": "continue", "set": f"set $victim = {VICTIM}",
                         "when": "heap when $victim", "here": "frame",
                         "who": "heap who $victim", "again": "heap when $victim",
                         "one more": "heap who $victim"})
        fates = re.findall(r"(?m)^ *[\d,]+  (\w+) ", said["when"])
        self.assertEqual(fates[0], "allocated")
        self.assertEqual(fates[1:-1], ["freed", "reused"] * ((len(fates) - 2) // 2))
        self.assertEqual(fates[-1], "now")
        moments = numbers(r"^ *([\d,]+)  ", said["when"])
        self.assertEqual(moments, sorted(moments))
        self.assertIn("machine_stop", said["here"])
        self.assertEqual(re.findall(r"(?m)^ *[\d,]+  (\w+) ", said["again"]), fates)
        before, after = (numbers(r"instruction ([\d,]+)$", said[name])[0]
                         for name in ("one more", "who"))
        self.assertLess(before, after)
        self.assertEqual(numbers(r"^ *([\d,]+)  now", said["again"]), [after])

    def test_two_recordings_agree_on_every_instruction(self):
        commands = {"end": "continue", "who": f"heap who {VICTIM}"}
        self.assertEqual(*(debug(STRATEGIES[0], (*DRIVER, "--record"), commands)["who"]
                           for _ in range(2)))


class BadInput(unittest.TestCase):

    def test_without_a_kernel_each_command_says_what_is_missing(self):
        commands = [f"heap {command}" for command in (
            "map", "blocks", "at 1", "stats", "check", "holes", "leaks", "snapshot",
            "break fail", "next", "who 1", "when 1")]
        said = plain_gdb(*commands, f"file {KERNELS / f'los-{STRATEGIES[0]}.elf'}", *commands)
        self.assertEqual([line[:25] for line in said.splitlines()],
                         ["no LOS kernel is loaded ("] * len(commands)
                         + ["the kernel does not run: "] * len(commands))

    def test_wrong_arguments_get_one_clear_line(self):
        for command, due in (
                ("map 5", r"0x00000005 lies outside the heap, which is 0x\w+ to 0x\w+"),
                ("map _kernelHeap, _kernelHeapArray", r"0x\w+ does not lie behind 0x\w+"),
                ("at", "heap at needs an address"),
                ("at nothing", "'nothing' is no address: No symbol .*"),
                ("at 4294967295", r"0xffffffff lies outside the heap, .*"),
                ("blocks 1,2,3", r"0x00000001 lies outside the heap, .*"),
                ("stats now", "heap stats takes no argument: 'now'"),
                ("diff", "there is no snapshot to compare with: 'heap snapshot' takes one"),
                ("leaks", "who allocated a block is known from hardening redzone on; .*"),
                ("break", "heap break fail, heap break size>N .*"),
                ("break size>", "heap break fail, .*; not 'size>'"),
                ("break address=1", r"0x00000001 lies outside the heap, .*"),
                ("next 0", "heap next takes a number of calls: '0'"),
                ("who _kernelHeap", "this run is not a recorded one, .*--record.*"),
                ("when _kernelHeap", "this run is not a recorded one, .*--record.*"),
                ("nonsense", 'Undefined heap command: "nonsense".  Try "help heap".')):
            with self.subTest(command):
                self.assertRegex(self.said()[command], rf"^{due}\n$")

    _said: dict[str, str] = {}

    def said(self) -> dict[str, str]:
        """What one session says to all of it."""
        if not self._said:
            asked = re.findall(r'\("([^"]+)", r?["\']', pathlib.Path(__file__).read_text("utf-8")
                               .partition("def test_wrong_arguments")[2].partition("_said")[0])
            self._said.update(debug(STRATEGIES[0], SOUND,
                                    {one: f"heap {one}" for one in asked}))
        return self._said

    def test_before_there_is_a_heap_the_commands_say_so(self):
        said = plain_gdb(
            f"file {KERNELS / f'los-{STRATEGIES[0]}.elf'}",
            "target remote | exec qemu-system-i386 -nodefaults -display none -S -gdb stdio"
            f" -kernel {KERNELS / f'los-{STRATEGIES[0]}.elf'}", "heap map", "heap check")
        self.assertEqual(said.count("there is no heap yet: kinitHeap() has not been called"), 2,
                         said)

    def test_the_lab_refuses_what_it_has_not(self):
        for arguments, due in (
                (["--heap", "heapless"], "there is no heap 'heapless'; there are: bump, "),
                (["--hardening", "hard"], "there is no hardening 'hard'; there are: off, "),
                (["--kernel", "/no/kernel"], "/no/kernel: there is no such file"),
                (["--trace", "linux-boot", "run=tests"], "--trace is for run=replay"),
                (["--record", "processors=2"], "--record goes with one processor"),
                (["--trace", "/no/trace.rep"], "/no/trace.rep")):
            with self.subTest(arguments):
                done = subprocess.run(["/usr/bin/python3", "-m", "lab", "debug", *arguments],
                                      cwd=SOURCE, capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertTrue(done.stderr.startswith(f"heaplab: error: {due}"), done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1)


class Help(unittest.TestCase):

    def test_the_tab_key_offers_the_commands_and_what_to_break_on(self):
        offered = plain_gdb("complete heap ", "complete heap break s").split("\n")
        self.assertEqual([line for line in offered if "break s" in line],
                         ["heap break size<", "heap break size=", "heap break size>"])
        self.assertEqual(set(offered), {
            f"heap {name}" for name in (
                "at", "blocks", "break", "check", "diff", "holes", "leaks", "map", "next",
                "snapshot", "stats", "when", "who", "break size<", "break size=",
                "break size>")})

    def test_each_command_has_its_help_and_its_line_in_the_document(self):
        document = (SOURCE / "docs" / "debugging.md").read_text("utf-8")
        for line in plain_gdb("complete heap ").split("\n"):
            with self.subTest(line):
                self.assertIn(f"`{line}", document)
                self.assertRegex(plain_gdb(f"help {line}"), rf"\A[A-Z].*: {line}")


class Processes(unittest.TestCase):

    def test_neither_qemu_nor_gdb_outlives_an_interrupted_lab(self):
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            with self.subTest(signum):
                lab = subprocess.Popen(
                    command_of(STRATEGIES[0], *DRIVER, "--batch", "-ex", "shell sleep 60"),
                    cwd=SOURCE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
                try:
                    self.assertTrue(eventually(lambda: len(children_of(lab.pid)) == 2))
                    children = children_of(lab.pid)
                    os.kill(lab.pid, signum)
                    lab.wait(20)
                    self.assertTrue(eventually(lambda: not any(map(is_alive, children))))
                finally:
                    end(lab)


if __name__ == "__main__":
    KERNELS = pathlib.Path(sys.argv[1])
    STRATEGIES = sys.argv[2:]
    unittest.main(argv=sys.argv[:1], verbosity=2)
