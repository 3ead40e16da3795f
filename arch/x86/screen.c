/* SPDX-License-Identifier: MIT */
/*
 * What is on the screen is kept in memory as well, so that nothing is ever read from it, and
 * scrolling writes only what changes.
 */
#include "screen.h"

#include "font.h"
#include "framebuffer.h"
#include "ports.h"

enum { COLUMNS = 80, ROWS = 25, COLUMNS_MAX = 256, ROWS_MAX = 128 };
enum { LIGHT_GREY_ON_BLACK = 0x07, ROW_POINTS = 16 };
enum { INK = 0xd8d8d8, PAPER = 0x101418, CURSOR_INK = 0xffc040 };
enum { CRTC_INDEX = 0x3d4, CRTC_DATA = 0x3d5, CURSOR_HIGH = 14, CURSOR_LOW = 15 };

enum kind { TEXT, POINTS, NONE };

static volatile uint16_t *const cells = (volatile uint16_t *)0xb8000;

static enum kind kind;
static uint32_t columns, rows;
static char shown[ROWS_MAX][COLUMNS_MAX];
static uint32_t row, column;                   /* of the next character */
static uint32_t cursor_row, cursor_column;     /* where the cursor is shown */
static uint32_t room_left;                     /* 0: there is no room for pictures */

/* --- single characters ----------------------------------------------------------------------- */

static void draw(uint32_t at_row, uint32_t at_column)
{
    char character = shown[at_row][at_column];
    if (kind == TEXT)
        cells[at_row * columns + at_column] =
            (uint16_t)(LIGHT_GREY_ON_BLACK << 8 | (uint8_t)character);
    else if (kind == POINTS)
        framebuffer_character(at_column * FONT_WIDTH, at_row * ROW_POINTS + 1, character, INK,
                              PAPER);
}

static void set(uint32_t at_row, uint32_t at_column, char character)
{
    if (shown[at_row][at_column] == character)
        return;
    shown[at_row][at_column] = character;
    draw(at_row, at_column);
}

static void clear_row(uint32_t at_row)
{
    for (uint32_t i = 0; i < columns; i++)
        set(at_row, i, ' ');
}

static void draw_all(void)
{
    for (uint32_t i = 0; i < rows; i++)
        for (uint32_t j = 0; j < columns; j++)
            draw(i, j);
}

static void hide_cursor(void)
{
    if (kind == POINTS)
        framebuffer_fill(cursor_column * FONT_WIDTH, (cursor_row + 1) * ROW_POINTS - 2,
                         FONT_WIDTH, 2, PAPER);
}

/* --- which screen -------------------------------------------------------------------------------- */

void screen_init(void)
{
    kind = TEXT;
    columns = COLUMNS;
    rows = ROWS;
    for (uint32_t i = 0; i < ROWS_MAX; i++)
        for (uint32_t j = 0; j < COLUMNS_MAX; j++)
            shown[i][j] = ' ';
    draw_all();
}

static uint32_t at_most(uint32_t number, uint32_t most)
{
    return number < most ? number : most;
}

static void use_points(void)
{
    kind = POINTS;
    columns = at_most(framebuffer_width() / FONT_WIDTH, COLUMNS_MAX);
    rows = at_most(framebuffer_height() / ROW_POINTS, ROWS_MAX);
    framebuffer_fill(0, 0, framebuffer_width(), framebuffer_height(), PAPER);
    draw_all();
}

void screen_use(const struct boot_info *info)
{
    if (!info->graphics_screen)
        return;
    kind = NONE;
    if (framebuffer_use(&info->framebuffer) && framebuffer_width() >= COLUMNS * FONT_WIDTH &&
        framebuffer_height() >= ROWS * ROW_POINTS)
        use_points();
}

bool screen_leave_room(uint32_t *width, uint32_t *height)
{
    if (kind != POINTS || columns <= COLUMNS)
        return false;
    for (uint32_t i = 0; i < rows; i++)
        clear_row(i);
    hide_cursor();
    row = column = 0;
    columns = COLUMNS - 1; /* and a little space between the two */
    room_left = COLUMNS * FONT_WIDTH;
    *width = framebuffer_width() - room_left;
    *height = framebuffer_height();
    framebuffer_fill(room_left, 0, *width, *height, PAPER);
    return true;
}

uint32_t screen_room_left(void)
{
    return room_left;
}

/* --- writing ------------------------------------------------------------------------------------ */

static void scroll(void)
{
    for (uint32_t i = 0; i + 1 < rows; i++)
        for (uint32_t j = 0; j < columns; j++)
            set(i, j, shown[i + 1][j]);
    clear_row(--row);
}

void screen_show_cursor(void)
{
    hide_cursor();
    cursor_row = row;
    cursor_column = column;
    if (kind == POINTS)
        framebuffer_fill(column * FONT_WIDTH, (row + 1) * ROW_POINTS - 2, FONT_WIDTH, 2,
                         CURSOR_INK);
    if (kind != TEXT)
        return;
    port_write_byte(CRTC_INDEX, CURSOR_HIGH);
    port_write_byte(CRTC_DATA, (uint8_t)((row * columns + column) >> 8));
    port_write_byte(CRTC_INDEX, CURSOR_LOW);
    port_write_byte(CRTC_DATA, (uint8_t)(row * columns + column));
}

static void next_row(void)
{
    column = 0;
    if (++row == rows)
        scroll();
}

static void put_visible(char character)
{
    set(row, column, character);
    if (++column == columns)
        next_row();
}

static void go_back(void)
{
    if (column > 0)
        column--;
    else if (row > 0)
        row--, column = columns - 1;
}

void screen_put(char character)
{
    if (kind == NONE)
        return;
    if (character == '\b')
        go_back();
    else if (character == '\n')
        next_row();
    else
        put_visible(character);
    if (character == '\n')
        screen_show_cursor();
}
