/* SPDX-License-Identifier: MIT */
/* What only bitmap promises: the lowest run that fits. */
#include "byte_map_rig.h"
#include "cases.h"

static const struct placement placements[] = {
    {"an empty heap is filled from block 0", "........", 0, 1, 8, "F.......", 0},
    {"the lowest hole is taken, not the smallest", "F...F.F.", 0, 1, 8, "FF..F.F.", 0},
    {"a hole that is too small is passed over", "F.F..F..", 0, 2, 8, "F.FFrF..", 0},
    {"an exact hole is filled", "F...F...", 0, 3, 8, "FFrrF...", 0},
    {"the last blocks are used", "FrrrrF..", 0, 2, 8, "FrrrrFFr", 0},
    {"the very last block is used", "Frrrrrr.", 0, 1, 8, "FrrrrrrF", 0},
    {"the whole heap is one run", "........", 0, 8, 8, "Frrrrrrr", 0},
    {"one block too many is refused", "........", 0, 9, 8, "........", 0},
    {"holes do not add up", ".F.F.F..", 0, 3, 8, ".F.F.F..", 0},
    {"the end does not run on into the beginning", "..FrrF..", 0, 3, 8, "..FrrF..", 0},
    {"a run starts inside a hole to be aligned", "F.......", 0, 1, 128, "F.F.....", 0},
    {"alignment may leave a hole unused", "F.F.F...", 0, 1, 256, "F.F.F...", 0},
    {"alignment counts within the hole", "F...F...", 0, 2, 128, "F.FrF...", 0},
    {"what alignment skips is not counted", "F..F....", 0, 2, 128, "F..FFr..", 0},
};

static void the_lowest_run_that_fits_is_taken(void **state)
{
    (void)state;
    rig_placements(placements, sizeof(placements) / sizeof(placements[0]), NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_lowest_run_that_fits_is_taken),
    cmocka_unit_test(byte_map_placements_equal_those_found_by_trying_every_place),
    cmocka_unit_test(byte_map_free_clears_its_run_and_no_more),
    cmocka_unit_test(byte_map_resize_changes_its_run_and_no_more),
    cmocka_unit_test(byte_map_mutants_of_i1_are_named),
    cmocka_unit_test(byte_map_mutants_of_i2_are_named),
    cmocka_unit_test(byte_map_random_maps_are_named_or_sound),
};

const struct cases bitmap_cases = {tests, sizeof(tests) / sizeof(tests[0])};
