/* SPDX-License-Identifier: MIT */
/* A screen of points that the boot loader set up; direct colour, 24 or 32 bits a point. */
#ifndef ARCH_X86_FRAMEBUFFER_H
#define ARCH_X86_FRAMEBUFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "boot_info.h"

/*
 * Uses the framebuffer from now on, if it is of a kind that is known here.
 * Requires: physical memory is mapped where it lies.
 * Returns: whether it is.
 */
bool framebuffer_use(const struct boot_framebuffer *framebuffer);

/* In points; 0 before framebuffer_use(). */
uint32_t framebuffer_width(void);
uint32_t framebuffer_height(void);

/* Fills a rectangle, as far as it lies on the screen. colour: 0xRRGGBB. */
void framebuffer_fill(uint32_t x, uint32_t y, uint32_t width, uint32_t height, uint32_t colour);

/*
 * Draws a character of font.h, and what is behind it. A character that the font has not is
 * a blank. Nothing is drawn of one that does not lie on the screen as a whole.
 */
void framebuffer_character(uint32_t x, uint32_t y, char character, uint32_t colour,
                           uint32_t background);

#endif
