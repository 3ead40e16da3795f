# SPDX-License-Identifier: MIT
"""`heaplab answer`: why is the naive heap naive? A chapter for each problem, with its evidence.

Each chapter is a module of its own with three things: `ABOUT`, what it is called and claims;
`experiments(scale)`, what is to be run for it; and `tell(records, scale)`, which turns records
into the words' numbers and the figures. What is told depends on the records alone, so the same
records give the same pages, byte for byte.
"""
