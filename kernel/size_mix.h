/* SPDX-License-Identifier: MIT */
/* How large the requests of a synthetic workload are. */
#ifndef KERNEL_SIZE_MIX_H
#define KERNEL_SIZE_MIX_H

#include "random.h"
#include "text.h"

struct size_mix {
    const char *name; /* NULL ends a table */
    uint32_t mean_bytes;
    uint32_t max_bytes;
    uint32_t (*draw)(struct random *random); /* bytes, 1 to max_bytes */
};

/*
 * kernel:  log-normal, at least 8 bytes and at most 4096: median 100, mean 167, 90 % up to 373,
 *          much as the recorded kernels ask for;
 * small:   8 to 64 bytes, all equally likely;
 * uniform: 1 to 1024 bytes, all equally likely;
 * power:   16 bytes to 64 KiB, twice the size half as likely to be reached (bounded Pareto, alpha 1);
 * large:   1 to 16 KiB, all equally likely;
 * words:   1 to 1999, all equally likely;
 * eight:   eight sizes from 24 to 1000, all equally likely;
 * s1:      100 to 2000, all equally likely;
 * s2:      1, 2, 4, ... 512, each half as likely as the one before, but the last;
 * s3:      22 sizes from 10 to 4000, all equally likely, most of them below 100;
 * larson:  8 to 999 bytes, all equally likely (Larson and Krishnan, ISMM 1998);
 * halving: 5 to 1024 bytes, a doubling half as likely as the one before (alloc-test, 2018).
 * s1, s2 and s3 are Knuth's (The Art of Computer Programming 1, 2.5); they and words are meant
 * to be scaled.
 */
extern const struct size_mix size_mixes[];

/* Returns: the mix called name; NULL iff there is none. */
const struct size_mix *size_mix_named(struct text name);

#endif
