# SPDX-License-Identifier: MIT
"""The results document: its form, its sameness from run to run, and how it is written."""

import json
import os
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

from lab import ROOT, markdown, results
from lab.errors import InputError, RunError
from lab.tests.support import document, raw_record, temporary_directory, trace, without_root
from lab.worst import page

# What design and readers of the document rely on.
RECORD_FIELDS = {
    "strategy", "trace", "heap_kib", "unit", "operations", "failures", "cost", "malloc", "free",
    "tightness", "peak_requested_bytes", "smallest_total_bytes", "init_cost", "footprint",
    "hardening", "locking", "series"}
COST_FIELDS = {"mean", "p50", "p99", "p999", "max", "max_operation"}


class Document(unittest.TestCase):

    def test_schema_and_version_come_first_and_host_last(self) -> None:
        members = list(json.loads(results.to_json(document())))
        self.assertEqual(members[:2], ["schema", "version"])
        self.assertEqual(members[-1], "host")

    def test_records_have_all_fields_and_are_sorted(self) -> None:
        made = document(strategies=("next-fit", "bitmap"), traces=("two", "one"))
        self.assertEqual([(one["strategy"], one["trace"]) for one in made["records"]],
                         [("bitmap", "one"), ("bitmap", "two"), ("next-fit", "one"),
                          ("next-fit", "two")])
        for one in made["records"]:
            self.assertLessEqual(RECORD_FIELDS, set(one))
            for kind in ("cost", "malloc", "free"):
                self.assertLessEqual(COST_FIELDS, set(one[kind]))
            self.assertEqual(set(one["footprint"]),
                             {"map_bytes", "control_bytes", "text_bytes", "stack_bytes",
                              "hardening_bytes", "locking_bytes"})
            self.assertEqual(set(one["series"]), set(results.SERIES))

    def test_compiler_flags_and_trace_hashes_are_inside(self) -> None:
        made = document()
        self.assertEqual(made["build"]["bitmap"]["kernel"],
                         {"compiler": "clang 14", "flags": ["-O2"]})
        self.assertEqual([one["sha256"] for one in made["traces"]], ["0" * 64, "0" * 64])

    def test_equal_runs_differ_in_host_alone(self) -> None:
        first, second = (results.to_json(document(host=host)) for host in ("here", "there"))
        self.assertNotEqual(first, second)
        cut = first.index('  "host": {')
        self.assertEqual(first[:cut], second[:cut])
        self.assertEqual(first, results.to_json(document(host="here")))

    def test_hash_seeds_of_python_change_no_byte(self) -> None:
        program = ("from lab import results, report\nfrom lab.tests.support import document\n"
                   "print(results.to_json(document()), report.page(document()))")
        texts = {subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True,
                                env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
                                capture_output=True).stdout for seed in ("1", "2")}
        self.assertEqual(len(texts), 1)

    def test_text_is_json_with_a_series_on_one_line(self) -> None:
        made = document()
        text = results.to_json(made)
        self.assertEqual(json.loads(text), made)
        self.assertIn('\n        "requested": [1, 2],\n', text)

    def test_mean_and_tightness_are_rounded(self) -> None:
        one = results.record(raw_record(), trace(), 601, 200, None)
        self.assertEqual(one["cost"]["mean"], 100.33)
        self.assertEqual(one["tightness"], 0.3328)

    def test_a_fill_is_as_tight_as_what_was_requested_in_all_memory(self) -> None:
        raw = raw_record(failures=1)
        raw["first_failure"]["requested"] = 1024 * 65 * 8
        one = results.fill_record(raw, trace(), None)
        self.assertEqual((one["tightness"], one["smallest_total_bytes"]), (0.5, None))
        self.assertEqual(one["peak_requested_bytes"], 1024 * 65 * 8)

    def test_a_failure_without_its_circumstances_is_refused(self) -> None:
        raw = raw_record(failures=1)
        del raw["first_failure"]["largest"]
        with self.assertRaisesRegex(RunError, "first_failure.largest"):
            results.check_kernel_record(raw)

    def test_a_trace_that_never_fits_has_no_tightness(self) -> None:
        one = results.record(raw_record(failures=3), trace(), 0, 200, None)
        self.assertIsNone(one["tightness"])
        self.assertIsNone(one["smallest_total_bytes"])

    def test_nothing_counted_is_null_not_zero(self) -> None:
        raw = raw_record()
        raw["free"] = {"operations": 0, "total": 0, "p50": 0}
        one = results.record(raw, trace(), 601, 200, None)
        self.assertEqual(one["free"]["operations"], 0)
        self.assertIsNone(one["free"]["mean"])
        self.assertIsNone(one["free"]["max"])


