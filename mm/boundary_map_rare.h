/* SPDX-License-Identifier: MIT */
/*
 * What is asked of boundary-map.c less often: blocks at an alignment, for which small code matters
 * more than quick code, so that little is inlined that others have as well; and resizing, which
 * is quick where the block may stay: krealloc has a copy of it, with the heap's addresses in it.
 */
#ifndef MM_BOUNDARY_MAP_RARE_H
#define MM_BOUNDARY_MAP_RARE_H

#include "boundary_map_front.h"

/* Makes the first granules of a hole that is in no bin live. Returns: how many, as cut() does. */
COLD uint32_t cut_coldly(const struct heap *heap, uint32_t granule, uint32_t length,
                         uint32_t granules)
{
    granules = cut(heap, granule, length, granules);
    cache_set_cap(state_of(heap));
    return granules;
}

/* --- allocation at an alignment ----------------------------------------------------- */

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
    uint32_t granules = map_granules_for(size);
    settle(state, granules);
    struct hole *hole = aligned_find(&state->holes, granules, align);
    if (hole == NULL) {
        cache_empty(heap);
        hole = aligned_find(&state->holes, granules, align);
    }
    if (hole == NULL)
        return NULL;
    uint32_t granule = map_granule_of(heap, hole);
    uint32_t gap = aligned_gap(hole, align);
    uint32_t length = hole->granules - gap;
    hole_unlink(&state->holes, hole);
    if (gap > 0) {
        cut_coldly(heap, granule, gap + length, gap);
        hole_unlink(&state->holes, map_address_of(heap, granule + gap));
        hole_make(heap, &state->holes, granule, gap);
        granule += gap;
    }
    granules = cut_coldly(heap, granule, length, granules);
    map_write_length(heap, granule, granules);
    cache_drain(heap, UINT32_MAX);
    return map_address_of(heap, granule);
}

/* --- resizing ----------------------------------------------------------------------- */

static void shrink(const struct heap *heap, uint32_t granule, uint32_t had, uint32_t wanted)
{
    if (had - wanted < MIN_GRANULES)
        return;
    map_change_length(heap, granule, had, wanted);
    map_set(heap, granule + wanted);
    release(heap, granule + wanted, had - wanted);
}

/* Into the hole behind, if that is long enough. */
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
    bool stale = hole_close(&state->holes, 0);
    uint32_t taken = cut_filed(heap, behind, wanted - had, stale);
    map_clear(heap, end);
    map_change_length(heap, granule, had, had + taken);
    cache_drain(heap, taken);
    return true;
}

static bool boundary_map_resize(const struct heap *heap, void *address, uint32_t size)
{
    if (size > heap->region.arena_bytes)
        return false;
    uint32_t granule = map_granule_of(heap, address);
    uint32_t had = map_live_granules(heap, granule);
    uint32_t wanted = map_granules_for(size);
    if (wanted > had)
        return grow(heap, granule, had, wanted);
    shrink(heap, granule, had, wanted);
    return true;
}

#endif
