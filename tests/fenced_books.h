/* SPDX-License-Identifier: MIT */
/*
 * What is known of blocks behind the fences: the quarantine, the lives that are remembered, and
 * the heap as leaks, explanations and check show it. Included by fenced_test.c alone.
 */
#ifndef TESTS_FENCED_BOOKS_H
#define TESTS_FENCED_BOOKS_H

/* --- the quarantine -------------------------------------------------------------------------------- */

static void a_freed_block_is_not_handed_out_at_once(void **state)
{
    (void)state;
    uint8_t *block = kmalloc(SIZE);
    assert_int_equal(free_here(block), 0);
    assert_int_equal(heap_stats().now.live_blocks, 0);
    struct heap_explanation explanation;
    heap_explain(block + 3, &explanation);
    if (!is_full()) {
        assert_int_equal(quarantine.count, 0);
        assert_ptr_equal(history_of(block).block, block);
        assert_true(is_in(history_of(block).freed_by, (uintptr_t)free_here));
        return;
    }
    assert_int_equal(quarantine.count, 1);
    assert_true(quarantine_has(block));
    assert_false(quarantine_has(block + 8));
    assert_int_equal(quarantine.bytes, 32 + SIZE + plate_of(block).behind_bytes);
    assert_int_equal(explanation.place, HEAP_PLACE_FREED);
    assert_int_equal(explanation.life.bytes, SIZE);
    assert_true(is_in(explanation.life.freed_by, (uintptr_t)free_here));
    assert_true(heap_stats().now.cached_blocks >= 1);
    assert_ptr_not_equal(kmalloc(SIZE), block);
    assert_int_equal(kfree(block), -1);
    assert_misuse(1, HEAP_SIN_WRONG_ADDRESS, "kfree", block);
    kinitHeap();
    assert_int_equal(quarantine.count, 0);
    assert_int_equal(quarantine.bytes, 0);
    assert_null(history_of(block).block);
}

static void blocks_leave_the_quarantine_in_their_order(void **state)
{
    enum { BLOCKS = 300 };
    static uint8_t *blocks[BLOCKS];
    (void)state;
    if (!is_full())
        return;
    start_with(LARGE_MAP_BYTES);
    for (uint32_t i = 0; i < BLOCKS; i++)
        blocks[i] = kmalloc(8);
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < BLOCKS; i++) {
        bytes += (uint32_t)(fence_end(blocks[i]) - fence_start(blocks[i]));
        assert_int_equal(kfree(blocks[i]), 0);
        uint32_t left = i + 1 < QUARANTINE_BLOCKS ? 0 : i + 2 - QUARANTINE_BLOCKS;
        assert_int_equal(quarantine.count, i + 1 - left);
        for (uint32_t k = 0; k <= i; k++)
            assert_int_equal(quarantine_has(blocks[k]), k >= left);
        assert_int_equal(quarantine.bytes, bytes / (i + 1) * (i + 1 - left));
    }
    assert_sound();
}

static void the_quarantine_has_an_eighth_of_the_region(void **state)
{
    enum { BLOCKS = 20, BYTES = 1000 };
    uint8_t *blocks[BLOCKS];
    (void)state;
    if (!is_full())
        return;
    for (uint32_t i = 0; i < BLOCKS; i++)
        assert_non_null(blocks[i] = kmalloc(BYTES));
    for (uint32_t i = 0; i < BLOCKS; i++) {
        uint32_t each = (uint32_t)(fence_end(blocks[i]) - fence_start(blocks[i]));
        assert_int_equal(kfree(blocks[i]), 0);
        uint32_t most = REGION_BYTES / QUARANTINE_SHARE / each;
        assert_int_equal(quarantine.count, i + 1 < most ? i + 1 : most);
    }
    uint8_t *large = kmalloc(REGION_BYTES / 4);
    assert_int_equal(kfree(large), 0);
    assert_int_equal(quarantine.count, 1); /* the newest always stays */
    assert_true(quarantine_has(large));
    quarantine.bytes = REGION_BYTES / QUARANTINE_SHARE;
    quarantine.count = 2;
    assert_false(quarantine_is_too_large());
    quarantine.bytes++;
    assert_true(quarantine_is_too_large());
    quarantine.count = 1;
    assert_false(quarantine_is_too_large());
}

