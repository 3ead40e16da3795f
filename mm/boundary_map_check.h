/* SPDX-License-Identifier: MIT */
/*
 * What boundary-map.c tells of its heaps: every block, and whether its invariants hold.
 *
 * The check reads the map first, from end to end. From then on it knows how many holes
 * there are, and every list that names more is wrong; of cached blocks there are never more
 * than CACHE_BLOCKS_MAX. So a damaged heap cannot send it round in circles.
 */
#ifndef MM_BOUNDARY_MAP_CHECK_H
#define MM_BOUNDARY_MAP_CHECK_H

#include "boundary_map_front.h"

/* --- one block after another -------------------------------------------------------- */

static bool walk_is_bump(const struct boundary_map *state, uint32_t granule)
{
    return state->bump_granules > 0 && state->bump == granule;
}

static bool walk_is_cached(const struct boundary_map *state, const void *block, uint32_t granules)
{
    if (granules > CACHE_LISTS)
        return false;
    const struct cached *cached = state->cache[granules - 1];
    for (int left = CACHE_BLOCKS_MAX; cached != NULL && left > 0; left--) {
        if (cached == block)
            return true;
        cached = cached->next;
    }
    return false;
}

/* Requires: a block begins at granule. */
static struct heap_block walk_block(const struct heap *heap, uint32_t granule)
{
    const struct boundary_map *state = state_of(heap);
    const struct hole *hole = map_address_of(heap, granule);
    struct heap_block block = {.start = (const uint8_t *)hole, .state = HEAP_BLOCK_CACHED};
    if (walk_is_bump(state, granule)) {
        block.bytes = state->bump_granules * MAP_GRANULE_BYTES;
        return block;
    }
    if (map_get(heap, granule + 1)) {
        block.bytes = hole->granules * MAP_GRANULE_BYTES;
        block.state = HEAP_BLOCK_FREE;
        return block;
    }
    uint32_t granules = map_live_granules(heap, granule);
    block.bytes = granules * MAP_GRANULE_BYTES;
    if (walk_is_cached(state, hole, granules))
        return block;
    block.state = HEAP_BLOCK_LIVE;
    block.payload = block.start;
    block.payload_bytes = block.bytes;
    return block;
}

static void boundary_map_walk(const struct heap *heap, heap_visit *visit, void *context)
{
    const struct heap_block map = {
        .start = heap->region.map,
        .bytes = heap->region.map_bytes + FIRST_GRANULE * MAP_GRANULE_BYTES,
        .state = HEAP_BLOCK_META,
    };
    const struct heap_block fence = {
        .start = map_address_of(heap, map_end(heap)),
        .bytes = FENCE_GRANULES * MAP_GRANULE_BYTES,
        .state = HEAP_BLOCK_META,
    };
    visit(context, &map);
    for (uint32_t granule = FIRST_GRANULE; granule < map_end(heap);) {
        struct heap_block block = walk_block(heap, granule);
        visit(context, &block);
        granule += block.bytes / MAP_GRANULE_BYTES;
    }
    visit(context, &fence);
}

/* --- the map ------------------------------------------------------------------------ */

/* Returns: the first granule from this one on whose bit is set, limit if none is before it. */
static uint32_t check_next_one(const struct heap *heap, uint32_t granule, uint32_t limit)
{
    for (; granule < limit; granule += MAP_WORD_BITS) {
        uint32_t bits = map_bits_from(heap, granule);
        if (bits != 0)
            return granule + bit_lowest(bits) < limit ? granule + bit_lowest(bits) : limit;
    }
    return limit;
}

struct check_seen {
    uint32_t holes;
    uint32_t longest; /* of them, in granules */
};

/* Returns: the length of the hole at granule, 0 if map and hole do not agree on it. */
static uint32_t check_hole(const struct heap *heap, uint32_t granule)
{
    uint32_t room = map_end(heap) - granule;
    uint32_t granules = ((const struct hole *)map_address_of(heap, granule))->granules;
    if (granules < MIN_GRANULES || granules > room)
        return 0;
    uint32_t end = granule + granules;
    uint32_t last = check_next_one(heap, granule + 2, end);
    if (*hole_footer(heap, end) != granules || (granules > 2 && last != end - 1))
        return 0;
    return granules;
}

/* Returns: the length of the live block at granule, 0 if the map does not tell it. */
static uint32_t check_live(const struct heap *heap, uint32_t granule)
{
    uint32_t room = map_end(heap) - granule;
    uint32_t window = map_window(heap, granule);
    if (window == 0)
        return 0;
    uint32_t granules = map_live_granules(heap, granule);
    if (granules < MIN_GRANULES || granules > room)
        return 0;
    if (window_is_long(window) && (granules <= SHORT_GRANULES ||
        check_next_one(heap, granule + SHORT_GRANULES, granule + granules) != granule + granules))
        return 0;
    return granules;
}

/* Returns: the length of the bump region, 0 if there is a bit in it besides the first. */
static uint32_t check_bump(const struct heap *heap)
{
    const struct boundary_map *state = state_of(heap);
    uint32_t end = state->bump + state->bump_granules;
    if (state->bump_granules < MIN_GRANULES || state->bump_granules > PAGE_GRANULES ||
        end > map_end(heap) || check_next_one(heap, state->bump + 1, end) != end)
        return 0;
    return state->bump_granules;
}

