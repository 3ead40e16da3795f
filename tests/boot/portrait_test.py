# SPDX-License-Identifier: MIT
"""The picture that a replay draws of its heap, against the trace and where each block was placed.

usage: portrait_test.py KERNEL HOST [unittest arguments]
"""

import array
import gzip
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Iterator

SOURCE = pathlib.Path(__file__).resolve().parents[2]
KERNEL = HOST = pathlib.Path()

OPERATIONS, CELLS, SAMPLES = 6000, 1000, 60
NOWHERE = 0xFFFFFFFF
STATES = set("rwchnm")


def unpacked(portrait: list[str]) -> list[str]:
    """The rows of a picture, a letter a sample."""
    return ["".join(state * int(count) for count, state in re.findall(r"(\d+)(.)", row))
            for row in portrait]


class Shadow:
    """What the picture must show, from the trace and the placements alone."""

    def __init__(self, total_bytes: int) -> None:
        self.cell_bytes = total_bytes // CELLS
        self.live: dict[str, tuple[int, int]] = {}
        self.used: set[int] = set()

    def play(self, operation: str, placement: int) -> None:
        kind, ident, *size = operation.split()
        if placement != NOWHERE:
            self.live[ident] = (placement, int(size[0]))
            last = (placement + int(size[0]) - 1) // self.cell_bytes
            self.used |= set(range(placement // self.cell_bytes, last + 1))
        elif kind == "f" or size == ["0"]:
            self.live.pop(ident, None)

    def requested(self) -> set[int]:
        """The cells whose byte a caller asked for."""
        return {cell for start, size in self.live.values()
                for cell in range(start // self.cell_bytes, (start + size) // self.cell_bytes + 1)
                if cell < CELLS and start <= self.shown_byte(cell) < start + size}

    def shown_byte(self, cell: int) -> int:
        """The one byte that a cell shows, wherever in the cell it is."""
        return cell * self.cell_bytes + cell * 2654435761 % 2**32 % self.cell_bytes


class Portrait(unittest.TestCase):

    @classmethod
    def setUpClass(cls) -> None:
        directory = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.trace = directory / "user-perl.rep"  # which reallocates, too
        cls.trace.write_bytes(gzip.decompress(
            (SOURCE / "traces" / "user-perl.rep.gz").read_bytes()))
        placements = directory / "placements"
        cls.words = f"run=replay operations={OPERATIONS} samples={SAMPLES} portrait={CELLS}"
        cls.record = cls.replayed(HOST, *cls.words.split(), f"placements={placements}", cls.trace)
        cls.placements = array.array("I", placements.read_bytes())
        cls.rows = unpacked(cls.record["portrait"])
        cls.total_bytes = cls.record["heap_kib"] * 1040

    @staticmethod
    def replayed(*command: object) -> dict:
        said = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True)
        (record,) = re.findall(r"^result: (.*)$", said.stdout, re.MULTILINE)
        return json.loads(record)

    def columns(self) -> Iterator[tuple[Shadow, str]]:
        """What each sample must show, and what it does."""
        shadow = Shadow(self.total_bytes)
        operations = self.trace.read_text().splitlines()[4:]
        done = 0
        for sample, last in enumerate(self.record["series"]["operation"]):
            for index in range(done, last + 1):
                shadow.play(operations[index], self.placements[index])
            done = last + 1
            yield shadow, "".join(row[sample] for row in self.rows)

    def test_the_kernel_draws_what_the_host_draws(self):
        drawn = self.replayed(sys.executable, "-m", "lab.qemu", "--kernel", KERNEL, "--append",
                              self.words, "--module", self.trace)["portrait"]
        self.assertEqual(drawn, self.record["portrait"])

    def test_the_bytes_shown_lie_at_many_places_of_a_block(self):
        shadow = Shadow(self.total_bytes)
        places = {shadow.shown_byte(cell) % 64 for cell in range(CELLS)}
        self.assertEqual(places, set(range(64)))

    def test_a_row_for_each_cell_has_a_state_for_each_sample(self):
        self.assertEqual((len(self.rows), {len(row) for row in self.rows}), (CELLS, {SAMPLES}))
        self.assertLessEqual(set("".join(self.rows)), STATES)

    def test_runs_are_as_long_as_they_can_be(self):
        for row in self.record["portrait"]:
            self.assertNotRegex(row, r"\d([a-z])\d+\1")

    def test_a_byte_is_shown_as_requested_iff_a_caller_has_it(self):
        for shadow, column in self.columns():
            shown = {cell for cell, state in enumerate(column) if state == "r"}
            self.assertEqual(shown, shadow.requested())

    def test_a_hole_was_used_before_and_the_rest_of_what_is_free_never(self):
        for shadow, column in self.columns():
            for cell, state in enumerate(column):
                if state in "hn":
                    self.assertEqual(state == "h", cell in shadow.used, f"cell {cell}")

    def test_shares_of_cells_are_shares_of_memory(self):
        names = {"r": "requested", "rw": "granted", "hn": "free"}
        for sample, (_, column) in enumerate(self.columns()):
            for states, name in names.items():
                share = sum(map(column.count, states)) / CELLS
                size = self.record["series"][name][sample]
                self.assertAlmostEqual(share, size / self.total_bytes, delta=0.03, msg=name)

    def test_without_cells_or_samples_there_is_no_picture(self):
        for words in ("portrait=0", "portrait=9 samples=0"):
            record = self.replayed(HOST, "run=replay", "operations=9", *words.split(), self.trace)
            self.assertEqual(record["portrait"], [])

    def test_more_cells_than_there_may_be_are_refused(self):
        done = subprocess.run([HOST, "run=replay", "portrait=1025", self.trace],
                              capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout),
                         (1, "error: command line: 'portrait=1025' is no word this kernel knows,"
                          " or its value is out of range\n"))


if __name__ == "__main__":
    KERNEL, HOST = map(pathlib.Path, sys.argv[1:3])
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
