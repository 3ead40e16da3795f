/* SPDX-License-Identifier: MIT */
/*
 * boundary-map: best fit over a bitmap of boundary tags, behind a bounded cache.
 *
 * Source: boundary tags: Knuth, The Art of Computer Programming 1 (3rd edition, 1997), 2.5;
 * freed blocks kept for their next user: C. B. Weinstock, "Dynamic Storage Allocation
 * Techniques", PhD thesis, Carnegie-Mellon, 1976 (QuickFit); the bump region is close to the
 * "designated victim" of D. Lea's malloc. Departs in where the tags are, and in what bounds
 * the cache.
 *
 * Idea. The side array has a bit for each 8 bytes of arena, which is enough to tell where
 * every block begins, how long it is, and whether its neighbours are free
 * (boundary_map.h). So a live block has no header, and a free one says the rest in its own
 * memory. Free blocks hang in bins by length (boundary_map_holes.h), one for each length up
 * to 4 KiB, so that the best fit is found without a search; free neighbours merge at once.
 *
 * Merging what is split again a moment later costs most of the time. In front of the
 * holes, therefore, freed blocks are kept as they are for the next request of their length,
 * or of a slightly shorter one (boundary_map_front.h). That is as old as it is dangerous:
 * a request that only fits after merging must merge all that has been put off. Here the
 * longest hole has 4 KiB for each cached block (J, below), so whoever finds no hole and has
 * to merge n blocks asked for more than n times 4 KiB, or for an alignment.
 *
 * kmalloc and kfree are cut in two. The quick halves serve what the cache, a hole of
 * exactly the right length or the bump region can serve, in the three registers that a
 * function may use without saving them; a fourth, in kfree, is saved.
 *
 * The hole made last is left open: it is a hole in the map, but in no bin until another is
 * made, or one is looked for that it is long enough for. Blocks that were allocated one after
 * another are often freed so, and all but one of them become part of a hole without its
 * changing bins.
 *
 * Layout. Live blocks are all payload. For free ones and the map see the headers; the
 * region, with the granules that no block gets:
 *
 *             +-----+---+--------------------------------------------+-------+
 *             | map | 0 | blocks: live, cached, bump region, holes   | fence |
 *             +-----+---+--------------------------------------------+-------+
 *
 * Invariants:
 *   I1: blocks follow one another from the first granule to the fence
 *   I2: a hole ends where its last bit and both its words say
 *   I3: no two holes are neighbours
 *   I4: every hole but the open one is in the bin of its length, once, and leads to its link
 *   I5: a bin's bit is set iff it has a hole, a word's iff one of its bits is
 *   I6: cap - room blocks are cached, live in the map, each in the list of its length; the
 *       bump region is one of them, and in no list
 *   I7: the bump region has its first bit and no other
 *   I8: cap is what the longest hole's bin allows, or less while a hole is open
 *   J: the longest hole has 4 KiB for each cached block, and 16 KiB more
 *
 * J holds because, with H the longest hole's bytes and c > 0 blocks cached, the bump region
 * among them, every step keeps 4096 c <= H - 16384. A block is cached only while c < cap,
 * and cap <= H / 4096 - 5. Merging lengthens holes. A cached block handed out makes c less.
 * Holes up to 4 KiB are not the longest, since that has 20 KiB. Who takes b bytes from a
 * longer one makes H less by b at most, and evicts a block for each 4 KiB begun of b, or
 * until c <= cap + 1. A bump region takes 4 KiB or a short hole and counts for one more, but
 * c < cap before. Aligned requests, which can halve a hole, evict until c <= cap + 1.
 *
 * Cost, in the kernel, on an i686, in instructions. kfree: 24 into the cache, 49 for a block
 * that merges with nothing; else 40 to find out, and 150 at most to take two holes out and
 * put the one that was open in, with a new cap; 60 more if that is done for another block,
 * in exchange. That makes 250; a test holds it to 310. A request up to 4 KiB: 14 from the
 * cache; else at most 220 to put the open hole in, to find one by two counts of zeros, to
 * take it out and put its rest back, and 160 for one eviction: below 400. It never has to
 * merge more, since by J nothing is cached when there is no hole of 4 KiB. A longer one looks
 * at 8 holes and evicts one block for each 4 KiB begun, at less than 210 each. If there is no
 * hole in a bin above its own, it looks at every hole in that, 10 each, and twice if none
 * serves; that is the one cost that what others did decides. A test holds kmalloc and kfree
 * to these bounds, on all traces and against a workload made to break them. An aligned
 * request looks at every hole from its own bin on until one has room, and twice if none has:
 * before that it merges all that is cached, up to 248 blocks, however little it asks for.
 * usable: constant. resize: as a free and a long request. walk: linear in the blocks, times
 * the length of a cache list. check: linear in the words of the map and in the blocks.
 * Fragmentation: a request is lost only if, with nothing cached, every hole is shorter; so
 * with at most m live blocks of M bytes together, none above n, M + (m + 1) * n bytes are
 * always enough, as for every best fit (Robson, Computer Journal 20, 1977, shows that it can
 * come near that). A request loses at most 23 bytes to rounding, or, as long as there is a
 * cache and in it nothing closer, an eighth of its own length.
 *
 * When not to use it: where blocks are so long that a bitmap of the whole arena costs more
 * than headers, above 512 bytes on average; where code size counts; where wrong addresses
 * reach kfree unguarded, since a cached block looks live; on a processor whose bit
 * instructions on memory are slow, if time counts and not instructions.
 */
