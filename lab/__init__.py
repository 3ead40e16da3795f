# SPDX-License-Identifier: MIT
"""The host side of LOS Heap Lab: builds kernels, boots them, and compares what they measured.

Modules, from the bottom up:

- `errors`: the exceptions that become one clear line and an exit status;
- `process`: child processes that never outlive the lab;
- `trace`: the reader of `.rep` workloads;
- `qemu`: the one driver of QEMU, for `compare` and for Meson's boot tests;
- `build`: Meson, asked for the strategies, the kernels and the flags they were built with;
- `reply`: what a kernel says while it works;
- `heaps`: strategies at hardening levels, which is what is compared;
- `results`: the results document and its atomic writing;
- `replay`: what a replay is told, and how its answer is judged;
- `schedule`, `progress`: jobs over the machine's cores, and what a person sees of them;
- `table`, `figures`, `portrait`, `tradeoff`, `pictures`, `report`: the results as text, pictures
  and a page;
- `baseline`: what changed since earlier results, and what got worse;
- `outputs`: the files of a comparison, written all or none;
- `experiment`, `cachegrind`: single runs of one heap, and their records;
- `play`: the film of a trace on some heaps;
- `evidence`, `page`: documents of such records, and the pages that are made of them;
- `answer`: the chapters on what is naive about the naive heap;
- `papers`: the results that others published, measured again;
- `variant`, `witness`: programs made anew with one file changed, and what their tests say;
- `mistakes`: the gallery of classic mistakes;
- `mutants`, `verdicts`, `mutate`: small changes of every kind, and which of them no test
  notices;
- `debug`, `gdb`: kernels under GDB, and the commands that see their heaps;
- `transcript`: the sessions that a document shows, carried out anew;
- `sweep`: a grid of replays, on many cores or machines, that can be killed and resumed;
- `compare`, `__main__`: the commands.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The root of the source tree."""
