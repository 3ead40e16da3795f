/* SPDX-License-Identifier: MIT */
/* What only worst-fit promises: the largest hole, the lowest among equals. */
#include "byte_map_rig.h"
#include "cases.h"

static const struct placement placements[] = {
    {"an empty heap is filled from block 0", "........", 0, 1, 8, "F.......", 0},
    {"the largest hole is taken, not the lowest", "F..F....F...FrrF", 0, 1, 8,
     "F..FF...F...FrrF", 0},
    {"nor one of exactly the right length", "F..F....F...FrrF", 0, 2, 8, "F..FFr..F...FrrF", 0},
    {"the lowest among equals", "F..F...F...FF..F", 0, 1, 8, "F..FF..F...FF..F", 0},
    {"a hole at the end counts as it is", "F....FrFFr......", 0, 2, 8, "F....FrFFrFr....", 0},
    {"so does one at block 0", ".....F....FrF...", 0, 1, 8, "F....F....FrF...", 0},
    {"a hole of four that is one word", "FrrF....FrF.Fr..", 0, 3, 8, "FrrFFrr.FrF.Fr..", 0},
    {"a hole of four across two words", "FrrrFr....F.F...", 0, 4, 8, "FrrrFrFrrrF.F...", 0},
    {"a hole in the last byte of a word", "Frr.FrrrFrrrFrrr", 0, 1, 8, "FrrFFrrrFrrrFrrr", 0},
    {"a hole in the first byte of a word", "Frrr.FrrFrrrFrrr", 0, 1, 8, "FrrrFFrrFrrrFrrr", 0},
    {"the very last block", "FrrrrrrrrrrrrrF.", 0, 1, 8, "FrrrrrrrrrrrrrFF", 0},
    {"the whole heap is one run", "........", 0, 8, 8, "Frrrrrrr", 0},
    {"one block too many is refused", "........", 0, 9, 8, "........", 0},
    {"holes do not add up", ".F.F.F..", 0, 3, 8, ".F.F.F..", 0},
    {"a full heap refuses", "FrrrrrrF", 0, 1, 8, "FrrrrrrF", 0},
    {"an aligned place in the largest hole", "F.F.F.....F.F...", 0, 1, 256,
     "F.F.F...F.F.F...", 0},
    {"holes that alignment makes useless", "FrrrF...Fr..Frrr", 0, 1, 256, "FrrrF...Fr..Frrr", 0},
    {"a smaller one that has an aligned place", "FrrF.FrrF...F...", 0, 1, 256,
     "FrrFFFrrF...F...", 0},
    {"the largest of those that have one", "FrrF..FrF...F...", 0, 1, 128, "FrrF..FrF.F.F...", 0},
};

static void the_largest_hole_is_taken(void **state)
{
    (void)state;
    rig_placements(placements, sizeof(placements) / sizeof(placements[0]), NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_largest_hole_is_taken),
    cmocka_unit_test(byte_map_placements_equal_those_found_by_trying_every_place),
    cmocka_unit_test(byte_map_free_clears_its_run_and_no_more),
    cmocka_unit_test(byte_map_resize_changes_its_run_and_no_more),
    cmocka_unit_test(byte_map_mutants_of_i1_are_named),
    cmocka_unit_test(byte_map_mutants_of_i2_are_named),
    cmocka_unit_test(byte_map_random_maps_are_named_or_sound),
};

const struct cases worst_fit_cases = {tests, sizeof(tests) / sizeof(tests[0])};