class KernelRecord(unittest.TestCase):

    def test_a_good_record_passes(self) -> None:
        results.check_kernel_record(raw_record())

    def test_each_missing_field_is_named(self) -> None:
        for name in raw_record():
            raw = raw_record()
            del raw[name]
            with self.subTest(name), self.assertRaisesRegex(RunError, name):
                results.check_kernel_record(raw)

    def test_each_missing_inner_field_is_named(self) -> None:
        for outer in ("cost", "malloc", "free", "footprint", "series"):
            for inner in raw_record()[outer]:
                raw = raw_record()
                del raw[outer][inner]
                with self.subTest(outer=outer, inner=inner), \
                        self.assertRaisesRegex(RunError, rf"{outer}\.{inner}'"):
                    results.check_kernel_record(raw)

    def test_numbers_must_be_counts(self) -> None:
        for wrong in (-1, 1.5, "1", None, True):
            raw = raw_record()
            raw["failures"] = wrong
            with self.subTest(wrong), self.assertRaises(RunError) as caught:
                results.check_kernel_record(raw)
            self.assertEqual(caught.exception.message,
                             "the kernel's result has no valid 'failures'")

    def test_series_must_have_one_length(self) -> None:
        raw = raw_record()
        raw["series"]["free"].append(1)
        with self.assertRaises(RunError) as caught:
            results.check_kernel_record(raw)
        self.assertEqual(caught.exception.message, "the kernel's result has no valid 'series'")

    def test_a_portrait_has_a_known_state_for_each_sample(self) -> None:
        for wrong in (None, [2], ["1n"], ["1n2r"], ["2x"], ["r2"], ["0n2r"], ["2n "], [""]):
            with self.subTest(wrong), self.assertRaises(RunError) as caught:
                results.check_kernel_record(raw_record() | {"portrait": wrong})
            self.assertEqual(caught.exception.message,
                             "the kernel's result has no valid 'portrait'")
        results.check_kernel_record(raw_record() | {"portrait": []})

    def test_an_unknown_unit_is_refused(self) -> None:
        with self.assertRaises(RunError) as caught:
            results.check_kernel_record(raw_record() | {"unit": "none"})
        self.assertEqual(caught.exception.message, "the kernel's result has no valid 'unit'")


