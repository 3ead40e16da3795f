# SPDX-License-Identifier: MIT
"""The locking dial at "none": what it costs a kernel, which is nothing.

usage: locking_test.py BUILD_DIRECTORY STRATEGY [unittest arguments]

The front door is compiled as the kernel's is, and once more from a copy of mm/ in which nobody
asks for the lock, and nobody asks what the dial says.
"""

import compiled

LOCKED = {"IRQ": ("cli", "popf"), "SPIN": ("cli", "lock incl", "lock decl"),
          "PERCPU": ("cli", "lock btrl", "%fs:")}


class Locking(compiled.Compiled):
    """mm/lock.h and mm/magazine_heap.h."""

    def test_a_kernel_without_locks_has_the_same_code_as_if_there_were_none(self) -> None:
        cut = self.edited((r"(?<!\))\n *lock_\w+\(\);(?=\n)", ""), (r"\block_insists\(\)", "false"),
                          (r"if \(LOCK_RARELY\((.*)\)\)", r"if (\1)"),
                          (r"\bLOCKING == LOCKING_(?!NONE)\w+", "false"))
        self.assertNotIn("lock_take();", (cut / "plain_heap.h").read_text("utf-8"))
        self.assertEqual(self.code(compiled.SOURCES), self.code(cut))

    def test_it_masks_no_interrupt_and_locks_no_bus(self) -> None:
        code = self.code(compiled.SOURCES)
        for instruction in ("cli", "popf", "lock ", "%fs:"):
            self.assertNotIn(f"\t{instruction}", code)

    def test_every_other_locking_shows_in_the_code(self) -> None:
        for locking, instructions in LOCKED.items():
            inside = ['-UHARDENING_INSIDE', '-DHARDENING_INSIDE="magazine_heap.h"']
            code = self.code(compiled.SOURCES, "-ULOCKING", f"-DLOCKING=LOCKING_{locking}",
                             *(inside if locking == "PERCPU" else []))
            for instruction in instructions:
                with self.subTest(locking, instruction=instruction):
                    self.assertIn(instruction, code)


if __name__ == "__main__":
    compiled.main()
