/* SPDX-License-Identifier: MIT */
/*
 * What every kernel heap must do, as tests through the public interface (heap.h).
 * They run in the kernel at boot, as TAP, and in the host build of the same code.
 */
#ifndef KERNEL_HEAP_TESTS_H
#define KERNEL_HEAP_TESTS_H

#include <stdint.h>

struct heap_test {
    const char *name; /* a claim: "free_makes_the_memory_usable_again" */

    /*
     * Starts from a fresh heap (calls kinitHeap()) and tries the claim.
     * Returns: NULL if it holds; else what is wrong, in words, valid until the next
     * test; a text that starts with "SKIP " where the strategy's traits exempt it.
     */
    const char *(*run)(uint32_t seed);
};

extern const struct heap_test heap_tests[];
extern const uint32_t heap_tests_count;

#endif
