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

/* --- which block it is, to the granule ------------------------------------------------------------ */

enum { LARGE_MAP_BYTES = 32768 /* 2 MiB of arena: as much is cached as ever */ };

static void *alloc_granules(struct host_heap *host, uint32_t granules)
{
    return alloc(host, granules * MAP_GRANULE_BYTES);
}

/* A block of that many granules between live ones, in the bump region if it is short. */
static void *walled(struct host_heap *host, uint32_t granules)
{
    uint32_t wall = granules <= SHORT_GRANULES ? MIN_GRANULES : SHORT_GRANULES + 1;
    alloc_granules(host, wall);
    void *block = alloc_granules(host, granules);
    alloc_granules(host, wall);
    return block;
}

/* Makes a hole of a live block that might be cached, were it freed. */
static void make_hole_of(struct host_heap *host, void *block)
{
    uint32_t granule = map_granule_of(heap_in(host), block);
    uint32_t granules = map_live_granules(heap_in(host), granule);
    map_erase_length(heap_in(host), granule, granules);
    release(heap_in(host), granule, granules);
    settle(state_of(heap_in(host)));
}

static void the_shortest_hole_that_is_long_enough_is_taken(void **state)
{
    (void)state;
    for (uint32_t wanted = 70; wanted < 75; wanted++) {
        struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
        void *holes[5];
        for (uint32_t i = 0; i < 5; i++)
            holes[i] = walled(host, 78 - 2 * i); /* of 78, 76, 74, 72 and 70 granules */
        for (uint32_t i = 0; i < 5; i++)
            make_hole_of(host, holes[i]);
        assert_ptr_equal(alloc_granules(host, wanted), holes[4 - (wanted - 69) / 2]);
        host_heap_assert_sound(host, "a best fit");
        host_heap_delete(host);
    }
}

static void a_long_hole_is_cut_for_a_bump_region_if_enough_is_left(void **state)
{
    (void)state;
    for (uint32_t short_of = 0; short_of < 2; short_of++) {
        struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
        struct boundary_map *map = state_of(heap_in(host));
        void *block = alloc_granules(host, 10 + BUMP_HOLE_GRANULES - short_of);
        alloc_granules(host, 100);
        make_hole_of(host, block);
        uint8_t *got = alloc_granules(host, 10);
        if (short_of) {
            assert_ptr_equal(got, block);
            assert_int_equal(map->bump_granules, 0);
        } else {
            assert_ptr_equal(map_address_of(heap_in(host), map->bump), block);
            assert_ptr_equal(got, (uint8_t *)block + (BUMP_GRANULES - 10) * MAP_GRANULE_BYTES);
        }
        host_heap_assert_sound(host, "the first short request");
        host_heap_delete(host);
    }
}

/* Uses the bump region up, but for fewer than six granules. */
static void use_up_bump_region(struct host_heap *host)
{
    while (state_of(heap_in(host))->bump_granules > 5)
        alloc_granules(host, 2);
}

static void a_short_hole_becomes_the_bump_region_if_it_leaves_more_than_the_old_one(void **state)
{
    (void)state;
    for (uint32_t more = 0; more < 4; more++) {
        struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
        struct boundary_map *map = state_of(heap_in(host));
        uint32_t granules = 5; /* more than what is left of the old one can serve */
        void *blocks[4];
        for (uint32_t i = 0; i < 4; i++)
            blocks[i] = walled(host, granules + 4 + i);
        use_up_bump_region(host);
        uint32_t left = map->bump_granules;
        assert_in_range(left, 4, 5);
        uint8_t *hole = blocks[more];
        make_hole_of(host, hole);
        void *got = alloc_granules(host, granules);
        uint32_t rest = 4 + more;
        bool begins = rest >= left + 2;
        assert_int_equal(map_address_of(heap_in(host), map->bump) == (void *)hole, begins);
        assert_ptr_equal(got, begins ? hole + rest * MAP_GRANULE_BYTES : hole);
        assert_int_equal(map->bump_granules, begins ? rest : left);
        assert_int_equal(map->cache[left - 1] != NULL, begins);
        host_heap_assert_sound(host, "a request that a short hole serves");
        host_heap_delete(host);
    }
}

