# SPDX-License-Identifier: MIT
"""The options of `worst`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Sequence

from lab.options import Parser, add_jobs, count, number_above_zero, seed


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="heaplab worst", allow_abbrev=False,
        description="Search for the traces that hurt a heap most: the dearest kmalloc, the dearest"
        " kfree, the most memory for what is live. Keeps each as a small trace, and holds it"
        " against what theory allows.")
    parser.add_argument("strategies", nargs="*", metavar="STRATEGY", help="whose worst")
    parser.add_argument("--all", action="store_true", help="every strategy's")
    parser.add_argument("--goals", metavar="A,B",
                        help="only these of malloc, short-malloc, long-malloc, free and memory;"
                        " short (up to 4 KiB) and long are boundary-map's (default: all)")
    parser.add_argument("--seed", type=seed, default=1, metavar="N",
                        help="the same seed, the same search (default: %(default)s)")
    effort = parser.add_mutually_exclusive_group()
    effort.add_argument("--evaluations", type=count, metavar="N",
                        help="try about so many traces for each goal, five times as many for memory"
                        " (default: 1000)")
    effort.add_argument("--minutes", type=number_above_zero, metavar="M",
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
    add_jobs(parser, "searches at the same time")
    return parser


def worst(argv: Sequence[str]) -> int:
    """Search for the worst traces there are."""
    options = _parser().parse_args(argv)
    from lab.worst import command  # needs rich, which --help does not
    from lab.worst.search import Budget
    evaluations = command.QUICK_EVALUATIONS if options.quick else \
        options.evaluations or command.EVALUATIONS
    budget = Budget(None, options.minutes * 60) if options.minutes else Budget(evaluations)
    return command.run(command.check(
        options.strategies, options.all, options.goals, options.seed, budget, options.out,
        options.afresh, options.markdown, options.jobs))
