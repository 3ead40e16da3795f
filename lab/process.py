# SPDX-License-Identifier: MIT
"""Child processes that never outlive the lab.

Every child gets a session of its own, so that it and whatever it starts can be killed as a
group, and asks Linux (PR_SET_PDEATHSIG) to be killed when the lab dies, so that not even
`kill -9` of the lab leaves a QEMU behind. Linux sends that signal when the *thread* that
started the child ends: children are therefore started from the main thread alone, by asyncio.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import ctypes
import os
import re
import resource
import signal
import subprocess
import time
from asyncio.subprocess import Process
from dataclasses import dataclass
from pathlib import Path
from typing import (IO, Any, Awaitable, Callable, Coroutine, Iterator, Mapping, Optional, Sequence,
                    TypeVar)

from lab.errors import Interrupted, RunError

TAIL_LINES = 20
"""How much of a log is kept to be shown when something goes wrong."""

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_CHUNK_BYTES = 1 << 16
_LINE_BYTES_MAX = 1 << 24
_PR_SET_PDEATHSIG = 1
_BINARY_FORMATS = Path("/proc/sys/fs/binfmt_misc")
"""Who starts what Linux does not: a file each (Linux, Documentation/admin-guide/binfmt-misc.rst)."""
_EMULATED = re.compile(r"enabled\ninterpreter (/.*/qemu-i386(-static)?)\n")
_LIBC = ctypes.CDLL(None, use_errno=True)

_ENVIRONMENT = {"QEMU_RESERVED_VA": "0xbffff000", "ASAN_OPTIONS": "detect_leaks=0"}
"""What an emulated program's environment tells: which addresses there are, since AddressSanitizer
takes them to end below 3 GiB, the last page not used, as Linux has it for a stack; and to look for
no leaks, which takes ptrace."""

Result = TypeVar("Result")


def emulator_of_32_bit() -> Optional[Path]:
    """The emulator that starts 32-bit programs, as heaplab sees to where Linux does not; or None.

    All that emulated programs say is right, but their times are the emulator's.
    """
    for format_ in _BINARY_FORMATS.glob("*"):
        with contextlib.suppress(OSError):
            if match := _EMULATED.match(format_.read_text("utf-8")):
                return Path(match[1]).resolve()
    return None


def emulates_32_bit() -> bool:
    """Whether an emulator starts 32-bit programs here."""
    return emulator_of_32_bit() is not None


def suit_emulator() -> None:
    """Where an emulator starts 32-bit programs, put what they want into this environment."""
    if emulates_32_bit():
        os.environ.update(_ENVIRONMENT)


def _die_with(parent: int, cpu_seconds: Optional[int]) -> Callable[[], None]:
    """What a child does between fork and exec, so that it dies with the process `parent`, or
    when it has used up so much of a processor's time."""

    def ask_for_death_signal() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(127)
        if cpu_seconds is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))

    return ask_for_death_signal


@dataclass(frozen=True)
class Outcome:
    """How a child ended."""

    status: int
    """Its exit status; minus the signal's number if a signal ended it."""
    stopped: str
    """Why the lab killed it; empty if it ended by itself."""
    tail: tuple[str, ...]
    """The last lines it wrote, and below them what it said on standard error."""


class Lines:
    """Cuts a stream of bytes into lines, keeps the last ones."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""
        self.tail: collections.deque[str] = collections.deque(maxlen=TAIL_LINES)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes; call `on_line` for each line they complete."""
        *complete, self._rest = (self._rest + chunk).split(b"\n")
        for line in complete:
            self._take(line)
        if len(self._rest) > _LINE_BYTES_MAX:
            self.end()

    def end(self) -> None:
        """Nothing follows: what is left is a line as well."""
        if self._rest:
            rest, self._rest = self._rest, b""
            self._take(rest)

    def _take(self, raw: bytes) -> None:
        line = raw.decode("utf-8", "replace").rstrip("\r")
        self.tail.append(line if len(line) <= 500 else line[:500] + " ...")
        self._on_line(line)


class Clock:
    """When a child has to be killed: its time limit, and the longest it may stand still."""

    def __init__(self, time_limit: Optional[float], stall_limit: Optional[float]) -> None:
        self._time_limit = time_limit
        self._stall_limit = stall_limit
        self._started = self._alive = time.monotonic()

    def renew(self) -> None:
        """The child has come further: it does not stand still."""
        self._alive = time.monotonic()

    def _ends(self) -> Iterator[tuple[float, str]]:
        if self._time_limit is not None:
            yield (self._started + self._time_limit,
                   f"did not end within its time limit of {self._time_limit:g} s")
        if self._stall_limit is not None:
            yield (self._alive + self._stall_limit,
                   f"came no further for {self._stall_limit:g} s")

    def left(self) -> Optional[float]:
        """Seconds until the child has to be killed; None: never."""
        ends = [end for end, _ in self._ends()]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def verdict(self) -> str:
        """Why it has to be killed."""
        return min(self._ends())[1]


