# SPDX-License-Identifier: MIT
"""The process that does jobs, on this machine or on a node of a cluster.

    python3 -m lab.sweep.worker [--check KEY] DIRECTORY KEY...

It says what it begins and what is done; results and failures go to the directory. It can be
killed at any time.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Iterable, Optional, Sequence

from lab import process
from lab.errors import Interrupted, RunError
from lab.sweep import job as jobs, node
from lab.sweep.store import Store

DONE, FAILED, STOPPED, REFUSED = 0, 1, 3, 4
"""What it ends with: all is done; a job failed; nothing can be written; see node.py."""


def command(store: Store, check: Optional[str]) -> list[str]:
    """How a worker is started, in ROOT; the keys of its jobs follow."""
    return [sys.executable, "-B", "-m", "lab.sweep.worker",
            *(["--check", check] if check else []), str(store.directory)]


def say(text: str) -> None:
    print(text, flush=True)


def reason(lines: Iterable[str]) -> str:
    """Why a worker that ended with STOPPED or REFUSED did so, by what it said."""
    found = [rest for what, _, rest in (line.partition(": ") for line in lines)
             if what in ("stopped", "refused")]
    return found[-1] if found else "a worker stopped, and did not say why"


async def _work(store: Store, keys: Sequence[str], check: Optional[str]) -> int:
    status = DONE
    if check:
        await node.insist(store, check)
    planned = jobs.read(store)
    for key in keys:
        if store.has(key):
            continue
        say(f"begun {key}")
        try:
            answer = await jobs.perform(planned[key], store)
        except RunError as error:
            store.write_failure(key, error)
            say(f"failed {key}: {error.message}")
            status = FAILED
            continue
        store.write_result(key, answer)
        say(f"done {key}")
    return status


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Do the jobs of the command line, one after the other."""
    parser = argparse.ArgumentParser(prog="lab.sweep.worker")
    parser.add_argument("--check", metavar="KEY", help="the job by which machines are checked")
    parser.add_argument("directory", type=Path)
    parser.add_argument("keys", nargs="+", metavar="KEY")
    options = parser.parse_args(argv)
    try:
        return process.wait_for(_work(Store(options.directory), options.keys, options.check))
    except node.Refused as error:
        say(f"refused: {error.message}")
        return REFUSED
    except RunError as error:
        say(f"stopped: {error.message}")
        return STOPPED
    except Interrupted as stop:
        return stop.status


if __name__ == "__main__":
    sys.exit(main())
