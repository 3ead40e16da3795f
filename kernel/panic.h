/* SPDX-License-Identifier: MIT */
/* The end of the road. */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

/*
 * Says "panic: " and the formatted reason on every console, with a backtrace where
 * the machine can give one, and stops the machine with MACHINE_PANICKED.
 */
__attribute__((noreturn, format(printf, 1, 2))) void panic(const char *format, ...);

/* From here on, a panic also calls tell, the last thing before it stops the machine. */
void panic_tells(void (*tell)(void));

#endif
