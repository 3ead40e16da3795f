/* SPDX-License-Identifier: MIT */
/* Points are only ever written: to read from a framebuffer is slow on real machines. */
#include "framebuffer.h"

#include "font.h"

enum { BITS_PER_POINT = 32, POINT_BYTES = 4, COLOUR_BITS = 8, POSITION_MAX = 24 };

static struct boot_framebuffer screen;

static bool is_known_colour(const struct boot_colour *colour)
{
    return colour->bits == COLOUR_BITS && colour->position <= POSITION_MAX;
}

/* Of what lies above 4 GiB nothing can be seen here. */
static bool is_within_reach(const struct boot_framebuffer *framebuffer)
{
    uint64_t bytes = (uint64_t)framebuffer->pitch_bytes * framebuffer->height;
    return framebuffer->address != 0 && framebuffer->address + bytes <= UINT32_MAX &&
           framebuffer->width <= framebuffer->pitch_bytes / POINT_BYTES;
}

bool framebuffer_use(const struct boot_framebuffer *framebuffer)
{
    if (framebuffer->bits_per_point != BITS_PER_POINT || !is_known_colour(&framebuffer->red) ||
        !is_known_colour(&framebuffer->green) || !is_known_colour(&framebuffer->blue) ||
        !is_within_reach(framebuffer))
        return false;
    screen = *framebuffer;
    return true;
}

uint32_t framebuffer_width(void)
{
    return screen.width;
}

uint32_t framebuffer_height(void)
{
    return screen.height;
}

static uint32_t point_of(uint32_t colour)
{
    return (colour >> 16 & 0xff) << screen.red.position |
           (colour >> 8 & 0xff) << screen.green.position | (colour & 0xff) << screen.blue.position;
}

static volatile uint32_t *row_at(uint32_t x, uint32_t y)
{
    uintptr_t row = (uintptr_t)screen.address + y * screen.pitch_bytes;
    return (volatile uint32_t *)row + x;
}

static uint32_t clipped(uint32_t from, uint32_t length, uint32_t end)
{
    if (from >= end)
        return 0;
    return length < end - from ? length : end - from;
}

void framebuffer_fill(uint32_t x, uint32_t y, uint32_t width, uint32_t height, uint32_t colour)
{
    uint32_t point = point_of(colour);
    width = clipped(x, width, screen.width);
    height = clipped(y, height, screen.height);
    for (uint32_t line = 0; line < height; line++) {
        volatile uint32_t *row = row_at(x, y + line);
        for (uint32_t i = 0; i < width; i++)
            row[i] = point;
    }
}

static const uint8_t *glyph_of(char character)
{
    uint32_t index = (uint8_t)character - (uint32_t)FONT_FIRST;
    return font[index < FONT_CHARACTERS ? index : 0];
}

void framebuffer_character(uint32_t x, uint32_t y, char character, uint32_t colour,
                           uint32_t background)
{
    const uint8_t *glyph = glyph_of(character);
    uint32_t ink = point_of(colour), paper = point_of(background);
    if (clipped(x, FONT_WIDTH, screen.width) < FONT_WIDTH ||
        clipped(y, FONT_HEIGHT, screen.height) < FONT_HEIGHT)
        return;
    for (uint32_t line = 0; line < FONT_HEIGHT; line++) {
        volatile uint32_t *row = row_at(x, y + line);
        for (uint32_t i = 0; i < FONT_WIDTH; i++)
            row[i] = (glyph[line] & 0x80 >> i) != 0 ? ink : paper;
    }
}
