# SPDX-License-Identifier: MIT
"""The files of a comparison: CSV, and JSON as its schema says."""

from __future__ import annotations

import copy
import csv
import importlib.util
import json
import unittest
from typing import Any, Iterator

from lab import outputs, results
from lab.tests.support import SCHEMA_FILE, document, raw_record, schema_complaints, trace

_NOTHING = {"operations": 0, "total": 0}


def _documents() -> Iterator[results.Document]:
    """Documents with whatever may be null or absent."""
    yield document()
    yield document(failures=3)
    odd = document(strategies=("bitmap",), traces=("one",))
    odd["records"] = [results.record(raw_record() | {"free": _NOTHING}, trace("one"), 0, 200, 9)]
    yield odd
    timed = document()
    for one in timed["records"]:
        one["footprint"]["stack_bytes"] = None
    yield timed


class Csv(unittest.TestCase):

    def rows(self, made: results.Document) -> list[dict[str, str]]:
        return list(csv.DictReader(outputs.to_csv(made).splitlines()))

    def test_a_record_is_a_row_with_every_figure_of_it(self) -> None:
        made = document(failures=3)
        for number, one in enumerate(made["records"]):
            one["simulated"] = {"mispredicted_branches": number, "level_1_misses": 7}
        for one, row in zip(made["records"], self.rows(made), strict=True):
            figures = {name: value for name, value in one.items()
                       if name not in ("series", "portrait")}
            for name, value in figures.items():
                for field, inner in value.items() if isinstance(value, dict) else [("", value)]:
                    written = row.pop(f"{name}_{field}" if field else name)
                    self.assertEqual(written, "" if inner is None else str(inner))
            self.assertEqual(row, {})

    def test_what_is_null_is_empty_and_moves_no_column(self) -> None:
        headers = set()
        for made in _documents():
            text = outputs.to_csv(made)
            headers.add(text.partition("\n")[0])
            self.assertNotIn("None", text)
        self.assertEqual(len(headers), 1)

    def test_a_name_with_a_comma_stays_one_field(self) -> None:
        (row,) = self.rows(document(strategies=("bitmap",), traces=('a,"b"',)))
        self.assertEqual(row["trace"], 'a,"b"')


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each member of a document is that the schema names; not those of open objects."""
    members = value.items() if isinstance(value, dict) else \
        enumerate(value[:1]) if isinstance(value, list) else ()
    for name, member in members:
        if isinstance(value, dict) and path != ("build",):
            yield (*path, name)
        yield from _places(member, (*path, name))


@unittest.skipUnless(importlib.util.find_spec("jsonschema"), "not installed: python3-jsonschema")
class Schema(unittest.TestCase):

    def test_the_schema_is_one(self) -> None:
        from jsonschema import Draft202012Validator
        Draft202012Validator.check_schema(json.loads(SCHEMA_FILE.read_text("utf-8")))

    def test_what_the_lab_makes_is_valid(self) -> None:
        for made in _documents():
            self.assertEqual(schema_complaints(made), [])

    def test_a_document_that_lacks_a_member_or_has_another_is_not(self) -> None:
        places = list(_places(document(failures=3)))
        self.assertGreater(len(places), 80)
        for *path, name in places:
            made = document(failures=3)
            inner = made
            for step in path:
                inner = inner[step]
            inner["surplus"] = inner[name]
            with self.subTest("/".join(map(str, (*path, name)))):
                self.assertRegex(" ".join(schema_complaints(made)), "'surplus' was unexpected")
                del inner["surplus"], inner[name]
                self.assertNotEqual(schema_complaints(made), [])

    def test_values_of_the_wrong_kind_are_not(self) -> None:
        made = document()
        record = made["records"][0]
        for inner, name, value in (
                (made, "version", 2), (record, "unit", "seconds"), (record, "failures", -1),
                (record, "failures", 1), (record, "tightness", 1.5), (record, "heap_kib", 63),
                (record, "placement_hash", "0123"), (record["cost"], "mean", None),
                (record["cost"], "p50", 1.5), (record["cost"], "operations", 0),
                (record["series"], "free", [1, -1]), (record, "portrait", ["2x"]),
                (record, "portrait", ["r2"]), (made, "records", [])):
            before = copy.deepcopy(inner[name])
            with self.subTest(name, value=value):
                inner[name] = value
                self.assertNotEqual(schema_complaints(made), [])
            inner[name] = before
        self.assertEqual(schema_complaints(made), [])


if __name__ == "__main__":
    unittest.main()
