# SPDX-License-Identifier: MIT
"""The driver of QEMU, with a stand-in for QEMU: its verdicts, its time limit, its care."""

import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path
from unittest import mock

from lab import ROOT, qemu
from lab.errors import InputError
from lab.tests.support import (end, eventually, fake_qemu, is_alive, path_with, script,
                               temporary_directory, without_root)

LAB_QEMU = (sys.executable, "-m", "lab.qemu")


class Kvm(unittest.TestCase):

    def test_what_is_no_kvm_is_told(self) -> None:
        with temporary_directory() as directory:
            device = directory / "kvm"
            self.assertEqual(qemu.why_no_kvm(device), f"{device}: No such file or directory")
            device.touch()
            self.assertEqual(qemu.why_no_kvm(device),
                             f"{device}: Inappropriate ioctl for device")
            device.chmod(0)
            with without_root():
                self.assertEqual(qemu.why_no_kvm(device), f"{device}: Permission denied")

    def test_a_kvm_that_makes_a_machine_is_usable(self) -> None:
        machine, other = os.pipe()
        self.addCleanup(os.close, other)
        with temporary_directory() as directory, \
                mock.patch.object(qemu.fcntl, "ioctl", return_value=machine):
            (directory / "kvm").touch()
            self.assertEqual(qemu.why_no_kvm(directory / "kvm"), "")
        with self.assertRaises(OSError):
            os.close(machine)


