/* SPDX-License-Identifier: MIT */
/*
 * The front door over a strategy that can be made to want more than there is: the naive heap, by
 * a table that this test writes. So the table's name stands for a pointer here.
 */
#define HEAP_STRATEGY (*wanting)

#include "front_door.h"

extern const struct heap_strategy heap_bitmap;

static struct heap_strategy table;
const struct heap_strategy *wanting = &table;

static int copy_table(void **state)
{
    (void)state;
    table = heap_bitmap;
    return 0;
}

static void as_many_control_bytes_as_there_are_can_be_had(void **state)
{
    table.control_bytes = HEAP_CONTROL_BYTES_MAX;
    start(state);
    assert_non_null(kmalloc(8));
}

static void a_strategy_that_wants_more_control_bytes_panics(void **state)
{
    char text[160];
    (void)state;
    region_set(MAP_BYTES);
    table.control_bytes = HEAP_CONTROL_BYTES_MAX + 1;
    snprintf(text, sizeof(text), "kinitHeap: strategy bitmap wants %d control bytes, there are %d",
             HEAP_CONTROL_BYTES_MAX + 1, HEAP_CONTROL_BYTES_MAX);
    ASSERT_PANICS((kinitHeap(), 0), text);
}

int main(void)
{
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup(as_many_control_bytes_as_there_are_can_be_had, copy_table),
        cmocka_unit_test_setup(a_strategy_that_wants_more_control_bytes_panics, copy_table),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
