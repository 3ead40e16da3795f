/* SPDX-License-Identifier: MIT */
/*
 * What a call of the magazine layer has to heed besides its block: the lock, other processors
 * at the magazines, blocks that were live before, and callers that are wrong. Included by
 * magazine_test.c alone.
 */
#ifndef TESTS_LOCKING_MAGAZINE_CALLS_H
#define TESTS_LOCKING_MAGAZINE_CALLS_H

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

#endif