#include "boundary_map_check.h"
#include "boundary_map_rare.h"

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

/* --- allocation --------------------------------------------------------------------- */

/*
 * The first granules of a long hole, up to 4 KiB; or of the bump region, for which it gives
 * 4 KiB.
 */
HOT void *take_from_long(const struct heap *heap, uint32_t found, uint32_t granules)
{
    struct boundary_map *state = state_of(heap);
    struct hole *hole = state->holes.bins[found];
    uint32_t granule = map_granule_of(heap, hole);
    if (bump_may_begin(state, granules) && hole->granules >= granules + BUMP_HOLE_GRANULES) {
        cut_long(heap, found, BUMP_GRANULES);
        bump_begin(heap, granule, BUMP_GRANULES);
        return bump_take(heap, granules - 1);
    }
    granules = cut_long(heap, found, granules);
    map_write_length(heap, granule, granules);
    if (cache_is_over(state))
        cache_evict(heap);
    return hole;
}

/* Makes the first granules of a hole of that bin, up to 4 KiB, the caller's. */
HOT void *take_from_short(const struct heap *heap, uint32_t found, uint32_t granules)
{
    struct boundary_map *state = state_of(heap);
    struct hole *hole = bin_pop(&state->holes, found);
    uint32_t granule = map_granule_of(heap, hole);
    if (bump_may_begin(state, granules) && found >= granules + state->bump_granules + 1) {
        map_clear(heap, granule + 1);
        map_clear(heap, granule + found);
        bump_begin(heap, granule, found + 1);
        return bump_take(heap, granules - 1);
    }
    granules = cut(heap, granule, found + 1, granules);
    map_write_length(heap, granule, granules);
    return hole;
}

/* More than 4 KiB. When no hole is long enough, merges what is cached. */
HOT void *alloc_long(const struct heap *heap, uint32_t size)
{
    struct boundary_map *state = state_of(heap);
    if (size - 1 >= heap->region.arena_bytes)
        return NULL;
    uint32_t granules = map_granules_for(size);
    bool stale = hole_close(&state->holes, granules);
    struct hole *hole = hole_find(&state->holes, granules);
    if (hole == NULL && !cache_is_empty(state)) {
        cache_empty(heap);
        hole = hole_find(&state->holes, granules);
    }
    if (hole == NULL)
        return NULL;
    granules = cut_filed(heap, hole, granules, stale);
    map_write_length(heap, map_granule_of(heap, hole), granules);
    cache_drain(heap, granules);
    return hole;
}

/*
 * A cached block of that length, or a granule longer; a hole of it; the bump region. In three
 * registers: the map is written before the bin, since that needs fewer of them.
 */
HOT void *boundary_map_quick_alloc(const struct heap *heap, uint32_t size)
{
    struct boundary_map *state = state_of(heap);
    uint32_t last = size - 1; /* of 0, the largest number */
    if (last >= CACHE_BYTES_MAX)
        return NULL;
    uint32_t bin = on_its_own(last / MAP_GRANULE_BYTES);
    if (state->cache[bin] != NULL)
        return cache_pop(state, bin);
    if (state->cache[bin + 1] != NULL)
        return cache_pop(state, bin + 1);
    if (bin >= SHORT_GRANULES)
        return NULL;
    bin += bin == 0;
    struct hole *hole = state->holes.bins[bin];
    if (hole == NULL)
        return bump_take(heap, bin);
    uint32_t second = map_granule_of(heap, (uint8_t *)hole + MAP_GRANULE_BYTES);
    map_clear(heap, second);
    map_clear(heap, second + bin - 1);
    bin_drop(&state->holes, bin, hole);
    return hole;
}

