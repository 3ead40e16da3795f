/* SPDX-License-Identifier: MIT */
/*
 * Several processors at once, as the kernel asks the machine for them: on a PC its processors, on
 * the host threads, which nothing interrupts.
 */
#ifndef KERNEL_TOGETHER_H
#define KERNEL_TOGETHER_H

#include <stdint.h>

enum { TOGETHER_MAX = 8 };

/* Has that many processors do work, each with its number, from 0 on; waits for the last. */
void together_do(uint32_t count, void (*work)(uint32_t index));

/* Returns: the number of the processor that this runs on. */
uint32_t together_index(void);

/* For who waits: lets another processor run, where several share one. */
void together_pause(void);

/* Returns: the time, in ticks of the machine's clock. */
uint64_t together_clock(void);

/* Hears of an interrupt, with interrupts kept out. where: the instruction it came before. */
typedef void together_handler(const void *where);

/* From here on, handler hears of interrupts. */
void together_hear(together_handler *handler);

/* One comes to this processor after so many ticks. 0: none comes, and interrupts are kept out. */
void together_interrupt_after(uint32_t ticks);

/* Lets interrupts in, on this processor. */
void together_let_in(void);

/* Keeps them out. */
void together_keep_out(void);

/* Stops all others where they are, for good. */
void together_stop_others(void);

#endif
