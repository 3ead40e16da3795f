# SPDX-License-Identifier: MIT
"""The commands `record`, `import` and `trace`, once their options are read."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Iterator, Optional, Sequence

from lab import build, process, results, trace
from lab.errors import InputError, RunError
from lab.record import importers, linux, shape, user
from lab.record.events import HARMFUL, Account, Choice, Converter, write_trace
from lab.trace import Trace

NEEDS = ("boundary-map", "tlsf", "bitmap")
"""Whose smallest memory `trace info` tells."""


def say(text: str) -> None:
    """One line for the person who waits."""
    print(f"heaplab: {text}", file=sys.stderr)


def checked_output(path: Path) -> Path:
    """A file name that a trace may have, where one can be written."""
    if not path.name.endswith(trace.SUFFIXES) or path.name in trace.SUFFIXES:
        raise InputError(f"{path}: a trace's name ends in .rep or .rep.gz")
    results.check_writable([path])
    return path


def checked_caller(text: Optional[str]) -> Optional[re.Pattern[str]]:
    """A pattern for callers."""
    try:
        return re.compile(text) if text else None
    except re.error as error:
        raise InputError(f"--caller {text}: not a regular expression: {error}") from None


def _tell(what: str, account: Account, path: Path) -> None:
    say(f"{what}: {account.events:,} events, {account.operations:,} operations in {path}")
    for line in account.lines():
        say(f"  {line}")
    if any(account.counts[name] for name in HARMFUL):
        say("  so this trace is not quite what happened")


def _write(converter: Converter, what: str, path: Path) -> None:
    text = converter.text()
    if converter.account.operations == 0:
        raise RunError(f"{what}: no operation is left that a trace could hold")
    trace.parse(text.encode(), path)
    write_trace(path, text)
    _tell(what, converter.account, path)


# --- record user ---------------------------------------------------------------------------------


def record_user(command: Sequence[str], out: Path, *, children: bool, choice: Choice) -> int:
    """Run and record a program; each of its processes is a trace of its own."""
    if not command:
        raise InputError("record user: which program? heaplab record user -- PROGRAM ARGS...")
    checked_output(out)
    with _place_beside(out) as scratch:
        status, recordings = user.run(command, scratch, children=children)
        paths = _paths(out, len(recordings))
        for one, path in zip(recordings, paths):
            if one.records == 0:
                say(f"{one.program}, process {one.process}: it called nothing")
                continue
            _write(Converter(choice).take_all(one.events()),
                   f"{one.program}, process {one.process}", path)
    if status:
        say(f"{command[0]} ended with status {status}")
    return 0


def record_linux(out: Path, *, architecture: str, version: Optional[str],
                 workload: Optional[Path], events: str, choice: Choice) -> int:
    """Boot Debian's Linux and record it."""
    checked_output(out)
    with _place_beside(out) as scratch:
        disk = linux.record(architecture=architecture, version=version, workload=workload,
                            events=events, scratch=scratch, say=say)
        _write(Converter(choice).take_all(linux.read(disk)), "Linux", out)
    return 0


@contextlib.contextmanager
def _place_beside(out: Path) -> Iterator[Path]:
    """A place for recordings. They are large: it is where the trace goes, not in a small /tmp.

    Directories that are made for it stay only if something is in them then. Raises InputError
    if there can be none.
    """
    with contextlib.ExitStack() as at_end:
        for place in reversed((out.parent, *out.parent.parents)):  # called in the other order
            if not os.path.exists(place):
                at_end.callback(_remove_if_empty, place)
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            scratch = tempfile.TemporaryDirectory(prefix="los-record-", dir=out.parent.absolute())
        except OSError as error:
            raise InputError(f"{out}: cannot be written: {error.strerror}") from None
        yield Path(at_end.enter_context(scratch))


def _remove_if_empty(directory: Path) -> None:
    with contextlib.suppress(OSError):
        directory.rmdir()


