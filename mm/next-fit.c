/* SPDX-License-Identifier: MIT */
/*
 * next-fit: like bitmap, but each search begins where the last allocation ended.
 *
 * Source: the roving pointer of Knuth, The Art of Computer Programming 1 (3rd edition,
 * 1997), section 2.5, exercise 6; the name and the verdict are those of C. Bays, "A
 * comparison of next-fit, first-fit, and best-fit", CACM 20 (3), 1977. Departs from
 * both in having no free list: the rover is a block number in the byte map.
 *
 * Idea. First fit spends its time on the runs that have gathered at the low end of
 * the heap. The *rover* remembers the block behind the last allocation; the search
 * begins there, and after the last block goes on at block 0. So the answer is the
 * first run that fits at or behind the rover; if there is none, the first that fits
 * from block 0 on. A run never straddles the wrap: the last block and block 0 are
 * neighbours in the search, not in memory.
 *
 * Frees may leave the rover in the middle of a hole. The search then sees only the
 * part of the hole at and behind the rover at first, and the whole of it when it comes
 * round: such a hole is used from the rover on, and from its beginning only once
 * nothing further up fits. Resizing a run does not move the rover.
 *
 * Layout (the map is that of byte_map.h; control block: the rover, a block number):
 *
 *             +-------+------+------+-------+------+------+------+------+
 *   map       | FIRST | REST | FREE | FIRST | REST | FREE | FREE | FREE |
 *             +-------+------+------+-------+------+------+------+------+
 *                             free    last allocation ^ rover = 5
 *
 * Invariants: I1 and I2 of the byte map (byte_map.h), and
 *   I3: the rover is the number of a block of this heap
 *
 * Cost. alloc: linear in the number of blocks between the rover and the answer; in
 * the worst case the map and the request's blocks once more. free, usable, resize:
 * linear in the length of the run.
 * Fragmentation: with at most M blocks live and no request above n blocks, a request
 * fails only if each of the at most M + 1 holes is shorter than n: M + (M + 1)(n - 1)
 * blocks are always enough, about M * n, and no better bound is known here. In practice
 * it breaks up the large holes that first fit keeps at the high end (Bays). To that come
 * up to 63 bytes a request, lost to rounding.
 *
 * When not to use it: on a heap that is small for its load, or whose largest requests
 * matter; where the worst case counts, which is no better than bitmap's.
 */
#include "byte_map.h"

struct next_fit {
    uint32_t rover; /* the block behind the last allocation; 0 behind the last block */
};

_Static_assert(sizeof(struct next_fit) == 4, "the control block is the rover alone");

static struct next_fit *next_fit_state(const struct heap *heap)
{
    return heap->control;
}

/*
 * Returns: the first block of the first run that fits, looking from the rover on and
 * round once; NO_RUN if there is none. So that runs are found that begin before the
 * rover and end behind it, the round goes on for one block less than a run.
 */
static uint32_t next_fit_find_run(const struct heap *heap, uint32_t blocks, uint32_t align)
{
    const uint8_t *map = heap->region.map;
    uint32_t end = heap->region.map_bytes;
    uint32_t block = next_fit_state(heap)->rover;
    uint32_t found = 0; /* free blocks in a row, counted from an aligned one */
    if (blocks > end)
        return NO_RUN;
    for (uint32_t left = end + blocks - 1; left > 0; left--) {
        if (map[block] != BLOCK_FREE)
            found = 0;
        else if (found > 0 || byte_map_is_aligned(heap, block, align))
            found++;
        heap_step(found == 1); /* a hole begins here, or the rover stands in one */
        block++;
        if (found == blocks)
            return block - blocks;
        if (block == end)
            block = found = 0; /* no run goes on from the last block to the first */
    }
    return NO_RUN;
}

static void next_fit_init(const struct heap *heap)
{
    byte_map_init(heap);
    next_fit_state(heap)->rover = 0;
}

static void *next_fit_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    uint32_t blocks = byte_map_blocks_for(size);
    uint32_t first = next_fit_find_run(heap, blocks, align);
    if (first == NO_RUN)
        return NULL;
    byte_map_reserve(heap, first, blocks);
    uint32_t behind = first + blocks;
    next_fit_state(heap)->rover = behind == heap->region.map_bytes ? 0 : behind;
    return byte_map_address_of(heap, first);
}

static const char *next_fit_check(const struct heap *heap)
{
    if (next_fit_state(heap)->rover >= heap->region.map_bytes)
        return "I3: the rover is the number of a block of this heap";
    return byte_map_check(heap);
}

const struct heap_strategy heap_next_fit = {
    .name = "next-fit",
    .source = "Knuth, TAOCP 1, 2.5, exercise 6; Bays, CACM 20 (3), 1977",
    .traits = HEAP_COALESCES | HEAP_VALIDATES_FREE,
    .control_bytes = sizeof(struct next_fit),
    .init = next_fit_init,
    .alloc = next_fit_alloc,
    .free = byte_map_free,
    .usable = byte_map_usable,
    .resize = byte_map_resize,
    .walk = byte_map_walk,
    .check = next_fit_check,
};
