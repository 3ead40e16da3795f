# SPDX-License-Identifier: MIT
"""`heaplab run`, at a terminal of its own."""

import os
import pty
import select
import subprocess
import sys
import time
import unittest
from unittest import mock

from lab import ROOT, run
from lab.errors import InputError

LIMIT_SECONDS = 300


class AtATerminal(unittest.TestCase):

    def setUp(self) -> None:
        self.ours, theirs = pty.openpty()
        self.addCleanup(os.close, self.ours)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lab", "run", "--heap", "tlsf", "--traces", "linux-boot",
             "--display", "none"], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        self.said = ""

    def wait_for(self, text: str) -> None:
        """Reads until `text` was said."""
        end = time.monotonic() + LIMIT_SECONDS
        while text not in self.said and time.monotonic() < end:
            if select.select([self.ours], [], [], 1)[0]:
                self.said += os.read(self.ours, 65536).decode(errors="replace")
        self.assertIn(text, self.said)

    def ask(self, line: str, answer: str) -> None:
        """Types a line, and waits for its answer."""
        self.said = ""
        os.write(self.ours, line.encode() + b"\r")
        self.wait_for(answer)

    def test_the_shell_of_the_chosen_heap_answers_knows_the_trace_and_ends(self) -> None:
        self.wait_for("los> ")
        self.assertIn("the screen is not shown; 'poweroff' or Ctrl-A X ends it", self.said)
        self.ask("heap", "tlsf, after Masmano")
        self.ask("load linux-boot", "27305 operations, at most 541549 bytes at once")
        self.ask("poweroff", "poweroff")
        self.assertEqual(self.process.wait(LIMIT_SECONDS), 0)


class Refusals(unittest.TestCase):

    def test_without_a_terminal_there_is_nobody_to_talk_with(self) -> None:
        done = subprocess.run([sys.executable, "-m", "lab", "run"], cwd=ROOT, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr, "heaplab: error: run talks with a person: its standard input"
                                      " must be a terminal\n")

    def test_without_kvm_nothing_is_built_or_booted(self) -> None:
        with mock.patch.object(sys, "stdin", mock.Mock(**{"isatty.return_value": True})), \
                mock.patch.object(run.qemu, "why_no_kvm", lambda: "/dev/kvm: No such device"), \
                mock.patch.object(run.build, "Build", side_effect=AssertionError), \
                self.assertRaises(InputError) as caught:
            run.main(["--accel", "kvm"])
        self.assertEqual(caught.exception.message, "--accel kvm: there is no usable KVM here"
                         " (/dev/kvm: No such device); leave the option away")


class Displays(unittest.TestCase):

    def test_a_window_is_opened_only_where_there_is_a_desktop(self) -> None:
        known = mock.Mock(stdout="Available display backend types:\nnone\nsdl\ncurses\n")
        with mock.patch.object(subprocess, "run", return_value=known), \
                mock.patch.dict(os.environ, clear=True):
            self.assertEqual(run.chosen_display("auto"), "")
            os.environ["DISPLAY"] = ":0"
            self.assertEqual(run.chosen_display("auto"), "sdl")
        self.assertEqual(run.chosen_display("none"), "")
        self.assertEqual(run.chosen_display("vnc=:1"), "vnc=:1")


if __name__ == "__main__":
    unittest.main()
