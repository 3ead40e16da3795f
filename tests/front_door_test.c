/* SPDX-License-Identifier: MIT */
/*
 * The front door at the hardening levels off and check: what kernel/heap_tests.c cannot try,
 * since it would panic, or would have to see the heap's books.
 */
#include "front_door.h"

static bool never_frees(void)
{
    return (HEAP_STRATEGY.traits & HEAP_NEVER_FREES) != 0;
}

/* Whether somebody, the guard or the strategy, knows which addresses are right. */
static bool refuses(void)
{
    return kheap_refuses_wrong_addresses();
}

/* --- before there is a heap ----------------------------------------------------------------- */

static void a_plan_does_not_make_a_heap_ready(void **state)
{
    const struct heap_failing all = {.interval = 1, .probability_percent = 100};
    (void)state;
    assert_int_equal(heap_fail(&all), HARDENING != HARDENING_OFF);
    ASSERT_PANICS(kmalloc(8), "kmalloc: called before kinitHeap()");
    heap_fail(NULL);
    ASSERT_PANICS(kmalloc(8), "kmalloc: called before kinitHeap()");
    heap_fail(&all);
    kinitHeap();
    assert_int_equal(kmalloc(8) == NULL, HARDENING != HARDENING_OFF);
    heap_fail(NULL);
    assert_non_null(kmalloc(8));
}

/* --- failing on purpose ------------------------------------------------------------------------ */

enum { THROWS = 64 };

static uint64_t failing_of_many(void)
{
    uint64_t failing = 0;
    for (uint32_t i = 0; i < THROWS; i++)
        failing |= (uint64_t)(kmalloc(8) == NULL) << i;
    return failing;
}

/* The first numbers of Marsaglia's xorshift32 (13, 17, 5) that starts from 1. */
static void chance_is_xorshift32(void **state)
{
    static const uint32_t numbers[] = {270369, 67634689, 2647435461U, 307599695, 2398689233U};
    const struct heap_failing even = {.interval = 1, .probability_percent = 50, .seed = 0};
    (void)state;
    heap_fail(&even);
    for (uint32_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        assert_int_equal(account_random_percent(), numbers[i] % 100);
        assert_int_equal(account_plan.random, numbers[i]);
    }
}

static uint64_t expected_of_many(const struct heap_failing *failing)
{
    uint32_t word = 2 * failing->seed + 1;
    uint64_t expected = 0;
    for (uint32_t i = 0; i < THROWS; i++) {
        word ^= word << 13;
        word ^= word >> 17;
        word ^= word << 5;
        expected |= (uint64_t)(word % 100 < failing->probability_percent) << i;
    }
    return expected;
}

