/* SPDX-License-Identifier: MIT */
/* What is tried on each state once, beside the calls that lead on from it. */
#ifndef TESTS_EXHAUSTIVE_PROBE_H
#define TESTS_EXHAUSTIVE_PROBE_H

#include "snapshot.h"

struct probe {
    struct caller *caller;
    const uint32_t *sizes; /* of requests */
    uint32_t size_count;
    struct snapshot *here;  /* the state probed */
    struct snapshot *other; /* one that it leads to */
};

/* For probe_end(). */
struct probe probe_begin(struct caller *caller, const uint32_t *sizes, uint32_t size_count);
void probe_end(struct probe *probe);

/*
 * Verifies the caller's heap against the oracle; offers it wrong addresses, if it
 * validates; compares the quick and slow halves with the whole, if its strategy is cut;
 * and drains it. The caller is left in another state.
 * Returns: NULL, or what is wrong, in words.
 */
ORACLE_JUDGES const char *probe_state(struct probe *probe);

#endif
