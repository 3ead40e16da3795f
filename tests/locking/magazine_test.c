/* SPDX-License-Identifier: MIT */
/*
 * The magazine layer from inside: the front door is compiled into this file, over the naive heap,
 * so that its books can be read, and damaged. Processors are played one after another, by number;
 * one that is in another's way leaves when that pauses. The naive heap's table is a copy, which a
 * test may change: so the name stands for a pointer.
 */
#define _GNU_SOURCE /* for the affinity of threads */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

static int pause_here(void);
#define sched_yield pause_here
#include "kernel_heap.h"
#undef sched_yield

#define HEAP_STRATEGY (*tried)

#include "../front_door.h"

extern const struct heap_strategy heap_bitmap;

static struct heap_strategy table;
const struct heap_strategy *tried = &table;

static struct heap_own *in_the_way; /* somebody is at these magazines until the next pause */
static __thread uint32_t pauses;

static int pause_here(void)
{
    pauses++;
    if (in_the_way != NULL)
        own_give(in_the_way);
    in_the_way = NULL;
    return sched_yield();
}

enum { LARGE_MAP_BYTES = 16384, SIZE = 100, MANY = 200 };

static int start_large(void **state)
{
    (void)state;
    in_the_way = NULL;
    table = heap_bitmap;
    start_with(LARGE_MAP_BYTES);
    return 0;
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

/* Of each class blocks are loaded: no request has to take a block of another. */
static void a_request_that_is_served_at_once_gets_its_class(void **state)
{
    (void)state;
    for (uint32_t class = 1; class <= MAGAZINE_CLASS_MAX; class++)
        assert_int_equal(kfree(kmalloc(magazine_bytes[class])), 0);
    uint64_t exchanges = heap_magazine_status().exchanges;
    for (uint32_t class = 1; class <= MAGAZINE_CLASS_MAX; class++) {
        assert_int_equal(ksize(kmalloc(magazine_bytes[class - 1] + 1)), magazine_bytes[class]);
        assert_int_equal(ksize(kmalloc(magazine_bytes[class])), magazine_bytes[class]);
    }
    assert_int_equal(heap_magazine_status().exchanges, exchanges);
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
    assert_misuse(1, HEAP_SIN_WRONG_ADDRESS, "kfree", block);
    struct heap_explanation explanation;
    heap_explain(block, &explanation);
    assert_int_equal(explanation.place, HEAP_PLACE_FREED);
    assert_null(explanation.before.block); /* nobody notes who had it */
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
    uint32_t all = LARGE_MAP_BYTES * HEAP_BYTES_PER_MAP_BYTE;
    for (region_processor = 0; region_processor < REGION_PROCESSORS_MAX; region_processor++)
        park(20, SIZE);
    region_processor = 0;
    for (uint32_t class = 1; class <= MAGAZINE_CLASS_MAX; class++)
        park(1, magazine_bytes[class]);
    assert_true(now().cached_bytes > 0);
    assert_non_null(kmalloc(all));
    assert_int_equal(now().cached_blocks, 0);
    assert_int_equal(heap_magazine_status().reclaims, 1);
    assert_sound();
}

/* The heap is full, and a part of what was cut is parked with another processor. */
static void a_request_is_served_by_a_block_as_large_or_larger_that_is_parked(void **state)
{
    static const uint32_t rows[][2] = {{SIZE, 1000}, {1000, 1000}, {SIZE, MAGAZINE_BYTES_MAX},
                                       {MAGAZINE_BYTES_MAX, MAGAZINE_BYTES_MAX}};
    (void)state;
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        start_with(LARGE_MAP_BYTES);
        void *last = NULL;
        for (void *block; (block = kmalloc(rows[i][1])) != NULL; last = block)
            ;
        while (kmalloc(1) != NULL)
            ;
        region_processor = 5;
        kfree(last);
        region_processor = 0;
        assert_null(kmalloc(MAGAZINE_BYTES_MAX + 1)); /* no magazine has so large a block */
        assert_non_null(kmalloc(rows[i][0]));
        assert_null(kmalloc(rows[i][0]));
        assert_sound();
    }
}

static void what_is_granted_is_not_counted_as_failed(void **state)
{
    (void)state;
    assert_non_null(kmalloc(SIZE));
    assert_non_null(kmalloc(MAGAZINE_BYTES_MAX + 1));
    assert_non_null(kmalloc_aligned(SIZE, 64));
    for (enum heap_failure reason = 0; reason < HEAP_FAILURES; reason++)
        assert_int_equal(failed(reason), 0);
}

