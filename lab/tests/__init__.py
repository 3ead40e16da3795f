# SPDX-License-Identifier: MIT
"""Tests of the lab: `python3 -m unittest discover -s lab/tests -t .` in the source tree."""
