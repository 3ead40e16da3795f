# SPDX-License-Identifier: MIT
"""compare: what it refuses, how it judges its jobs, and, with real kernels, what it answers.

The real kernels are built in LAB_BUILD_ROOT, or in build/lab.
"""

import contextlib
import csv
import importlib.util
import io
import json
import os
import re
import signal
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any, Iterator, Optional
from unittest import mock

from lab import ROOT, __main__ as command, build, cachegrind, compare, process, replay, results
from lab.compare import Measurement, Request
from lab.errors import LabError, RunError
from lab.outputs import Outputs
from lab.schedule import Plan, carry_out
from lab.tests.support import (TRACE_TEXT, children_of, document, empty_directory, end, eventually,
                               fake_qemu, is_alive, path_with, programs_missing, raw_record,
                               schema_complaints, script, temporary_directory, trace)

STRATEGIES = ["bitmap", "next-fit", "best-fit"]
PEERS = ["dlmalloc", "emmalloc"]


skipped_where_emulated = unittest.skipIf(process.emulates_32_bit(), "times of an emulator's")


@contextlib.contextmanager
def in_directory(directory: Path) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(before)


class Peers(unittest.TestCase):
    """Which heaps are compared, by what was asked for."""

    def chosen(self, text: Optional[str], with_peers: bool) -> list[str]:
        return compare.chosen_heaps(text, STRATEGIES, PEERS, with_peers)

    def test_without_being_asked_for_they_are_left_out(self) -> None:
        self.assertEqual(self.chosen(None, False), STRATEGIES)

    def test_asked_for_they_stand_behind_the_strategies(self) -> None:
        self.assertEqual(self.chosen(None, True), STRATEGIES + PEERS)
        self.assertEqual(self.chosen("best-fit", True), ["best-fit", *PEERS])

    def test_one_can_be_named_among_the_strategies(self) -> None:
        self.assertEqual(self.chosen("emmalloc,bitmap", False), ["emmalloc", "bitmap"])
        self.assertEqual(self.chosen("emmalloc,bitmap", True), ["emmalloc", "bitmap", "dlmalloc"])

    def test_the_project_has_an_adapter_for_each(self) -> None:
        self.assertEqual(build.peers(), ["dlmalloc", "emmalloc", "newlib", "newlib-nano"])


