/* SPDX-License-Identifier: MIT */
/*
 * What only boundary-map promises: what the map says of blocks, which bin a length belongs
 * to, what is cached and for how long, and the label of each broken invariant. The strategy
 * is included, not linked, so that the cases can name its parts.
 */
#define heap_boundary_map heap_boundary_map_in_sight
#include "../mm/boundary-map.c"
#undef heap_boundary_map

#include <string.h>

#include "cases.h"
#include "host_heap.h"
#include "script.h"

enum {
    MAP_BYTES = 4096, /* 256 KiB of arena: there is a cache */
    BLOCKS = 8,
    BLOCK_BYTES = 96,
    HELD_MAX = 6000,
};

static struct heap *heap_in(struct host_heap *host)
{
    return &host->heap;
}

static void *alloc(struct host_heap *host, uint32_t size)
{
    return tested_strategy->alloc(heap_in(host), size, HEAP_ALIGNMENT_BYTES);
}

static void give_back(struct host_heap *host, void *address)
{
    assert_true(tested_strategy->free(heap_in(host), address));
}

static uint32_t cached(const struct host_heap *host)
{
    const struct boundary_map *state = state_of(&host->heap);
    return (uint32_t)(state->cap - cache_room(state)) - (state->bump_granules > 0);
}

/* --- the map and the bins ----------------------------------------------------------------- */

static void a_live_block_s_length_is_read_from_the_map(void **state)
{
    static const uint32_t granules[] = {2, 3, 5, 31, 32, 33, 34, 63, 64, 65, 511, 512, 1000};
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    for (size_t i = 0; i < sizeof(granules) / sizeof(granules[0]); i++)
        for (uint32_t size = granules[i] * 8 - 7; size <= granules[i] * 8; size++) {
            uint8_t *block = alloc(host, size);
            uint32_t granule = map_granule_of(heap_in(host), block);
            assert_int_equal(map_live_granules(heap_in(host), granule), granules[i]);
        }
    host_heap_assert_sound(host, "blocks of many lengths");
    host_heap_delete(host);
}