static const char *check_map(const struct heap *heap, struct check_seen *seen)
{
    const struct boundary_map *state = state_of(heap);
    bool bump_seen = state->bump_granules == 0;
    bool after_hole = false;
    uint32_t granule = FIRST_GRANULE;
    if (map_get(heap, granule - 1)) /* it would say that a hole ends there */
        return "I3: no two holes are neighbours";
    for (uint32_t granules; granule < map_end(heap); granule += granules) {
        bool hole = map_get(heap, granule + 1);
        if (!map_get(heap, granule))
            return "I1: blocks follow one another from the first granule to the fence";
        if (hole && after_hole)
            return "I3: no two holes are neighbours";
        if (hole && (granules = check_hole(heap, granule)) == 0)
            return "I2: a hole ends where its last bit and both its words say";
        if (walk_is_bump(state, granule)) {
            bump_seen = true;
            if (hole || (granules = check_bump(heap)) == 0)
                return "I7: the bump region has its first bit and no other";
        } else if (!hole && (granules = check_live(heap, granule)) == 0) {
            return "I1: blocks follow one another from the first granule to the fence";
        }
        after_hole = hole;
        seen->holes += hole;
        seen->longest = hole && granules > seen->longest ? granules : seen->longest;
    }
    if (granule != map_end(heap) || !map_get(heap, granule) || map_get(heap, granule + 1))
        return "I1: blocks follow one another from the first granule to the fence";
    return bump_seen ? NULL : "I7: the bump region has its first bit and no other";
}

/* --- the lists ---------------------------------------------------------------------- */

/* Returns: whether there could be a block at this address. */
static bool check_is_granule(const struct heap *heap, const void *address)
{
    uintptr_t offset = (uintptr_t)address - (uintptr_t)heap->region.arena;
    return offset % MAP_GRANULE_BYTES == 0 && offset / MAP_GRANULE_BYTES >= FIRST_GRANULE &&
           offset / MAP_GRANULE_BYTES < map_end(heap);
}

static bool check_is_hole(const struct heap *heap, const struct hole *hole)
{
    uint32_t granule = map_granule_of(heap, hole);
    return check_is_granule(heap, hole) && map_get(heap, granule) && map_get(heap, granule + 1) &&
           check_hole(heap, granule) != 0;
}

/* Returns: how many holes the bins have, or one more than left if something is wrong. */
static uint32_t check_bins(const struct heap *heap, uint32_t left)
{
    const struct holes *holes = &state_of(heap)->holes;
    uint32_t count = 0;
    for (uint32_t bin = 0; bin < BINS; bin++) {
        struct hole *const *link = &holes->bins[bin];
        for (; *link != NULL; link = &(*link)->next)
            if (++count > left || !check_is_hole(heap, *link) || (*link)->link != link ||
                *link == holes->open || bin_of((*link)->granules) != bin)
                return left + 1;
    }
    return count;
}

static bool check_top(const struct list_bits *bits)
{
    for (uint32_t index = 0; index < MAP_WORD_BITS; index++)
        if (bit_get(&bits->top, index) != (index < BIN_WORDS && bits->words[index] != 0))
            return false;
    return true;
}

static bool check_bin_bits(const struct holes *holes)
{
    for (uint32_t bin = 0; bin < BINS; bin++)
        if (bit_get(holes->filled.words, bin) != (holes->bins[bin] != NULL))
            return false;
    return check_top(&holes->filled);
}

/* Returns: whether the lists have as many live blocks of their lengths as are counted. */
static bool check_cache(const struct heap *heap)
{
    const struct boundary_map *state = state_of(heap);
    uint32_t left = (uint32_t)state->cap - state->room - (state->bump_granules > 0);
    if (left > CACHE_BLOCKS_MAX) /* or less than none */
        return false;
    for (uint32_t bin = 0; bin < BINS; bin++) {
        const struct cached *block = bin <= CACHE_LISTS ? state->cache[bin] : NULL;
        if (bit_get(state->cache_filled.words, bin) != (block != NULL))
            return false;
        for (; block != NULL; block = block->next) {
            uint32_t granule = map_granule_of(heap, block);
            if (left-- == 0 || !check_is_granule(heap, block) || map_get(heap, granule + 1) ||
                !map_get(heap, granule) || check_live(heap, granule) != bin + 1)
                return false;
        }
    }
    return left == 0 && state->cache[0] == NULL && state->cache[CACHE_LISTS] == NULL &&
           check_top(&state->cache_filled);
}

static bool check_cap(const struct boundary_map *state, uint32_t longest)
{
    if (state->holes.open == NULL)
        return state->cap == cache_cap_for(holes_longest_pages(&state->holes));
    return state->cap <= cache_cap_for(longest / PAGE_GRANULES);
}

static const char *boundary_map_check(const struct heap *heap)
{
    const struct boundary_map *state = state_of(heap);
    struct check_seen seen = {0};
    const char *broken = check_map(heap, &seen);
    if (broken != NULL)
        return broken;
    uint32_t closed = seen.holes - (state->holes.open != NULL);
    if (check_bins(heap, closed) != closed ||
        (state->holes.open != NULL && !check_is_hole(heap, state->holes.open)))
        return "I4: every hole but the open one is in the bin of its length, once, and leads to its link";
    if (!check_bin_bits(&state->holes))
        return "I5: a bin's bit is set iff it has a hole, a word's iff one of its bits is";
    if (!check_cap(state, seen.longest))
        return "I8: cap is what the longest hole's bin allows, or less while a hole is open";
    if (!check_cache(heap))
        return "I6: cap - room blocks are cached, live in the map, each in the list of its length";
    uint32_t cached = (uint32_t)(state->cap - cache_room(state));
    if (cached > 0 && seen.longest < (cached + CACHE_SPARED_PAGES - CACHE_LEEWAY) * PAGE_GRANULES)
        return "J: the longest hole has 4 KiB for each cached block, and 16 KiB more";
    return NULL;
}

#endif
