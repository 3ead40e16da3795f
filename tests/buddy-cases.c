/* SPDX-License-Identifier: MIT */
/* What only buddy promises: which blocks there are, and the label of each broken invariant. */
#define heap_buddy heap_buddy_in_sight
#include "../mm/buddy.c"
#undef heap_buddy

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "script.h"

enum { LEAVES_32 = 8, LEAVES_96 = 24, LEAVES_128 = 32, LEAVES_224 = 56, LEAVES_4096 = 1024 };

static void blocks_are_halved_and_merged_as_the_algorithms_say(void **state)
{
    static const struct script_row rows[] = {
        {"a fresh arena of a power of two is one block", LEAVES_32, "", "-512"},
        {"any other is one for each bit", LEAVES_96, "", "-1024 -512"},
        {"the smallest block is a leaf", LEAVES_32, "a1", "+16 -16 -32 -64 -128 -256"},
        {"and holds all of it", LEAVES_32, "a16", "+16 -16 -32 -64 -128 -256"},
        {"a byte more is twice the block", LEAVES_32, "a17", "+32 -32 -64 -128 -256"},
        {"the upper power of two is the block's", LEAVES_32, "a256", "+256 -256"},
        {"the whole arena is a block", LEAVES_32, "a257", "+512"},
        {"and can be had to the last byte", LEAVES_32, "a512", "+512"},
        {"no block is larger", LEAVES_32, "!a513", "-512"},
        {"nor than the largest tree", LEAVES_96, "!a1025", "-1024 -512"},
        {"the smallest that is large enough is halved", LEAVES_32, "a16 b64 c16",
         "+16 +16 -32 +64 -128 -256"},
        {"among trees, too", LEAVES_96, "a512", "-1024 +512"},
        {"a block and its buddy merge, all the way up", LEAVES_32, "a16 -a", "-512"},
        {"a live buddy stops it", LEAVES_32, "a16 b16 -a", "-16 +16 -32 -64 -128 -256"},
        {"an upper half merges as a lower one does", LEAVES_32, "a16 b16 -b -a", "-512"},
        {"a buddy in parts stops it", LEAVES_32, "a32 b16 -a", "-32 +16 -16 -64 -128 -256"},
        {"neighbours that are no buddies stay apart", LEAVES_32, "a16 b16 c16 d16 -b -c",
         "+16 -16 -16 +16 -64 -128 -256"},
        {"trees stay apart", LEAVES_96, "a1024 b512 -a -b", "-1024 -512"},
        {"in any order", LEAVES_96, "a1024 b512 -b -a", "-1024 -512"},
        {"what lies before a smaller tree does not merge with it", LEAVES_96,
         "a512 b512 c512 -c -a", "+512 -512 -512"},
    };
    (void)state;
    script_table(rows, sizeof(rows) / sizeof(rows[0]));
}

static void resize_works_with_the_halves_above(void **state)
{
    static const struct script_row rows[] = {
        {"growing takes buddies in", LEAVES_32, "a16 a=100", "+128 -128 -256"},
        {"up to the whole arena", LEAVES_32, "a16 a=512", "+512"},
        {"but no further", LEAVES_32, "a16 !a=513", "+16 -16 -32 -64 -128 -256"},
        {"a live buddy is in the way", LEAVES_32, "a16 b16 !a=17", "+16 +16 -32 -64 -128 -256"},
        {"further up, too, and nothing is taken", LEAVES_32, "a16 b32 !a=33",
         "+16 -16 +32 -64 -128 -256"},
        {"an upper half has nothing to grow into", LEAVES_32, "a16 b16 -a !b=17",
         "-16 +16 -32 -64 -128 -256"},
        {"shrinking gives upper halves back", LEAVES_32, "a256 a=17", "+32 -32 -64 -128 -256"},
        {"the same order changes nothing", LEAVES_32, "a129 a=256", "+256 -256"},
        {"the end of the last tree is the end", LEAVES_96, "a512 !a=513", "-1024 +512"},
    };
    (void)state;
    script_table(rows, sizeof(rows) / sizeof(rows[0]));
}

