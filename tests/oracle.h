/* SPDX-License-Identifier: MIT */
/*
 * An oracle knows, without asking the heap, which blocks are live, where they lie and
 * what is in them. Each call goes to the heap, is judged, and fails the test with the
 * seed, the number of the call and the reason if the heap was wrong.
 */
#ifndef TESTS_ORACLE_H
#define TESTS_ORACLE_H

#include "host_heap.h"

enum { ORACLE_BLOCKS_MAX = 256 };

struct oracle_block {
    uint8_t *address;
    uint32_t bytes;
    uint8_t *contents; /* a copy of what its owner wrote there */
};

struct oracle {
    struct host_heap *host;
    struct random random;
    uint32_t calls;
    uint32_t count; /* of live blocks: block[0] to block[count - 1] */
    struct oracle_block block[ORACLE_BLOCKS_MAX];
};

struct oracle *oracle_new(const struct heap_strategy *strategy, uint32_t map_bytes, uint32_t seed);
void oracle_delete(struct oracle *oracle);

/* Makes one random call; most requests are small, none is above size_max bytes. */
void oracle_step(struct oracle *oracle, uint32_t size_max);

/* Frees whatever is live. */
void oracle_free_all(struct oracle *oracle);

/* Compares the heap, its walk and all contents with what the oracle knows. */
void oracle_verify(struct oracle *oracle);

#endif