static void what_no_region_holds_takes_nothing_from_magazines(void **state)
{
    (void)state;
    park(1, SIZE);
    assert_null(kmalloc(magazine_region_bytes() + 1));
    assert_null(kmalloc(UINT32_MAX));
    assert_null(kmalloc_aligned(magazine_region_bytes() + 1, 64));
    assert_int_equal(heap_magazine_status().reclaims, 0);
    assert_int_equal(heap_magazine_status().parked_blocks, 32);
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

/* --- one part after the other -------------------------------------------------------------- */

static struct heap_own *own(void)
{
    return &region_heap_own[region_processor];
}

static uint32_t chain_length(const void *block)
{
    uint32_t length = 0;
    for (; block != NULL; block = magazine_next(block))
        length++;
    return length;
}

/* What this processor has of a class: loaded, and before. */
static void assert_own(uint32_t class, uint32_t loaded, uint32_t previous)
{
    assert_int_equal(chain_length(own()->loaded[class]), loaded);
    assert_int_equal(own()->size[class] - own()->room[class], loaded);
    assert_int_equal(chain_length(own()->previous[class]), previous);
    assert_int_equal(own()->previous_count[class], previous);
    assert_int_equal(own()->is_free, 1);
}

static void the_larger_the_blocks_the_fewer_a_magazine_starts_with(void **state)
{
    static const struct {
        uint32_t bytes;
        int32_t first, last;
        uint32_t cut, cut_of_small;
    } rows[] = {{16, 15, 127, 32, 32}, {32, 15, 127, 32, 16}, {256, 15, 127, 32, 2},
                {320, 15, 127, 25, 1}, {512, 15, 127, 16, 1}, {640, 15, 102, 12, 1},
                {1024, 15, 64, 8, 1}, {1280, 12, 51, 6, 1}, {1536, 10, 42, 5, 1},
                {4096, 4, 16, 2, 1}};
    (void)state;
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        start_with(LARGE_MAP_BYTES);
        uint32_t class = magazine_class_for(rows[i].bytes);
        assert_int_equal(magazine_bytes[class], rows[i].bytes);
        assert_int_equal(depot.size[class], rows[i].first);
        assert_int_equal(depot_cut_blocks(class), rows[i].cut);
        int32_t size = rows[i].first;
        uint32_t growths = 0;
        for (uint32_t waits = 1; waits < 60; waits++) {
            depot_note_contention(class); /* nobody has waited since */
            assert_int_equal(depot.size[class], size);
            lock.waits++;
            depot_note_contention(class);
            if (waits % DEPOT_PATIENCE == 0 && size < rows[i].last) {
                size = 2 * size + 1 < rows[i].last ? 2 * size + 1 : rows[i].last;
                growths++;
            }
            assert_int_equal(depot.size[class], size);
            assert_int_equal(heap_magazine_status().growths, growths);
            assert_int_equal(heap_magazine_status().exchanges, 2 * waits);
        }
        assert_int_equal(size, rows[i].last);
        start_with(MAP_BYTES);
        assert_int_equal(depot_cut_blocks(class), rows[i].cut_of_small);
    }
}

static void blocks_are_cut_out_of_one_and_loaded(void **state)
{
    uint32_t class = magazine_class_for(SIZE);
    (void)state;
    uint8_t *block = kmalloc(SIZE);
    assert_own(class, 31, 0);
    assert_int_equal(own()->size[class], 32); /* it has more than a magazine starts with */
    assert_int_equal(heap_magazine_status().refills, 1);
    assert_int_equal(heap_magazine_status().exchanges, 1);
    assert_int_equal(heap_magazine_status().parked_blocks, 31);
    assert_int_equal(heap_magazine_status().parked_bytes, 31 * 112);
    assert_int_equal(*magazine_entry_of(block), class | MAGAZINE_CUT | MAGAZINE_FIRST);
    for (uint32_t i = 1; i < 32; i++) {
        assert_int_equal(*magazine_entry_of(block + i * 112), class | MAGAZINE_CUT);
        assert_ptr_equal(kmalloc(SIZE), block + i * 112);
        assert_own(class, 31 - i, 0);
    }
    assert_int_equal(heap_magazine_status().exchanges, 1);
    assert_int_equal(now().live_blocks, 32);
    assert_int_equal(ksize(block + 112), 112);
    assert_sound();
}

static void a_full_magazine_is_put_aside_and_the_next_goes_to_the_depot(void **state)
{
    enum { BLOCKS = 96, SIZE_AT_FIRST = 15 };
    uint32_t class = magazine_class_for(SIZE);
    uint8_t *blocks[BLOCKS];
    (void)state;
    for (uint32_t i = 0; i < BLOCKS; i++)
        blocks[i] = kmalloc(SIZE);
    assert_own(class, 0, 0);
    region_processor = 1;
    uint32_t loaded = 0, previous = 0, in_depot = 0;
    uint64_t exchanges = heap_magazine_status().exchanges;
    for (uint32_t i = 0; i < BLOCKS; i++) {
        assert_int_equal(kfree(blocks[i]), 0);
        uint32_t limit = SIZE_AT_FIRST;
        if (i == 0)
            assert_int_equal(own()->size[class], limit);
        if (loaded == limit) {
            in_depot += previous > 0;
            previous = loaded;
            loaded = 0;
        }
        loaded++;
        assert_own(class, loaded, previous);
        assert_int_equal(heap_magazine_status().parked_blocks, i + 1);
        uint32_t magazines = 0;
        for (struct depot_magazine *one = depot.magazines[class]; one; one = one->next_magazine) {
            assert_int_equal(one->count, SIZE_AT_FIRST);
            assert_int_equal(chain_length(one), SIZE_AT_FIRST);
            magazines++;
        }
        assert_int_equal(magazines, in_depot);
        assert_int_equal(heap_magazine_status().exchanges, exchanges + in_depot);
    }
    assert_sound();
    uint64_t refills = heap_magazine_status().refills;
    for (uint32_t i = BLOCKS; i-- > 0;)
        assert_non_null(kmalloc(SIZE));
    assert_own(class, 0, 0);
    assert_null(depot.magazines[class]);
    assert_int_equal(heap_magazine_status().refills, refills);
    assert_int_equal(heap_magazine_status().parked_blocks, 0);
    assert_sound();
}

