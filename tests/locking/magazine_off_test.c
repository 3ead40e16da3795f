/* SPDX-License-Identifier: MIT */
/*
 * Magazines from inside with -Dhardening=off: nobody looks at what they are given but they
 * themselves. What is the same at each level is tried in magazine_test.c.
 */
#include "../front_door.h"

enum { SIZE = 100 };

static void where_no_block_starts_none_is_freed_and_nothing_is_said(void **state)
{
    (void)state;
    uint8_t *block = kmalloc_aligned(SIZE, 64);
    uint8_t *const wrong[] = {block + 16, kernel_heap.region.map - 16, kernel_heap.region.map,
                              region_end(), region_end() + 16, (uint8_t *)(uintptr_t)16};
    for (uint32_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(kfree(wrong[i]), -1);
    assert_int_equal(kfree(NULL), 0);
    assert_int_equal(kfree(block), 0);
    assert_int_equal(kfree(block), -1); /* it went back to the strategy */
    assert_int_equal(misuses, 0);
    assert_int_equal(heap_stats().misuses, 0);
    assert_sound();
}

static void what_the_strategy_holds_for_live_is_live(void **state)
{
    struct heap_explanation explanation;
    (void)state;
    uint8_t *block = kmalloc(SIZE);
    heap_explain(block, &explanation);
    assert_int_equal(explanation.place, HEAP_PLACE_LIVE);
    assert_ptr_equal(explanation.life.block, block);
    assert_int_equal(kfree(block), 0);
    heap_explain(block, &explanation);
    assert_int_equal(explanation.place, HEAP_PLACE_FREED);
}

static void nothing_is_counted_and_nothing_promised(void **state)
{
    (void)state;
    assert_non_null(kmalloc(SIZE));
    assert_non_null(kmalloc(MAGAZINE_BYTES_MAX + 1));
    assert_null(kmalloc(REGION_BYTES + 1));
    assert_null(kmalloc(REGION_BYTES));
    for (enum heap_failure reason = 0; reason < HEAP_FAILURES; reason++)
        assert_int_equal(failed(reason), 0);
    assert_int_equal(heap_stats().peak_live_blocks, 0);
    assert_int_equal(kheap_hardening_bytes(), 0);
    assert_false(kheap_refuses_wrong_addresses());
    assert_int_equal(kheap_strategy()->traits,
                     HEAP_STRATEGY.traits & ~(uint32_t)HEAP_VALIDATES_FREE);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, start)
    const struct CMUnitTest cases[] = {
        cmocka_unit_test_setup(calls_before_kinitheap_panic, unready),
        CASE(where_no_block_starts_none_is_freed_and_nothing_is_said),
        CASE(what_the_strategy_holds_for_live_is_live),
        CASE(nothing_is_counted_and_nothing_promised),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
