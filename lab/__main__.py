# SPDX-License-Identifier: MIT
"""The commands behind `heaplab`."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Optional, Sequence

from lab import ROOT, build
from lab.errors import InputError, Interrupted, LabError
from lab.options import (Parser as _Parser, count as _count, number_above_zero as
                         _number_above_zero, samples as _samples, seed as _seed, share as _share,
                         workers as _workers)
from lab.outputs import DEFAULT_HTML, DEFAULT_JSON, Outputs
from lab.process import stop_signals_raise


def _compare_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="heaplab compare", allow_abbrev=False,
        description="Replay traces on kernel heaps, and compare speed, worst case, memory and"
        " robustness. Prints a table; writes the figures as JSON and as a page.")
    parser.add_argument("--strategies", metavar="A,B", help="only these (default: all)")
    parser.add_argument("--peers", action="store_true",
                        help="also allocators that others wrote, such as dlmalloc, out of Debian's"
                        " packages: fetched once, not installed")
    parser.add_argument("--traces", nargs="+", metavar="FILE",
                        help=".rep or .rep.gz files, or names of shipped traces such as linux-boot"
                        " (default: all shipped)")
    parser.add_argument("--workloads", metavar="A,B",
                        help="synthetic workloads such as churn-kernel-85 or fill-small; all, or"
                        " none (default: all, unless --traces or --quick is given)")
    parser.add_argument("--seed", type=_seed, default=1, metavar="N",
                        help="of the synthetic workloads (default: %(default)s)")
    parser.add_argument("--heap-kib", default="1024", metavar="N",
                        help="size of the heap, 64 to 65536 KiB (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", default=DEFAULT_JSON,
                        help="where the figures go (default: %(default)s)")
    parser.add_argument("--csv", type=Path, metavar="FILE",
                        help="write the figures for a spreadsheet as well, a row for each record")
    parser.add_argument("--html", type=Path, metavar="FILE", default=DEFAULT_HTML,
                        help="where the page goes (default: %(default)s)")
    parser.add_argument("--markdown", type=Path, metavar="FILE",
                        help="write the tables into this document as well, between its lines"
                        " '<!-- figures -->' and '<!-- end of figures -->'")
    parser.add_argument("--pictures", type=Path, metavar="DIR",
                        help="write the pictures that documents show into this directory as well:"
                        " cost, tradeoff, holes and portraits, as SVG")
    parser.add_argument("--baseline", type=Path, metavar="FILE",
                        help="earlier results (--json): say what changed since; the exit status is"
                        " 1 if a figure got worse")
    parser.add_argument("--tolerance", type=_share, metavar="SHARE",
                        help="by which share of what it was a figure may be worse, such as 0.01"
                        " (default: 0; counts are exact)")
    parser.add_argument("--samples", type=_samples, metavar="N", default=256,
                        help="how often a replay looks at its heap, for the pictures over time: 0"
                        " to 4096 (default: %(default)s)")
    parser.add_argument("--quick", action="store_true",
                        help="only the beginning of each trace: a first look in less time")
    parser.add_argument("--accel", choices=("tcg", "kvm"), default="tcg",
                        help="tcg counts instructions, the same everywhere; kvm measures cycles of"
                        " this machine (default: tcg)")
    parser.add_argument("--jobs", type=_workers, metavar="N",
                        help="boots at the same time (default: one for each core)")
    parser.add_argument("--time-limit", type=_number_above_zero, metavar="SECONDS",
                        help="kill a boot that comes no further for so long (default: 60, more for"
                        " large heaps)")
    return parser


def compare(argv: Sequence[str]) -> int:
    """Check what is asked for, then measure, print and write."""
    options = _compare_parser().parse_args(argv)
    if options.tolerance is not None and not options.baseline:
        raise InputError("--tolerance goes with --baseline")
    from lab import compare as command  # needs rich, which --help does not
    request = command.check(
        strategies=options.strategies, peers=options.peers, traces=options.traces,
        workloads=options.workloads, seed=options.seed, heap_kib=options.heap_kib,
        quick=options.quick, samples=options.samples, accel=options.accel, workers=options.jobs,
        stall_seconds=options.time_limit)
    gate = command.Gate(options.baseline, options.tolerance or Fraction()) \
        if options.baseline else None
    return command.run(request, Outputs(options.json, options.html, options.csv,
                                        options.markdown, options.pictures), gate)


def answer(argv: Sequence[str]) -> int:
    """Measure what is naive about the naive heap, and write the page that tells it."""
    parser = _Parser(
        prog="heaplab answer", allow_abbrev=False,
        description="Why is the naive heap naive? Measures it, chapter by chapter, and writes a"
        " page with figures. Prints the summary.")
    parser.add_argument("--quick", action="store_true",
                        help="little of everything: done in a minute")
    parser.add_argument("--out", type=Path, metavar="FILE",
                        help="the page, FILE.md; its figures go into the directory FILE beside it"
                        " (default: heaplab-results/answer.md)")
    parser.add_argument("--json", type=Path, metavar="FILE",
                        help="where the records go (default: results.json beside the figures)")
    parser.add_argument("--jobs", type=_workers, metavar="N",
                        help="experiments at the same time (default: one for each core)")
    options = parser.parse_args(argv)
    from lab.answer import command  # needs rich, which --help does not
    return command.run(options.out or command.DEFAULT_PAGE, options.json, options.quick,
                       options.jobs)


def test(argv: Sequence[str]) -> int:
    """Configure `build/` if it is not, then become `meson test`."""
    directory = ROOT / "build"
    if argv and argv[0] in ("-h", "--help"):
        print("usage: heaplab test [ARGUMENT ...]\n\n"
              "Build everything and run all tests, in build/. The arguments are those of\n"
              "'meson test': names of tests, --suite NAME, --list, ...")
        return 0
    if not build.is_configured(directory):
        done = subprocess.run(build.setup_command(directory, {}), check=False)
        if done.returncode:
            return 1
    else:
        build.adopt_new_strategies(directory)
    sys.stdout.flush()
    command = [build.meson(), "test", "-C", str(directory), "--print-errorlogs", *argv]
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise LabError(f"{command[0]} cannot be started: {error.strerror}") from error


def new(argv: Sequence[str]) -> int:
    """Write a new strategy, and say what to do with it."""
    parser = _Parser(prog="heaplab new", allow_abbrev=False,
                     description="Write mm/NAME.c, a working heap to start from, and add NAME to"
                     " the strategies.")
    parser.add_argument("name", metavar="NAME", help="small letters, digits and dashes")
    options = parser.parse_args(argv)
    from lab import new as command  # needs jinja2, which --help does not
    command.create(options.name)
    print(command.next_steps(options.name))
    return 0


def _fuzz_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="heaplab fuzz", allow_abbrev=False,
        description="Put heaps, and what reads input, through made-up input until something goes"
        " wrong or enough is done. What goes wrong is told, and left in the results.")
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="a strategy, or 'trace' or 'boot-info' (default: all)")
    parser.add_argument("--operations", type=_count, default=10_000_000, metavar="N",
                        help="end each with so many operations done (default: 10000000)")
    parser.add_argument("--seed", type=_count, default=1, metavar="N",
                        help="of what is made up; the same seed, the same input (default: 1)")
    parser.add_argument("--jobs", type=_workers, metavar="N",
                        help="fuzzers at the same time (default: one for each core)")
    parser.add_argument("--results", type=Path, default=Path("heaplab-results/fuzz"),
                        metavar="DIR", help="where logs go, and inputs that go wrong (default:"
                        " %(default)s)")
    return parser


def fuzz(argv: Sequence[str]) -> int:
    """Build the fuzzers, run them, and say what they found."""
    options = _fuzz_parser().parse_args(argv)
    from lab import fuzz as command  # needs rich, which --help does not
    names = command.chosen(options.names, build.strategies())
    programs = build.Build(1024)
    programs.prepare([f"fuzz-{name}" for name in names],
                     lambda text: print(f"heaplab: {text}", file=sys.stderr))
    fuzzers = [command.Fuzzer(name, programs.program(f"fuzz-{name}")) for name in names]
    return command.report(command.run(
        fuzzers, options.operations, options.seed,
        options.jobs or len(os.sched_getaffinity(0)), options.results))


def misuse(argv: Sequence[str]) -> int:
    """Commit every sin, and hold what becomes of it against the committed table."""
    parser = _Parser(prog="heaplab misuse", allow_abbrev=False,
                     description="Misuse every heap at every hardening level in every way that is"
                     " known, say what is caught, and compare with the table in docs/misuse.md.")
    parser.add_argument("--strategies", metavar="A,B", help="only these (default: all)")
    parser.add_argument("--update", action="store_true",
                        help="write the table anew instead, here and in docs/misuse.md")
    options = parser.parse_args(argv)
    from lab import compare as comparison, misuse as command  # needs rich, which --help does not
    if options.update and options.strategies is not None:
        raise InputError("--update writes the whole table: leave --strategies away")
    strategies = comparison.chosen_heaps(options.strategies, build.strategies(), (), False)
    return command.run(strategies, options.update)


def run(argv: Sequence[str]) -> int:
    """Boot a kernel to its shell, on this terminal."""
    parser = _Parser(prog="heaplab run", allow_abbrev=False,
                     description="Boot a kernel to its shell on this terminal, by GRUB as on a PC;"
                     " where there is a desktop, a window shows the heap live.")
    parser.add_argument("--heap", default="bitmap", metavar="NAME",
                        help="the strategy (default: %(default)s)")
    parser.add_argument("--traces", nargs="+", metavar="FILE",
                        help="traces for 'load', files or names of shipped ones (default: all"
                        " shipped)")
    parser.add_argument("--heap-kib", default="1024", metavar="N",
                        help="size of the heap, 64 to 65536 KiB (default: %(default)s)")
    parser.add_argument("--hardening", choices=("off", "check", "redzone", "full"),
                        default="check", help="what is done about misuse (default: check)")
    parser.add_argument("--firmware", choices=("bios", "ovmf64", "ovmf32"), default="bios",
                        help="what the machine starts with (default: bios)")
    parser.add_argument("--display", default="auto", metavar="D",
                        help="how QEMU shows the screen: its -display, such as gtk, vnc=:1, or none"
                        " (default: a window, where there is a desktop)")
    parser.add_argument("--accel", choices=("tcg", "kvm"), default="tcg",
                        help="what QEMU runs on (default: tcg)")
    options = parser.parse_args(argv)
    from lab import run as command
    return command.run(heap=options.heap, traces=options.traces,
                       heap_kib=build.checked_heap_kib(options.heap_kib),
                       hardening=options.hardening, firmware=options.firmware,
                       display=options.display, accel=options.accel)


def record(argv: Sequence[str]) -> int:
    """Record what a program or a kernel asks for."""
    from lab.record import options as command
    return command.record(argv)


def import_(argv: Sequence[str]) -> int:
    """Make a trace of a recording that others made."""
    from lab.record import options as command
    return command.import_(argv)


def trace(argv: Sequence[str]) -> int:
    """Look at traces, and make others of them."""
    from lab.record import options as command
    return command.trace(argv)


def sweep(argv: Sequence[str]) -> int:
    """Measure a whole grid."""
    from lab.sweep import options as command
    return command.sweep(argv)


def _worst_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="heaplab worst", allow_abbrev=False,
        description="Search for the traces that hurt a heap most: the dearest kmalloc, the dearest"
        " kfree, the most memory for what is live. Keeps each as a small trace, and holds it"
        " against what theory allows.")
    parser.add_argument("strategies", nargs="*", metavar="STRATEGY", help="whose worst")
    parser.add_argument("--all", action="store_true", help="every strategy's")
    parser.add_argument("--goals", metavar="A,B",
                        help="only these of malloc, short-malloc, long-malloc, free and memory;"
                        " short (up to 4 KiB) and long are boundary-map's (default: all)")
    parser.add_argument("--seed", type=_seed, default=1, metavar="N",
                        help="the same seed, the same search (default: %(default)s)")
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument("--evaluations", type=_count, metavar="N",
                        help="try about so many traces for each goal, five times as many for memory"
                        " (default: 1000)")
    effort.add_argument("--minutes", type=_number_above_zero, metavar="M",
                        help="search so long for each goal instead; not repeatable")
    effort.add_argument("--quick", action="store_true", help="try about 120")
    parser.add_argument("--out", type=Path, metavar="DIR", default=Path("heaplab-results/worst"),
                        help="where traces and worst.json go; a search begins with what an earlier"
                        " one left there (default: %(default)s)")
    parser.add_argument("--afresh", action="store_true",
                        help="begin without what an earlier search left")
    parser.add_argument("--markdown", type=Path, metavar="FILE",
                        help="write the tables into this document as well, between its lines"
                        " '<!-- worst -->' and '<!-- end of worst -->'")
    parser.add_argument("--jobs", type=_workers, metavar="N",
                        help="searches at the same time (default: one for each core)")
    return parser


def worst(argv: Sequence[str]) -> int:
    """Search for the worst traces there are."""
    options = _worst_parser().parse_args(argv)
    from lab.worst import command  # needs rich, which --help does not
    from lab.worst.search import Budget
    evaluations = command.QUICK_EVALUATIONS if options.quick else \
        options.evaluations or command.EVALUATIONS
    budget = Budget(None, options.minutes * 60) if options.minutes else Budget(evaluations)
    return command.run(command.check(
        options.strategies, options.all, options.goals, options.seed, budget, options.out,
        options.afresh, options.markdown, options.jobs))


COMMANDS = {
    "compare": compare,
    "answer": answer,
    "sweep": sweep,
    "misuse": misuse,
    "run": run,
    "worst": worst,
    "test": test,
    "fuzz": fuzz,
    "new": new,
    "record": record,
    "import": import_,
    "trace": trace,
}


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Carry out one command; every error is one line, and a log below it where there is one."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        with stop_signals_raise():
            if not argv or argv[0] not in COMMANDS:
                raise InputError(f"the commands are: {', '.join(COMMANDS)}")
            return COMMANDS[argv[0]](argv[1:])
    except LabError as error:
        print(f"heaplab: error: {error.message}", file=sys.stderr)
        for line in error.log:
            print(f"    {line}", file=sys.stderr)
        return error.status
    except Interrupted as stop:
        print(f"heaplab: ended by {signal.Signals(stop.status - 128).name};"
              " earlier results are as they were", file=sys.stderr)
        return stop.status
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