static void the_depot_gives_back_what_came_last(void **state)
{
    enum { BLOCKS = 4 };
    uint8_t *blocks[BLOCKS];
    uint32_t class = magazine_class_for(SIZE);
    (void)state;
    for (uint32_t i = 0; i < BLOCKS; i++)
        blocks[i] = kmalloc(SIZE);
    struct magazine one = {0}, two = {0};
    magazine_push(&one, blocks[0]);
    magazine_push(&two, blocks[1]);
    magazine_push(&two, blocks[2]);
    assert_int_equal(two.count, 2);
    assert_ptr_equal(two.first, blocks[2]);
    depot_put(class, one);
    depot_put(class, two);
    struct magazine got = depot_take(class);
    assert_ptr_equal(got.first, blocks[2]);
    assert_int_equal(got.count, 2);
    assert_ptr_equal(magazine_pop(&got), blocks[2]);
    assert_ptr_equal(magazine_pop(&got), blocks[1]);
    assert_int_equal(got.count, 0);
    got = depot_take(class);
    assert_ptr_equal(got.first, blocks[0]);
    assert_int_equal(got.count, 1);
    got = depot_take(class);
    assert_null(got.first);
    assert_int_equal(got.count, 0);
    for (uint32_t i = 0; i < BLOCKS; i++)
        depot_put_all(class, (struct magazine){0});
    assert_null(depot.magazines[class]);
}

/* What was cut goes back whole, or not at all. */
static void what_was_cut_goes_back_when_all_of_it_is_parked(void **state)
{
    uint32_t class = magazine_class_for(SIZE);
    uint8_t *blocks[64];
    (void)state;
    uint32_t all = now().free_bytes;
    for (uint32_t i = 0; i < 64; i++)
        blocks[i] = kmalloc(SIZE); /* two that were cut */
    for (uint32_t i = 0; i < 63; i++)
        assert_int_equal(kfree(blocks[i]), 0);
    depot_take_every_own();
    assert_true(reclaim_all());
    assert_false(reclaim_all());
    depot_give_every_own();
    assert_int_equal(heap_magazine_status().reclaims, 2);
    assert_int_equal(heap_magazine_status().parked_blocks, 31);
    assert_int_equal(now().live_blocks, 1);
    assert_own(class, 0, 0);
    assert_int_equal(*magazine_entry_of(blocks[0]), MAGAZINE_NONE);
    assert_int_equal(*magazine_entry_of(blocks[31]), MAGAZINE_NONE);
    assert_int_equal(*magazine_entry_of(blocks[32]), class | MAGAZINE_CUT | MAGAZINE_FIRST);
    assert_int_equal(*magazine_entry_of(blocks[62]), class | MAGAZINE_CUT);
    uint32_t magazines = 0;
    for (struct depot_magazine *one = depot.magazines[class]; one; one = one->next_magazine) {
        assert_true(one->count <= depot.size[class]);
        magazines++;
    }
    assert_int_equal(magazines, 3); /* of 15, 15 and 1 */
    assert_sound();
    assert_int_equal(kfree(blocks[63]), 0);
    depot_take_every_own();
    assert_true(reclaim_all());
    depot_give_every_own();
    assert_int_equal(now().free_bytes, all);
    assert_int_equal(now().cached_blocks, 0);
    assert_sound();
}

/* Whom would it be given back to? */
static void where_nothing_is_ever_freed_what_is_parked_stays(void **state)
{
    uint32_t class = magazine_class_for(SIZE);
    (void)state;
    table.traits |= HEAP_NEVER_FREES;
    park(20, SIZE);
    depot_take_every_own();
    assert_false(reclaim_class(class));
    depot_give_every_own();
    assert_own(class, 0, 0);
    assert_int_equal(heap_magazine_status().parked_blocks, 32);
    assert_int_equal(now().cached_blocks, 32);
    park(32, SIZE);
    assert_int_equal(heap_magazine_status().refills, 1);
    assert_sound();
}

static void a_single_block_is_asked_for_where_there_is_no_room_to_cut(void **state)
{
    uint32_t class = magazine_class_for(SIZE);
    uint8_t *last = NULL;
    (void)state;
    start_with(MAP_BYTES);
    while (HEAP_STRATEGY.alloc(&kernel_heap, 520, 8) != NULL)
        ;
    for (uint8_t *block; (block = HEAP_STRATEGY.alloc(&kernel_heap, 64, 8)) != NULL;)
        last = block;
    assert_non_null(last);
    assert_null(kmalloc(SIZE));
    assert_int_equal(heap_stats().failures[HEAP_FAILURE_EXHAUSTED], 1);
    HEAP_STRATEGY.free(&kernel_heap, last);
    HEAP_STRATEGY.free(&kernel_heap, last - 64);
    uint8_t *block = kmalloc(SIZE);
    assert_non_null(block);
    assert_int_equal(*magazine_entry_of(block), class);
    assert_own(class, 0, 0);
    assert_int_equal(ksize(block), HEAP_STRATEGY.usable(&kernel_heap, block));
    assert_int_equal(kfree(block), 0);
    assert_own(class, 1, 0);
    depot_take_every_own();
    assert_true(reclaim_class(class));
    depot_give_every_own();
    assert_int_equal(*magazine_entry_of(block), MAGAZINE_NONE);
    assert_own(class, 0, 0);
}

static void an_aligned_block_is_found_among_the_parked(void **state)
{
    uint8_t *block = NULL;
    (void)state;
    start_with(MAP_BYTES);
    while (kmalloc(16) != NULL)
        ;
    for (uint32_t unit = 0; unit < magazine_region_bytes() / 16; unit++)
        if (guard_knows(kernel_heap.region.map + 16 * unit))
            block = kernel_heap.region.map + 16 * unit;
    uint8_t *aligned = (uint8_t *)((uintptr_t)block & ~(uintptr_t)127);
    assert_int_equal(kfree(block), 0);
    assert_int_equal(kfree(aligned), 0);
    assert_null(kmalloc_aligned(32, 128));
    assert_ptr_equal(kmalloc_aligned(16, 128), aligned);
    assert_null(kmalloc_aligned(16, 128));
    assert_int_equal(heap_magazine_status().parked_blocks, 1);
    assert_ptr_equal(kmalloc(1), block);
}

