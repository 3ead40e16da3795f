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

#include "magazine_parts.h"
#include "magazine_calls.h"
#include "magazine_damage.h"

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
        CASE(what_is_parked_is_counted_when_a_failure_gets_its_reason),
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
        CASE(check_names_a_block_that_no_block_begins_at),
        CASE(check_names_a_depot_that_leads_out_of_the_region),
        CASE(an_address_in_a_heap_with_damaged_magazines_is_explained_by_the_damage),
        CASE(check_names_a_block_that_is_parked_twice),
        CASE(marks_are_taken_from_all_of_the_table),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
