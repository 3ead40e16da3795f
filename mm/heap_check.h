/* SPDX-License-Identifier: MIT */
/* What is true of every heap, and what can be said of one by walking it. */
#ifndef MM_HEAP_CHECK_H
#define MM_HEAP_CHECK_H

#include "heap_strategy.h"

/* Sums over one walk. Sizes are bytes of whole blocks, headers included. */
struct heap_stats {
    uint32_t live_blocks;
    uint32_t live_bytes;         /* granted: what live blocks take from the region */
    uint32_t payload_bytes;      /* of live_bytes, what their owners may use */
    uint32_t cached_blocks;
    uint32_t cached_bytes;
    uint32_t free_blocks;        /* holes */
    uint32_t free_bytes;
    uint32_t largest_free_bytes;
    uint32_t meta_bytes;
    uint32_t highest_used_bytes; /* from the region's start to the end of the last live block */
};

/*
 * Verifies the strategy's own invariants, and then, by walking, what holds for all:
 *   H1: blocks tile the region;
 *   H2: no block is empty, and its payload lies within it;
 *   H3: payloads are aligned to HEAP_ALIGNMENT_BYTES, and only live blocks have one;
 *   H4: no two free neighbours (HEAP_COALESCES);
 *   H5: live, free, cached and meta bytes add up to the region;
 *   H6: usable() agrees with the walk for every live block.
 * Returns: NULL, or the label and words of the first broken one.
 * Cost: that of the strategy's check and walk, and of usable for each live block; constant memory.
 * It cannot prove that a block belongs to whoever uses it, nor that two heaps do
 * not share memory.
 */
const char *heap_check(const struct heap_strategy *strategy, const struct heap *heap);

/* Fills *stats by walking the heap. Cost: one walk. */
void heap_measure(const struct heap_strategy *strategy, const struct heap *heap,
                  struct heap_stats *stats);

#endif
