/* SPDX-License-Identifier: MIT */
/*
 * Where the classic sequential fits place a request, by their definition: every place is
 * tried. Blocks are those of a byte map, 64 bytes each.
 */
#ifndef TESTS_POLICY_H
#define TESTS_POLICY_H

#include "host_heap.h"

enum { POLICY_NONE = -1, POLICY_BLOCK_BYTES = HEAP_BYTES_PER_MAP_BYTE, POLICY_BLOCKS_MAX = 256 };

/* What a policy may look at. */
struct policy_view {
    const struct heap *heap;
    bool used[POLICY_BLOCKS_MAX]; /* by block of the arena */
    uint32_t rover;               /* the block behind the last one placed; 0 behind the end */
};

/* Returns: the first block of the place for a request, or POLICY_NONE. */
typedef int policy(const struct policy_view *view, uint32_t blocks, uint32_t align);

/* Returns: what the strategy of that name has to do; NULL if it is no sequential fit. */
policy *policy_of(const struct heap_strategy *strategy);

#endif
