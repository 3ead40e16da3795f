/* SPDX-License-Identifier: MIT */
/*
 * boundary-map: best fit over blocks without headers, told apart by a bit for each 8 bytes,
 * behind a bounded cache of freed blocks.
 *
 * Source: Knuth, The Art of Computer Programming 1 (3rd edition, 1997), section 2.5, for
 * boundary tags and best fit; the "quick lists" of Wilson, Johnstone, Neely and Boles, 1995,
 * and the "designated victim" of D. Lea's malloc for what stands in front. Departs from all
 * in that the tags are bits of the side array (boundary_map.h), and in that the cache has a
 * limit which follows the longest hole.
 *
 * Idea. Live blocks have no header: the map tells where they end, and whether a hole is
 * beside them. Holes hang in bins by length (boundary_map_holes.h), exact below 4 KiB, so
 * the shortest hole that is long enough is found by counting zeros.
 *
 * Most calls never come so far. A freed block is *cached*: it stays as it is, live in the
 * map, in a list of blocks of its length, and whoever asks for that length next gets it.
 * Where no such block is, a short one is taken from the *bump region*, a few KiB that are
 * one block in the map and are handed out from their end, a bit a block.
 *
 * What is cached cannot merge, and a cache without a limit scatters small blocks over the
 * heap until a large request fails. Here at most one block is cached for each 4 KiB of the
 * longest hole, less 16 KiB, and no more than 124; *room* counts how many more may be.
 * As that hole shrinks so does the limit, and an allocation that shrank it evicts in turn,
 * at most one block, and one more for each 4 KiB it asked for. With no long hole left there
 * is no cache, and every free merges at once.
 *
 * Layout: of the map in boundary_map.h, of holes in boundary_map_holes.h. A cached block:
 *
 *             +------+----------------------------+
 *             | next |  as its owner left it      |   still live in the map
 *             +------+----------------------------+
 *
 * Invariants:
 *   I1: blocks follow one another from the first granule to the fence
 *   I2: a hole ends where its last bit and both its words say
 *   I3: no two holes are neighbours
 *   I4: every hole is in the bin of its length, once, and leads back to its link
 *   I5: a bin's bit is set iff it has a hole, a word's iff one of its bits is
 *   I6: cap - room blocks are cached, live in the map, each in the list of its length
 *   I7: the bump region has its first bit and no other
 *   I8: cap is what the longest hole's bin allows
 *   J:  the longest hole has 4 KiB for each cached block, and 16 KiB more
 *
 * Cost. free: constant. alloc up to 4 KiB: constant, by J: a block is cached only while
 * there is a hole of 16 KiB, so a request that finds no hole finds nothing cached either.
 * alloc of more: in addition one eviction, a constant, for each 4 KiB asked for; and
 * a look at the holes of its own bin, which are nearly equal in length. At an alignment:
 * linear in the number of holes. The argument for J is given, and check verifies it
 * after every step of the tests; it is no proof.
 * Fragmentation: what best fit has; no bound below Robson's for any strategy is known here.
 * A block is rounded to 8 bytes, 16 at least.
 *
 * When not to use it: where wrong addresses are passed to kfree and nothing guards it, for
 * a cached block looks live; on processors where bit instructions on memory are slow.
 */
#include "boundary_map_holes.h"

enum {
    PAGE_GRANULES = 4096 / MAP_GRANULE_BYTES,
    CACHE_LISTS = PAGE_GRANULES, /* as many as there are exact bins, and by the same numbers */
    CACHE_BYTES_MAX = CACHE_LISTS * MAP_GRANULE_BYTES,
    CACHE_BLOCKS_MAX = 124,
    CACHE_SPARED_PAGES = 4,
    CACHE_OFF = -1,
    WIDE_CAP = 64, /* from here on, blocks of every length are cached, and evicted */
    NARROW_LISTS = 64,
    NEAR_STEP = 16,
    BUMP_CAP_MIN = 14,
    BUMP_ROOM_MIN = 4,
    BUMP_SPARED_GRANULES = PAGE_GRANULES + PAGE_GRANULES / 8,
};

_Static_assert((int)CACHE_LISTS == (int)EXACT_BINS, "what is cached is exactly as long as its bin");

/* A freed block that is kept whole: still live in the map. */
struct cached {
    struct cached *next;
};

