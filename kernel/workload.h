/* SPDX-License-Identifier: MIT */
/*
 * Synthetic workloads: traces made from a name and a seed, the same on every machine.
 *
 * A name is that of a family and, behind dashes, what the family takes, as in churn-kernel-85.
 * docs/runner.md has the list; the families themselves are in the files workload_*.c.
 */
#ifndef KERNEL_WORKLOAD_H
#define KERNEL_WORKLOAD_H

#include "trace.h"

/*
 * Makes the workload called name for a heap of so many bytes, side array not counted.
 * operations_max: how many operations to make at most after those that build the state to
 * be measured; a fill has no such limit.
 * Memory: scratch_alloc(), about 50 bytes for each live block, and 12 an operation.
 * Returns: NULL and *trace filled in; else what is wrong, in words, valid until the next call.
 */
const char *workload_make(struct text name, uint32_t seed, uint32_t heap_bytes,
                          uint32_t operations_max, struct trace *trace);

#endif
