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
    WORDS_MAX = 1999,
    S1_MIN = 100,
    S1_MAX = 2000,
    S2_LOG2_MAX = 9,
    LARSON_MIN = 8,
    LARSON_MAX = 999,
    HALVING_LOG2_MIN = 2,
    HALVING_LOG2_MAX = 9,
};

static const uint16_t eight_sizes[] = {24, 40, 72, 120, 200, 344, 600, 1000};
static const uint16_t s3_sizes[] = {10, 12, 14, 16, 18, 20, 30, 40, 50, 60, 70, 80, 90, 100, 150,
                                    200, 250, 500, 1000, 2000, 3000, 4000};

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

static uint32_t draw_words(struct random *random)
{
    return draw_between(random, 1, WORDS_MAX);
}

static uint32_t draw_eight(struct random *random)
{
    return eight_sizes[random_below(random, sizeof(eight_sizes) / sizeof(eight_sizes[0]))];
}

static uint32_t draw_s1(struct random *random)
{
    return draw_between(random, S1_MIN, S1_MAX);
}

/* Returns: 0 half of the time, 1 half of the rest, and so on up to max. */
static uint32_t draw_halving_number(struct random *random, uint32_t max)
{
    return (uint32_t)__builtin_ctz(random_word(random) | 1U << max);
}

static uint32_t draw_s2(struct random *random)
{
    return 1U << draw_halving_number(random, S2_LOG2_MAX);
}

static uint32_t draw_s3(struct random *random)
{
    return s3_sizes[random_below(random, sizeof(s3_sizes) / sizeof(s3_sizes[0]))];
}

static uint32_t draw_larson(struct random *random)
{
    return draw_between(random, LARSON_MIN, LARSON_MAX);
}

static uint32_t draw_halving(struct random *random)
{
    uint32_t log2 = HALVING_LOG2_MIN +
                    draw_halving_number(random, HALVING_LOG2_MAX - HALVING_LOG2_MIN);
    return draw_between(random, (1U << log2) + 1, 2U << log2);
}

const struct size_mix size_mixes[] = {
    {"kernel", 167, KERNEL_MAX, draw_kernel},
    {"small", (SMALL_MIN + SMALL_MAX) / 2, SMALL_MAX, draw_small},
    {"uniform", UNIFORM_MAX / 2, UNIFORM_MAX, draw_uniform},
    {"power", 133, POWER_MAX, draw_power},
    {"large", (LARGE_MIN + LARGE_MAX) / 2, LARGE_MAX, draw_large},
    {"words", (1 + WORDS_MAX) / 2, WORDS_MAX, draw_words},
    {"eight", 300, 1000, draw_eight},
    {"s1", (S1_MIN + S1_MAX) / 2, S1_MAX, draw_s1},
    {"s2", 6, 1 << S2_LOG2_MAX, draw_s2},
    {"s3", 532, 4000, draw_s3},
    {"larson", (LARSON_MIN + LARSON_MAX) / 2, LARSON_MAX, draw_larson},
    {"halving", 27, 2 << HALVING_LOG2_MAX, draw_halving},
    {NULL, 0, 0, NULL},
};

const struct size_mix *size_mix_named(struct text name)
{
    for (const struct size_mix *mix = size_mixes; mix->name != NULL; mix++)
        if (text_is(name, mix->name))
            return mix;
    return NULL;
}
