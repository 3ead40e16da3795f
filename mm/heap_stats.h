/* SPDX-License-Identifier: MIT */
/*
 * How the heap is doing, and how to make it fail on purpose. Both belong to the hardening
 * level check and those above it; with off there is only what a walk can tell.
 */
#ifndef MM_HEAP_STATS_H
#define MM_HEAP_STATS_H

#include "heap_check.h"

/* Why a request got NULL. */
enum heap_failure {
    HEAP_FAILURE_TOO_LARGE,  /* no heap of this size could serve it */
    HEAP_FAILURE_EXHAUSTED,  /* less was free than it asked for */
    HEAP_FAILURE_FRAGMENTED, /* enough was free, but not in one piece (or where it was wanted) */
    HEAP_FAILURE_ON_PURPOSE, /* heap_fail() was asked for it */
    HEAP_FAILURES,
};

struct heap_status {
    struct heap_stats now;          /* by a walk: live, free and cached; the largest hole */
    uint32_t peak_live_blocks;      /* the most at once since kinitHeap() */
    uint32_t requested_bytes;       /* from redzone on: live bytes as they were asked for,
                                       and those of blocks that were given up */
    uint32_t peak_requested_bytes;
    uint32_t failures[HEAP_FAILURES];
    uint32_t misuses;               /* calls refused, and damage found */
};

/*
 * Returns: how the heap is doing.
 * Cost: linear in the number of blocks, since it walks. What it needs besides is counted as
 * it happens: two instructions a kmalloc, one a kfree (with percpu those of an atomic count); why a
 * kmalloc failed, by a walk then.
 */
struct heap_status heap_stats(void);

/* Which of the requests to come are to fail, though they could be served (Linux: failslab). */
struct heap_failing {
    uint32_t skip;                /* let so many pass first; so skip = N - 1 is "from the Nth on" */
    uint32_t interval;            /* of the others, look at every so-many-th; 1: at each */
    uint32_t probability_percent; /* of those, let so many fail */
    uint32_t times;               /* at most so many in all; 0: no limit */
    uint32_t seed;                /* of the probability */
};

/*
 * Lets requests fail from now on: kmalloc, kmalloc_aligned, kcalloc, and a krealloc that has
 * to move its block. NULL: no more. kinitHeap() changes nothing about it. While a plan is set one
 * caller alone may use the heap: with off and check a plan is not kept under the heap's lock, and
 * requests of others may pass uncounted.
 * Requires: interval >= 1. Cost while none are to fail: nothing.
 * Returns: false, and does nothing, with hardening off.
 */
bool heap_fail(const struct heap_failing *failing);

/* Returns: how many requests there were since heap_fail() was called with a plan; 0 without. */
uint32_t heap_fail_requests(void);

#endif
