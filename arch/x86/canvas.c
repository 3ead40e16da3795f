/* SPDX-License-Identifier: MIT */
/* The part of the screen that is left to pictures, as machine.h describes it. */
#include "font.h"
#include "framebuffer.h"
#include "machine.h"
#include "screen.h"

bool machine_canvas_open(uint32_t *width, uint32_t *height)
{
    return screen_leave_room(width, height);
}

void machine_canvas_fill(uint32_t x, uint32_t y, uint32_t width, uint32_t height, uint32_t colour)
{
    framebuffer_fill(screen_room_left() + x, y, width, height, colour);
}

void machine_canvas_text(uint32_t x, uint32_t y, const char *text, uint32_t colour,
                         uint32_t background)
{
    for (; *text != '\0'; text++, x += FONT_WIDTH)
        framebuffer_character(screen_room_left() + x, y, *text, colour, background);
}
