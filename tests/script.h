/* SPDX-License-Identifier: MIT */
/* Short scripts of calls, and pictures of the heap that they leave, for tables of cases. */
#ifndef TESTS_SCRIPT_H
#define TESTS_SCRIPT_H

#include "oracle.h"

/*
 * A script is calls with blanks between them. Blocks have names, a to z:
 *   a100     a is 100 bytes, anywhere         a100@64   ... at a multiple of 64
 *   -a       a is freed                       a=200     a is resized in place
 *   !a100, !a100@64, !a=200                   the same, and must be refused
 */
struct script_blocks {
    uint8_t *address['z' + 1]; /* of each name; NULL: not live */
};

/* Makes the calls; the oracle judges the heap after each. Fails the test if one goes wrong. */
void script_run(struct oracle *oracle, struct script_blocks *blocks, const char *script);

/* Returns: a heap of tested_strategy, made by a script; for host_heap_delete(). */
struct host_heap *script_heap(uint32_t map_bytes, struct script_blocks *blocks,
                              const char *script);

struct script_row {
    const char *claim;
    uint32_t map_bytes;
    const char *script;
    const char *picture;
};

/* Runs each row's script on a fresh heap, and compares the pictures (picture.h). */
void script_table(const struct script_row *rows, size_t count);

#endif