static void bins_are_exact_to_4_kib_and_32_a_doubling_above(void **state)
{
    static const struct {
        uint32_t granules, bin;
    } rows[] = {
        {2, 1}, {3, 2}, {512, 511}, {513, 512}, {528, 512}, {529, 513}, {1024, 543}, {1025, 544},
        {1056, 544}, {1057, 545}, {2048, 575}, {2049, 576}, {1U << 22, 927}, {(1U << 23) - 3, 959},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(bin_of(rows[i].granules), rows[i].bin);
    for (uint32_t granules = 3; granules < 100000; granules++)
        assert_true(bin_of(granules) - bin_of(granules - 1) <= 1);
}

static void the_longest_hole_is_told_within_3_percent(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    struct holes *holes = &state_of(heap_in(host))->holes;
    for (uint32_t granules = 513; granules < 1U << 23; granules += granules / 7) {
        memset(&holes->filled, 0, sizeof(holes->filled));
        list_filled(&holes->filled, bin_of(granules));
        uint32_t pages = holes_longest_pages(holes);
        assert_true(pages * PAGE_GRANULES < granules);
        assert_true((pages + 1) * PAGE_GRANULES + granules / 32 >= granules);
    }
    host_heap_delete(host);
}

/* --- the cache ---------------------------------------------------------------------------------- */

static void a_freed_block_is_handed_out_again_and_stays_whole(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    uint8_t *block = alloc(host, BLOCK_BYTES);
    give_back(host, block);
    assert_int_equal(cached(host), 1);
    host_heap_assert_sound(host, "a free");
    assert_ptr_equal(alloc(host, BLOCK_BYTES), block);
    assert_int_equal(cached(host), 0);
    host_heap_delete(host);
}

static void a_block_a_granule_longer_serves_too(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    uint8_t *block = alloc(host, BLOCK_BYTES);
    give_back(host, block);
    assert_ptr_equal(alloc(host, BLOCK_BYTES - 8), block);
    assert_int_equal(tested_strategy->usable(heap_in(host), block), BLOCK_BYTES);
    give_back(host, block);
    assert_ptr_not_equal(alloc(host, BLOCK_BYTES - 16), block);
    host_heap_delete(host);
}

static void a_long_block_serves_up_to_an_eighth_less(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    uint8_t *block = alloc(host, 320);
    give_back(host, block);
    assert_ptr_not_equal(alloc(host, 320 - 48), block);
    assert_ptr_equal(alloc(host, 320 - 24), block);
    host_heap_assert_sound(host, "a near fit");
    host_heap_delete(host);
}

/* A heap in which BLOCKS blocks are cached, and nothing is live. */
static struct host_heap *heap_with_cached_blocks(void)
{
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    void *blocks[BLOCKS];
    for (uint32_t i = 0; i < BLOCKS; i++)
        blocks[i] = alloc(host, BLOCK_BYTES);
    for (uint32_t i = 0; i < BLOCKS; i++)
        give_back(host, blocks[i]);
    assert_int_equal(cached(host), BLOCKS);
    return host;
}

static uint32_t all_bytes(struct host_heap *host)
{
    return (map_end(heap_in(host)) - FIRST_GRANULE) * MAP_GRANULE_BYTES;
}

static void an_aligned_request_that_finds_no_hole_gets_the_cached_ones(void **state)
{
    enum { ALIGN = 64, LESS = BLOCKS * BLOCK_BYTES / 2 }; /* than what the cached ones have */
    (void)state;
    struct host_heap *host = heap_with_cached_blocks();
    assert_non_null(
        tested_strategy->alloc(heap_in(host), all_bytes(host) - LESS, ALIGN));
    host_heap_assert_sound(host, "an aligned request for nearly everything");
    host_heap_delete(host);
}

static void a_request_that_finds_no_hole_gets_the_cached_ones(void **state)
{
    (void)state;
    struct host_heap *host = heap_with_cached_blocks();
    assert_non_null(alloc(host, all_bytes(host)));
    assert_null(alloc(host, 1));
    host_heap_assert_sound(host, "a request for everything");
    host_heap_delete(host);
}

static void no_more_is_cached_than_the_longest_hole_pays_for(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    void *blocks[200];
    for (uint32_t i = 0; i < 200; i++)
        blocks[i] = alloc(host, BLOCK_BYTES);
    for (uint32_t i = 0; i < 200; i++) {
        give_back(host, blocks[i]);
        host_heap_assert_sound(host, "a free");
    }
    assert_true(cached(host) > 8);
    assert_int_equal(cache_room(state_of(heap_in(host))), 0);
    host_heap_delete(host);
}

/*
 * Tries to break J: fills the cache, takes the longest hole away in pieces of all lengths,
 * aligned ones and growing ones among them, and gives back in between what keeps holes apart.
 */
static void no_order_of_requests_breaks_j(void **state)
{
    (void)state;
    static void *held[HELD_MAX];
    for (uint32_t round = 0; round < 12; round++) {
        struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES << round % 4);
        struct random random;
        random_seed(&random, tested_seed + round);
        uint32_t count = 0;
        for (uint32_t step = 0; step < 4000 && count < HELD_MAX; step++) {
            uint32_t size = 8 + random_below(&random, 200);
            uint32_t kind = random_below(&random, 100);
            if (kind < 4)
                size = 1000 << random_below(&random, 6);
            uint32_t align = kind == 5 ? 64U << random_below(&random, 7) : 8;
            if (step % 700 < 350 || kind < 10)
                held[count] = tested_strategy->alloc(heap_in(host), size, align);
            else
                held[count] = NULL;
            if (held[count] != NULL)
                count++;
            else if (count > 0) {
                uint32_t victim = random_below(&random, count);
                if (kind > 95)
                    tested_strategy->resize(heap_in(host), held[victim], 4 * size);
                else {
                    give_back(host, held[victim]);
                    held[victim] = held[--count];
                }
            }
            assert_null(tested_strategy->check(heap_in(host)));
        }
        host_heap_delete(host);
    }
}