struct boundary_map {
    uint32_t room;        /* how many more blocks may be cached, as a signed number */
    int32_t cap;          /* how many may be, or CACHE_OFF; so cap - room are */
    uint32_t lists_open;  /* how many of the lists take blocks */
    uint32_t bump;          /* the bump region's first granule */
    uint32_t bump_granules; /* and its length, 0 if there is none */
    uint32_t declined_bin; /* length of the block that quick_free did not take */
    uint32_t next_victim;   /* the list where the search for a block to evict goes on */
    struct list_bits cache_filled;
    struct cached *cache[CACHE_LISTS + 1]; /* by bin; the last is always empty */
    struct holes holes;
};

_Static_assert(sizeof(struct boundary_map) <= HEAP_CONTROL_BYTES_MAX, "all state is control block");

HOT struct boundary_map *state_of(const struct heap *heap)
{
    return heap->control;
}

HOT uint32_t granules_for(uint32_t size)
{
    uint32_t granules = (size - 1) / MAP_GRANULE_BYTES + 1;
    return granules < MIN_GRANULES ? MIN_GRANULES : granules;
}

/* --- the cache ------------------------------------------------------------------------- */

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

/* Called whenever a bin of holes longer than 4 KiB may have got one or lost one. */
HOT void cache_set_cap(struct boundary_map *state)
{
    int32_t cap = (int32_t)holes_longest_pages(&state->holes) - CACHE_SPARED_PAGES;
    if (cap > CACHE_BLOCKS_MAX)
        cap = CACHE_BLOCKS_MAX;
    if (cap <= 0)
        cap = CACHE_OFF;
    state->room += (uint32_t)(cap - state->cap);
    state->cap = cap;
    state->lists_open = cap >= WIDE_CAP ? CACHE_LISTS : NARROW_LISTS;
}

/* Makes a hole of a live block. Requires: its length is erased. */
HOT void release(const struct heap *heap, uint32_t granule, uint32_t granules)
{
    struct boundary_map *state = state_of(heap);
    if (hole_release(heap, &state->holes, granule, granules))
        cache_set_cap(state);
}

/* Returns: the list whose turn it is to lose a block. Requires: the cache is not empty. */
HOT uint32_t cache_victim(struct boundary_map *state)
{
    uint32_t bin = list_from(&state->cache_filled, state->next_victim);
    if (bin == NO_BIN)
        bin = list_from(&state->cache_filled, 0);
    state->next_victim = bin + 1;
    return bin;
}

COLD void cache_evict(const struct heap *heap)
{
    struct boundary_map *state = state_of(heap);
    uint32_t bin = cache_victim(state);
    uint32_t granule = map_granule_of(heap, cache_pop(state, bin));
    map_erase_length(heap, granule, bin + 1);
    release(heap, granule, bin + 1);
}

/* Evicts what is too much, but no more than count blocks. */
COLD void cache_drain(const struct heap *heap, uint32_t count)
{
    struct boundary_map *state = state_of(heap);
    for (; count > 0 && cache_room(state) < 0 && !cache_is_empty(state); count--)
        cache_evict(heap);
}

COLD void cache_empty(const struct heap *heap)
{
    while (!cache_is_empty(state_of(heap)))
        cache_evict(heap);
}

/*
 * Returns: the list nearest above bin that has a block at most an eighth longer than asked
 * for; NO_BIN if none has. The very next one has been tried.
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

/* --- the bump region ----------------------------------------------------------------------- */

HOT bool bump_serves(const struct boundary_map *state, uint32_t granules)
{
    return granules + MIN_GRANULES <= state->bump_granules;
}

/* From its end, so that what stays keeps its first bit. Requires: up to SHORT_GRANULES. */
HOT void *bump_take(const struct heap *heap, uint32_t granules)
{
    struct boundary_map *state = state_of(heap);
    uint32_t left = state->bump_granules - granules;
    uint32_t granule = state->bump + left;
    state->bump_granules = left;
    map_set(heap, granule);
    return map_address_of(heap, granule);
}

HOT bool bump_may_grow(const struct boundary_map *state, uint32_t granules)
{
    return granules <= SHORT_GRANULES && state->cap >= BUMP_CAP_MIN &&
           cache_room(state) >= BUMP_ROOM_MIN;
}

/*
 * Begins a new bump region. What is left of the old, less than a short block and two
 * granules, is cached. Requires: bump_may_grow(); these granules are live, without a length.
 */
HOT void bump_begin(const struct heap *heap, uint32_t granule, uint32_t granules)
{
    struct boundary_map *state = state_of(heap);
    uint32_t old = state->bump_granules;
    if (old > 0) {
        map_write_length(heap, state->bump, old);
        state->room--;
        cache_push(state, old - 1, map_address_of(heap, state->bump));
    }
    state->bump = granule;
    state->bump_granules = granules;
}

