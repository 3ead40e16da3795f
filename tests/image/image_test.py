# SPDX-License-Identifier: MIT
"""What must be true of the files that the build makes: kernels and image.

usage: image_test.py BUILD_DIRECTORY HEAP_KIB STRATEGY [unittest arguments]
"""

import pathlib
import re
import struct
import subprocess
import sys
import unittest

BUILD = pathlib.Path()
HEAP_KIB = 0
STRATEGY = ""

ISO_BYTES_MAX = 10 * 1024 * 1024
KERNEL_BASE = 0x100000
PAGE_BYTES = 4096
SEGMENT_EXECUTABLE, SEGMENT_WRITABLE, SEGMENT_READABLE = 1, 2, 4
PT_LOAD, PT_NOTE = 1, 4


def output_of(*command: object) -> str:
    """Returns what a command prints; raises if it fails."""
    return subprocess.run([str(word) for word in command], check=True, capture_output=True,
                          text=True).stdout


def symbols(kernel: pathlib.Path) -> dict[str, int]:
    """Returns the addresses of a kernel's symbols by name."""
    lines = [line.split() for line in output_of("nm", "--defined-only", kernel).splitlines()]
    return {name: int(address, 16) for address, _, name in lines}


def segments(kernel: pathlib.Path) -> list[tuple[int, ...]]:
    """Returns the kernel's program headers: type, offset, address, ..., flags, alignment."""
    elf = kernel.read_bytes()
    (start,) = struct.unpack_from("<I", elf, 28)
    size, count = struct.unpack_from("<HH", elf, 42)
    return [struct.unpack_from("<8I", elf, start + i * size) for i in range(count)]


def heap_code(kernel: pathlib.Path) -> dict[str, list[str]]:
    """Returns the instructions of every function in the heap's part of the kernel, by name."""
    at = symbols(kernel)
    text = output_of("objdump", "--disassemble", "--no-show-raw-insn", kernel,
                     f"--start-address={at['_heap_text_start']}",
                     f"--stop-address={at['_heap_text_end']}")
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if label := re.match(r"[0-9a-f]+ <(.*)>:$", line):
            found[name := label[1]] = []
        elif re.match(r"\s*[0-9a-f]+:\t", line):
            found[name].append(line.split("\t", 1)[1])
    return found


def reached_from(functions: tuple[str, ...], code: dict[str, list[str]]) -> set[str]:
    """Returns the functions that calls and jumps lead to, the first ones included."""
    reached: set[str] = set()
    waiting = list(functions)
    while waiting:
        name = waiting.pop()
        if name not in reached and name in code:
            reached.add(name)
            waiting += re.findall(r"<(\w+)(?:\+0x[0-9a-f]+)?>", " ".join(code[name]))
    return reached


