# SPDX-License-Identifier: MIT
"""The live map of the heap on the graphics screen, through GRUB as on a PC.

usage: screen_test.py BUILD_DIRECTORY [--update] [unittest arguments]

The part of the screen that shows the heap must be, point by point, that of docs/screen.png,
which --update takes anew. What it shows is compared with what the shell says as well.
"""

import pathlib
import re
import select
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from PIL import Image  # comes with matplotlib

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE))

from lab import qemu  # noqa: E402  (the path comes first)

BUILD = pathlib.Path()
UPDATE = False
PICTURE = SOURCE / "docs" / "screen.png"
HEAP, TRACE = "boundary-map", "linux-fs"
LIMIT_SECONDS = 150

WIDTH, HEIGHT, TEXT_WIDTH = 1024, 768, 640
GRID_TOP, CELL_POINTS, SIDE_CELLS = 24, 3, 128
HOLE, CACHED, META = (0x20, 0x26, 0x2c), (0x9a, 0x6a, 0x00), (0x8a, 0x5a, 0x7c)
VBE_INDEX, VBE_DATA, VBE_BITS = 0x1CE, 0x1CF, 3  # QEMU's docs/specs/standard-vga
LINES = ("heap", f"load {TRACE}", "replay 55000", "step 12", "stats")

Point = tuple[int, int, int]


def points(text: bytes) -> list[list[Point]]:
    """The rows of a picture as QEMU writes it (PPM, P6)."""
    head, width, height, most, body = re.match(rb"(P6)\s+(\d+)\s+(\d+)\s+(\d+)\s(.*)", text,
                                               re.DOTALL).groups()
    assert (head, most) == (b"P6", b"255")
    columns, step = int(width), 3 * int(width)
    rows = (body[i * step:(i + 1) * step] for i in range(int(height)))
    return [[tuple(row[3 * x:3 * x + 3]) for x in range(columns)] for row in rows]


