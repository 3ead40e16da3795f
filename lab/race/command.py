# SPDX-License-Identifier: MIT
"""`heaplab race`: see heaps break, reproducibly, and see what mends them."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from dataclasses import dataclass
from typing import Iterable, Optional, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from lab.errors import InputError
from lab.race import debug, drawing, explore, hold, real, throughput, timer
from lab.race.boots import Boot, Record, Runs, carried_out
from lab.words import plural

WIDTH = 100


@dataclass(frozen=True)
class Request:
    """What is to be raced."""

    strategies: Sequence[str]
    locking: str
    processors: int
    seed: int
    interval: Optional[int]
    calls: int
    workers: Optional[int]

    @property
    def kernel_locking(self) -> str:
        """The dial that the kernel was built with; the lock that masks nothing is not one."""
        return "none" if self.locking == "unmasked" else self.locking

    @property
    def lock_word(self) -> str:
        return " lock=unmasked" if self.locking == "unmasked" else ""


def run(request: Request, options: argparse.Namespace) -> int:
    """Do it, and print what came of it."""
    console = Console(stderr=True)
    if options.explore:
        return _explore(request, options.explore, console)
    if options.real:
        return _real(request, console)
    if options.measure:
        return _measure(request, console)
    if options.hold:
        return _hold(request, options.hold, console)
    if options.schedule:
        return _replay(request, options.schedule, options.gdb, console)
    return _race(request, console)


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _print(table: Table, notes: Sequence[str]) -> None:
    Console(file=sys.stdout, width=WIDTH).print(table)
    print()
    for note in notes:
        _say(textwrap.wrap(note, WIDTH))


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], words: Sequence[int]) -> Table:
    """words: the columns that are not numbers."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, title in enumerate(titles):
        table.add_column(title, justify="left" if place in words else "right")
    for row in rows:
        table.add_row(*row)
    return table


# --- the report ------------------------------------------------------------------------------


def _steps_boot(request: Request, strategy: str) -> Boot:
    """The deadlock needs no luck: all places of one interrupt are tried."""
    how = "bound=1" if request.locking == "unmasked" else f"seed={request.seed}"
    return Boot(strategy, f"run=race {how}{request.lock_word}", request.kernel_locking,
                1 if request.locking == "unmasked" else request.processors)


def _race(request: Request, console: Console) -> int:
    timers = {} if request.locking == "unmasked" else {
        name: timer.boot(name, request.locking, request.processors, request.seed,
                         request.interval or timer.INTERVAL) for name in request.strategies}
    steps = {name: _steps_boot(request, name) for name in request.strategies}
    records = carried_out([*timers.values(), *steps.values()], console, request.workers)
    for name in request.strategies:
        print(f"{name}, {plural(steps[name].processors, 'processor')}, locking {request.locking}")
        if name in timers:
            print(f"\nTimer interrupts that allocate, every {request.interval or timer.INTERVAL:,}"
                  f" instructions in the mean, seed {request.seed}:")
            _say(timer.tell(records[timers[name]]))
        _say(["", *_fewest(request, name, records[steps[name]]), ""])
    return 0


def _origin(record: Record) -> str:
    """Where the drawn schedule comes from."""
    if "explored" in record:
        (part,) = record["explored"]
        return (f"An interrupt before any one instruction of a processor's calls:"
                f" {part['failing']:,} of {part['schedules']:,} places go wrong. The first:")
    drawn = (f"A schedule of {plural(record['drawn_switches'], 'switch', 'es')}, drawn with seed"
             f" {record['seed']} and an interval of {record['interval']} instructions, goes wrong.")
    count = record["schedule"].count(":")
    if count < record["shortened_switches"]:
        none = ", and none of fewer" if record["stride"] == 1 else ""
        return f"{drawn} So does one of {plural(count, 'switch', 'es')}{none}:"
    if count < record["drawn_switches"]:
        return f"{drawn} Of these, {count} will do:"
    return drawn[:-1] + ":"


def _fewest(request: Request, strategy: str, record: Optional[Record]) -> list[str]:
    assert record is not None
    if record["schedule"] is None:
        drawn = f"{record['tries']} schedules drawn from seed {request.seed} on" \
            if "tries" in record else "All places of an interrupt"
        return [f"{drawn}: nothing went wrong"]
    return [*textwrap.wrap(f"{_origin(record)} {drawing.ENDS[record['end']]}.", WIDTH), "",
            *drawing.draw(record), "", "Replay it, and with --gdb step through it:",
            f"  ./heaplab race {strategy} {debug.again(record)}"]


# --- the others --------------------------------------------------------------------------------


