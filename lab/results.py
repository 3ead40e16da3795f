# SPDX-License-Identifier: MIT
"""The results document: what it holds, how it is put together, checked and written.

Two runs of the same sources on the same traces give the same document, byte for byte, but for
its last member, `host`. So results can be tested for equality, and committed.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import platform
import re
import tempfile
from pathlib import Path
from typing import Any, Iterable, Mapping, Optional, Sequence

from lab import heaps
from lab.errors import InputError, RunError
from lab.trace import Trace

SCHEMA = "los-heap-lab/results"
VERSION = 1

Record = dict[str, Any]
Document = dict[str, Any]

COSTS = ("cost", "malloc", "free")
COST_FIELDS = ("operations", "total", "mean", "p50", "p99", "p999", "max", "max_operation")
FOOTPRINT_FIELDS = ("map_bytes", "control_bytes", "text_bytes", "stack_bytes", "hardening_bytes",
                    "locking_bytes")
SERIES = ("operation", "requested", "granted", "free", "largest", "holes", "highest")
PORTRAIT_STATES = "rwchnm"
UNITS = ("instructions", "cycles")

FIRST_FAILURE = ("operation", "size", "requested", "granted", "free", "largest", "holes")

_ROW = re.compile(rf"(?:[1-9][0-9]*[{PORTRAIT_STATES}])+")
_NUMBERS = ("heap_kib", "operations", "build_up_operations", "failures", "init_cost",
            "peak_requested_bytes")
_WORDS = ("strategy", "unit", "hardening", "locking", "placement_hash")


def check_kernel_record(raw: Any) -> None:
    """Raise RunError, with what is wrong, unless `raw` is a replay's record (docs/runner.md)."""
    if not isinstance(raw, dict):
        raise RunError("the kernel's result is not an object")
    for name in _NUMBERS:
        _insist(_is_count(raw.get(name)), name)
    for name in _WORDS:
        _insist(isinstance(raw.get(name), str), name)
    _insist(raw["unit"] in UNITS, "unit")
    for name in COSTS:
        cost = _object(raw, name)
        _insist(_is_count(cost.get("operations")), f"{name}.operations")
        if cost["operations"]:
            for field in (field for field in COST_FIELDS if field != "mean"):
                _insist(_is_count(cost.get(field)), f"{name}.{field}")
    _insist("first_failure" in raw, "first_failure")
    if raw["failures"]:
        first = _object(raw, "first_failure")
        for field in FIRST_FAILURE:
            _insist(_is_count(first.get(field)), f"first_failure.{field}")
    footprint = _object(raw, "footprint")
    for field in FOOTPRINT_FIELDS:
        _insist(_is_count(footprint.get(field)), f"footprint.{field}")
    series = _object(raw, "series")
    lengths = set()
    for name in SERIES:
        samples = series.get(name)
        _insist(isinstance(samples, list) and all(map(_is_count, samples)), f"series.{name}")
        lengths.add(len(series[name]))
    _insist(len(lengths) == 1, "series")
    portrait = raw.get("portrait")
    _insist(isinstance(portrait, list), "portrait")
    for row in raw["portrait"]:
        _insist(isinstance(row, str) and _samples_of(row) == lengths, "portrait")


def _samples_of(row: str) -> set[int]:
    """How many samples a portrait's row has; nothing if it is no row."""
    if not _ROW.fullmatch(row):
        return set()
    return {sum(map(int, re.findall(r"\d+", row)))}