static void all_leave_when_a_request_would_fail(void **state)
{
    (void)state;
    if (!is_full())
        return;
    uint8_t *block = kmalloc(REGION_BYTES / 2);
    assert_int_equal(kfree(block), 0);
    assert_non_null(kmalloc(REGION_BYTES / 2 + 4000));
    assert_int_equal(quarantine.count, 0);
    assert_int_equal(quarantine.bytes, 0);
    assert_int_equal(failed(HEAP_FAILURE_EXHAUSTED) + failed(HEAP_FAILURE_FRAGMENTED), 0);
    assert_null(kmalloc(REGION_BYTES / 2 + 4000));
    assert_sound();
}

static void who_writes_to_a_freed_block_is_found_out(void **state)
{
    (void)state;
    if (!is_full())
        return;
    for (uint32_t size = 1; size < 80; size += 6)
        for (uint32_t offset = 0; offset < size; offset++) {
            start(state);
            uint8_t *block = kmalloc(size);
            assert_int_equal(kfree(block), 0);
            block[offset] = 0;
            assert_string_equal(fenced_check(&kernel_heap), fenced_damages[HEAP_SIN_WRITTEN_FREED]);
            assert_null(kmalloc(REGION_BYTES)); /* all leave */
            assert_misuse(1, HEAP_SIN_WRITTEN_FREED, "kmalloc", block + offset);
            assert_sound();
        }
    start(state);
    uint8_t *block = kmalloc(SIZE);
    assert_int_equal(kfree(block), 0);
    assert_non_null(kmalloc(8));
    assert_int_equal(misuses, 0);
    assert_ptr_equal(fence_damage_inside(block, SIZE), NULL);
    for (uint32_t offset = 0; offset < SIZE; offset++) {
        block[offset] = 0;
        assert_ptr_equal(fence_damage_inside(block, UINT32_MAX), block + offset);
        assert_ptr_equal(fence_damage_inside(block, SIZE), block + offset);
        assert_ptr_equal(fence_damage_inside(block, offset), NULL);
        assert_ptr_equal(fence_damage_inside(block, offset + 1), block + offset);
        block[offset] = HEAP_FILLER_DEAD;
    }
}

/* A block that is written to while freed is filled anew, and a freed neighbour is looked at. */
static void a_call_looks_at_the_first_64_bytes_of_a_freed_neighbour(void **state)
{
    (void)state;
    if (!is_full())
        return;
    for (uint32_t offset = 60; offset < 68; offset++) {
        start(state);
        uint8_t *blocks[3];
        for (uint32_t i = 0; i < 3; i++)
            blocks[i] = kmalloc(SIZE);
        assert_int_equal(kfree(blocks[0]), 0);
        blocks[0][offset] = 0;
        assert_int_equal(kfree(blocks[1]), 0);
        if (offset < FENCED_LOOK_BYTES) {
            assert_misuse(1, HEAP_SIN_WRITTEN_FREED, "kfree", blocks[0] + offset);
            assert_filled(blocks[0], SIZE, HEAP_FILLER_DEAD);
            assert_sound();
        } else {
            assert_int_equal(misuses, 0);
        }
    }
}

/* Damage to its plate is said once, whether a call or its release finds it. */
static void a_freed_block_that_loses_its_plate_was_given_back_once(void **state)
{
    (void)state;
    for (uint32_t found_by_call = 0; found_by_call < 2 && is_full(); found_by_call++) {
        start(state);
        uint8_t *block = kmalloc(SIZE);
        uint8_t *other = kmalloc(SIZE);
        assert_int_equal(kfree(block), 0);
        assert_int_equal(account.below_peak, 1);
        fence_plate_of(block)->number++;
        if (found_by_call) {
            assert_int_equal(kfree(block), -1);
            assert_misuse(1, HEAP_SIN_PLATE_LOST, "kfree", fence_plate_of(block));
            assert_int_equal(account.below_peak, 1);
        }
        assert_null(kmalloc(REGION_BYTES)); /* all leave */
        assert_int_equal(quarantine.count, 0);
        assert_misuse(1, HEAP_SIN_PLATE_LOST, found_by_call ? "kfree" : "kmalloc",
                      fence_plate_of(block));
        assert_int_equal(account.below_peak, 1);
        assert_int_equal(kfree(other), 0);
        assert_int_equal(account.below_peak, 2);
        assert_sound();
    }
}

/* --- the heap that is shown --------------------------------------------------------------------------- */

static void all_but_three_functions_and_a_trait_is_shown_as_the_strategy_has_it(void **state)
{
    struct heap_strategy shown = *kheap_strategy();
    (void)state;
    assert_int_equal(shown.traits, HEAP_STRATEGY.traits | HEAP_VALIDATES_FREE);
    assert_ptr_equal(shown.usable, fenced_usable);
    assert_ptr_equal(shown.walk, fenced_walk);
    assert_ptr_equal(shown.check, fenced_check);
    shown.traits = HEAP_STRATEGY.traits;
    shown.usable = HEAP_STRATEGY.usable;
    shown.walk = HEAP_STRATEGY.walk;
    shown.check = HEAP_STRATEGY.check;
    assert_memory_equal(&shown, &HEAP_STRATEGY, sizeof(shown));
}

