/* SPDX-License-Identifier: MIT */
/* Heaps of any strategy in the memory of a test, as many as it likes. */
#ifndef TESTS_HOST_HEAP_H
#define TESTS_HOST_HEAP_H

#include "heap_check.h"
#include "heap_strategy.h"

/*
 * A heap, and the strategy that runs it. The bytes before its side array and behind its
 * arena and its control block are poisoned: who touches them is stopped by
 * AddressSanitizer.
 */
struct host_heap {
    const struct heap_strategy *strategy;
    struct heap heap;
    uint8_t *memory;
    uint32_t memory_bytes;
};

/*
 * Makes a heap with map_bytes of side array and 64 times as much arena. Region and
 * control block are filled with garbage before init.
 * Requires: map_bytes is a multiple of 8. Returns: never NULL; for host_heap_delete().
 */
struct host_heap *host_heap_new(const struct heap_strategy *strategy, uint32_t map_bytes);
void host_heap_delete(struct host_heap *host);

/* Makes it what host_heap_new() made. */
void host_heap_renew(struct host_heap *host);

/*
 * The garbage that a region of so many bytes is filled with, always the same: half of the
 * bytes are random, half small, as those of a side array are.
 * Returns: a table, valid until the next call.
 */
const uint8_t *host_heap_garbage(uint32_t bytes);

uint32_t host_heap_region_bytes(const struct host_heap *host);

/*
 * Asks the strategy as the front door does: by its halves, quick and slow, where it is
 * cut in two. Requires and returns what the strategy's alloc and free do.
 */
void *host_heap_alloc(const struct host_heap *host, uint32_t size, uint32_t align);
bool host_heap_free(const struct host_heap *host, void *address);

/* A seeded sequence (xorshift32): the same on every machine. */
struct random {
    uint32_t state;
};

void random_seed(struct random *random, uint32_t seed);
uint32_t random_word(struct random *random);
/* Returns: a number from 0 to limit - 1. */
uint32_t random_below(struct random *random, uint32_t limit);

#endif
