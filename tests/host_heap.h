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

/* The strategy that this run of the program tests; set once, by main(). */
extern const struct heap_strategy *tested_strategy;

/* The seed of this run's random tests; set once, by main(). */
extern uint32_t tested_seed;

/*
 * Makes a heap with map_bytes of side array and 64 times as much arena. Region and
 * control block are filled with garbage before init.
 * Requires: map_bytes is a multiple of 8. Returns: never NULL; for host_heap_delete().
 */
struct host_heap *host_heap_new(const struct heap_strategy *strategy, uint32_t map_bytes);
void host_heap_delete(struct host_heap *host);

uint32_t host_heap_region_bytes(const struct host_heap *host);

/* Fails the test, with what, unless heap_check() finds nothing wrong. */
void host_heap_assert_sound(const struct host_heap *host, const char *what);

/* Fails the test unless label is one and begins with "<expected>:". */
void assert_label(const char *label, const char *expected);

/* A seeded sequence (xorshift32): the same on every machine. */
struct random {
    uint32_t state;
};

void random_seed(struct random *random, uint32_t seed);
uint32_t random_word(struct random *random);
/* Returns: a number from 0 to limit - 1. */
uint32_t random_below(struct random *random, uint32_t limit);

#endif
