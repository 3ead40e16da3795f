# SPDX-License-Identifier: MIT
"""Boots the image as its user does: through GRUB, on BIOS and on UEFI.

usage: iso_test.py BUILD_DIRECTORY HEAP [unittest arguments]
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE))

from lab import qemu  # noqa: E402  (the path comes first)

BUILD = pathlib.Path()
HEAP = ""


def boot(iso: pathlib.Path, firmware: str) -> tuple[int, str]:
    """Boots an image; returns its status and what it said."""
    done = subprocess.run([sys.executable, "-m", "lab.qemu", "--iso", iso, "--firmware", firmware,
                           "--time-limit", "120"], capture_output=True, text=True, errors="replace",
                          env=dict(os.environ, PYTHONPATH=str(SOURCE)))
    return done.returncode, done.stdout + done.stderr


class TheImage(unittest.TestCase):

    def assert_starts_the_default(self, firmware: str):
        status, said = boot(BUILD / "arch" / "x86" / "los.iso", firmware)
        self.assertEqual(status, 0, said)
        self.assertRegex(said, rf"# LOS, loaded by GRUB [0-9.]+.*: heap {HEAP},")
        (planned,) = re.findall(r"^1\.\.(\d+)$", said, re.MULTILINE)
        self.assertEqual(len(re.findall(r"^ok ", said, re.MULTILINE)), int(planned), said)

    def test_starts_the_default_by_itself_on_bios(self):
        self.assert_starts_the_default("bios")

    def test_starts_the_default_by_itself_on_64_bit_uefi(self):
        self.assert_starts_the_default("ovmf64")

    def test_starts_the_default_by_itself_on_32_bit_uefi(self):
        firmware = pathlib.Path(qemu.FIRMWARES["ovmf32"].code)
        if not firmware.is_file():
            self.skipTest(f"{firmware} is missing; the Debian package ovmf-ia32 brings it, and"
                          " not every release has that")
        self.assert_starts_the_default("ovmf32")

    def test_replays_a_packed_trace_from_its_menu(self):
        # The same image with another default entry: what choosing it in the menu does.
        with tempfile.TemporaryDirectory() as directory:
            iso = pathlib.Path(directory) / "replay.iso"
            subprocess.run(
                [sys.executable, SOURCE / "arch" / "x86" / "image.py", "--output", iso,
                 "--default", f"{HEAP}-linux-boot", "--timeout", "0",
                 "--traces", SOURCE / "traces" / "linux-boot.rep.gz",
                 "--", BUILD / "arch" / "x86" / f"los-{HEAP}.elf"], check=True)
            status, said = boot(iso, "bios")
        self.assertEqual(status, 0, said)
        self.assertIn("\nresult: {", said)
        self.assertIn(f"{HEAP}: 27305 operations, ", said)


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv[1])
    HEAP = sys.argv[2]
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
