/* SPDX-License-Identifier: MIT */
#include "arithmetic.h"

#include <stddef.h>

enum { DIGIT_BITS = 16, DIGITS = 4, DIGIT_MASK = (1 << DIGIT_BITS) - 1 };

uint64_t divide_by_small(uint64_t dividend, uint32_t divisor, uint32_t *remainder)
{
    uint64_t quotient = 0;
    uint32_t rest = 0;
    for (int digit = DIGITS - 1; digit >= 0; digit--) {
        uint32_t next = (uint32_t)(dividend >> (digit * DIGIT_BITS)) & DIGIT_MASK;
        uint32_t part = rest << DIGIT_BITS | next;
        quotient = quotient << DIGIT_BITS | part / divisor;
        rest = part % divisor;
    }
    if (remainder != NULL)
        *remainder = rest;
    return quotient;
}

uint64_t divide(uint64_t dividend, uint32_t divisor)
{
    uint64_t quotient = 0;
    uint64_t rest = 0;
    for (int bit = 63; bit >= 0; bit--) {
        rest = rest << 1 | (dividend >> bit & 1);
        quotient <<= 1;
        if (rest >= divisor) {
            rest -= divisor;
            quotient |= 1;
        }
    }
    return quotient;
}
