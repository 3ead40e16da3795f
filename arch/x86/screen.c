/* SPDX-License-Identifier: MIT */
#include "screen.h"

#include <stdint.h>

#include "ports.h"

enum { COLUMNS = 80, ROWS = 25, LIGHT_GREY_ON_BLACK = 0x07 };

enum { CRTC_INDEX = 0x3d4, CRTC_DATA = 0x3d5, CURSOR_HIGH = 14, CURSOR_LOW = 15 };

static volatile uint16_t *const cells = (volatile uint16_t *)0xb8000;

static bool in_use = true;
static uint32_t cursor; /* index into cells, below ROWS * COLUMNS */

static uint16_t cell(char character)
{
    return (uint16_t)(LIGHT_GREY_ON_BLACK << 8 | (uint8_t)character);
}

static void clear(uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        cells[i] = cell(' ');
}

static void scroll(void)
{
    for (uint32_t i = 0; i < (ROWS - 1) * COLUMNS; i++)
        cells[i] = cells[i + COLUMNS];
    clear((ROWS - 1) * COLUMNS, ROWS * COLUMNS);
    cursor -= COLUMNS;
}

void screen_show_cursor(void)
{
    if (!in_use)
        return;
    port_write_byte(CRTC_INDEX, CURSOR_HIGH);
    port_write_byte(CRTC_DATA, (uint8_t)(cursor >> 8));
    port_write_byte(CRTC_INDEX, CURSOR_LOW);
    port_write_byte(CRTC_DATA, (uint8_t)cursor);
}

void screen_init(void)
{
    cursor = 0;
    clear(0, ROWS * COLUMNS);
}

void screen_use(bool is_there)
{
    in_use = is_there;
}

void screen_put(char character)
{
    if (!in_use)
        return;
    if (character == '\n')
        cursor += COLUMNS - cursor % COLUMNS;
    else if (character == '\b')
        cursor -= cursor > 0;
    else
        cells[cursor++] = cell(character);
    if (cursor >= ROWS * COLUMNS)
        scroll();
    if (character == '\n')
        screen_show_cursor();
}
