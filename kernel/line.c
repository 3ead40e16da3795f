/* SPDX-License-Identifier: MIT */
#include "line.h"

#include <stddef.h>

#include "key.h"
#include "text.h"

static void echo_text(const struct line *line, const char *text)
{
    while (*text != '\0')
        line->echo(*text++);
}

static uint32_t length_of(const char *text)
{
    return (uint32_t)(text_of(text).end - text);
}

static void echo_times(const struct line *line, char character, uint32_t times)
{
    while (times-- > 0)
        line->echo(character);
}

/* Shows the line where an older state of it is shown: from the first difference on. */
static void show(struct line *line)
{
    uint32_t from = 0, shown_length = length_of(line->shown);
    while (from < line->shown_cursor && line->text[from] == line->shown[from])
        from++;
    uint32_t left = shown_length > line->length ? shown_length - line->length : 0;
    bool only_moves = from == line->cursor && text_is(text_of(line->text), line->shown);
    echo_times(line, '\b', line->shown_cursor - from);
    if (!only_moves) {
        echo_text(line, line->text + from);
        echo_times(line, ' ', left);
        echo_times(line, '\b', left + line->length - line->cursor);
    }
    __builtin_memcpy(line->shown, line->text, LINE_BYTES);
    line->shown_cursor = line->cursor;
}

static void show_prompt(struct line *line)
{
    echo_text(line, line->prompt);
    line->shown[0] = '\0';
    line->shown_cursor = 0;
    show(line);
}

/* --- editing ----------------------------------------------------------------------------- */

static void set_text(struct line *line, const char *text)
{
    line->length = length_of(text);
    __builtin_memmove(line->text, text, line->length + 1);
    line->cursor = line->length;
}

static void delete_from_to(struct line *line, uint32_t from, uint32_t to)
{
    __builtin_memmove(line->text + from, line->text + to, line->length - to + 1);
    line->length -= to - from;
    line->cursor = from;
}

static void insert(struct line *line, char character)
{
    if (line->length + 1 == LINE_BYTES)
        return;
    char *here = line->text + line->cursor;
    __builtin_memmove(here + 1, here, line->length - line->cursor + 1);
    *here = character;
    line->length++;
    line->cursor++;
}

static uint32_t start_of_word(const struct line *line)
{
    uint32_t start = line->cursor;
    while (start > 0 && text_is_blank(line->text[start - 1]))
        start--;
    while (start > 0 && !text_is_blank(line->text[start - 1]))
        start--;
    return start;
}

/* --- the lines before ---------------------------------------------------------------------- */

static const char *line_back(const struct line *line, uint32_t back)
{
    return line->history[(line->remembered - back) % LINE_HISTORY];
}

/* An empty line, or the same line again, is not worth remembering. */
static void remember(struct line *line)
{
    bool is_new = line->remembered == 0 || !text_is(text_of(line->text), line_back(line, 1));
    if (line->length > 0 && is_new)
        __builtin_memcpy(line->history[line->remembered++ % LINE_HISTORY], line->text,
                         LINE_BYTES);
}

static void go_back(struct line *line)
{
    uint32_t most = line->remembered < LINE_HISTORY ? line->remembered : LINE_HISTORY;
    if (line->back == most)
        return;
    if (line->back == 0)
        __builtin_memcpy(line->unfinished, line->text, LINE_BYTES);
    set_text(line, line_back(line, ++line->back));
}

static void go_forward(struct line *line)
{
    if (line->back == 0)
        return;
    line->back--;
    set_text(line, line->back == 0 ? line->unfinished : line_back(line, line->back));
}

static void complete(struct line *line)
{
    char prefix[LINE_BYTES];
    __builtin_memcpy(prefix, line->text, line->cursor);
    prefix[line->cursor] = '\0';
    const char *rest = line->complete(prefix);
    if (rest == NULL)
        show_prompt(line);
    else
        while (*rest != '\0')
            insert(line, *rest++);
}

/* --- keys ------------------------------------------------------------------------------------ */

static void move(struct line *line, uint32_t key)
{
    bool to_left = key == KEY_LEFT || key == KEY_CTRL('B');
    bool to_right = key == KEY_RIGHT || key == KEY_CTRL('F');
    if (to_left && line->cursor > 0)
        line->cursor--;
    else if (to_right && line->cursor < line->length)
        line->cursor++;
    else if (key == KEY_HOME || key == KEY_CTRL('A'))
        line->cursor = 0;
    else if (key == KEY_END || key == KEY_CTRL('E'))
        line->cursor = line->length;
}

static void delete(struct line *line, uint32_t key)
{
    bool is_forward = key == KEY_DELETE || key == KEY_CTRL('D');
    if (key == KEY_BACKSPACE && line->cursor > 0)
        delete_from_to(line, line->cursor - 1, line->cursor);
    else if (is_forward && line->cursor < line->length)
        delete_from_to(line, line->cursor, line->cursor + 1);
    else if (key == KEY_CTRL('K'))
        delete_from_to(line, line->cursor, line->length);
    else if (key == KEY_CTRL('U'))
        delete_from_to(line, 0, line->cursor);
    else if (key == KEY_CTRL('W'))
        delete_from_to(line, start_of_word(line), line->cursor);
}

static void edit(struct line *line, uint32_t key)
{
    if (key >= ' ' && key <= '~')
        insert(line, (char)key);
    else if (key == KEY_TAB)
        complete(line);
    else if (key == KEY_UP || key == KEY_CTRL('P'))
        go_back(line);
    else if (key == KEY_DOWN || key == KEY_CTRL('N'))
        go_forward(line);
    move(line, key);
    delete(line, key);
    show(line);
}

void line_begin(struct line *line)
{
    line->back = 0;
    set_text(line, "");
    show_prompt(line);
}

static enum line_outcome end(struct line *line, enum line_outcome outcome)
{
    line->cursor = line->length;
    show(line);
    echo_text(line, outcome == LINE_GIVEN_UP ? "^C\n" : "\n");
    if (outcome == LINE_DONE)
        remember(line);
    return outcome;
}

enum line_outcome line_take_key(struct line *line, uint32_t key)
{
    if (key == KEY_ENTER)
        return end(line, LINE_DONE);
    if (key == KEY_CTRL('C'))
        return end(line, LINE_GIVEN_UP);
    if (key == KEY_INPUT_ENDED || (key == KEY_CTRL('D') && line->length == 0))
        return end(line, LINE_INPUT_ENDED);
    edit(line, key);
    return LINE_GOES_ON;
}
