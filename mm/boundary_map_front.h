/* SPDX-License-Identifier: MIT */
/*
 * What boundary-map.c keeps in front of its holes: blocks that are free, but are live in
 * the map, so that nobody merges them: the cache and the bump region.
 *
 * Idea. Most blocks are soon wanted again in the same length. A freed block goes into the
 * list of its length and comes back out of it; neither the map nor a hole is touched. What
 * this spoils, holes that do not merge and blocks that lie about, is bounded by a cap on
 * the number of cached blocks: one for each 4 KiB of the longest hole, a few spared. With
 * much memory left there are many; when it runs short there is no cache.
 *
 * One signed number, room, says how many more may be cached; its sign is all that kfree
 * asks for. It is negative where the cap has sunk below what is cached already.
 *
 * Small requests that the cache does not serve are cut from the bump region, 4 KiB set aside
 * for that as long as memory is plenty, or what a short hole has left: from its end, at the
 * price of one bit. It counts as a cached block, and is the last to be evicted.
 *
 * From which cap on blocks of all lengths are cached, and exchanged, was set by measuring the
 * traces and the largest hole that is left: the cost and the tightness of either are close.
 */
#ifndef MM_BOUNDARY_MAP_FRONT_H
#define MM_BOUNDARY_MAP_FRONT_H

#include "boundary_map_holes.h"

enum {
    PAGE_GRANULES = 4096 / MAP_GRANULE_BYTES,
    CACHE_LISTS = PAGE_GRANULES, /* by the numbers of the bins of the same lengths */
    CACHE_BYTES_MAX = CACHE_LISTS * MAP_GRANULE_BYTES,
    CACHE_BLOCKS_MAX = 248,
    CACHE_SPARED_PAGES = 5, /* of the longest hole, which stand for no cached block */
    CACHE_LEEWAY = 1,       /* how many more than the cap are let be when it has sunk */
    WIDE_CAP = 68,          /* from this cap on, blocks of all lengths up to 4 KiB are cached */
    NARROW_LISTS = 64,      /* below it, only those of so many lists */
    EXCHANGE_CAP = 90,      /* from this cap on, a block may take another's place */
    NEAR_STEP = 16,         /* a cached block may be longer by one for each so many, and one more */
    BUMP_GRANULES = PAGE_GRANULES,
    BUMP_HOLE_GRANULES = PAGE_GRANULES + PAGE_GRANULES / 8, /* what it is cut from is longer */
};

_Static_assert((int)CACHE_LISTS == (int)EXACT_BINS, "a list has one length");
_Static_assert(CACHE_LISTS / MAP_WORD_BITS < BIN_WORDS, "there is a word behind the lists'");

struct cached {
    struct cached *next; /* in its list, or NULL */
};

struct boundary_map {
    uint32_t room;          /* how many more blocks may be cached, as a signed number */
    int32_t cap;            /* how many may be; cap - room are, the bump region among them */
    uint32_t next_victim;   /* the list where the search for a block to evict goes on */
    uint32_t declined_bin;  /* between the halves of free: the block's length less one */
    uint32_t bump;          /* the bump region's first granule; only while it has a length */
    uint32_t bump_granules; /* its length, or 0 */
    struct list_bits cache_filled;
    struct cached *cache[CACHE_LISTS + 1]; /* by bin; the last is always NULL */
    struct holes holes;
};

_Static_assert(sizeof(struct boundary_map) <= HEAP_CONTROL_BYTES_MAX, "all state is control block");

HOT struct boundary_map *state_of(const struct heap *heap)
{
    return heap->control;
}

/* --- the cache ---------------------------------------------------------------------- */

HOT int32_t cache_room(const struct boundary_map *state)
{
    return (int32_t)state->room;
}

HOT bool cache_is_empty(const struct boundary_map *state)
{
    return cache_room(state) == state->cap;
}

/* Requires: room has been taken for it. */
HOT void cache_push(struct boundary_map *state, uint32_t bin, void *address)
{
    struct cached *block = address;
    struct cached *next = state->cache[bin];
    block->next = next;
    state->cache[bin] = block;
    if (next == NULL)
        list_filled(&state->cache_filled, bin);
}

