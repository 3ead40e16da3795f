# SPDX-License-Identifier: MIT
"""fuzz: which fuzzers run, how they are called, and what is said of what they find.

The fuzzers are stand-ins: shell scripts that say what a fuzzer would.
"""

import asyncio
import contextlib
import io
import os
import signal
import tempfile
import unittest
from pathlib import Path
from typing import Any, Coroutine, NoReturn
from unittest import mock

from lab import ROOT, __main__ as command, build, fuzz, process
from lab.errors import InputError, Interrupted
from lab.tests.support import said, script, temporary_directory

STRATEGIES = ["bitmap", "tlsf"]
FINDS_NOTHING = """#!/bin/sh
echo "progress: 50 100"
echo "$@" > arguments
echo "done: 103 operations in 7 inputs"
"""
FINDS_A_BUG = """#!/bin/sh
echo "progress: 1 100"
echo "tlsf goes wrong on a heap of 8 + 512 bytes, after 2 calls:"
echo "==1==ERROR: AddressSanitizer: heap-buffer-overflow" >&2
echo "a line of no interest" >&2
echo "SUMMARY: AddressSanitizer: heap-buffer-overflow tlsf.c:1" >&2
: > crash-0123
exit 77
"""


class Chosen(unittest.TestCase):

    def test_without_a_name_all_strategies_and_parsers_are_fuzzed(self) -> None:
        self.assertEqual(fuzz.chosen([], STRATEGIES),
                         ["heap-bitmap", "heap-tlsf", "trace", "boot-info"])

    def test_each_name_is_fuzzed_once(self) -> None:
        self.assertEqual(fuzz.chosen(["tlsf", "trace", "tlsf"], STRATEGIES),
                         ["heap-tlsf", "trace"])

    def test_an_unknown_name_is_one_line_with_the_names_there_are(self) -> None:
        with self.assertRaisesRegex(InputError, "nothing called 'tslf' to fuzz; choose from:"
                                    " bitmap, tlsf, trace, boot-info"):
            fuzz.chosen(["tslf"], STRATEGIES)

    def test_bad_numbers_are_refused_before_anything_is_built(self) -> None:
        for words in (["--operations", "0"], ["--operations", "many"], ["--seed", "-1"],
                      ["--seed", "4294967296"], ["--jobs", "0"]):
            said = io.StringIO()
            with contextlib.redirect_stderr(said), \
                    mock.patch.object(build, "Build", side_effect=AssertionError):
                self.assertEqual(command.main(["fuzz", *words]), 2)
            self.assertEqual(len(said.getvalue().splitlines()), 1)
            self.assertIn(words[0], said.getvalue())

    def test_a_place_for_results_that_cannot_be_is_told_before_anything_is_built(self) -> None:
        with tempfile.NamedTemporaryFile() as file:
            for place, why in (
                    (file.name, f"cannot be made: {file.name} is not a directory"),
                    ("/proc/x", "cannot be made: No such file or directory")):
                with mock.patch.object(build, "strategies", lambda: STRATEGIES), \
                        mock.patch.object(build, "Build", side_effect=AssertionError):
                    self.assertEqual(said("fuzz", "tlsf", "--results", place),
                                     (2, "", f"heaplab: error: {place}: {why}\n"))

    def test_a_build_root_that_cannot_be_is_one_line(self) -> None:
        with temporary_directory() as results, \
                mock.patch.object(build, "strategies", lambda: STRATEGIES), \
                mock.patch.dict(os.environ, LAB_BUILD_ROOT="/proc/x"):
            self.assertEqual(said("fuzz", "tlsf", "--results", str(results)), (
                2, "", "heaplab: error: /proc/x: cannot be made: No such file or directory\n"))


