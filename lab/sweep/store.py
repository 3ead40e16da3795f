# SPDX-License-Identifier: MIT
"""The directory of a sweep: everything in it has a hash for a name, and is whole or not there."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, Iterator, Mapping, Optional

from lab import results
from lab.errors import InputError, RunError


class Store:
    """Reads and writes a sweep's directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.logs = self.directory / "logs"
        self._grid = self.directory / "grid.json"
        self._jobs = self.directory / "jobs.json"
        self._results = self.directory / "results"
        self._failures = self.directory / "failures"
        self._nodes = self.directory / "nodes"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory against another sweep, and clear what a killed one left half-made."""
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
            lock = open(self.directory / "lock", "w", encoding="ascii")
        except OSError as error:
            raise _unwritable(error, self.directory) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InputError(f"{self.directory}: another sweep is at work here") from None
            for path in self.directory.rglob(".*.tmp"):
                path.unlink(missing_ok=True)
            yield

    # --- what was asked for ---------------------------------------------------------------------

    def grid(self) -> Optional[dict[str, Any]]:
        """What was asked for last; None if this is no sweep's directory."""
        return _read(self._grid)

    def write_grid(self, asked: Mapping[str, Any]) -> None:
        _write(self._grid, asked)

    def jobs(self) -> dict[str, Any]:
        """The jobs that were planned last, by key."""
        return _read(self._jobs) or {}

    def write_jobs(self, jobs: Mapping[str, Any]) -> None:
        _write(self._jobs, jobs)

    # --- what jobs need -------------------------------------------------------------------------

    def put_program(self, path: Path) -> str:
        """Keep a program as it is now; returns its hash."""
        try:
            name = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise RunError(f"{path}: cannot be read: {error.strerror}") from error
        kept = self.program(name)
        try:
            if not kept.exists():
                kept.parent.mkdir(parents=True, exist_ok=True)
                beside = kept.with_name(f".{name}.tmp")
                with contextlib.ExitStack() as on_error:
                    on_error.callback(beside.unlink, missing_ok=True)
                    shutil.copy2(path, beside)
                    beside.replace(kept)
        except OSError as error:
            raise _unwritable(error, kept) from error
        return name

    def program(self, name: str) -> Path:
        return self.directory / "programs" / name

    def put_trace(self, sha256: str, text: bytes) -> None:
        """Keep the plain text of a trace."""
        if not self.trace(sha256).exists():
            results.write_files({self.trace(sha256): text.decode()})

    def trace(self, sha256: str) -> Path:
        return self.directory / "traces" / f"{sha256}.rep"

    # --- what came of them ----------------------------------------------------------------------

    def has(self, key: str) -> bool:
        """Whether the job `key` has its result."""
        return self._result(key).exists()

    def result(self, key: str) -> Any:
        """The result of a job that has one."""
        return _read(self._result(key))

    def write_result(self, key: str, answer: Any) -> None:
        """Keep a result; an earlier failure of that job is forgotten."""
        _write(self._result(key), answer)
        self._failure(key).unlink(missing_ok=True)

    def done(self) -> set[str]:
        """The keys of all jobs that have a result."""
        return {path.stem for path in self._results.glob("[!.]*.json")}

    def failure(self, key: str) -> Optional[dict[str, Any]]:
        """`message` and `log` of a job's last failure; None if it did not fail."""
        return _read(self._failure(key))

    def write_failure(self, key: str, error: RunError) -> None:
        _write(self._failure(key), {"message": error.message, "log": list(error.log)})

    def forget_failures(self) -> None:
        """Failed jobs are to be done again."""
        for path in self._failures.glob("*.json"):
            path.unlink()

    def node(self, identity: str) -> Optional[dict[str, Any]]:
        """What was found about a machine: its name, and why it is refused, or nothing."""
        return _read(self._nodes / f"{identity}.json")

    def write_node(self, identity: str, found: Mapping[str, Any]) -> None:
        _write(self._nodes / f"{identity}.json", found)

    def nodes(self) -> list[dict[str, Any]]:
        """What was found about all machines."""
        return [found for path in sorted(self._nodes.glob("[!.]*.json")) if (found := _read(path))]

    def _result(self, key: str) -> Path:
        return self._results / f"{key}.json"

    def _failure(self, key: str) -> Path:
        return self._failures / f"{key}.json"


def _read(path: Path) -> Any:
    """What a file holds; None if there is none."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read: {error}; remove it to have it made again") \
            from error


def _write(path: Path, value: Any) -> None:
    results.write_files({path: json.dumps(value, separators=(",", ":")) + "\n"})


def _unwritable(error: OSError, path: Path) -> RunError:
    return RunError(f"{path}: cannot be written: {error.strerror}")