static void large_and_aligned_blocks_go_back_at_once(void **state)
{
    (void)state;
    struct heap_stats fresh = now();
    uint8_t *const blocks[] = {kmalloc(MAGAZINE_BYTES_MAX + 1), kmalloc_aligned(40, 64)};
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(*magazine_entry_of(blocks[i]), MAGAZINE_LARGE);
        assert_int_equal(now().live_blocks, 2 - i);
        assert_int_equal(kfree(blocks[i]), 0);
        assert_int_equal(*magazine_entry_of(blocks[i]), MAGAZINE_NONE);
        assert_int_equal(kfree(blocks[i]), -1);
        assert_int_equal(misuses, i + 1);
    }
    assert_int_equal(now().free_bytes, fresh.free_bytes);
    assert_int_equal(now().cached_blocks, 0);
    assert_non_null(kmalloc(MAGAZINE_BYTES_MAX));
    assert_int_equal(heap_magazine_status().parked_blocks, 1);
    assert_non_null(kmalloc(MAGAZINE_BYTES_MAX + 1));
    assert_int_equal(heap_magazine_status().parked_blocks, 1);
    assert_int_equal(heap_magazine_status().reclaims, 0);
    uint8_t *usual = kmalloc_aligned(SIZE, HEAP_ALIGNMENT_BYTES); /* as kmalloc() has it */
    assert_int_equal(magazine_class_of_entry(*magazine_entry_of(usual)), magazine_class_for(SIZE));
    assert_null(kmalloc(0));
    assert_null(kmalloc(UINT32_MAX));
    assert_null(kmalloc(magazine_region_bytes() + 1));
    assert_int_equal(heap_stats().failures[HEAP_FAILURE_TOO_LARGE], 2);
}

static void a_block_of_a_class_is_resized_within_it(void **state)
{
    (void)state;
    uint8_t *block = kmalloc(SIZE); /* of 112 */
    uint8_t entry = *magazine_entry_of(block);
    assert_ptr_equal(krealloc(block, 112), block);
    assert_ptr_equal(krealloc(block, 1), block);
    assert_int_equal(*magazine_entry_of(block), entry);
    assert_int_equal(ksize(block), 112);
    uint8_t *moved = krealloc(block, 113);
    assert_ptr_not_equal(moved, block);
    assert_int_equal(ksize(moved), 128);
    assert_int_equal(kfree(block), -1);
    uint8_t *large = kmalloc(5000);
    assert_ptr_equal(krealloc(large, 6000), large);
    assert_true(ksize(large) >= 6000);
    assert_ptr_equal(krealloc(large, 8), large);
    assert_true(ksize(large) >= 16);
    assert_int_equal(*magazine_entry_of(large), MAGAZINE_LARGE);
    assert_sound();
}

static void *alloc_short(const struct heap *heap, uint32_t size, uint32_t align_bytes)
{
    return size > 512 ? NULL : heap_bitmap.alloc(heap, size, align_bytes);
}

static void a_block_that_has_grown_is_of_no_class_any_more(void **state)
{
    (void)state;
    table.alloc = alloc_short; /* so it is not cut out of another */
    uint8_t *block = kmalloc(SIZE);
    assert_int_equal(*magazine_entry_of(block), magazine_class_for(SIZE));
    assert_ptr_equal(krealloc(block, 2 * SIZE), block);
    assert_int_equal(*magazine_entry_of(block), MAGAZINE_LARGE);
    assert_int_equal(kfree(block), 0);
    assert_int_equal(heap_magazine_status().parked_blocks, 0);
    assert_sound();
}

static void a_large_block_moves_where_the_strategy_resizes_none(void **state)
{
    (void)state;
    table.resize = NULL;
    uint8_t *large = kmalloc(5000);
    uint8_t *moved = krealloc(large, 5001);
    assert_non_null(moved);
    assert_ptr_not_equal(moved, large);
    assert_true(ksize(moved) >= 5001);
    assert_int_equal(kfree(large), -1);
    assert_int_equal(kfree(moved), 0);
    assert_sound();
}

/* The strategy, which asserts that no other processor can call it. */
static uint32_t calls;

static void assert_alone(void)
{
    assert_int_equal(lock.word, LOCK_FREE + 1);
    for (uint32_t i = 0; i < REGION_PROCESSORS_MAX && depot.status.reclaims > 0; i++)
        assert_int_equal(region_heap_own[i].is_free, 0);
    calls++;
}

static void *alloc_alone(const struct heap *heap, uint32_t size, uint32_t align_bytes)
{
    assert_alone();
    return heap_bitmap.alloc(heap, size, align_bytes);
}

static bool free_alone(const struct heap *heap, void *payload)
{
    assert_alone();
    return heap_bitmap.free(heap, payload);
}

static bool resize_alone(const struct heap *heap, void *payload, uint32_t size)
{
    assert_alone();
    return heap_bitmap.resize(heap, payload, size);
}

