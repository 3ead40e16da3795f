# SPDX-License-Identifier: MIT
"""A strategy and its front door, compiled as the kernel's are, or as they would be otherwise."""

import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD = pathlib.Path()
STRATEGY = ""

SOURCES = pathlib.Path(__file__).resolve().parents[2] / "mm"


def main() -> None:
    """Runs the tests of the calling script: BUILD_DIRECTORY STRATEGY [unittest arguments]."""
    global BUILD, STRATEGY
    BUILD = pathlib.Path(sys.argv[1]).resolve()
    STRATEGY = sys.argv[2]
    del sys.argv[1:3]
    unittest.main(verbosity=2)


def output_of(*command: str) -> str:
    """Returns what a command prints; raises if it fails."""
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=BUILD).stdout


def compile_command() -> list[str]:
    """Returns the compiler call that makes the kernel's copy of the strategy."""
    define = f"-DHEAP_STRATEGY=heap_{STRATEGY.replace('-', '_')}"
    for line in output_of("ninja", "-t", "commands", f"arch/x86/los-{STRATEGY}.elf").splitlines():
        if define in line.split():
            return shlex.split(line)
    raise AssertionError(f"no command with {define}")


class Compiled(unittest.TestCase):
    """Tests that compare code with code."""

    def setUp(self) -> None:
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.command = compile_command()

    def code(self, sources: pathlib.Path, *flags: str) -> str:
        """Returns the strategy's instructions, relocations and constants."""
        unit = self.directory / "unit.c"
        unit.write_text("".join(f'#include "{sources / name}"\n'
                                for name in (f"{STRATEGY}.c", "heap.c")), "utf-8")
        built = self.directory / "unit.o"
        command = [f"-I{sources}" if (BUILD / word[2:]).resolve() == SOURCES else word
                   for word in self.command[:self.command.index("-o")]]
        output_of(*command, "-g0", *flags, "-o", str(built), "-c", str(unit))
        return output_of("objdump", "--disassemble", "--reloc", "--full-contents", str(built))

    def edited(self, *edits: tuple[str, str]) -> pathlib.Path:
        """Returns a copy of mm/ in which every match of a pattern was replaced."""
        copy = self.directory / "mm"
        shutil.copytree(SOURCES, copy, dirs_exist_ok=True)
        for path in copy.iterdir():
            text = path.read_text("utf-8")
            for pattern, replacement in edits:
                text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
            path.write_text(text, "utf-8")
        return copy
