/* SPDX-License-Identifier: MIT */
/*
 * What only tlsf promises: which list a size belongs to, which hole is taken, and the
 * label of each broken invariant. The strategy is included, not linked, so that the cases
 * can name its parts.
 */
#define heap_tlsf heap_tlsf_in_sight
#include "../mm/tlsf.c"
#undef heap_tlsf

#include "cases.h"
#include "host_heap.h"

enum { MAP_BYTES = 1024, MAP_BYTES_MAX = 1 << 20, PAYLOADS = 6, PAYLOAD_BYTES = 100 };

static void sizes_belong_to_the_lists_of_the_layout(void **state)
{
    static const struct {
        uint32_t bytes, insert, search;
    } rows[] = {
        {16, 2, 2}, {24, 3, 3}, {248, 31, 31}, {256, 32, 32}, {264, 33, 33}, {504, 63, 63},
        {512, 64, 64}, {520, 64, 65}, {528, 65, 65}, {536, 65, 66}, {1000, 94, 95},
        {1008, 95, 95}, {1016, 95, 96}, {1024, 96, 96}, {1032, 96, 97}, {2040, 127, 128},
        {1U << 20, 416, 416}, {(1U << 20) + 8, 416, 417}, {(1U << 21) - 8, 447, 448},
        {65U << 20, 608, 609}, {(1U << 27) - 8, LISTS - 1, LISTS},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(mapping_insert(rows[i].bytes), rows[i].insert);
        assert_int_equal(mapping_search(rows[i].bytes), rows[i].search);
    }
}

static void every_hole_of_a_searched_list_is_large_enough(void **state)
{
    (void)state;
    for (uint32_t bytes = BLOCK_BYTES_MIN; bytes < 70000; bytes += BLOCK_GRANULE_BYTES) {
        uint32_t before = bytes - BLOCK_GRANULE_BYTES;
        assert_true(mapping_insert(before) <= mapping_insert(bytes));
        assert_true(mapping_insert(before) < mapping_search(bytes));
        assert_true(mapping_search(bytes) - mapping_insert(bytes) <= 1);
    }
}

/* Six blocks side by side, of which the second and the fourth are freed again. */
struct rig {
    struct host_heap *host;
    struct tlsf *tlsf;
    struct block *block[PAYLOADS];
};

static struct rig rig_new(void)
{
    struct rig rig = {.host = host_heap_new(tested_strategy, MAP_BYTES)};
    const struct heap *heap = &rig.host->heap;
    rig.tlsf = tlsf_of(heap);
    for (uint32_t i = 0; i < PAYLOADS; i++)
        rig.block[i] = block_of(tested_strategy->alloc(heap, PAYLOAD_BYTES, 8));
    assert_true(tested_strategy->free(heap, rig.block[1]->payload));
    assert_true(tested_strategy->free(heap, rig.block[3]->payload));
    host_heap_assert_sound(rig.host, "a few calls");
    return rig;
}

static uint8_t *rig_alloc(struct rig *rig, uint32_t size, uint32_t align)
{
    uint8_t *block = tested_strategy->alloc(&rig->host->heap, size, align);
    host_heap_assert_sound(rig->host, "alloc");
    return block;
}

static void an_exact_hole_is_filled_the_last_freed_first(void **state)
{
    (void)state;
    struct rig rig = rig_new();
    assert_ptr_equal(rig_alloc(&rig, PAYLOAD_BYTES, 8), rig.block[3]->payload);
    assert_ptr_equal(rig_alloc(&rig, PAYLOAD_BYTES, 8), rig.block[1]->payload);
    assert_true(rig_alloc(&rig, PAYLOAD_BYTES, 8) > rig.block[5]->payload);
    host_heap_delete(rig.host);
}

static void what_is_left_of_a_hole_is_used_next(void **state)
{
    (void)state;
    struct rig rig = rig_new();
    uint8_t *first = rig_alloc(&rig, 12, 8);
    assert_ptr_equal(first, rig.block[3]->payload);
    assert_ptr_equal(rig_alloc(&rig, 12, 8), first + BLOCK_BYTES_MIN);
    host_heap_delete(rig.host);
}

static void a_rest_too_small_for_a_hole_goes_with_the_block(void **state)
{
    (void)state;
    struct rig rig = rig_new();
    uint8_t *block = rig_alloc(&rig, PAYLOAD_BYTES - 8, 8);
    assert_ptr_equal(block, rig.block[3]->payload);
    assert_int_equal(tested_strategy->usable(&rig.host->heap, block), PAYLOAD_BYTES);
    host_heap_delete(rig.host);
}

