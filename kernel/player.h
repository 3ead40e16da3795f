/* SPDX-License-Identifier: MIT */
/*
 * Plays a trace on the kernel heap, one operation after the other: calls the heap, measures
 * the call, and verifies what came of it.
 *
 * Each block is filled with a pattern of its own when it is handed out, and verified before
 * it is freed or moved: two blocks that share a byte, or a block whose contents a krealloc
 * lost, cannot go unseen. That happens between the measured calls, and costs them nothing.
 */
#ifndef KERNEL_PLAYER_H
#define KERNEL_PLAYER_H

#include "heap_check.h"
#include "machine.h"
#include "portrait.h"
#include "trace.h"

/* Stands for the cost where nothing was called. */
#define PLAYER_NO_COST UINT32_MAX

/* What became of an id. */
struct player_block {
    uint8_t *address; /* NULL iff not live, or its allocation failed */
    uint32_t size;    /* requested bytes */
};

/* The state in which a request was refused for the first time. */
struct first_failure {
    uint32_t operation; /* its index in the trace */
    uint32_t size;      /* bytes it asked for */
    uint32_t requested_bytes; /* live when it was refused */
    struct heap_stats heap;
};

struct player {
    const struct trace *trace;
    struct player_block *blocks; /* by id, trace->id_count of them, zeroed at the beginning */
    struct portrait *portrait;   /* which is told of each block; NULL: nobody draws */
    uint32_t next;               /* the index of the operation that is played next */
    uint32_t requested_bytes;    /* live now */
    uint32_t failures;           /* NULL for a size above 0 */
    struct first_failure first_failure; /* iff failures > 0 */
    uint32_t last_cost; /* of the last operation, in ticks; PLAYER_NO_COST: nothing was called */
};

/*
 * Plays the next operation.
 * Requires: there is one left; the heap is the one that the others were played on.
 * Returns: NULL, and next is one more; else what the heap did wrong, in words, valid until
 * the next call, and the player is to be used no more.
 */
const char *player_play(struct player *player);

/* Calls function of heap.h, measured. Returns: what it returned; the cost is in last_cost. */
uintptr_t player_measure(struct player *player, measured_function *function, uintptr_t first,
                         uintptr_t second);

#endif
