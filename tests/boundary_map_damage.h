/* SPDX-License-Identifier: MIT */
/*
 * A small heap of boundary-map's, and each way to damage it that check() has to name. Included by
 * boundary-map-cases.c alone.
 */
#ifndef TESTS_BOUNDARY_MAP_DAMAGE_H
#define TESTS_BOUNDARY_MAP_DAMAGE_H

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
    settle(rig.map, 0);
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

static void bit_before_the_first(struct rig *rig)
{
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

/* As many holes are in bins as are to be, but one of them is the open one. */
static void open_hole_in_a_bin_and_another_in_none(struct rig *rig)
{
    make_hole(rig, 0);
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

/* Also one that no sum with the cap has. */
static void room_below_all_numbers(struct rig *rig)
{
    rig->map->room = 0x80000001;
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
    settle(rig->map, 0);
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
    map_flip(rig->heap, granule, map_long_code(SHORT_GRANULES));
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
    map_flip(rig->heap, granule, map_long_code((1U << LENGTH_BITS) - 1));
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

static void bit_of_a_cache_list_that_is_not_there_invented(struct rig *rig)
{
    list_filled(&rig->map->cache_filled, CACHE_LISTS + 200);
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

/* Makes the longest hole's first granules live, but for so many, without a look at the cache. */
static void leave_of_the_longest_hole(struct rig *rig, uint32_t granules)
{
    uint32_t bin = first_long_bin(rig);
    struct hole *hole = rig->map->holes.bins[bin];
    uint32_t granule = map_granule_of(rig->heap, hole);
    uint32_t taken = cut_long(rig->heap, bin, hole->granules - granules);
    map_write_length(rig->heap, granule, taken);
}

/* J asks for 20 KiB if a single block is cached; the bump region is one. */
static void longest_hole_too_short_for_a_bump_region(struct rig *rig)
{
    alloc(rig->host, BLOCK_BYTES); /* out of the cache */
    assert_int_equal(cached(rig->host), 0);
    leave_of_the_longest_hole(rig, 5 * PAGE_GRANULES);
    assert_null(tested_strategy->check(rig->heap));
    leave_of_the_longest_hole(rig, 5 * PAGE_GRANULES - MIN_GRANULES);
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
    {"J", longest_hole_gone}, {"J", longest_hole_too_short_for_a_bump_region},
    {"I6", room_too_small}, {"I6", cached_in_list_0},
    {"I2", hole_over_the_fence}, {"I2", last_bit_of_a_hole_of_three_lost},
    {"I1", long_mark_of_a_short_block}, {"I1", last_length_beyond_all_memory},
    {"I7", bump_region_too_short}, {"I7", bump_region_above_4_kib},
    {"I4", open_hole_is_the_end_of_another}, {"I4", hole_in_bin_0_as_well},
    {"I5", bit_of_bin_0_invented}, {"I5", top_bit_0_invented},
    {"I6", bit_of_cache_list_0_invented}, {"I6", bit_of_the_last_cache_list_invented},
    {"I6", cache_top_bit_0_lost}, {"I6", cached_at_no_granule},
    {"I6", bit_of_a_cache_list_that_is_not_there_invented}, {"I6", room_below_all_numbers},
    {"I3", bit_before_the_first}, {"I4", open_hole_in_a_bin_and_another_in_none},
};

#endif