class Driver(unittest.TestCase):

    def setUp(self) -> None:
        self.directory = self.enterContext(temporary_directory())
        self.kernel = self.directory / "los-test.elf"
        self.kernel.touch()

    def start(self, body: str, *arguments: str, path: str = "") -> subprocess.Popen[str]:
        fake_qemu(self.directory, body)
        process = subprocess.Popen(
            [*LAB_QEMU, "--kernel", str(self.kernel), *arguments], cwd=ROOT, text=True,
            env=os.environ | {"PATH": path or path_with(self.directory)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(end, process)
        return process

    def boot(self, body: str, *arguments: str, path: str = "") -> tuple[int, str, str]:
        process = self.start(body, *arguments, path=path)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def hanging(self, *arguments: str) -> tuple[subprocess.Popen[str], int, int]:
        """A started driver, its stand-in for QEMU, and a child of that."""
        pids = self.directory / "pids"
        process = self.start(f"sleep 600 & echo $$ $! > {pids}.new; mv {pids}.new {pids};"
                             " echo up; wait", *arguments)
        self.assertTrue(eventually(pids.exists))
        first, second = map(int, pids.read_text("ascii").split())
        return process, first, second

    def test_each_status_of_qemu_has_its_verdict(self) -> None:
        for status, expected in ((33, 0), (35, 1), (37, 2)):
            with self.subTest(status):
                self.assertEqual(self.boot(f"echo said; exit {status}"),
                                 (expected, "said\n", ""))

    def test_any_other_status_is_told_with_the_end_of_the_log(self) -> None:
        for status, words in ((0, "ended without a verdict: it shut down or reset"
                               " (a triple fault resets)"),
                              (1, "ended with QEMU's status 1"),
                              (34, "ended with QEMU's status 34")):
            with self.subTest(status):
                self.assertEqual(
                    self.boot(f"echo said; echo complained >&2; exit {status}"),
                    (3, "said\n", f"lab.qemu: error: los-test.elf {words};"
                     " the end of its serial log:\n    said\n    complained\n"))

    def test_a_killed_qemu_is_told(self) -> None:
        status, _, err = self.boot("kill -SEGV $$")
        self.assertEqual(status, 3)
        self.assertIn("los-test.elf was ended by a signal: Segmentation fault", err)

    def test_a_hang_is_killed_at_its_limit_and_its_last_lines_are_shown(self) -> None:
        started = time.monotonic()
        status, out, err = self.boot(
            f"for i in $(seq 30); do echo line $i; done; printf half; echo $$ >"
            f" {self.directory}/pid; exec sleep 600", "--time-limit", "3")
        self.assertLess(time.monotonic() - started, 30)
        self.assertEqual(status, 3)
        self.assertTrue(out.endswith("line 30\nhalf"))
        lines = err.splitlines()
        self.assertEqual(lines[0], "lab.qemu: error: los-test.elf did not end within its time"
                                   " limit of 3 s and was killed; the end of its serial log:")
        self.assertEqual(lines[1:], [f"    line {i}" for i in range(12, 31)] + ["    half"])
        self.assertFalse(is_alive(int((self.directory / "pid").read_text("ascii"))))

    def test_a_hang_that_closed_its_port_is_killed_as_well(self) -> None:
        status, _, err = self.boot("exec >&- 2>&-; sleep 600", "--time-limit", "3")
        self.assertEqual(status, 3)
        self.assertIn("did not end within its time limit of 3 s", err)

    def test_serial_bytes_arrive_unchanged_and_at_once(self) -> None:
        process = self.start(r"printf 'TAP version 13\r\n\377\n'; exec sleep 600")
        assert process.stdout
        self.assertEqual(os.read(process.stdout.fileno(), 100), b"TAP version 13\r\n\xff\n")
        process.kill()

    def test_a_killed_driver_leaves_no_qemu(self) -> None:
        process, first, second = self.hanging()
        process.send_signal(signal.SIGKILL)
        self.addCleanup(os.kill, second, signal.SIGKILL)
        self.assertTrue(eventually(lambda: not is_alive(first)))

    def test_a_driver_asked_to_end_takes_qemu_and_its_children_along(self) -> None:
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(signum.name):
                process, first, second = self.hanging()
                process.send_signal(signum)
                self.assertEqual(process.wait(20), 128 + signum)
                self.assertTrue(eventually(lambda: not is_alive(first) and not is_alive(second)))
                (self.directory / "pids").unlink()

    def test_a_missing_qemu_is_told(self) -> None:
        empty = self.directory / "empty"
        empty.mkdir()
        self.assertEqual(self.boot("", path=str(empty)),
                         (3, "", "lab.qemu: error: qemu-system-i386 cannot be started:"
                          " No such file or directory\n"))

    def test_a_missing_kernel_is_told(self) -> None:
        self.kernel.unlink()
        self.assertEqual(self.boot("exit 33"),
                         (3, "", f"lab.qemu: error: {self.kernel}: there is no such file\n"))

    def test_options_that_do_not_go_together_are_refused(self) -> None:
        for arguments in (["--firmware", "ovmf64"], ["--count", "--accel", "kvm"]):
            with self.subTest(arguments):
                status, _, err = self.boot("exit 33", *arguments)
                self.assertEqual(status, 2)
                self.assertIn("error: ", err)

    def test_the_command_line_reaches_the_kernel(self) -> None:
        module = self.directory / "m.rep"
        module.touch()
        _, out, _ = self.boot('for word; do echo "$word"; done; exit 33', "--count",
                              "--append", "run=replay unit=instructions",
                              "--module", str(module), "--memory", "77")
        words = out.splitlines()
        for option, value in (("-kernel", str(self.kernel)), ("-initrd", str(module)),
                              ("-append", "run=replay unit=instructions"), ("-m", "77M"),
                              ("-icount", "shift=0,sleep=off"),
                              ("-device", "isa-debug-exit,iobase=0xf4,iosize=4")):
            self.assertEqual(words[words.index(option) + 1], value)


class Images(unittest.TestCase):

    def setUp(self) -> None:
        self.directory = self.enterContext(temporary_directory())
        self.iso = self.directory / "los,1.iso"
        self.iso.touch()
        code, variables = self.directory / "CODE.fd", self.directory / "VARS.fd"
        code.touch()
        variables.write_bytes(b"variables")
        self.firmware = qemu.Firmware("qemu-system-i386", "q35", "some-package", str(code),
                                      str(variables))

    def command(self) -> list[str]:
        with mock.patch.dict(qemu.FIRMWARES, {"ovmf32": self.firmware}):
            return qemu.Machine(iso=self.iso, firmware="ovmf32").command(self.directory)

    def test_a_comma_in_a_name_is_no_option(self) -> None:
        self.assertIn(f"file={self.directory}/los,,1.iso,media=cdrom,format=raw,readonly=on",
                      self.command())

    def test_the_firmware_writes_to_a_copy_of_its_variables(self) -> None:
        self.assertIn(f"if=pflash,unit=1,format=raw,file={self.directory}/variables.fd",
                      self.command())
        self.assertEqual((self.directory / "variables.fd").read_bytes(), b"variables")

    def test_a_missing_firmware_is_told_with_its_package(self) -> None:
        Path(self.firmware.code).unlink()
        with self.assertRaises(InputError) as caught:
            self.command()
        self.assertEqual(caught.exception.message,
                         f"{self.firmware.code}: there is no such firmware;"
                         " the Debian package some-package brings it")

    def test_an_image_boots_on_the_machine_of_its_firmware(self) -> None:
        script(self.directory / "qemu-system-x86_64",
               '#!/bin/sh\ncase "$*" in *"-machine q35"*) exit 33;; esac\n')
        if not Path(qemu.FIRMWARES["ovmf64"].code).exists():
            self.skipTest("the firmware OVMF is not installed")
        done = subprocess.run([*LAB_QEMU, "--iso", str(self.iso), "--firmware", "ovmf64"],
                              cwd=ROOT, check=False,
                              env=os.environ | {"PATH": path_with(self.directory)})
        self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    unittest.main()
