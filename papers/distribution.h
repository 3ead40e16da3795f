/* SPDX-License-Identifier: MIT */
/* Sizes of any mean, drawn with integers alone: every machine draws the same. */
#ifndef PAPERS_DISTRIBUTION_H
#define PAPERS_DISTRIBUTION_H

#include "random.h"

enum { DISTRIBUTION_MEAN_MAX = 65536 };

struct distribution {
    const char *name; /* NULL ends the table */
    uint32_t (*draw)(uint32_t mean, struct random *random);
};

/*
 * exponential;
 * hyperexponential: of two exponential ones, with a variance of four times the mean's square;
 * uniform:          from 1 to twice the mean less 1;
 * normal:           with a deviation of a quarter of the mean.
 * Returns: NULL iff there is none of that name.
 */
const struct distribution *distribution_named(const char *name);

/* Returns: a size, at least 1. Requires: 1 <= mean <= DISTRIBUTION_MEAN_MAX. */
uint32_t distribution_draw(const struct distribution *distribution, uint32_t mean,
                           struct random *random);

/* Returns: 65536 times the binary logarithm of value, rounded down. Requires: value > 0. */
uint32_t log2_in_65536ths(uint32_t value);

#endif
