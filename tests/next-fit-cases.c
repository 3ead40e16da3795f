/* SPDX-License-Identifier: MIT */
/* What only next-fit promises: the search goes on where the last one ended. */
#include "byte_map_rig.h"
#include "cases.h"

/* The control block of next-fit, written down a second time on purpose. */
static uint32_t *rover_of(const struct host_heap *host)
{
    return host->heap.control;
}

static const struct placement placements[] = {
    {"the search begins at the rover", "........", 3, 1, 8, "...F....", 4},
    {"holes below the rover are left alone", "F.F.F...", 5, 1, 8, "F.F.FF..", 6},
    {"a hole that is too small is passed over", "F...F.F...F.....", 4, 2, 8,
     "F...F.FFr.F.....", 9},
    {"a run may begin at the rover in the middle of a hole", "F......F", 4, 3, 8, "F...FrrF", 7},
    {"the rover goes back to 0 behind the last block", "FrrrF...", 5, 3, 8, "FrrrFFrr", 0},
    {"the search wraps round", "F..FrrrF", 4, 2, 8, "FFrFrrrF", 3},
    {"from the rover to the end comes before the wrap", "..F.F..F", 4, 2, 8, "..F.FFrF", 7},
    {"no run straddles the wrap", "..FrrF..", 6, 3, 8, "..FrrF..", 6},
    {"nor one that alone would fit around it", "...Fr...", 5, 4, 8, "...Fr...", 5},
    {"after the wrap a hole around the rover is whole", "F......F", 4, 5, 8, "FFrrrr.F", 6},
    {"after the wrap a run may end just behind the rover", "F.....FF", 4, 5, 8, "FFrrrrFF", 6},
    {"and in the last block", "F.......", 7, 7, 8, "FFrrrrrr", 0},
    {"the whole heap is one run, whatever the rover", "........", 5, 8, 8, "Frrrrrrr", 0},
    {"one block too many is refused, the rover stays", "........", 5, 9, 8, "........", 5},
    {"a full heap refuses", "FrrrrrrF", 3, 1, 8, "FrrrrrrF", 3},
    {"a run starts behind the rover to be aligned", "........", 1, 1, 256, "....F...", 5},
    {"alignment may cause the wrap", "........", 5, 1, 256, "F.......", 1},
    {"alignment and wrap, in a hole around the rover", "F.......", 5, 4, 256, "F...Frrr", 0},
};

static void the_search_begins_at_the_rover_and_wraps_round(void **state)
{
    (void)state;
    rig_placements(placements, sizeof(placements) / sizeof(placements[0]), rover_of);
}

static void free_and_resize_leave_the_rover_alone(void **state)
{
    (void)state;
    struct host_heap *host = rig_heap("FrrFFr..");
    *rover_of(host) = 6;
    assert_true(tested_strategy->free(&host->heap, host->heap.region.arena));
    assert_int_equal(*rover_of(host), 6);
    void *last = host->heap.region.arena + 4 * RIG_BLOCK_BYTES;
    assert_true(tested_strategy->resize(&host->heap, last, 4 * RIG_BLOCK_BYTES));
    assert_true(tested_strategy->resize(&host->heap, last, 1));
    assert_int_equal(*rover_of(host), 6);
    host_heap_delete(host);
}

static void mutants_of_i3_are_named(void **state)
{
    static const uint32_t rovers[] = {8, 9, 512, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
    (void)state;
    struct host_heap *host = rig_heap("FrrF....");
    *rover_of(host) = 7;
    assert_null(tested_strategy->check(&host->heap));
    for (uint32_t i = 0; i < sizeof(rovers) / sizeof(rovers[0]); i++) {
        *rover_of(host) = rovers[i];
        assert_label(tested_strategy->check(&host->heap), "I3");
    }
    host_heap_delete(host);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_search_begins_at_the_rover_and_wraps_round),
    cmocka_unit_test(byte_map_placements_equal_those_found_by_trying_every_place),
    cmocka_unit_test(free_and_resize_leave_the_rover_alone),
    cmocka_unit_test(mutants_of_i3_are_named),
    cmocka_unit_test(byte_map_free_clears_its_run_and_no_more),
    cmocka_unit_test(byte_map_resize_changes_its_run_and_no_more),
    cmocka_unit_test(byte_map_mutants_of_i1_are_named),
    cmocka_unit_test(byte_map_mutants_of_i2_are_named),
    cmocka_unit_test(byte_map_random_maps_are_named_or_sound),
};

const struct cases next_fit_cases = {tests, sizeof(tests) / sizeof(tests[0])};
