# SPDX-License-Identifier: MIT
"""The options of `record`, `import` and `trace`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Sequence

from lab.options import Parser, seed, share
from lab.trace import NUMBER_MAX


def _size(text: str) -> int:
    value = int(text)
    if not 0 <= value <= NUMBER_MAX:
        raise ValueError
    return value


_size.__name__ = "size in bytes"


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size-min", type=_size, default=0, metavar="BYTES",
                        help="only blocks of so many bytes or more")
    parser.add_argument("--size-max", type=_size, default=NUMBER_MAX, metavar="BYTES",
                        help="only blocks of so many bytes or less")
    parser.add_argument("--caller", metavar="PATTERN",
                        help="only blocks whose caller, as the recording names it, has this regular"
                        " expression in it")


def _chosen(options: argparse.Namespace) -> "Choice":  # noqa: F821 (imported late)
    from lab.record import command
    return command.Choice(options.size_min, options.size_max,
                          command.checked_caller(options.caller))


def _record_parser() -> argparse.ArgumentParser:
    parser = Parser(prog="heaplab record", allow_abbrev=False,
                    description="Record a trace: what a program asks of malloc, or Linux of its"
                    " own heaps.")
    kinds = parser.add_subparsers(dest="kind", metavar="WHAT", required=True)
    user = kinds.add_parser(
        "user", allow_abbrev=False, help="a program of this machine",
        usage="heaplab record user [OPTION ...] -- PROGRAM [ARGUMENT ...]",
        description="Run a dynamically linked program, of 32 or 64 bits, and record each malloc,"
        " calloc, realloc, free and their like, of all of its threads.")
    user.add_argument("--out", type=Path, metavar="FILE",
                      help="where the trace goes (default: PROGRAM.rep.gz)")
    user.add_argument("--children", action="store_true",
                      help="also the processes that it starts, each as a trace of its own")
    _add_choice(user)
    user.add_argument("command", nargs="*", metavar="PROGRAM")
    _add_linux(kinds)
    return parser


def _add_linux(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    linux = kinds.add_parser(
        "linux", allow_abbrev=False, help="Debian's Linux, in QEMU",
        description="Boot Debian's own kernel with busybox in QEMU, and record what it asks of its"
        " heaps: while it boots, or during a workload. Kernel and busybox are downloaded once, and"
        " not installed.")
    linux.add_argument("--kernel", metavar="VERSION", help="such as 6.1.0-50 (default: Debian's"
                       " newest)")
    linux.add_argument("--arch", choices=("i686", "amd64"), default="i686",
                       help="of the kernel (default: %(default)s)")
    linux.add_argument("--workload", type=Path, metavar="SCRIPT",
                       help="a script for busybox's sh, with /mnt on a disk and /tmp in memory; it"
                       " runs twice, the second time recorded (default: none: the boot is)")
    linux.add_argument("--events", choices=("kmalloc", "all"), default="kmalloc",
                       help="all: also objects of kmem_caches (default: %(default)s)")
    linux.add_argument("--out", type=Path, metavar="FILE",
                       help="where the trace goes (default: linux.rep.gz)")
    _add_choice(linux)


def record(argv: Sequence[str]) -> int:
    """Read what is to be recorded, and do it."""
    argv, program = _parted(argv)
    options = _record_parser().parse_args(argv)
    from lab.record import command
    if options.kind == "linux":
        return command.record_linux(
            options.out or Path("linux.rep.gz"), architecture=options.arch,
            version=options.kernel, workload=options.workload, events=options.events,
            choice=_chosen(options))
    program = [*options.command, *program]
    out = options.out or Path(f"{Path(program[0]).name if program else 'trace'}.rep.gz")
    return command.record_user(program, out, children=options.children, choice=_chosen(options))


def _parted(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    """What stands before `--`, which is for us, and what stands behind it."""
    words = list(argv)
    if "--" not in words:
        return words, []
    at = words.index("--")
    return words[:at], words[at + 1:]


def import_(argv: Sequence[str]) -> int:
    """Read what is to be imported, and do it."""
    parser = Parser(prog="heaplab import", allow_abbrev=False,
                    description="Make a trace of a recording: ftrace text and trace-cmd report,"
                    " heaptrack, glibc's mtrace, ltrace, a CSV with named columns, or another"
                    " .rep. The format is recognised by what is in the file; what cannot be used"
                    " is counted and said.")
    parser.add_argument("file", type=Path, metavar="FILE", help="plain, or packed with gzip, xz or"
                        " zstd")
    parser.add_argument("--out", type=Path, metavar="TRACE",
                        help="where the trace goes (default: FILE.rep.gz, here)")
    parser.add_argument("--format", metavar="NAME", help="do not guess: it is rep, mtrace,"
                        " heaptrack, ftrace, csv or ltrace")
    _add_choice(parser)
    options = parser.parse_args(argv)
    from lab.record import command
    return command.import_file(options.file, options.out, options.format, _chosen(options))


def _trace_parser() -> argparse.ArgumentParser:
    parser = Parser(prog="heaplab trace", allow_abbrev=False,
                    description="Look at a trace, or make another of it. A trace is a .rep or"
                    " .rep.gz file, or the name of a shipped one.")
    kinds = parser.add_subparsers(dest="kind", metavar="WHAT", required=True)

    def add(name: str, text: str, traces: str = "trace") -> argparse.ArgumentParser:
        one = kinds.add_parser(name, allow_abbrev=False, help=text,
                               description=f"{text[0].upper()}{text[1:]}.")
        one.add_argument(traces, nargs="+" if traces == "traces" else None, metavar="TRACE")
        if name != "info":
            one.add_argument("--out", type=Path, required=True, metavar="TRACE",
                             help="where the new trace goes")
        return one

    info = add("info", "sizes, lifetimes, the live curve, and what heap it needs")
    info.add_argument("--picture", type=Path, metavar="SVG", help="draw them as well")
    info.add_argument("--no-needs", action="store_true",
                      help="do not search the smallest heap, which takes some seconds")
    cut = add("cut", "a window of it; what was live at its start is allocated first")
    cut.add_argument("--from", dest="begin", type=int, default=0, metavar="N",
                     help="the first operation, counted from 0 (default: 0)")
    cut.add_argument("--to", dest="end", type=int, metavar="N",
                     help="the first operation that is left out (default: none)")
    scale = add("scale", "some of its blocks, chosen at random, for a smaller heap")
    scale.add_argument("--share", type=share, required=True, metavar="SHARE",
                       help="of the blocks, such as 0.25")
    scale.add_argument("--seed", type=seed, default=1, metavar="N",
                       help="of the choice (default: %(default)s)")
    sizes = add("filter", "only blocks of some sizes")
    sizes.add_argument("--size-min", type=_size, default=0, metavar="BYTES")
    sizes.add_argument("--size-max", type=_size, default=NUMBER_MAX, metavar="BYTES")
    add("merge", "several as one, as if they ran at the same time", "traces")
    return parser


def trace(argv: Sequence[str]) -> int:
    """Read what is to be done with a trace, and do it."""
    options = _trace_parser().parse_args(argv)
    from lab.record import command
    if options.kind == "info":
        return command.info(options.trace, options.picture, not options.no_needs)
    if options.kind == "cut":
        return command.cut(options.trace, options.begin, options.end, options.out)
    if options.kind == "scale":
        return command.scale(options.trace, options.share, options.seed, options.out)
    if options.kind == "filter":
        return command.filter_sizes(options.trace, options.size_min, options.size_max, options.out)
    return command.merge(options.traces, options.out)
