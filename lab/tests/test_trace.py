# SPDX-License-Identifier: MIT
"""The trace reader: what it accepts, and the whole message for all that it refuses."""

import gzip
import hashlib
import unittest
from pathlib import Path

from lab import trace
from lab.errors import InputError
from lab.tests.support import TRACE_TEXT, temporary_directory, without_root

HEADER = "1000\n2\n4\n1\n"

# What is wrong, the file's text, and the message after the file's name.
REFUSED = {
    "empty file": ("", ": the trace is empty"),
    "blank file": (" \n\n", ": the trace is empty"),
    "header not a number": ("1000\ntwo\n4\n1\n",
                            ":2: the header's number of ids 'two' is not a number"),
    "header of two numbers": ("1000 2\n2\n4\n1\n",
                              ":1: the header's suggested heap bytes is not one number"),
    "blank header line": ("1000\n\n4\n1\na 0 1\n",
                          ":2: the header's number of ids is not one number"),
    "header cut short": ("1000\n2\n", ":3: the header ends before its number of operations"),
    "header over 32 bits": ("4294967296\n2\n4\n1\n",
                            ":1: the header's suggested heap bytes 4294967296"
                            " does not fit in 32 bits"),
    "no operation": ("0\n0\n0\n1\n", ":3: the trace has no operation"),
    "unknown operation": (HEADER + "a 0 64\nx 1\n", ":6: unknown operation 'x 1'"),
    "blank line between": (HEADER + "a 0 64\n\nf 0\n", ":6: unknown operation ''"),
    "id missing": (HEADER + "f\n", ":5: 'f' takes an id"),
    "size missing": (HEADER + "a 0\n", ":5: 'a' takes an id and a size"),
    "too many fields": (HEADER + "a 0 1 2\n", ":5: 'a' takes an id and a size"),
    "id not a number": (HEADER + "a x 64\n", ":5: id 'x' is not a number"),
    "id too high": (HEADER + "a 0 64\na 2 64\n",
                    ":6: id 2 is not below the header's number of ids, 2"),
    "allocated twice": (HEADER + "a 0 64\na 0 32\n",
                        ":6: id 0 is allocated while it is live (since line 5)"),
    "freed, never allocated": (HEADER + "f 0\n", ":5: id 0 is freed but was never allocated"),
    "freed twice": (HEADER + "a 0 64\nf 0\nf 0\n",
                    ":7: id 0 is freed after it was freed (in line 6)"),
    "resized, never allocated": (HEADER + "r 1 8\n",
                                 ":5: id 1 is resized but was never allocated"),
    "resized after free": (HEADER + "a 0 64\nf 0\nr 0 8\n",
                           ":7: id 0 is resized after it was freed (in line 6)"),
    "size not a number": (HEADER + "a 0 big\n", ":5: size 'big' is not a number"),
    "size negative": (HEADER + "a 0 -1\n", ":5: size '-1' is not a number"),
    "size with other digits": (HEADER + "a 0 0x10\n", ":5: size '0x10' is not a number"),
    "size over 32 bits": (HEADER + "a 0 4294967296\n",
                          ":5: size 4294967296 does not fit in 32 bits"),
    "size far over": (HEADER + f"a 0 {'9' * 30}\n",
                      f":5: size {'9' * 30} does not fit in 32 bits"),
    "fewer operations": (HEADER + "a 0 64\na 1 64\nf 0\n",
                         ":3: the header says 4 operations, the trace has 3"),
    "more operations": (HEADER.replace("4", "1") + "a 0 64\na 1 64\n",
                        ":3: the header says 1 operation, the trace has 2"),
    "fewer ids": ("1000\n3\n2\n1\na 0 64\na 1 64\n",
                  ":2: the header says 3 ids, the trace uses 2"),
}


