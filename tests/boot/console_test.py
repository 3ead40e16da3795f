# SPDX-License-Identifier: MIT
"""What becomes of the kernel's words where the serial port is missing, or nobody reads it.

usage: console_test.py KERNEL
"""

import fcntl
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE))

from lab import qemu  # noqa: E402  (the path comes first)

KERNEL = pathlib.Path()
TEXT_SCREEN, COLUMNS, ROWS = 0xB8000, 80, 25
PIPE_BYTES = 4096
LIMIT_SECONDS = 60


def command(append: str) -> list[str]:
    """Returns QEMU's command line for the kernel under test."""
    return qemu.Machine(kernel=KERNEL, append=append).command(pathlib.Path())


def without(words: list[str], option: str, value: str) -> list[str]:
    """Returns a command line without one option, whose value begins like this."""
    at = next(i for i, word in enumerate(words)
              if word == option and words[i + 1].startswith(value))
    return words[:at] + words[at + 2:]


class Console(unittest.TestCase):

    def start(self, words: list[str], **pipes: int) -> subprocess.Popen:
        machine = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *words], **pipes)
        self.addCleanup(machine.communicate)
        self.addCleanup(machine.kill)
        return machine

    def test_a_serial_port_that_nobody_reads_holds_nothing_up(self):
        machine = self.start(command("run=replay workload=churn-kernel"),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        fcntl.fcntl(machine.stdout, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self.assertEqual(machine.wait(LIMIT_SECONDS), qemu.STATUS_DONE)
        self.assertEqual(len(machine.stdout.read()), PIPE_BYTES)

    def test_without_a_serial_port_the_screen_tells_it_all(self):
        words = without(command("run=tests"), "-chardev", "stdio")
        words = without(without(words, "-serial", ""), "-device", "isa-debug-exit")
        machine = self.start([*words, "-serial", "none", "-monitor", "stdio"],
                             stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        end = time.monotonic() + LIMIT_SECONDS
        while "# 0 of " not in (shown := self.screen_of(machine)) and time.monotonic() < end:
            time.sleep(0.1)
        self.assertRegex(shown, r"ok \d+ - \w+ *\n# 0 of \d+ failed *\n")

    def screen_of(self, machine: subprocess.Popen) -> str:
        """Returns what is on the text screen now, a line for each of its rows."""
        with tempfile.NamedTemporaryFile() as file:
            machine.stdin.write(f'pmemsave {TEXT_SCREEN} {2 * COLUMNS * ROWS} "{file.name}"\n'
                                .encode())
            machine.stdin.flush()
            time.sleep(0.2)
            text = pathlib.Path(file.name).read_bytes()[::2].decode("cp437")
        return "\n".join(text[i:i + COLUMNS] for i in range(0, len(text), COLUMNS))


if __name__ == "__main__":
    KERNEL = pathlib.Path(sys.argv[1])
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]], verbosity=2)
