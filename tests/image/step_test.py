# SPDX-License-Identifier: MIT
"""The counter of search steps: what it costs a kernel, which is nothing, and who counts.

usage: step_test.py BUILD_DIRECTORY STRATEGY [unittest arguments]

The strategy is compiled as the kernel's is, and once more from a copy of mm/ in which no call
of heap_step() is left.
"""

import pathlib

import compiled

SEARCHING = {"bitmap", "next-fit", "best-fit", "worst-fit", "free-list", "boundary-tag"}


class Steps(compiled.Compiled):
    """mm/heap_step.h."""

    def without_calls(self) -> pathlib.Path:
        """Returns a copy of mm/ in which nobody calls heap_step()."""
        return self.edited((r"^ *heap_step\(.*\);.*\n", ""))

    def test_a_kernel_has_the_same_code_as_if_nobody_called_it(self) -> None:
        self.assertEqual(self.code(compiled.SOURCES), self.code(self.without_calls()))

    def test_every_sequential_fit_counts_where_it_is_asked_to(self) -> None:
        counts = "heap_steps" in self.code(compiled.SOURCES, "-DHEAP_COUNTS_STEPS")
        self.assertEqual(counts, compiled.STRATEGY in SEARCHING)
        self.assertNotIn("heap_steps", self.code(self.without_calls(), "-DHEAP_COUNTS_STEPS"))


if __name__ == "__main__":
    compiled.main()
