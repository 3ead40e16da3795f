# SPDX-License-Identifier: MIT
"""heaplab new, in a copy of the source tree."""

from __future__ import annotations

import subprocess
import unittest
from unittest import mock

from lab import build, fuzz, new
from lab.errors import InputError, RunError
from lab.tests.support import copied_source, temporary_directory, without_root


def run_quietly(*command: object) -> None:
    """Run a command that must succeed; what it says does not matter."""
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)


class NewStrategy(unittest.TestCase):

    def setUp(self) -> None:
        self.source = copied_source(self.enterContext(temporary_directory()))
        self.options = self.source / "meson_options.txt"

    def test_a_name_that_is_none_is_refused_and_nothing_is_written(self) -> None:
        before = self.options.read_text()
        for name in ("Fast", "my_heap", "2fast", "a--b", "-a", "a-", "", "a" * 25, "../x"):
            with self.assertRaisesRegex(InputError, "is no name for a strategy"):
                new.create(name, self.source)
        self.assertEqual(self.options.read_text(), before)

    def test_a_name_that_mm_uses_is_refused(self) -> None:
        for name in ("bitmap", "next-fit", "byte-map", "heap", "heap-check"):
            with self.assertRaisesRegex(InputError, f"'{name}' is taken"):
                new.create(name, self.source)

    def test_a_name_that_means_something_else_is_refused_and_nothing_is_written(self) -> None:
        before = self.options.read_text()
        variant = "programs of a heap that is built in another way are called so; any name without" \
            " '-{}' will do"
        for names, why in ((fuzz.PARSERS, "'heaplab fuzz {}' is something else"),
                           (("fences", "locks"), "'heaplab mutate {}' is something else"),
                           (("all",), "'heaplab race {}' is something else"),
                           (build.peers(), "peers/ has an allocator of that name"),
                           (("tlsf-percpu", "mine-percpu"), variant.format("percpu")),
                           (("bitmap-stops-0",), variant.format("stops"))):
            self.assertTrue(names)
            for name in names:
                with self.subTest(name), self.assertRaises(InputError) as caught:
                    new.create(name, self.source)
                self.assertEqual(caught.exception.message,
                                 f"'{name}' is taken: {why.format(name)}")
                self.assertFalse((self.source / "mm" / f"{name}.c").exists())
        self.assertEqual(self.options.read_text(), before)

    def test_a_heap_whose_file_was_removed_is_made_again_and_listed_once(self) -> None:
        new.create("my-heap", self.source)
        listed = self.options.read_text()
        self.assertEqual(listed.count("'my-heap'"), 1)
        (self.source / "mm" / "my-heap.c").unlink()
        new.create("my-heap", self.source)
        self.assertEqual(self.options.read_text(), listed)
        self.assertTrue((self.source / "mm" / "my-heap.c").is_file())

    def test_a_heap_that_is_listed_without_its_file_is_one_clear_line(self) -> None:
        new.create("my-heap", self.source)
        (self.source / "mm" / "my-heap.c").unlink()
        due = "there is no mm/my-heap.c, but meson_options.txt has my-heap among the strategies:" \
            " write the one, or strike out the other"
        with mock.patch.object(build, "ROOT", self.source), \
                self.assertRaises(RunError) as caught:
            build.strategies()
        self.assertEqual((caught.exception.message, caught.exception.log), (due, ()))
        done = subprocess.run(
            [build.meson(), "setup", self.source / "build", self.source, "--cross-file",
             self.source / "cross" / "i686.ini"], check=False, capture_output=True, text=True)
        self.assertIn("mm/meson.build:", done.stdout)
        self.assertIn(f"ERROR: Problem encountered: {due}\n", done.stdout)

    def test_what_cannot_be_written_is_told_by_the_name_of_the_heap(self) -> None:
        self.source.parent.chmod(0o755)
        before = self.options.read_text()
        for places in (("mm",), ("mm", "")):
            for place in places:
                (self.source / place).chmod(0o555)
            with self.subTest(places), without_root(), self.assertRaises(RunError) as caught:
                new.create("my-heap", self.source)
            self.assertEqual(caught.exception.message, f"{self.source}/mm/my-heap.c: cannot be"
                             " written: Permission denied")
            self.assertEqual(self.options.read_text(), before)

    def test_an_option_it_does_not_recognise_is_left_alone(self) -> None:
        self.options.write_text("option('strategies', type: 'string')\n")
        with self.assertRaisesRegex(RunError, "nothing was written"):
            new.create("mine", self.source)
        self.assertFalse((self.source / "mm" / "mine.c").exists())

    def test_what_it_writes_is_adopted_builds_and_passes_every_self_test(self) -> None:
        directory = self.source / "build"
        run_quietly(build.meson(), "setup", directory, self.source, "--cross-file",
                    self.source / "cross" / "i686.ini", "-Diso=disabled",
                    "-Dhost_tests=disabled", "-Dfuzzers=disabled")
        new.create("my-heap", self.source)
        with mock.patch.object(build, "ROOT", self.source):
            build.adopt_new_strategies(directory)
        run_quietly(build.meson(), "compile", "-C", directory,
                    "arch/host/host-my-heap-sanitized")
        said = subprocess.run([directory / "arch" / "host" / "host-my-heap-sanitized",
                               "run=tests"], check=False, capture_output=True, text=True)
        self.assertEqual(said.returncode, 0, said.stdout + said.stderr)
        self.assertNotIn("not ok", said.stdout)

    def test_a_selection_somebody_made_is_left_alone(self) -> None:
        directory = self.source / "build"
        run_quietly(build.meson(), "setup", directory, self.source, "--cross-file",
                    self.source / "cross" / "i686.ini", "-Dstrategies=bitmap", "-Diso=disabled")
        new.create("my-heap", self.source)
        with mock.patch.object(build, "ROOT", self.source):
            build.adopt_new_strategies(directory)
            self.assertEqual(build._option_values(directory)["strategies"], ["bitmap"])


if __name__ == "__main__":
    unittest.main()
