# SPDX-License-Identifier: MIT
"""The shell, as a person uses it: over the serial line, and with keyboard and text screen.

usage: shell_test.py KERNEL HEAP [unittest arguments]
"""

import os
import pathlib
import re
import select
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE))

from lab import qemu  # noqa: E402  (the path comes first)

KERNEL = pathlib.Path()
HEAP = ""
PROMPT = b"los> "
LIMIT_SECONDS = 60
TEXT_SCREEN, COLUMNS, ROWS = 0xB8000, 80, 25
KEYS = {" ": "spc", "-": "minus", "\n": "ret", "0": "0"}

TRACE = """65536
4
6
1
a 0 100
a 1 5000
r 0 300
f 1
a 2 2000000
f 0
"""


def leave_out(words: list[str], option: str, value: str = "") -> None:
    """Takes an option, the one whose value begins like this, out of a command line."""
    at = next(i for i, word in enumerate(words)
              if word == option and words[i + 1].startswith(value))
    del words[at:at + 2]


class Shell:
    """A shell on a serial line."""

    def __init__(self, test: unittest.TestCase, trace: str = "",
                 without: tuple[str, str] | None = None,
                 kernel: pathlib.Path | None = None, cpu: str = "") -> None:
        directory = pathlib.Path(test.enterContext(tempfile.TemporaryDirectory()))
        module = None
        if trace:
            module = directory / "mine.rep"
            module.write_text(trace)
        words = qemu.Machine(kernel=kernel or KERNEL, append="run=shell", module=module,
                             cpu=cpu).command(directory)
        if without:
            leave_out(words, *without)
        self.machine = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *words],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        test.addCleanup(self.machine.communicate)
        test.addCleanup(self.machine.kill)
        self.said = ""
        self.wait()

    def wait(self) -> str:
        """Waits for the prompt; returns what was said before it."""
        said = b""
        end = time.monotonic() + LIMIT_SECONDS
        while not said.endswith(PROMPT):
            ready, _, _ = select.select([self.machine.stdout], [], [], end - time.monotonic())
            chunk = os.read(self.machine.stdout.fileno(), 65536) if ready else b""
            if not chunk:
                raise AssertionError(f"no prompt comes; so far: {said!r}")
            said += chunk
        return said[:-len(PROMPT)].decode()

    def type(self, keys: str) -> None:
        """Sends keys as they are."""
        self.machine.stdin.write(keys.encode())
        self.machine.stdin.flush()

    def ask(self, line: str) -> str:
        """Types a line; returns the answer, without the echo."""
        self.type(line + "\r")
        return self.wait().partition("\n")[2]


