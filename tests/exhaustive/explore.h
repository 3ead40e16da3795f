/* SPDX-License-Identifier: MIT */
/*
 * Makes every sequence of calls up to some length, the shortest first. Two sequences that
 * lead to the same bytes have the same future, so each state is gone on from once.
 */
#ifndef TESTS_EXHAUSTIVE_EXPLORE_H
#define TESTS_EXHAUSTIVE_EXPLORE_H

#include <stdio.h>

#include "caller.h"

enum { SCOPE_SIZES = 3, EXPLORED_LENGTH_MAX = 64 };

/* What is explored. */
struct scope {
    const struct heap_strategy *strategy;
    uint32_t map_bytes;
    uint32_t sizes[SCOPE_SIZES]; /* of requests, in bytes */
    uint32_t transitions_max;    /* calls made from distinct states; no length is begun beyond */
    uint32_t seconds_max;        /* nor one expected to end beyond, in processor time; 0: any */
};

struct explored {
    uint32_t length;      /* every sequence up to this many calls was made */
    uint64_t sequences;   /* how many these are; UINT64_MAX: more than that */
    uint32_t states;      /* distinct ones that they lead to, the fresh heap among them */
    uint32_t transitions; /* calls made from distinct states */
    bool complete;        /* longer sequences lead to no other state */
    bool counting;        /* all calls are made: the sequences are being counted */
    /* The sequence being made; the shortest that went wrong, if one did: */
    struct call calls[EXPLORED_LENGTH_MAX];
    uint32_t count;
    bool probing;                    /* all calls came back, the state is or was being probed */
    char wrong[ORACLE_REASON_BYTES]; /* empty if all is right */
};

/*
 * Explores, and tells of each length done on progress. *explored is filled as it goes: should
 * the strategy fault or hang, the calls are there that made it.
 */
void explore(const struct scope *scope, struct explored *explored, FILE *progress);

#endif