def _explore(request: Request, bound: int, console: Console) -> int:
    asked = {name: explore.boots(name, bound) for name in request.strategies}
    records = carried_out([boot for boots in asked.values() for boot in boots.values()], console,
                          request.workers)
    rows = [row for name, boots in asked.items() for row in explore.rows(
        name, {scenario: records[boot] for scenario, boot in boots.items()})]
    _print(_table(("strategy", "locking", "switches", "every", "schedules", "go wrong",
                   "how"), rows, (0, 1, 6)),
           ["Each side makes one kmalloc and one kfree. every: a switch is placed before every"
            " instruction of these (1), or, where that would take too long, before every"
            " so-manyth. percpu's first calls fill its magazines and are long: there one switch,"
            " and as many as asked for once the magazines are loaded.",
            *(f"{name}: {end}." for name, end in drawing.ENDS.items()
              if any(name in row[-1] for row in rows))])
    return 0


def _real(request: Request, console: Console) -> int:
    if request.locking == "unmasked":
        raise InputError("--real does not go with --locking unmasked: that stands still at once")
    interval = request.interval or 100_000
    asked = {name: real.boots(name, request.locking, request.processors, interval)
             for name in request.strategies}
    records = carried_out([boot for boots in asked.values() for boot in boots], console,
                          request.workers or 1)
    _print(_table(("strategy", "broke", "least", "median", "most", "held", "hung"),
                  [real.row(name, [records[boot] for boot in boots])
                   for name, boots in asked.items()], (0,)),
           [f"Calls until something went wrong, in {real.RUNS} runs of {request.processors}"
            f" processors with locking {request.locking}, not counted, on {os.cpu_count()} cores:"
            " figures of this machine. Held: runs that came to their end,"
            f" {real.OPERATIONS:,} calls. Hung: the kernel said nothing more."])
    return 0


def _measure(request: Request, console: Console) -> int:
    asked = {(name, locking): throughput.boots(name, locking) for name in request.strategies
             for locking in throughput.LOCKINGS}
    counted = carried_out([one.counted for one in asked.values()], console, request.workers)
    # One at a time: each is to have all the cores.
    timed = carried_out([boot for one in asked.values() for boot in one.real.values()], console, 1)
    rows = [throughput.row(*key, boots, counted | timed) for key, boots in asked.items()]
    _print(_table(("strategy", "locking", "lock/call", "held", "kept out",
                   *(f"x{number}" for number in throughput.PROCESSORS[1:])), rows, (0, 1)),
           ["lock/call: how often a call takes the heap's lock. held: the longest that it was held."
            " kept out: the longest that interrupts were kept out, waiting included; both in"
            " instructions of two processors with timer interrupts, which take turns: what the"
            " other does in between counts, too. --hold with --processors 1 tells what a call"
            " takes."
            f" x2, x4, x8: throughput of so many processors, one being 1, on the"
            f" {os.cpu_count()} cores of this machine: only its ratios mean something;"
            f" - where it took more than {Runs.HANG_SECONDS:.0f} s, as when who is next in turn for"
            " a lock has no core."])
    return 0


def _hold(request: Request, operations: int, console: Console) -> int:
    asked = {(name, locking): boot for name in request.strategies
             for locking, boot in hold.boots(
                 name, operations, request.processors, request.seed,
                 request.interval or hold.INTERVAL).items()}
    records = carried_out(list(asked.values()), console, request.workers)
    found = {key: record for key, boot in asked.items() if (record := records[boot]) is not None}
    _print(_table(hold.TITLES, [hold.row(*key, record) for key, record in found.items()],
                  (0, 1, 8)),
           [f"{operations:,} calls of {plural(request.processors, 'processor')}, and those of"
            f" interrupts, seed {request.seed}. waits: how often somebody found the lock taken."
            " held: the longest that it was held. kept out: the longest that interrupts were kept out,"
            " waiting included; both in instructions. Processors take turns, and what the others do"
            " in between counts, too: what a call itself takes is told with --processors 1."])
    wrong = {key: record for key, record in found.items() if record["trouble"] is not None}
    for (name, locking), record in wrong.items():
        _say(["", f"{name}, {locking}:", *timer.tell(record)])
    return 1 if wrong else 0


def _replay(request: Request, schedule: str, waits_for_gdb: bool, console: Console) -> int:
    (strategy, *more) = request.strategies
    if more:
        raise InputError("--schedule is one strategy's: name just one")
    boot = Boot(strategy, f"run=race switches={schedule} operations={request.calls}"
                f"{request.lock_word}", request.kernel_locking, request.processors)
    if waits_for_gdb:
        return debug.wait_for_gdb(boot, console)
    record = carried_out([boot], console, 1)[boot]
    assert record is not None
    if record["end"] == "clean":
        print(f"{strategy}, schedule {schedule}: nothing goes wrong")
    else:
        _say([f"{strategy}, schedule {schedule}: {drawing.ENDS[record['end']]}", "",
              *drawing.draw(record)])
    return 0