class Runs(unittest.TestCase):

    def setUp(self) -> None:
        self.results = self.enterContext(temporary_directory())

    def run_one(self, text: str, name: str = "heap-tlsf") -> tuple[int, str]:
        program = script(self.results / f"fuzz-{name}", text)
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
            findings = fuzz.run([fuzz.Fuzzer(name, program)], 100, 5, 1, self.results)
            status = fuzz.report(findings)
        return status, said.getvalue()

    def test_what_was_done_is_said(self) -> None:
        status, said = self.run_one(FINDS_NOTHING)
        self.assertEqual(status, 0)
        self.assertRegex(said, r"^tlsf: 103 operations in 7 inputs, nothing wrong, \d+ s\n$")

    def test_a_fuzzer_gets_seed_operations_and_all_committed_inputs(self) -> None:
        for name, kind in (("heap-tlsf", "heap"), ("trace", "trace"), ("boot-info", "boot-info")):
            self.run_one(FINDS_NOTHING, name)
            words = (self.results / name.removeprefix("heap-") / "arguments").read_text().split()
            self.assertIn("-seed=5", words)
            self.assertIn("--operations=100", words)
            (inputs,) = (word.removeprefix("-seed_inputs=").split(",") for word in words
                         if word.startswith("-seed_inputs="))
            committed = [str(path) for part in ("seeds", "regressions")
                         for path in (ROOT / "tests" / "fuzz" / part / kind).glob("*")]
            self.assertEqual(sorted(inputs), sorted(committed))
            self.assertTrue(all(Path(path).is_file() for path in inputs), inputs)

    def test_a_bug_is_told_with_its_story_its_place_and_how_to_see_it_again(self) -> None:
        status, said = self.run_one(FINDS_A_BUG)
        self.assertEqual(status, 1)
        self.assertEqual(said.splitlines(), [
            "tlsf: wrong, with seed 5:",
            "    tlsf goes wrong on a heap of 8 + 512 bytes, after 2 calls:",
            "    ==1==ERROR: AddressSanitizer: heap-buffer-overflow",
            "    SUMMARY: AddressSanitizer: heap-buffer-overflow tlsf.c:1",
            f"    the whole log: {self.results}/tlsf/log.txt",
            f"    to see it again: FUZZ_TELL=1 {self.results}/fuzz-heap-tlsf"
            f" {self.results}/tlsf/crash-0123"])

    def test_a_fuzzer_that_ends_too_early_is_no_success(self) -> None:
        status, said = self.run_one("#!/bin/sh\nexit 0\n")
        self.assertEqual(status, 1)
        self.assertIn("wrong, with seed 5", said)

    def test_only_inputs_of_this_run_are_named(self) -> None:
        (self.results / "tlsf").mkdir(parents=True)
        (self.results / "tlsf" / "crash-of-before").touch()
        _, said = self.run_one(FINDS_A_BUG)
        self.assertIn("/crash-0123", said)
        self.assertNotIn("crash-of-before", said)

    def test_a_log_that_cannot_be_written_is_told(self) -> None:
        (self.results / "tlsf" / "log.txt").mkdir(parents=True)
        with self.assertRaisesRegex(InputError, "log.txt: cannot be written: it is a directory"):
            self.run_one(FINDS_A_BUG)

    def test_what_was_found_is_told_when_the_rest_is_interrupted(self) -> None:
        def interrupted(work: Coroutine[Any, Any, None]) -> NoReturn:
            asyncio.run(work)
            raise Interrupted(signal.SIGINT)

        program = fuzz.Fuzzer("trace", script(self.results / "bad", FINDS_A_BUG))
        told = io.StringIO()
        with contextlib.redirect_stdout(told), contextlib.redirect_stderr(io.StringIO()), \
                mock.patch.object(process, "wait_for", interrupted), \
                self.assertRaises(Interrupted) as caught:
            fuzz.run([program], 100, 5, 1, self.results)
        self.assertEqual(caught.exception.left,
                         f"logs, and inputs that went wrong, are in {self.results}")
        self.assertTrue(told.getvalue().startswith("trace: wrong, with seed 5:\n"))

    def test_one_that_finds_something_does_not_end_the_others(self) -> None:
        programs = [fuzz.Fuzzer("trace", script(self.results / "bad", FINDS_A_BUG)),
                    fuzz.Fuzzer("heap-tlsf", script(self.results / "good", FINDS_NOTHING))]
        with contextlib.redirect_stderr(io.StringIO()):
            findings = fuzz.run(programs, 100, 1, 1, self.results)
        self.assertEqual({one.fuzzer.name: bool(one.log) for one in findings},
                         {"trace": True, "heap-tlsf": False})


if __name__ == "__main__":
    unittest.main()
