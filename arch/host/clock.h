/* SPDX-License-Identifier: MIT */
/* The processor's own clock, for a Linux process that is asked to measure in cycles. */
#ifndef ARCH_HOST_CLOCK_H
#define ARCH_HOST_CLOCK_H

/* From now on measured calls have ticks: of the time-stamp counter, its reading included. */
void clock_use(void);

#endif
