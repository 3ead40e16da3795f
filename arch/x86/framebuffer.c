/* SPDX-License-Identifier: MIT */
/* Points are only ever written: to read from a framebuffer is slow on real machines. */
#include "framebuffer.h"

#include "font.h"

enum { BYTE_BITS = 8, COLOUR_BITS = 8, POINT_BITS_MIN = 24, POINT_BITS_MAX = 32 };

static struct boot_framebuffer screen;
static uint32_t point_bytes; /* 3 or 4 */

static bool is_known_colour(const struct boot_colour *colour, uint32_t point_bits)
{
    return colour->bits == COLOUR_BITS && colour->position <= point_bits - COLOUR_BITS;
}

static bool is_known(const struct boot_framebuffer *framebuffer)
{
    uint32_t bits = framebuffer->bits_per_point;
    return (bits == POINT_BITS_MIN || bits == POINT_BITS_MAX) &&
           is_known_colour(&framebuffer->red, bits) && is_known_colour(&framebuffer->green, bits) &&
           is_known_colour(&framebuffer->blue, bits);
}

/* Of what lies above 4 GiB nothing can be seen here. */
static bool is_within_reach(const struct boot_framebuffer *framebuffer)
{
    uint64_t bytes = (uint64_t)framebuffer->pitch_bytes * framebuffer->height;
    return framebuffer->address != 0 && framebuffer->address <= UINT32_MAX &&
           bytes <= UINT32_MAX - framebuffer->address &&
           framebuffer->width <=
               framebuffer->pitch_bytes / (framebuffer->bits_per_point / BYTE_BITS);
}

bool framebuffer_use(const struct boot_framebuffer *framebuffer)
{
    if (!is_known(framebuffer) || !is_within_reach(framebuffer))
        return false;
    screen = *framebuffer;
    point_bytes = screen.bits_per_point / BYTE_BITS;
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

static uintptr_t place_of(uint32_t x, uint32_t y)
{
    return (uintptr_t)screen.address + y * screen.pitch_bytes + x * point_bytes;
}

/* Of three bytes none is written beyond: there the next point lies, or nothing. */
static void put(uintptr_t place, uint32_t point)
{
    if (point_bytes == sizeof(point)) {
        *(volatile uint32_t *)place = point;
        return;
    }
    *(volatile uint16_t *)place = (uint16_t)point;
    *(volatile uint8_t *)(place + 2) = (uint8_t)(point >> 16);
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
        uintptr_t place = place_of(x, y + line);
        for (uint32_t i = 0; i < width; i++, place += point_bytes)
            put(place, point);
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
        uintptr_t place = place_of(x, y + line);
        for (uint32_t i = 0; i < FONT_WIDTH; i++, place += point_bytes)
            put(place, (glyph[line] & 0x80 >> i) != 0 ? ink : paper);
    }
}
