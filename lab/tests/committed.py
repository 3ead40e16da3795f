# SPDX-License-Identifier: MIT
"""What is true of each command that writes a page from records, and of its committed page."""

from __future__ import annotations

import json
import unittest
from pathlib import Path
from types import ModuleType
from typing import Any, Sequence
from unittest import mock

from lab import ROOT, process
from lab.build import what_makes_code
from lab.evidence import figures_by
from lab.experiment import Builds, Experiment, Laboratory
from lab.options import cores
from lab.schedule import carry_out
from lab.tests.support import empty_directory, said, temporary_directory


def carry_out_all(chosen: Sequence[Experiment], builds: Builds, scratch: Path) -> dict[str, Any]:
    """The results of some experiments, by key, as a file would have them."""
    laboratory = Laboratory(chosen, builds, scratch)
    process.wait_for(carry_out(laboratory.plan, cores(), laboratory.perform,
                               mock.Mock()))
    made: dict[str, Any] = json.loads(json.dumps(laboratory.answers))
    return made


class BadInput(unittest.TestCase):
    """To be derived from: each is one whole line on standard error, status 2, and nothing written
    or started."""

    NAME: str
    command: ModuleType

    def setUp(self) -> None:
        self.directory = self.enterContext(empty_directory())
        self.enterContext(mock.patch.object(self.command, "measure", side_effect=AssertionError))

    def refusal(self, *arguments: str) -> str:
        before = set(self.directory.iterdir())
        status, out, err = said(self.NAME, *arguments)
        self.assertEqual((status, out), (2, ""))
        self.assertEqual(set(self.directory.iterdir()), before)
        return err


class Page(unittest.TestCase):
    """To be derived from: its words follow from its records, and its records are still so."""

    NAME: str
    """docs/NAME.md, of `heaplab NAME`."""
    pages: ModuleType
    page: Path
    records: Path
    remedy: str
    document: dict[str, Any]

    @classmethod
    def setUpClass(cls) -> None:
        cls.page = ROOT / "docs" / f"{cls.NAME}.md"
        cls.records = ROOT / "docs" / cls.NAME / "results.json"
        cls.remedy = f"write it anew: ./heaplab {cls.NAME} --out docs/{cls.NAME}.md"
        cls.document = json.loads(cls.records.read_text("utf-8"))

    def test_page_and_figures_are_what_the_records_say(self) -> None:
        made = self.pages.files(self.document, self.page, self.records)
        same_figures = self.document["build"]["figures"] == figures_by()
        for path, text in made.items():
            if path.suffix == ".md" or same_figures:
                with self.subTest(path.name):
                    self.assertEqual(path.read_text("utf-8"), text, self.remedy)
        if not same_figures:
            self.skipTest(f"the figures were drawn by {self.document['build']['figures']}, here"
                          f" is {figures_by()}; the words agree")

    def test_no_figure_lies_about_unused(self) -> None:
        made = self.pages.files(self.document, self.page, self.records)
        self.assertEqual(set(self.records.parent.glob("*.svg")),
                         {path for path in made if path.suffix == ".svg"})

    def must_come_out_again(self, chosen: Sequence[Experiment]) -> None:
        """What a record did not have when it was taken, it may have now."""
        committed = {record["key"]: record["result"] for record in self.document["records"]}
        builds = Builds(chosen)
        builds.prepare(print)
        if what_makes_code(builds.provenance()) != \
                what_makes_code(self.document["build"]["programs"]):
            self.skipTest("the committed records were taken with other compilers or flags")
        answers = carry_out_all(chosen, builds, self.enterContext(temporary_directory()))
        for one in chosen:
            with self.subTest(one.key):
                told = {name: answers[one.key].get(name) for name in committed[one.key]}
                self.assertEqual(told, committed[one.key], self.remedy)
