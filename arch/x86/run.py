# SPDX-License-Identifier: MIT
"""Boots a kernel in QEMU on this terminal: `meson compile run`.

usage: run.py KERNEL.elf ACCEL
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from lab import qemu  # noqa: E402  (the path comes first)

if __name__ == "__main__":
    sys.exit(qemu.main(["--kernel", sys.argv[1], "--accel", sys.argv[2]]))