static void who_calls_the_strategy_has_the_lock(void **state)
{
    (void)state;
    calls = 0;
    table.alloc = alloc_alone;
    table.free = free_alone;
    table.resize = resize_alone;
    void *large = kmalloc(5000);
    assert_ptr_equal(krealloc(large, 6000), large);
    assert_int_equal(kfree(large), 0);
    assert_int_equal(kfree(kmalloc_aligned(SIZE, 64)), 0);
    assert_int_equal(calls, 5);
    park(1, SIZE);
    assert_int_equal(calls, 6);
    assert_non_null(kmalloc(LARGE_MAP_BYTES * HEAP_BYTES_PER_MAP_BYTE));
    assert_int_equal(calls, 9); /* refuses, has a block given back, and grants */
    assert_int_equal(lock.word, LOCK_FREE);
}

static void all_processors_are_counted_and_none_is_kept(void **state)
{
    (void)state;
    for (region_processor = 0; region_processor < REGION_PROCESSORS_MAX; region_processor++)
        kfree(kmalloc(SIZE));
    region_processor = 0;
    assert_int_equal(heap_magazine_status().parked_blocks, 32 * REGION_PROCESSORS_MAX);
    assert_int_equal(now().cached_blocks, 32 * REGION_PROCESSORS_MAX);
    assert_int_equal(now().live_blocks, 0);
    for (uint32_t i = 0; i < REGION_PROCESSORS_MAX; i++)
        assert_int_equal(region_heap_own[i].is_free, 1);
    assert_int_equal(heap_stats().peak_live_blocks, 1);
    for (uint32_t unit = 0; unit <= magazine_region_bytes() / MAGAZINE_UNIT_BYTES; unit++)
        assert_int_equal(magazine_table[unit] & MAGAZINE_PARKED, 0);
    kinitHeap();
    for (uint32_t i = 0; i < REGION_PROCESSORS_MAX; i++)
        assert_int_equal(region_heap_own[i].is_free, 1);
    assert_int_equal(heap_magazine_status().parked_blocks, 0);
    for (uint32_t unit = 0; unit <= magazine_region_bytes() / MAGAZINE_UNIT_BYTES; unit++)
        assert_int_equal(magazine_table[unit], MAGAZINE_NONE);
}

static void see_nobody_at_the_magazines(void *context, const struct heap_block *block)
{
    (void)block;
    for (uint32_t i = 0; i < REGION_PROCESSORS_MAX; i++)
        assert_int_equal(region_heap_own[i].is_free, 0);
    ++*(uint32_t *)context;
}

static void nobody_is_at_any_magazine_while_the_heap_is_walked(void **state)
{
    uint32_t blocks = 0;
    (void)state;
    kmalloc(SIZE);
    kheap_strategy()->walk(kheap(), see_nobody_at_the_magazines, &blocks);
    assert_true(blocks > 32);
    for (uint32_t i = 0; i < REGION_PROCESSORS_MAX; i++)
        assert_int_equal(region_heap_own[i].is_free, 1);
}

/* Somebody is at these magazines, and leaves when who comes now pauses. */
static void be_in_the_way_at(struct heap_own *own)
{
    own_take(own);
    in_the_way = own;
    pauses = 0;
}

static void assert_has_waited(void)
{
    assert_int_equal(pauses, 1);
    assert_null(in_the_way);
    for (uint32_t i = 0; i < REGION_PROCESSORS_MAX; i++)
        assert_int_equal(region_heap_own[i].is_free, 1);
}

static void who_comes_to_magazines_pauses_until_they_are_free(void **state)
{
    uint32_t class = magazine_class_for(SIZE);
    uint32_t blocks = 0;
    (void)state;
    void *block = kmalloc(SIZE);
    be_in_the_way_at(own());
    assert_non_null(kmalloc(SIZE));
    assert_has_waited();
    be_in_the_way_at(own());
    assert_int_equal(kfree(block), 0);
    assert_has_waited();
    lock_take();
    be_in_the_way_at(own());
    block = depot_serve(class);
    assert_has_waited();
    be_in_the_way_at(own());
    depot_accept(class, block);
    assert_has_waited();
    lock_give();
    for (uint32_t i = 0; i < REGION_PROCESSORS_MAX; i++) {
        be_in_the_way_at(&region_heap_own[i]);
        heap_magazine_status();
        assert_has_waited();
        be_in_the_way_at(&region_heap_own[i]);
        assert_null(kheap_strategy()->check(kheap()));
        assert_has_waited();
        be_in_the_way_at(&region_heap_own[i]);
        kheap_strategy()->walk(kheap(), see_nobody_at_the_magazines, &blocks);
        assert_has_waited();
    }
}

/* Who has waited finds what is loaded still there, and takes from that. */
static void who_had_to_wait_takes_one_block_of_what_is_loaded(void **state)
{
    enum { LOADED = 5, PREVIOUS = 15 };
    uint32_t class = magazine_class_for(SIZE);
    void *blocks[LOADED + PREVIOUS];
    (void)state;
    for (uint32_t i = 0; i < LOADED + PREVIOUS; i++)
        blocks[i] = kmalloc(SIZE);
    region_processor = 1;
    for (uint32_t i = 0; i < LOADED + PREVIOUS; i++)
        assert_int_equal(kfree(blocks[i]), 0);
    assert_own(class, LOADED, PREVIOUS);
    be_in_the_way_at(own());
    assert_ptr_equal(kmalloc(SIZE), blocks[LOADED + PREVIOUS - 1]);
    assert_has_waited();
    assert_own(class, LOADED - 1, PREVIOUS);
}

