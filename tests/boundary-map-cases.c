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

#include "boundary_map_parts.h"

#include "boundary_map_damage.h"

/* --- the walk -------------------------------------------------------------------------------------------- */

struct seen {
    uint32_t count[HEAP_BLOCK_META + 1];
    uint32_t bytes[HEAP_BLOCK_META + 1];
    uint32_t payload_bytes;
};

static void see(void *context, const struct heap_block *block)
{
    struct seen *seen = context;
    seen->count[block->state]++;
    seen->bytes[block->state] += block->bytes;
    seen->payload_bytes += block->payload_bytes;
    assert_int_equal(block->payload != NULL, block->state == HEAP_BLOCK_LIVE);
}

static struct seen walk(const struct heap *heap)
{
    struct seen seen = {0};
    tested_strategy->walk(heap, see, &seen);
    return seen;
}

static void as_many_blocks_are_shown_as_cached_as_ever_are(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, LARGE_MAP_BYTES);
    assert_int_equal(state_of(heap_in(host))->cap, CACHE_BLOCKS_MAX);
    fill_cache(host, 40);
    assert_int_equal(cached(host), CACHE_BLOCKS_MAX);
    struct seen seen = walk(heap_in(host));
    assert_int_equal(seen.count[HEAP_BLOCK_CACHED], CACHE_BLOCKS_MAX);
    assert_int_equal(seen.bytes[HEAP_BLOCK_CACHED], CACHE_BLOCKS_MAX * 40 * MAP_GRANULE_BYTES);
    assert_int_equal(seen.count[HEAP_BLOCK_LIVE], 0);
    host_heap_delete(host);
}

static void a_block_of_4_kib_is_shown_as_cached(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, LARGE_MAP_BYTES);
    give_back(host, alloc(host, 4096));
    struct seen seen = walk(heap_in(host));
    assert_int_equal(seen.count[HEAP_BLOCK_CACHED], 1);
    assert_int_equal(seen.bytes[HEAP_BLOCK_CACHED], 4096);
    host_heap_delete(host);
}

/* --- mutants ------------------------------------------------------------------------------ */

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

/* The kinds of blocks in the rig, and what they have together. */
static void a_walk_shows_each_block_as_what_it_is(void **state)
{
    (void)state;
    struct rig rig = rig_new();
    struct seen seen = walk(rig.heap);
    assert_int_equal(seen.count[HEAP_BLOCK_META], 2);
    assert_int_equal(seen.bytes[HEAP_BLOCK_META], MAP_BYTES + 8 + 16);
    assert_int_equal(seen.count[HEAP_BLOCK_FREE], 3);
    assert_int_equal(seen.count[HEAP_BLOCK_CACHED], 2);
    assert_int_equal(seen.bytes[HEAP_BLOCK_CACHED],
                     BLOCK_BYTES + rig.map->bump_granules * MAP_GRANULE_BYTES);
    assert_int_equal(seen.count[HEAP_BLOCK_LIVE], BLOCKS - 2);
    assert_int_equal(seen.payload_bytes, seen.bytes[HEAP_BLOCK_LIVE]);
    host_heap_delete(rig.host);
}

static void a_walk_ends_though_a_cache_list_goes_round(void **state)
{
    (void)state;
    struct rig rig = rig_new();
    alloc(rig.host, BLOCK_BYTES);
    void *live = alloc(rig.host, BLOCK_BYTES);
    struct cached *block = alloc(rig.host, BLOCK_BYTES);
    give_back(rig.host, block);
    block->next = block;
    struct seen seen = walk(rig.heap);
    assert_true(seen.count[HEAP_BLOCK_LIVE] > BLOCKS - 2);
    assert_non_null(live);
    host_heap_delete(rig.host);
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
    cmocka_unit_test(the_shortest_hole_that_is_long_enough_is_taken),
    cmocka_unit_test(a_long_hole_is_cut_for_a_bump_region_if_enough_is_left),
    cmocka_unit_test(a_short_hole_becomes_the_bump_region_if_it_leaves_more_than_the_old_one),
    cmocka_unit_test(the_bump_region_serves_as_long_as_two_granules_are_left),
    cmocka_unit_test(a_full_cache_takes_the_first_block_of_its_length_in_exchange),
    cmocka_unit_test(a_narrow_cache_exchanges_nothing),
    cmocka_unit_test(which_lengths_are_cached_depends_on_the_cap),
    cmocka_unit_test(a_long_request_leaves_the_cache_alone_if_it_finds_a_hole),
    cmocka_unit_test(requests_of_a_little_more_than_4_kib_keep_j),
    cmocka_unit_test(a_block_that_grows_keeps_j),
    cmocka_unit_test(lists_lose_a_block_in_turn),
    cmocka_unit_test(no_more_is_evicted_than_the_length_of_a_request_asks_for),
    cmocka_unit_test(a_near_fit_is_up_to_an_eighth_longer),
    cmocka_unit_test(a_bump_region_begins_for_short_requests_while_there_is_room),
    cmocka_unit_test(two_long_lengths_share_a_bin_iff_their_bins_are_the_same),
    cmocka_unit_test(of_eight_holes_of_a_long_bin_the_shortest_is_taken),
    cmocka_unit_test(a_hole_beyond_the_first_eight_is_found_if_no_other_serves),
    cmocka_unit_test(a_gap_before_an_aligned_block_has_room_for_a_hole),
    cmocka_unit_test(an_aligned_request_takes_a_hole_that_just_holds_it),
    cmocka_unit_test(an_aligned_request_goes_on_to_the_next_bin),
    cmocka_unit_test(the_last_bin_serves_what_fits_and_no_more),
    cmocka_unit_test(an_alignment_may_be_as_large_as_the_arena),
    cmocka_unit_test(a_long_hole_that_is_cut_stays_where_it_is_in_its_bin),
    cmocka_unit_test(a_long_hole_stays_in_its_bin_whoever_cuts_it),
    cmocka_unit_test(a_long_hole_that_was_open_counts_once_it_is_cut),
    cmocka_unit_test(a_block_is_cut_where_a_hole_has_room),
    cmocka_unit_test(nothing_is_as_large_as_the_arena),
    cmocka_unit_test(as_many_blocks_are_shown_as_cached_as_ever_are),
    cmocka_unit_test(a_block_of_4_kib_is_shown_as_cached),
    cmocka_unit_test(a_walk_shows_each_block_as_what_it_is),
    cmocka_unit_test(a_walk_ends_though_a_cache_list_goes_round),
};

const struct cases boundary_map_cases = {tests, sizeof(tests) / sizeof(tests[0])};