class BadInput(unittest.TestCase):
    """Each is one whole line on standard error, status 2, and nothing written or started."""

    def setUp(self) -> None:
        self.directory = self.enterContext(temporary_directory())
        (self.directory / "good.rep").write_text(TRACE_TEXT, "ascii")
        self.enterContext(in_directory(self.directory))
        self.enterContext(mock.patch.object(compare, "known_strategies", lambda: STRATEGIES))
        self.enterContext(mock.patch.object(compare, "known_peers", lambda: PEERS))
        self.enterContext(mock.patch.object(compare, "builds_of", side_effect=AssertionError))

    def refusal(self, *arguments: str) -> str:
        before = sorted(self.directory.iterdir())
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = command.main(["compare", *arguments])
        self.assertEqual((status, out.getvalue()), (2, ""))
        self.assertEqual(sorted(self.directory.iterdir()), before)
        return err.getvalue()

    def test_an_unknown_strategy_is_told_with_the_list(self) -> None:
        for given, named in (("worst-fit", "worst-fit"), ("bitmap,worst-fit", "worst-fit"),
                             ("", ""), ("bitmap,", "")):
            with self.subTest(given):
                self.assertEqual(
                    self.refusal("--strategies", given, "--traces", "good.rep"),
                    f"heaplab: error: there is no strategy '{named}'; choose from:"
                    " bitmap, next-fit, best-fit; or, of the peers: dlmalloc, emmalloc\n")

    def test_an_unknown_hardening_level_is_told_with_the_list(self) -> None:
        for given, named in (("max", "max"), ("off,on", "on"), ("", "")):
            with self.subTest(given):
                self.assertEqual(
                    self.refusal("--hardening", given, "--traces", "good.rep"),
                    f"heaplab: error: there is no hardening level '{named}'; choose from: off,"
                    " check, redzone, full\n")

    def test_what_cannot_be_simulated_is_told(self) -> None:
        with mock.patch.object(compare.cachegrind.shutil, "which", return_value=None):
            self.assertEqual(
                self.refusal("--simulate", "--traces", "good.rep"),
                "heaplab: error: --simulate: it takes valgrind, which is not installed:"
                " sudo apt-get install valgrind\n")
        with (mock.patch.object(compare.cachegrind.shutil, "which", return_value="valgrind"),
              mock.patch.object(compare.process, "emulates_32_bit", return_value=True)):
            self.assertEqual(
                self.refusal("--simulate", "--traces", "good.rep"),
                "heaplab: error: --simulate: it takes a system that starts 32-bit programs itself,"
                " and here an emulator does\n")
        self.assertEqual(
            self.refusal("--simulate", "--locking", "none,spin", "--traces", "good.rep"),
            "heaplab: error: --simulate: not with --locking none,spin: a lock keeps out interrupts,"
            " which no simulated process may\n")

    def test_an_emulators_times_are_refused(self) -> None:
        with mock.patch.object(compare.process, "emulates_32_bit", return_value=True):
            self.assertEqual(
                self.refusal("--accel", "host", "--traces", "good.rep"),
                "heaplab: error: --accel host: it takes a system that starts 32-bit programs"
                " itself, and here an emulator does; leave the option away to count"
                " instructions\n")

    def test_a_heap_size_out_of_range_is_told(self) -> None:
        for given in ("63", "65537", "0", "-1", "", "1e3", "many", "9" * 40, "64.0", "\u0664"):
            with self.subTest(given):
                self.assertEqual(
                    self.refusal(f"--heap-kib={given}", "--traces", "good.rep"),
                    f"heaplab: error: --heap-kib {given}: the heap's size is a number of KiB"
                    " from 64 to 65536\n")

    def test_a_bad_trace_is_told_with_its_line(self) -> None:
        (self.directory / "bad.rep").write_text(TRACE_TEXT + "f 0\n", "ascii")
        self.assertEqual(self.refusal("--traces", "good.rep", "bad.rep"),
                         "heaplab: error: bad.rep:9: id 0 is freed after it was freed"
                         " (in line 7)\n")

    def test_a_missing_trace_is_told(self) -> None:
        self.assertEqual(self.refusal("--traces", "none.rep"),
                         "heaplab: error: none.rep: there is no such trace; shipped are:"
                         " linux-boot, linux-fork-exec, linux-fs, user-perl, user-sqlite\n")

    def test_an_unknown_workload_is_told_with_the_form_of_names(self) -> None:
        self.assertRegex(self.refusal("--workloads", "churn-kernel-50,churn"),
                         r"heaplab: error: there is no workload 'churn'; there are:"
                         r" churn-MIX\[-PERCENT\], .*; or all, or none\n\Z")

    def test_a_seed_is_a_number_above_zero(self) -> None:
        self.assertIn("argument --seed: invalid seed from 1 to 4294967295 value: '0'",
                      self.refusal("--seed", "0"))

    def test_an_unwritable_result_is_told(self) -> None:
        self.assertEqual(self.refusal("--traces", "good.rep", "--json", "."),
                         "heaplab: error: .: cannot be written: it is a directory\n")
        self.assertEqual(self.refusal("--traces", "good.rep", "--html", "good.rep/page"),
                         "heaplab: error: good.rep/page: cannot be written:"
                         f" {self.directory}/good.rep is not a directory\n")
        self.assertEqual(self.refusal("--traces", "good.rep", "--html", "x", "--json", "x"),
                         "heaplab: error: x: two results cannot be written to the same file\n")

    def test_a_result_over_a_trace_is_refused(self) -> None:
        self.assertEqual(self.refusal("--traces", "good.rep", "--json", "good.rep"),
                         "heaplab: error: good.rep: cannot be written: this comparison reads it\n")

    def test_a_machine_without_kvm_is_told(self) -> None:
        with mock.patch.object(compare.qemu, "why_no_kvm", lambda: "/dev/kvm: No such device"):
            self.assertEqual(self.refusal("--accel", "kvm"),
                             "heaplab: error: --accel kvm: there is no usable KVM here (/dev/kvm:"
                             " No such device); leave the option away to count instructions, or"
                             " take host for cycles\n")

    def test_a_bad_baseline_is_told(self) -> None:
        self.assertEqual(self.refusal("--traces", "good.rep", "--baseline", "none.json"),
                         "heaplab: error: none.json: the baseline cannot be read: No such file or"
                         " directory\n")
        (self.directory / "old.json").write_text("{}", "ascii")
        self.assertEqual(self.refusal("--traces", "good.rep", "--baseline", "old.json", "--json",
                                      "old.json"), "heaplab: error: old.json: cannot be written:"
                         " this comparison reads it\n")

    def test_only_exact_counts_are_held_against_a_baseline(self) -> None:
        with (mock.patch.object(compare.qemu, "why_no_kvm", lambda: ""),
              mock.patch.object(compare.process, "emulates_32_bit", lambda: False)):
            for accel in ("host", "kvm"):
                self.assertEqual(
                    self.refusal("--traces", "good.rep", "--accel", accel, "--baseline",
                                 "old.json"),
                    f"heaplab: error: --baseline: not with --accel {accel}: its cycles differ from"
                    " run to run, and only exact counts can be held against earlier ones\n")

    def test_a_baseline_of_cycles_is_refused(self) -> None:
        made = document()
        made["settings"]["unit"] = "cycles"
        (self.directory / "old.json").write_text(results.to_json(made), "utf-8")
        self.assertEqual(self.refusal("--traces", "good.rep", "--baseline", "old.json"),
                         "heaplab: error: old.json: the baseline's unit is cycles, this"
                         " comparison's is instructions\n")

    def test_pictures_over_time_are_not_drawn_without_samples(self) -> None:
        self.assertEqual(self.refusal("--samples", "0", "--pictures", "."),
                         "heaplab: error: --pictures: not with --samples 0: two of them, holes and"
                         " portraits, show what was sampled over time\n")

    def test_a_tolerance_of_a_million_digits_is_refused_at_once(self) -> None:
        self.assertIn("argument --tolerance: invalid share value: '1e-300'",
                      self.refusal("--tolerance", "1e-300"))

    def test_a_tolerance_goes_with_a_baseline(self) -> None:
        self.assertEqual(self.refusal("--tolerance", "0.1"),
                         "heaplab: error: --tolerance goes with --baseline\n")

    def test_wrong_options_are_one_line(self) -> None:
        for arguments, words in (
                (["--fast"], "unrecognized arguments: --fast"),
                (["--qui"], "unrecognized arguments: --qui"),
                (["--jobs", "0"], "argument --jobs: invalid number of jobs value: '0'"),
                (["--time-limit", "-3"],
                 "argument --time-limit: invalid number above zero value: '-3'"),
                (["--time-limit", "nan"],
                 "argument --time-limit: invalid number above zero value: 'nan'"),
                (["--tolerance", "-1"], "argument --tolerance: invalid share value: '-1'"),
                (["--tolerance", "1/0"], "argument --tolerance: invalid share value: '1/0'"),
                (["--samples", "4097"],
                 "argument --samples: invalid number from 0 to 4096 value: '4097'"),
                (["--traces"], "argument --traces: expected at least one argument")):
            with self.subTest(words):
                self.assertEqual(self.refusal(*arguments), f"heaplab: error: {words};"
                                 " 'heaplab compare --help' says more\n")


