# SPDX-License-Identifier: MIT
"""The options of `sweep`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Sequence

from lab.errors import InputError
from lab.options import Parser, add_jobs, add_time_limit, count, samples

DEFAULT_DIRECTORY = Path("heaplab-results/sweep")


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="heaplab sweep", allow_abbrev=False,
        description="Replay traces and workloads on kernel heaps at many heap sizes, with many"
        " seeds, at several hardening levels, with several locks: on this machine's cores, or on a"
        " cluster. A sweep that was ended in whatever way goes on with --resume; nothing is"
        " computed twice.")
    _add_grid(parser.add_argument_group(
        "the grid",
        "With --resume these may be left away altogether; or they ask for another grid, which takes"
        " over what is there of it."))
    parser.add_argument("--engine", choices=("local", "slurm"), default="local",
                        help="local: this machine's cores; slurm: a cluster, by sbatch (default:"
                        " %(default)s)")
    parser.add_argument("--resume", action="store_true",
                        help="go on with the sweep that is in the directory")
    parser.add_argument("--out", type=Path, metavar="DIR", default=DEFAULT_DIRECTORY,
                        help="where programs, results, tables and curves go; a cluster's nodes must"
                        " see it under this name (default: %(default)s)")
    parser.add_argument("--pages", action="store_true",
                        help="write, for each heap size, the page that compare would write as well;"
                        " with --resume, of results that are there")
    add_jobs(parser, "jobs at the same time, on this machine")
    parser.add_argument("--batch", type=count, metavar="N",
                        help="with --engine slurm: jobs in one task of the array (default: 1; more"
                        " where the cluster's MaxArraySize asks for it)")
    add_time_limit(parser)
    return parser


def _add_grid(grid: "argparse._ArgumentGroup") -> None:
    grid.add_argument("--strategies", metavar="A,B",
                      help="only these (default: all); peers such as dlmalloc can be among them")
    grid.add_argument("--traces", nargs="+", metavar="FILE",
                      help=".rep or .rep.gz files, or names of shipped traces (default: all"
                      " shipped, unless --workloads names some)")
    grid.add_argument("--workloads", metavar="A,B",
                      help="synthetic workloads such as churn-kernel-85, or all, or none (default:"
                      " none)")
    grid.add_argument("--heap-kib", metavar="SIZES",
                      help="sizes of the heap, 64 to 65536 KiB: 256,1024, or 256..4096, which"
                      " doubles from one to the next (default: 256..4096)")
    grid.add_argument("--seeds", type=count, metavar="N",
                      help="make each workload from the seeds 1 to N (default: 1)")
    grid.add_argument("--hardening", metavar="A,B",
                      help="what is done about misuse: off, check, redzone, full (default: off)")
    grid.add_argument("--locking", metavar="A,B",
                      help="what is done about several callers: none, irq, spin, percpu (default:"
                      " none)")
    grid.add_argument("--operations", type=count, metavar="N",
                      help="only the first N operations of each (default: all); what fills the"
                      " heap ends at its first failure all the same")
    grid.add_argument("--samples", type=samples, metavar="N",
                      help="how often a replay looks at its heap, for the pictures over time: 0 to"
                      " 4096 (default: 64)")


def sweep(argv: Sequence[str]) -> int:
    """Read what is to be swept, and do it."""
    options = _parser().parse_args(argv)
    if options.batch and options.engine != "slurm":
        raise InputError("--batch goes with --engine slurm")
    from lab.sweep import command  # needs rich, which --help does not
    from lab.sweep.grid import Asked
    return command.run(command.Request(
        Asked(options.strategies, options.traces, options.workloads, options.seeds,
              options.heap_kib, options.hardening, options.locking, options.operations,
              options.samples),
        options.out, options.resume, options.jobs, options.time_limit,
        options.engine == "slurm", options.batch, options.pages))
