/* SPDX-License-Identifier: MIT */
/* A sequence of calls, told to people and written down as a trace. */
#ifndef TESTS_STORY_H
#define TESTS_STORY_H

#include <stdio.h>

#include "caller.h"

struct story {
    const struct heap_strategy *strategy;
    uint32_t map_bytes;
    const struct call *calls;
    uint32_t count;
    bool last_is_fatal; /* whoever makes the last call does not come back */
    const char *why;    /* what is wrong in the end, unless the calls show it by themselves */
};

/*
 * Makes the calls on a fresh heap and tells each, with what it led to; draws the heap before
 * and after the last. Ends with the first wrong, and with the calls as a trace in a file, and
 * how to replay it.
 *
 * Alignment and misuse have no place in a trace: an aligned request is written as a plain one,
 * misuse is left out. At the end the trace frees what is live, since whoever replays it looks
 * at what is in a block when it is freed.
 */
void story_tell(const struct story *story, const char *rep_path, FILE *out);

#endif
