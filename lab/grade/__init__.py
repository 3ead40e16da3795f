# SPDX-License-Identifier: MIT
"""`heaplab grade`: one heap's verdict, on one screen.

`checks` tries whether it is correct, `expectations` says what should have been, `marks` is the
rule for what it is worth, `screen` shows all that; `command` is the order in which it happens.
"""