class OnTheSerialLine(unittest.TestCase):

    def test_blocks_come_and_go_by_number_and_by_address(self):
        shell = Shell(self)
        self.assertRegex(shell.ask("alloc 200"), r"^1: 200 bytes at 0x[0-9a-f]{8}, \d+ usable\n$")
        aligned = re.fullmatch(r"2: 4096 bytes at (0x[0-9a-f]{5}000), \d+ usable\n",
                               shell.ask("alloc 4k 0x1000"))
        self.assertTrue(aligned)
        self.assertRegex(shell.ask("realloc 1 300"), r"^1: 300 bytes at 0x")
        self.assertRegex(shell.ask("blocks"), r"^1: 300 bytes .*\n2: 4096 bytes .*\n$")
        self.assertEqual(shell.ask(f"free {aligned[1]}"), "0: freed\n")
        self.assertEqual(shell.ask("free 2"), "there is no block 2; 'blocks' lists them\n")
        self.assertEqual(shell.ask("free 1"), "0: freed\n")
        self.assertEqual(shell.ask("blocks"), "none; 'alloc' and 'fill' take some\n")
        self.assertEqual(shell.ask("alloc 0"), "NULL\n")
        self.assertEqual(shell.ask("free 0x0"), "0: freed\n")

    def test_keys_are_read_without_an_apic(self):
        shell = Shell(self, cpu="qemu32,-apic")
        time.sleep(0.5)  # by now it waits
        self.assertRegex(shell.ask("alloc 200"), "^1: 200 bytes")

    def test_a_wrong_address_is_refused_and_explained(self):
        said = Shell(self).ask("free 0x12345")
        self.assertRegex(said, r"(?s)^misuse: kfree of a foreign address: 0x00012345 lies outside"
                               r" the heap.*-1: refused\n$")

    def test_leaks_says_so_where_nobody_knows_who_took_a_block(self):
        shell = Shell(self)
        level = re.search(r"; hardening (\w+); locking \w+\n", shell.ask("heap"))[1]
        self.assertEqual(shell.ask("leaks"), "no block is live\n" if level in ("redzone", "full")
                         else "who took a block is known from hardening redzone on; this is"
                              f" {level}\n")

    def test_a_heap_that_is_full_says_so_and_a_drained_one_is_whole(self):
        shell = Shell(self)
        self.assertRegex(shell.ask("fill 100"), r"^\d+ blocks of \d+ bytes in all; then"
                                                r" NULL: needs 100; \d+ free in \d+ holes,")
        self.assertRegex(shell.ask("stats"), r"(?m)^failed    0 too large, 1 exhausted")
        self.assertIn("#" * 64, shell.ask("map"))
        self.assertRegex(shell.ask("drain random"), r"^\d{4,} blocks freed\n$")
        self.assertEqual(shell.ask("check"), "the heap is whole\n")
        self.assertRegex(shell.ask("stats"), r"^live      0 blocks")
        rows = shell.ask("map").splitlines()
        self.assertEqual(len(rows), 17)
        self.assertRegex(rows[8], r"^0x[0-9a-f]{8} \.{64}$")

    def test_numbers_begin_anew_when_all_is_drained(self):
        shell = Shell(self)
        for order in ("forward", "backward", "random"):
            with self.subTest(order):
                for number in (1, 2, 3):
                    self.assertRegex(shell.ask("alloc 16"), f"^{number}: ")
                self.assertEqual(shell.ask(f"drain {order}"), "3 blocks freed\n")

    def test_fill_ends_where_the_numbers_do(self):
        kernel = KERNEL.with_name("los-bump.elf")  # whose blocks may be smaller than a number's
        if not kernel.exists():
            self.skipTest("there is no kernel with bump")
        shell = Shell(self, kernel=kernel)
        said = re.fullmatch(r"(\d+) blocks of \1 bytes in all; then no number is left, of \1\n",
                            shell.ask("fill 1"))
        self.assertTrue(said)
        self.assertEqual(shell.ask("alloc 1"),
                         f"alloc: all {said[1]} numbers are in use; free some\n")

    def test_a_trace_is_played_step_by_step_and_to_its_end(self):
        shell = Shell(self, TRACE)
        self.assertRegex(shell.ask("load"), r"^  1 .*\nand workloads by name")
        self.assertEqual(shell.ask("step"),
                         "no trace is loaded; 'load' alone says which there are\n")
        self.assertRegex(shell.ask("load 1"), "^6 operations, at most 2000300 bytes at once")
        self.assertRegex(shell.ask("step"),
                         r"^0: kmalloc of id 0, 100 bytes at 0x[0-9a-f]{8}, \d+ ticks\n$")
        self.assertRegex(shell.ask("step 2"), r"^1: kmalloc of id 1, 5000 .*\n2: krealloc of id 0,")
        self.assertRegex(shell.ask("step"), r"^3: kfree of id 1, \d+ ticks\n$")
        self.assertRegex(shell.ask("step"), r"^NULL: needs 2000000; \d+ free in \d+ holes")
        self.assertEqual(shell.ask("replay"), "operations 5 to 6 of 6 played; 0 failures; 0 bytes"
                                              " requested\n")
        for line in ("step", "replay"):
            self.assertEqual(shell.ask(line), "the trace is at its end; 'load' begins it again\n")

    def test_a_workload_is_played_with_the_seed_that_was_chosen(self):
        shell = Shell(self)
        self.assertEqual(shell.ask("seed 7"), "the seed is 7\n")
        seven = shell.ask("load churn-small-50")
        shell.ask("seed 8")
        self.assertNotEqual(shell.ask("load churn-small-50"), seven)
        self.assertRegex(shell.ask("replay 1000"), "^operations 0 to 1000 of")
        self.assertRegex(shell.ask("drain"), r"^\d{3,} blocks freed\n$")
        self.assertIn("there is none of that name; there are: churn-", shell.ask("load churning"))
        self.assertIn("there is none of that name", shell.ask("load 2"))

    def test_a_key_stops_a_replay(self):
        shell = Shell(self)
        shell.ask("load churn-kernel-50")
        self.assertEqual(shell.ask("speed 100"), "100 operations a second; any key stops it\n")
        shell.type("replay\r")
        time.sleep(1)
        shell.type("x")
        played = re.search(r"operations 0 to (\d+) of", shell.wait())
        self.assertTrue(played)
        self.assertLess(int(played[1]), 30_000)

    def test_a_sin_is_committed_and_the_heap_begins_anew(self):
        shell = Shell(self)
        self.assertRegex(shell.ask("misuse"), r"(?m)^  free-twice +frees a block twice in a row$")
        self.assertRegex(shell.ask("misuse free-twice"),
                         r"(?s)sin: free-twice at-once: kfree of .*\nthe heap begins anew\n$")
        self.assertEqual(shell.ask("misuse free-thrice"),
                         "there is no such sin; 'misuse' alone lists them\n")

    def test_a_wrong_command_is_told_what_was_meant(self):
        shell = Shell(self)
        for typed, meant in {"aloc 3": "alloc", "fre": "free", "statistics": None, "chekc": "check",
                             "realoc": "realloc", "xyzzy": None, "power": "poweroff"}.items():
            with self.subTest(typed):
                word = typed.split()[0]
                advice = f"; did you mean '{meant}'?" if meant else "; 'help' lists them"
                self.assertEqual(shell.ask(typed), f"there is no command '{word}'{advice}\n")
        for typed, call in {"alloc many": "alloc BYTES [ALIGN]", "check twice": "check",
                            "drain sideways": "drain [ORDER]"}.items():
            with self.subTest(typed):
                help_line = shell.ask(f"help {typed.split()[0]}").strip()
                self.assertEqual(shell.ask(typed), f"usage: {call}: "
                                 f"{help_line.removeprefix(call).strip()}\n")
        self.assertEqual(shell.ask(""), "")

    def test_lines_can_be_edited_and_called_back(self):
        shell = Shell(self)
        shell.type("hezp\x1b[D\x1b[D\x1b[3~a\x1b[F\r")
        self.assertRegex(shell.wait(), rf"\n{HEAP}, after ")
        shell.type("\x1b[A\r")
        self.assertRegex(shell.wait(), rf"\n{HEAP}, after ")
        shell.type("hea\t\r")
        self.assertRegex(shell.wait(), rf"\n{HEAP}, after ")
        shell.type("abc\x03")
        self.assertTrue(shell.wait().endswith("abc^C\n"))

    def test_help_has_a_line_for_each_command(self):
        shell = Shell(self)
        lines = shell.ask("help").splitlines()
        for name in ("alloc", "free", "realloc", "map", "stats", "check", "replay", "step", "fill",
                     "drain", "seed", "misuse", "heap", "help", "reboot", "poweroff"):
            self.assertEqual(len([line for line in lines if line.split()[0] == name]), 1, name)
            self.assertTrue(shell.ask(f"help {name}").strip() in map(str.strip, lines))
        self.assertLessEqual(max(map(len, lines)), COLUMNS)

    def test_poweroff_ends_the_machine(self):
        shell = Shell(self)
        shell.type("poweroff\r")
        self.assertEqual(shell.machine.wait(LIMIT_SECONDS), qemu.STATUS_DONE)

    def test_poweroff_switches_a_machine_off_that_is_not_qemus_own(self):
        shell = Shell(self, without=("-device", "isa-debug-exit"))
        shell.type("poweroff\r")
        self.assertEqual(shell.machine.wait(LIMIT_SECONDS), 0)

    def test_reboot_resets_the_machine(self):
        shell = Shell(self)
        shell.type("reboot\r")
        self.assertEqual(shell.machine.wait(LIMIT_SECONDS), 0)  # QEMU's -no-reboot ends it