static void the_bump_region_serves_as_long_as_two_granules_are_left(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    struct boundary_map *map = state_of(heap_in(host));
    alloc_granules(host, 2);
    while (map->bump_granules > 9)
        alloc_granules(host, 2);
    uint32_t left = map->bump_granules;
    uint8_t *bump = map_address_of(heap_in(host), map->bump);
    assert_int_equal(left % 2, 0);
    assert_null(tested_strategy->quick_alloc(heap_in(host), (left - 1) * MAP_GRANULE_BYTES));
    assert_ptr_equal(tested_strategy->quick_alloc(heap_in(host), (left - 2) * MAP_GRANULE_BYTES),
                     bump + 2 * MAP_GRANULE_BYTES);
    assert_int_equal(map->bump_granules, 2);
    assert_null(tested_strategy->quick_alloc(heap_in(host), 8));
    host_heap_assert_sound(host, "the last of a bump region");
    host_heap_delete(host);
}

/* --- the cache, to the block ------------------------------------------------------------------------ */

/* Fills the cache with blocks of that length, which are not from a bump region. */
static void fill_cache(struct host_heap *host, uint32_t granules)
{
    void *blocks[CACHE_BLOCKS_MAX + 2];
    uint32_t count = (uint32_t)cache_room(state_of(heap_in(host)));
    for (uint32_t i = 0; i < count; i++)
        assert_non_null(blocks[i] = alloc_granules(host, granules));
    for (uint32_t i = 0; i < count && cache_room(state_of(heap_in(host))) > 0; i++)
        give_back(host, blocks[i]);
    assert_int_equal(cache_room(state_of(heap_in(host))), 0);
}

static void a_full_cache_takes_the_first_block_of_its_length_in_exchange(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, LARGE_MAP_BYTES);
    struct boundary_map *map = state_of(heap_in(host));
    void *lonely = walled(host, 25), *second = walled(host, 25);
    alloc_granules(host, 2);
    void *third = alloc_granules(host, 25), *beside = alloc_granules(host, 25);
    alloc_granules(host, 2);
    void *longest_cached = walled(host, CACHE_LISTS), *too_long = walled(host, CACHE_LISTS + 1);
    fill_cache(host, 40);
    uint32_t count = cached(host);
    assert_true(map->cap >= EXCHANGE_CAP);
    give_back(host, lonely);
    assert_ptr_equal(map->cache[24], lonely);
    assert_int_equal(cached(host), count);
    assert_int_equal(cache_room(map), 0);
    host_heap_assert_sound(host, "an exchange");
    assert_true(tested_strategy->quick_free(heap_in(host), second));
    assert_ptr_equal(map->cache[24], lonely);
    assert_null(((struct cached *)lonely)->next);
    assert_true(map_get(heap_in(host), map_granule_of(heap_in(host), second) + 1));
    host_heap_assert_sound(host, "a free that makes a hole");
    make_hole_of(host, beside);
    give_back(host, third);
    assert_ptr_equal(map->cache[24], lonely);
    host_heap_assert_sound(host, "a free that merges");
    give_back(host, too_long);
    assert_int_equal(cache_room(map), 0);
    give_back(host, longest_cached);
    assert_ptr_equal(map->cache[CACHE_LISTS - 1], longest_cached);
    host_heap_assert_sound(host, "an exchange for 4 KiB");
    host_heap_delete(host);
}

static void a_narrow_cache_exchanges_nothing(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    struct boundary_map *map = state_of(heap_in(host));
    void *lonely = walled(host, 25);
    fill_cache(host, 40);
    assert_true(map->cap < EXCHANGE_CAP);
    assert_true(tested_strategy->quick_free(heap_in(host), lonely));
    assert_null(map->cache[24]);
    assert_true(map_get(heap_in(host), map_granule_of(heap_in(host), lonely) + 1));
    host_heap_assert_sound(host, "a free that makes a hole");
    host_heap_delete(host);
}

