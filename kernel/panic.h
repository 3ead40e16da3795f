/* SPDX-License-Identifier: MIT */
/* The end of the road. */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

/*
 * Says "panic: " and the formatted reason on every console, with a backtrace where
 * the machine can give one, and stops the machine with MACHINE_PANICKED.
 */
__attribute__((noreturn, format(printf, 1, 2))) void panic(const char *format, ...);

/*
 * For who is about to explain what went wrong: the first processor that asks goes on; others
 * wait here, until its explanation stops the machine. Nothing interrupts either from here on: a
 * handler would go on using what is broken, or find the same, and wait for its own processor.
 */
void panic_one_at_a_time(void);

/* From here on, panic_last_words() calls tell. */
void panic_tells(void (*tell)(void));

/* The last thing in a panic before it stops the machine, whoever says why: once. */
void panic_last_words(void);

#endif
