# SPDX-License-Identifier: MIT
"""What is compared: strategies, each at one or more hardening levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from lab.errors import InputError

LEVELS = ("off", "check", "redzone", "full")
"""What -Dhardening= takes, each with all of what the one before has."""

OFF = LEVELS[0]


@dataclass(frozen=True)
class Heap:
    """A strategy at a hardening level."""

    strategy: str
    hardening: str = OFF

    @property
    def name(self) -> str:
        """What it is called: `tlsf`; `tlsf+check` where anything is hardened."""
        return self.strategy if self.hardening == OFF else f"{self.strategy}+{self.hardening}"


def of(record: Mapping[str, Any]) -> Heap:
    """The heap that a record is of."""
    return Heap(record["strategy"], record["hardening"])


def all_of(settings: Mapping[str, Any]) -> list[Heap]:
    """The heaps of a comparison, in the order in which they are shown."""
    return [Heap(strategy, level) for strategy in settings["strategies"]
            for level in settings["hardening"]]


def chosen_levels(text: str) -> Sequence[str]:
    """The hardening levels that a list names, each once, the least hardened first.

    Raises InputError if there is no such level.
    """
    chosen = [name.strip() for name in text.split(",")]
    for name in chosen:
        if name not in LEVELS:
            raise InputError(f"there is no hardening level {name!r}; choose from:"
                             f" {', '.join(LEVELS)}")
    return sorted(set(chosen), key=LEVELS.index)