COLD void bump_end(const struct heap *heap)
{
    struct boundary_map *state = state_of(heap);
    uint32_t granules = state->bump_granules;
    state->bump_granules = 0;
    if (granules > 0)
        release(heap, state->bump, granules);
}

/* --- cutting holes --------------------------------------------------------------------------- */

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

/* The same for a hole longer than 4 KiB, which is in its bin. */
HOT uint32_t cut_long(const struct heap *heap, uint32_t bin, struct hole *hole, uint32_t granules)
{
    struct boundary_map *state = state_of(heap);
    uint32_t granule = map_granule_of(heap, hole);
    uint32_t length = hole->granules;
    uint32_t rest = length - granules;
    if (rest > EXACT_BINS) {
        map_clear(heap, granule + 1);
        map_set(heap, granule + granules);
        map_set(heap, granule + granules + 1);
        if (hole_adjust(heap, &state->holes, bin, hole, granule + granules, rest))
            cache_set_cap(state);
        return granules;
    }
    hole_unlink(&state->holes, hole);
    granules = cut(heap, granule, length, granules);
    cache_set_cap(state);
    return granules;
}

HOT void *take_from_long(const struct heap *heap, uint32_t bin, struct hole *hole,
                         uint32_t granules)
{
    struct boundary_map *state = state_of(heap);
    uint32_t granule = map_granule_of(heap, hole);
    if (bump_may_grow(state, granules) && hole->granules >= granules + BUMP_SPARED_GRANULES) {
        cut_long(heap, bin, hole, PAGE_GRANULES);
        bump_begin(heap, granule, PAGE_GRANULES);
        return bump_take(heap, granules);
    }
    granules = cut_long(heap, bin, hole, granules);
    map_write_length(heap, granule, granules);
    if (cache_room(state) < 0)
        cache_drain(heap, (granules - 1) / PAGE_GRANULES + 1);
    return hole;
}

HOT void *take_from_short(const struct heap *heap, uint32_t found, uint32_t granules)
{
    struct hole *hole = bin_pop(&state_of(heap)->holes, found);
    uint32_t granule = map_granule_of(heap, hole);
    granules = cut(heap, granule, found + 1, granules);
    map_write_length(heap, granule, granules);
    return hole;
}

/* --- allocation ------------------------------------------------------------------------------- */

static void boundary_map_init(const struct heap *heap)
{
    struct boundary_map *state = state_of(heap);
    uint32_t end = map_end(heap);
    __builtin_memset(state, 0, sizeof(*state));
    __builtin_memset(heap->region.map, 0, heap->region.map_bytes);
    map_set(heap, end);
    map_set(heap, FIRST_GRANULE);
    hole_make(heap, &state->holes, FIRST_GRANULE, end - FIRST_GRANULE);
    cache_set_cap(state);
}

/* When no hole is long enough: merges what is cached, and then the bump region, too. */
COLD void *alloc_at_last(const struct heap *heap, uint32_t granules)
{
    struct boundary_map *state = state_of(heap);
    cache_empty(heap);
    struct hole *hole = hole_find(&state->holes, granules);
    if (hole == NULL) {
        bump_end(heap);
        hole = hole_find(&state->holes, granules);
    }
    if (hole == NULL)
        return NULL;
    uint32_t bin = bin_of(hole->granules);
    if (bin >= EXACT_BINS)
        return take_from_long(heap, bin, hole, granules);
    return take_from_short(heap, bin, granules);
}

COLD void *alloc_long(const struct heap *heap, uint32_t size)
{
    if (size > heap->region.arena_bytes)
        return NULL;
    uint32_t granules = granules_for(size);
    struct hole *hole = hole_find(&state_of(heap)->holes, granules);
    if (hole == NULL)
        return alloc_at_last(heap, granules);
    return take_from_long(heap, bin_of(hole->granules), hole, granules);
}

