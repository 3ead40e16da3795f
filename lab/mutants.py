# SPDX-License-Identifier: MIT
"""Mutants: a source file with one small change, made where clang's syntax tree says there is one.

The changes are the usual ones (DeMillo, Lipton and Sayward, "Hints on test data selection", IEEE
Computer 11 (4), 1978; the operators are a selection of those of Offutt and others, ACM TOSEM 5 (2),
1996): comparisons moved by one or turned round, arithmetic and logic exchanged, constants one
larger, conditions negated, statements left out. Only the bodies of functions are changed.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Iterator, Sequence

from lab import ROOT
from lab.errors import RunError

_EXCHANGED = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==",
    "+": "-", "-": "+", "*": "/", "/": "*", "%": "/", "<<": ">>", ">>": "<<",
    "&": "|", "|": "&", "^": "&", "&&": "||", "||": "&&",
    "+=": "-=", "-=": "+=", "|=": "&=", "&=": "|=", "^=": "|=", "<<=": ">>=", ">>=": "<<=",
}
_KINDS = {
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), "comparison"),
    **dict.fromkeys(("&&", "||"), "logic"),
}
_OPERATOR = re.compile(r"[\s()]*(<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||[-+|&^]=|[-+*/%&|^<>])[\s()]*")
_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|[0-9]+)([uUlL]*)")
_LEFT_ALONE = re.compile(r"\(void\)|heap_step\(|__builtin_unreachable\(")


@dataclass(frozen=True)
class Mutant:
    """One change of one file."""

    file: str
    """From the source tree's root."""
    function: str
    kind: str
    offset: int
    old: str
    new: str
    line: int
    before: str
    """The line, or lines, that the change is in, without what is around them."""
    after: str
    nth: int = 1
    """Of those in its function that look the same."""

    @property
    def key(self) -> str:
        """What it is known by as long as its function is not changed."""
        again = f" ({self.nth})" if self.nth > 1 else ""
        return f"{self.file} {self.function}: {self.before} -> {self.after}{again}"

    def applied(self, text: str) -> str:
        """The file's text with the change."""
        return text[:self.offset] + self.new + text[self.offset + len(self.old):]


def files_of(strategy: str) -> list[str]:
    """A strategy's file, and the headers that it shares with no more than other strategies."""
    text = (ROOT / "mm" / f"{strategy}.c").read_text("utf-8")
    files, found = [f"mm/{strategy}.c"], re.findall(r'#include "([^"]+)"', text)
    while found:
        name = found.pop(0)
        path = f"mm/{name}"
        if path not in files and name not in ("heap.h", "heap_strategy.h", "heap_step.h"):
            files.append(path)
            found += re.findall(r'#include "([^"]+)"', (ROOT / path).read_text("utf-8"))
    return files


def of_file(file: str, unit: str, flags: Sequence[str] = ()) -> list[Mutant]:
    """Every mutant of a file that is, or is included by, the translation unit `unit`."""
    from clang import cindex  # Debian's python3-clang; nothing else of the lab needs it
    try:
        parsed = cindex.Index.create().parse(
            str(ROOT / unit), ["-m32", "-std=gnu11", f"-I{ROOT / 'mm'}", *flags])
    except cindex.TranslationUnitLoadError as error:
        raise RunError(f"{unit} cannot be read: {error}") from error
    if errors := [one for one in parsed.diagnostics if one.severity >= cindex.Diagnostic.Error]:
        raise RunError(f"{unit} cannot be read: {errors[0].spelling}")
    text = (ROOT / file).read_bytes()
    if not text.isascii():
        raise RunError(f"{file} has letters that are not ASCII: offsets would differ")
    walker = _Walker(file, text.decode("ascii"), cindex.CursorKind)
    for cursor in parsed.cursor.get_children():
        if cursor.location.file and Path(cursor.location.file.name).resolve() == ROOT / file and \
                cursor.kind == cindex.CursorKind.FUNCTION_DECL and cursor.is_definition():
            walker.function = cursor.spelling
            walker.walk(cursor)
    unique = {(one.offset, one.old, one.new): one for one in walker.found}
    return _numbered(sorted(unique.values(), key=lambda one: (one.offset, one.old, one.new)))


def _numbered(found: Sequence[Mutant]) -> list[Mutant]:
    """The mutants, those that look the same told apart."""
    seen: Counter[str] = Counter()
    numbered = []
    for one in found:
        seen[one.key] += 1
        numbered.append(replace(one, nth=seen[one.key]))
    return numbered


