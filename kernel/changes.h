/* SPDX-License-Identifier: MIT */
/*
 * What an operation changed: the blocks of a heap's walk that were not there, or not the same,
 * in the walk before. As blocks tile the region, those blocks take exactly the place of the ones
 * that are gone; who has the walk before has the walk after.
 */
#ifndef KERNEL_CHANGES_H
#define KERNEL_CHANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "heap_strategy.h"

/* A block's distance from the region's start; its state lies in the bits above. */
enum { CHANGES_STATE_SHIFT = 30 };

/* What the blocks of one operation end with; no block looks like that. */
#define CHANGES_END UINT32_MAX

/* A walk: by block, its distance and state; behind the last, the region's size. */
struct walk {
    uint32_t *blocks;
    uint32_t count;
};

struct changes {
    struct walk before;
    struct walk after;
    uint32_t room; /* for blocks in each */
};

/*
 * Prepares for a region; the first walk will be new from end to end.
 * Memory: scratch_alloc(), as much as the region has.
 * Returns: false iff there is too little.
 */
bool changes_begin(struct changes *changes, const struct heap_region *region);

/*
 * Walks the heap and writes what is new to the machine's bulk output, in address order: 4 bytes
 * of distance and state, 4 bytes of size; and CHANGES_END.
 * Cost: linear in the number of blocks. Returns: NULL, or why that cannot be done.
 */
const char *changes_put(struct changes *changes, const struct heap_strategy *strategy,
                        const struct heap *heap);

#endif