static void a_rest_just_long_enough_is_a_hole(void **state)
{
    (void)state;
    struct rig rig = rig_new();
    uint8_t *block = rig_alloc(&rig, PAYLOAD_BYTES - BLOCK_BYTES_MIN, 8);
    assert_ptr_equal(block, rig.block[3]->payload);
    assert_int_equal(tested_strategy->usable(&rig.host->heap, block),
                     PAYLOAD_BYTES - BLOCK_BYTES_MIN);
    host_heap_delete(rig.host);
}

static void a_freed_block_merges_with_both_neighbours(void **state)
{
    (void)state;
    struct rig rig = rig_new();
    uint32_t bytes = block_bytes(rig.block[1]);
    assert_true(tested_strategy->free(&rig.host->heap, rig.block[2]->payload));
    host_heap_assert_sound(rig.host, "free");
    assert_int_equal(block_bytes(rig.block[1]), 3 * bytes);
    assert_ptr_equal(rig_alloc(&rig, 3 * bytes - HEADER_BYTES, 8), rig.block[1]->payload);
    host_heap_delete(rig.host);
}

static void the_gap_before_an_aligned_block_is_a_hole_again(void **state)
{
    (void)state;
    struct rig rig = rig_new();
    for (uint32_t align = 16; align <= 4096; align *= 2) {
        uint8_t *block = rig_alloc(&rig, 24, align);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % align, 0);
    }
    host_heap_delete(rig.host);
}

static void a_gap_is_the_shortest_that_a_hole_can_have_or_none(void **state)
{
    const uintptr_t aligned = 1 << 20;
    (void)state;
    for (uint32_t align = 16; align <= 4096; align *= 2)
        for (uint32_t behind = 0; behind < align; behind += BLOCK_GRANULE_BYTES) {
            const uintptr_t payload = aligned + behind;
            uint32_t gap = 0;
            while ((payload + gap) % align != 0 || (gap != 0 && gap < BLOCK_BYTES_MIN))
                gap += BLOCK_GRANULE_BYTES;
            const struct block *hole = (const struct block *)(payload - PAYLOAD_OFFSET);
            assert_int_equal(block_gap_bytes(hole, align), gap);
        }
}

static void the_largest_heap_has_no_list_for_more_than_it_has(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES_MAX);
    uint32_t bytes = host_heap_region_bytes(host);
    assert_null(tested_strategy->alloc(&host->heap, bytes - 1, 1 << 26));
    host_heap_delete(host);
}

static void resize_takes_the_hole_behind_and_gives_back_the_rest(void **state)
{
    (void)state;
    struct rig rig = rig_new();
    const struct heap *heap = &rig.host->heap;
    uint32_t bytes = block_bytes(rig.block[0]);
    uint8_t *block = rig.block[0]->payload;
    assert_false(tested_strategy->resize(heap, block, 2 * bytes));
    assert_true(tested_strategy->resize(heap, block, 2 * bytes - HEADER_BYTES));
    assert_int_equal(tested_strategy->usable(heap, block), 2 * bytes - HEADER_BYTES);
    host_heap_assert_sound(rig.host, "growing into the whole hole");
    assert_true(tested_strategy->resize(heap, block, PAYLOAD_BYTES));
    host_heap_assert_sound(rig.host, "shrinking");
    assert_int_equal(block_bytes(rig.block[1]), bytes);
    assert_true(block_is_free(rig.block[1]));
    host_heap_delete(rig.host);
}

/* Each mutant breaks one thing in the rig, which check() must name. */
struct mutant {
    const char *label;
    void (*damage)(struct rig *rig);
};

static struct block *sentinel_of(const struct rig *rig)
{
    return block_sentinel(&rig->host->heap);
}

static void size_beyond_the_end(struct rig *rig)
{
    rig->block[0]->header = host_heap_region_bytes(rig->host);
}

static void size_zero(struct rig *rig)
{
    rig->block[0]->header = 0;
}

static void size_near_4_gib(struct rig *rig)
{
    rig->block[5]->header = 0xFFFFFFF8;
}

static void size_not_of_granules(struct rig *rig)
{
    rig->block[0]->header |= 4;
}

static void size_of_sentinel(struct rig *rig)
{
    sentinel_of(rig)->header |= 8;
}

static void sentinel_free(struct rig *rig)
{
    sentinel_of(rig)->header |= BLOCK_FREE_BIT;
}

static void live_block_says_free(struct rig *rig)
{
    rig->block[0]->header |= BLOCK_FREE_BIT;
}

static void previous_free_forgotten(struct rig *rig)
{
    rig->block[2]->header &= ~(uint32_t)BLOCK_PREVIOUS_FREE_BIT;
}

