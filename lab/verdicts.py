# SPDX-License-Identifier: MIT
"""What became of mutants: kept from run to run, explained where they survive, and shown."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Callable, Collection, Iterable, Mapping, Optional, Sequence

from lab import ROOT, results
from lab.errors import InputError
from lab.mutants import Mutant

EXPLANATIONS = ROOT / "tests" / "mutants.txt"

SAME, NO_CODE, SURVIVES = "same code", "no C", "survives"
"""Outcomes besides the name of the test that killed."""

_GAP = "A gap: "
"""How the reason begins where a test is missing."""

_FRONT_DOOR_TESTS = ("front_door.h", "front_door_test.c", "fenced_test.c", "fenced_books.h",
                     "wanting_test.c")

_ROW = re.compile(r"^\| `(\S+)` ((?=\| (\d+) \|).*)$", re.MULTILINE)
"""Of a table's row: the file, its cells, and of these the number of changes."""

_PLACE = re.compile(r"(?ms)^(<!-- mutants -->)\n.*?^(<!-- end of mutants -->)$")


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant."""

    key: str
    file: str
    kind: str
    outcome: str
    message: str = ""

    @property
    def counts(self) -> bool:
        """Whether it is a mutant at all."""
        return self.outcome not in (SAME, NO_CODE)

    @property
    def witness(self) -> str:
        """The program that killed it, without strategy and case."""
        return self.outcome.partition(":")[0].partition("-")[0]


def explanations(path: Path = EXPLANATIONS) -> dict[str, str]:
    """Why a mutant survives, by its key: a paragraph of keys, and below them the reason.

    Raises InputError for a paragraph without either.
    """
    reasons: dict[str, str] = {}
    for paragraph in path.read_text("utf-8").split("\n\n"):
        lines = [line for line in paragraph.splitlines() if not line.startswith("#")]
        keys = [line for line in lines if not line.startswith("    ")]
        reason = " ".join(line.strip() for line in lines if line.startswith("    "))
        if lines and not (keys and reason):
            raise InputError(f"{path.name}: keys without a reason, or the reverse: {lines[0]}")
        reasons |= dict.fromkeys(keys, reason)
    return reasons


def settled(reasons: Mapping[str, str]) -> frozenset[str]:
    """The keys of those of which the reason says that no test has to notice them."""
    return frozenset(key for key, reason in reasons.items() if not reason.startswith(_GAP))


def _hash(paths: Iterable[Path]) -> str:
    whole = hashlib.sha256()
    for path in paths:
        whole.update(path.read_bytes())
    return whole.hexdigest()[:16]


def _hash_of_tests(of_front_door: bool) -> str:
    """Of the tests that tell of the front door's files, or of the strategies'."""
    tests = ROOT / "tests"
    inside = {path for path in tests.glob("*.[ch]") if path.name in _FRONT_DOOR_TESTS}
    chosen = inside | {*(tests / "locking").glob("*.[ch]")} if of_front_door else \
        {*tests.glob("*.[ch]"), *(tests / "exhaustive").glob("*.[ch]")} - inside
    return _hash(sorted({*chosen, *(ROOT / "kernel").glob("*_tests.c")}))


def _checked(verdicts: Any) -> dict[str, dict[str, str]]:
    """What a file of verdicts holds; ValueError if it is none."""
    needed = {field.name for field in fields(Verdict) if field.name != "message"}
    if not isinstance(verdicts, dict):
        raise ValueError("no object")
    for place, known in verdicts.items():
        if not (isinstance(known, dict) and needed <= set(known) <= needed | {"message", "tests"}
                and all(isinstance(value, str) for value in known.values())):
            raise ValueError(f"wrong at {place!r}")
    return verdicts


class Ledger:
    """Verdicts kept in a file, each as long as the file that it is about stays the same.

    Who survived does so as long as the tests stay the same, too, or for ever if it is settled
    why; the tests from inside the front door concern its own files alone.
    """

    def __init__(self, path: Optional[Path], front_door: Collection[str] = (),
                 settled: Collection[str] = ()) -> None:
        self._path = path
        self._front_door = front_door
        self._settled = settled
        self._verdicts: dict[str, dict[str, str]] = {}
        if path and path.exists():
            try:
                self._verdicts = _checked(json.loads(path.read_text("utf-8")))
            except ValueError as error:
                raise InputError(f"{path} is no list of verdicts: {error}; remove it") from error
        self._new = 0
        self._tests = {of_front_door: _hash_of_tests(of_front_door)
                       for of_front_door in (False, True)}

    def _tests_of(self, mutant: Mutant) -> str:
        return self._tests[mutant.file in self._front_door]

    @staticmethod
    def _place(mutant: Mutant) -> str:
        return f"{_hash([ROOT / mutant.file])} {mutant.offset} {mutant.old} {mutant.new}"

    def find(self, mutant: Mutant) -> Optional[Verdict]:
        """What is known of a mutant."""
        known = self._verdicts.get(self._place(mutant))
        tests = self._tests_of(mutant)
        if known is None or \
                (known.get("tests", tests) != tests and mutant.key not in self._settled):
            return None
        values = {name: value for name, value in known.items() if name != "tests"}
        return Verdict(**{**values, "key": mutant.key})

    def note(self, mutant: Mutant, verdict: Verdict) -> None:
        """Keep a verdict; written every now and then."""
        tests = {"tests": self._tests_of(mutant)} if verdict.outcome == SURVIVES else {}
        self._verdicts[self._place(mutant)] = {**asdict(verdict), **tests}
        self._new += 1
        if self._new % 20 == 0:
            self.write()

    def write(self) -> None:
        """Write all verdicts down."""
        if self._path:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            results.write_files({self._path: json.dumps(self._verdicts, indent=0) + "\n"})


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"


def _row(name: str, verdicts: Sequence[Verdict], of: int,
         reasons: Mapping[str, str]) -> list[str]:
    counted = [one for one in verdicts if one.counts]
    by = Counter(one.witness for one in counted)
    alive = [one for one in counted if one.outcome == SURVIVES]
    explained = sum(one.key in reasons for one in alive)
    killed = len(counted) - len(alive)
    return [name, *map(str, (of, len(verdicts), len(counted), killed)),
            _share(killed, len(counted)),
            *(str(sum(by[kind] for kind in kinds)) for kinds in _WITNESSES),
            str(explained), str(len(alive) - explained)]


_WITNESSES = (("strategy", "heap", "oracle", "front", "wanting", "lock", "magazine"),
              ("exhaustive",), ("host",))
HEADINGS = ("file", "changes", "tried", "mutants", "killed", "share", "cases", "sequences",
            "self-tests", "explained", "open")


def rows(verdicts: Sequence[Verdict], totals: Mapping[str, int],
         reasons: Mapping[str, str]) -> list[list[str]]:
    """A row for each file, and one for all; `totals`: how many changes of a file there are."""
    lines = [_row(f"`{file}`", [one for one in verdicts if one.file == file], of, reasons)
             for file, of in totals.items()]
    return [*lines, _row("**all**", verdicts, sum(totals.values()), reasons)]


def as_markdown(verdicts: Sequence[Verdict], totals: Mapping[str, int],
                reasons: Mapping[str, str]) -> str:
    """The table of files, and below it the survivors with their reasons."""
    lines = [f"| {' | '.join(HEADINGS)} |", "|---|" + "--:|" * (len(HEADINGS) - 1)]
    lines += [f"| {' | '.join(row)} |" for row in rows(verdicts, totals, reasons)]
    alive = [one.key for one in verdicts if one.outcome == SURVIVES]
    gaps = sum(reasons.get(key, _GAP).startswith(_GAP) for key in alive)
    lines += ["", f"{gaps} of the {len(alive)} survivors are gaps in the tests, or open; of each"
              " of the others the reason says why no test that is there has to notice it."]
    for reason, group in _by_reason(verdicts, reasons).items():
        lines += ["", f"**{reason}**", "", *(f"- `{key}`" for key in group)]
    return "\n".join(lines) + "\n"


def _by_reason(verdicts: Iterable[Verdict], reasons: Mapping[str, str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for one in verdicts:
        if one.outcome == SURVIVES:
            groups.setdefault(reasons.get(one.key, "Not explained"), []).append(one.key)
    return groups


def _remembered(row: re.Match[str], document: str) -> list[Verdict]:
    """The verdicts that a row of the document tells of; what was killed has no key there."""
    file, numbers = row[1], [int(number) for number in re.findall(r"\| (\d+) (?=\|)", row[2])]
    (_, tried, counted, _, *killed_by, _, _) = numbers
    alive = re.findall(rf"^- `({re.escape(file)} .*)`$", document, re.MULTILINE)
    outcomes = [*(kinds[0] for kinds, count in zip(_WITNESSES, killed_by) for _ in range(count)),
                *[SAME] * (tried - counted)]
    return [*(Verdict(key, file, "", SURVIVES) for key in alive),
            *(Verdict("", file, "", outcome) for outcome in outcomes)]


def with_remembered(verdicts: Sequence[Verdict], document: str,
                    totals: Mapping[str, int]) -> list[Verdict]:
    """The verdicts, and of files of which the document knows more what it tells of them.

    A file that has another number of changes now is another file.
    """
    known = {file: [one for one in verdicts if one.file == file] for file in totals}
    for row in _ROW.finditer(document):
        remembered = _remembered(row, document)
        if totals.get(row[1]) == int(row[3]) and len(remembered) > len(known[row[1]]):
            known[row[1]] = remembered
    return [one for of_file in known.values() for one in of_file]


def placed(document: str, verdicts: Sequence[Verdict], totals: Mapping[str, int],
           reasons: Mapping[str, str]) -> str:
    """The text of a document with tables and survivors in their place."""
    shown = as_markdown(with_remembered(verdicts, document, totals), totals, reasons)
    text, count = _PLACE.subn(lambda found: f"{found[1]}\n{shown}{found[2]}", document)
    if count != 1:
        raise InputError("the document has no place for the table: '<!-- mutants -->' on a line,"
                         " '<!-- end of mutants -->' on a later one")
    return text


def report(verdicts: Sequence[Verdict], totals: Mapping[str, int], reasons: Mapping[str, str],
           say: Callable[[str], None]) -> list[str]:
    """Print a table; returns the keys of survivors that nobody has explained."""
    from rich.console import Console
    from rich.table import Column, Table
    table = Table(Column(HEADINGS[0], no_wrap=True),
                  *(Column(name, justify="right", no_wrap=True)
                    for name in HEADINGS[1:]),
                  box=None, padding=(0, 1, 0, 0))
    for row in rows(verdicts, totals, reasons):
        table.add_row(*(cell.strip("`*").removeprefix("mm/") for cell in row))
    Console(width=100).print(table)
    unexplained = _by_reason(verdicts, reasons).get("Not explained", [])
    for key in unexplained:
        say(f"survives: {key}")
    return unexplained
