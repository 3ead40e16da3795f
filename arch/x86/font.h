/* SPDX-License-Identifier: MIT */
/* What characters look like where the screen shows points, not text. */
#ifndef ARCH_X86_FONT_H
#define ARCH_X86_FONT_H

#include <stdint.h>

enum { FONT_WIDTH = 8, FONT_HEIGHT = 13, FONT_FIRST = ' ', FONT_CHARACTERS = '~' - ' ' + 1 };

extern const uint8_t font[FONT_CHARACTERS][FONT_HEIGHT];

#endif