class TheScreen(unittest.TestCase):
    """As the kernel wishes it to be."""

    mode, bits = "", 32

    @classmethod
    def setUpClass(cls) -> None:
        cls.directory = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.place = pathlib.Path(cls.directory)
        iso = cls.place / "shell.iso"
        subprocess.run([sys.executable, SOURCE / "arch" / "x86" / "image.py", "--output", iso,
                        "--default", f"{HEAP}-shell", "--timeout", "0",
                        "--screen", cls.mode,
                        "--traces", SOURCE / "traces" / f"{TRACE}.rep.gz",
                        "--", BUILD / "arch" / "x86" / f"los-{HEAP}.elf"], check=True)
        words = qemu.Machine(iso=iso).command(cls.place)
        cls.machine = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *words, "-monitor",
             f"unix:{cls.place / 'monitor'},server=on,wait=off"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        cls.addClassCleanup(cls.machine.communicate)
        cls.addClassCleanup(cls.machine.kill)
        cls.wait()
        cls.answers = {line: cls.ask(line) for line in LINES}
        cls.rows = cls.dump()

    @classmethod
    def wait(cls) -> str:
        """Waits for the prompt; returns what was said."""
        said = b""
        end = time.monotonic() + LIMIT_SECONDS
        while not said.endswith(b"los> "):
            ready, _, _ = select.select([cls.machine.stdout], [], [], end - time.monotonic())
            chunk = cls.machine.stdout.read1(65536) if ready else b""
            if not chunk:
                raise AssertionError(f"no prompt comes; so far: {said!r}")
            said += chunk
        return said.decode()

    @classmethod
    def ask(cls, line: str) -> str:
        cls.machine.stdin.write(line.encode() + b"\r")
        cls.machine.stdin.flush()
        return cls.wait()

    @classmethod
    def tell(cls, *commands: str) -> str:
        """Has QEMU's monitor do something; returns what it says."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(LIMIT_SECONDS)
            monitor.connect(str(cls.place / "monitor"))
            monitor.sendall("".join(f"{command}\n" for command in commands).encode())
            said = b""
            while said.count(b"(qemu)") < 1 + len(commands):
                said += monitor.recv(4096)
        return said.decode()

    @classmethod
    def dump(cls) -> list[list[Point]]:
        """What the screen shows."""
        file = cls.place / "screen.ppm"
        cls.tell(f'screendump "{file}"')
        return points(file.read_bytes())

    def cells(self) -> list[Point]:
        """The colour of each cell of the map; each must be of one colour."""
        found = []
        for row in range(SIDE_CELLS):
            for column in range(SIDE_CELLS):
                top, left = GRID_TOP + row * CELL_POINTS, TEXT_WIDTH + column * CELL_POINTS
                inside = {point for line in self.rows[top:top + CELL_POINTS]
                          for point in line[left:left + CELL_POINTS]}
                self.assertEqual(len(inside), 1, f"cell {row}, {column}: {inside}")
                found.append(inside.pop())
        return found

    def test_has_the_size_that_was_wished_for(self) -> None:
        self.assertEqual((len(self.rows[0]), len(self.rows)), (WIDTH, HEIGHT))
        said = self.tell(f"o/h {VBE_INDEX:#x} {VBE_BITS}", f"i/h {VBE_DATA:#x}")
        self.assertEqual(int(re.search(r"= (0x\w+)", said)[1], 16), self.bits)

    def test_shows_the_heap_as_the_picture_in_the_documents_does(self) -> None:
        if UPDATE:
            picture = Image.new("RGB", (WIDTH, HEIGHT))
            picture.putdata([point for row in self.rows for point in row])
            picture.save(PICTURE, optimize=True)
        expected = Image.open(PICTURE).convert("RGB").load()
        wrong = [(x, y) for y in range(HEIGHT) for x in range(TEXT_WIDTH, WIDTH)
                 if expected[x, y] != self.rows[y][x]]
        self.assertEqual(len(wrong), 0, f"{len(wrong)} points differ, the first at {wrong[:1]};"
                                        " if they should, --update takes the picture anew")

    def test_has_as_many_free_cells_as_there_is_free_memory(self) -> None:
        free, kept = (int(re.search(rf"(?m)^{name} .*?(\d+) bytes", self.answers["stats"])[1])
                      for name in ("free", "kept"))
        cells = self.cells()
        cell_bytes = 1064960 / len(cells)
        # A cell counts as what most of it is, and one that changed of late is still bright.
        self.assertAlmostEqual(cells.count(HOLE) * cell_bytes, free, delta=0.03 * free)
        self.assertLessEqual(cells.count(CACHED) * cell_bytes, kept)
        self.assertGreater(cells.count(CACHED), 0)
        self.assertAlmostEqual(cells.count(META) * cell_bytes, 16384, delta=128)

    def test_shows_what_changed_last_in_another_colour_that_fades(self) -> None:
        before = self.cells()
        for _ in range(20):
            self.ask("stats")
        type(self).rows = self.dump()
        after = self.cells()
        self.assertGreater(sum(old != new for old, new in zip(before, after)), 20)
        self.assertLessEqual(len(set(after)), 6)
        self.assertGreater(len(set(before)), 6)

    def test_text_and_map_keep_out_of_each_others_way(self) -> None:
        gap = {point for row in self.rows for point in row[TEXT_WIDTH - 8:TEXT_WIDTH]}
        self.assertEqual(len(gap), 1)


class OneOf24Bits(TheScreen):
    """A card that has no other: each point is three bytes."""

    mode, bits = f"{WIDTH}x{HEIGHT}x24", 24


if __name__ == "__main__":
    BUILD = pathlib.Path(sys.argv[1])
    UPDATE = "--update" in sys.argv
    unittest.main(argv=[sys.argv[0], *(word for word in sys.argv[2:] if word != "--update")],
                  verbosity=2)