class _Walker:
    """Goes through one file's functions. The types of libclang's objects are not declared."""

    def __init__(self, file: str, text: str, kinds: Any) -> None:
        self._file = file
        self._text = text
        self._kinds = kinds
        self.function = ""
        self.found: list[Mutant] = []

    def walk(self, cursor: Any) -> None:
        """Find what can be changed in and below a node."""
        kinds = self._kinds
        children = list(cursor.get_children())
        if cursor.kind in (kinds.BINARY_OPERATOR, kinds.COMPOUND_ASSIGNMENT_OPERATOR):
            self._exchange(children)
        elif cursor.kind in (kinds.IF_STMT, kinds.WHILE_STMT, kinds.CONDITIONAL_OPERATOR):
            self._negate(children[0])
        elif cursor.kind == kinds.UNARY_OPERATOR:
            self._drop_sign(cursor, children[0])
        elif cursor.kind == kinds.INTEGER_LITERAL:
            self._change_number(cursor)
        self._delete_among(cursor, children)
        for child in children:
            self.walk(child)

    def _span(self, cursor: Any) -> tuple[int, int]:
        return cursor.extent.start.offset, cursor.extent.end.offset

    def _add(self, kind: str, start: int, end: int, new: str) -> None:
        """Note a change, unless the place is not really in this file's text."""
        old = self._text[start:end]
        if not old or _LEFT_ALONE.match(old):
            return
        first = self._text.rfind("\n", 0, start) + 1
        last = self._text.find("\n", end)
        before = " ".join(self._text[first:last].split())
        after = " ".join((self._text[first:start] + new + self._text[end:last]).split())
        self.found.append(Mutant(self._file, self.function, kind, start, old, new,
                                 self._text.count("\n", 0, start) + 1, before, after))

    def _exchange(self, children: Sequence[Any]) -> None:
        start, end = self._span(children[0])[1], self._span(children[1])[0]
        match = _OPERATOR.fullmatch(self._text[start:end])
        if match:
            kind = _KINDS.get(match[1], "arithmetic")
            self._add(kind, start + match.start(1), start + match.end(1), _EXCHANGED[match[1]])

    def _negate(self, condition: Any) -> None:
        start, end = self._span(condition)
        self._add("condition", start, end, f"!({self._text[start:end]})")

    def _drop_sign(self, cursor: Any, operand: Any) -> None:
        start, end = self._span(cursor)
        sign = self._text[start:self._span(operand)[0]].strip("( \n")
        if sign in ("!", "~", "-"):
            self._add("logic" if sign == "!" else "arithmetic", start, start + 1, "")
        for old, new in (("++", "--"), ("--", "++")):
            if self._text[end - 2:end] == old:
                self._add("arithmetic", end - 2, end, new)
            elif self._text[start:start + 2] == old:
                self._add("arithmetic", start, start + 2, new)

    def _change_number(self, cursor: Any) -> None:
        start, end = self._span(cursor)
        written = self._text[start:end]
        if match := _NUMBER.fullmatch(written):
            self._add("constant", start, end, f"{int(match[1], 0) + 1}{match[2]}")
        elif re.match(r"true\b|false\b", self._text[start:start + 6]):
            old = "true" if self._text[start] == "t" else "false"
            self._add("constant", start, start + len(old), "false" if old == "true" else "true")

    def _statements(self, cursor: Any, children: Sequence[Any]) -> Iterator[Any]:
        kinds = self._kinds
        if cursor.kind == kinds.COMPOUND_STMT:
            yield from (one for one in children if one.kind != kinds.RETURN_STMT)
        elif cursor.kind == kinds.IF_STMT:
            yield from children[1:]
        elif cursor.kind in (kinds.WHILE_STMT, kinds.FOR_STMT):
            yield children[-1]

    def _delete_among(self, cursor: Any, children: Sequence[Any]) -> None:
        kinds = self._kinds
        for statement in self._statements(cursor, children):
            if statement.kind in (kinds.CALL_EXPR, kinds.BINARY_OPERATOR, kinds.UNARY_OPERATOR,
                                  kinds.COMPOUND_ASSIGNMENT_OPERATOR, kinds.RETURN_STMT,
                                  kinds.BREAK_STMT, kinds.CONTINUE_STMT):
                start, end = self._span(statement)
                self._add("statement", start, end, "")