static void alignment_costs_no_more_than_the_block(void **state)
{
    static const struct script_row rows[] = {
        {"a block is aligned to its size", LEAVES_32, "a16 b64@64", "+16 -16 -32 +64 -128 -256"},
        {"alignment above the size cuts a larger block", LEAVES_32, "a16 b16@64",
         "+16 -16 -32 +16 -16 -32 -128 -256"},
        {"alignment to the whole arena", LEAVES_32, "a16@512", "+16 -16 -32 -64 -128 -256"},
        {"of which there is one", LEAVES_32, "a16@512 !b16@512", "+16 -16 -32 -64 -128 -256"},
    };
    (void)state;
    script_table(rows, sizeof(rows) / sizeof(rows[0]));
}

/* Above 4 KiB, where the aligned addresses are depends on where the arena is. */
static void alignment_above_that_of_the_arena_is_kept(void **state)
{
    (void)state;
    for (uint32_t align = 4096; align <= 32768; align *= 2) {
        struct oracle *oracle = oracle_new(tested_strategy, LEAVES_4096);
        const struct heap *heap = &oracle->host->heap;
        struct script_blocks blocks = {{NULL}};
        char script[32];
        struct heap_stats stats;
        snprintf(script, sizeof(script), "a100@%u", align);
        script_run(oracle, &blocks, script);
        heap_measure(tested_strategy, heap, &stats);
        assert_int_equal(stats.live_bytes, 128);
        script_run(oracle, &blocks, "-a");
        assert_int_equal(buddy_of(heap)->orders, 1U << 12);
        oracle_delete(oracle);
    }
}

/* An arena at an odd multiple of 4096: there, no block of 8 KiB has an even address. */
static void alignment_that_no_block_of_that_size_has_is_refused(void **state)
{
    (void)state;
    const uint32_t map_bytes = LEAVES_4096;
    uint8_t *memory = aligned_alloc(65536, 3 * 65536);
    assert_non_null(memory);
    uint8_t *arena = memory + 65536 + 4096;
    struct buddy control;
    const struct heap heap = {.region = {.map = arena - map_bytes,
                                         .map_bytes = map_bytes,
                                         .arena = arena,
                                         .arena_bytes = map_bytes * HEAP_BYTES_PER_MAP_BYTE},
                              .control = &control};
    tested_strategy->init(&heap);
    assert_null(tested_strategy->alloc(&heap, 4097, 8192));
    assert_int_equal(control.orders, 1U << 12);
    uint8_t *block = tested_strategy->alloc(&heap, 4096, 8192);
    assert_ptr_equal(block, arena + 4096);
    assert_ptr_equal(tested_strategy->alloc(&heap, 4097, 4096), arena + 8192);
    assert_true(tested_strategy->free(&heap, block));
    assert_ptr_equal(tested_strategy->alloc(&heap, 1, 8192), block); /* a leaf fits anywhere */
    free(memory);
}

static struct host_heap *sample(void)
{
    struct script_blocks blocks = {{NULL}};
    struct host_heap *host = script_heap(LEAVES_32, &blocks, "a16 b16 c32 d64 -b -c");
    return host;
}

static void mutate(const struct host_heap *host, void *where, uint32_t value, const char *label)
{
    uint32_t was, *word = where;
    memcpy(&was, word, sizeof(was));
    *word = value;
    assert_label(tested_strategy->check(&host->heap), label);
    *word = was;
    assert_null(tested_strategy->check(&host->heap));
}

/* The sample is +16 -16 -32 +64 -128 -256. Mutants have lost a start, or have one more. */
static void mutants_of_the_bitmap_are_named(void **state)
{
    (void)state;
    struct host_heap *host = sample();
    struct leaf_word *word = leaf_word(&host->heap, 0);
    assert_int_equal(word->starts, 0x10117);
    assert_int_equal(word->live, 0x00011);
    mutate(host, &word->starts, 0x10116, "I2"); /* leaf 0, which is live */
    mutate(host, &word->starts, 0x10113, "I1"); /* leaf 2: leaf 1 is three leaves */
    mutate(host, &word->starts, 0x10115, "I5"); /* leaf 1, which is listed */
    mutate(host, &word->starts, 0x10017, "I1"); /* leaf 8: leaf 4 is twelve leaves */
    mutate(host, &word->starts, 0x1011F, "I3"); /* leaf 3, inside of leaf 2 */
    mutate(host, &word->starts, 0x10197, "I1"); /* leaf 5: leaf 4 is three leaves */
    for (uint32_t leaf = 0; leaf < 32; leaf++)
        if ((word->starts >> leaf & 1) == 0)
            mutate(host, &word->live, word->live | 1U << leaf, "I2");
    host_heap_delete(host);
}

