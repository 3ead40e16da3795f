/* SPDX-License-Identifier: MIT */
/* How little memory would do? */
#ifndef ARCH_HOST_SMALLEST_H
#define ARCH_HOST_SMALLEST_H

#include "trace.h"

/*
 * Searches the smallest region with which trace runs without a failure: from what is live at
 * once upwards to one that fits, by bisection below that, and then by trying the 16 next
 * smaller sizes, again whenever one of them fits: with some strategies a trace fits a region
 * and does not fit a larger one.
 * Requires: blocks holds trace->id_count elements; see replay_fits().
 * Returns: its bytes, side array included; 0 iff the trace fits no region up to 65 MiB.
 */
struct player_block;
uint32_t smallest_total_bytes(const struct trace *trace, struct player_block *blocks);

#endif