class FakePrograms:
    """Kernels that only a stand-in for QEMU runs, and stand-ins for their Linux twins."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def program(self, name: str) -> Path:
        path = self.directory / name
        if not path.exists():
            path.touch()
        return path


class Silent:
    def show(self, plan: Plan) -> None:
        """Nothing."""


class Jobs(unittest.TestCase):
    """How the answers of kernels and searches are judged, with stand-ins for both."""

    def setUp(self) -> None:
        self.directory = self.enterContext(temporary_directory())
        self.enterContext(mock.patch.dict(os.environ, PATH=path_with(self.directory)))

    def kernel(self, body: str) -> None:
        fake_qemu(self.directory, body)

    def answering(self, raw: dict[str, Any]) -> None:
        (self.directory / "answer").write_text(f"progress: 1 4\nresult: {json.dumps(raw)}\n",
                                               "utf-8")
        self.kernel(f"cat {self.directory}/answer; exit 33")

    def search(self, body: str = 'echo \'result: {"strategy":"bitmap",'
               '"smallest_total_bytes":520,"peak_requested_bytes":200}\'') -> None:
        script(self.directory / "host-bitmap", f"#!/bin/sh\n{body}\n")

    def timing(self, body: str) -> None:
        script(self.directory / "timed-bitmap", f"#!/bin/sh\n{body}\n")

    def measure(self, stall: Optional[float] = None, limit: Optional[int] = None,
                accel: str = "tcg") -> Measurement:
        measurement = Measurement(
            Request(["bitmap"], [trace()], stall_seconds=stall, operations_limit=limit,
                    accel=accel),
            {("off", "none"): FakePrograms(self.directory)}, self.directory)
        process.wait_for(carry_out(measurement.plan, 1, measurement.perform, Silent()))
        return measurement

    def failure(self, **how: Any) -> LabError:
        with self.assertRaises(RunError) as caught:
            self.measure(**how).records()
        return caught.exception

    def test_kernel_and_search_become_one_record(self) -> None:
        self.answering(raw_record())
        self.search()
        (one,) = self.measure().records()
        self.assertEqual((one["strategy"], one["trace"], one["tightness"]),
                         ("bitmap", "tiny", round(200 / 520, 4)))

    def test_kernel_and_search_are_told_what_to_do(self) -> None:
        self.answering(raw_record(operations=3))
        qemu_script = (self.directory / "qemu-system-i386").read_text("utf-8")
        self.kernel(qemu_script.replace("cat", f'echo "$@" > {self.directory}/words; cat', 1))
        self.search(f'echo "$@" > {self.directory}/search; echo \'result:'
                    ' {"smallest_total_bytes":520}\'')
        with contextlib.suppress(RunError):
            self.measure(limit=3).records()
        words = (self.directory / "words").read_text("utf-8")
        self.assertIn("-append run=replay unit=instructions operations=3 samples=256"
                      " portrait=256 ", words)
        self.assertIn("-icount shift=0,sleep=off", words)
        search = (self.directory / "search").read_text("utf-8").split()
        self.assertEqual(search[:2], ["run=smallest", "operations=3"])
        self.assertEqual(Path(search[2]).read_text("ascii"), TRACE_TEXT)

    def timed(self, *totals: int) -> None:
        """Let the process answer with these costs, one a run, and the kernel as it does."""
        runs = self.directory / "runs"
        self.search()
        self.answering(raw_record(operations=1))
        self.timing(f"echo \"$@\" >> {runs}; n=$(wc -l < {runs}); cat {self.directory}/answer$n")
        for run, total in enumerate(totals, 1):
            raw = raw_record() | {"unit": "cycles"}
            raw["cost"] |= {"total": total}
            raw["footprint"] = {name: 0 for name in raw["footprint"]}
            (self.directory / f"answer{run}").write_text(f"result: {json.dumps(raw)}\n", "utf-8")

    def test_of_the_runs_on_the_host_the_least_disturbed_counts(self) -> None:
        self.timed(500, 302, 301, 303, 400, 999, 302, 305, 307)
        (one,) = self.measure(accel="host").records()
        self.assertEqual((one["unit"], one["cost"]["total"]), ("cycles", 301))
        words = set((self.directory / "runs").read_text("utf-8").split())
        self.assertLessEqual({"run=replay", "unit=cycles"}, words)

    def test_what_the_host_times_has_the_footprint_of_its_kernel_but_no_stack(self) -> None:
        self.timed(*[300] * 9)
        (one,) = self.measure(accel="host").records()
        self.assertEqual(one["footprint"], raw_record()["footprint"] | {"stack_bytes": None})

    def test_a_kernel_of_another_heap_has_no_say_on_the_footprint(self) -> None:
        self.timed(*[300] * 9)
        self.answering(raw_record(operations=1, hardening="full"))
        self.assertEqual(self.failure(accel="host").message, "bitmap on fixed-kernel-1, footprint:"
                         " the result's hardening is 'full', not 'off'")

    def test_a_kernel_that_hangs_is_killed_and_its_log_shown(self) -> None:
        self.kernel("echo progress: 1 4; echo last words; exec sleep 600")
        self.search()
        error = self.failure(stall=3.0)
        self.assertEqual(error.message, "bitmap on tiny, counting: the kernel came no further for"
                         " 3 s and was killed; the end of its log:")
        self.assertEqual(error.log, ("progress: 1 4", "last words"))

    def test_a_kernel_that_chatters_without_progress_hangs(self) -> None:
        self.kernel("while sleep 0.1; do echo progress: 1 4; echo again; done")
        self.search()
        self.assertIn("came no further for 3 s", self.failure(stall=3.0).message)

    def test_a_slow_kernel_that_comes_further_is_left_alone(self) -> None:
        (self.directory / "answer").write_text(f"result: {json.dumps(raw_record())}\n", "utf-8")
        self.kernel("for i in 1 2 3 4 5; do sleep 0.8; echo progress: $i 6; done;"
                    f" cat {self.directory}/answer; exit 33")
        self.search()
        self.assertEqual(len(self.measure(stall=3.0).records()), 1)

    def test_an_error_of_the_kernel_is_shown(self) -> None:
        self.kernel("echo 'error: a byte of block 7 changed'; exit 35")
        self.search()
        error = self.failure()
        self.assertEqual(error.message, "bitmap on tiny, counting: the kernel ended with an error"
                         " (error: a byte of block 7 changed); the end of its log:")

    def test_a_panic_is_shown(self) -> None:
        self.kernel("echo 'panic: page fault'; echo eax 0; exit 37")
        self.search()
        error = self.failure()
        self.assertEqual(error.message, "bitmap on tiny, counting: the kernel panicked"
                         " (panic: page fault); the end of its log:")
        self.assertEqual(error.log, ("panic: page fault", "eax 0"))

    def test_a_failed_search_is_shown(self) -> None:
        self.answering(raw_record())
        self.search("echo 'error: no memory'; exit 1")
        self.assertEqual(self.failure().message, "bitmap on tiny, smallest heap: the search ended"
                         " with status 1 (error: no memory); the end of its log:")

    def test_results_that_are_not_what_was_asked_for_are_refused(self) -> None:
        self.search()
        changes: tuple[tuple[dict[str, Any], str], ...] = (
            ({"strategy": "next-fit"}, "the result's strategy is 'next-fit', not 'bitmap'"),
            ({"heap_kib": 512}, "the result's heap_kib is 512, not 1024"),
            ({"hardening": "full"}, "the result's hardening is 'full', not 'off'"),
            ({"locking": "irq"}, "the result's locking is 'irq', not 'none'"),
            ({"unit": "cycles"}, "the result's unit is 'cycles', not 'instructions'"),
            ({"operations": 3}, "the result's operations is 3, not 4"))
        for change, words in changes:
            with self.subTest(words):
                self.answering(raw_record() | change)
                self.assertEqual(self.failure().message, f"bitmap on tiny, counting: {words}")

    def test_a_kernel_that_saw_another_trace_is_refused(self) -> None:
        self.search()
        self.answering(raw_record() | {"peak_requested_bytes": 199})
        self.assertEqual(self.failure().message, "bitmap on tiny: the kernel saw 199 bytes"
                         " requested at once, the trace requests 200")

    def test_one_result_is_due(self) -> None:
        self.search()
        self.kernel("exit 33")
        self.assertEqual(self.failure().message,
                         "bitmap on tiny, counting: there are 0 results where one was due")
        self.kernel("echo 'result: {}'; echo 'result: {}'; exit 33")
        self.assertEqual(self.failure().message,
                         "bitmap on tiny, counting: there are 2 results where one was due")
        self.kernel("echo 'result: {'; exit 33")
        self.assertIn("bitmap on tiny, counting: the result is not JSON:",
                      self.failure().message)


class LastWord(unittest.TestCase):
    """What is said at the end, with a stand-in for all that is built and measured."""

    def test_every_file_that_was_written_is_named(self) -> None:
        self.enterContext(empty_directory())
        made = document(strategies=("bitmap",), traces=("tiny",))
        build_ = mock.Mock(**{"provenance.return_value": made["build"]["bitmap"]})
        measured = mock.Mock(plan=mock.Mock(total=1, durations={}),
                             **{"records.return_value": made["records"]})
        err = io.StringIO()
        with mock.patch.object(compare, "_built", return_value={("off", "none"): build_}), \
                mock.patch.object(compare, "Measurement", return_value=measured), \
                mock.patch.multiple(compare, carry_out=mock.Mock(), Board=mock.MagicMock()), \
                mock.patch.object(process, "wait_for"), \
                contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
            compare.run(Request(["bitmap"], [trace()]), Outputs(
                Path("a.json"), Path("a.html"), Path("a.csv"), Path("a.md"), Path("drawn")))
        written = sorted(map(str, Path().rglob("*.*")))
        last = err.getvalue().splitlines()[-1]
        self.assertRegex(last, r"\Aheaplab: a\.json, a\.html, .* and \S+ written, \d+ s in all\Z")
        self.assertEqual(sorted(re.findall(r"[\w/]+\.\w+", last)), written)
        self.assertEqual(len(written), 8)


class Building(unittest.TestCase):

    def test_the_output_of_a_failed_build_is_shown(self) -> None:
        with temporary_directory() as directory:
            fake = script(directory / "meson", "#!/bin/sh\necho out of $1; echo bad >&2; exit 1\n")
            with mock.patch.object(build, "meson", lambda: str(fake)), \
                    mock.patch.object(build, "strategies", lambda: STRATEGIES), \
                    self.assertRaises(RunError) as caught:
                build.Build(64, directory).prepare(["los-bitmap.elf"], lambda text: None)
        self.assertEqual(caught.exception.message, f"the configuration in {directory}/kib-64"
                         " failed; its output:")
        self.assertEqual(caught.exception.log, ("out of setup", "bad"))

    def test_the_environment_adds_no_flags(self) -> None:
        with mock.patch.dict(os.environ, {"CFLAGS": "-O0", "CC": "tcc", "LANG": "C"}):
            self.assertEqual({"CFLAGS", "CC", "LANG"} & set(build.environment()), {"LANG"})


class Quickness(unittest.TestCase):

    def test_patience_grows_with_heap_and_trace(self) -> None:
        self.assertEqual(Request([], []).stall_limit(50_000), 60)
        self.assertEqual(Request([], [], heap_kib=4096).stall_limit(50_000), 240)
        self.assertEqual(Request([], []).stall_limit(1_000_000), 600)
        self.assertEqual(Request([], [], heap_kib=4096, stall_seconds=5).stall_limit(10), 5)

    def test_the_machine_has_room_for_heap_trace_and_tables(self) -> None:
        self.assertEqual(replay.memory_mib(1024, trace()), 192)
        self.assertGreaterEqual(replay.memory_mib(65536, trace()), 128 + 65)
        self.assertGreaterEqual(replay.memory_mib(1024, trace(operations=2_000_000)), 250)


@unittest.skipIf(programs_missing(), programs_missing())
def _lengths(program: Path, *functions: str) -> dict[str, str]:
    """How many bytes of machine code each of these functions of a program has."""
    listed = subprocess.run(["nm", "--print-size", program], check=True, stdout=subprocess.PIPE,
                            text=True).stdout
    found = [line.split() for line in listed.splitlines()]
    return {one[3]: one[1] for one in found if one[3:] and one[3] in functions}


class RealKernels(unittest.TestCase):
    """compare as a person calls it, on real kernels in a real QEMU."""

    def setUp(self) -> None:
        self.directory = self.enterContext(temporary_directory())

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        started = subprocess.Popen(
            [sys.executable, "-c", "import sys; sys.path[0] = sys.argv.pop(1);"
             " from lab.__main__ import main; sys.exit(main())", str(ROOT), "compare", *arguments],
            cwd=self.directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        self.addCleanup(end, started)
        return started

    def compare(self, *arguments: str) -> tuple[results.Document, str]:
        started = self.start(*arguments)
        out, err = started.communicate(timeout=600)
        self.assertEqual(started.returncode, 0, err)
        text = (self.directory / "heaplab-results" / "results.json").read_text("utf-8")
        return json.loads(text), out

    def trace_of(self, sizes: list[int]) -> str:
        path = self.directory / "made.rep"
        lines = ["0", str(len(sizes)), str(len(sizes)), "1"]
        lines += [f"a {ident} {size}" for ident, size in enumerate(sizes)]
        path.write_text("\n".join(lines) + "\n", "ascii")
        return str(path)

    def test_two_runs_give_identical_documents_but_for_host(self) -> None:
        arguments = ("--traces", "linux-boot", "--quick")
        (first, first_out), (second, second_out) = (self.compare(*arguments) for _ in range(2))
        self.assertNotEqual(first.pop("host"), second.pop("host"))
        self.assertEqual(results.to_json(first), results.to_json(second))
        self.assertEqual(first_out, second_out)
        self.assertEqual({one["unit"] for one in first["records"]}, {"instructions"})
        self.assertEqual({one["strategy"] for one in first["records"]},
                         set(build.strategies()))
        for one in first["records"]:
            self.assertEqual(one["operations"], compare.QUICK_OPERATIONS)
            self.assertGreater(one["cost"]["mean"], 1)
            self.assertGreater(one["smallest_total_bytes"], one["peak_requested_bytes"])
            kernel = first["build"][one["strategy"]]["kernel"]
            self.assertIn("clang", kernel["compiler"])
            self.assertIn("-ffreestanding", kernel["flags"])

    @unittest.skipUnless(importlib.util.find_spec("jsonschema"),
                         "not installed: python3-jsonschema")
    def test_real_results_are_as_the_schema_says(self) -> None:
        for arguments in (("--traces", "linux-boot", "--quick", "--csv", "all.csv"),
                          ("--workloads", "churn-small-60,fill-kernel"),
                          ("--traces", self.trace_of([1 << 26] * 2))):
            document, _ = self.compare("--strategies", "bitmap,boundary-map", *arguments)
            self.assertEqual(schema_complaints(document), [])
        rows = list(csv.DictReader((self.directory / "all.csv").read_text("utf-8").splitlines()))
        self.assertEqual([row["strategy"] for row in rows], ["bitmap", "boundary-map"])

    def test_hardening_is_measured_level_by_level(self) -> None:
        document, out = self.compare("--strategies", "half-fit", "--hardening", "check,off",
                                     "--workloads", "churn-small-60")
        off, check = document["records"]
        self.assertEqual((off["hardening"], check["hardening"]), ("off", "check"))
        self.assertEqual(off["footprint"]["hardening_bytes"], 0)
        self.assertGreater(check["footprint"]["hardening_bytes"], 0)
        self.assertGreater(check["cost"]["mean"], off["cost"]["mean"])
        self.assertEqual(sorted(document["build"]), ["half-fit", "half-fit+check"])
        added = f"+{check['cost']['mean'] - off['cost']['mean']:,.1f}"
        self.assertRegex(out, r"(?s)what hardening adds to off.*half-fit\+check +" +
                         re.escape(added))

    def test_locking_is_measured_lock_by_lock(self) -> None:
        document, out = self.compare("--strategies", "half-fit", "--locking", "percpu,spin,none",
                                     "--traces", "linux-boot", "--quick")
        made = {one["locking"]: one for one in document["records"]}
        self.assertEqual(list(made), ["none", "spin", "percpu"])
        self.assertEqual(sorted(document["build"]),
                         ["half-fit", "half-fit+percpu", "half-fit+spin"])
        self.assertEqual(made["none"]["placement_hash"], made["spin"]["placement_hash"])
        self.assertLess(made["none"]["cost"]["mean"], made["spin"]["cost"]["mean"])
        self.assertLess(made["percpu"]["cost"]["mean"], made["none"]["cost"]["mean"])
        self.assertEqual(made["none"]["footprint"]["locking_bytes"], 0)
        self.assertGreater(made["percpu"]["footprint"]["locking_bytes"], 1024)
        added = f"+{made['spin']['cost']['mean'] - made['none']['cost']['mean']:,.1f}"
        self.assertRegex(out, r"(?s)what locking adds to none.*half-fit\+spin +" +
                         re.escape(added))

    @skipped_where_emulated
    def test_what_the_host_times_is_the_kernels_own_code(self) -> None:
        arguments = ("--strategies", "tlsf", "--traces", "linux-boot", "--quick")
        (counted,), (timed,) = (self.compare(*arguments, "--accel", accel)[0]["records"]
                                for accel in ("tcg", "host"))
        self.assertEqual((counted["unit"], timed["unit"]), ("instructions", "cycles"))
        self.assertEqual(timed["footprint"], counted["footprint"] | {"stack_bytes": None})
        self.assertEqual(counted["placement_hash"], timed["placement_hash"])
        self.assertGreater(timed["cost"]["mean"], 1)
        programs = build.Build(1024)
        self.assertEqual(*(_lengths(programs.directory / path, "kmalloc", "kfree", "krealloc")
                           for path in ("arch/x86/los-tlsf.elf", "arch/host/timed-tlsf")))

    @skipped_where_emulated
    def test_where_locks_keep_interrupts_out_the_host_times_its_own_code(self) -> None:
        arguments = ("--strategies", "tlsf", "--locking", "percpu", "--traces", "linux-boot",
                     "--quick")
        (counted,), (timed,) = (self.compare(*arguments, "--accel", accel)[0]["records"]
                                for accel in ("tcg", "host"))
        self.assertEqual((timed["unit"], timed["locking"]), ("cycles", "percpu"))
        self.assertEqual(timed["footprint"], counted["footprint"] | {"stack_bytes": None})

    @unittest.skipIf(cachegrind.obstacle(), f"it takes {cachegrind.obstacle()}")
    def test_a_simulated_processor_does_the_same_each_time(self) -> None:
        arguments = ("--simulate", "--strategies", "tlsf,half-fit", "--traces", "linux-boot",
                     "--quick", "--workloads", "fill-small")
        first, out = self.compare(*arguments)
        with mock.patch.dict(os.environ, SOMETHING="whatever " * 9):
            second, _ = self.compare(*arguments)
        simulated = [one["simulated"] for one in first["records"]]
        self.assertEqual(simulated, [one["simulated"] for one in second["records"]])
        self.assertEqual(len(simulated), 4)
        for one in first["records"]:
            self.assertGreater(one["simulated"]["mispredicted_branches"], 0)
            self.assertLess(one["simulated"]["mispredicted_branches"], 10 * one["operations"])
        (half_fit,) = (one for one in first["records"] if one["strategy"] == "half-fit"
                       and one["trace"] == "linux-boot")
        a_call = half_fit["simulated"]["mispredicted_branches"] / half_fit["operations"]
        self.assertRegex(out, rf"(?s)simulated, mispredicted branches.*half-fit +{a_call:.2f}")
        self.assertEqual(schema_complaints(first), [])

    def test_workloads_are_made_replayed_and_shown(self) -> None:
        document, out = self.compare("--strategies", "tlsf,half-fit", "--heap-kib", "128",
                                     "--workloads", "churn-small-60,fill-kernel", "--seed", "9")
        self.assertEqual(document["settings"]["traces"], [])
        self.assertEqual(document["settings"]["workloads"], ["churn-small-60", "fill-kernel"])
        for one in document["records"]:
            self.assertEqual(one["seed"], 9)
            self.assertGreater(one["cost"]["mean"], 1)
            fills = one["trace"] == "fill-kernel"
            self.assertEqual((one["failures"], one["smallest_total_bytes"] is None),
                             (1, True) if fills else (0, False))
            self.assertTrue(0.5 < one["tightness"] < 1)
        self.assertIn("workloads, fill: share of all memory", out)

    def test_failures_at_256_kib_are_counted_and_shown(self) -> None:
        document, out = self.compare("--heap-kib", "256", "--strategies", "bitmap",
                                     "--traces", self.trace_of([65536] * 6))
        (one,) = document["records"]
        self.assertEqual((one["heap_kib"], one["failures"]), (256, 2))
        self.assertEqual(one["peak_requested_bytes"], 6 * 65536)
        row = next(line for line in out.splitlines() if line.startswith("bitmap"))
        self.assertEqual(row.split()[-1], "2")

    def test_at_4096_kib_the_same_trace_fits(self) -> None:
        document, _ = self.compare("--heap-kib", "4096", "--strategies", "bitmap",
                                   "--traces", self.trace_of([65536] * 6))
        (one,) = document["records"]
        self.assertEqual((one["heap_kib"], one["failures"]), (4096, 0))

    def earlier_results(self) -> dict[Path, bytes]:
        self.compare("--strategies", "next-fit", "--quick", "--traces", "linux-boot")
        return self.results()

    def results(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in self.directory.rglob("*") if path.is_file()}

    def comparing(self) -> tuple[subprocess.Popen[str], list[int]]:
        """A long comparison whose boots and searches have begun, and their process ids."""
        started = self.start("--strategies", "next-fit,best-fit")

        def programs() -> list[int]:
            return [pid for pid in children_of(started.pid)
                    if os.path.basename(_argument_0(pid)).startswith(("qemu-system", "host-"))]

        self.assertTrue(eventually(
            lambda: started.poll() is not None or
            any("qemu" in _argument_0(pid) for pid in programs()), 300))
        self.assertIsNone(started.poll())
        return started, programs()

    def test_a_killed_compare_leaves_no_qemu_and_earlier_results_intact(self) -> None:
        before = self.earlier_results()
        self.assertEqual(len(before), 2)
        started, programs = self.comparing()
        started.kill()
        started.wait(20)
        self.assertTrue(eventually(lambda: not any(map(is_alive, programs))))
        self.assertEqual(self.results(), before)

    def test_an_interrupted_compare_ends_with_its_signal(self) -> None:
        before = self.earlier_results()
        for signum in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signum.name):
                started, programs = self.comparing()
                started.send_signal(signum)
                _, err = started.communicate(timeout=20)
                self.assertEqual(started.returncode, 128 + signum)
                self.assertEqual(err.splitlines()[-1], f"heaplab: ended by {signum.name};"
                                 " earlier results are as they were")
                self.assertFalse(any(map(is_alive, programs)))
                self.assertEqual(self.results(), before)


def _argument_0(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0].decode()
    except OSError:
        return ""


if __name__ == "__main__":
    unittest.main()
