/* SPDX-License-Identifier: MIT */
/*
 * How many holes does a search look at? The books count in these steps, not in instructions.
 *
 * A strategy that looks at its holes one by one calls heap_step() at the one place where it
 * does. In kernels, and wherever else nobody asked, the call is empty and leaves no code
 * behind: a test compiles each strategy with and without it and compares. A program that counts
 * is compiled with -DHEAP_COUNTS_STEPS and defines heap_steps.
 */
#ifndef MM_HEAP_STEP_H
#define MM_HEAP_STEP_H

#include <stdint.h>

#ifdef HEAP_COUNTS_STEPS
extern uint64_t heap_steps;

/* A search has looked at so many more holes, be they too small or not, or at its list's head. */
static inline void heap_step(uint32_t holes)
{
    heap_steps += holes;
}
#else
static inline void heap_step(uint32_t holes)
{
    (void)holes;
}
#endif

#endif
