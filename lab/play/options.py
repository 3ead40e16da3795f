# SPDX-License-Identifier: MIT
"""The options of `play`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Sequence

from lab import build, heaps
from lab.options import Parser, add_dials, add_heap_kib, add_jobs, count, seed


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="heaplab play", allow_abbrev=False,
        description="Make a film of a trace on some heaps, side by side: one page on which every"
        " operation can be gone to, with the map of each heap at that moment.")
    parser.add_argument("trace", metavar="TRACE",
                        help="a .rep or .rep.gz file, the name of a shipped trace such as"
                        " linux-boot, or of a synthetic workload such as churn-kernel-85")
    parser.add_argument("--strategies", metavar="A,B", default="bitmap,tlsf,boundary-map",
                        help="these heaps (default: %(default)s)")
    add_dials(parser, "each is a heap of its own")
    add_heap_kib(parser)
    parser.add_argument("--operations", type=count, metavar="N",
                        help="only the first N operations; of a workload, N after its build-up; not"
                        " of one that fills the heap")
    parser.add_argument("--seed", type=seed, default=1, metavar="N",
                        help="of a synthetic workload (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE",
                        default=Path("heaplab-results/film.html"),
                        help="where the page goes (default: %(default)s)")
    add_jobs(parser, "boots at the same time")
    return parser


def play(argv: Sequence[str]) -> int:
    """Check what is to be filmed, have the kernels replay it, and write the page."""
    options = _parser().parse_args(argv)
    from lab import compare  # needs rich, which --help does not
    from lab.play import command
    request = command.Request(
        options.trace, heap_kib=build.checked_heap_kib(options.heap_kib),
        strategies=compare.chosen_heaps(options.strategies, build.strategies(), (), False),
        seed=options.seed, operations_limit=options.operations,
        workers=options.jobs, hardening=heaps.chosen_levels(options.hardening),
        locking=heaps.chosen_lockings(options.locking))
    command.check(request, options.out)
    return command.run(request, options.out)
