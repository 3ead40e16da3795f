# SPDX-License-Identifier: MIT
"""Strategies at hardening levels, with locks."""

import unittest

from lab import heaps
from lab.errors import InputError
from lab.heaps import Care, Heap


class Heaps(unittest.TestCase):

    def test_only_what_is_hardened_or_locked_says_so_in_its_name(self) -> None:
        self.assertEqual(Heap("tlsf").name, "tlsf")
        self.assertEqual(Heap("tlsf", "redzone").name, "tlsf+redzone")
        self.assertEqual(Heap("tlsf", locking="spin").name, "tlsf+spin")
        self.assertEqual(Heap("tlsf", "full", "irq").name, "tlsf+full+irq")

    def test_only_what_is_done_is_in_the_names_of_files(self) -> None:
        self.assertEqual([care.suffix for care in heaps.cares(
            {"hardening": ["off", "full"], "locking": ["none", "irq"]})],
            ["", "-irq", "-full", "-full-irq"])

    def test_titles_tell_where_anything_is_done_what_is(self) -> None:
        self.assertEqual(Care().told({"hardening": ["off"], "locking": ["none"]}), "")
        self.assertEqual(Care().told({"hardening": ["off", "full"], "locking": ["none"]}),
                         ", hardening off")
        self.assertEqual(Care("full", "irq").told({"hardening": ["full"], "locking": ["irq"]}),
                         ", hardening full, locking irq")

    def test_each_strategy_is_there_at_each_level_with_each_lock(self) -> None:
        made = heaps.all_of({"strategies": ["b", "a"], "hardening": ["off", "full"],
                             "locking": ["none", "spin"]})
        self.assertEqual([heap.name for heap in made],
                         ["b", "b+spin", "b+full", "b+full+spin",
                          "a", "a+spin", "a+full", "a+full+spin"])

    def test_levels_stand_in_their_order_once_each(self) -> None:
        self.assertEqual(heaps.chosen_levels("full, off,full"), ["off", "full"])
        self.assertEqual(heaps.chosen_lockings("percpu,irq, none"), ["none", "irq", "percpu"])

    def test_what_is_no_level_is_refused(self) -> None:
        with self.assertRaisesRegex(InputError, "there is no hardening level 'max'; choose from:"
                                    " off, check, redzone, full"):
            heaps.chosen_levels("check,max")
        with self.assertRaisesRegex(InputError, "there is no locking ''; choose from: none, irq,"
                                    " spin, percpu"):
            heaps.chosen_lockings("spin,")


if __name__ == "__main__":
    unittest.main()
