# SPDX-License-Identifier: MIT
"""What the options of all commands share: errors in one line, and kinds of numbers."""

from __future__ import annotations

import argparse
import os
from fractions import Fraction
from typing import NoReturn

from lab import heaps
from lab.errors import InputError


class Parser(argparse.ArgumentParser):
    """Reports what is wrong in the one line that every error of heaplab is."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; '{self.prog} --help' says more")


def number_above_zero(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise ValueError
    return value


def share(text: str) -> Fraction:
    value = float(text)
    if not (value == 0 or 1e-9 <= value < 1e9):
        raise ValueError
    return Fraction(text) if value else Fraction(0)  # 1e-999999999 has as many digits


def samples(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 4096:
        raise ValueError
    return value


def workers(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1024:
        raise ValueError
    return value


def cores() -> int:
    """How many of the machine's this process may use."""
    return len(os.sched_getaffinity(0))


def add_jobs(parser: argparse.ArgumentParser, what: str) -> None:
    """Take `--jobs N`: so many of `what`."""
    parser.add_argument("--jobs", type=workers, metavar="N", default=cores(),
                        help=f"{what} (default: one for each core)")


def add_dials(parser: argparse.ArgumentParser, what: str) -> None:
    """Take lists for `--hardening` and `--locking`, which make a strategy several heaps: `what`
    becomes of these."""
    for option, known in (("hardening", heaps.LEVELS), ("locking", heaps.LOCKINGS)):
        parser.add_argument(f"--{option}", default=known[0], metavar="A,B",
                            help=f"words for -D{option}: {', '.join(known)}; {what} (default:"
                            " %(default)s)")


def add_heap_kib(parser: argparse.ArgumentParser) -> None:
    """Take `--heap-kib N`, a text for build.checked_heap_kib()."""
    parser.add_argument("--heap-kib", default="1024", metavar="N",
                        help="size of the heap, 64 to 65536 KiB (default: %(default)s)")


def add_time_limit(parser: argparse.ArgumentParser) -> None:
    """Take `--time-limit SECONDS`, of boots that stand still."""
    parser.add_argument("--time-limit", type=number_above_zero, metavar="SECONDS",
                        help="kill a boot that comes no further for so long (default: 60, more for"
                        " large heaps)")


def seed(text: str) -> int:
    value = int(text)
    if not 1 <= value < 1 << 32:
        raise ValueError
    return value


def count(text: str) -> int:
    value = int(text)
    if not 1 <= value < 10**12:
        raise ValueError
    return value


share.__name__ = "share"
count.__name__ = "number above zero"
samples.__name__ = "number from 0 to 4096"
seed.__name__ = "seed from 1 to 4294967295"
number_above_zero.__name__ = "number above zero"
workers.__name__ = "number of jobs"
