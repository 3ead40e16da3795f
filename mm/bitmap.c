/* SPDX-License-Identifier: MIT */
/*
 * bitmap: first fit, from block 0, over one byte per 64-byte block: the naive kmalloc.
 *
 * Source: the LOS heap exercise; the policy is first fit, Knuth, The Art of Computer
 * Programming 1 (3rd edition, 1997), section 2.5, Algorithm A. Departs from the
 * exercise in how a run's length is told (byte_map.h) and in refusing every address
 * that is not a live run's. The name is the exercise's; a real bitmap has bits.
 *
 * Idea. To allocate, begin at block 0 and count free blocks in a row; a used block
 * sets the count back to zero; when the count is what was asked for, that run is the
 * answer. To free, clear the bytes of the run. There is nothing else: no list, no
 * header, no state but the map. That is its charm: everything can be seen in the map,
 * little can go wrong, and it is what most people write first.
 *
 * And that is what is naive about it. Every allocation begins again at block 0 and
 * steps, one byte at a time, over all the long-lived runs that have gathered at the
 * heap's low end, as well as over every hole that it found too small the last time.
 * The work grows with what the heap holds, not with what is asked for.
 *
 * Layout:
 *
 *             +-------+------+------+-------+------+------+------+------+
 *   map       | FIRST | REST | REST | FIRST | FREE | FREE | FREE | FREE |
 *             +-------+------+------+-------+------+------+------+------+
 *   arena     |<-- 3 * 64 bytes --->|<- 64->|<------ 4 * 64 bytes ----->|
 *             used                   used    free
 *
 * Invariants: I1 and I2 of the byte map (byte_map.h).
 *
 * Cost. alloc: linear in the number of blocks below the answer, the whole map if there
 * is none. free, usable, resize: linear in the length of the run.
 * Fragmentation: with at most M blocks live and no request above n blocks, first fit
 * never needs more than M * H(n) / ln 2 blocks, H(n) = 1 + 1/2 + ... + 1/n (Knuth,
 * exercise 43; Robson, Computer Journal 20, 1977: it is about M * log2(n)). To that
 * come up to 63 bytes a request, lost to rounding.
 *
 * When not to use it: where an interrupt waits for an allocation; on a heap of many
 * long-lived blocks; for requests far below 64 bytes.
 */
#include "byte_map.h"

/* Returns: the first block of the lowest free run with that many blocks, or NO_RUN. */
static uint32_t bitmap_find_run(const struct heap *heap, uint32_t blocks, uint32_t align)
{
    const uint8_t *map = heap->region.map;
    uint32_t found = 0; /* free blocks in a row, counted from an aligned one */
    for (uint32_t block = 0; block < heap->region.map_bytes; block++) {
        if (map[block] != BLOCK_FREE)
            found = 0;
        else if (found > 0 || byte_map_is_aligned(heap, block, align))
            found++;
        heap_step(found == 1); /* a hole begins here */
        if (found == blocks)
            return block + 1 - blocks;
    }
    return NO_RUN;
}

/*
 * The exercise's kmalloc, step by step. Its first step, to insist that the heap is
 * initialised, has been taken by the front door, heap.c, for every strategy.
 */
static void *bitmap_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    /* Work out the number of blocks. */
    uint32_t blocks = byte_map_blocks_for(size);

    /* Find a run of free blocks, and reserve it. */
    uint32_t first = bitmap_find_run(heap, blocks, align);
    if (first == NO_RUN)
        return NULL;
    byte_map_reserve(heap, first, blocks);

    /* Compute the address, and return it. */
    return byte_map_address_of(heap, first);
}

const struct heap_strategy heap_bitmap = {
    .name = "bitmap",
    .source = "LOS heap exercise; Knuth, TAOCP 1, 2.5, Algorithm A (first fit)",
    .traits = HEAP_COALESCES | HEAP_VALIDATES_FREE,
    .control_bytes = 0,
    .init = byte_map_init,
    .alloc = bitmap_alloc,
    .free = byte_map_free,
    .usable = byte_map_usable,
    .resize = byte_map_resize,
    .walk = byte_map_walk,
    .check = byte_map_check,
};
