/* SPDX-License-Identifier: MIT */
#include "distribution.h"

#include <stddef.h>
#include <string.h>

enum {
    FRACTION_BITS = 16,
    ONE = 1 << FRACTION_BITS,
    LN_2 = 45426, /* in 1/65536 */
    /* Of the hyperexponential: 887 in 1000 have a mean of 0.5636 of the whole's, 113 of 4.4254. */
    FREQUENT_PERMILLE = 887,
    FREQUENT_MEAN = 36938,
    RARE_MEAN = 290023,
};

/* Squaring a number doubles its logarithm, of which each time one more bit shows. */
uint32_t log2_in_65536ths(uint32_t value)
{
    uint32_t log2 = 31 - (uint32_t)__builtin_clz(value);
    uint64_t mantissa = (uint64_t)value << (31 - log2); /* 1 to 2, in 1/2^31 */
    for (int bit = 0; bit < FRACTION_BITS; bit++) {
        mantissa = mantissa * mantissa >> 31;
        uint32_t carry = (uint32_t)(mantissa >> 32);
        log2 = log2 << 1 | carry;
        mantissa >>= carry;
    }
    return log2;
}

/* Returns: an exponentially distributed number of mean 1, in 1/65536. */
static uint32_t draw_standard_exponential(struct random *random)
{
    uint64_t log2 = 32U * ONE - log2_in_65536ths(random_word(random) | 1);
    return (uint32_t)(log2 * LN_2 >> FRACTION_BITS);
}

/* mean: in 1/65536. */
static uint32_t draw_with_mean(uint64_t mean, struct random *random)
{
    return (uint32_t)((mean * draw_standard_exponential(random) + (1ULL << 31)) >> 32);
}

static uint32_t draw_exponential(uint32_t mean, struct random *random)
{
    return draw_with_mean((uint64_t)mean * ONE, random);
}

static uint32_t draw_hyperexponential(uint32_t mean, struct random *random)
{
    uint64_t part = random_below(random, 1000) < FREQUENT_PERMILLE ? FREQUENT_MEAN : RARE_MEAN;
    return draw_with_mean(mean * part, random);
}

static uint32_t draw_uniform(uint32_t mean, struct random *random)
{
    return 1 + random_below(random, 2 * mean - 1);
}

/* The sum of twelve uniform numbers, less 6, has a mean of 0 and a deviation of 1. */
static uint32_t draw_normal(uint32_t mean, struct random *random)
{
    int64_t sum = -6 * ONE;
    for (int i = 0; i < 12; i++)
        sum += random_word(random) >> (32 - FRACTION_BITS);
    int64_t size = mean + ((sum * mean / 4) >> FRACTION_BITS);
    return size < 1 ? 1 : (uint32_t)size; /* four deviations from the mean is nothing */
}

static const struct distribution distributions[] = {
    {"exponential", draw_exponential},
    {"hyperexponential", draw_hyperexponential},
    {"uniform", draw_uniform},
    {"normal", draw_normal},
    {NULL, NULL},
};

const struct distribution *distribution_named(const char *name)
{
    for (const struct distribution *one = distributions; one->name != NULL; one++)
        if (strcmp(one->name, name) == 0)
            return one;
    return NULL;
}

uint32_t distribution_draw(const struct distribution *distribution, uint32_t mean,
                           struct random *random)
{
    uint32_t size = distribution->draw(mean, random);
    return size == 0 ? 1 : size;
}
