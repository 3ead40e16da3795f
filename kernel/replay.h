/* SPDX-License-Identifier: MIT */
/*
 * Replays a trace on the kernel heap, verifying every block, measuring every call.
 */
#ifndef KERNEL_REPLAY_H
#define KERNEL_REPLAY_H

#include "job.h"
#include "player.h"

/* Over one kind of operation. Costs are ticks; see machine.h. */
struct cost_figures {
    uint32_t operations;
    uint64_t total;
    uint32_t p50; /* percentiles by nearest rank */
    uint32_t p99;
    uint32_t p999;
    uint32_t max;
    uint32_t max_operation; /* index in the trace of the first with that cost */
};

struct sample {
    uint32_t operation; /* the index of the operation after which it was taken */
    uint32_t requested_bytes;
    struct heap_stats heap;
};

struct replay {
    uint32_t operations; /* done; all of the trace's, unless it ends at a failure */
    uint32_t failures;   /* NULL for a size above 0 */
    struct first_failure first_failure; /* iff failures > 0 */
    struct cost_figures cost;
    struct cost_figures malloc;
    struct cost_figures free;
    uint32_t init_cost;
    uint32_t map_bytes; /* what the empty heap kept of its region: side array, sentinels */
    uint32_t stack_bytes;
    uint64_t placement_hash;
    uint32_t sample_count;
    struct sample *samples;
    struct portrait portrait; /* a column for each sample */
};

/*
 * Starts from a fresh heap and replays all of trace.
 * Memory: scratch_alloc(), 8 bytes an id, 8 an operation, the samples and the picture.
 * Returns: NULL and *replay filled in; else what the heap did wrong, in words, valid until
 * the next call; then *replay is void.
 */
const char *replay_trace(const struct trace *trace, const struct job *job,
                         struct replay *replay);

/*
 * Replays with neither measuring nor samples, up to the first failure.
 * Returns: NULL if the trace ran without a failure; else what went wrong.
 * Memory: blocks, one for each id, is the caller's.
 */
const char *replay_fits(const struct trace *trace, struct player_block *blocks);

#endif
