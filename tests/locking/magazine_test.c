/* SPDX-License-Identifier: MIT */
/*
 * The magazine layer from inside: the front door is compiled into this file, over the naive heap,
 * so that its books can be read, and damaged. Processors are played one after another, by number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../mm/bitmap.c"

#include "../../mm/heap.c"

enum { MAP_BYTES = 16384, SIZE = 100, MANY = 200 };

static uint32_t misuses;

void heap_misused(const struct heap_misuse *misuse)
{
    struct heap_explanation explanation;
    heap_explain(misuse->address, &explanation); /* may be asked with the lock held */
    assert_int_equal(explanation.place, HEAP_PLACE_FREED);
    misuses++;
}

void heap_panic(const char *format, ...)
{
    fail_msg("the heap panicked: %s", format);
    abort();
}

static int start(void **state)
{
    (void)state;
    region_processor = 0;
    region_set(MAP_BYTES);
    kinitHeap();
    misuses = 0;
    return 0;
}

static void assert_sound(void)
{
    assert_null(heap_check(kheap_strategy(), kheap()));
}

static struct heap_stats now(void)
{
    return heap_stats().now;
}

/* Takes count blocks and frees them. */
static void park(uint32_t count, uint32_t size)
{
    void *blocks[MANY];
    for (uint32_t i = 0; i < count; i++)
        assert_non_null(blocks[i] = kmalloc(size));
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(kfree(blocks[i]), 0);
}

static void every_size_is_of_the_smallest_class_that_holds_it(void **state)
{
    (void)state;
    for (uint32_t size = 1; size <= MAGAZINE_BYTES_MAX; size++) {
        uint32_t class = magazine_class_for(size);
        assert_true(magazine_is_class(class));
        assert_true(magazine_bytes[class] >= size);
        assert_true(magazine_bytes[class - 1] < size);
    }
}

static void what_is_freed_is_cached_to_who_walks(void **state)
{
    (void)state;
    void *block = kmalloc(SIZE);
    assert_int_equal(now().live_blocks, 1);
    kfree(block);
    assert_int_equal(now().live_blocks, 0);
    assert_true(now().cached_bytes > 0);
    assert_int_equal(heap_magazine_status().parked_blocks, now().cached_blocks);
    assert_sound();
}

static void the_block_freed_last_is_had_again(void **state)
{
    (void)state;
    void *block = kmalloc(SIZE);
    kfree(block);
    assert_ptr_equal(kmalloc(SIZE - 1), block);
}

static void a_parked_block_cannot_be_freed_again(void **state)
{
    (void)state;
    void *block = kmalloc(SIZE);
    assert_int_equal(kfree(block), 0);
    assert_int_equal(kfree(block), -1);
    assert_int_equal(misuses, 1);
    assert_int_equal(ksize(block), 0);
    assert_sound();
}

static void one_that_another_processor_freed_is_its_to_hand_out(void **state)
{
    (void)state;
    void *block = kmalloc(SIZE);
    region_processor = 1;
    assert_int_equal(kfree(block), 0);
    assert_ptr_equal(kmalloc(SIZE), block);
    region_processor = 0;
    assert_ptr_not_equal(kmalloc(SIZE), block);
    assert_sound();
}

static void all_that_is_parked_is_given_back_for_a_large_request(void **state)
{
    (void)state;
    uint32_t all = MAP_BYTES * HEAP_BYTES_PER_MAP_BYTE;
    for (region_processor = 0; region_processor < REGION_PROCESSORS_MAX; region_processor++)
        park(20, SIZE);
    region_processor = 0;
    assert_true(now().cached_bytes > 0);
    assert_non_null(kmalloc(all));
    assert_int_equal(now().cached_blocks, 0);
    assert_int_equal(heap_magazine_status().reclaims, 1);
    assert_sound();
}

/* The heap is full, and a part of what was cut is parked with another processor. */
static void a_small_request_is_served_by_a_larger_block_that_is_parked(void **state)
{
    enum { LARGE = 1000 };
    (void)state;
    void *last = NULL;
    for (void *block; (block = kmalloc(LARGE)) != NULL; last = block)
        ;
    while (kmalloc(1) != NULL)
        ;
    region_processor = 5;
    kfree(last);
    region_processor = 0;
    assert_non_null(kmalloc(SIZE));
    assert_null(kmalloc(SIZE));
    assert_sound();
}

static void magazines_grow_where_somebody_waits(void **state)
{
    (void)state;
    uint32_t class = magazine_class_for(SIZE);
    int32_t size = depot.size[class];
    for (uint32_t i = 0; i < DEPOT_PATIENCE; i++) {
        lock.waits++; /* as if somebody had */
        depot_note_contention(class);
    }
    assert_int_equal(depot.size[class], 2 * size + 1);
    assert_int_equal(heap_magazine_status().growths, 1);
}

static void a_full_processor_visits_the_depot_once_a_magazine(void **state)
{
    (void)state;
    uint32_t class = magazine_class_for(SIZE);
    uint64_t exchanges = heap_magazine_status().exchanges;
    void *blocks[MANY];
    for (uint32_t i = 0; i < MANY; i++)
        assert_non_null(blocks[i] = kmalloc(SIZE));
    exchanges = heap_magazine_status().exchanges;
    for (uint32_t i = 0; i < MANY; i++)
        kfree(blocks[i]);
    uint64_t visits = heap_magazine_status().exchanges - exchanges;
    assert_true(visits <= MANY / (uint32_t)depot.size[class]);
    assert_int_equal(now().live_blocks, 0);
    assert_sound();
}

/* --- mutants ----------------------------------------------------------------------------- */

static void assert_broken(const char *label)
{
    const char *broken = heap_check(kheap_strategy(), kheap());
    assert_non_null(broken);
    assert_memory_equal(broken, label, 2);
}

static void check_names_a_block_of_another_class(void **state)
{
    (void)state;
    park(2, SIZE);
    uint8_t *entry = magazine_entry_of(region_heap_own[0].loaded[magazine_class_for(SIZE)]);
    *entry = (uint8_t)(*entry ^ 1);
    assert_broken("M1");
}

static void check_names_a_magazine_that_is_not_as_long_as_is_said(void **state)
{
    uint32_t class = magazine_class_for(SIZE);
    (void)state;
    park(2, SIZE);
    region_heap_own[0].room[class]++;
    assert_broken("M2");
    region_heap_own[0].room[class] -= 2;
    assert_broken("M2");
}

static void check_names_a_block_that_is_parked_twice(void **state)
{
    uint32_t class = magazine_class_for(SIZE);
    (void)state;
    park(2, SIZE);
    void *block = region_heap_own[0].loaded[class];
    *(void **)block = block;
    assert_broken("M3");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, start)
    const struct CMUnitTest cases[] = {
        CASE(every_size_is_of_the_smallest_class_that_holds_it),
        CASE(what_is_freed_is_cached_to_who_walks),
        CASE(the_block_freed_last_is_had_again),
        CASE(a_parked_block_cannot_be_freed_again),
        CASE(one_that_another_processor_freed_is_its_to_hand_out),
        CASE(all_that_is_parked_is_given_back_for_a_large_request),
        CASE(a_small_request_is_served_by_a_larger_block_that_is_parked),
        CASE(magazines_grow_where_somebody_waits),
        CASE(a_full_processor_visits_the_depot_once_a_magazine),
        CASE(check_names_a_block_of_another_class),
        CASE(check_names_a_magazine_that_is_not_as_long_as_is_said),
        CASE(check_names_a_block_that_is_parked_twice),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
