/* SPDX-License-Identifier: MIT */
/*
 * Work done by a process of its own, whatever becomes of it: a strategy may fault, damage
 * what it likes, or never come back.
 */
#ifndef TESTS_APART_H
#define TESTS_APART_H

#include <stdbool.h>
#include <stdint.h>

enum apart_end { APART_DONE, APART_GAVE_UP, APART_FAULT, APART_HANG };

/* What the work uses up of a processor's time from one apart_renew() to the next, at most. */
enum { APART_MILLISECONDS = 500 };

/* Returns: memory, all zero, that the process shares with whoever starts it; never freed. */
void *apart_share(uint32_t bytes);

/*
 * Does the work, and waits for its end. What a sanitizer says of a fault goes to standard
 * error unless quiet.
 * Returns: DONE iff work returned, GAVE_UP iff it called apart_give_up(), HANG iff it took
 * longer than it may.
 */
enum apart_end apart_run(void (*work)(void *context), void *context, bool quiet);

/* For work that comes further. */
void apart_renew(void);

_Noreturn void apart_give_up(void);

#endif
