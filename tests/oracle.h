/* SPDX-License-Identifier: MIT */
/*
 * An oracle knows, without asking the heap, which blocks are live, where they lie and
 * what is in them. Each call goes to the heap and is judged.
 *
 * Whoever owns a byte of the region writes there what lay there in the beginning,
 * host_heap_garbage(). So every byte of every live block is known from its place alone,
 * and two histories that lead to the same blocks lead to the same bytes.
 *
 * Functions that judge return NULL, or what is wrong, in words, valid until the oracle is
 * asked again. After the first wrong there is no second: the heap is to be used no more.
 */
#ifndef TESTS_ORACLE_H
#define TESTS_ORACLE_H

#include "host_heap.h"

enum { ORACLE_BLOCKS_MAX = 256, ORACLE_REASON_BYTES = 256 };

#define ORACLE_UNKNOWN UINT32_MAX

struct oracle_block {
    uint8_t *address;
    uint32_t bytes;  /* requested */
    uint32_t usable; /* what the heap lets its owner use; all of it is written and checked */
    uint32_t id;     /* of the allocation that made it; a reallocation keeps it */
};

/* What an oracle knows. It may be copied and put back together with the heap's memory. */
struct oracle_state {
    uint32_t ids;        /* given out so far, one for each request, granted or not */
    uint32_t free_bytes; /* holes and cached blocks, ORACLE_UNKNOWN since a call changed that */
    uint32_t count;      /* of live blocks: block[0] to block[count - 1], by address */
    struct oracle_block block[ORACLE_BLOCKS_MAX];
};

struct oracle {
    struct host_heap *host;
    uint32_t fresh_free_bytes; /* holes and cached blocks of the heap when it was new */
    uint32_t fresh_largest;    /* the largest request that it grants then; found when needed */
    struct oracle_state state;
    char reason[ORACLE_REASON_BYTES];
};

#define ORACLE_JUDGES __attribute__((warn_unused_result))

/* Makes a heap, and an oracle for it. Returns: never NULL; for oracle_delete(). */
struct oracle *oracle_new(const struct heap_strategy *strategy, uint32_t map_bytes);
void oracle_delete(struct oracle *oracle);

/* Makes it what oracle_new() made. */
void oracle_renew(struct oracle *oracle);

bool oracle_has_trait(const struct oracle *oracle, enum heap_trait trait);

/* Returns: how many bytes of a snapshot are in use. */
uint32_t oracle_state_bytes(const struct oracle_state *state);

/* Returns: the index of the live block at address; count if there is none. */
uint32_t oracle_index_of(const struct oracle *oracle, const uint8_t *address);

/*
 * Asks for a block. The heap may refuse: then *index is ORACLE_UNKNOWN, else it is the
 * block's. Requires: size and align as for a strategy's alloc; fewer than
 * ORACLE_BLOCKS_MAX blocks are live.
 */
ORACLE_JUDGES const char *oracle_alloc(struct oracle *oracle, uint32_t bytes, uint32_t align,
                                       uint32_t *index);

/* Gives back block number index, after a look at its contents. */
ORACLE_JUDGES const char *oracle_free(struct oracle *oracle, uint32_t index);

/* Asks for another size in place. Requires: the strategy has a resize. */
ORACLE_JUDGES const char *oracle_resize(struct oracle *oracle, uint32_t index, uint32_t bytes,
                                        bool *resized);

/* What the front door makes of krealloc: resizes in place or, failing that, moves. */
ORACLE_JUDGES const char *oracle_realloc(struct oracle *oracle, uint32_t index, uint32_t bytes);

/*
 * Offers an address that is not a live block's, which the heap must refuse.
 * Requires: HEAP_VALIDATES_FREE; address is not NULL.
 */
ORACLE_JUDGES const char *oracle_misuse(struct oracle *oracle, uint8_t *address);

/* Compares the heap, its walk and all contents with what the oracle knows. */
ORACLE_JUDGES const char *oracle_verify(struct oracle *oracle);

/* Frees whatever is live, and verifies that all memory is back. */
ORACLE_JUDGES const char *oracle_drain(struct oracle *oracle);

#endif
