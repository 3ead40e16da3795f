# SPDX-License-Identifier: MIT
"""What several tests need: made-up records, stand-ins for programs, and a look at processes."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Optional, Sequence

from lab import ROOT, __main__ as command, build, heaps, results
from lab.trace import Trace

TRACE_TEXT = "1000\n2\n4\n1\na 0 64\na 1 100\nf 0\nr 1 200\n"
SCHEMA_FILE = ROOT / "lab" / "results.schema.json"


@contextlib.contextmanager
def temporary_directory() -> Iterator[Path]:
    """A directory for one test."""
    with tempfile.TemporaryDirectory(prefix="lab-test-") as name:
        yield Path(name)


@contextlib.contextmanager
def empty_directory() -> Iterator[Path]:
    """A directory for one test, in which it works."""
    with temporary_directory() as directory, contextlib.chdir(directory):
        yield directory


def said(*arguments: str) -> tuple[int, str, str]:
    """What `heaplab ARGUMENT ...` ends with, and says on standard output and error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = command.main(arguments)
    return status, out.getvalue(), err.getvalue()


@contextlib.contextmanager
def without_root() -> Iterator[None]:
    """If this is root, be nobody for a while: root may read and write everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def trace(name: str = "tiny", operations: int = 4) -> Trace:
    """A trace that need not exist as a file."""
    return Trace(name=name, path=Path(f"{name}.rep"), sha256="0" * 64, ids=2,
                 operations=operations, peak_requested_bytes=200, text=TRACE_TEXT.encode())


def raw_record(strategy: str = "bitmap", *, scale: int = 1, failures: int = 0,
               heap_kib: int = 1024, operations: int = 4, hardening: str = "off",
               locking: str = "none") -> dict[str, Any]:
    """A replay's record, as a kernel writes it."""

    def cost(count: int) -> dict[str, int]:
        return {"operations": count, "total": 100 * scale * count + 1, "p50": 90 * scale,
                "p99": 150 * scale, "p999": 160 * scale, "max": 170 * scale, "max_operation": 2}

    series = {name: [place, place + scale] for place, name in enumerate(results.SERIES)}
    return {
        "strategy": strategy, "heap_kib": heap_kib, "unit": "instructions", "hardening": hardening,
        "locking": locking, "operations": operations, "build_up_operations": 0,
        "failures": failures, "first_failure": {name: 7 for name in results.FIRST_FAILURE}
        if failures else None, "cost": cost(3),
        "malloc": cost(2), "free": cost(1), "init_cost": 4000 + scale,
        "peak_requested_bytes": 200,
        "footprint": {"map_bytes": 16384, "control_bytes": 4 * scale, "text_bytes": 900,
                      "stack_bytes": 64,
                      "hardening_bytes": 0 if hardening == "off" else 16640,
                      "locking_bytes": {"none": 0, "percpu": 70000}.get(locking, 4)},
        "placement_hash": "0123456789abcdef", "series": series,
        "portrait": ["2m", "1n1r", "2w", "1c1h"],
    }


def document(strategies: Sequence[str] = ("bitmap", "next-fit"),
             traces: Sequence[str] = ("one", "two"), host: str = "here",
             hardening: Sequence[str] = ("off",), locking: Sequence[str] = ("none",),
             **changes: Any) -> results.Document:
    """A whole document, made up: each heap costs more than the one before."""
    made = [trace(name) for name in traces]
    shown = heaps.each(strategies, hardening, locking)
    records = [results.record(
        raw_record(heap.strategy, scale=place + 1, hardening=heap.hardening, locking=heap.locking,
                   **changes), one, 600 + place, 200, None)
               for place, heap in enumerate(shown) for one in made]
    return results.document(
        settings={"strategies": list(strategies), "traces": list(traces), "workloads": [],
                  "seed": None, "hardening": list(hardening), "locking": list(locking),
                  "heap_kib": 1024, "operations_limit": None, "unit": "instructions"},
        build={heap.name: {"kernel": {"compiler": "clang 14", "flags": ["-O2"]},
                           "search": {"compiler": "gcc 12", "flags": ["-O2", "-m32"]}}
               for heap in shown},
        traces=made, records=records,
        host={"date": host, "machine": host, "processor": host, "cores": 2, "system": host,
              "accel": "tcg", "qemu": host, "seconds": 1.5, "durations_seconds": {}})


def changed(made: results.Document, strategy: str, of: Optional[str] = None,
            **changes: Any) -> results.Document:
    """A copy with other figures for one strategy, on all traces or one."""
    made = copy.deepcopy(made)
    for one in made["records"]:
        if one["strategy"] == strategy and of in (None, one["trace"]):
            one.update(changes)
    return made


def schema_complaints(made: results.Document) -> list[str]:
    """Where a document is not as the schema says; the caller sees that jsonschema is there."""
    from jsonschema import Draft202012Validator
    validator = Draft202012Validator(json.loads(SCHEMA_FILE.read_text("utf-8")))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(made)]


def programs_missing() -> str:
    """Why real kernels cannot be built and booted here; empty if they can."""
    missing = [tool for tool in ("qemu-system-i386", "clang", "ld.lld", "nasm", "ninja", "gcc")
               if not shutil.which(tool)]
    if not os.access(build.meson(), os.X_OK):
        missing.append("meson")
    return f"not installed: {', '.join(missing)}" if missing else ""


_SOURCE_PARTS = ("arch", "cross", "kernel", "lab", "mm", "papers", "peers", "tests", "traces",
                 "meson.build", "meson_options.txt")


def copied_source(directory: Path) -> Path:
    """A copy in `directory` of all that is built, for a test that changes it."""
    source = directory / "source"
    source.mkdir()
    for part in _SOURCE_PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, source / part,
                            ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, source / part)
    return source


def script(path: Path, text: str) -> Path:
    """An executable file: `text` below a line that names its interpreter."""
    path.write_text(text, "utf-8")
    path.chmod(0o755)
    return path


def fake_qemu(directory: Path, body: str) -> Path:
    """A stand-in for QEMU in `directory`: a shell script that does `body`."""
    return script(directory / "qemu-system-i386", f"#!/bin/sh\n{body}\n")


def path_with(directory: Path) -> str:
    """A PATH that has `directory` first."""
    return f"{directory}{os.pathsep}{os.environ['PATH']}"


def is_alive(pid: int) -> bool:
    """True iff a process runs: one that is dead but not yet waited for does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def end(process: subprocess.Popen[str]) -> None:
    """Kill a process that a test started, and close its pipes."""
    process.kill()
    process.communicate()


def children_of(pid: int) -> list[int]:
    """The processes that `pid` has started and not yet waited for."""
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
        return [int(child) for child in text.split()]
    return []


def eventually(holds: Callable[[], bool], seconds: float = 20.0) -> bool:
    """Wait until `holds()`; whether it did."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
