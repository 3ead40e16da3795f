/* SPDX-License-Identifier: MIT */
/*
 * A picture of the heap over time: its region is cut into cells of equal size, and each sample
 * is a column of them. A cell shows one byte that lies in it, not the sum of its bytes: so the
 * share of cells in a state is, but for chance, the share of memory in it, and holes too small
 * to fill a cell are seen as often as they deserve.
 */
#ifndef KERNEL_PORTRAIT_H
#define KERNEL_PORTRAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "heap_strategy.h"

enum { PORTRAIT_CELLS_MAX = 1024 };

enum portrait_state {
    PORTRAIT_REQUESTED = 'r', /* a caller asked for this byte */
    PORTRAIT_WASTE = 'w',     /* a live block's, but nobody asked for it: rounding, headers */
    PORTRAIT_CACHED = 'c',    /* free, but kept whole for its next user */
    PORTRAIT_HOLE = 'h',      /* free, in a cell where some block lay before */
    PORTRAIT_NEVER = 'n',     /* free, in a cell where no block ever lay */
    PORTRAIT_META = 'm',      /* the strategy's own: side array, list heads, sentinels */
};

struct portrait {
    uint32_t cells; /* 0: no picture is made, and nothing below is valid */
    uint32_t cell_bytes;
    uint32_t columns;
    const uint8_t *region; /* its first byte */
    bool *requested;       /* by cell: a caller asked for the byte it shows */
    bool *used;            /* by cell: some block lay in it */
    char *states;          /* columns of cells, the lowest address first */
};

/*
 * Begins a picture of an empty heap's region, of at most columns_max columns.
 * Requires: cells <= PORTRAIT_CELLS_MAX. With 0 of either there will be no picture.
 * Memory: scratch_alloc(). Returns: false iff there is too little.
 */
bool portrait_begin(struct portrait *portrait, const struct heap_region *region, uint32_t cells,
                    uint32_t columns_max);

/* Notes that a caller has got bytes at block, or gave them back. */
void portrait_take(struct portrait *portrait, const uint8_t *block, uint32_t bytes);
void portrait_give(struct portrait *portrait, const uint8_t *block, uint32_t bytes);

/* Adds a column: the heap as it is now. Cost: that of a walk. */
void portrait_add_column(struct portrait *portrait, const struct heap_strategy *strategy,
                         const struct heap *heap);

/* Returns: what a cell showed when a column was added; both are there. */
enum portrait_state portrait_state(const struct portrait *portrait, uint32_t cell,
                                   uint32_t column);

#endif
