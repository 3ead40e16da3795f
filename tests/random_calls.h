/* SPDX-License-Identifier: MIT */
/* Random calls, seeded, judged by an oracle. */
#ifndef TESTS_RANDOM_CALLS_H
#define TESTS_RANDOM_CALLS_H

#include "oracle.h"

struct random_calls {
    struct oracle *oracle;
    struct random random;
    uint32_t seed;
    uint32_t size_max; /* most requests are small, none is above this many bytes */
    uint32_t calls;    /* made so far */
};

/* Makes a heap of tested_strategy. For random_calls_end(). */
struct random_calls random_calls_begin(uint32_t map_bytes, uint32_t size_max, uint32_t seed);
void random_calls_end(struct random_calls *calls);

/* These fail the test, with seed and number of the call, if the oracle finds fault. */
void random_calls_step(struct random_calls *calls);
void random_calls_verify(struct random_calls *calls);
void random_calls_drain(struct random_calls *calls);

#endif
