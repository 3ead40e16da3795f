/* SPDX-License-Identifier: MIT */
/*
 * What only best-fit promises: the smallest hole that fits, the lowest among equals; and how
 * byte_map.h finds a hole for it and for worst-fit, by words. That is included, so that the
 * cases can ask its functions one by one.
 */
#include <sanitizer/asan_interface.h>

#include "byte_map.h"
#include "byte_map_rig.h"
#include "cases.h"

static const struct placement placements[] = {
    {"an empty heap is filled from block 0", "........", 0, 1, 8, "F.......", 0},
    {"the smallest hole is taken, not the lowest", "F...F.F..F......", 0, 1, 8,
     "F...FFF..F......", 0},
    {"the smallest that fits", "F.F...F..F......", 0, 2, 8, "F.F...FFrF......", 0},
    {"the lowest among equals", "F..F..F..F......", 0, 1, 8, "FF.F..F..F......", 0},
    {"the lowest among exact ones", "F.F..F..F.......", 0, 2, 8, "F.FFrF..F.......", 0},
    {"a hole at the end counts as it is", "F....FrrrrrrrF..", 0, 2, 8, "F....FrrrrrrrFFr", 0},
    {"a hole of four that is one word", "FrrF....FrrrFr..", 0, 3, 8, "FrrFFrr.FrrrFr..", 0},
    {"a hole of four across two words", "FrrrFr....FrFrrr", 0, 4, 8, "FrrrFrFrrrFrFrrr", 0},
    {"a hole in the last byte of a word", "Frr.FrrrFrrrFr..", 0, 1, 8, "FrrFFrrrFrrrFr..", 0},
    {"a hole in the first byte of a word", "Frrr.FrrFrrrFr..", 0, 1, 8, "FrrrFFrrFrrrFr..", 0},
    {"the very last block", "FrrrrrrrrrrrrrF.", 0, 1, 8, "FrrrrrrrrrrrrrFF", 0},
    {"the whole heap is one run", "........", 0, 8, 8, "Frrrrrrr", 0},
    {"one block too many is refused", "........", 0, 9, 8, "........", 0},
    {"holes do not add up", ".F.F.F..", 0, 3, 8, ".F.F.F..", 0},
    {"the smallest hole with an aligned place", "F.F.F...F.......", 0, 1, 256,
     "F.F.F...F...F...", 0},
    {"a smaller hole that alignment makes useless", "F..F.F..F.......", 0, 2, 128,
     "F..F.FFrF.......", 0},
};

static void the_smallest_hole_that_fits_is_taken(void **state)
{
    (void)state;
    rig_placements(placements, sizeof(placements) / sizeof(placements[0]), NULL);
}

/*
 * Behind it is a hole whose end nobody has to know: AddressSanitizer stops who looks for it. So
 * this is the last of the cases; those before it tell better what else may be wrong.
 */
static void a_hole_that_fits_exactly_ends_the_search(void **state)
{
    enum { SEEN = 8 }; /* blocks */
    (void)state;
    struct host_heap *host = rig_heap("F.F.............");
    __asan_poison_memory_region(host->heap.region.map + SEEN, host->heap.region.map_bytes - SEEN);
    tested_strategy->alloc(&host->heap, RIG_BLOCK_BYTES, HEAP_ALIGNMENT_BYTES);
    __asan_unpoison_memory_region(host->heap.region.map, host->heap.region.map_bytes);
    rig_assert_map(host, "FFF.............", "an exact hole is filled");
    host_heap_delete(host);
}

/* Whatever the bytes are: also those that no map has. */
static void a_word_has_a_free_block_iff_a_byte_is_zero(void **state)
{
    static const uint8_t bytes[] = {0, 1, 2, 0x7F, 0x80, 0x81, 0xFF};
    enum { BYTES = sizeof(bytes), WORDS = BYTES * BYTES * BYTES * BYTES };
    (void)state;
    for (uint32_t number = 0; number < WORDS; number++) {
        uint32_t word = 0;
        bool expected = false;
        for (uint32_t i = 0, rest = number; i < WORD_BLOCKS; i++, rest /= BYTES) {
            word = word << 8 | bytes[rest % BYTES];
            expected = expected || bytes[rest % BYTES] == 0;
        }
        if (byte_map_has_free(word) != expected)
            fail_msg("of the word %08x it is said that %s", word,
                     expected ? "no byte is zero" : "a byte is zero");
    }
}

/* The next block that is free, or that is used, looked for block by block. */
static uint32_t next_of(const struct heap *heap, uint32_t block, bool free)
{
    while (block < heap->region.map_bytes && (heap->region.map[block] == BLOCK_FREE) != free)
        block++;
    return block;
}

static void assert_next(const struct heap *heap, uint32_t block)
{
    uint32_t next_free = byte_map_next_free(heap, block);
    uint32_t next_used = byte_map_next_used(heap, block);
    if (next_free == next_of(heap, block, true) && next_used == next_of(heap, block, false))
        return;
    const uint8_t *map = heap->region.map;
    fail_msg("map %u%u%u%u%u%u%u%u, before a %u: from block %u on, the next free one is %u, the "
             "next used one %u", map[0], map[1], map[2], map[3], map[4], map[5], map[6], map[7],
             map[8], block, next_free, next_used);
}

/* In every map of two words; the byte behind it looks now like FREE, now like FIRST. */
static void the_next_free_and_the_next_used_block_are_found_from_every_block(void **state)
{
    enum { BLOCKS = 8, MAPS = 6561 /* 3^8 */ };
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, BLOCKS);
    for (uint32_t number = 0; number < MAPS; number++) {
        for (uint32_t i = 0, rest = number; i < BLOCKS; i++, rest /= 3)
            host->heap.region.map[i] = (uint8_t)(rest % 3);
        host->heap.region.arena[0] = (uint8_t)(number % 2);
        for (uint32_t block = 0; block <= BLOCKS; block++)
            assert_next(&host->heap, block);
    }
    host_heap_delete(host);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_smallest_hole_that_fits_is_taken),
    cmocka_unit_test(a_word_has_a_free_block_iff_a_byte_is_zero),
    cmocka_unit_test(the_next_free_and_the_next_used_block_are_found_from_every_block),
    cmocka_unit_test(byte_map_placements_equal_those_found_by_trying_every_place),
    cmocka_unit_test(byte_map_free_clears_its_run_and_no_more),
    cmocka_unit_test(byte_map_resize_changes_its_run_and_no_more),
    cmocka_unit_test(byte_map_mutants_of_i1_are_named),
    cmocka_unit_test(byte_map_mutants_of_i2_are_named),
    cmocka_unit_test(byte_map_random_maps_are_named_or_sound),
    cmocka_unit_test(a_hole_that_fits_exactly_ends_the_search),
};

const struct cases best_fit_cases = {tests, sizeof(tests) / sizeof(tests[0])};