static void which_lengths_are_cached_depends_on_the_cap(void **state)
{
    static const struct {
        uint32_t map_bytes, granules;
        bool cached;
    } rows[] = {
        {MAP_BYTES, 64, true}, {MAP_BYTES, 65, false}, {MAP_BYTES, 512, false},
        {LARGE_MAP_BYTES, 65, true}, {LARGE_MAP_BYTES, 512, true}, {LARGE_MAP_BYTES, 513, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct host_heap *host = host_heap_new(tested_strategy, rows[i].map_bytes);
        void *block = walled(host, rows[i].granules);
        uint32_t before = cached(host);
        give_back(host, block);
        assert_int_equal(cached(host), before + rows[i].cached);
        host_heap_assert_sound(host, "a free");
        if (rows[i].cached)
            assert_ptr_equal(tested_strategy->quick_alloc(heap_in(host), rows[i].granules * 8),
                             block);
        host_heap_delete(host);
    }
}

static void a_long_request_leaves_the_cache_alone_if_it_finds_a_hole(void **state)
{
    (void)state;
    struct host_heap *host = heap_with_cached_blocks();
    assert_non_null(alloc(host, 5000));
    assert_int_equal(cached(host), BLOCKS);
    assert_non_null(tested_strategy->alloc(heap_in(host), 100, 4096));
    assert_int_equal(cached(host), BLOCKS);
    host_heap_delete(host);
}

/* Returns: the longest hole's granules. */
static uint32_t longest(struct host_heap *host)
{
    struct check_seen seen = {0};
    assert_null(check_map(heap_in(host), &seen));
    return seen.longest;
}

/*
 * A request of 4 KiB and 8 bytes takes two bins' worth from the longest hole, and has to evict two
 * blocks. Where J has just 8 bytes to spare, one that evicts a single block breaks it the second
 * time: the longest hole is so long that its bins are 4 KiB apart, and ends just above one.
 */
static void requests_of_a_little_more_than_4_kib_keep_j(void **state)
{
    enum { PAGES = 40, CACHED = PAGES - CACHE_SPARED_PAGES, GRANULES = 40 };
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    struct boundary_map *map = state_of(heap_in(host));
    void *blocks[CACHED];
    for (uint32_t i = 0; i < CACHED; i++)
        blocks[i] = alloc_granules(host, GRANULES);
    alloc_granules(host, longest(host) - PAGES * PAGE_GRANULES - 1);
    assert_int_equal(map->cap, CACHED);
    for (uint32_t i = 0; i < CACHED; i++)
        give_back(host, blocks[i]);
    assert_int_equal(cache_room(map), 0);
    assert_non_null(alloc(host, 4096));
    assert_int_equal(cache_room(map), -CACHE_LEEWAY); /* it has shrunk by a page: J has 8 bytes */
    assert_int_equal(longest(host), (PAGES - 1) * PAGE_GRANULES + 1);
    assert_int_equal(cached(host), CACHED);
    for (uint32_t i = 1; i < 10; i++) { /* then what was evicted is long enough */
        assert_non_null(alloc(host, 4096 + 8));
        host_heap_assert_sound(host, "a request of a little more than 4 KiB");
        assert_true(cache_room(map) >= -CACHE_LEEWAY);
        assert_int_equal(longest(host), (PAGES - 1 - i) * PAGE_GRANULES + 1 - i);
    }
    host_heap_delete(host);
}

static void lists_lose_a_block_in_turn(void **state)
{
    static const uint32_t lists[] = {2, 11, 12, 31, 32, 63, 64, 300, 511};
    enum { LISTS = sizeof(lists) / sizeof(lists[0]) };
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    struct boundary_map *map = state_of(heap_in(host));
    for (uint32_t i = 0; i < LISTS; i++)
        list_filled(&map->cache_filled, lists[i]);
    for (uint32_t i = 0; i < 3 * LISTS; i++)
        assert_int_equal(cache_victim(map), lists[i % LISTS]);
    map->next_victim = 12;
    assert_int_equal(cache_victim(map), 12);
    assert_int_equal(map->next_victim, 13);
    host_heap_delete(host);
}

static void no_more_is_evicted_than_the_length_of_a_request_asks_for(void **state)
{
    static const struct {
        uint32_t granules, evicted;
    } rows[] = {{1, 1}, {512, 1}, {513, 2}, {1024, 2}, {1025, 3}, {1U << 20, 6}, {UINT32_MAX, 6}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
        struct boundary_map *map = state_of(heap_in(host));
        fill_cache(host, 40);
        uint32_t before = cached(host);
        map->cap -= 7; /* as if the longest hole had lost 7 pages: one is let be */
        map->room -= 7;
        cache_drain(heap_in(host), rows[i].granules);
        assert_int_equal(cached(host) + 7, before + 7 - rows[i].evicted);
        host_heap_delete(host);
    }
}

static void a_near_fit_is_up_to_an_eighth_longer(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    struct boundary_map *map = state_of(heap_in(host));
    for (uint32_t bin = 0; bin < CACHE_LISTS; bin++)
        for (uint32_t more = 0; more < 40 && bin + more < CACHE_LISTS; more++) {
            uint32_t most = bin / NEAR_STEP + 1;
            most = most < 31 - bin % 8 ? most : 31 - bin % 8; /* one word is looked at */
            bool near = bin >= NEAR_STEP && more <= most;
            memset(&map->cache_filled, 0, sizeof(map->cache_filled));
            list_filled(&map->cache_filled, bin + more);
            assert_int_equal(cache_near(map, bin), near ? bin + more : NO_BIN);
        }
    memset(&map->cache_filled, 0, sizeof(map->cache_filled));
    list_filled(&map->cache_filled, 41);
    list_filled(&map->cache_filled, 42);
    assert_int_equal(cache_near(map, 40), 41);
    host_heap_delete(host);
}

static void a_bump_region_begins_for_short_requests_while_there_is_room(void **state)
{
    (void)state;
    for (uint32_t granules = 30; granules < 34; granules++) {
        struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
        alloc_granules(host, granules);
        assert_int_equal(state_of(heap_in(host))->bump_granules,
                         granules < SHORT_GRANULES ? BUMP_GRANULES - granules : 0);
        host_heap_delete(host);
    }
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    fill_cache(host, 40);
    alloc_granules(host, 10);
    assert_int_equal(state_of(heap_in(host))->bump_granules, 0);
    host_heap_assert_sound(host, "a short request with a full cache");
    alloc_granules(host, 40); /* out of the cache: now there is room for one */
    assert_int_equal(cache_room(state_of(heap_in(host))), 1);
    alloc_granules(host, 10);
    assert_int_equal(state_of(heap_in(host))->bump_granules, BUMP_GRANULES - 10);
    host_heap_assert_sound(host, "a short request with room for one");
    host_heap_delete(host);
}

/* --- long holes ---------------------------------------------------------------------------------------------- */

static void two_long_lengths_share_a_bin_iff_their_bins_are_the_same(void **state)
{
    (void)state;
    for (uint32_t longer = EXACT_BINS + 1; longer < 5000; longer++)
        for (uint32_t less = 0; less < 200 && longer - less > EXACT_BINS; less++)
            assert_int_equal(bin_is_shared(longer - less, longer),
                             bin_of(longer - less) == bin_of(longer));
    assert_true(bin_is_shared((1U << 22) + 1, (1U << 22) + (1U << 17)));
    assert_false(bin_is_shared(1U << 22, (1U << 22) + 1));
}

/* Holes of one long bin, 1025 to 1056 granules: the last that was made is looked at first. */
static void of_eight_holes_of_a_long_bin_the_shortest_is_taken(void **state)
{
    enum { HOLES = 10 };
    static const uint32_t granules[HOLES] = {1030, 1032, 1050, 1041, 1049, 1040,
                                             1048, 1047, 1046, 1045};
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    void *holes[HOLES];
    for (uint32_t i = 0; i < HOLES; i++)
        holes[i] = walled(host, granules[i]);
    for (uint32_t i = 0; i < HOLES; i++)
        make_hole_of(host, holes[i]);
    const struct holes *all = &state_of(heap_in(host))->holes;
    static const struct {
        uint32_t wanted, found;
    } rows[] = {{1026, 5}, {1040, 5}, {1041, 3}, {1042, 9}, {1047, 7}, {1049, 4}, {1050, 2}};
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_ptr_equal(hole_find(all, rows[i].wanted), holes[rows[i].found]);
    uint32_t bin = bin_of(granules[0]);
    assert_ptr_equal(bin_best(all, bin, 1026, 8), holes[5]);
    assert_ptr_equal(bin_best(all, bin, 1026, 9), holes[1]);
    assert_ptr_equal(bin_best(all, bin, 1026, 10), holes[0]);
    assert_null(bin_best(all, bin, 1026, 0));
    assert_null(bin_best(all, bin, 1051, UINT32_MAX));
    assert_ptr_equal(hole_find(all, 1051), all->bins[list_from(&all->filled, bin + 1)]);
    host_heap_assert_sound(host, "ten holes of a bin");
    host_heap_delete(host);
}

static void a_hole_beyond_the_first_eight_is_found_if_no_other_serves(void **state)
{
    enum { HOLES = 9 };
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    void *holes[HOLES];
    for (uint32_t i = 0; i < HOLES; i++)
        holes[i] = walled(host, 1050 - i);
    while (longest(host) > 1040)
        alloc_granules(host, longest(host) > 1600 ? 1057 : longest(host) - 1000);
    for (uint32_t i = 0; i < HOLES; i++)
        make_hole_of(host, holes[i]);
    assert_ptr_equal(alloc_granules(host, 1050), holes[0]);
    assert_null(alloc_granules(host, 1050));
    host_heap_assert_sound(host, "the ninth hole of a bin");
    host_heap_delete(host);
}

/* --- alignments and sizes -------------------------------------------------------------------------- */

static void a_gap_before_an_aligned_block_has_room_for_a_hole(void **state)
{
    (void)state;
    for (uint32_t align = 16; align <= 4096; align *= 2)
        for (uintptr_t place = 0x10000000; place < 0x10001000; place += 8) {
            uint32_t gap = aligned_gap((const struct hole *)place, align) * 8;
            assert_int_equal((place + gap) % align, 0);
            assert_int_not_equal(gap, 8);
            assert_true(gap < align || (gap == align + 8 && align - place % align == 8));
        }
}

/* A hole with just so many granules behind the gap serves; one with a granule less does not. */
static void an_aligned_request_takes_a_hole_that_just_holds_it(void **state)
{
    (void)state;
    for (uint32_t less = 0; less < 2; less++) {
        struct host_heap *host = host_heap_new(tested_strategy, 64);
        uint8_t *first = alloc(host, 16);
        uint32_t gap = aligned_gap((const struct hole *)(first + 16), 256);
        uint8_t *block = alloc_granules(host, gap + 40 - less);
        while (alloc(host, 8) != NULL)
            ;
        give_back(host, block);
        uint8_t *got = tested_strategy->alloc(heap_in(host), 40 * 8, 256);
        assert_ptr_equal(got, less ? NULL : block + gap * 8);
        host_heap_assert_sound(host, "an aligned request");
        if (!less)
            assert_ptr_equal(alloc_granules(host, gap), block);
        assert_null(tested_strategy->alloc(heap_in(host), 40 * 8, 256));
        host_heap_delete(host);
    }
}

static void a_block_is_cut_where_a_hole_has_room(void **state)
{
    (void)state;
    for (uint32_t granules = 3; granules < 80; granules++)
        for (uint32_t less = 0; less < 4 && less + 2 <= granules; less++) {
            struct host_heap *host = host_heap_new(tested_strategy, 64);
            uint8_t *block = alloc_granules(host, granules);
            alloc_granules(host, 2);
            assert_true(tested_strategy->resize(heap_in(host), block, (granules - less) * 8));
            assert_int_equal(tested_strategy->usable(heap_in(host), block),
                             (granules - (less < 2 ? 0 : less)) * 8);
            host_heap_assert_sound(host, "a block that shrinks");
            host_heap_delete(host);
        }
}

static void nothing_is_as_large_as_the_arena(void **state)
{
    (void)state;
    struct host_heap *host = heap_with_cached_blocks();
    uint32_t arena_bytes = heap_in(host)->region.arena_bytes;
    void *block = alloc(host, BLOCK_BYTES);
    for (uint32_t more = 0; more < 3; more++) {
        assert_null(alloc(host, arena_bytes + more));
        assert_null(tested_strategy->alloc(heap_in(host), arena_bytes + more, 64));
        assert_null(tested_strategy->alloc(heap_in(host), 8, arena_bytes << (1 + more)));
        assert_false(tested_strategy->resize(heap_in(host), block, arena_bytes + more));
    }
    host_heap_assert_sound(host, "requests that are too large");
    host_heap_delete(host);
}

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

static void cap_too_small(struct rig *rig)
{
    rig->map->cap--;
    rig->map->room--;
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

static void room_too_small(struct rig *rig)
{
    rig->map->room--;
}

static void cached_in_list_0(struct rig *rig)
{
    rig->map->cache[0] = (struct cached *)rig->block[2];
}

/* Up to the arena's last word, past the fence, whose bits are gone. */
static void hole_over_the_fence(struct rig *rig)
{
    uint32_t end = map_end(rig->heap) + FENCE_GRANULES;
    uint32_t last = end - 1;
    while (!map_get(rig->heap, --last))
        ;
    /* last now is the fence's first bit; the hole before it is the longest */
    map_clear(rig->heap, last);
    while (!map_get(rig->heap, --last))
        ;
    map_clear(rig->heap, last);
    while (!map_get(rig->heap, --last))
        ;
    uint32_t granule = last - 1;
    map_set(rig->heap, end - 1);
    hole_write_length(rig->heap, granule, end - granule);
}

static void last_bit_of_a_hole_of_three_lost(struct rig *rig)
{
    uint8_t *blocks[3];
    for (uint32_t i = 0; i < 3; i++)
        blocks[i] = alloc(rig->host, 3 * MAP_GRANULE_BYTES);
    rig->block[0] = blocks[1];
    make_hole(rig, 0);
    settle(rig->map);
    assert_int_equal(hole_of_block(rig, 0)->granules, 3);
    assert_null(tested_strategy->check(rig->heap));
    map_clear(rig->heap, granule_of_block(rig, 0) + 2);
}

/* Two blocks of one, the first of 32 granules, but with a mark as a longer one has. */
static void long_mark_of_a_short_block(struct rig *rig)
{
    uint32_t granule = granule_of_block(rig, 2);
    uint32_t granules = map_live_granules(rig->heap, granule);
    map_erase_length(rig->heap, granule, granules);
    map_set(rig->heap, granule + SHORT_GRANULES);
    map_write_length(rig->heap, granule + SHORT_GRANULES, granules - SHORT_GRANULES);
    assert_null(tested_strategy->check(rig->heap));
    uint64_t words = map_load_two_words(rig->heap, granule);
    map_store_two_words(rig->heap, granule, words | map_long_code(granule, SHORT_GRANULES));
}

/* Nothing that is set stops who looks for the block's end. */
static void last_length_beyond_all_memory(struct rig *rig)
{
    uint32_t granule = granule_of_block(rig, 2);
    uint32_t end = map_end(rig->heap) + FENCE_GRANULES;
    for (uint32_t bit = granule + 1; bit < end; bit++)
        map_clear(rig->heap, bit);
    memset(rig->heap->region.arena, 0, rig->heap->region.arena_bytes);
    rig->map->bump_granules = 0;
    uint64_t words = map_load_two_words(rig->heap, granule);
    map_store_two_words(rig->heap, granule,
                        words | map_long_code(granule, (1U << LENGTH_BITS) - 1));
}

/* Two granules at least, or none. */
static void bump_region_too_short(struct rig *rig)
{
    rig->map->bump_granules = 1;
}

static uint32_t first_long_bin(const struct rig *rig)
{
    uint32_t bin = EXACT_BINS;
    while (rig->map->holes.bins[bin] == NULL)
        bin++;
    return bin;
}

/* A bump region of that many granules, none of which is taken yet. */
static void begin_bump_region(struct rig *rig, uint32_t granules)
{
    uint32_t bin = first_long_bin(rig);
    uint32_t granule = map_granule_of(rig->heap, rig->map->holes.bins[bin]);
    bump_begin(rig->heap, granule, cut_long(rig->heap, bin, granules));
}

static void bump_region_above_4_kib(struct rig *rig)
{
    use_up_bump_region(rig->host);
    begin_bump_region(rig, BUMP_GRANULES);
    assert_null(tested_strategy->check(rig->heap));
    uint32_t granule = map_granule_of(rig->heap, rig->map->holes.bins[first_long_bin(rig)]);
    assert_int_equal(granule, rig->map->bump + BUMP_GRANULES); /* it lies behind */
    cut_long(rig->heap, first_long_bin(rig), MIN_GRANULES);
    map_clear(rig->heap, granule);
    rig->map->bump_granules += MIN_GRANULES;
}

/* Where a hole ends and a live block begins two bits stand together, as at a hole's start. */
static void open_hole_is_the_end_of_another(struct rig *rig)
{
    uint32_t end = granule_of_block(rig, 3) + hole_of_block(rig, 3)->granules;
    make_hole(rig, 0);
    memset(map_address_of(rig->heap, end), 0, MAP_GRANULE_BYTES);
    rig->map->holes.open = map_address_of(rig->heap, end - 1);
}

static void hole_in_bin_0_as_well(struct rig *rig)
{
    rig->map->holes.bins[0] = hole_of_block(rig, 3);
    list_filled(&rig->map->holes.filled, 0);
}

static void bit_of_bin_0_invented(struct rig *rig)
{
    list_filled(&rig->map->holes.filled, 0);
}

static void top_bit_0_invented(struct rig *rig)
{
    bit_set(&rig->map->holes.filled.top, 0);
}

static void bit_of_cache_list_0_invented(struct rig *rig)
{
    list_filled(&rig->map->cache_filled, 0);
}

static void bit_of_the_last_cache_list_invented(struct rig *rig)
{
    list_filled(&rig->map->cache_filled, CACHE_LISTS);
}

static void cache_top_bit_0_lost(struct rig *rig)
{
    bit_clear(&rig->map->cache_filled.top, 0);
}

static void cached_at_no_granule(struct rig *rig)
{
    memset(rig->block[1], 0, MAP_GRANULE_BYTES);
    rig->map->cache[BLOCK_BYTES / 8 - 1] = (struct cached *)((uint8_t *)rig->block[1] + 4);
}

/* Takes the longest hole without a look at what is cached. */
static void longest_hole_gone(struct rig *rig)
{
    uint32_t bin = first_long_bin(rig);
    struct hole *hole = rig->map->holes.bins[bin];
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
    {"I1", bump_region_elsewhere}, {"I8", cap_too_large}, {"I8", cap_too_small},
    {"I8", cap_too_large_beside_an_open_hole}, {"I4", open_hole_forgotten},
    {"I4", open_hole_in_a_bin}, {"I4", open_hole_is_live},
    {"J", longest_hole_gone}, {"I6", room_too_small}, {"I6", cached_in_list_0},
    {"I2", hole_over_the_fence}, {"I2", last_bit_of_a_hole_of_three_lost},
    {"I1", long_mark_of_a_short_block}, {"I1", last_length_beyond_all_memory},
    {"I7", bump_region_too_short}, {"I7", bump_region_above_4_kib},
    {"I4", open_hole_is_the_end_of_another}, {"I4", hole_in_bin_0_as_well},
    {"I5", bit_of_bin_0_invented}, {"I5", top_bit_0_invented},
    {"I6", bit_of_cache_list_0_invented}, {"I6", bit_of_the_last_cache_list_invented},
    {"I6", cache_top_bit_0_lost}, {"I6", cached_at_no_granule},
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
    cmocka_unit_test(lists_lose_a_block_in_turn),
    cmocka_unit_test(no_more_is_evicted_than_the_length_of_a_request_asks_for),
    cmocka_unit_test(a_near_fit_is_up_to_an_eighth_longer),
    cmocka_unit_test(a_bump_region_begins_for_short_requests_while_there_is_room),
    cmocka_unit_test(two_long_lengths_share_a_bin_iff_their_bins_are_the_same),
    cmocka_unit_test(of_eight_holes_of_a_long_bin_the_shortest_is_taken),
    cmocka_unit_test(a_hole_beyond_the_first_eight_is_found_if_no_other_serves),
    cmocka_unit_test(a_gap_before_an_aligned_block_has_room_for_a_hole),
    cmocka_unit_test(an_aligned_request_takes_a_hole_that_just_holds_it),
    cmocka_unit_test(a_block_is_cut_where_a_hole_has_room),
    cmocka_unit_test(nothing_is_as_large_as_the_arena),
    cmocka_unit_test(as_many_blocks_are_shown_as_cached_as_ever_are),
    cmocka_unit_test(a_block_of_4_kib_is_shown_as_cached),
    cmocka_unit_test(a_walk_shows_each_block_as_what_it_is),
    cmocka_unit_test(a_walk_ends_though_a_cache_list_goes_round),
};

const struct cases boundary_map_cases = {tests, sizeof(tests) / sizeof(tests[0])};