enum { MET_MAX = 8 };

struct met {
    const uint8_t *addresses[MET_MAX];
    uint32_t count;
    uint32_t until; /* so many were met; 0: to the end */
};

static const char *meet(uint8_t *address, void *context)
{
    struct met *met = context;
    assert_in_range(met->count, 0, MET_MAX - 1);
    met->addresses[met->count++] = address;
    return met->count == met->until ? "enough" : NULL;
}

/* Wherever they are: that blocks have plates and guards between them does not matter. */
static void each_start_that_the_guard_has_is_met_once_in_the_order_of_addresses(void **state)
{
    const uint32_t last = guard_granules() - 1;
    const uint32_t granules[MET_MAX] = {0, 1, 31, 32, 33, 200, last - 1, last};
    (void)state;
    for (uint32_t i = 0; i < MET_MAX; i++)
        guard_enter(guard_address_of(granules[i]));
    struct met met = {0};
    assert_null(fenced_each(meet, &met));
    assert_int_equal(met.count, MET_MAX);
    for (uint32_t i = 0; i < MET_MAX; i++)
        assert_ptr_equal(met.addresses[i], guard_address_of(granules[i]));
    for (uint32_t until = 1; until <= MET_MAX; until++) {
        met = (struct met){.until = until};
        assert_string_equal(fenced_each(meet, &met), "enough");
        assert_int_equal(met.count, until);
    }
}

static void a_fence_is_inside_a_block_from_its_first_byte_to_its_last(void **state)
{
    (void)state;
    uint8_t *address = kmalloc(SIZE);
    for (uint32_t granules = 0; granules < 3; granules++) {
        struct heap_block block = {.start = address - granules * GUARD_GRANULE_BYTES,
                                   .bytes = granules * GUARD_GRANULE_BYTES};
        assert_null(fenced_inside(&block));
        block.bytes++;
        assert_ptr_equal(fenced_inside(&block), address);
    }
}

/* --- what is remembered -------------------------------------------------------------------------------- */

static void the_last_256_lives_are_remembered(void **state)
{
    (void)state;
    history_forget();
    for (uint32_t i = 0; i < 600; i++) {
        history_note(&(struct heap_life){.block = (const uint8_t *)(uintptr_t)(8 * i + 8),
                                         .number = i});
        for (uint32_t k = i > 300 ? i - 300 : 0; k <= i; k++) {
            struct heap_life life = history_of((const void *)(uintptr_t)(8 * k + 8));
            assert_int_equal(life.block != NULL, k + HISTORY_LIVES > i);
            assert_int_equal(life.number, k + HISTORY_LIVES > i ? k : 0);
        }
    }
    history_note(&(struct heap_life){.block = (const uint8_t *)(uintptr_t)(8 * 599 + 8),
                                     .number = 1000});
    assert_int_equal(history_of((const void *)(uintptr_t)(8 * 599 + 8)).number, 1000);
    history_forget();
    for (uint32_t k = 0; k < 600; k++)
        assert_null(history_of((const void *)(uintptr_t)(8 * k + 8)).block);
}

static __attribute__((noinline)) void *take_there(uint32_t bytes)
{
    void *block = kmalloc(bytes);
    __asm__ volatile("" : "+r"(block) : : "memory");
    return block;
}

static __attribute__((noinline)) void *take_elsewhere(uint32_t bytes)
{
    void *block = kmalloc(bytes);
    __asm__ volatile("" : "+r"(block) : : "cc");
    return block;
}

