# SPDX-License-Identifier: MIT
"""The sessions that a document shows, carried out anew.

    python3 -m lab.transcript docs/debugging.md            writes what is said now into it
    python3 -m lab.transcript --check docs/debugging.md    ends with 1 if that differs

With `--kernels DIR`, the kernels are those in there, of hardening check and without a lock;
sessions with others are left as they are.

A session is a block of code that begins with a line `$ ./heaplab debug ...`; each line that begins
with `(gdb) ` is a command, and what follows it what was said. A block that begins with a command
goes on with the session of the block before. So the document itself is the script.

Addresses, and lines of source, are other ones in each kernel: a check lets them pass, and counts
of instructions as well.
"""

from __future__ import annotations

import argparse
import difflib
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, Optional, Sequence

from lab import ROOT
from lab.errors import LabError, RunError

SECONDS_MAX = 300

_BLOCK = re.compile(r"(?ms)^```\n((?:\$ \./heaplab debug|\(gdb\) ).*?)^```$")
_PROMPT = "(gdb) "
_MARK = "-- and now --"
_NOISE = re.compile(r"heaplab: (configuring|building|waiting|recorded in) |.*; recorded in ")
_VARIES = (
    (re.compile(r"0x[0-9a-f]+"), "0x"),
    (re.compile(r"(\.c|\.h|\.asm):\d+"), r"\1:"),
    (re.compile(r", line \d+\."), ", line."),
    (re.compile(r"^\d+\t.*\n", re.MULTILINE), ""),
    (re.compile(r"(?:[0-9a-f]{2} ){2,}.*"), "bytes"),
    (re.compile(r"\b\d{1,3}(?:,\d{3})+\b"), "number"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "word"),
    (re.compile(r" +"), " "),
)


@dataclass
class Session:
    """One run of the debugger: its command, and what GDB is asked, block by block."""

    command: str
    asked: list[list[str]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    """The blocks as they are in the document."""

    def command_with(self, kernels: Optional[Path]) -> Optional[list[str]]:
        """What to start for it; None if the kernel that it needs is not among these."""
        command = shlex.split(self.command)
        if kernels is None:
            return command
        if not {"--hardening", "--locking"}.isdisjoint(command):
            return None
        place = command.index("--heap") if "--heap" in command else len(command)
        heap = command[place + 1] if "--heap" in command else "bitmap"
        rest = command[:place] + command[place + 2:]
        return ["/usr/bin/python3", "-m", "lab", *rest[1:], "--kernel",
                str(kernels / f"los-{heap}.elf")]


def sessions(document: str) -> list[Session]:
    """The sessions that a document shows."""
    found: list[Session] = []
    for block in _BLOCK.finditer(document):
        lines = block[1].splitlines()
        if lines[0].startswith("$ "):
            found.append(Session(lines[0][2:]))
        elif not found:
            raise RunError(f"'{lines[0]}' goes on with a session that has not begun")
        found[-1].shown.append(block[1])
        found[-1].asked.append([line[len(_PROMPT):] for line in lines
                                if line.startswith(_PROMPT)])
    return found


def carry_out(session: Session, kernels: Optional[Path]) -> Iterator[str]:
    """What each block of a session says."""
    start = session.command_with(kernels)
    if start is None:
        yield from session.shown
        return
    commands = [command for block in session.asked for command in block]
    marked = [part for one in commands for part in ("-ex", f"echo {_MARK}\\n", "-ex", one)]
    done = subprocess.run([*start, "--batch", *marked], cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=SECONDS_MAX, check=False)
    head, *said = done.stdout.split(f"{_MARK}\n")
    if len(said) != len(commands):
        raise RunError(f"'{session.command}' came to an early end:", done.stdout.splitlines())
    rest = iter(said)
    for place, block in enumerate(session.asked):
        text = "" if place else f"$ {session.command}\n{_tidied(head)}"
        yield text + "".join(f"{_PROMPT}{command}\n{_tidied(next(rest))}" for command in block)


def _tidied(said: str) -> str:
    """What somebody said, without empty lines at both ends, and without what differs from machine
    to machine."""
    lines = [line.rstrip() for line in said.replace("../", "").strip("\n").splitlines()
             if not _NOISE.match(line)]
    return "".join(f"{line}\n" for line in lines)


def renewed(document: str, kernels: Optional[Path] = None) -> str:
    """The document, with what its sessions say now."""
    texts = iter([text for session in sessions(document)
                  for text in carry_out(session, kernels)])
    return _BLOCK.sub(lambda found: f"```\n{next(texts)}```", document)


def comparable(text: str) -> str:
    """A document without what may differ from kernel to kernel."""
    for pattern, instead in _VARIES:
        text = pattern.sub(instead, text)
    return text


def differences(old: str, new: str) -> list[str]:
    """What a reader of the old document would miss in the new one, line by line."""
    return [line for line in difflib.unified_diff(
        comparable(old).splitlines(), comparable(new).splitlines(), "document", "now",
        lineterm="", n=0)]


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Renew a document, or see whether it is as new."""
    parser = argparse.ArgumentParser(prog="lab.transcript", description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--kernels", type=Path, metavar="DIR")
    parser.add_argument("document", type=Path)
    options = parser.parse_args(argv)
    try:
        old = options.document.read_text("utf-8")
        new = renewed(old, options.kernels)
    except (LabError, OSError) as error:
        print(f"lab.transcript: error: {error}", *getattr(error, "log", ()), sep="\n    ",
              file=sys.stderr)
        return 2
    if not options.check:
        options.document.write_text(new, "utf-8")
        return 0
    found = differences(old, new)
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
