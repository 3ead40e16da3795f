/* SPDX-License-Identifier: MIT */
/*
 * Synthetic workloads: traces made from a name and a seed, the same on every machine.
 *
 * A name is FAMILY-MIX or FAMILY-MIX-PERCENT, as in churn-kernel-85:
 *
 *   churn   blocks are allocated and random ones freed, so that PERCENT of the heap stays
 *           requested; what fills the heap to that point is not measured
 *   fifo    the same, but the oldest block is freed
 *   lifo    a stack that grows and shrinks, the newest block freed first, up to PERCENT
 *   ramp    ramp, peaks, plateau (Wilson et al. 1995, section 2.4): grows to half of PERCENT,
 *           then peaks to PERCENT and back eight times, then churns there, then frees it all
 *   fill    two allocations, then a random free, until the first failure; no PERCENT
 *
 * MIX is one of size_mix.h; PERCENT is 1 to 99, and 50 if it is left away.
 */
#ifndef KERNEL_WORKLOAD_H
#define KERNEL_WORKLOAD_H

#include "trace.h"

/*
 * Makes the workload called name for a heap of so many bytes, side array not counted.
 * operations_max: how many operations to make at most after those that build the state to
 * be measured; a fill has no such limit.
 * Memory: scratch_alloc(), about 40 bytes for each block that the heap holds, and 12 an
 * operation.
 * Returns: NULL and *trace filled in; else what is wrong, in words, valid until the next call.
 */
const char *workload_make(struct text name, uint32_t seed, uint32_t heap_bytes,
                          uint32_t operations_max, struct trace *trace);

#endif
