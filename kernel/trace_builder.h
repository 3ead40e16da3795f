/* SPDX-License-Identifier: MIT */
/*
 * Builds a trace operation by operation, and knows which blocks are live in it, from the
 * oldest to the newest.
 */
#ifndef KERNEL_TRACE_BUILDER_H
#define KERNEL_TRACE_BUILDER_H

#include <stdbool.h>

#include "trace.h"

struct live_block {
    uint32_t id;
    uint32_t size; /* requested bytes */
};

struct trace_builder {
    struct trace *trace;
    uint32_t operations_max;
    struct live_block *live; /* a ring: the oldest at first, the newest last */
    uint32_t live_max;       /* a power of two */
    uint32_t first;
    uint32_t live_count;
    uint32_t *places;   /* by id: the block's place in live, counted without going round */
    uint32_t *free_ids; /* of the blocks that were freed, to be given again */
    uint32_t free_id_count;
    uint32_t requested_bytes; /* live now */
    bool overflowed;          /* a table was full: the trace is void */
};

/*
 * Starts builder->trace, empty, with room for so many operations and live blocks.
 * Memory: scratch_alloc(), 12 bytes an operation, up to 32 a live block.
 * Returns: whether there was enough.
 */
bool trace_builder_start(struct trace_builder *builder, uint32_t operations_max,
                         uint32_t live_max);

/*
 * Adds an allocation. The new block is the newest.
 * Returns: its id; one of no block if the trace has overflowed.
 */
uint32_t trace_builder_alloc(struct trace_builder *builder, uint32_t size);

/*
 * Adds the free of the block that is age-th newest: 0 is the newest, live_count - 1 the
 * oldest. The newest then takes its place among the ages.
 * Requires: age < live_count.
 */
void trace_builder_free(struct trace_builder *builder, uint32_t age);

/* The same for the block with that id. Does nothing unless it is live. */
void trace_builder_free_id(struct trace_builder *builder, uint32_t id);

/* The same for the oldest; all others keep their order. Requires: live_count > 0. */
void trace_builder_free_oldest(struct trace_builder *builder);

/* What stands in the trace so far only builds the state to be measured. */
void trace_builder_measure_from_here(struct trace_builder *builder);

#endif
