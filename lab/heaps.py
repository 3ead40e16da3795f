# SPDX-License-Identifier: MIT
"""What is compared: strategies, each at one or more hardening levels, with one or more locks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, NamedTuple, Sequence

from lab.errors import InputError

LEVELS = ("off", "check", "redzone", "full")
"""What -Dhardening= takes, each with all of what the one before has."""

LOCKINGS = ("none", "irq", "spin", "percpu")
"""What -Dlocking= takes; each is for more callers, or for more of them at a time."""

OFF, NONE = LEVELS[0], LOCKINGS[0]


class Care(NamedTuple):
    """What is done about misuse, and about several callers."""

    hardening: str = OFF
    locking: str = NONE

    @property
    def words(self) -> list[str]:
        """What is done; nothing where neither is."""
        return [word for word, nothing in zip(self, Care()) if word != nothing]

    @property
    def suffix(self) -> str:
        """For the names of files: `-check-spin`."""
        return "".join(f"-{word}" for word in self.words)

    def told(self, settings: Mapping[str, Any]) -> str:
        """What stands in a title, where a measurement has heaps of which anything is done:
        `, hardening off, locking spin`."""
        return "".join(f", {dial} {word}" for dial, word, nothing
                       in zip(self._fields, self, Care()) if settings[dial] != [nothing])


@dataclass(frozen=True)
class Heap:
    """A strategy at a hardening level, with a lock."""

    strategy: str
    hardening: str = OFF
    locking: str = NONE

    @property
    def name(self) -> str:
        """What it is called: `tlsf`; `tlsf+check+spin` where it is hardened and locked."""
        return "+".join([self.strategy, *self.care.words])

    @property
    def care(self) -> Care:
        """Which build it comes from: that of its hardening and locking."""
        return Care(self.hardening, self.locking)


def of(record: Mapping[str, Any]) -> Heap:
    """The heap that a record is of."""
    return Heap(record["strategy"], record["hardening"], record["locking"])


def cares(settings: Mapping[str, Any]) -> list[Care]:
    """What is done about the heaps of a measurement, in the order in which they are shown."""
    return [Care(level, lock) for level in settings["hardening"] for lock in settings["locking"]]


def all_of(settings: Mapping[str, Any]) -> list[Heap]:
    """The heaps of a comparison, in the order in which they are shown."""
    return each(settings["strategies"], settings["hardening"], settings["locking"])


def each(strategies: Sequence[str], hardening: Sequence[str],
         locking: Sequence[str]) -> list[Heap]:
    """Each strategy at each of these levels with each of these locks."""
    return [Heap(strategy, level, lock) for strategy in strategies
            for level in hardening for lock in locking]


def place(record: Mapping[str, Any]) -> tuple[str, int, int]:
    """By what records are sorted: strategy, hardening and locking."""
    return (record["strategy"], LEVELS.index(record["hardening"]),
            LOCKINGS.index(record["locking"]))


def chosen_levels(text: str) -> Sequence[str]:
    """The hardening levels that a list names, each once, the least hardened first.

    Raises InputError if there is no such level.
    """
    return _chosen(text, LEVELS, "hardening level")


def chosen_lockings(text: str) -> Sequence[str]:
    """The words for -Dlocking= that a list names, each once, none first.

    Raises InputError if there is no such word.
    """
    return _chosen(text, LOCKINGS, "locking")


def _chosen(text: str, known: Sequence[str], what: str) -> Sequence[str]:
    chosen = [name.strip() for name in text.split(",")]
    for name in chosen:
        if name not in known:
            raise InputError(f"there is no {what} {name!r}; choose from: {', '.join(known)}")
    return sorted(set(chosen), key=known.index)
