# SPDX-License-Identifier: MIT
"""What should have been: for each fault that tests/ can find, the rule of the contract."""

from __future__ import annotations

import re

_RULES = (
    (r"does not come back", "every call comes back, however the heap looks"),
    (r"it touches memory|memory is touched that|the fault that is described above",
     "a strategy touches its region and its control block alone, and does what C defines"),
    (r"has changed$", "what a caller writes into its block stays there until it frees the block"),
    (r"which is not aligned to",
     "a block starts at a multiple of 8, and of the alignment that was asked for"),
    (r"outside the heap's", "a block lies within the region that init() was given"),
    (r"were asked for, but the block", "usable() says at least the size that was asked for"),
    (r"knows no live block at offset", "usable() knows every live block"),
    (r"which reaches out of the heap", "what usable() says ends within the region"),
    (r"two live blocks overlap", "no byte belongs to two live blocks"),
    (r"free refused the live block", "free() takes back every live block, and returns true"),
    (r"usable\(\) takes offset",
     "with HEAP_VALIDATES_FREE usable() returns 0 for whatever is not a live block's start"),
    (r"free accepted offset",
     "with HEAP_VALIDATES_FREE free() returns false for whatever is not a live block's start"),
    (r"walk shows a live block", "walk() shows as live what was handed out and not freed, no more"),
    (r"walk shows \d+ usable bytes", "walk() and usable() say the same of a block"),
    (r"walk shows \d+ of the", "walk() shows every live block"),
    (r"a refused call left", "a call that is refused changes nothing"),
    (r"the heap is damaged", "after every call check() is silent, blocks lie side by side from the"
     " region's start to its end, and with HEAP_COALESCES no two holes are neighbours"),
    (r"holes instead of one", "with HEAP_COALESCES an empty heap is one hole again"),
    (r"bytes are refused, which a fresh heap",
     "with HEAP_COALESCES an empty heap grants what it granted when it was new"),
    (r"where the fresh heap had", "once all is freed, as much is free as in the beginning"),
    (r"by the policy's definition", "the block goes where the policy's definition says"),
    (r"the heap's memory has changed", "a call that is refused changes not even a byte"),
    (r"the quick and the slow half",
     "quick_alloc() and slow_alloc() do what alloc() does; of free() the same"),
)


def expected(wrong: str) -> str:
    """What the contract (mm/heap_strategy.h) says about it; empty if it is no known fault."""
    return next((rule for pattern, rule in _RULES if re.search(pattern, wrong)), "")