static void mutants_of_holes_and_lists_are_named(void **state)
{
    (void)state;
    struct host_heap *host = sample();
    struct buddy *buddy = buddy_of(&host->heap);
    struct hole *leaf_1 = leaf_block(&host->heap, 1);
    struct hole *leaf_16 = leaf_block(&host->heap, 16);
    mutate(host, &leaf_1->order, 1, "I3");
    mutate(host, &leaf_16->order, 0xFFFFFFFF, "I3");
    mutate(host, &leaf_1->next, (uint32_t)(uintptr_t)leaf_1, "I5");
    mutate(host, &leaf_1->next, 16, "I5");
    mutate(host, &leaf_1->prev, (uint32_t)(uintptr_t)leaf_16, "I5");
    mutate(host, &buddy->heads[0], (uint32_t)(uintptr_t)leaf_16, "I5");
    mutate(host, &buddy->heads[0], (uint32_t)(uintptr_t)leaf_1 + 8, "I5");
    mutate(host, &buddy->heads[22], 0xFFFFFFF0, "I5");
    mutate(host, &buddy->heads[4], 0, "I6");
    for (uint32_t order = 0; order < 32; order++)
        mutate(host, &buddy->orders, buddy->orders ^ 1U << order, "I7");
    host_heap_delete(host);
}

/* A block that was freed without being merged. */
static void mutants_of_i4_are_named(void **state)
{
    (void)state;
    struct script_blocks blocks = {{NULL}};
    struct host_heap *host = script_heap(LEAVES_32, &blocks, "a16");
    leaf_word(&host->heap, 0)->live = 0;
    hole_insert(&host->heap, 0, 0);
    assert_label(tested_strategy->check(&host->heap), "I4");
    host_heap_delete(host);
}

static void starts_inside_of_long_blocks_are_found(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, LEAVES_128);
    for (uint32_t leaf = 1; leaf < 128; leaf++) {
        struct leaf_word *word = leaf_word(&host->heap, leaf);
        word->starts |= leaf_bit(leaf);
        assert_non_null(tested_strategy->check(&host->heap));
        word->starts &= ~leaf_bit(leaf);
    }
    mutate(host, &leaf_word(&host->heap, 96)->starts, 1, "I1");
    host_heap_delete(host);
}

static void a_block_that_would_end_behind_the_arena_is_found(void **state)
{
    (void)state;
    struct script_blocks blocks = {{NULL}};
    struct host_heap *host = script_heap(LEAVES_96, &blocks, "a1024");
    mutate(host, &leaf_word(&host->heap, 64)->starts, 0, "I1");
    host_heap_delete(host);
    host = script_heap(LEAVES_224, &blocks, "a2048 b1024"); /* the same, but not from leaf 0 on */
    mutate(host, &leaf_word(&host->heap, 192)->starts, 0, "I1");
    host_heap_delete(host);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(blocks_are_halved_and_merged_as_the_algorithms_say),
    cmocka_unit_test(resize_works_with_the_halves_above),
    cmocka_unit_test(alignment_costs_no_more_than_the_block),
    cmocka_unit_test(alignment_above_that_of_the_arena_is_kept),
    cmocka_unit_test(alignment_that_no_block_of_that_size_has_is_refused),
    cmocka_unit_test(mutants_of_the_bitmap_are_named),
    cmocka_unit_test(mutants_of_holes_and_lists_are_named),
    cmocka_unit_test(mutants_of_i4_are_named),
    cmocka_unit_test(starts_inside_of_long_blocks_are_found),
    cmocka_unit_test(a_block_that_would_end_behind_the_arena_is_found),
};

const struct cases buddy_cases = {tests, sizeof(tests) / sizeof(tests[0])};