/* Of 512 bytes, with these, 32 are left over behind the last: they are shown as its own. */
static void what_is_left_over_of_a_cut_is_the_last_ones(void **state)
{
    enum { BYTES = 48, CUT = 10 };
    (void)state;
    start_with(MAP_BYTES);
    uint8_t *first = kmalloc(BYTES);
    assert_int_equal(depot_cut_blocks(magazine_class_for(BYTES)), CUT);
    assert_int_equal(now().live_bytes, BYTES);
    for (uint32_t i = 1; i < CUT; i++) {
        assert_ptr_equal(kmalloc(BYTES), first + i * BYTES);
        assert_int_equal(now().live_bytes, i + 1 < CUT ? (i + 1) * BYTES : 512);
    }
    assert_int_equal(now().payload_bytes, CUT * BYTES);
    assert_sound();
}

static void kinitheap_forgets_every_block(void **state)
{
    (void)state;
    uint8_t *block = kmalloc(SIZE);
    assert_int_equal(ksize(block), 112);
    kinitHeap();
    assert_int_equal(ksize(block), 0);
    assert_int_equal(kfree(block), -1);
    assert_int_equal(misuses, 2);
}

/* And touches nothing behind it: the table is as long as the largest region wants. */
static void the_table_is_cleared_up_to_its_end(void **state)
{
    (void)state;
    start_with(REGION_MAP_BYTES_MAX);
    assert_int_equal(magazine_region_bytes() / MAGAZINE_UNIT_BYTES + 1, MAGAZINE_UNITS_MAX);
    memset(magazine_table, 0xFF, sizeof(magazine_table));
    kinitHeap();
    for (uint32_t unit = 0; unit < MAGAZINE_UNITS_MAX; unit++)
        assert_int_equal(magazine_table[unit], MAGAZINE_NONE);
}

/* The guard, too, though none of what it knew is live any more: else this would be parked twice. */
static void what_was_live_before_kinitheap_is_parked_once(void **state)
{
    (void)state;
    uint8_t *const before[] = {kmalloc(SIZE), kmalloc(SIZE)};
    kinitHeap();
    assert_ptr_equal(kmalloc(SIZE), before[0]); /* and the other is parked */
    assert_int_equal(heap_magazine_status().parked_blocks, 31);
    assert_int_equal(kfree(before[1]), -1);
    assert_misuse(1, HEAP_SIN_WRONG_ADDRESS, "kfree", before[1]);
    assert_int_equal(heap_magazine_status().parked_blocks, 31);
    assert_sound();
}

/* As is one that a strategy which never frees still holds for live. */
static void a_block_that_the_guard_does_not_know_was_freed(void **state)
{
    struct heap_explanation explanation;
    (void)state;
    uint8_t *block = kmalloc_aligned(SIZE, 64);
    heap_explain(block, &explanation);
    assert_int_equal(explanation.place, HEAP_PLACE_LIVE);
    assert_ptr_equal(explanation.life.block, block);
    assert_true(guard_leave(block));
    heap_explain(block, &explanation);
    assert_int_equal(explanation.place, HEAP_PLACE_FREED);
}

static void what_it_takes_is_told_to_the_byte(void **state)
{
    struct heap_leak leaks[1];
    (void)state;
    assert_int_equal(kheap_hardening_bytes(),
                     sizeof(account) + sizeof(account_plan) + sizeof(guard));
    assert_int_equal(kheap_locking_bytes(),
                     sizeof(lock) + sizeof(magazine_table) + sizeof(magazine_classes) +
                         sizeof(magazine_bytes) + sizeof(depot) + sizeof(region_heap_own));
    assert_string_equal(kheap_locking(), "percpu");
    take_here(8);
    assert_int_equal(heap_leaks(leaks, 1), 0);
    assert_true(kheap_refuses_wrong_addresses());
    assert_int_equal(kheap_strategy()->traits, heap_bitmap.traits);
}

static void the_most_blocks_at_once_are_counted_one_by_one(void **state)
{
    void *blocks[5];
    (void)state;
    for (uint32_t i = 0; i < 5; i++) {
        blocks[i] = kmalloc(SIZE);
        assert_int_equal(heap_stats().peak_live_blocks, i + 1);
    }
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(kfree(blocks[i]), 0);
    assert_int_equal(account_live, 0);
    assert_int_equal(heap_stats().peak_live_blocks, 5);
    kmalloc(SIZE);
    assert_int_equal(account_live, 1);
    assert_int_equal(heap_stats().peak_live_blocks, 5);
    kinitHeap();
    assert_int_equal(account_live, 0);
    assert_int_equal(heap_stats().peak_live_blocks, 0);
}

static void the_lock_is_there_with_magazines_too(void **state)
{
    (void)state;
    lock_take();
    assert_int_equal(lock.word, LOCK_FREE + 1);
    lock_give();
    assert_int_equal(lock.word, LOCK_FREE);
}

static void every_call_leaves_the_lock_free(void **state)
{
    (void)state;
    uint8_t *block = kmalloc(SIZE);
    assert_int_equal(lock.word, LOCK_FREE);
    assert_null(krealloc(block, 0));
    assert_int_equal(lock.word, LOCK_FREE);
    assert_null(krealloc(block, 0)); /* it is no block any more */
    assert_int_equal(lock.word, LOCK_FREE);
    block = krealloc(kmalloc(SIZE), SIZE);
    assert_int_equal(lock.word, LOCK_FREE);
    block = krealloc(block, 2 * SIZE);
    assert_int_equal(lock.word, LOCK_FREE);
    assert_true(ksize(block) >= 2 * SIZE);
    assert_int_equal(lock.word, LOCK_FREE);
    heap_stats();
    assert_int_equal(lock.word, LOCK_FREE);
    heap_magazine_status();
    assert_int_equal(lock.word, LOCK_FREE);
    assert_non_null(kmalloc_aligned(SIZE, 64));
    assert_int_equal(lock.word, LOCK_FREE);
}

