# SPDX-License-Identifier: MIT
"""The options of `grade`."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

from lab import build
from lab.errors import InputError
from lab.options import Parser, add_jobs


def grade(argv: Sequence[str]) -> int:
    """Try whether one heap is correct, measure it, and say what that is worth."""
    parser = Parser(
        prog="heaplab grade", allow_abbrev=False,
        description="The verdict on one heap: is it correct (if not, the shortest calls that show"
        " it), what does it cost, how tight is it, beside the classics. The exit status is 0 only"
        " if it is correct.")
    parser.add_argument("name", metavar="NAME", help="a strategy")
    parser.add_argument("--full", action="store_true",
                        help="measure whole traces, not their beginnings; takes some minutes")
    add_jobs(parser, "checks and boots at the same time")
    parser.add_argument("--results", type=Path, default=Path("heaplab-results/grade"),
                        metavar="DIR", help="where logs and the calls that go wrong are kept"
                        " (default: %(default)s)")
    options = parser.parse_args(argv)
    if options.name not in (known := build.strategies()):
        raise InputError(f"there is no strategy {options.name!r}; choose from: {', '.join(known)}")
    from lab.grade import command  # needs rich, which --help does not
    return command.run(options.name, options.results, options.full,
                       options.jobs)
