# SPDX-License-Identifier: MIT
"""Chapter 11: interrupts and several processors. It has no experiment yet."""

from __future__ import annotations

from lab.answer.chapter import About, Records, Scale, Telling
from lab.experiment import Experiment

ABOUT = About(
    11, "processors", "Interrupts and several processors",
    "Nothing stops two callers from getting the same block.")


def experiments(scale: Scale) -> list[Experiment]:
    return []


def tell(records: Records, scale: Scale) -> Telling:
    return Telling(finding="not yet measured", verdict="open", words={})
