/* SPDX-License-Identifier: MIT */
/*
 * One who calls a heap, and whoever watches: the oracle, and for sequential fits the
 * definition of their policy. Calls are data, so that they can be listed, and shown.
 */
#ifndef TESTS_CALLER_H
#define TESTS_CALLER_H

#include "oracle.h"
#include "policy.h"

enum call_kind { CALL_ALLOC, CALL_REALLOC, CALL_FREE, CALL_MISUSE };

struct call {
    enum call_kind kind;
    uint32_t block; /* of realloc and free: the how-manieth live one, by address, from 0 */
    uint32_t bytes; /* of alloc and realloc; of misuse: an offset from the region's start */
    uint32_t align; /* of alloc */
};

struct caller {
    struct oracle *oracle;
    policy *policy; /* NULL: there is no placement to compare with */
    uint32_t rover; /* for the policy: the block behind the last one placed */
    char reason[ORACLE_REASON_BYTES];
};

/* Makes a heap and whatever watches it. For caller_delete(). */
struct caller *caller_new(const struct heap_strategy *strategy, uint32_t map_bytes);
void caller_delete(struct caller *caller);

/* Makes it what caller_new() made. */
void caller_renew(struct caller *caller);

/* Makes the call. Returns: NULL, or what is wrong, in words, valid until the next call. */
ORACLE_JUDGES const char *caller_make(struct caller *caller, const struct call *call);

#endif