/* --- mutants ---------------------------------------------------------------------------------------- */

/*
 * Eight blocks side by side, of which the second is cached; the fourth and the sixth are
 * holes, one granule apart in length; and a bump region.
 */
struct rig {
    struct host_heap *host;
    struct heap *heap;
    struct boundary_map *map;
    void *block[BLOCKS];
};

static uint32_t granule_of_block(const struct rig *rig, uint32_t block)
{
    return map_granule_of(rig->heap, rig->block[block]);
}

static struct hole *hole_of_block(const struct rig *rig, uint32_t block)
{
    return rig->block[block];
}

static void make_hole(struct rig *rig, uint32_t block)
{
    uint32_t granule = granule_of_block(rig, block);
    uint32_t granules = map_live_granules(rig->heap, granule);
    map_erase_length(rig->heap, granule, granules);
    release(rig->heap, granule, granules);
}

static struct rig rig_new(void)
{
    struct rig rig = {.host = host_heap_new(tested_strategy, MAP_BYTES)};
    rig.heap = heap_in(rig.host);
    rig.map = state_of(rig.heap);
    for (uint32_t i = 0; i < BLOCKS; i++)
        rig.block[i] = alloc(rig.host, 600 + i * 8);
    give_back(rig.host, alloc(rig.host, BLOCK_BYTES));
    rig.block[1] = rig.map->cache[BLOCK_BYTES / 8 - 1];
    make_hole(&rig, 3);
    make_hole(&rig, 5);
    settle(rig.map);
    assert_true(rig.map->bump_granules > 0);
    assert_int_equal(cached(rig.host), 1);
    host_heap_assert_sound(rig.host, "a few calls");
    return rig;
}

static void first_bit_lost(struct rig *rig)
{
    map_clear(rig->heap, granule_of_block(rig, 2));
}

static void first_bit_of_all_lost(struct rig *rig)
{
    map_clear(rig->heap, FIRST_GRANULE);
}

static void bit_inside_a_long_block(struct rig *rig)
{
    map_set(rig->heap, granule_of_block(rig, 2) + 60);
}

static void length_too_large(struct rig *rig)
{
    map_set(rig->heap, granule_of_block(rig, 2) + LENGTH_SHIFT + 20);
}

static void length_zero(struct rig *rig)
{
    uint32_t granule = granule_of_block(rig, 2);
    for (uint32_t bit = 0; bit < LENGTH_BITS; bit++)
        map_clear(rig->heap, granule + LENGTH_SHIFT + bit);
}

static void fence_lost(struct rig *rig)
{
    map_clear(rig->heap, map_end(rig->heap));
}

static void fence_is_a_hole(struct rig *rig)
{
    map_set(rig->heap, map_end(rig->heap) + 1);
}

static void header_of_hole_wrong(struct rig *rig)
{
    hole_of_block(rig, 3)->granules--;
}

static void footer_of_hole_wrong(struct rig *rig)
{
    ++*hole_footer(rig->heap, granule_of_block(rig, 3) + hole_of_block(rig, 3)->granules);
}

static void header_of_hole_huge(struct rig *rig)
{
    hole_of_block(rig, 3)->granules = 0xFFFFFFF0;
}

static void last_bit_of_hole_lost(struct rig *rig)
{
    map_clear(rig->heap, granule_of_block(rig, 3) + hole_of_block(rig, 3)->granules - 1);
}

static void bit_inside_a_hole(struct rig *rig)
{
    map_set(rig->heap, granule_of_block(rig, 3) + 40);
}

static void hole_in_two_halves(struct rig *rig)
{
    uint32_t granule = granule_of_block(rig, 3);
    uint32_t granules = hole_of_block(rig, 3)->granules;
    hole_unlink(&rig->map->holes, hole_of_block(rig, 3));
    uint32_t half = cut(rig->heap, granule, granules, 20);
    hole_make(rig->heap, &rig->map->holes, granule, half);
}

