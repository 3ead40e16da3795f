# SPDX-License-Identifier: MIT
"""`heaplab record user`, on programs that are compiled here, and `record linux` up to its boot."""

import os
import re
import resource
import stat
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from lab import ROOT, build, trace
from lab.errors import InputError, RunError
from lab.record import cpio, linux, user
from lab.record.events import Choice, Converter
from lab.tests.support import said, without_root

# Calls whose order and sizes are known, in a program that does nothing else.
PLAIN = r"""
#include <malloc.h>
#include <stdlib.h>
int main(void)
{
    void *volatile first = malloc(100);
    void *volatile second = calloc(3, 7);
    first = realloc(first, 2000);
    void *volatile third = NULL;
    if (posix_memalign((void **)&third, 64, 50) != 0)
        return 1;
    second = reallocarray(second, 2, 30);
    free(first);
    free(NULL);
    void *volatile fourth = aligned_alloc(32, 64);
    free(third);
    free(memalign(16, 9));
    free(fourth);
    void *volatile none = malloc((size_t)-64);
    free(none);
    return 7;
}
"""
PLAIN_TEXT = ["a 0 100", "a 1 21", "r 0 2000", "a 2 50", "r 1 60", "f 0", "a 3 64", "f 2", "a 4 9",
              "f 4", "f 3"]

# Threads that hand blocks to each other, so that an address comes back to life at once.
THREADS = r"""
#include <pthread.h>
#include <stdlib.h>
static void *_Atomic slots[64];
static void *work(void *seed)
{
    unsigned state = (unsigned)(size_t)seed;
    for (int i = 0; i < 20000; i++) {
        state = state * 1664525 + 1013904223;
        void *mine = malloc(1 + (state >> 20) % 300);
        if ((state >> 8 & 3) == 0)
            mine = realloc(mine, 1 + (state >> 18) % 900);
        free(__atomic_exchange_n(&slots[state >> 10 & 63], mine, __ATOMIC_SEQ_CST));
    }
    return NULL;
}
int main(void)
{
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, work, (void *)(i + 1));
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 64; i++)
        free(slots[i]);
    return 0;
}
"""

# A child of its own heap, and one that becomes another program.
CHILDREN = r"""
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int count, char **arguments)
{
    void *volatile block = malloc(count > 1 ? 333 : 111);
    if (count > 1)
        return 0;
    if (fork() == 0) {
        free(block);
        block = malloc(222);
        execl(arguments[0], arguments[0], "again", (char *)0);
    }
    wait(NULL);
    free(block);
    return 0;
}
"""

KILLED = r"""
#include <signal.h>
#include <stdlib.h>
int main(void)
{
    for (int i = 0; i < 100000; i++) {
        void *volatile block = malloc(24);
        (void)block;
    }
    raise(SIGKILL);
}
"""