/* A cached block that is a little longer; the shortest hole that is long enough. */
HOT void *boundary_map_slow_alloc(const struct heap *heap, uint32_t size)
{
    struct boundary_map *state = state_of(heap);
    if (size - 1 >= CACHE_BYTES_MAX)
        return alloc_long(heap, size);
    uint32_t granules = map_granules_for(size);
    uint32_t near = cache_near(state, granules - 1);
    if (near != NO_BIN)
        return cache_pop(state, near);
    settle(state, granules);
    uint32_t found = list_from(&state->holes.filled, granules - 1);
    if (found == NO_BIN)
        return NULL;
    if (found >= EXACT_BINS)
        return take_from_long(heap, found, granules);
    return take_from_short(heap, found, granules);
}

COLD void *alloc_in_turn(const struct heap *heap, uint32_t size)
{
    void *block = boundary_map_quick_alloc(heap, size);
    return block != NULL ? block : boundary_map_slow_alloc(heap, size);
}

static void *boundary_map_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    return align > MAP_GRANULE_BYTES ? alloc_aligned(heap, size, align) : alloc_in_turn(heap, size);
}

/* --- giving back -------------------------------------------------------------------- */

/*
 * In what follows second is the granule behind a block's first, where its window begins;
 * that it is not counted back to the first saves the quick path a register.
 */

/* Whether a short live block has a hole beside it, or is to be exchanged for a cached one. */
HOT bool free_is_slow(const struct heap *heap, uint32_t second, uint32_t bin)
{
    const struct boundary_map *state = state_of(heap);
    return map_get(heap, second - 2) || map_get(heap, second + bin + 1) ||
           (state->cap >= EXCHANGE_CAP && state->cache[bin] == NULL);
}

/* Makes a hole of a short live block that has none beside it. */
HOT void free_alone(const struct heap *heap, void *address, uint32_t second, uint32_t bin)
{
    struct hole *hole = address;
    uint32_t *words = address;
    map_set(heap, second + bin - 1);
    map_set(heap, second);
    hole->granules = bin + 1;
    words[2 * bin + 1] = bin + 1;
    bin_push(&state_of(heap)->holes, bin, hole);
}

/* What the slow half finds: the length, and room counted down for the block. */
HOT bool free_decline(struct boundary_map *state, uint32_t bin)
{
    state->declined_bin = bin;
    return false;
}

/* Into the cache, if there is room; a short block that merges with nothing, to the holes. */
HOT bool boundary_map_quick_free(const struct heap *heap, void *address)
{
    struct boundary_map *state = state_of(heap);
    uint32_t bytes;
    if (is_before(heap->region.arena - MAP_GRANULE_BYTES, address, &bytes))
        return true; /* NULL */
    uint32_t second = bytes / MAP_GRANULE_BYTES;
    uint32_t window = map_bits_from(heap, second);
    uint32_t bin = window_short_bin(window);
    if (window_is_long(window)) {
        bin = window_long_bin(window);
        if (!cache_takes(state, bin)) {
            state->room--;
            return free_decline(state, bin);
        }
    }
    if (!count_down(&state->room)) {
        cache_push(state, bin, address);
        return true;
    }
    if (bin >= SHORT_GRANULES || free_is_slow(heap, second, bin))
        return free_decline(state, bin);
    state->room++;
    free_alone(heap, address, second, bin);
    return true;
}

/* Into the cache, in exchange for a block of another length; or to the holes. */
HOT bool boundary_map_slow_free(const struct heap *heap, void *address)
{
    struct boundary_map *state = state_of(heap);
    uint32_t granule = map_granule_of(heap, address);
    uint32_t granules = state->declined_bin + 1;
    state->room++;
    if (cache_may_exchange(state, granules)) {
        uint32_t victim = cache_victim(state);
        granule = map_granule_of(heap, cache_pop(state, victim));
        state->room--;
        cache_push(state, granules - 1, address);
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
