/* SPDX-License-Identifier: MIT */
/*
 * With integers alone, so that every machine draws the same sizes. A fraction "in 1/65536"
 * is a number of 16 bits before and 16 behind the point.
 */
#include "size_mix.h"

#include <stddef.h>

#include "arithmetic.h"

enum {
    ONE = 1 << 16, /* in 1/65536 */
    KERNEL_MEDIAN = 100,
    KERNEL_MIN = 8,
    KERNEL_MAX = 4096,
    /* The standard deviation of the size's logarithm to base 2: 1.472. */
    KERNEL_DEVIATION = 96470,
    SMALL_MIN = 8,
    SMALL_MAX = 64,
    UNIFORM_MAX = 1024,
    POWER_MIN = 16,
    POWER_MAX = 65536,
    LARGE_MIN = 1024,
    LARGE_MAX = 16384,
};

/* Returns: a number from first to last. */
static uint32_t draw_between(struct random *random, uint32_t first, uint32_t last)
{
    return first + random_below(random, last - first + 1);
}

/*
 * Returns: a normally distributed number of mean 0 and deviation 1, in 1/65536: the sum of
 * twelve uniform ones, less 6 (Knuth, TAOCP 2, 3.4.1, calls it good but for its tails).
 */
static int32_t draw_normal(struct random *random)
{
    int32_t sum = -6 * ONE;
    for (int i = 0; i < 12; i++)
        sum += (int32_t)(random_word(random) >> 16);
    return sum;
}

/* Requires: 0 <= fraction < ONE. Returns: 2^fraction in 1/65536, to 1 part in 8000. */
static uint32_t exp2_fraction(uint32_t fraction)
{
    uint64_t f = fraction;
    uint64_t sum = 5121;              /* 0.07814 */
    sum = 14823 + (sum * f >> 16);    /* 0.22618 */
    sum = 45559 + (sum * f >> 16);    /* 0.69518 */
    return ONE + (uint32_t)(sum * f >> 16);
}

static uint32_t draw_kernel(struct random *random)
{
    int64_t exponent = (int64_t)draw_normal(random) * KERNEL_DEVIATION >> 16;
    int32_t whole = (int32_t)(exponent >> 16);
    uint64_t size = (uint64_t)KERNEL_MEDIAN * exp2_fraction((uint32_t)exponent & (ONE - 1));
    size = whole < 0 ? size >> -whole : size << whole;
    size >>= 16;
    if (size < KERNEL_MIN)
        return KERNEL_MIN;
    return size > KERNEL_MAX ? KERNEL_MAX : (uint32_t)size;
}

static uint32_t draw_small(struct random *random)
{
    return draw_between(random, SMALL_MIN, SMALL_MAX);
}

static uint32_t draw_uniform(struct random *random)
{
    return draw_between(random, 1, UNIFORM_MAX);
}

/* The inverse of the distribution at a uniform u: min / (1 - u (1 - min / max)). */
static uint32_t draw_power(struct random *random)
{
    uint32_t u = random_word(random) | 1;
    uint32_t rest = 0U - (u - u / (POWER_MAX / POWER_MIN)); /* 1 - u (...), times 2^32 */
    return (uint32_t)divide((uint64_t)POWER_MIN << 32, rest);
}

static uint32_t draw_large(struct random *random)
{
    return draw_between(random, LARGE_MIN, LARGE_MAX);
}

const struct size_mix size_mixes[] = {
    {"kernel", 167, KERNEL_MAX, draw_kernel},
    {"small", (SMALL_MIN + SMALL_MAX) / 2, SMALL_MAX, draw_small},
    {"uniform", UNIFORM_MAX / 2, UNIFORM_MAX, draw_uniform},
    {"power", 133, POWER_MAX, draw_power},
    {"large", (LARGE_MIN + LARGE_MAX) / 2, LARGE_MAX, draw_large},
    {NULL, 0, 0, NULL},
};

const struct size_mix *size_mix_named(struct text name)
{
    for (const struct size_mix *mix = size_mixes; mix->name != NULL; mix++)
        if (text_is(name, mix->name))
            return mix;
    return NULL;
}
