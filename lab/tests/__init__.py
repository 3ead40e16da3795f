# SPDX-License-Identifier: MIT
"""Tests of the lab: `python3 -m unittest discover -s lab/tests -t .` in the source tree."""

from lab import process

process.suit_emulator()  # as `heaplab test` does; here they may be run by themselves