/* Requires: the list is not empty. */
HOT void *cache_pop(struct boundary_map *state, uint32_t bin)
{
    struct cached *block = state->cache[bin];
    if (block == NULL)
        __builtin_unreachable();
    struct cached *next = block->next;
    state->cache[bin] = next;
    state->room++;
    if (next == NULL)
        list_emptied(&state->cache_filled, bin);
    return block;
}

/* Returns: how many blocks may be cached beside a hole of so many times 4 KiB. */
HOT int32_t cache_cap_for(uint32_t pages)
{
    int32_t cap = (int32_t)pages - CACHE_SPARED_PAGES;
    return cap > CACHE_BLOCKS_MAX ? CACHE_BLOCKS_MAX : cap;
}

/* Called whenever a bin of holes above 4 KiB may have got its first or lost its last. */
HOT void cache_set_cap(struct boundary_map *state)
{
    int32_t cap = cache_cap_for(holes_longest_pages(&state->holes));
    state->room += (uint32_t)(cap - state->cap);
    state->cap = cap;
}

/* Whether the list of that number takes blocks. */
HOT bool cache_takes(const struct boundary_map *state, uint32_t bin)
{
    return bin < NARROW_LISTS || (bin < CACHE_LISTS && state->cap >= WIDE_CAP);
}

/* Whether a block that finds the cache full is worth another's place: the first of its length. */
HOT bool cache_may_exchange(const struct boundary_map *state, uint32_t granules)
{
    return granules <= CACHE_LISTS && state->cache[granules - 1] == NULL &&
           cache_room(state) == 0 && state->cap >= EXCHANGE_CAP;
}

/* Returns: the list whose turn it is to lose a block. Requires: not all are empty. */
HOT uint32_t cache_victim(struct boundary_map *state)
{
    uint32_t bin = list_from(&state->cache_filled, state->next_victim);
    if (bin == NO_BIN)
        bin = list_from(&state->cache_filled, 0);
    state->next_victim = bin + 1;
    return bin;
}

/* --- from the cache to the holes ---------------------------------------------------------- */

/* Makes a hole of a live block, with the holes beside it. Requires: its length is erased. */
HOT void release(const struct heap *heap, uint32_t granule, uint32_t granules)
{
    struct boundary_map *state = state_of(heap);
    if (hole_release(heap, &state->holes, granule, granules))
        cache_set_cap(state);
}

/* Puts the open hole into its bin, if it has so many granules and might be looked for. */
HOT void settle(struct boundary_map *state, uint32_t granules)
{
    if (hole_close(&state->holes, granules))
        cache_set_cap(state);
}

/* Makes a hole of the block whose turn it is; of the bump region when there is no other. */
HOT void cache_evict(const struct heap *heap)
{
    struct boundary_map *state = state_of(heap);
    uint32_t granule = state->bump;
    uint32_t granules = state->bump_granules;
    if (state->cache_filled.top == 0) {
        state->bump_granules = 0;
        state->room++;
    } else {
        uint32_t bin = cache_victim(state);
        granule = map_granule_of(heap, cache_pop(state, bin));
        granules = bin + 1;
        map_erase_length(heap, granule, granules);
    }
    release(heap, granule, granules);
}

/* Whether more is cached than is let be. */
HOT bool cache_is_over(const struct boundary_map *state)
{
    return cache_room(state) < -CACHE_LEEWAY && !cache_is_empty(state);
}

COLD void cache_evict_coldly(const struct heap *heap)
{
    cache_evict(heap);
}

/* Evicts what is too much, but no more than a block for each 4 KiB begun of that length. */
HOT void cache_drain(const struct heap *heap, uint32_t granules)
{
    uint32_t count = (granules - 1) / PAGE_GRANULES + 1;
    for (; count > 0 && cache_is_over(state_of(heap)); count--)
        cache_evict_coldly(heap);
}

COLD void cache_empty(const struct heap *heap)
{
    struct boundary_map *state = state_of(heap);
    while (!cache_is_empty(state))
        cache_evict_coldly(heap);
    settle(state, 0);
}

/* --- near fits ---------------------------------------------------------------------------- */

/*
 * Returns: the next list above bin, up to an eighth longer, that has a block; NO_BIN if
 * none has. Up to 16 granules that could only be the very next, which has been tried.
 */