static void a_hole_before_the_first(struct rig *rig)
{
    make_hole(rig, 0);
    map_set(rig->heap, FIRST_GRANULE - 1);
}

static void hole_in_no_bin(struct rig *rig)
{
    hole_unlink(&rig->map->holes, hole_of_block(rig, 3));
}

static void hole_in_the_wrong_bin(struct rig *rig)
{
    hole_unlink(&rig->map->holes, hole_of_block(rig, 3));
    bin_push(&rig->map->holes, 100, hole_of_block(rig, 3));
}

static void link_elsewhere(struct rig *rig)
{
    hole_of_block(rig, 3)->link = &rig->map->holes.bins[7];
}

static void bin_in_a_circle(struct rig *rig)
{
    hole_of_block(rig, 3)->next = hole_of_block(rig, 3);
}

static void next_outside_the_heap(struct rig *rig)
{
    hole_of_block(rig, 3)->next = (struct hole *)(uintptr_t)0x1000;
}

static void next_is_live(struct rig *rig)
{
    hole_of_block(rig, 3)->next = hole_of_block(rig, 2);
}

static void bin_bit_lost(struct rig *rig)
{
    bit_clear(rig->map->holes.filled.words, bin_of(hole_of_block(rig, 3)->granules));
}

static void bin_bit_invented(struct rig *rig)
{
    bit_set(rig->map->holes.filled.words, 300);
}

static void top_bit_lost(struct rig *rig)
{
    bit_clear(&rig->map->holes.filled.top, bin_of(hole_of_block(rig, 3)->granules) / 32);
}

static void top_bit_without_a_word(struct rig *rig)
{
    bit_set(&rig->map->holes.filled.top, 31);
}

static void room_too_large(struct rig *rig)
{
    rig->map->room++;
}

static void cached_twice(struct rig *rig)
{
    struct cached *block = rig->block[1];
    block->next = block;
}

static void cached_in_the_wrong_list(struct rig *rig)
{
    cache_push(rig->map, 20, cache_pop(rig->map, BLOCK_BYTES / 8 - 1));
    rig->map->room--;
}

static void cached_is_a_hole(struct rig *rig)
{
    rig->map->cache[BLOCK_BYTES / 8 - 1] = rig->block[3];
}

static void cached_outside_the_heap(struct rig *rig)
{
    rig->map->cache[BLOCK_BYTES / 8 - 1] = (struct cached *)(uintptr_t)0x1000;
}

static void cache_bit_lost(struct rig *rig)
{
    list_emptied(&rig->map->cache_filled, BLOCK_BYTES / 8 - 1);
}

static void bit_inside_the_bump_region(struct rig *rig)
{
    map_set(rig->heap, rig->map->bump + 5);
}

static void bump_region_too_long(struct rig *rig)
{
    rig->map->bump_granules++;
}

static void bump_region_elsewhere(struct rig *rig)
{
    rig->map->bump += 2;
}

static void cap_too_large(struct rig *rig)
{
    rig->map->cap++;
    rig->map->room++;
}

static void cap_too_large_beside_an_open_hole(struct rig *rig)
{
    make_hole(rig, 0);
    cap_too_large(rig);
}

static void open_hole_forgotten(struct rig *rig)
{
    make_hole(rig, 0);
    rig->map->holes.open = NULL;
}

static void open_hole_in_a_bin(struct rig *rig)
{
    rig->map->holes.open = hole_of_block(rig, 3);
}

static void open_hole_is_live(struct rig *rig)
{
    make_hole(rig, 0);
    rig->map->holes.open = rig->block[2];
}

/* Takes the longest hole without a look at what is cached. */
static void longest_hole_gone(struct rig *rig)
{
    struct holes *holes = &rig->map->holes;
    uint32_t bin = EXACT_BINS;
    while (holes->bins[bin] == NULL)
        bin++;
    struct hole *hole = holes->bins[bin];
    uint32_t granule = map_granule_of(rig->heap, hole);
    map_write_length(rig->heap, granule, cut_long(rig->heap, bin, hole->granules));
}

