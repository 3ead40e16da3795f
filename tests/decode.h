/* SPDX-License-Identifier: MIT */
/* Bytes, made up by whomever, turned into calls that can be made. */
#ifndef TESTS_DECODE_H
#define TESTS_DECODE_H

#include "caller.h"

enum {
    DECODE_BYTES = 4, /* of a call */
    DECODE_HEAPS = 8, /* sizes of heaps */
};

/*
 * Decodes DECODE_BYTES bytes: requests of all sizes and alignments, frees, and addresses
 * that are wrong, where the strategy refuses them.
 * Returns: whether *call can be made in the state that the caller is in.
 */
bool decode_call(const struct caller *caller, const uint8_t *bytes, struct call *call);

/* Returns: the bytes of side array of the heap that a byte chooses, byte % DECODE_HEAPS. */
uint32_t decode_map_bytes(uint8_t byte);

#endif