class TheKernel(unittest.TestCase):
    """los-<strategy>.elf."""

    def setUp(self):
        self.kernel = BUILD / "arch" / "x86" / f"los-{STRATEGY}.elf"

    def test_grub_takes_it_for_a_multiboot2_kernel(self):
        subprocess.run(["grub-file", "--is-x86-multiboot2", self.kernel], check=True)

    def test_it_carries_the_pvh_note_with_its_entry(self):
        elf = self.kernel.read_bytes()
        notes = [s for s in segments(self.kernel) if s[0] == PT_NOTE]
        self.assertEqual(len(notes), 1)
        note = elf[notes[0][1]:notes[0][1] + notes[0][4]]
        self.assertEqual(note, struct.pack("<3I4sI", 4, 4, 18, b"Xen\0",
                                           symbols(self.kernel)["pvhStart"]))

    def test_no_segment_is_both_writable_and_executable(self):
        flags = [s[6] for s in segments(self.kernel) if s[0] == PT_LOAD]
        self.assertEqual(flags, [SEGMENT_READABLE | SEGMENT_EXECUTABLE, SEGMENT_READABLE,
                                 SEGMENT_READABLE | SEGMENT_WRITABLE])

    def test_it_is_loaded_at_one_mebibyte(self):
        self.assertEqual(min(s[2] for s in segments(self.kernel) if s[0] == PT_LOAD), KERNEL_BASE)

    def test_the_array_is_16_bytes_a_kibibyte_of_heap(self):
        at = symbols(self.kernel)
        self.assertEqual(at["_kernelHeapArrayEnd"] - at["_kernelHeapArray"], 16 * HEAP_KIB)

    def test_the_heap_follows_its_array_on_a_page_boundary(self):
        at = symbols(self.kernel)
        self.assertEqual(at["_kernelHeap"], at["_kernelHeapArrayEnd"])
        self.assertEqual(at["_kernelHeap"] % PAGE_BYTES, 0)
        if 16 * HEAP_KIB % PAGE_BYTES == 0:
            self.assertEqual(at["_kernelHeapArray"] % PAGE_BYTES, 0)

    def test_the_heap_is_as_large_as_configured_and_comes_last(self):
        at = symbols(self.kernel)
        self.assertEqual(at["_kernelHeapEnd"] - at["_kernelHeap"], 1024 * HEAP_KIB)
        self.assertEqual(at["_kernelHeapEnd"], at["_kernel_end"])

    def test_nothing_that_kmalloc_and_kfree_reach_calls_through_a_pointer(self):
        functions = ("kmalloc", "kfree", "krealloc", "kmalloc_aligned", "ksize")
        code = heap_code(self.kernel)
        self.assertEqual(set(functions) - set(code), set())
        for function in sorted(reached_from(functions, code)):
            for instruction in code[function]:
                self.assertNotRegex(instruction, r"^(call|jmp)\s+\*",
                                    f"{function} calls through a pointer")

    def test_its_symbol_table_names_its_own_functions(self):
        at = symbols(self.kernel)
        found = {int(line.split()[1].rstrip(","), 16)
                 for line in (self.kernel.parent / f"symbols-{self.kernel.stem[4:]}.asm")
                 .read_text().splitlines() if line.startswith("    dd ")}
        for function in ("kmalloc", "kfree", "kernel_main", "panic", "measuredCall"):
            self.assertIn(at[function], found, f"{function} moved between the two links")

    def test_the_heaps_code_is_counted_and_what_inspects_it_is_not(self):
        text = (self.kernel.parent / f"symbols-{STRATEGY}.asm").read_text()
        counted = int(re.search(r"heap_text_bytes: dd (\d+)", text)[1])
        sizes = {words[3]: int(words[1], 16) for words in
                 (line.split() for line in output_of("nm", "-S", self.kernel).splitlines())
                 if len(words) == 4}
        at = symbols(self.kernel)
        self.assertGreaterEqual(counted, sizes["kmalloc"] + sizes["kfree"] + sizes["krealloc"])
        self.assertLess(counted, at["_heap_text_end"] - at["_heap_text_start"])


class TheImage(unittest.TestCase):
    """los.elf and los.iso."""

    def test_los_elf_is_the_chosen_heaps_kernel(self):
        chosen, kernel = (BUILD / "arch" / "x86" / name
                          for name in ("los.elf", f"los-{STRATEGY}.elf"))
        self.assertEqual(chosen.read_bytes(), kernel.read_bytes())

    def test_the_iso_is_small(self):
        self.assertLess((BUILD / "arch" / "x86" / "los.iso").stat().st_size, ISO_BYTES_MAX)

    def test_the_iso_has_bios_and_uefi_boot_records(self):
        report = output_of("xorriso", "-indev", BUILD / "arch" / "x86" / "los.iso",
                           "-report_el_torito", "plain")
        self.assertRegex(report, r"El Torito boot img.*BIOS")
        self.assertRegex(report, r"El Torito boot img.*UEFI")


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv[1])
    HEAP_KIB = int(sys.argv[2])
    STRATEGY = sys.argv[3]
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)
