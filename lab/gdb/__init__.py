# SPDX-License-Identifier: MIT
"""The heap commands for GDB: `source lab/gdb/heap.py`, or `./heaplab debug`.

Modules, from the bottom up; the first three know nothing of GDB:

- `snapshot`: a heap's blocks at one moment, and how two moments differ;
- `draw`: the same as text, coloured where a person looks at it;
- `double`: a copy of the kernel's memory in which its functions can be called;
- `kernel`: the stopped kernel, as GDB sees it: symbols, memory, its double;
- `call`: the calls of heap.h: which is at work, and how to run from one to the next;
- `stops`: breakpoints on what heaps do;
- `backwards`: who changed memory, and when, in a recorded run;
- `commands`, `running`: the commands themselves;
- `heap`: what GDB sources.
"""