static void requests_fail_on_purpose_and_before_kinitheap_panic(void **state)
{
    const struct heap_failing second = {.skip = 1, .interval = 1, .probability_percent = 100,
                                        .times = 1};
    (void)state;
    heap_fail(&second);
    assert_null(kmalloc(0));
    assert_non_null(kmalloc(8));
    assert_null(kmalloc(8));
    assert_non_null(kmalloc(8));
    assert_int_equal(heap_fail_requests(), 3);
    heap_fail(NULL);
    assert_panics_before_kinitheap();
}

static void every_wrong_address_is_refused_and_reported(void **state)
{
    (void)state;
    uint8_t *block = kmalloc(SIZE);
    uint8_t *const wrong[] = {block + 1, block + 8, block + 112, kernel_heap.region.map - 16,
                              kernel_heap.region.map, region_end(), region_end() + 16,
                              (uint8_t *)(uintptr_t)16};
    uint32_t count = sizeof(wrong) / sizeof(wrong[0]);
    assert_all_refused(wrong, count);
    assert_int_equal(kfree(NULL), 0);
    assert_int_equal(lock.word, LOCK_FREE);
    assert_null(lock.reporter);
    assert_int_equal(kfree(block), 0);
    assert_int_equal(misuses, 3 * count);
}

/* Its entry in the table says of which class it is: one that says of none is damaged. */
static void a_block_that_is_of_no_class_is_refused(void **state)
{
    static const uint8_t none[] = {MAGAZINE_NONE, MAGAZINE_CLASS_MAX + 1, MAGAZINE_LARGE - 1};
    (void)state;
    uint8_t *block = kmalloc_aligned(SIZE, 64);
    for (uint32_t i = 0; i < sizeof(none); i++) {
        *magazine_entry_of(block) = none[i];
        assert_int_equal(kfree(block), -1);
        assert_misuse(i + 1, HEAP_SIN_WRONG_ADDRESS, "kfree", block);
        guard_enter(block);
    }
    *magazine_entry_of(block) = MAGAZINE_LARGE;
    assert_int_equal(kfree(block), 0);
    assert_sound();
}

/* --- two processors at once ----------------------------------------------------------------- */

enum { THREADS = 2, ROUNDS = 5000000 };

static pthread_barrier_t all_are_there;
static uint32_t done; /* threads that have made all their rounds, and go on for the others' sake */

static const uint8_t *granule_of_thread(uint32_t thread)
{
    return kernel_heap.region.map + thread * GUARD_GRANULE_BYTES;
}

/* On processors of their own, if there are so many: else they would seldom meet. */
static void part_threads(uint32_t thread)
{
    cpu_set_t mine;
    CPU_ZERO(&mine);
    CPU_SET(thread, &mine);
    pthread_setaffinity_np(pthread_self(), sizeof(mine), &mine);
}

/* Enters and leaves a granule of its own. Returns, as a number: how often that was lost. */
static void *enter_and_leave(void *thread)
{
    const uint8_t *address = granule_of_thread((uint32_t)(uintptr_t)thread);
    uintptr_t lost = 0;
    part_threads((uint32_t)(uintptr_t)thread);
    pthread_barrier_wait(&all_are_there);
    for (uint32_t i = 0; __atomic_load_n(&done, __ATOMIC_RELAXED) < THREADS; i++) {
        guard_enter(address);
        lost += !guard_leave(address);
        lost += guard_knows(address);
        if (i == ROUNDS)
            __atomic_add_fetch(&done, 1, __ATOMIC_RELAXED);
    }
    return (void *)lost;
}

/* They change bits of the same word, and do not hold the lock. */
static void the_guard_loses_no_bit_when_processors_meet(void **state)
{
    pthread_t threads[THREADS];
    (void)state;
    pthread_barrier_init(&all_are_there, NULL, THREADS);
    done = 0;
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, enter_and_leave, (void *)(uintptr_t)i);
    for (uint32_t i = 0; i < THREADS; i++) {
        void *lost;
        pthread_join(threads[i], &lost);
        assert_null(lost);
    }
    assert_int_equal(guard.words[0], 0);
}

static uint32_t comers; /* that need wait no more */

static void *take_own(void *own)
{
    pthread_barrier_wait(&all_are_there);
    own_take(own);
    __atomic_add_fetch(&comers, 1, __ATOMIC_RELAXED);
    own_give(own);
    return NULL;
}

