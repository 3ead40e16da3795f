# SPDX-License-Identifier: MIT
"""The counter of search steps: what it costs a kernel, which is nothing, and who counts.

usage: step_test.py BUILD_DIRECTORY STRATEGY [unittest arguments]

The strategy is compiled as the kernel's is, and once more from a copy of mm/ in which no call
of heap_step() is left.
"""

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
CALL = re.compile(r"^ *heap_step\(.*\);.*\n", re.MULTILINE)
SEARCHING = {"bitmap", "next-fit", "best-fit", "worst-fit", "free-list", "boundary-tag"}


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


class Steps(unittest.TestCase):
    """mm/heap_step.h."""

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

    def without_calls(self) -> pathlib.Path:
        """Returns a copy of mm/ in which nobody calls heap_step()."""
        copy = self.directory / "mm"
        shutil.copytree(SOURCES, copy)
        for path in copy.iterdir():
            path.write_text(CALL.sub("", path.read_text("utf-8")), "utf-8")
        return copy

    def test_a_kernel_has_the_same_code_as_if_nobody_called_it(self) -> None:
        self.assertEqual(self.code(SOURCES), self.code(self.without_calls()))

    def test_every_sequential_fit_counts_where_it_is_asked_to(self) -> None:
        counts = "heap_steps" in self.code(SOURCES, "-DHEAP_COUNTS_STEPS")
        self.assertEqual(counts, STRATEGY in SEARCHING)
        self.assertNotIn("heap_steps", self.code(self.without_calls(), "-DHEAP_COUNTS_STEPS"))


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv[1]).resolve()
    STRATEGY = sys.argv[2]
    del sys.argv[1:3]
    unittest.main(verbosity=2)
