# SPDX-License-Identifier: MIT
"""The commands behind `heaplab`."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Callable, Optional, Sequence

from lab import ROOT, build, process
from lab.errors import InputError, Interrupted, LabError
from lab.options import (Parser as _Parser, add_dials as _add_dials, add_heap_kib as
                         _add_heap_kib, add_jobs as _add_jobs, add_time_limit as
                         _add_time_limit, count as _count, samples as _samples, seed as _seed,
                         share as _share)
from lab.outputs import DEFAULT_HTML, DEFAULT_JSON, Outputs
from lab.results import made_directory


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
                        " (default: all shipped, unless --workloads names some)")
    parser.add_argument("--workloads", metavar="A,B",
                        help="synthetic workloads such as churn-kernel-85 or fill-small; all, or"
                        " none (default: all, unless --traces or --quick is given)")
    parser.add_argument("--seed", type=_seed, default=1, metavar="N",
                        help="of the synthetic workloads (default: %(default)s)")
    _add_dials(parser, "with more than one a table says what each adds")
    _add_heap_kib(parser)
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
                        " cost, tradeoff, holes and portraits, as SVG; not with --samples 0")
    parser.add_argument("--baseline", type=Path, metavar="FILE",
                        help="earlier results (--json): say what changed since; the exit status is"
                        " 1 if a figure got worse; not with --accel kvm or host")
    parser.add_argument("--tolerance", type=_share, metavar="SHARE",
                        help="by which share of what it was a figure may be worse, such as 0.01"
                        " (default: 0; counts are exact)")
    parser.add_argument("--samples", type=_samples, metavar="N", default=256,
                        help="how often a replay looks at its heap, for the pictures over time: 0"
                        " to 4096 (default: %(default)s)")
    parser.add_argument("--quick", action="store_true",
                        help="only the beginning of each trace: a first look in less time")
    parser.add_argument("--accel", choices=("tcg", "kvm", "host"), default="tcg",
                        help="tcg counts instructions, the same everywhere; kvm measures cycles of"
                        " this machine; so does host, which needs no KVM: the kernel's heaps run in"
                        " Linux processes (default: tcg)")
    parser.add_argument("--simulate", action="store_true",
                        help="also run each heap in a simulated processor, valgrind's cachegrind:"
                        " how often are its branches foretold wrong, how often does it miss the"
                        " cache?")
    _add_jobs(parser, "boots at the same time")
    _add_time_limit(parser)
    return parser


def compare(argv: Sequence[str]) -> int:
    """Check what is asked for, then measure, print and write."""
    options = _compare_parser().parse_args(argv)
    if options.tolerance is not None and not options.baseline:
        raise InputError("--tolerance goes with --baseline")
    if options.pictures and not options.samples:
        raise InputError("--pictures: not with --samples 0: two of them, holes and portraits, show"
                         " what was sampled over time")
    from lab import compare as command  # needs rich, which --help does not
    request = command.check(
        strategies=options.strategies, peers=options.peers, traces=options.traces,
        workloads=options.workloads, seed=options.seed, hardening=options.hardening,
        locking=options.locking, heap_kib=options.heap_kib,
        quick=options.quick, samples=options.samples, accel=options.accel,
        simulate=options.simulate, workers=options.jobs, stall_seconds=options.time_limit)
    gate = command.Gate(options.baseline, options.tolerance or Fraction()) \
        if options.baseline else None
    return command.run(request, Outputs(options.json, options.html, options.csv,
                                        options.markdown, options.pictures), gate)


def _page_parser(name: str, description: str) -> argparse.ArgumentParser:
    """Of a command that measures, and writes a page."""
    parser = _Parser(prog=f"heaplab {name}", allow_abbrev=False, description=description)
    parser.add_argument("--quick", action="store_true",
                        help="little of everything: done in a minute")
    parser.add_argument("--out", type=Path, metavar="FILE",
                        help="the page, FILE.md; its figures go into the directory FILE beside it"
                        f" (default: heaplab-results/{name}.md)")
    parser.add_argument("--json", type=Path, metavar="FILE",
                        help="where the records go (default: results.json beside the figures)")
    _add_jobs(parser, "experiments at the same time")
    return parser


def answer(argv: Sequence[str]) -> int:
    """Measure what is naive about the naive heap, and write the page that tells it."""
    options = _page_parser(
        "answer", "Why is the naive heap naive? Measures it, chapter by chapter, and writes a page"
        " with figures. Prints the summary.").parse_args(argv)
    from lab.answer import command  # needs rich, which --help does not
    return command.run(options.out or command.DEFAULT_PAGE, options.json, options.quick,
                       options.jobs)


def papers(argv: Sequence[str]) -> int:
    """Measure again what the literature published, and write the page that compares."""
    parser = _page_parser(
        "papers", "Do the published results come out here? Measures each again, and writes a page"
        " that says: reproduced, not reproduced or not comparable, and why. Prints its table.")
    parser.add_argument("--csapp", type=Path, metavar="DIR",
                        help="the traces of the CS:APP malloc lab (amptjp-bal.rep, ...), which do"
                        " not come with this lab, for the row that is about them")
    options = parser.parse_args(argv)
    from lab.papers import command  # needs rich, which --help does not
    return command.run(options.out or command.DEFAULT_PAGE, options.json, options.quick,
                       options.csapp, options.jobs)


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
    parser.add_argument("--seed", type=_seed, default=1, metavar="N",
                        help="of what is made up; the same seed, the same input (default: 1)")
    _add_jobs(parser, "fuzzers at the same time")
    parser.add_argument("--results", type=Path, default=Path("heaplab-results/fuzz"),
                        metavar="DIR", help="where logs go, and inputs that go wrong (default:"
                        " %(default)s)")
    return parser


def fuzz(argv: Sequence[str]) -> int:
    """Build the fuzzers, run them, and say what they found."""
    options = _fuzz_parser().parse_args(argv)
    from lab import fuzz as command  # needs rich, which --help does not
    names = command.chosen(options.names, build.strategies())
    made_directory(options.results)
    programs = build.Build(1024)
    programs.prepare([f"fuzz-{name}" for name in names],
                     lambda text: print(f"heaplab: {text}", file=sys.stderr))
    fuzzers = [command.Fuzzer(name, programs.program(f"fuzz-{name}")) for name in names]
    return command.report(command.run(
        fuzzers, options.operations, options.seed, options.jobs, options.results))


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


def mistakes(argv: Sequence[str]) -> int:
    """Make every mistake of the gallery, and see that the tests catch it."""
    parser = _Parser(prog="heaplab mistakes", allow_abbrev=False,
                     description="Make each classic mistake of the gallery, tests/mistakes/, and"
                     " see that the test that should catch it does, in the words it should.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these (default: all); of a"
                        " single one, everything is told")
    parser.add_argument("--update", action="store_true",
                        help="write the table in docs/mistakes.md anew")
    _add_jobs(parser, "mistakes at the same time")
    options = parser.parse_args(argv)
    if options.update and options.names:
        raise InputError("--update writes the whole table: name no mistakes")
    from lab import mistakes as command
    return command.run(options.names, options.update, options.jobs)


def mutate(argv: Sequence[str]) -> int:
    """Change heaps at many places, one at a time, and count what no test notices."""
    parser = _Parser(prog="heaplab mutate", allow_abbrev=False,
                     description="Change a heap's code in small ways, one at a time, and try its"
                     " tests on each: which changes does none notice? Takes hours for all; what"
                     " was found is kept, and the next run goes on from there.")
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="a strategy, 'heap' for the front door, 'fences' and 'locks' for"
                        " what hardening and locking add to it, or 'heap_check' (default: all)")
    parser.add_argument("--sample", type=_count, metavar="N",
                        help="so many changes of each file (default: all that there are)")
    parser.add_argument("--seed", type=_seed, default=1, metavar="N",
                        help="of the sample (default: %(default)s)")
    parser.add_argument("--update", action="store_true",
                        help="write all that was found, now and earlier, into docs/mutation.md")
    _add_jobs(parser, "changes at the same time")
    options = parser.parse_args(argv)
    if options.update and options.names:
        raise InputError("--update writes the whole table: give no names")
    from lab import mutate as command  # needs rich and clang, which --help does not
    names = [*build.strategies(), *command.PARTS]
    if unknown := [name for name in options.names if name not in names]:
        raise InputError(f"there is nothing called {unknown[0]!r} to change; choose from:"
                         f" {', '.join(names)}")
    return command.run(options.names or names, options.sample, options.seed,
                       options.jobs, options.update)


def _elsewhere(module: str, function: str) -> Callable[[Sequence[str]], int]:
    """A command of a module of its own, which is loaded when it is asked for."""
    return lambda argv: getattr(importlib.import_module(module), function)(argv)


COMMANDS = {
    "compare": compare,
    "sweep": _elsewhere("lab.sweep.options", "sweep"),
    "answer": answer,
    "grade": _elsewhere("lab.grade.options", "grade"),
    "worst": _elsewhere("lab.worst.options", "worst"),
    "run": _elsewhere("lab.run", "main"),
    "debug": _elsewhere("lab.debug", "main"),
    "papers": papers,
    "play": _elsewhere("lab.play.options", "play"),
    "misuse": misuse,
    "race": _elsewhere("lab.race.options", "race"),
    "mistakes": mistakes,
    "mutate": mutate,
    "record": _elsewhere("lab.record.options", "record"),
    "import": _elsewhere("lab.record.options", "import_"),
    "trace": _elsewhere("lab.record.options", "trace"),
    "test": test,
    "new": new,
    "fuzz": fuzz,
}


_DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Carry out one command; every error is one line, and a log below it where there is one."""
    try:
        try:
            return _carried_out(sys.argv[1:] if argv is None else argv)
        finally:
            _flush_output()
    except BrokenPipeError:
        _forget_output()
        return 0
    except OSError as error:
        if error.errno in _DISK_IS_FULL:
            print(f"heaplab: error: {error.filename or 'standard output, or a file'}: cannot be"
                  f" written: {error.strerror}", file=sys.stderr)
            _forget_output()
        elif error.filename:
            print(f"heaplab: error: {error.filename}: {error.strerror}", file=sys.stderr)
        else:
            raise
        return 1


def _carried_out(argv: Sequence[str]) -> int:
    try:
        process.suit_emulator()
        with process.stop_signals_raise():
            if not argv or argv[0] not in COMMANDS:
                raise InputError(f"the commands are: {', '.join(COMMANDS)}")
            return COMMANDS[argv[0]](argv[1:])
    except LabError as error:
        print(f"heaplab: error: {error.message}", file=sys.stderr)
        for line in error.log:
            print(f"    {line}", file=sys.stderr)
        return error.status
    except Interrupted as stop:
        print(f"heaplab: ended by {signal.Signals(stop.status - 128).name}; {stop.left}",
              file=sys.stderr)
        return stop.status


def _flush_output() -> None:
    """Write what print() has kept back, while what goes wrong with it can still be told."""
    try:
        if sys.stdout:  # there is none where it is closed
            sys.stdout.flush()
    except OSError as error:
        error.filename = "standard output"
        raise


def _forget_output() -> None:
    """Let what print() still keeps back come to nothing, rather than to another error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
