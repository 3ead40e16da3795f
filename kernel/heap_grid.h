/* SPDX-License-Identifier: MIT */
/*
 * The heap as it is now, cut into cells of equal size: what a screen or a terminal draws.
 * (A portrait, portrait.h, is a heap over time, and shows single bytes.)
 */
#ifndef KERNEL_HEAP_GRID_H
#define KERNEL_HEAP_GRID_H

#include "heap_strategy.h"

/* What most of a cell's bytes are; live ones are told by how many of them. */
enum grid_cell {
    GRID_HOLE,
    GRID_LIVE_FEW,  /* live blocks have some of its bytes, less than half of them */
    GRID_LIVE_MANY, /* half of them or more, not all */
    GRID_LIVE,
    GRID_CACHED,
    GRID_META,
    GRID_CELLS,
};

/*
 * Fills cells[0] to cells[count - 1] by one walk.
 * Requires: count > 0; the region has that many bytes.
 */
void heap_grid(const struct heap_strategy *strategy, const struct heap *heap, uint8_t *cells,
               uint32_t count);

#endif