static void leaks_are_listed_by_caller_the_oldest_first(void **state)
{
    struct heap_leak leaks[4];
    (void)state;
    assert_int_equal(heap_leaks(leaks, 4), 0);
    uint8_t *first = take_there(10);
    uint8_t *second = take_here(20);
    uint8_t *third = take_elsewhere(30);
    take_here(40);
    take_there(50);
    uint8_t *lost = take_elsewhere(60);
    assert_int_equal(kfree(take_here(70)), 0);
    fence_plate_of(lost)->seal++;
    assert_int_equal(heap_leaks(leaks, 4), 3);
    const struct {
        uint8_t *oldest;
        uint32_t blocks, bytes, number;
        uintptr_t by;
    } rows[] = {{first, 2, 60, 1, (uintptr_t)take_there},
                {second, 2, 60, 2, (uintptr_t)take_here},
                {third, 1, 30, 3, (uintptr_t)take_elsewhere}};
    for (uint32_t i = 0; i < 3; i++) {
        assert_ptr_equal(leaks[i].oldest.block, rows[i].oldest);
        assert_int_equal(leaks[i].oldest.number, rows[i].number);
        assert_int_equal(leaks[i].blocks, rows[i].blocks);
        assert_int_equal(leaks[i].bytes, rows[i].bytes);
        assert_ptr_equal(leaks[i].allocated_by, leaks[i].oldest.allocated_by);
        assert_true(is_in(leaks[i].allocated_by, rows[i].by));
    }
    assert_int_equal(heap_leaks(leaks, 2), 2);
    assert_ptr_equal(leaks[1].oldest.block, second);
    assert_int_equal(heap_leaks(leaks, 0), 0);
    assert_int_equal(kfree(first), 0);
    assert_int_equal(heap_leaks(leaks, 4), 3);
    assert_ptr_equal(leaks[0].oldest.block, second);
}

static void an_address_is_explained_by_the_fence_it_lies_in(void **state)
{
    struct heap_explanation explanation;
    (void)state;
    kmalloc(SIZE);
    uint8_t *block = kmalloc(SIZE);
    kmalloc(SIZE);
    for (const uint8_t *at = fence_start(block); at < fence_end(block); at++) {
        heap_explain(at, &explanation);
        assert_int_equal(explanation.place, HEAP_PLACE_LIVE);
        assert_ptr_equal(explanation.life.block, block);
        assert_int_equal(explanation.life.bytes, SIZE);
        assert_int_equal(explanation.life.number, 2);
        assert_null(explanation.damage);
    }
    const uint8_t *const around[] = {fence_start(block) - 1, fence_end(block)};
    for (uint32_t i = 0; i < 2; i++) {
        heap_explain(around[i], &explanation);
        assert_ptr_not_equal(explanation.life.block, block);
    }
    uint8_t *aligned = kmalloc_aligned(8, 512);
    heap_explain(aligned - 512, &explanation);
    assert_ptr_equal(explanation.life.block, aligned);
    heap_explain(region_end(), &explanation);
    assert_int_equal(explanation.place, HEAP_PLACE_OUTSIDE);
    heap_explain(region_end() - 1, &explanation);
    assert_int_not_equal(explanation.place, HEAP_PLACE_OUTSIDE);
    heap_explain(kernel_heap.region.map, &explanation);
    assert_int_equal(explanation.place, HEAP_PLACE_META);
}

/* Where its own block ends nobody knows then: it has its plate, and its first byte. */
static void a_fence_whose_plate_is_lost_covers_no_more_than_that(void **state)
{
    struct heap_explanation explanation;
    (void)state;
    uint8_t *block = kmalloc(SIZE);
    const uint8_t *plate = (const uint8_t *)fence_plate_of(block);
    fence_plate_of(block)->seal++;
    for (const uint8_t *at = plate - 8; at <= block + 8; at++) {
        heap_explain(at, &explanation);
        assert_int_equal(explanation.life.block == block, at >= plate && at <= block);
    }
}

/* --- check ---------------------------------------------------------------------------------------------- */

static void assert_check_names(const char *label)
{
    const char *broken = kheap_strategy()->check(kheap());
    assert_non_null(broken);
    assert_memory_equal(broken, label, 2);
}

/* Of each block, whichever is the first in memory: the others are whole. */
static void check_names_what_is_damaged_at_any_block(void **state)
{
    uint8_t *blocks[3];
    (void)state;
    for (uint32_t i = 0; i < 3; i++)
        blocks[i] = kmalloc(SIZE);
    for (uint32_t i = 0; i < 3; i++) {
        blocks[i][SIZE] ^= 1;
        assert_check_names("F1");
        blocks[i][SIZE] ^= 1;
        blocks[i][-1] ^= 1;
        assert_check_names("F2");
        blocks[i][-1] ^= 1;
        fence_plate_of(blocks[i])->seal ^= 1;
        assert_check_names("F3");
        fence_plate_of(blocks[i])->seal ^= 1;
        assert_null(kheap_strategy()->check(kheap()));
    }
    assert_int_equal(kfree(blocks[1]), 0);
    blocks[1][SIZE - 1] ^= 1;
    if (HARDENING == HARDENING_FULL)
        assert_check_names("F4");
    blocks[1][SIZE - 1] ^= 1;
    assert_sound();
    assert_int_equal(misuses, 0);
}

#endif
