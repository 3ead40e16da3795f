/* SPDX-License-Identifier: MIT */
/*
 * The parts of the magazine layer one after the other: how large magazines are, how blocks are
 * cut and parked, and what becomes of the large, the aligned and the resized. Included by
 * magazine_test.c alone.
 */
#ifndef TESTS_LOCKING_MAGAZINE_PARTS_H
#define TESTS_LOCKING_MAGAZINE_PARTS_H

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

/* A strategy that never frees has more to give again when blocks are parked. */
static void what_is_parked_is_counted_when_a_failure_gets_its_reason(void **state)
{
    void *blocks[MANY];
    uint32_t count = 0;
    (void)state;
    table.traits |= HEAP_NEVER_FREES;
    start_with(MAP_BYTES);
    while (count < MANY && (blocks[count] = kmalloc(MAGAZINE_BYTES_MAX)) != NULL)
        count++;
    assert_true(count < MANY); /* and so one failed */
    uint32_t fragmented = heap_stats().failures[HEAP_FAILURE_FRAGMENTED];
    while (count > 0)
        kfree(blocks[--count]);
    assert_true(now().free_bytes + now().cached_bytes >= MAGAZINE_BYTES_MAX + 1);
    assert_null(kmalloc(MAGAZINE_BYTES_MAX + 1));
    assert_int_equal(heap_stats().failures[HEAP_FAILURE_FRAGMENTED], fragmented + 1);
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

#endif
