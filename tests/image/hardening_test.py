# SPDX-License-Identifier: MIT
"""With hardening off nothing of it is left in the code that callers run.

usage: hardening_test.py BUILD_DIRECTORY STRATEGY [unittest arguments]

The strategy is compiled as the kernel's is, with hardening off, and once more behind a front
door that knows no hardening, bare_heap.c.
"""

import pathlib
import re
import tempfile
import unittest

import compiled
from compiled import SOURCES, compile_command, output_of

BARE = pathlib.Path(__file__).resolve().parent / "bare_heap.c"
CALLED = ("kmalloc", "kfree")
OURS = re.compile(r"guard|fence|quarantine|history|explain|misused|refuse|account_[a-rt-z]")


class Hardening(unittest.TestCase):

    def setUp(self) -> None:
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def unit(self, front: pathlib.Path, level: str) -> str:
        """Compiles the strategy behind a front door. Returns: the object's path."""
        source = self.directory / "unit.c"
        strategy = f"{compiled.STRATEGY}.c"
        source.write_text(f'#include "{SOURCES / strategy}"\n#include "{front}"\n', "utf-8")
        command = compile_command()
        command = [word for word in command[:command.index("-o")]
                   if not word.startswith("-DHARDENING")]
        built = str(self.directory / f"{front.stem}-{level}.o")
        output_of(*command, f"-DHARDENING=HARDENING_{level.upper()}",
                  '-DHARDENING_INSIDE="plain_heap.h"', "-g0", "-o", built, "-c", str(source))
        return built

    def code_bytes(self, built: str) -> dict[str, int]:
        """Returns: how long each function is, by name."""
        symbols = re.findall(r"^[0-9a-f]+ ([0-9a-f]+) [tT] (\S+)$",
                             output_of("nm", "-S", built), re.MULTILINE)
        return {name: int(length, 16) for length, name in symbols}

    def test_kmalloc_and_kfree_are_as_long_as_those_that_know_none(self) -> None:
        off = self.code_bytes(self.unit(SOURCES / "heap.c", "off"))
        bare = self.code_bytes(self.unit(BARE, "off"))
        for name in CALLED:
            with self.subTest(name):
                self.assertEqual(off[name], bare[name])

    def test_no_function_of_it_is_left_to_be_linked(self) -> None:
        called = self.called_from(self.unit(SOURCES / "heap.c", "off"))
        self.assertEqual([name for name in called if OURS.search(name)], [])

    def test_with_check_both_tests_would_notice(self) -> None:
        check = self.unit(SOURCES / "heap.c", "check")
        bare = self.code_bytes(self.unit(BARE, "off"))
        self.assertTrue(all(self.code_bytes(check)[name] > bare[name] for name in CALLED))
        self.assertTrue(any(OURS.search(name) for name in self.called_from(check)))

    def called_from(self, built: str) -> list[str]:
        """Returns: what the code of kmalloc and kfree, and of their slow halves, refers to."""
        said = ""
        for section in re.findall(r" (\.text\.(?:kmalloc|kfree|\w+_slowly)) ",
                                  output_of("objdump", "--section-headers", built)):
            said += output_of("objdump", "--disassemble", "--reloc", f"--section={section}", built)
        names = re.findall(r"R_386_\w+\s+(\S+)", said)
        self.assertTrue(names)
        return names


if __name__ == "__main__":
    compiled.main()
