/* SPDX-License-Identifier: MIT */
/* The programmable interval timer, as a clock to wait by. */
#ifndef ARCH_X86_PIT_H
#define ARCH_X86_PIT_H

#include <stdint.h>

/* Comes back after at least so long. Requires: 1 <= microseconds <= 50000. */
void pit_wait(uint32_t microseconds);

#endif