static void *count_parked(void *own)
{
    (void)own;
    pthread_barrier_wait(&all_are_there);
    heap_magazine_status();
    __atomic_add_fetch(&comers, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void assert_waits_for_magazines(void *(*comer)(void *own))
{
    pthread_t thread;
    comers = 0;
    pthread_barrier_init(&all_are_there, NULL, 2);
    own_take(own());
    assert_int_equal(own()->is_free, 0);
    pthread_create(&thread, NULL, comer, own());
    pthread_barrier_wait(&all_are_there);
    usleep(20000);
    assert_int_equal(__atomic_load_n(&comers, __ATOMIC_RELAXED), 0);
    own_give(own());
    pthread_join(thread, NULL);
    assert_int_equal(comers, 1);
    assert_int_equal(own()->is_free, 1);
}

static void who_comes_to_magazines_that_somebody_is_at_waits(void **state)
{
    (void)state;
    assert_waits_for_magazines(take_own);
    assert_waits_for_magazines(count_parked);
}

/* --- mutants ----------------------------------------------------------------------------- */

static void assert_broken(const char *label)
{
    const char *broken = heap_check(kheap_strategy(), kheap());
    assert_non_null(broken);
    assert_memory_equal(broken, label, 2);
}

static void check_leaves_no_mark(void **state)
{
    (void)state;
    park(2, SIZE);
    assert_null(kheap_strategy()->check(kheap()));
    assert_null(kheap_strategy()->check(kheap())); /* else each block was parked twice */
}

static void check_names_a_block_of_another_class(void **state)
{
    (void)state;
    park(2, SIZE);
    uint8_t *entry = magazine_entry_of(region_heap_own[0].loaded[magazine_class_for(SIZE)]);
    *entry = (uint8_t)(*entry ^ 1);
    assert_broken("M1");
    *entry = (uint8_t)(*entry ^ 1);
    assert_sound(); /* no mark is left */
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
    region_heap_own[0].room[class]++;
    assert_sound();
}

static void check_names_a_magazine_that_leads_out_of_the_region(void **state)
{
    void *const outside[] = {region_end(), region_end() + 16, kernel_heap.region.map - 16,
                             (void *)(uintptr_t)16};
    (void)state;
    park(2, SIZE);
    void **next = region_heap_own[0].loaded[magazine_class_for(SIZE)];
    void *right = *next;
    for (uint32_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        *next = outside[i];
        assert_broken("M2");
        *next = right;
        assert_sound();
    }
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

static void marks_are_taken_from_all_of_the_table(void **state)
{
    uint32_t units = magazine_region_bytes() / MAGAZINE_UNIT_BYTES;
    (void)state;
    memset(magazine_table, MAGAZINE_PARKED | MAGAZINE_CUT | 5, sizeof(magazine_table));
    magazine_unmark_table();
    for (uint32_t unit = 0; unit <= units; unit++)
        assert_int_equal(magazine_table[unit], MAGAZINE_CUT | 5);
    for (uint32_t unit = units + 1; unit < sizeof(magazine_table); unit++)
        assert_int_equal(magazine_table[unit], MAGAZINE_PARKED | MAGAZINE_CUT | 5);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup(name, start_large)
    const struct CMUnitTest cases[] = {
        CASE(every_size_is_of_the_smallest_class_that_holds_it),
        CASE(a_request_that_is_served_at_once_gets_its_class),
        CASE(what_is_freed_is_cached_to_who_walks),
        CASE(the_block_freed_last_is_had_again),
        CASE(a_parked_block_cannot_be_freed_again),
        CASE(one_that_another_processor_freed_is_its_to_hand_out),
        CASE(all_that_is_parked_is_given_back_for_a_large_request),
        CASE(a_request_is_served_by_a_block_as_large_or_larger_that_is_parked),
        CASE(what_is_granted_is_not_counted_as_failed),
        CASE(what_no_region_holds_takes_nothing_from_magazines),
        CASE(magazines_grow_where_somebody_waits),
        CASE(a_full_processor_visits_the_depot_once_a_magazine),
        CASE(the_larger_the_blocks_the_fewer_a_magazine_starts_with),
        CASE(blocks_are_cut_out_of_one_and_loaded),
        CASE(a_full_magazine_is_put_aside_and_the_next_goes_to_the_depot),
        CASE(the_depot_gives_back_what_came_last),
        CASE(what_was_cut_goes_back_when_all_of_it_is_parked),
        CASE(where_nothing_is_ever_freed_what_is_parked_stays),
        CASE(a_single_block_is_asked_for_where_there_is_no_room_to_cut),
        CASE(an_aligned_block_is_found_among_the_parked),
        CASE(large_and_aligned_blocks_go_back_at_once),
        CASE(a_block_of_a_class_is_resized_within_it),
        CASE(a_block_that_has_grown_is_of_no_class_any_more),
        CASE(a_large_block_moves_where_the_strategy_resizes_none),
        CASE(who_calls_the_strategy_has_the_lock),
        CASE(all_processors_are_counted_and_none_is_kept),
        CASE(nobody_is_at_any_magazine_while_the_heap_is_walked),
        CASE(who_comes_to_magazines_pauses_until_they_are_free),
        CASE(who_had_to_wait_takes_one_block_of_what_is_loaded),
        CASE(what_is_left_over_of_a_cut_is_the_last_ones),
        CASE(kinitheap_forgets_every_block),
        CASE(the_table_is_cleared_up_to_its_end),
        CASE(what_was_live_before_kinitheap_is_parked_once),
        CASE(a_block_that_the_guard_does_not_know_was_freed),
        CASE(what_it_takes_is_told_to_the_byte),
        CASE(the_lock_is_there_with_magazines_too),
        CASE(every_call_leaves_the_lock_free),
        CASE(the_most_blocks_at_once_are_counted_one_by_one),
        CASE(requests_fail_on_purpose_and_before_kinitheap_panic),
        CASE(every_wrong_address_is_refused_and_reported),
        CASE(a_block_that_is_of_no_class_is_refused),
        CASE(the_guard_loses_no_bit_when_processors_meet),
        CASE(who_comes_to_magazines_that_somebody_is_at_waits),
        CASE(check_leaves_no_mark),
        CASE(check_names_a_block_of_another_class),
        CASE(check_names_a_magazine_that_is_not_as_long_as_is_said),
        CASE(check_names_a_magazine_that_leads_out_of_the_region),
        CASE(check_names_a_block_that_is_parked_twice),
        CASE(marks_are_taken_from_all_of_the_table),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
