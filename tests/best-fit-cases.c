/* SPDX-License-Identifier: MIT */
/* What only best-fit promises: the smallest hole that fits, the lowest among equals. */
#include "byte_map_rig.h"
#include "cases.h"

static const struct placement placements[] = {
    {"an empty heap is filled from block 0", "........", 0, 1, 8, "F.......", 0},
    {"the smallest hole is taken, not the lowest", "F...F.F..F......", 0, 1, 8,
     "F...FFF..F......", 0},
    {"the smallest that fits", "F.F...F..F......", 0, 2, 8, "F.F...FFrF......", 0},
    {"the lowest among equals", "F..F..F..F......", 0, 1, 8, "FF.F..F..F......", 0},
    {"the lowest among exact ones", "F.F..F..F.......", 0, 2, 8, "F.FFrF..F.......", 0},
    {"a hole at the end counts as it is", "F....FrrrrrrrF..", 0, 2, 8, "F....FrrrrrrrFFr", 0},
    {"a hole of four that is one word", "FrrF....FrrrFr..", 0, 3, 8, "FrrFFrr.FrrrFr..", 0},
    {"a hole of four across two words", "FrrrFr....FrFrrr", 0, 4, 8, "FrrrFrFrrrFrFrrr", 0},
    {"a hole in the last byte of a word", "Frr.FrrrFrrrFr..", 0, 1, 8, "FrrFFrrrFrrrFr..", 0},
    {"a hole in the first byte of a word", "Frrr.FrrFrrrFr..", 0, 1, 8, "FrrrFFrrFrrrFr..", 0},
    {"the very last block", "FrrrrrrrrrrrrrF.", 0, 1, 8, "FrrrrrrrrrrrrrFF", 0},
    {"the whole heap is one run", "........", 0, 8, 8, "Frrrrrrr", 0},
    {"one block too many is refused", "........", 0, 9, 8, "........", 0},
    {"holes do not add up", ".F.F.F..", 0, 3, 8, ".F.F.F..", 0},
    {"the smallest hole with an aligned place", "F.F.F...F.......", 0, 1, 256,
     "F.F.F...F...F...", 0},
    {"a smaller hole that alignment makes useless", "F..F.F..F.......", 0, 2, 128,
     "F..F.FFrF.......", 0},
};

static void the_smallest_hole_that_fits_is_taken(void **state)
{
    (void)state;
    rig_placements(placements, sizeof(placements) / sizeof(placements[0]), NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_smallest_hole_that_fits_is_taken),
    cmocka_unit_test(byte_map_placements_equal_those_found_by_trying_every_place),
    cmocka_unit_test(byte_map_free_clears_its_run_and_no_more),
    cmocka_unit_test(byte_map_resize_changes_its_run_and_no_more),
    cmocka_unit_test(byte_map_mutants_of_i1_are_named),
    cmocka_unit_test(byte_map_mutants_of_i2_are_named),
    cmocka_unit_test(byte_map_random_maps_are_named_or_sound),
};

const struct cases best_fit_cases = {tests, sizeof(tests) / sizeof(tests[0])};
