/* SPDX-License-Identifier: MIT */
/* The VGA text screen, 80 by 25. */
#ifndef ARCH_X86_SCREEN_H
#define ARCH_X86_SCREEN_H

#include <stdbool.h>

/* Clears the screen and starts at its top. */
void screen_init(void);

/* Says whether there is a text screen at all; until then, there is. */
void screen_use(bool is_there);

/*
 * Writes a character; scrolls at the bottom. Of the control characters it knows
 * '\n' and '\b', which goes back by one and deletes nothing.
 */
void screen_put(char character);

/* Shows where the next character will be. */
void screen_show_cursor(void);

#endif
