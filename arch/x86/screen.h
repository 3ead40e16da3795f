/* SPDX-License-Identifier: MIT */
/*
 * The screen: a grid of characters on VGA's text screen, or drawn on a framebuffer; there,
 * the right part can be left to pictures.
 */
#ifndef ARCH_X86_SCREEN_H
#define ARCH_X86_SCREEN_H

#include <stdbool.h>

#include "boot_info.h"

/* Starts at the top of VGA's text screen, cleared. */
void screen_init(void);

/*
 * Goes on where the boot loader has set up another screen, with what was written so far: on
 * its framebuffer, or nowhere, if it shows neither text nor points of a kind that is known.
 */
void screen_use(const struct boot_info *info);

/*
 * Leaves the right part of a framebuffer to machine_canvas_fill() and its like, what 80
 * characters leave of each row; text begins anew in the left one, with 79.
 * Returns: whether there is such a part, and *width and *height, in points.
 */
bool screen_leave_room(uint32_t *width, uint32_t *height);

/* Where that part begins, in points from the left edge of the screen. */
uint32_t screen_room_left(void);

/*
 * Writes a character; scrolls at the bottom. Of the control characters it knows
 * '\n' and '\b', which goes back by one and deletes nothing.
 */
void screen_put(char character);

/* Shows where the next character will be. */
void screen_show_cursor(void);

#endif
