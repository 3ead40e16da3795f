# SPDX-License-Identifier: MIT
"""What can go wrong, each with the exit status of the command that meets it."""

from typing import Callable, Sequence


class LabError(Exception):
    """An error a person can act on: one line, and perhaps a log to read below it."""

    status = 1

    def __init__(self, message: str, log: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.log = tuple(log)


class InputError(LabError):
    """The command was asked for something that cannot be: nothing was started or written."""

    status = 2


class RunError(LabError):
    """A build, a boot or a search failed."""

    status = 1


class Interrupted(Exception):
    """A signal asked the command to end."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"signal {signum}")
        self.status = 128 + signum
        self.left = "earlier results are as they were"
        """What the files are that the command was to write."""


def status_of(work: Callable[[], int], say: Callable[[str], None] = print) -> int:
    """The exit status of a program of its own that does `work`; an error is one line and a log."""
    try:
        return work()
    except LabError as error:
        say(f"error: {error.message}")
        for line in error.log:
            say(f"    {line}")
        return error.status
    except Interrupted as stop:
        return stop.status