async def run(command: Sequence[str], *,
              on_line: Callable[[str], None] = lambda line: None,
              on_bytes: Callable[[bytes], None] = lambda chunk: None,
              clock: Optional[Clock] = None,
              cpu_seconds: Optional[int] = None,
              env: Optional[Mapping[str, str]] = None,
              cwd: Optional[os.PathLike[str]] = None) -> Outcome:
    """Run `command` to its end, or until `clock` runs out, and pass on what it writes.

    `cpu_seconds`: of a processor's time, after which SIGXCPU ends it; unlike a clock, a limit
    that does not depend on what else the machine has to do.

    However this coroutine is left, the child and its process group are gone.
    """
    clock = clock or Clock(None, None)
    try:
        child = await _started(asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, start_new_session=True,
            preexec_fn=_die_with(os.getpid(), cpu_seconds), env=env, cwd=cwd))
    except OSError as error:
        raise RunError(f"{command[0]} cannot be started: {error.strerror}") from error
    assert child.stdout and child.stderr
    lines = Lines(on_line)
    complaints = Lines(lambda line: None)
    drain = asyncio.create_task(_read(child.stderr, complaints.feed))
    stopped = ""
    ended = False
    try:
        while chunk := await _within(clock, child.stdout.read(_CHUNK_BYTES)):
            on_bytes(chunk)
            lines.feed(chunk)
        await _within(clock, child.wait())
        ended = True
    except TimeoutError:
        stopped = clock.verdict()
    finally:
        if not ended:
            _kill_group(child)
        await child.wait()
        await asyncio.wait({drain}, timeout=1)
        drain.cancel()
    lines.end()
    complaints.end()
    assert child.returncode is not None
    return Outcome(child.returncode, stopped, (*lines.tail, *complaints.tail))


@contextlib.contextmanager
def background(command: Sequence[str], *, stdin: Optional[int] = None,
               stderr: Optional[IO[bytes]] = None,
               own_session: bool = True) -> Iterator[subprocess.Popen[bytes]]:
    """A child that goes on by itself, its output where the lab's goes, until the body is left.

    Without a session of its own it shares the lab's terminal: it may read, and Ctrl-C reaches it.
    """
    try:
        child = subprocess.Popen(command, stdin=stdin, stderr=stderr,
                                 start_new_session=own_session,
                                 preexec_fn=_die_with(os.getpid(), None))
    except OSError as error:
        raise RunError(f"{command[0]} cannot be started: {error.strerror}") from error
    try:
        yield child
    finally:
        if own_session:
            _kill_group(child)
        child.kill()
        child.wait()


async def _started(starting: Coroutine[Any, Any, Process]) -> Process:
    """The child that `starting` starts.

    A cancellation waits until it is there, and kills all of it: asyncio, interrupted, would kill
    the child alone, and may wait for ever for the end of pipes that it has not opened yet.
    """
    task = asyncio.ensure_future(starting)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            child = await task
            _kill_group(child)
            await child.wait()
        raise


async def _within(clock: Clock, work: Awaitable[Result]) -> Result:
    """The result of `work`; raises TimeoutError when `clock` runs out.

    Not asyncio.wait_for, which loses a cancellation that comes together with the result.
    """
    async with asyncio.timeout(clock.left()):
        return await work


async def _read(stream: asyncio.StreamReader, feed: Callable[[bytes], None]) -> None:
    while chunk := await stream.read(_CHUNK_BYTES):
        feed(chunk)


def _kill_group(child: Process | subprocess.Popen[bytes]) -> None:
    """Kill the child and whatever it started that is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def wait_for(work: Awaitable[Result]) -> Result:
    """Run `work` in an event loop of its own; a stop signal cancels it, with its children.

    Raises Interrupted when a signal asked for the end.
    """
    received: list[int] = []
    before = {signum: signal.getsignal(signum) for signum in STOP_SIGNALS}

    async def body() -> Result:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(work)

        def stop(signum: int) -> None:
            received.append(signum)
            task.cancel()

        for signum in STOP_SIGNALS:
            loop.add_signal_handler(signum, stop, signum)
        try:
            return await task
        finally:
            for signum in STOP_SIGNALS:
                loop.remove_signal_handler(signum)

    try:
        return asyncio.run(body())
    except asyncio.CancelledError:
        raise Interrupted(received[0] if received else signal.SIGINT) from None
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


@contextlib.contextmanager
def stop_signals_raise() -> Iterator[None]:
    """Outside an event loop, turn the stop signals into Interrupted."""

    def stop(signum: int, frame: object) -> None:
        raise Interrupted(signum)

    before = {signum: signal.signal(signum, stop) for signum in STOP_SIGNALS}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
