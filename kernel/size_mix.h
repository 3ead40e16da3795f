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
 * large:   1 to 16 KiB, all equally likely.
 */
extern const struct size_mix size_mixes[];

/* Returns: the mix called name; NULL iff there is none. */
const struct size_mix *size_mix_named(struct text name);

#endif