/* A cached block of that length, or a granule longer; a hole of it; the bump region. */
HOT void *boundary_map_quick_alloc(const struct heap *heap, uint32_t size)
{
    struct boundary_map *state = state_of(heap);
    if (size > CACHE_BYTES_MAX)
        return NULL;
    uint32_t bin = (size - 1) / MAP_GRANULE_BYTES;
    if (state->cache[bin] != NULL)
        return cache_pop(state, bin);
    if (state->cache[bin + 1] != NULL)
        return cache_pop(state, bin + 1);
    if (bin >= SHORT_GRANULES)
        return NULL;
    bin += bin == 0;
    if (state->holes.bins[bin] != NULL) {
        struct hole *hole = bin_pop(&state->holes, bin);
        uint32_t granule = map_granule_of(heap, hole);
        map_clear(heap, granule + 1);
        map_clear(heap, granule + bin);
        return hole;
    }
    return bump_serves(state, bin + 1) ? bump_take(heap, bin + 1) : NULL;
}

/* A cached block that is a little longer; the shortest hole that is long enough. */
HOT void *boundary_map_slow_alloc(const struct heap *heap, uint32_t size)
{
    struct boundary_map *state = state_of(heap);
    if (size > CACHE_BYTES_MAX)
        return alloc_long(heap, size);
    uint32_t granules = granules_for(size);
    uint32_t near = cache_near(state, granules - 1);
    if (near != NO_BIN)
        return cache_pop(state, near);
    uint32_t found = list_from(&state->holes.filled, granules - 1);
    if (found == NO_BIN)
        return alloc_at_last(heap, granules);
    if (found >= EXACT_BINS)
        return take_from_long(heap, found, state->holes.bins[found], granules);
    return take_from_short(heap, found, granules);
}

COLD void *alloc_in_turn(const struct heap *heap, uint32_t size)
{
    void *block = boundary_map_quick_alloc(heap, size);
    return block != NULL ? block : boundary_map_slow_alloc(heap, size);
}

/* --- allocation at an alignment --------------------------------------------------------------- */

/* How many granules of a hole are skipped for the alignment: none, or a hole's length. */
static uint32_t aligned_gap(const struct hole *hole, uint32_t align)
{
    uint32_t gap = (uint32_t)(-(uintptr_t)hole & (align - 1)) / MAP_GRANULE_BYTES;
    return gap > 0 && gap < MIN_GRANULES ? gap + align / MAP_GRANULE_BYTES : gap;
}

/* Returns: any hole with room for that many granules at a multiple of align, or NULL. */
static struct hole *aligned_find(const struct holes *holes, uint32_t granules, uint32_t align)
{
    uint32_t bin = list_from(&holes->filled, bin_of(granules));
    while (bin != NO_BIN) {
        for (struct hole *hole = holes->bins[bin]; hole != NULL; hole = hole->next)
            if (hole->granules >= granules + aligned_gap(hole, align))
                return hole;
        bin = bin + 1 < BINS ? list_from(&holes->filled, bin + 1) : NO_BIN;
    }
    return NULL;
}

COLD void *alloc_aligned(const struct heap *heap, uint32_t size, uint32_t align)
{
    struct boundary_map *state = state_of(heap);
    if (size > heap->region.arena_bytes || align > heap->region.arena_bytes)
        return NULL;
    uint32_t granules = granules_for(size);
    struct hole *hole = aligned_find(&state->holes, granules, align);
    if (hole == NULL) {
        cache_empty(heap);
        bump_end(heap);
        hole = aligned_find(&state->holes, granules, align);
    }
    if (hole == NULL)
        return NULL;
    uint32_t granule = map_granule_of(heap, hole);
    uint32_t gap = aligned_gap(hole, align);
    uint32_t length = hole->granules - gap;
    hole_unlink(&state->holes, hole);
    if (gap > 0) {
        cut(heap, granule, gap + length, gap);
        hole_unlink(&state->holes, map_address_of(heap, granule + gap));
        hole_make(heap, &state->holes, granule, gap);
        granule += gap;
    }
    granules = cut(heap, granule, length, granules);
    map_write_length(heap, granule, granules);
    cache_set_cap(state);
    cache_drain(heap, UINT32_MAX);
    return map_address_of(heap, granule);
}

static void *boundary_map_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    if (align > MAP_GRANULE_BYTES)
        return alloc_aligned(heap, size, align);
    return alloc_in_turn(heap, size);
}

/* --- giving back ------------------------------------------------------------------------------ */

/*
 * Into the cache, if there is room; else, where nothing is exchanged, a short block with no
 * hole beside it becomes one. Leaves room counted down for the slow half if it declines.
 */
