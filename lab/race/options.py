# SPDX-License-Identifier: MIT
"""The options of `race`."""

from __future__ import annotations

import argparse
import re
from typing import Sequence

from lab import build, heaps
from lab.errors import InputError
from lab.options import Parser, count, seed, workers

PROCESSORS_MAX = 8
LOCKINGS = (*heaps.LOCKINGS, "unmasked")


def _processors(text: str) -> int:
    value = int(text)
    if not 1 <= value <= PROCESSORS_MAX:
        raise ValueError
    return value


_processors.__name__ = f"number of processors from 1 to {PROCESSORS_MAX}"


def _schedule(text: str) -> str:
    if not re.fullmatch(r"[0-7]:\d{1,9}(,[0-7]:\d{1,9})*", text) or len(text) > 500:
        raise ValueError
    return text


_schedule.__name__ = "schedule, SIDE:STEP[,SIDE:STEP ...]"


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="heaplab race", allow_abbrev=False,
        description="Processors, and interrupts that allocate, use a heap at once, and the first"
        " block that is handed out twice is told and drawn. The same race comes out the same on"
        " every run. docs/concurrency.md says more.")
    parser.add_argument("strategies", nargs="*", metavar="STRATEGY", help="(default: bitmap)")
    parser.add_argument("--strategies", dest="list", metavar="A,B",
                        help="the same, as other commands have it; 'all' is all")
    parser.add_argument("--locking", choices=LOCKINGS, default="none",
                        help="of the heap; unmasked is a spin lock round it that lets interrupts in"
                        " (default: none)")
    parser.add_argument("--processors", type=_processors, default=2, metavar="N",
                        help="1 to 8; one races with its own interrupts (default: 2)")
    parser.add_argument("--seed", type=seed, default=1, metavar="N",
                        help="of what is left to chance (default: 1)")
    parser.add_argument("--interval", type=count, metavar="N",
                        help="between a processor's timer interrupts, in the mean: instructions"
                        " (default: 3000; with --hold 10000), with --real cycles (default: 100000)")
    _add_modes(parser)
    return parser


def _add_modes(parser: argparse.ArgumentParser) -> None:
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--explore", type=int, choices=(1, 2, 3), metavar="SWITCHES",
                       help="try all schedules of up to so many switches (1 to 3), with each"
                       " locking, and count those that go wrong; 2 takes a minute or two")
    modes.add_argument("--schedule", type=_schedule, metavar="S",
                       help="replay a schedule, SIDE:STEP[,SIDE:STEP ...]: before that instruction"
                       " of its calls, a side hands over")
    modes.add_argument("--real", action="store_true",
                       help="20 runs without counting, processors at once: how long until something"
                       " goes wrong on this machine")
    modes.add_argument("--measure", action="store_true",
                       help="how long interrupts are kept out, and throughput of 1 to 8 processors")
    modes.add_argument("--hold", type=count, metavar="CALLS",
                       help="make so many calls with each locking that serves several processors:"
                       " nothing may go wrong")
    parser.add_argument("--calls", type=count, default=2, metavar="N",
                        help="of each side in a --schedule (default: 2)")
    parser.add_argument("--gdb", action="store_true",
                        help="with --schedule: wait for GDB, and say how to start it")
    parser.add_argument("--jobs", type=workers, metavar="N",
                        help="boots at the same time (default: one for each core)")


def _chosen(names: Sequence[str]) -> list[str]:
    known = build.strategies()
    for name in names:
        if name != "all" and name not in known:
            raise InputError(f"there is no strategy {name!r}; choose from: {', '.join(known)};"
                             " or all")
    return known if "all" in names else list(dict.fromkeys(names))


def race(argv: Sequence[str]) -> int:
    """Read what is to be raced, and do it."""
    options = _parser().parse_args(argv)
    if options.gdb and options.schedule is None:
        raise InputError("--gdb goes with --schedule: a race first prints its schedule")
    if options.strategies and options.list:
        raise InputError("strategies are named, or listed with --strategies: not both")
    strategies = _chosen(options.strategies or (options.list or "bitmap").split(","))
    from lab.race import command  # needs rich, which --help does not
    return command.run(command.Request(
        strategies, options.locking, options.processors, options.seed, options.interval,
        options.calls, options.jobs), options)