class Programs(unittest.TestCase):

    def setUp(self) -> None:
        self.place = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(mock.patch.dict(os.environ, LAB_BUILD_ROOT=str(build.lab_root())))

    def compiled(self, source: str, *flags: str) -> Path:
        """A program of this source."""
        program = self.place / "program"
        subprocess.run(["gcc", "-O1", "-fno-builtin", "-w", "-pthread", *flags, "-x", "c", "-",
                        "-o", program], input=source, text=True, check=True)
        return program

    def recorded(self, program: Path, *, children: bool = False) -> tuple[int, list[list[str]]]:
        """The program's status, and the operations of each of its processes."""
        with tempfile.TemporaryDirectory() as scratch:
            status, recordings = user.run([str(program)], Path(scratch), children=children)
            texts = [Converter().take_all(one.events()).text() for one in recordings]
        for text in texts:
            trace.parse(text.encode(), program)
        return status, [text.splitlines()[4:] for text in texts]

    def test_every_call_is_there_in_its_order_for_64_and_for_32_bits(self) -> None:
        for bits in ("-m64", "-m32"):
            with self.subTest(bits):
                status, (lines,) = self.recorded(self.compiled(PLAIN, bits))
                self.assertEqual(lines, PLAIN_TEXT)
                self.assertEqual(status, 7)

    def test_threads_are_recorded_in_the_order_in_which_the_heap_served_them(self) -> None:
        for bits in ("-m64", "-m32"):
            with self.subTest(bits), tempfile.TemporaryDirectory() as scratch:
                _, (one,) = user.run([str(self.compiled(THREADS, bits))], Path(scratch),
                                     children=False)
                converter = Converter().take_all(one.events())
                text = converter.text()
                self.assertEqual(converter.account.counts["live_address"], 0)
                self.assertEqual(converter.account.counts["unknown_free"], 0)
                self.assertEqual(len(re.findall("^f ", text, re.M)), 80_000)
                # What the C library keeps for each thread is there as well.
                self.assertIn(len(re.findall("^a ", text, re.M)) - 80_000, range(0, 17))

    def test_children_are_traces_of_their_own_if_they_are_wanted(self) -> None:
        program = self.compiled(CHILDREN)
        _, alone = self.recorded(program)
        self.assertEqual(alone, [["a 0 111", "f 0"]])
        _, family = self.recorded(program, children=True)
        self.assertCountEqual(family, [["a 0 111", "f 0"], ["a 0 222"], ["a 0 333"]])

    def test_a_program_that_is_killed_loses_nothing(self) -> None:
        status, (lines,) = self.recorded(self.compiled(KILLED))
        self.assertEqual(len(lines), 100_000)
        self.assertEqual(status, -9)

    def test_a_disk_that_fills_up_is_said_and_leaves_no_trace(self) -> None:
        program = self.compiled(KILLED)

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20))

        out = self.place / "out.rep"
        done = subprocess.run(
            [sys.executable, "-m", "lab", "record", "user", "--out", out, "--", program], cwd=ROOT,
            preexec_fn=limit, check=False, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^heaplab: error: \S+: the recording ended after [\d,]+"
                                      r" calls: File too large\n$")
        self.assertFalse(out.exists())

    def test_a_trace_that_cannot_be_written_is_told_before_the_program_runs(self) -> None:
        readonly = self.place / "readonly"
        readonly.mkdir(0o555)
        self.place.chmod(0o755)
        with without_root(), mock.patch.object(user, "run", side_effect=AssertionError):
            for out, why in ((readonly / "x.rep", f"no permission to write to {readonly}"),
                             (readonly / "no" / "x.rep", f"no permission to write to {readonly}")):
                self.assertEqual(said("record", "user", "--out", str(out), "--", "true"), (
                    2, "", f"heaplab: error: {out}: cannot be written: {why}\n"))
        self.assertEqual(said("record", "user", "--out", "/proc/x/y.rep", "--", "true"), (
            2, "", "heaplab: error: /proc/x/y.rep: cannot be written: No such file or directory\n"))

    def test_a_recording_that_fails_leaves_no_directory_that_it_made(self) -> None:
        deep = self.place / "deep" / "er"
        status, _, err = said("record", "user", "--out", str(deep / "x.rep"), "--", "/no/such")
        self.assertEqual((status, err), (2, "heaplab: error: /no/such: there is no such program\n"))
        self.assertFalse(deep.parent.exists())
        kept = self.place / "kept"
        kept.mkdir()
        said("record", "user", "--out", str(kept / "x.rep"), "--", "/no/such")
        self.assertTrue(kept.is_dir())

    def test_what_cannot_be_recorded_is_refused_in_one_line(self) -> None:
        static = self.compiled(PLAIN, "-static")
        with self.assertRaisesRegex(InputError, "the program is static: nothing can be preloaded"):
            user.check(str(static))
        plain = self.compiled(PLAIN)
        plain.chmod(plain.stat().st_mode | stat.S_ISUID)
        with self.assertRaisesRegex(InputError, "set-user-id or set-group-id"):
            user.check(str(plain))
        with self.assertRaisesRegex(InputError, "^/no/such: there is no such program$"):
            user.check("/no/such")
        with self.assertRaisesRegex(InputError, "^no-such-program: there is no such program$"):
            user.check("no-such-program")
        with self.assertRaisesRegex(InputError, "^/etc/passwd: it is there, but not executable$"):
            user.check("/etc/passwd")
        with self.assertRaisesRegex(InputError, "^/etc: it is a directory, not a program$"):
            user.check("/etc")
        text = self.place / "text"
        text.write_text("hello\n")
        text.chmod(0o755)
        with self.assertRaisesRegex(InputError, "neither a program nor a script"):
            user.check(str(text))
        text.write_bytes(b"\x7fELF\1\1")
        with self.assertRaisesRegex(InputError, "this is no program that Linux loads"):
            user.check(str(text))
        text.write_bytes(b"#!/no/\xff\n")
        with self.assertRaisesRegex(InputError, "its interpreter /no/\ufffd is not there"):
            user.check(str(text))
        text.chmod(0o711)
        self.place.chmod(0o755)
        with without_root(), self.assertRaisesRegex(InputError, "no permission to read the prog"):
            user.check(str(text))

    def test_a_build_root_that_cannot_be_is_one_line(self) -> None:
        with mock.patch.dict(os.environ, LAB_BUILD_ROOT="/proc/x"):
            self.assertEqual(said("record", "user", "--out", str(self.place / "x.rep"), "true"), (
                2, "", "heaplab: error: /proc/x/record/lib/x86_64-linux-gnu: cannot be made: No"
                " such file or directory\n"))

    def test_a_build_root_from_which_nothing_can_be_preloaded_is_told(self) -> None:
        for name in ("a b", "a:b"):
            with mock.patch.dict(os.environ, LAB_BUILD_ROOT=str(self.place / name)):
                self.assertEqual(said("record", "user", "--out", f"{self.place}/x.rep", "true"), (
                    2, "", f"heaplab: error: {self.place}/{name}/record: from a path with blanks or"
                    " colons nothing can be preloaded; LAB_BUILD_ROOT=DIRECTORY puts builds"
                    " elsewhere\n"))

    def test_a_script_is_recorded_as_its_interpreter(self) -> None:
        script = self.place / "script"
        script.write_text("#!/bin/sh\nexit 3\n")
        script.chmod(0o755)
        status, (lines,) = self.recorded(script)
        self.assertEqual(status, 3)
        self.assertTrue(lines)

    def test_a_program_that_calls_nothing_is_no_trace(self) -> None:
        program = self.compiled("int main(void) { return 0; }")
        with tempfile.TemporaryDirectory() as scratch, \
                self.assertRaisesRegex(RunError, "nothing was recorded"):
            user.run([str(program)], Path(scratch), children=False)

    def test_what_was_recorded_replays_with_every_byte_stamped(self) -> None:
        program = self.compiled(THREADS)
        out = self.place / "threads.rep.gz"
        self.heaplab("record", "user", "--out", out, "--", program)
        programs = build.Build(1024)
        programs.prepare(["host-tlsf"], lambda text: None)
        plain = self.place / "threads.rep"
        plain.write_bytes(trace.read(out).text)
        done = subprocess.run([programs.program("host-tlsf"), "run=replay", plain], check=False,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn('"failures":0', done.stdout)

    def heaplab(self, *words: object) -> str:
        """What a command says."""
        done = subprocess.run([sys.executable, "-m", "lab", *map(str, words)], cwd=ROOT,
                              check=True, capture_output=True, text=True)
        return done.stderr


class Records(unittest.TestCase):

    def operations(self, *records: tuple[int, int, int, int]) -> tuple[list[str], Converter]:
        """The operations of records: address, size, kind and thread."""
        converter = Converter().take_all(user._events(
            (address, size, 0, kind, thread) for address, size, kind, thread in records))
        return converter.text().splitlines()[4:], converter

    def test_while_a_block_is_resized_its_address_may_be_another_threads(self) -> None:
        lines, converter = self.operations(
            (0x10, 8, user._ALLOC, 1), (0x10, 90, user._RESIZE_BEGINS, 1),
            (0x10, 7, user._ALLOC, 2), (0x80, 90, user._RESIZE_ENDS, 1), (0x80, 0, user._FREE, 1),
            (0x10, 0, user._FREE, 2))
        self.assertEqual(lines, ["a 0 8", "a 1 7", "r 0 90", "f 0", "f 1"])
        self.assertEqual(+converter.account.counts, {})

    def test_a_realloc_to_nothing_is_a_free_and_one_that_fails_changes_nothing(self) -> None:
        begin = ((0x10, 8, user._ALLOC, 1), (0x10, 0, user._RESIZE_BEGINS, 1))
        lines, _ = self.operations(*begin, (0, 0, user._RESIZE_ENDS, 1))
        self.assertEqual(lines, ["a 0 8", "f 0"])
        lines, converter = self.operations(*begin, (0, 99, user._RESIZE_ENDS, 1),
                                           (0x10, 0, user._FREE, 1))
        self.assertEqual(lines, ["a 0 8", "f 0"])
        self.assertEqual(+converter.account.counts, {"failed": 1})

    def test_a_realloc_of_null_is_an_allocation(self) -> None:
        lines, converter = self.operations((0, 8, user._RESIZE_BEGINS, 1),
                                           (0x20, 8, user._RESIZE_ENDS, 1))
        self.assertEqual(lines, ["a 0 8"])
        self.assertEqual(+converter.account.counts, {})

    def test_what_failed_and_what_was_aligned_is_counted(self) -> None:
        lines, converter = self.operations((0, 5, user._ALLOC, 1), (16, 5, user._ALIGNED, 1))
        self.assertEqual(lines, ["a 0 5"])
        self.assertEqual(+converter.account.counts, {"failed": 1, "aligned": 1})


class Linux(unittest.TestCase):

    def test_the_initial_file_system_is_one_that_cpio_reads(self) -> None:
        archive = cpio.Archive()
        archive.add_console()
        archive.add("lib/modules/a.ko", b"12345")
        archive.add("init", b"#!/bin/busybox sh\n", 0o755)
        raw = archive.bytes()
        self.assertEqual(len(raw) % 4, 0)
        names = []
        while raw:
            numbers = [int(raw[6 + 8 * i:14 + 8 * i], 16) for i in range(13)]
            name_end = 110 + numbers[11]
            names.append((raw[110:name_end - 1].decode(), stat.filemode(numbers[1])))
            start = -(-name_end // 4) * 4
            raw = raw[start + -(-numbers[6] // 4) * 4:]
        self.assertEqual(names, [
            ("dev", "drwxr-xr-x"), ("dev/console", "crw-------"), ("lib", "drwxr-xr-x"),
            ("lib/modules", "drwxr-xr-x"), ("lib/modules/a.ko", "-rw-r--r--"),
            ("init", "-rwxr-xr-x"), ("TRAILER!!!", "?---------")])

    def test_modules_are_loaded_behind_those_that_they_need(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            for name, needs in {"ext4": "jbd2,crc16", "jbd2": "", "crc16": "", "virtio-blk":
                                "virtio", "virtio": "virtio_ring", "virtio_ring": ""}.items():
                Path(place, f"{name}.ko").write_bytes(f"x\0depends={needs}\0y".encode())
            order = linux.load_order(Path(place), ["virtio_blk", "ext4", "builtin"])
        self.assertEqual([path.stem for path in order],
                         ["virtio_ring", "virtio", "virtio-blk", "jbd2", "crc16", "ext4"])

    def test_events_that_the_kernel_had_no_room_for_are_counted(self) -> None:
        with tempfile.TemporaryDirectory() as place:
            disk = Path(place, "events")
            disk.write_bytes(
                b"# tracer: nop\n#\n# entries-in-buffer/entries-written: 2/5   #P:1\n"
                b"  sh-1 [000] ..... 1.0: kmalloc: call_site=a+0x1/0x2 ptr=0xc1 bytes_req=8"
                b" bytes_alloc=8 gfp_flags=GFP_KERNEL\n"
                b"  sh-1 [000] ..... 1.1: kfree: call_site=b+0x1/0x2 ptr=0xc1\n" + b"\0" * 512)
            converter = Converter().take_all(linux.read(disk))
            disk.write_bytes(b"\0" * 512)
            with self.assertRaisesRegex(RunError, "left no events"):
                list(linux.read(disk))
        self.assertEqual(converter.text().splitlines()[4:], ["a 0 8", "f 0"])
        self.assertEqual(converter.account.counts["lost"], 3)

    def test_a_workload_that_is_not_there_is_refused_before_anything_is_fetched(self) -> None:
        with tempfile.TemporaryDirectory() as place, \
                mock.patch.object(linux, "Packages", side_effect=AssertionError), \
                self.assertRaisesRegex(InputError, "nothing.sh: the workload cannot be read"):
            linux.record(architecture="i686", version=None, workload=Path(place, "nothing.sh"),
                         events="all", scratch=Path(place), say=lambda text: None)

    def test_a_kernel_that_apt_has_not_is_told_with_the_newest(self) -> None:
        def apt(_: linux.Packages, *words: str, **__: object) -> str:
            return {"pkgnames": "linux-image-6.1.0-50-amd64\nlinux-image-6.1.0-49-686-pae\n",
                    "depends": "linux-image-686-pae\n  Depends: linux-image-6.1.0-50-686-pae\n",
                    "update": ""}[words[-2] if words[-1] != "update" else "update"]

        self.enterContext(mock.patch.dict(
            os.environ, LAB_BUILD_ROOT=self.enterContext(tempfile.TemporaryDirectory())))
        self.enterContext(mock.patch.object(linux.Packages, "_apt", apt))
        packages = linux.Packages(linux.ARCHITECTURES["i686"], lambda text: None)
        for wanted in ("1.2.3", "linux-image-1.2.3-686-pae"):
            with self.assertRaises(InputError) as caught:
                packages.kernel_version(wanted)
            self.assertEqual(caught.exception.message, f"--kernel {wanted}: apt knows no package"
                             " linux-image-1.2.3-686-pae; Debian's newest is 6.1.0-50")
        self.assertEqual(packages.kernel_version("6.1.0-49"), "6.1.0-49")
        (packages.directory / "linux-image-1.2.3-686-pae").mkdir(parents=True)
        self.assertEqual(packages.kernel_version("1.2.3"), "1.2.3")

    def test_nothing_is_recorded_while_the_events_are_switched_on_one_by_one(self) -> None:
        archive = linux.initial_files(*self.packages(), b"true\n", linux.EVENTS["all"], "p:x y")
        steps = [archive.index(step) for step in (
            b"echo 0 > $tracing/tracing_on", b"echo > $tracing/trace", b"/kmem/$event/enable",
            b"echo 1 > $tracing/tracing_on", b"echo 0 > $tracing/tracing_on\nsync")]
        self.assertEqual(steps, sorted(steps))

    def packages(self) -> tuple[Path, Path]:
        """A kernel without modules, and a busybox."""
        place = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (place / "bin").mkdir()
        (place / "bin" / "busybox").write_bytes(b"busybox")
        return place, place

    @unittest.skipUnless(os.environ.get("HEAPLAB_LONG_TESTS"), "downloads and boots Linux, which"
                         " takes minutes: HEAPLAB_LONG_TESTS=1 asks for it")
    def test_the_committed_traces_of_linux_are_recorded_again(self) -> None:
        for name, events in (("boot", "kmalloc"), ("fork-exec", "all"), ("fs", "all")):
            script = None if name == "boot" else ROOT / "traces" / "workloads" / f"{name}.sh"
            committed = trace.read(trace.find(f"linux-{name}"))
            with self.subTest(name), tempfile.TemporaryDirectory() as place:
                disk = linux.record(architecture="i686", version=None, workload=script,
                                    events=events, scratch=Path(place), say=print)
                converter = Converter(Choice(size_max=16256)).take_all(linux.read(disk))
                again = len(converter.text().splitlines()) - 4
                self.assertEqual(converter.account.counts["lost"], 0)
                self.assertEqual(converter.account.counts["live_address"], 0)
                self.assertAlmostEqual(again / committed.operations, 1, delta=0.03)


if __name__ == "__main__":
    unittest.main()
