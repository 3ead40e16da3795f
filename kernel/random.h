/* SPDX-License-Identifier: MIT */
/*
 * Reproducible random numbers: PCG32.
 *
 * Source: M. E. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good
 * Algorithms for Random Number Generation", Harvey Mudd College HMC-CS-2014-0905, 2014
 * (XSH-RR); D. Lemire, "Fast Random Integer Generation in an Interval", ACM TOMACS 29(1),
 * 2019, for the numbers below a limit, without its rejection: a number is at most
 * limit / 2^32 more likely than another.
 */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include <stdint.h>

#define RANDOM_MULTIPLIER 6364136223846793005ULL
#define RANDOM_INCREMENT 1442695040888963407ULL

struct random {
    uint64_t state;
};

/* Returns: a number of 32 bits, each as likely as any other. */
static inline uint32_t random_word(struct random *random)
{
    uint64_t state = random->state;
    random->state = state * RANDOM_MULTIPLIER + RANDOM_INCREMENT;
    uint32_t mixed = (uint32_t)((state >> 18 ^ state) >> 27);
    uint32_t turn = (uint32_t)(state >> 59);
    return mixed >> turn | mixed << (-turn & 31);
}

/* Returns: a sequence of its own for each seed. */
static inline struct random random_seeded(uint32_t seed)
{
    struct random random = {.state = seed + RANDOM_INCREMENT};
    random_word(&random); /* so that neighbouring seeds part */
    return random;
}

/* Requires: limit > 0. Returns: a number from 0 to limit - 1. */
static inline uint32_t random_below(struct random *random, uint32_t limit)
{
    return (uint32_t)((uint64_t)random_word(random) * limit >> 32);
}

#endif