class OnTheScreen(unittest.TestCase):
    """Without a serial line: what a PC has."""

    def setUp(self) -> None:
        words = qemu.Machine(kernel=KERNEL, append="run=shell").command(pathlib.Path())
        leave_out(words, "-serial")
        leave_out(words, "-chardev")
        self.machine = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *words, "-serial", "none", "-monitor", "stdio"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        self.addCleanup(self.machine.communicate)
        self.addCleanup(self.machine.kill)
        self.wait_for(r"los> *$")

    def command(self, line: str) -> None:
        """Gives QEMU's monitor a command."""
        self.machine.stdin.write(line.encode() + b"\n")
        self.machine.stdin.flush()

    def press(self, keys: str) -> None:
        """Presses the keys of a text, one after the other."""
        for key in keys:
            name = f"shift-{key.lower()}" if key.isupper() else KEYS.get(key, key)
            self.command(f"sendkey {name} 20")
            time.sleep(0.06)

    def screen(self) -> str:
        """What is on the screen, a line for each row."""
        with tempfile.NamedTemporaryFile() as file:
            self.command(f'pmemsave {TEXT_SCREEN} {2 * COLUMNS * ROWS} "{file.name}"')
            time.sleep(0.2)
            text = pathlib.Path(file.name).read_bytes()[::2].decode("cp437")
        return "\n".join(text[i:i + COLUMNS].rstrip() for i in range(0, len(text), COLUMNS))

    def wait_for(self, pattern: str) -> None:
        end = time.monotonic() + LIMIT_SECONDS
        while not re.search(pattern, shown := self.screen(), re.MULTILINE):
            if time.monotonic() > end:
                raise AssertionError(f"{pattern} does not come; the screen:\n{shown}")

    def test_what_is_typed_on_the_keyboard_is_carried_out(self):
        self.press("alloc 200\n")
        self.wait_for(r"^los> alloc 200\n1: 200 bytes at 0x[0-9a-f]{8}, \d+ usable\nlos>$")
        self.press("Free")
        for name in ("home", "delete", "f", "end", "spc", "2", "backspace", "1", "ret"):
            self.command(f"sendkey {name} 20")
            time.sleep(0.06)
        self.wait_for(r"^los> free 1\n0: freed\nlos>$")
        self.command("sendkey up 20")
        time.sleep(0.06)
        self.command("sendkey ctrl-u 20")
        self.press("map\n")
        self.wait_for(r"^0x[0-9a-f]{8} \.{64}$")


if __name__ == "__main__":
    KERNEL = pathlib.Path(sys.argv[1])
    HEAP = sys.argv[2]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