def _object(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = raw.get(name)
    if not isinstance(value, dict):
        raise RunError(f"the kernel's result has no valid {name!r}")
    return value


def _insist(holds: bool, field: str) -> None:
    if not holds:
        raise RunError(f"the kernel's result has no valid {field!r}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _cost(raw: Mapping[str, int]) -> dict[str, Any]:
    """A cost object as results have it: with the mean, and null where nothing was counted."""
    operations = raw["operations"]
    if not operations:
        return {field: None for field in COST_FIELDS} | {"operations": 0, "total": 0}
    return {field: raw[field] if field != "mean" else round(raw["total"] / operations, 2)
            for field in COST_FIELDS}


def record(raw: Mapping[str, Any], trace: Trace, smallest_total_bytes: int,
           peak_requested_bytes: int, operations_limit: Optional[int]) -> Record:
    """One record: a kernel's answer, and what the search for the smallest heap found.

    `peak_requested_bytes` is the trace's own, when nothing fails: a replay with failures requests
    less. `smallest_total_bytes` 0 says that the trace fits in no heap that was tried.
    """
    return _record(raw, trace, smallest_total_bytes or None, peak_requested_bytes,
                   smallest_total_bytes, operations_limit)


def fill_record(raw: Mapping[str, Any], trace: Trace, operations_limit: Optional[int]) -> Record:
    """The record of a workload that fills the heap: it ends at its first failure.

    Its tightness is the share of all memory that was requested by then.
    """
    requested = raw["first_failure"]["requested"]
    return _record(raw, trace, None, requested, total_bytes(raw["heap_kib"]),
                   operations_limit)


def total_bytes(heap_kib: int) -> int:
    """All memory that a heap of `heap_kib` has: its side array is a 64th more."""
    return heap_kib * 1024 // 64 * 65


def _record(raw: Mapping[str, Any], trace: Trace, smallest_total_bytes: Optional[int],
            requested_bytes: int, out_of_bytes: int, operations_limit: Optional[int]) -> Record:
    return {
        "strategy": raw["strategy"],
        "trace": trace.name,
        "seed": trace.seed,
        "heap_kib": raw["heap_kib"],
        "unit": raw["unit"],
        "operations": raw["operations"],
        "operations_limit": operations_limit,
        "build_up_operations": raw["build_up_operations"],
        "failures": raw["failures"],
        "first_failure": {name: raw["first_failure"][name] for name in FIRST_FAILURE}
        if raw["failures"] else None,
        **{name: _cost(raw[name]) for name in COSTS},
        "init_cost": raw["init_cost"],
        "tightness": round(requested_bytes / out_of_bytes, 4) if out_of_bytes else None,
        "peak_requested_bytes": requested_bytes,
        "smallest_total_bytes": smallest_total_bytes,
        "footprint": {name: raw["footprint"][name] for name in FOOTPRINT_FIELDS},
        "hardening": raw["hardening"],
        "locking": raw["locking"],
        "placement_hash": raw["placement_hash"],
        "series": {name: raw["series"][name] for name in SERIES},
        "portrait": list(raw["portrait"]),
    }


def document(*, settings: Mapping[str, Any], build: Mapping[str, Any], traces: Iterable[Trace],
             records: Iterable[Record], host: Mapping[str, Any]) -> Document:
    """The whole document; `host` is the only member that differs between two equal runs."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "settings": dict(settings),
        "build": dict(build),
        "traces": [{"name": trace.name, "seed": trace.seed, "sha256": trace.sha256,
                    "ids": trace.ids, "operations": trace.operations,
                    "peak_requested_bytes": trace.peak_requested_bytes}
                   for trace in sorted(traces, key=lambda trace: trace.name)],
        "records": sorted(records, key=lambda one: (
            *heaps.place(one), one["trace"], one["heap_kib"])),
        "host": dict(host),
    }


def main_traces(document: Document) -> list[str]:
    """What totals and pictures are of: the recorded traces; without any, the workloads."""
    settings = document["settings"]
    return list(settings["traces"] or settings["workloads"])


def sampled_traces(document: Document) -> list[str]:
    """Those of the main traces that there are samples of over time."""
    sampled = {one["trace"] for one in document["records"] if one["portrait"]}
    return [name for name in main_traces(document) if name in sampled]


def host(accel: str, qemu: str, durations: Mapping[str, float], seconds: float) -> dict[str, Any]:
    """The member `host`: where and when the figures were taken, and how long that took."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "accel": accel,
        "qemu": qemu,
        "seconds": round(seconds, 2),
        "durations_seconds": {job: round(durations[job], 2) for job in sorted(durations)},
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def to_json(value: Any, indent: int = 0) -> str:
    """JSON as a person and `diff` like it: one member a line, a list of plain values on one."""
    inner, outer = " " * (indent + 2), " " * indent
    if isinstance(value, dict) and value:
        members = (f"{inner}{json.dumps(key)}: {to_json(member, indent + 2)}"
                   for key, member in value.items())
        return "{\n" + ",\n".join(members) + f"\n{outer}}}"
    if isinstance(value, list) and any(isinstance(member, (dict, list)) for member in value):
        parts = (inner + to_json(member, indent + 2) for member in value)
        return "[\n" + ",\n".join(parts) + f"\n{outer}]"
    return json.dumps(value, ensure_ascii=False)


def check_writable(paths: Sequence[Path]) -> None:
    """Raise InputError unless each of `paths` can be written, and no two are the same."""
    for path in paths:
        if os.path.isdir(path):
            raise InputError(f"{path}: cannot be written: it is a directory")
        if os.path.exists(path) and not path.is_file():
            raise InputError(f"{path}: cannot be written: it is a device or pipe, which a file would"
                             " replace")
        if os.path.islink(_target(path)):
            raise InputError(f"{path}: cannot be written: it is a link that leads back to itself")
        parent = _nearest(_target(path).parent)
        if not os.path.isdir(parent):
            raise InputError(f"{path}: cannot be written: {parent} is not a directory")
        if not os.access(parent, os.W_OK | os.X_OK, effective_ids=True):
            raise InputError(f"{path}: cannot be written: no permission to write to {parent}")
    if len(set(map(_target, paths))) < len(paths):
        raise InputError(f"{paths[0]}: two results cannot be written to the same file")


def _nearest(path: Path) -> Path:
    """What there is of an absolute `path`: it, or the nearest directory above."""
    while not os.path.exists(path):
        path = path.parent
    return path


def _target(path: Path) -> Path:
    """The file that is written, where `path` is a symbolic link or has one in it."""
    return Path(os.path.realpath(path))


def made_directory(path: Path) -> Path:
    """The directory `path`, made if need be.

    Raises InputError unless files can be written there.
    """
    place = _nearest(path.absolute())
    if not os.path.isdir(place):
        raise InputError(f"{path}: cannot be made: {place} is not a directory")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be made: {error.strerror}") from None
    if not os.access(path, os.W_OK | os.X_OK, effective_ids=True):
        raise InputError(f"{path}: no permission to write there")
    return path


def text_in(path: Path) -> Optional[str]:
    """The text of a document that figures are put into; None if there is no such file.

    Raises InputError if it cannot be read.
    """
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: cannot be read: it is not plain text") from None


def write_files(contents: Mapping[Path, str]) -> None:
    """Write all files or none: each takes its name only when all are complete on the disk.

    Of a symbolic link, what it points to is written.
    """
    finished: list[tuple[Path, Path]] = []
    path = Path()
    try:
        for path, text in contents.items():
            target = _target(path)
            if not os.path.exists(target.parent):  # a file in its place is no directory: told below
                target.parent.mkdir(parents=True, exist_ok=True)
            finished.append((_written_beside(target, text), target))
        for temporary, path in finished:
            os.replace(temporary, path)
    except OSError as error:
        # The error may name what lies beside the file, and is nobody's concern.
        raise RunError(f"{path}: cannot be written: {error.strerror}") from error
    finally:
        for temporary, _ in finished:
            temporary.unlink(missing_ok=True)


def _written_beside(path: Path, text: str) -> Path:
    """A complete, synced file in the directory of `path`, under a name of its own."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), 0o666 & ~_umask())
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(name)
        raise
    return Path(name)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
