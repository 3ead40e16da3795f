/* SPDX-License-Identifier: MIT */
/* 64-bit division, which a 32-bit processor has no instruction for. */
#ifndef KERNEL_ARITHMETIC_H
#define KERNEL_ARITHMETIC_H

#include <stdint.h>

/*
 * Divides by long division in base 65536 (Knuth, TAOCP 2, 4.3.1, exercise 16).
 * Requires: 1 <= divisor <= 65536 (so that a partial remainder and the next digit
 * fit 32 bits). Returns: the quotient; *remainder, if not NULL, gets the rest.
 */
uint64_t divide_by_small(uint64_t dividend, uint32_t divisor, uint32_t *remainder);

/* Returns: dividend / divisor for any divisor >= 1. Cost: 64 steps. */
uint64_t divide(uint64_t dividend, uint32_t divisor);

#endif
