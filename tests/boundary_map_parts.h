/* SPDX-License-Identifier: MIT */
/*
 * boundary-map's parts one by one, to the granule and to the block: which hole is taken and how it
 * is cut, what is cached and evicted, what is aligned. Included by boundary-map-cases.c alone.
 */
#ifndef TESTS_BOUNDARY_MAP_PARTS_H
#define TESTS_BOUNDARY_MAP_PARTS_H

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
    settle(state_of(heap_in(host)), 0);
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

/* Returns: the longest hole's granules. */
static uint32_t longest(struct host_heap *host)
{
    struct check_seen seen = {0};
    assert_null(check_map(heap_in(host), &seen));
    return seen.longest;
}

static void a_long_request_leaves_the_cache_alone_if_it_finds_a_hole(void **state)
{
    (void)state;
    struct host_heap *host = heap_with_cached_blocks();
    assert_non_null(alloc(host, 5000));
    assert_int_equal(cached(host), BLOCKS);
    assert_non_null(tested_strategy->alloc(heap_in(host), 100, 4096));
    assert_int_equal(cached(host), BLOCKS);
    void *rest = alloc_granules(host, longest(host) / 2);
    give_back(host, rest);
    assert_ptr_equal(state_of(heap_in(host))->holes.open, rest);
    assert_non_null(tested_strategy->alloc(heap_in(host), 10000, 4096)); /* out of the open one */
    assert_int_equal(cached(host), BLOCKS);
    host_heap_delete(host);
}

enum { FULL_PAGES = 40, FULL_CACHED = FULL_PAGES - CACHE_SPARED_PAGES };

/*
 * A heap in which J has just 8 bytes to spare: one block more is cached than the cap, and the
 * longest hole, whose bins are 4 KiB apart, ends just above one. The block before it is last.
 */
static struct host_heap *heap_where_j_is_tight(void **last)
{
    enum { GRANULES = 40 };
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    struct boundary_map *map = state_of(heap_in(host));
    void *blocks[FULL_CACHED];
    for (uint32_t i = 0; i < FULL_CACHED; i++)
        blocks[i] = alloc_granules(host, GRANULES);
    alloc_granules(host, longest(host) - FULL_PAGES * PAGE_GRANULES - 1);
    assert_int_equal(map->cap, FULL_CACHED);
    for (uint32_t i = 0; i < FULL_CACHED; i++)
        give_back(host, blocks[i]);
    assert_int_equal(cache_room(map), 0);
    assert_non_null(*last = alloc(host, 4096));
    assert_int_equal(cache_room(map), -CACHE_LEEWAY); /* it has shrunk by a page */
    assert_int_equal(longest(host), (FULL_PAGES - 1) * PAGE_GRANULES + 1);
    assert_int_equal(cached(host), FULL_CACHED);
    return host;
}

static void assert_j_after(struct host_heap *host, uint32_t requests, const char *what)
{
    host_heap_assert_sound(host, what);
    assert_true(cache_room(state_of(heap_in(host))) >= -CACHE_LEEWAY);
    assert_int_equal(longest(host), (FULL_PAGES - 1 - requests) * PAGE_GRANULES + 1 - requests);
}

/*
 * A request of 4 KiB and 8 bytes takes two bins' worth from the longest hole, and has to evict two
 * blocks; one that evicts a single block breaks J the second time.
 */
static void requests_of_a_little_more_than_4_kib_keep_j(void **state)
{
    (void)state;
    void *last;
    struct host_heap *host = heap_where_j_is_tight(&last);
    for (uint32_t i = 1; i < 10; i++) { /* then what was evicted is long enough */
        assert_non_null(alloc(host, 4096 + 8));
        assert_j_after(host, i, "a request of a little more than 4 KiB");
    }
    host_heap_delete(host);
}

static void a_block_that_grows_keeps_j(void **state)
{
    (void)state;
    void *last;
    struct host_heap *host = heap_where_j_is_tight(&last);
    for (uint32_t i = 1; i < 10; i++) {
        assert_true(tested_strategy->resize(heap_in(host), last, 4096 + i * (4096 + 8)));
        assert_j_after(host, i, "growth by a little more than 4 KiB");
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

static bool is_multiple(const void *address, uint32_t align)
{
    return (uintptr_t)address % align == 0;
}

/* A block of that many granules between live ones, at a multiple of align or at none. */
static void *walled_at(struct host_heap *host, uint32_t granules, uint32_t align, bool multiple)
{
    void *block;
    uint32_t before = SHORT_GRANULES + 1; /* grows, so that each try begins elsewhere */
    do {
        alloc_granules(host, before++);
        block = walled(host, granules);
        assert_non_null(block);
    } while (is_multiple(block, align) != multiple);
    return block;
}

/* The shortest hole that is long enough does not lie right; one that is a granule longer does. */
static void an_aligned_request_goes_on_to_the_next_bin(void **state)
{
    enum { GRANULES = 70, ALIGN = 16 };
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, LARGE_MAP_BYTES);
    void *shorter = walled_at(host, GRANULES, ALIGN, false);
    void *longer = walled_at(host, GRANULES + 1, ALIGN, true);
    make_hole_of(host, shorter);
    make_hole_of(host, longer);
    assert_ptr_equal(tested_strategy->alloc(heap_in(host), GRANULES * 8, ALIGN), longer);
    host_heap_assert_sound(host, "an aligned request");
    host_heap_delete(host);
}

/* It has the one hole of the largest heap; behind it there is no bin to look at. */
static void the_last_bin_serves_what_fits_and_no_more(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, 1024 * 1024);
    assert_int_equal(bin_of(all_bytes(host) / 8), BINS - 1);
    assert_null(tested_strategy->alloc(heap_in(host), all_bytes(host), 4096));
    assert_null(alloc(host, all_bytes(host) + 8));
    uint32_t less = all_bytes(host) / 8 - (1U << (LENGTH_BITS - 1)) / DOUBLING_BINS;
    assert_int_equal(bin_of(less), BINS - 2);
    assert_non_null(alloc_granules(host, less));
    host_heap_delete(host);
}

