# SPDX-License-Identifier: MIT
"""`heaplab sweep` with shell scripts for kernels, host programs and QEMU: quick, and countable.

    python3 -m lab.tests.sweep_stand_in DIRECTORY [ARGUMENT ...]

`install` puts the stand-ins into DIRECTORY. Each boot is a line in DIRECTORY/boots. What they do
can be changed from outside: DIRECTORY/wrong makes QEMU count differently inside Slurm, SWEEP_PAD
adds so many bytes to a record, and DIRECTORY/panic makes kernels of that name panic.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Optional, Sequence
from unittest import mock

from lab import ROOT, __main__ as command
from lab.heaps import Care
from lab.tests.support import fake_qemu, path_with, raw_record, script

STRATEGIES = ["bitmap", "tlsf"]

_QEMU = """[ "$1" != --version ] || exit 0
echo boot >> {directory}/boots
while [ $# -gt 0 ]; do
    case $1 in -kernel) kernel=$2 ;; -append) words=$2 ;; esac
    shift
done
. "$kernel"
"""

# A kernel is sourced. Its record says how many characters it was told, to tell jobs apart.
_KERNEL = """[ ! -e {directory}/panic ] || [ "$(cat {directory}/panic)" != {strategy} ] || {{
    echo 'panic: on purpose'; exit 37; }}
count=${{#words}}
[ ! -e {directory}/wrong ] || [ -z "$SLURM_JOB_ID" ] || count=77777
[ -z "$SWEEP_PAD" ] || pad=$(printf "%${{SWEEP_PAD}}s" | tr ' ' x)
printf 'result: %s\\n' '{record}' | sed "s/9876543210/$count/;s/PAD/$pad/"
exit 33
"""

_HOST = """#!/bin/sh
case $* in
    *run=print*) printf '1000\\n2\\n4\\n1\\na 0 64\\na 1 100\\nf 0\\na 0 100\\n' ;;
    *) echo 'result: {{"smallest_total_bytes":{smallest}}}' ;;
esac
"""


class StandInBuild:
    """Builds nothing but scripts."""

    directory = Path()

    def __init__(self, heap_kib: int, *, with_peers: bool, hardening: str, locking: str) -> None:
        self._heap_kib = heap_kib
        self._care = Care(hardening, locking)

    def prepare(self, names: Sequence[str], say: Callable[[str], None]) -> None:
        """Nothing: program() writes them."""

    def program(self, name: str) -> Path:
        kind, _, strategy = name.removesuffix(".elf").partition("-")
        scale = STRATEGIES.index(strategy) + 1
        record = raw_record(strategy, heap_kib=self._heap_kib, scale=scale,
                            **self._care._asdict()) | {"init_cost": 9876543210, "pad": "PAD"}
        template = _KERNEL if kind == "los" else _HOST
        return script(self.directory / f"{name}-{self._heap_kib}{self._care.suffix}",
                      template.format(directory=self.directory, strategy=strategy,
                                      record=json.dumps(record), smallest=600 + scale))

    def provenance(self, strategy: str) -> dict[str, Any]:
        return {"kernel": {"compiler": "clang 14", "flags": []},
                "search": {"compiler": "gcc 12", "flags": []}}


def install(directory: Path, traces: int) -> list[str]:
    """Put the stand-ins into `directory`, and so many traces; returns their names."""
    fake_qemu(directory, _QEMU.format(directory=directory))
    (directory / "boots").touch()
    names = []
    for number in range(traces):
        names.append(str(directory / f"t{number}.rep"))
        Path(names[-1]).write_text(f"1000\n2\n4\n1\na 0 {100 - number}\na 1 100\nf 0\n"
                                   f"a 0 100\n", "ascii")
    return names


def start(directory: Path, *arguments: str, before: Optional[Callable[[], None]] = None,
          **environment: str) -> subprocess.Popen[str]:
    """Start `heaplab sweep ARGUMENT ...` with the stand-ins of `directory`."""
    return subprocess.Popen(
        [sys.executable, "-m", "lab.tests.sweep_stand_in", str(directory), *arguments],
        cwd=ROOT, env=os.environ | {"PATH": path_with(directory)} | environment, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=before)


def finish(sweep: subprocess.Popen[str]) -> tuple[int, str, str]:
    """What it ends with and says."""
    out, err = sweep.communicate()
    return sweep.returncode, out, err


def main() -> int:
    StandInBuild.directory = Path(sys.argv[1])
    with mock.patch("lab.build.Build", StandInBuild), \
            mock.patch("lab.sweep.grid.known_strategies", lambda: STRATEGIES), \
            mock.patch("lab.sweep.grid.known_peers", lambda: []):
        return command.main(["sweep", *sys.argv[2:]])


if __name__ == "__main__":
    sys.exit(main())
