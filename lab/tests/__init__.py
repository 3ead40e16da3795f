# SPDX-License-Identifier: MIT
"""Tests of the lab: `python3 -m unittest discover -s lab/tests -t .` in the source tree."""

import os

from lab import process

if process.emulates_32_bit():  # as `heaplab test` sees to; here they may be run by themselves
    os.environ.update(process.EMULATED)