class TraceReader(unittest.TestCase):

    def setUp(self) -> None:
        self.directory = self.enterContext(temporary_directory())

    def file(self, content: bytes, name: str = "t.rep") -> Path:
        path = self.directory / name
        path.write_bytes(content)
        return path

    def message(self, path: Path) -> str:
        with self.assertRaises(InputError) as caught:
            trace.read(path)
        self.assertEqual(caught.exception.status, 2)
        return caught.exception.message

    def test_every_bad_trace_is_named_with_its_line(self) -> None:
        for what, (text, expected) in REFUSED.items():
            with self.subTest(what):
                path = self.file(text.encode())
                self.assertEqual(self.message(path), f"{path}{expected}")

    def test_every_bad_trace_is_refused_gzipped_as_well(self) -> None:
        for what, (text, expected) in REFUSED.items():
            with self.subTest(what):
                path = self.file(gzip.compress(text.encode()), "t.rep.gz")
                self.assertEqual(self.message(path), f"{path}{expected}")

    def test_a_missing_trace_is_told_with_the_shipped_names(self) -> None:
        path = self.directory / "none.rep"
        self.assertEqual(self.message(path),
                         f"{path}: there is no such trace; shipped are: linux-boot,"
                         " linux-fork-exec, linux-fs, user-perl, user-sqlite")

    def test_a_directory_is_no_trace(self) -> None:
        self.assertEqual(self.message(self.directory),
                         f"{self.directory}: the trace cannot be read: Is a directory")

    def test_a_forbidden_file_is_told(self) -> None:
        path = self.file(b"")
        path.chmod(0)
        self.directory.chmod(0o755)
        with without_root():
            self.assertEqual(self.message(path),
                             f"{path}: the trace cannot be read: Permission denied")

    def test_what_cannot_be_looked_at_is_told(self) -> None:
        self.directory.chmod(0o700)
        path = self.file(TRACE_TEXT.encode())
        long = Path("a" * 5000)
        with without_root():
            for place, why in ((path, "Permission denied"), (long, "File name too long")):
                with self.assertRaises(InputError) as caught:
                    trace.read(trace.find(str(place)))
                self.assertEqual(caught.exception.message,
                                 f"{place}: the trace cannot be read: {why}")

    def test_a_truncated_gzip_file_is_told_wherever_it_is_cut(self) -> None:
        whole = gzip.compress(TRACE_TEXT.encode() * 50)
        for length in range(2, len(whole), 7):
            with self.subTest(length=length):
                path = self.file(whole[:length], "t.rep.gz")
                self.assertEqual(self.message(path), f"{path}: the gzip file is truncated")

    def test_a_damaged_gzip_file_is_told(self) -> None:
        whole = bytearray(gzip.compress(TRACE_TEXT.encode()))
        whole[-6] ^= 0xff
        path = self.file(bytes(whole), "t.rep.gz")
        self.assertRegex(self.message(path),
                         rf"^{path}: the gzip file is damaged: CRC check failed")

    def test_a_binary_file_is_no_trace(self) -> None:
        path = self.file(b"1000\n\xff\xfe\n")
        self.assertEqual(self.message(path),
                         f"{path}:2: this is not a .rep trace: it is not plain text")

    def test_control_characters_are_no_blanks(self) -> None:
        for character in "\0\v\f\x1c\x1f":
            with self.subTest(repr(character)):
                path = self.file(f"1\n1\n1\n1\na 0 8{character}\n".encode())
                self.assertEqual(self.message(path),
                                 f"{path}:5: size {f'8{character}'!r} is not a number")

    def test_a_good_trace_is_read(self) -> None:
        one = trace.read(self.file(TRACE_TEXT.encode()))
        self.assertEqual((one.name, one.ids, one.operations, one.peak_requested_bytes),
                         ("t", 2, 4, 200))
        self.assertEqual(one.sha256, hashlib.sha256(TRACE_TEXT.encode()).hexdigest())
        self.assertEqual(one.text, TRACE_TEXT.encode())

    def test_the_largest_numbers_are_read(self) -> None:
        text = "4294967295\n1\n2\n1\na 0 4294967295\nr 0 0\n"
        self.assertEqual(trace.read(self.file(text.encode())).peak_requested_bytes, 0xFFFFFFFF)

    def test_an_id_may_come_back_after_its_free(self) -> None:
        text = "1\n1\n3\n1\na 0 8\nf 0\na 0 9\n"
        self.assertEqual(trace.read(self.file(text.encode())).peak_requested_bytes, 9)

    def test_the_kernel_gets_one_plain_form(self) -> None:
        odd = TRACE_TEXT.replace("\n", " \r\n").replace("a 0 64", "a\t00  064") + "\n\n"
        self.assertEqual(trace.read(self.file(odd.encode())).text, TRACE_TEXT.encode())

    def test_gzip_is_known_by_its_content_and_hashed_unpacked(self) -> None:
        packed = trace.read(self.file(gzip.compress(TRACE_TEXT.encode()), "t.rep.gz"))
        misnamed = trace.read(self.file(gzip.compress(TRACE_TEXT.encode()), "u.rep"))
        plain = trace.read(self.file(TRACE_TEXT.encode(), "v.rep"))
        self.assertEqual({packed.sha256, misnamed.sha256, plain.sha256}, {plain.sha256})
        self.assertEqual(packed.name, "t")

    def test_the_peak_of_a_beginning_is_its_own(self) -> None:
        one = trace.read(self.file(TRACE_TEXT.encode()))
        self.assertEqual([trace.peak_requested_bytes(one, count) for count in (1, 2, 3, 4, 9)],
                         [64, 164, 164, 200, 200])


class ShippedTraces(unittest.TestCase):

    def test_shipped_traces_are_what_their_readme_says(self) -> None:
        text = (trace.SHIPPED_DIRECTORY / "README.md").read_text("utf-8")
        for one in trace.read_all(trace.shipped()):
            with self.subTest(one.name):
                self.assertIn(f"| {one.operations:,} | {one.peak_requested_bytes:,} |", text)
                self.assertIn(f"| `{one.name}` | `{one.sha256}` |", text)

    def test_a_bare_name_means_a_shipped_trace(self) -> None:
        self.assertEqual(trace.find("linux-boot"),
                         trace.SHIPPED_DIRECTORY / "linux-boot.rep.gz")
        self.assertEqual(trace.find("no/linux-boot"), Path("no/linux-boot"))

    def test_a_trace_named_twice_is_read_once(self) -> None:
        path = str(trace.SHIPPED_DIRECTORY / "linux-boot.rep.gz")
        self.assertEqual([one.name for one in trace.read_all(["linux-boot", path])],
                         ["linux-boot"])

    def test_different_traces_of_one_name_are_told_apart(self) -> None:
        with temporary_directory() as directory:
            for folder in ("a", "b"):
                (directory / folder).mkdir()
                (directory / folder / "t.rep").write_text(TRACE_TEXT, "ascii")
            paths = [str(directory / folder / "t.rep") for folder in ("a", "b")]
            self.assertEqual([one.name for one in trace.read_all(paths)], paths)


if __name__ == "__main__":
    unittest.main()