static void just_the_requests_fail_that_chance_says(void **state)
{
    static const uint32_t seeds[] = {0, 1, 2, 3, 77, 0x7FFFFFFF, 0xFFFFFFFF};
    uint64_t before = 0;
    (void)state;
    for (uint32_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
        for (uint32_t percent = 1; percent < 100; percent += 14) {
            const struct heap_failing failing = {
                .interval = 1, .probability_percent = percent, .seed = seeds[i]};
            start(state);
            heap_fail(&failing);
            uint64_t failed = failing_of_many();
            assert_true(failed == expected_of_many(&failing));
            assert_true(failed != before);
            before = failed;
        }
}

static void a_plan_s_skip_interval_and_times_are_kept_to_the_letter(void **state)
{
    const struct heap_failing failing = {
        .skip = 3, .interval = 4, .probability_percent = 100, .times = 3};
    (void)state;
    heap_fail(&failing);
    assert_true(failing_of_many() == (1U << 3 | 1U << 7 | 1U << 11));
    assert_int_equal(heap_fail_requests(), THROWS);
    assert_int_equal(failed(HEAP_FAILURE_ON_PURPOSE), 3);
    heap_fail(&failing);
    assert_int_equal(heap_fail_requests(), 0);
    assert_true(failing_of_many() == (1U << 3 | 1U << 7 | 1U << 11));
    heap_fail(NULL);
    assert_int_equal(heap_fail_requests(), 0);
    assert_true(failing_of_many() == 0);
    assert_int_equal(heap_fail_requests(), 0);
}

static void a_plan_that_has_struck_as_often_as_it_may_never_strikes_again(void **state)
{
    const struct heap_failing once = {.interval = 1, .probability_percent = 100, .times = 1};
    (void)state;
    heap_fail(&once);
    assert_null(kmalloc(8));
    for (uint32_t i = 0; i < 16 * THROWS; i++) {
        void *block = kmalloc(8);
        assert_non_null(block);
        kfree(block);
    }
    assert_int_equal(failed(HEAP_FAILURE_ON_PURPOSE), 1);
}

static void each_request_is_counted_once(void **state)
{
    const struct heap_failing none = {.interval = 1, .probability_percent = 0};
    (void)state;
    heap_fail(&none);
    assert_null(kmalloc(0));
    assert_null(kmalloc_aligned(0, 64));
    assert_null(kmalloc_aligned(8, 48));
    assert_null(kcalloc(0x10000, 0x10000));
    assert_int_equal(heap_fail_requests(), 0);
    void *block = kmalloc(100);
    assert_int_equal(heap_fail_requests(), 1);
    assert_non_null(kmalloc_aligned(8, HEAP_ALIGNMENT_BYTES));
    assert_int_equal(heap_fail_requests(), 2);
    assert_non_null(kmalloc_aligned(8, 64));
    assert_int_equal(heap_fail_requests(), 3);
    assert_non_null(kcalloc(2, 4));
    assert_int_equal(heap_fail_requests(), 4);
    assert_non_null(krealloc(block, 20000)); /* it cannot grow there */
    assert_int_equal(heap_fail_requests(), 5);
    assert_null(kmalloc(UINT32_MAX));
    assert_int_equal(heap_fail_requests(), 6);
}

static void an_aligned_request_fails_on_purpose_too(void **state)
{
    const struct heap_failing all = {.interval = 1, .probability_percent = 100};
    (void)state;
    heap_fail(&all);
    assert_null(kmalloc_aligned(8, 64));
    assert_null(kmalloc_aligned(8, 8));
    assert_int_equal(failed(HEAP_FAILURE_ON_PURPOSE), 2);
    assert_int_equal(heap_stats().peak_live_blocks, 0);
}

/* --- what is counted ---------------------------------------------------------------------------- */

static void the_peak_is_that_of_blocks_live_at_once(void **state)
{
    static const struct {
        int8_t calls; /* kmalloc, or kfree of the last */
        uint32_t peak;
    } steps[] = {{1, 1}, {1, 2}, {1, 3}, {-1, 3}, {-1, 3}, {1, 3}, {1, 3}, {1, 4},
                 {-1, 4}, {1, 4}, {1, 5}};
    void *blocks[8];
    uint32_t count = 0;
    (void)state;
    for (uint32_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        if (steps[i].calls > 0)
            assert_non_null(blocks[count++] = kmalloc(24));
        else
            assert_int_equal(kfree(blocks[--count]), 0);
        assert_int_equal(heap_stats().peak_live_blocks, steps[i].peak);
    }
    assert_null(kmalloc(UINT32_MAX));
    assert_int_equal(kfree(NULL), 0);
    assert_int_equal(heap_stats().peak_live_blocks, 5);
    kinitHeap();
    assert_int_equal(heap_stats().peak_live_blocks, 0);
    assert_int_equal(failed(HEAP_FAILURE_TOO_LARGE), 0);
    kmalloc(24);
    assert_int_equal(heap_stats().peak_live_blocks, 1);
}

static void each_failure_has_its_reason(void **state)
{
    (void)state;
    assert_null(kmalloc(REGION_BYTES + 1));
    assert_int_equal(failed(HEAP_FAILURE_TOO_LARGE), 1);
    assert_null(kmalloc(REGION_BYTES)); /* the region has so much */
    assert_int_equal(failed(HEAP_FAILURE_TOO_LARGE), 1);
    assert_int_equal(failed(never_frees() ? HEAP_FAILURE_FRAGMENTED : HEAP_FAILURE_EXHAUSTED), 1);
    assert_null(kmalloc_aligned(REGION_BYTES + 1, 64));
    assert_int_equal(failed(HEAP_FAILURE_TOO_LARGE), 2);
    while (kmalloc(1000) != NULL)
        ;
    struct heap_status before = heap_stats();
    for (uint32_t i = 1; i < 4; i++) {
        assert_null(kmalloc(2000));
        assert_int_equal(failed(HEAP_FAILURE_EXHAUSTED),
                         before.failures[HEAP_FAILURE_EXHAUSTED] + i);
    }
    assert_int_equal(failed(HEAP_FAILURE_FRAGMENTED), before.failures[HEAP_FAILURE_FRAGMENTED]);
}

static uint32_t failed_at_all(void)
{
    struct heap_status status = heap_stats();
    uint32_t sum = 0;
    for (uint32_t i = 0; i < HEAP_FAILURES; i++)
        sum += status.failures[i];
    return sum;
}

static void a_request_for_nothing_is_no_failure_and_one_for_a_byte_is(void **state)
{
    (void)state;
    assert_null(kmalloc(0));
    assert_int_equal(failed_at_all(), 0);
    for (uint32_t size = 4096; size > 0; size /= 2)
        while (kmalloc(size) != NULL)
            ;
    uint32_t before = failed_at_all();
    assert_null(kmalloc(0));
    assert_int_equal(failed_at_all(), before);
    assert_null(kmalloc(1));
    assert_int_equal(failed_at_all(), before + 1);
}

static void what_is_free_is_enough_for_as_much_and_no_more(void **state)
{
    void *blocks[80];
    uint32_t count = 0;
    (void)state;
    if (never_frees())
        return;
    while ((blocks[count] = kmalloc(1000)) != NULL)
        count++;
    for (uint32_t i = 0; i < count; i += 2)
        assert_int_equal(kfree(blocks[i]), 0);
    struct heap_stats now = heap_stats().now;
    uint32_t free_bytes = now.free_bytes + now.cached_bytes;
    uint32_t exhausted = failed(HEAP_FAILURE_EXHAUSTED);
    assert_null(kmalloc(free_bytes));
    assert_int_equal(failed(HEAP_FAILURE_FRAGMENTED), 1);
    assert_null(kmalloc(free_bytes + 1));
    assert_int_equal(failed(HEAP_FAILURE_FRAGMENTED), 1);
    assert_int_equal(failed(HEAP_FAILURE_EXHAUSTED), exhausted + 1);
}

/* A heap that never frees is not walked again for a request that is larger than one that failed. */
static void a_heap_that_never_frees_remembers_what_it_lacked(void **state)
{
    (void)state;
    assert_int_equal(account.never_more_bytes, UINT32_MAX);
    void *block = kmalloc(100);
    while (kmalloc(1000) != NULL)
        ;
    if (!never_frees()) {
        assert_int_equal(account.never_more_bytes, UINT32_MAX);
        assert_int_equal(kfree(block), 0);
        return;
    }
    struct heap_stats now = heap_stats().now;
    assert_int_equal(account.never_more_bytes, now.free_bytes + now.cached_bytes);
    uint32_t fragmented = failed(HEAP_FAILURE_FRAGMENTED);
    assert_null(kmalloc(account.never_more_bytes)); /* so much is free, but not for a block */
    assert_int_equal(failed(HEAP_FAILURE_FRAGMENTED), fragmented + 1);
    kinitHeap();
    assert_int_equal(account.never_more_bytes, UINT32_MAX);
}

static void what_hardening_takes_is_told_to_the_byte(void **state)
{
    bool guarded = (HEAP_STRATEGY.traits & HEAP_VALIDATES_FREE) == 0;
    uint32_t books = sizeof(account) + sizeof(account_plan);
    (void)state;
    if (HARDENING == HARDENING_OFF)
        assert_int_equal(kheap_hardening_bytes(), 0);
    else
        assert_int_equal(kheap_hardening_bytes(), books + (guarded ? sizeof(guard) : 0));
    assert_int_equal(kheap_locking_bytes(), 0);
    assert_no_magazines();
    assert_string_equal(kheap_hardening(), HARDENING == HARDENING_OFF ? "off" : "check");
    assert_string_equal(kheap_locking(), "none");
    assert_int_equal(kheap_refuses_wrong_addresses(), HARDENING != HARDENING_OFF || !guarded);
}

static void nobody_is_known_to_leak(void **state)
{
    struct heap_leak leaks[2];
    (void)state;
    take_here(10);
    assert_int_equal(heap_leaks(leaks, 2), 0);
}

static void with_hardening_off_nothing_is_counted(void **state)
{
    const struct heap_failing all = {.interval = 1, .probability_percent = 100};
    (void)state;
    assert_false(heap_fail(&all));
    assert_non_null(kmalloc(8));
    assert_null(kmalloc(UINT32_MAX));
    assert_int_equal(heap_fail_requests(), 0);
    struct heap_status status = heap_stats();
    assert_int_equal(status.peak_live_blocks, 0);
    assert_int_equal(status.failures[HEAP_FAILURE_TOO_LARGE], 0);
    assert_int_equal(status.now.live_blocks, 1);
}

/* --- wrong addresses ----------------------------------------------------------------------------- */

static void every_wrong_address_is_refused_and_reported(void **state)
{
    (void)state;
    uint8_t *block = kmalloc(100);
    uint8_t *freed = kmalloc(100);
    assert_int_equal(kfree(freed), 0);
    uint8_t *const wrong[] = {
        block + 1, block + 4, block + 8, block - 8, block + 64, freed, kernel_heap.region.map - 8,
        kernel_heap.region.map + 1, region_end(), region_end() + 8, region_end() + 64,
        (uint8_t *)(uintptr_t)8, (uint8_t *)(uintptr_t)0xFFFFFFF8U, (uint8_t *)&block};
    uint32_t count = sizeof(wrong) / sizeof(wrong[0]);
    assert_all_refused(wrong, count);
    assert_true(ksize(block) >= 100);
    assert_int_equal(kfree(block), 0);
    assert_int_equal(misuses, 3 * count);
    assert_sound();
}

static void null_is_no_wrong_address(void **state)
{
    (void)state;
    assert_int_equal(kfree(NULL), 0);
    assert_int_equal(ksize(NULL), 0);
    assert_int_equal(misuses, 0);
    assert_int_equal(heap_stats().misuses, 0);
}

/* Fills the heap up. Returns: the highest block. */
static uint8_t *take_all(uint32_t first_bytes)
{
    uint8_t *highest = NULL;
    for (uint32_t bytes = first_bytes; bytes >= 16; bytes /= 2)
        for (uint8_t *block; (block = kmalloc(bytes)) != NULL;)
            highest = block > highest ? block : highest;
    return highest;
}

/* The same, and the highest block begins as high as one of 16 bytes can. */
static uint8_t *take_all_to_the_end(uint32_t first_bytes)
{
    uint8_t *highest = take_all(first_bytes);
    for (uint32_t bytes = first_bytes; bytes > 16 && !never_frees(); bytes /= 2) {
        if (ksize(highest) < bytes)
            continue;
        assert_int_equal(kfree(highest), 0);
        highest = take_all(bytes / 2);
    }
    assert_true(never_frees() || region_end() - highest <= 256);
    return highest;
}

static uint8_t *take_lowest(void)
{
    uint8_t *lowest = region_end();
    for (uint8_t *block; (block = kmalloc(16)) != NULL;)
        lowest = block < lowest ? block : lowest;
    return lowest;
}

static void kinitheap_forgets_blocks_up_to_both_ends(void **state)
{
    (void)state;
    uint8_t *highest = take_all_to_the_end(4096);
    kinitHeap();
    assert_int_equal(kfree(highest), -1);
    assert_int_equal(ksize(highest), 0);
    uint8_t *lowest = take_lowest();
    assert_true(never_frees() ? lowest - kernel_heap.region.map <= 256
                              : lowest - kernel_heap.region.arena <= 256);
    kinitHeap();
    assert_int_equal(kfree(lowest), -1);
    assert_sound();
}

static void the_largest_heap_is_guarded_up_to_its_end(void **state)
{
    (void)state;
    start_with(REGION_MAP_BYTES_MAX);
    uint8_t *highest = take_all_to_the_end(16 * 1024 * 1024);
    assert_true(ksize(highest) > 0);
    assert_int_equal(kfree(highest), 0);
    assert_int_equal(kfree(highest), -1);
    assert_int_equal(kfree(region_end()), -1);
    kinitHeap();
    assert_int_equal(kfree(highest), -1);
}

/* Bits of the guard that stand for no granule of this region are not asked for. */
static void what_lies_behind_the_region_is_refused_whatever_the_guard_holds(void **state)
{
    (void)state;
    if (!plain_needs_guard())
        return;
    memset(guard.words, 0xFF, sizeof(guard.words));
    for (uint32_t offset = 0; offset < 4096; offset += 8) {
        assert_int_equal(kfree(region_end() + offset), -1);
        assert_int_equal(ksize(region_end() + offset), 0);
        assert_int_equal(kfree(kernel_heap.region.map - 8 - offset), -1);
    }
    assert_true(guard_knows(region_end() - 8));
    assert_true(guard_knows(kernel_heap.region.map));
    kinitHeap();
    for (uint8_t *address = kernel_heap.region.map; address < region_end(); address += 8)
        assert_false(guard_knows(address));
}

static void an_address_is_explained_by_what_lies_there(void **state)
{
    struct heap_explanation explanation;
    (void)state;
    uint8_t *block = kmalloc(200);
    uint8_t *freed = kmalloc(200);
    kmalloc(8);
    assert_int_equal(kfree(freed), 0);
    heap_explain(block + 5, &explanation);
    assert_int_equal(explanation.place, HEAP_PLACE_LIVE);
    assert_ptr_equal(explanation.life.block, block);
    assert_int_equal(explanation.life.bytes, ksize(block));
    assert_null(explanation.life.allocated_by);
    assert_null(explanation.before.block);
    assert_null(explanation.damage);
    heap_explain(freed + 5, &explanation);
    if (never_frees() && !refuses())
        assert_int_equal(explanation.place, HEAP_PLACE_LIVE); /* nobody knows better */
    else
        assert_true(explanation.place == HEAP_PLACE_FREED || explanation.place == HEAP_PLACE_HOLE);
    heap_explain(kernel_heap.region.map - 1, &explanation);
    assert_int_equal(explanation.place, HEAP_PLACE_OUTSIDE);
    heap_explain(region_end(), &explanation);
    assert_int_equal(explanation.place, HEAP_PLACE_OUTSIDE);
    heap_explain(region_end() - 1, &explanation);
    assert_int_not_equal(explanation.place, HEAP_PLACE_OUTSIDE);
    heap_explain(kernel_heap.region.map, &explanation);
    assert_int_equal(explanation.place, never_frees() ? HEAP_PLACE_HOLE : HEAP_PLACE_META);
}

/* A walk through it might never end, and would tell nonsense. */
static void nothing_is_known_of_a_damaged_heap_but_its_damage(void **state)
{
    struct heap_explanation explanation;
    (void)state;
    if (never_frees())
        return; /* it has no map */
    uint8_t *block = kmalloc(200);
    memset(kernel_heap.region.map, 0xA5, kernel_heap.region.map_bytes);
    const char *damage = HEAP_STRATEGY.check(&kernel_heap);
    assert_non_null(damage);
    heap_explain(block, &explanation);
    assert_int_equal(explanation.place, HEAP_PLACE_UNKNOWN);
    assert_ptr_equal(explanation.damage, damage);
    assert_null(explanation.life.block);
}

/* --- krealloc -------------------------------------------------------------------------------------- */

static void a_block_stays_where_it_has_room(void **state)
{
    (void)state;
    uint8_t *block = kmalloc(1000);
    if (HEAP_STRATEGY.resize == NULL)
        return;
    assert_ptr_equal(krealloc(block, 800), block);
    assert_ptr_equal(krealloc(block, 900), block);
    assert_ptr_equal(krealloc(block, 1000), block);
    assert_int_equal(heap_stats().now.live_blocks, 1);
    assert_int_equal(misuses, 0);
}

static void a_block_that_moves_brings_what_it_had_and_no_more(void **state)
{
    (void)state;
    uint8_t *before = kmalloc(100);
    uint8_t *block = kmalloc(100);
    uint8_t *behind = kmalloc(100);
    uint32_t had = ksize(block);
    memset(before, 0xA5, ksize(before));
    memset(block, 0x5A, had);
    memset(behind, 0xA5, ksize(behind));
    uint8_t *moved = krealloc(block, 5000);
    assert_non_null(moved);
    assert_true(moved != block);
    for (uint32_t i = 0; i < had; i++)
        assert_int_equal(moved[i], 0x5A);
    for (uint32_t i = had; i < 5000; i++)
        assert_int_not_equal(moved[i], 0xA5);
    assert_int_equal(heap_stats().now.live_blocks, never_frees() ? 4 : 3);
    if (refuses())
        assert_int_equal(kfree(block), -1);
}

#define CASE(name) cmocka_unit_test_setup(name, start)
#define UNREADY(name) cmocka_unit_test_setup(name, unready)

#define AT_EACH_LEVEL                                                   \
    UNREADY(calls_before_kinitheap_panic),                              \
    UNREADY(a_plan_does_not_make_a_heap_ready),                         \
    CASE(what_hardening_takes_is_told_to_the_byte),                     \
    CASE(nobody_is_known_to_leak),                                      \
    CASE(null_is_no_wrong_address),                                     \
    CASE(an_address_is_explained_by_what_lies_there),                   \
    CASE(nothing_is_known_of_a_damaged_heap_but_its_damage),            \
    CASE(a_block_stays_where_it_has_room),                              \
    CASE(a_block_that_moves_brings_what_it_had_and_no_more)

int main(void)
{
    const struct CMUnitTest with_off[] = {
        AT_EACH_LEVEL,
        CASE(with_hardening_off_nothing_is_counted),
    };
    const struct CMUnitTest with_check[] = {
        AT_EACH_LEVEL,
        CASE(chance_is_xorshift32),
        CASE(just_the_requests_fail_that_chance_says),
        CASE(a_plan_s_skip_interval_and_times_are_kept_to_the_letter),
        CASE(a_plan_that_has_struck_as_often_as_it_may_never_strikes_again),
        CASE(each_request_is_counted_once),
        CASE(an_aligned_request_fails_on_purpose_too),
        CASE(the_peak_is_that_of_blocks_live_at_once),
        CASE(each_failure_has_its_reason),
        CASE(a_request_for_nothing_is_no_failure_and_one_for_a_byte_is),
        CASE(what_is_free_is_enough_for_as_much_and_no_more),
        CASE(a_heap_that_never_frees_remembers_what_it_lacked),
        CASE(every_wrong_address_is_refused_and_reported),
        CASE(kinitheap_forgets_blocks_up_to_both_ends),
        CASE(the_largest_heap_is_guarded_up_to_its_end),
        CASE(what_lies_behind_the_region_is_refused_whatever_the_guard_holds),
    };
    return HARDENING == HARDENING_OFF ? cmocka_run_group_tests(with_off, NULL, NULL)
                                      : cmocka_run_group_tests(with_check, NULL, NULL);
}