HOT bool boundary_map_quick_free(const struct heap *heap, void *address)
{
    struct boundary_map *state = state_of(heap);
    uint32_t second = map_granule_of(heap, (const uint8_t *)address + MAP_GRANULE_BYTES);
    uint32_t window = map_bits_from(heap, second);
    uint32_t bin = window_short_bin(window);
    if (window_is_long(window)) {
        bin = window_long_bin(window);
        if (bin >= state->lists_open) {
            count_down(&state->room);
            state->declined_bin = bin;
            return false;
        }
    }
    if (!count_down(&state->room)) {
        cache_push(state, bin, address);
        return true;
    }
    if (bin >= SHORT_GRANULES || map_get(heap, second - 2) || map_get(heap, second + bin + 1) ||
        (state->cap >= WIDE_CAP && state->cache[bin] == NULL)) {
        state->declined_bin = bin;
        return false;
    }
    map_set(heap, second + bin - 1);
    map_set(heap, second);
    state->room++;
    struct hole *hole = address;
    hole->granules = bin + 1;
    *((uint32_t *)address + bin * 2 + 1) = bin + 1;
    bin_push(&state->holes, bin, address);
    return true;
}

/* Into the cache, in exchange for another block; or to the holes. */
HOT bool boundary_map_slow_free(const struct heap *heap, void *address)
{
    struct boundary_map *state = state_of(heap);
    uint32_t granule = map_granule_of(heap, address);
    uint32_t granules = state->declined_bin + 1;
    state->room++;
    if (cache_room(state) == 0 && state->cap >= WIDE_CAP && granules <= CACHE_LISTS &&
        state->cache[granules - 1] == NULL) {
        uint32_t victim = cache_victim(state);
        void *evicted = cache_pop(state, victim);
        state->room--;
        cache_push(state, granules - 1, address);
        granule = map_granule_of(heap, evicted);
        granules = victim + 1;
    }
    map_erase_length(heap, granule, granules);
    release(heap, granule, granules);
    return true;
}

COLD bool boundary_map_free(const struct heap *heap, void *address)
{
    return boundary_map_quick_free(heap, address) || boundary_map_slow_free(heap, address);
}

static uint32_t boundary_map_usable(const struct heap *heap, const void *address)
{
    return map_live_granules(heap, map_granule_of(heap, address)) * MAP_GRANULE_BYTES;
}

/* --- resizing ----------------------------------------------------------------------------------- */

static void shrink(const struct heap *heap, uint32_t granule, uint32_t had, uint32_t wanted)
{
    if (had - wanted < MIN_GRANULES)
        return;
    map_erase_length(heap, granule, had);
    map_write_length(heap, granule, wanted);
    map_set(heap, granule + wanted);
    release(heap, granule + wanted, had - wanted);
}

static bool grow(const struct heap *heap, uint32_t granule, uint32_t had, uint32_t wanted)
{
    struct boundary_map *state = state_of(heap);
    uint32_t end = granule + had;
    if (!map_get(heap, end + 1))
        return false;
    struct hole *behind = map_address_of(heap, end);
    uint32_t length = behind->granules;
    if (length < wanted - had)
        return false;
    hole_unlink(&state->holes, behind);
    uint32_t taken = cut(heap, end, length, wanted - had);
    map_clear(heap, end);
    map_erase_length(heap, granule, had);
    map_write_length(heap, granule, had + taken);
    cache_set_cap(state);
    cache_drain(heap, (taken - 1) / PAGE_GRANULES + 1);
    return true;
}

static bool boundary_map_resize(const struct heap *heap, void *address, uint32_t size)
{
    if (size > heap->region.arena_bytes)
        return false;
    uint32_t granule = map_granule_of(heap, address);
    uint32_t had = map_live_granules(heap, granule);
    uint32_t wanted = granules_for(size);
    if (wanted > had)
        return grow(heap, granule, had, wanted);
    shrink(heap, granule, had, wanted);
    return true;
}

#include "boundary_map_check.h"

const struct heap_strategy heap_boundary_map = {
    .name = "boundary-map",
    .source = "Knuth, TAOCP 1, 2.5 (boundary tags), in a bitmap; best fit behind a bounded cache",
    .traits = HEAP_COALESCES,
    .control_bytes = sizeof(struct boundary_map),
    .init = boundary_map_init,
    .alloc = boundary_map_alloc,
    .free = boundary_map_free,
    .quick_alloc = boundary_map_quick_alloc,
    .slow_alloc = boundary_map_slow_alloc,
    .quick_free = boundary_map_quick_free,
    .slow_free = boundary_map_slow_free,
    .usable = boundary_map_usable,
    .resize = boundary_map_resize,
    .walk = boundary_map_walk,
    .check = boundary_map_check,
};