static const struct mutant {
    const char *label;
    void (*damage)(struct rig *rig);
} mutants[] = {
    {"I1", first_bit_lost}, {"I1", first_bit_of_all_lost}, {"I1", bit_inside_a_long_block},
    {"I1", length_too_large}, {"I1", length_zero}, {"I1", fence_lost}, {"I1", fence_is_a_hole},
    {"I2", header_of_hole_wrong}, {"I2", footer_of_hole_wrong}, {"I2", header_of_hole_huge},
    {"I2", last_bit_of_hole_lost}, {"I2", bit_inside_a_hole}, {"I3", hole_in_two_halves},
    {"I3", a_hole_before_the_first}, {"I4", hole_in_no_bin}, {"I4", hole_in_the_wrong_bin},
    {"I4", link_elsewhere}, {"I4", bin_in_a_circle}, {"I4", next_outside_the_heap},
    {"I4", next_is_live}, {"I5", bin_bit_lost}, {"I5", bin_bit_invented}, {"I5", top_bit_lost},
    {"I5", top_bit_without_a_word}, {"I6", room_too_large}, {"I6", cached_twice},
    {"I6", cached_in_the_wrong_list}, {"I6", cached_is_a_hole}, {"I6", cached_outside_the_heap},
    {"I6", cache_bit_lost}, {"I7", bit_inside_the_bump_region}, {"I7", bump_region_too_long},
    {"I1", bump_region_elsewhere}, {"I8", cap_too_large},
    {"I8", cap_too_large_beside_an_open_hole}, {"I4", open_hole_forgotten},
    {"I4", open_hole_in_a_bin}, {"I4", open_hole_is_live},
    {"J", longest_hole_gone},
};

static void mutants_of_every_invariant_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(mutants) / sizeof(mutants[0]); i++) {
        struct rig rig = rig_new();
        mutants[i].damage(&rig);
        assert_label(tested_strategy->check(rig.heap), mutants[i].label);
        host_heap_delete(rig.host);
    }
}

/* On a heap so small that nothing is cached: a freed block is a hole at once. */
static void a_block_grows_into_the_hole_behind_it(void **state)
{
    static const char *const scripts[] = {
        "a96 b96 c96 -b a=192",        /* all of the hole */
        "a96 b96 c96 -b a=120 !a=200", /* some of it; no more than there is */
        "a96 b96 c96 -b !a=193 a=185",
        "a400 b96 c96 -b a=496",       /* a long block, whose length is in the map */
        "a250 b96 c96 -b a=300",       /* one that becomes long */
        "a96 b96 !a=97",               /* the one behind is live */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        struct script_blocks blocks = {{NULL}};
        host_heap_delete(script_heap(64, &blocks, scripts[i]));
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_live_block_s_length_is_read_from_the_map),
    cmocka_unit_test(bins_are_exact_to_4_kib_and_32_a_doubling_above),
    cmocka_unit_test(the_longest_hole_is_told_within_3_percent),
    cmocka_unit_test(a_freed_block_is_handed_out_again_and_stays_whole),
    cmocka_unit_test(a_block_a_granule_longer_serves_too),
    cmocka_unit_test(a_long_block_serves_up_to_an_eighth_less),
    cmocka_unit_test(a_request_that_finds_no_hole_gets_the_cached_ones),
    cmocka_unit_test(an_aligned_request_that_finds_no_hole_gets_the_cached_ones),
    cmocka_unit_test(no_more_is_cached_than_the_longest_hole_pays_for),
    cmocka_unit_test(no_order_of_requests_breaks_j),
    cmocka_unit_test(a_block_grows_into_the_hole_behind_it),
    cmocka_unit_test(mutants_of_every_invariant_are_named),
};

const struct cases boundary_map_cases = {tests, sizeof(tests) / sizeof(tests[0])};