/* As large as the arena, which begins half-way between two of its multiples. */
static void an_alignment_may_be_as_large_as_the_arena(void **state)
{
    enum { BYTES = 8192 };
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, 2 * BYTES / HEAP_BYTES_PER_MAP_BYTE);
    struct heap_region *region = &host->heap.region;
    region->arena += is_multiple(region->arena, BYTES) ? BYTES / 2 : 0;
    region->arena_bytes = BYTES;
    region->map_bytes = BYTES / HEAP_BYTES_PER_MAP_BYTE;
    region->map = region->arena - region->map_bytes;
    tested_strategy->init(&host->heap);
    assert_ptr_equal(tested_strategy->alloc(heap_in(host), 100, BYTES), region->arena + BYTES / 2);
    assert_null(tested_strategy->alloc(heap_in(host), 100, 2 * BYTES));
    host_heap_assert_sound(host, "an alignment as large as the arena");
    host_heap_delete(host);
}

/* And is found there: the hole behind it knows who leads to it. */
static void a_long_hole_that_is_cut_stays_where_it_is_in_its_bin(void **state)
{
    enum { GRANULES = 5110, CUT = 100 }; /* what is left is of the same bin */
    void *holes[2];
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, LARGE_MAP_BYTES);
    for (uint32_t i = 0; i < 2; i++)
        holes[i] = walled(host, GRANULES);
    use_up_bump_region(host);
    for (uint32_t i = 0; i < 2; i++)
        make_hole_of(host, holes[i]);
    assert_true(bin_is_shared(GRANULES - CUT, GRANULES));
    assert_ptr_equal(alloc_granules(host, CUT), holes[1]);
    host_heap_assert_sound(host, "a long hole that was cut");
    assert_ptr_equal(alloc_granules(host, GRANULES), holes[0]);
    host_heap_assert_sound(host, "the hole behind it");
    assert_ptr_equal(alloc_granules(host, GRANULES - CUT), (uint8_t *)holes[1] + CUT * 8);
    host_heap_delete(host);
}

/* Nor does it leave its bin when the request is long, or is a block that grows before it. */
static void a_long_hole_stays_in_its_bin_whoever_cuts_it(void **state)
{
    enum { GRANULES = 40900, CUT = 520, GROWN = 16 };
    void *holes[2];
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, LARGE_MAP_BYTES);
    for (uint32_t i = 0; i < 2; i++)
        holes[i] = walled(host, GRANULES);
    for (uint32_t i = 0; i < 2; i++)
        make_hole_of(host, holes[i]);
    assert_true(bin_is_shared(GRANULES - CUT - GROWN, GRANULES));
    assert_ptr_equal(alloc_granules(host, CUT), holes[1]);
    host_heap_assert_sound(host, "a long request");
    uint32_t granule = map_granule_of(heap_in(host), holes[1]);
    for (uint32_t more = 1; more <= GROWN; more++) {
        assert_true(tested_strategy->resize(heap_in(host), holes[1], (CUT + more) * 8));
        assert_int_equal(map_live_granules(heap_in(host), granule), CUT + more);
        host_heap_assert_sound(host, "a block that grows by a granule");
    }
    struct hole *rest = state_of(heap_in(host))->holes.bins[bin_of(GRANULES)];
    assert_ptr_equal(rest, (uint8_t *)holes[1] + (CUT + GROWN) * 8);
    assert_int_equal(rest->granules, GRANULES - CUT - GROWN);
    assert_ptr_equal(rest->next, holes[0]);
    host_heap_delete(host);
}

/* Nothing else in its way sets the cap, as long as what is left belongs into the same bin. */
static void a_long_hole_that_was_open_counts_once_it_is_cut(void **state)
{
    enum { CUT = 520 };
    static const char *const ways[] = {"a long request", "a block that grows"};
    (void)state;
    for (size_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++) {
        struct host_heap *host = host_heap_new(tested_strategy, LARGE_MAP_BYTES);
        struct boundary_map *map = state_of(heap_in(host));
        void *before = alloc_granules(host, CUT);
        uint32_t granules = all_bytes(host) / MAP_GRANULE_BYTES - CUT;
        void *block = alloc_granules(host, granules);
        assert_true(tested_strategy->free(heap_in(host), block));
        assert_ptr_equal(map->holes.open, block);
        assert_int_equal(map->cap, cache_cap_for(0));
        assert_true(bin_is_shared(granules - CUT, granules));
        if (way == 0)
            assert_ptr_equal(alloc_granules(host, CUT), block);
        else
            assert_true(tested_strategy->resize(heap_in(host), before, 2 * CUT * 8));
        assert_int_equal(map->cap, CACHE_BLOCKS_MAX);
        host_heap_assert_sound(host, ways[way]);
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

#endif