static void previous_free_invented(struct rig *rig)
{
    rig->block[0]->header |= BLOCK_PREVIOUS_FREE_BIT;
}

static void way_back_wrong(struct rig *rig)
{
    rig->block[2]->previous = rig->block[0];
}

static void hole_in_two_halves(struct rig *rig)
{
    uint32_t bytes = block_bytes(rig->block[1]);
    struct block *half = block_at(rig->block[1], 48);
    block_set_free(half, bytes - 48);
    block_set_free(rig->block[1], 48);
}

static void link_to_another_list(struct rig *rig)
{
    rig->block[1]->link = &rig->tlsf->heads[0];
}

static void list_in_a_circle(struct rig *rig)
{
    rig->block[1]->next = rig->block[3];
}

static void next_outside_the_heap(struct rig *rig)
{
    rig->block[1]->next = (struct block *)(uintptr_t)0x1000;
}

static void next_is_live(struct rig *rig)
{
    rig->block[1]->next = rig->block[2];
}

static void next_reaches_over_the_end(struct rig *rig)
{
    uint32_t bytes = host_heap_region_bytes(rig->host) / BLOCK_GRANULE_BYTES * BLOCK_GRANULE_BYTES;
    struct block *inside = block_at(rig->block[2], BLOCK_BYTES_MIN);
    inside->header = bytes | BLOCK_FREE_BIT;
    hole_insert(rig->tlsf, inside, bytes);
}

static void hole_in_the_wrong_list(struct rig *rig)
{
    hole_remove(rig->tlsf, rig->block[1]);
    hole_insert(rig->tlsf, rig->block[1], 2 * block_bytes(rig->block[1]));
}

static void hole_in_no_list(struct rig *rig)
{
    hole_remove(rig->tlsf, rig->block[1]);
}

static void column_bit_lost(struct rig *rig)
{
    rig->tlsf->columns[mapping_insert(block_bytes(rig->block[1])) / COLUMNS] = 0;
}

static void column_bit_invented(struct rig *rig)
{
    rig->tlsf->columns[1] |= 1;
}

static void row_bit_lost(struct rig *rig)
{
    rig->tlsf->rows &= rig->tlsf->rows - 1;
}

static void row_bit_invented(struct rig *rig)
{
    rig->tlsf->rows |= 1U << 5;
}

static void row_bit_without_a_row(struct rig *rig)
{
    rig->tlsf->rows |= 1U << ROWS;
}

static const struct mutant mutants[] = {
    {"I1", size_beyond_the_end}, {"I1", size_zero}, {"I1", size_near_4_gib},
    {"I1", size_not_of_granules}, {"I1", size_of_sentinel}, {"I1", sentinel_free},
    {"I2", live_block_says_free}, {"I2", previous_free_forgotten},
    {"I2", previous_free_invented}, {"I3", way_back_wrong}, {"I4", hole_in_two_halves},
    {"I5", link_to_another_list}, {"I5", list_in_a_circle}, {"I6", next_outside_the_heap},
    {"I6", next_is_live}, {"I6", next_reaches_over_the_end}, {"I6", hole_in_the_wrong_list},
    {"I7", hole_in_no_list},
    {"I8", column_bit_lost}, {"I8", column_bit_invented}, {"I9", row_bit_lost},
    {"I9", row_bit_invented}, {"I9", row_bit_without_a_row},
};

static void mutants_of_every_invariant_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(mutants) / sizeof(mutants[0]); i++) {
        struct rig rig = rig_new();
        mutants[i].damage(&rig);
        assert_label(tested_strategy->check(&rig.host->heap), mutants[i].label);
        host_heap_delete(rig.host);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(sizes_belong_to_the_lists_of_the_layout),
    cmocka_unit_test(every_hole_of_a_searched_list_is_large_enough),
    cmocka_unit_test(an_exact_hole_is_filled_the_last_freed_first),
    cmocka_unit_test(what_is_left_of_a_hole_is_used_next),
    cmocka_unit_test(a_rest_too_small_for_a_hole_goes_with_the_block),
    cmocka_unit_test(a_rest_just_long_enough_is_a_hole),
    cmocka_unit_test(a_freed_block_merges_with_both_neighbours),
    cmocka_unit_test(the_gap_before_an_aligned_block_is_a_hole_again),
    cmocka_unit_test(a_gap_is_the_shortest_that_a_hole_can_have_or_none),
    cmocka_unit_test(the_largest_heap_has_no_list_for_more_than_it_has),
    cmocka_unit_test(resize_takes_the_hole_behind_and_gives_back_the_rest),
    cmocka_unit_test(mutants_of_every_invariant_are_named),
};

const struct cases tlsf_cases = {tests, sizeof(tests) / sizeof(tests[0])};