HOT uint32_t cache_near(const struct boundary_map *state, uint32_t bin)
{
    if (bin < NEAR_STEP)
        return NO_BIN;
    uint32_t word;
    __builtin_memcpy(&word, (const uint8_t *)state->cache_filled.words + bin / 8, sizeof(word));
    word = word >> bin % 8 & ((4U << bin / NEAR_STEP) - 1);
    return word == 0 ? NO_BIN : bin + bit_lowest(word);
}

/* --- the bump region ---------------------------------------------------------------- */

/*
 * Takes a block of that bin's length from its end, so that what stays keeps its first bit.
 * Requires: bin < SHORT_GRANULES. Returns: NULL if no whole block would stay.
 */
HOT void *bump_take(const struct heap *heap, uint32_t bin)
{
    struct boundary_map *state = state_of(heap);
    int32_t left = (int32_t)(state->bump_granules - bin) - 1;
    if (left < (int32_t)MIN_GRANULES)
        return NULL;
    state->bump_granules = (uint32_t)left;
    uint32_t granule = state->bump + (uint32_t)left;
    map_set(heap, granule);
    return map_address_of(heap, granule);
}

HOT bool bump_may_begin(const struct boundary_map *state, uint32_t granules)
{
    return granules < SHORT_GRANULES && cache_room(state) > 0;
}

/*
 * Begins a new bump region. The rest of the old one, which could not serve a block of less
 * than SHORT_GRANULES, is cached. Requires: these granules are live, without a length;
 * bump_may_begin() before they were cut from a hole.
 */
HOT void bump_begin(const struct heap *heap, uint32_t granule, uint32_t granules)
{
    struct boundary_map *state = state_of(heap);
    uint32_t old = state->bump_granules;
    state->room--;
    if (old > 0)
        cache_push(state, old - 1, map_address_of(heap, state->bump));
    state->bump = granule;
    state->bump_granules = granules;
}

/* --- cutting holes ------------------------------------------------------------------ */

/*
 * Makes the first granules of a hole, which is in no bin any more, live, without a length.
 * Returns: how many it made; one more if a single one would have been left.
 */
HOT uint32_t cut(const struct heap *heap, uint32_t granule, uint32_t length, uint32_t granules)
{
    uint32_t rest = length - granules;
    map_clear(heap, granule + 1);
    if (rest < MIN_GRANULES) {
        map_clear(heap, granule + length - 1);
        return length;
    }
    hole_make_rest(heap, &state_of(heap)->holes, granule + granules, rest);
    return granules;
}

/*
 * The same for a hole above 4 KiB that is in its bin, if that is its rest's as well: nothing
 * changes then but where the hole begins. Returns: whether it is so; if not, nothing is done.
 */
HOT bool cut_in_bin(const struct heap *heap, const struct hole *hole, uint32_t granules)
{
    uint32_t granule = map_granule_of(heap, hole);
    uint32_t length = hole->granules;
    uint32_t rest = length - granules;
    if (rest <= EXACT_BINS || !bin_is_shared(rest, length))
        return false;
    map_clear(heap, granule + 1);
    map_set(heap, granule + granules);
    map_set(heap, granule + granules + 1);
    hole_move(heap, hole, granule + granules, rest);
    return true;
}

/* cut() for the first hole of a bin of long ones, above 4 KiB. */
HOT uint32_t cut_long(const struct heap *heap, uint32_t bin, uint32_t granules)
{
    struct boundary_map *state = state_of(heap);
    struct hole *hole = state->holes.bins[bin];
    if (cut_in_bin(heap, hole, granules))
        return granules;
    bin_pop(&state->holes, bin);
    granules = cut(heap, map_granule_of(heap, hole), hole->granules, granules);
    cache_set_cap(state);
    return granules;
}

/* cut() for any hole that is in its bin. The cap is set anew if need be, or if it is stale. */
HOT uint32_t cut_filed(const struct heap *heap, struct hole *hole, uint32_t granules, bool stale)
{
    struct boundary_map *state = state_of(heap);
    if (!cut_in_bin(heap, hole, granules)) {
        hole_unlink(&state->holes, hole);
        granules = cut(heap, map_granule_of(heap, hole), hole->granules, granules);
        stale = true;
    }
    if (stale)
        cache_set_cap(state);
    return granules;
}

#endif