def _paths(out: Path, count: int) -> list[Path]:
    """The file of each process: the first has the name that was given, others a number in it."""
    name = trace.name_of(out)
    suffix = out.name[len(name):]
    return [out, *(out.with_name(f"{name}-{number}{suffix}") for number in range(2, count + 1))]


# --- import --------------------------------------------------------------------------------------


def import_file(path: Path, out: Optional[Path], format_name: Optional[str],
                choice: Choice) -> int:
    """Make a trace of somebody else's recording."""
    target = checked_output(out or Path(f"{path.name.partition('.')[0]}.rep.gz"))
    if os.path.exists(target) and target.resolve() == path.resolve():
        raise InputError(f"{path}: the trace would be written over the recording; say --out")
    found, events = importers.read(path, format_name)
    _write(Converter(choice).take_all(events), f"{path}, {found.title}", target)
    return 0


# --- trace ---------------------------------------------------------------------------------------


def _read(argument: str) -> Trace:
    return trace.read(trace.find(argument))


def _put(operations: Sequence[shape.Operation], out: Path, what: str) -> int:
    text = shape.text_of(operations)
    made = trace.parse(text.encode(), checked_output(out))
    write_trace(out, text)
    say(f"{what}: {made.operations:,} operations, at most {made.peak_requested_bytes:,} bytes at"
        f" once, in {out}")
    return 0


def cut(argument: str, begin: int, end: Optional[int], out: Path) -> int:
    """A window of a trace."""
    operations = shape.operations_of(_read(argument))
    return _put(shape.cut(operations, begin, len(operations) if end is None else end), out, "cut")


def scale(argument: str, share: Fraction, seed: int, out: Path) -> int:
    """A sample of a trace's blocks, for a smaller heap."""
    if not 0 < share <= 1:
        raise InputError("--share: a share is above 0 and at most 1")
    return _put(shape.sample(shape.operations_of(_read(argument)), float(share), seed), out,
                "scaled")


def filter_sizes(argument: str, least: int, most: int, out: Path) -> int:
    """The blocks of some sizes."""
    return _put(shape.by_size(shape.operations_of(_read(argument)), least, most), out, "filtered")


def merge(arguments: Sequence[str], out: Path) -> int:
    """Several traces as one, as if they ran at the same time."""
    if len(arguments) < 2:
        raise InputError("merge takes two traces or more")
    return _put(shape.merge([shape.operations_of(_read(one)) for one in arguments]), out, "merged")


def info(argument: str, picture: Optional[Path], with_needs: bool) -> int:
    """What a trace is like."""
    from rich.console import Console
    from lab.record import info as page
    one = _read(argument)
    if picture:
        results.check_writable([picture])
        if picture.resolve() == one.path.resolve():
            raise InputError(f"{picture}: cannot be written: this is the trace itself")
    found = shape.shape(shape.operations_of(one))
    needs = _needs(one) if with_needs else []
    page.show(one, found, needs, Console(highlight=False, soft_wrap=True))
    if picture:
        results.write_files({picture: page.picture(one, found)})
    return 0


def _needs(one: Trace) -> list[tuple[str, int]]:
    """The smallest memory in which some heaps run a trace."""
    programs = build.Build(build.HEAP_KIB_DEFAULT)
    programs.prepare([f"host-{name}" for name in NEEDS], say)
    found = []
    with tempfile.TemporaryDirectory(prefix="los-info-") as scratch:
        plain = Path(scratch) / "trace.rep"
        plain.write_bytes(one.text)
        for name in NEEDS:
            lines: list[str] = []
            outcome = process.wait_for(process.run(
                [str(programs.program(f"host-{name}")), "run=smallest", str(plain)],
                on_line=lines.append))
            said = re.search(r'"smallest_total_bytes":(\d+)', "\n".join(lines))
            if outcome.status or not said:
                raise RunError(f"{name}: the search for the smallest memory failed", outcome.tail)
            found.append((name, int(said[1])))
    return found
