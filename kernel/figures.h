/* SPDX-License-Identifier: MIT */
/* Figures over the costs of single operations. */
#ifndef KERNEL_FIGURES_H
#define KERNEL_FIGURES_H

#include "replay.h"

/*
 * Fills in replay's cost, malloc and free from costs, one for each of the operations
 * that were replayed. work: room for as many more.
 */
void figures_compute(const struct trace *trace, const uint32_t *costs, uint32_t *work,
                     struct replay *replay);

#endif