class Writing(unittest.TestCase):

    def setUp(self) -> None:
        self.directory = self.enterContext(temporary_directory())
        self.old, self.new = self.directory / "old.json", self.directory / "new.html"

    def names(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir())

    def test_files_are_written_and_replaced(self) -> None:
        self.old.write_text("old", "utf-8")
        results.write_files({self.old: "1", self.directory / "deep" / "er" / "f": "2"})
        self.assertEqual(self.old.read_text("utf-8"), "1")
        self.assertEqual((self.directory / "deep" / "er" / "f").read_text("utf-8"), "2")
        self.assertEqual(self.names(), ["deep", "old.json"])

    def test_a_link_stays_one_and_what_it_points_to_is_written(self) -> None:
        (self.directory / "kept").mkdir()
        link = self.directory / "link.json"
        for target in (self.directory / "kept" / "old.json", Path("kept", "new", "later.json")):
            with self.subTest(target):
                link.unlink(missing_ok=True)
                link.symlink_to(target)
                for text in ("1", "2"):
                    results.write_files({link: text})
                    self.assertTrue(link.is_symlink())
                    self.assertEqual((self.directory / target).read_text("utf-8"), text)
                self.assertEqual(self.names(), ["kept", "link.json"])

    def test_a_failure_leaves_the_file_that_a_link_points_to(self) -> None:
        self.old.write_text("old", "utf-8")
        self.new.symlink_to(self.old)
        with mock.patch.object(os, "replace", side_effect=OSError(28, "No space left")), \
                self.assertRaises(RunError):
            results.write_files({self.new: "1"})
        self.assertTrue(self.new.is_symlink())
        self.assertEqual(self.old.read_text("utf-8"), "old")
        self.assertEqual(self.names(), ["new.html", "old.json"])

    def test_a_failure_leaves_the_old_file_and_nothing_else(self) -> None:
        self.old.write_text("old", "utf-8")
        for failing in ("fsync", "replace"):
            with self.subTest(failing), \
                    mock.patch.object(os, failing, side_effect=OSError(28, "No space left")), \
                    self.assertRaises(RunError):
                results.write_files({self.old: "1", self.new: "2"})
            self.assertEqual(self.old.read_text("utf-8"), "old")
            self.assertEqual(self.names(), ["old.json"])

    def test_a_failure_is_told_of_the_file_that_was_asked_for(self) -> None:
        self.old.write_text("old", "utf-8")
        self.directory.chmod(0o555)
        below, under = self.directory / "deep" / "er" / "f", self.old / "g"
        with without_root():
            for path, why in ((self.new, "Permission denied"), (below, "Permission denied"),
                              (under, "Not a directory")):
                with self.subTest(path), self.assertRaises(RunError) as caught:
                    results.write_files({path: "1"})
                self.assertEqual(caught.exception.message, f"{path}: cannot be written: {why}")

    def test_no_file_takes_its_name_before_all_are_complete(self) -> None:
        self.old.write_text("old", "utf-8")
        with self.assertRaises(UnicodeEncodeError):
            results.write_files({self.old: "1", self.new: "\udc80"})
        self.assertEqual(self.old.read_text("utf-8"), "old")
        self.assertEqual(self.names(), ["old.json"])

    def test_an_interruption_leaves_the_old_file(self) -> None:
        self.old.write_text("old", "utf-8")
        with mock.patch.object(os, "fsync", side_effect=KeyboardInterrupt), \
                self.assertRaises(KeyboardInterrupt):
            results.write_files({self.old: "1"})
        self.assertEqual(self.old.read_text("utf-8"), "old")
        self.assertEqual(self.names(), ["old.json"])

    def test_files_are_readable_as_the_umask_says(self) -> None:
        before = os.umask(0o027)
        try:
            results.write_files({self.old: "1"})
        finally:
            os.umask(before)
        self.assertEqual(self.old.stat().st_mode & 0o777, 0o640)

    def refusal(self, *paths: Path) -> str:
        with self.assertRaises(InputError) as caught:
            results.check_writable(paths)
        return caught.exception.message

    def test_a_pipe_is_not_replaced_by_a_file(self) -> None:
        pipe = self.directory / "pipe"
        os.mkfifo(pipe)
        self.assertEqual(self.refusal(pipe), f"{pipe}: cannot be written: it is a device or pipe,"
                         " which a file would replace")
        self.assertTrue(pipe.is_fifo())

    def test_what_cannot_be_written_is_told_beforehand(self) -> None:
        self.old.write_text("old", "utf-8")
        self.assertEqual(self.refusal(self.directory),
                         f"{self.directory}: cannot be written: it is a directory")
        below = self.old / "f.json"
        self.assertEqual(self.refusal(below),
                         f"{below}: cannot be written: {self.old} is not a directory")
        self.assertEqual(self.refusal(self.new, self.directory / "." / "new.html"),
                         f"{self.new}: two results cannot be written to the same file")

    def test_a_link_is_judged_by_what_it_points_to(self) -> None:
        self.old.write_text("old", "utf-8")
        self.new.symlink_to(self.old)
        self.assertEqual(self.refusal(self.new, self.old),
                         f"{self.new}: two results cannot be written to the same file")
        self.new.unlink()
        self.new.symlink_to(self.old / "f.json")
        self.assertEqual(self.refusal(self.new), f"{self.new}: cannot be written: {self.old} is"
                         " not a directory")
        self.new.unlink()
        self.new.symlink_to(self.new)
        self.assertEqual(self.refusal(self.new), f"{self.new}: cannot be written: it is a link that"
                         " leads back to itself")

    def test_a_forbidden_directory_is_told_beforehand(self) -> None:
        self.directory.chmod(0o555)
        hidden = self.directory / "hidden"
        hidden.mkdir(0o700)
        with without_root():
            self.assertEqual(self.refusal(hidden / "a" / "f"), f"{hidden}/a/f: cannot be written:"
                             f" no permission to write to {hidden}")
            self.assertEqual(self.refusal(self.new), f"{self.new}: cannot be written: no permission"
                             f" to write to {self.directory}")

    def test_a_directory_is_made_or_it_is_said_why_not(self) -> None:
        deep = self.directory / "deep" / "er"
        self.assertEqual(results.made_directory(deep), deep)
        self.assertEqual(results.made_directory(deep), deep)
        self.assertTrue(deep.is_dir())
        self.old.write_text("old", "utf-8")
        self.directory.chmod(0o555)
        with without_root():
            for path, why in (
                    (self.old, f"cannot be made: {self.old} is not a directory"),
                    (self.old / "x", f"cannot be made: {self.old} is not a directory"),
                    (self.directory / "x", "cannot be made: Permission denied"),
                    (self.directory, "no permission to write there"),
                    (Path("/proc/x"), "cannot be made: No such file or directory")):
                with self.subTest(path), self.assertRaises(InputError) as caught:
                    results.made_directory(path)
                self.assertEqual(caught.exception.message, f"{path}: {why}")


class Documents(unittest.TestCase):

    def test_one_that_cannot_be_read_is_told(self) -> None:
        with temporary_directory() as directory:
            path = directory / "page.md"
            self.assertIsNone(results.text_in(path))
            path.write_bytes(b"\xff\xfe")
            for place, why in ((path, "it is not plain text"), (directory, "Is a directory")):
                for check in (results.text_in, markdown.check, page.check):
                    with self.assertRaises(InputError) as caught:
                        check(place)
                    self.assertEqual(caught.exception.message, f"{place}: cannot be read: {why}")


if __name__ == "__main__":
    unittest.main()
