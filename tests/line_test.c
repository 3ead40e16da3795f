/* SPDX-License-Identifier: MIT */
/* What keys become on their way from a terminal, and what they do to a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "key.h"
#include "line.h"

/* --- a terminal, which knows a row of text and '\b' ----------------------------------------- */

static char screen[256]; /* the row the cursor is in */
static unsigned cursor;
static unsigned echoed; /* characters since the terminal was cleared */

static void terminal_put(char character)
{
    echoed++;
    if (character == '\b') {
        assert_true(cursor > 0);
        cursor--;
    } else if (character == '\n') {
        memset(screen, 0, sizeof(screen));
        cursor = 0;
    } else {
        assert_true(cursor < sizeof(screen) - 1);
        screen[cursor++] = character;
    }
}

static void assert_screen(const char *text)
{
    size_t length = strlen(screen);
    while (length > 0 && screen[length - 1] == ' ')
        length--;
    assert_int_equal(length, strlen(text));
    assert_memory_equal(screen, text, length);
}

static const char *complete_heap(const char *prefix)
{
    if (strcmp(prefix, "he") == 0)
        return "ap ";
    if (strcmp(prefix, "x") != 0)
        return "";
    for (const char *listed = "\nxylem\n"; *listed != '\0'; listed++)
        terminal_put(*listed);
    return NULL;
}

static struct line *fresh_line(void)
{
    static struct line line;
    memset(screen, 0, sizeof(screen));
    cursor = echoed = 0;
    line = (struct line){.prompt = "> ", .echo = terminal_put, .complete = complete_heap};
    line_begin(&line);
    return &line;
}

/* Sends bytes as a terminal would. Returns: what became of the last key. */
static enum line_outcome type(struct line *line, const char *bytes)
{
    struct key_decoder decoder = {0};
    enum line_outcome outcome = LINE_GOES_ON;
    for (; *bytes != '\0'; bytes++) {
        uint32_t key = key_decode(&decoder, (uint8_t)*bytes);
        if (key != KEY_NONE)
            outcome = line_take_key(line, key);
    }
    return outcome;
}

#define UP "\033[A"
#define DOWN "\033[B"
#define RIGHT "\033[C"
#define LEFT "\033[D"
#define HOME "\033[H"
#define END "\033[F"
#define DELETE "\033[3~"

/* --- claims ------------------------------------------------------------------------------------ */

static void each_edit_leaves_the_screen_as_the_line_is(void **state)
{
    static const struct {
        const char *typed, *line;
        unsigned cursor;
    } cases[] = {
        {"abc", "abc", 3},
        {"abc\x7f", "ab", 2},
        {"\b", "", 0},
        {"abc" LEFT "X", "abXc", 3},
        {"abc" LEFT LEFT "\x7f", "bc", 0},
        {"abc" HOME DELETE, "bc", 0},
        {"abc" DELETE, "abc", 3},
        {"abc" HOME "X" END "Y", "XabcY", 5},
        {"abc\033[1~X\033[4~Y", "XabcY", 5},
        {"abc\033OHX\033OFY", "XabcY", 5},
        {"abc\001X\005Y", "XabcY", 5},
        {"abc\002\002X\006Y", "aXbYc", 4},
        {"abc def\027", "abc", 4},
        {"abc def  \027X", "abc X", 5},
        {"abcdef" LEFT LEFT "\013", "abcd", 4},
        {"abcdef" LEFT LEFT "\025", "ef", 0},
        {"abc" LEFT LEFT LEFT LEFT LEFT "X", "Xabc", 1},
        {"abc" RIGHT RIGHT "X", "abcX", 4},
        {"he\t", "heap", 5},
        {"q\t", "q", 1},
        {"a\033[999zb", "ab", 2},
        {"a\033[1;5Db", "ba", 1},
        {"a\033xb", "axb", 3},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char shown[LINE_BYTES + 2] = "> ";
        struct line *line = fresh_line();
        assert_int_equal(type(line, cases[i].typed), LINE_GOES_ON);
        strcat(shown, cases[i].line);
        if (cases[i].line[0] == '\0')
            shown[1] = '\0'; /* blanks at the end cannot be seen */
        assert_screen(shown);
        assert_int_equal(line->cursor, cases[i].cursor);
        assert_int_equal(cursor, cases[i].cursor + 2);
    }
}

static void a_character_at_the_end_is_echoed_and_nothing_else(void **state)
{
    (void)state;
    struct line *line = fresh_line();
    unsigned before = echoed;
    type(line, "stats");
    assert_int_equal(echoed - before, 5);
}

static void a_full_line_takes_no_more(void **state)
{
    (void)state;
    struct line *line = fresh_line();
    for (unsigned i = 0; i < 2 * LINE_BYTES; i++)
        type(line, "x");
    assert_int_equal(strlen(line->text), LINE_BYTES - 1);
    assert_int_equal(cursor, 2 + LINE_BYTES - 1);
}

static void a_list_of_completions_shows_the_line_anew(void **state)
{
    (void)state;
    struct line *line = fresh_line();
    type(line, "x\t");
    assert_screen("> x");
    assert_string_equal(line->text, "x");
}

static void lines_end_at_enter_whatever_the_terminal_sends(void **state)
{
    (void)state;
    assert_int_equal(type(fresh_line(), "a\r"), LINE_DONE);
    assert_int_equal(type(fresh_line(), "a\n"), LINE_DONE);
    struct key_decoder decoder = {0};
    assert_int_equal(key_decode(&decoder, '\r'), KEY_ENTER);
    assert_int_equal(key_decode(&decoder, '\n'), KEY_NONE);
    assert_int_equal(key_decode(&decoder, '\n'), KEY_ENTER);
    assert_int_equal(type(fresh_line(), "a\003"), LINE_GIVEN_UP);
    assert_int_equal(type(fresh_line(), "\004"), LINE_INPUT_ENDED);
    assert_int_equal(type(fresh_line(), "a\004"), LINE_GOES_ON);
}

static void enter(struct line *line, const char *text)
{
    type(line, text);
    assert_int_equal(type(line, "\r"), LINE_DONE);
    line_begin(line);
}

static void earlier_lines_come_back_and_so_does_the_unfinished_one(void **state)
{
    (void)state;
    struct line *line = fresh_line();
    enter(line, "first");
    enter(line, "second");
    enter(line, "second");
    enter(line, "");
    type(line, "new" UP);
    assert_screen("> second");
    type(line, UP UP UP);
    assert_screen("> first");
    type(line, DOWN DOWN DOWN);
    assert_screen("> new");
    type(line, "\020\020\016");
    assert_screen("> second");
}

static void an_earlier_line_may_be_changed_and_entered(void **state)
{
    (void)state;
    struct line *line = fresh_line();
    enter(line, "alloc 20");
    type(line, UP "0\r");
    assert_string_equal(line->text, "alloc 200");
    line_begin(line);
    type(line, UP UP);
    assert_screen("> alloc 20");
}

static void the_oldest_lines_are_forgotten(void **state)
{
    (void)state;
    struct line *line = fresh_line();
    char text[4] = "l00";
    for (unsigned i = 0; i < LINE_HISTORY + 5; i++) {
        text[1] = (char)('0' + i / 10);
        text[2] = (char)('0' + i % 10);
        enter(line, text);
    }
    for (unsigned i = 0; i < 2 * LINE_HISTORY; i++)
        type(line, UP);
    assert_screen("> l05");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_edit_leaves_the_screen_as_the_line_is),
        cmocka_unit_test(a_character_at_the_end_is_echoed_and_nothing_else),
        cmocka_unit_test(a_full_line_takes_no_more),
        cmocka_unit_test(a_list_of_completions_shows_the_line_anew),
        cmocka_unit_test(lines_end_at_enter_whatever_the_terminal_sends),
        cmocka_unit_test(earlier_lines_come_back_and_so_does_the_unfinished_one),
        cmocka_unit_test(an_earlier_line_may_be_changed_and_entered),
        cmocka_unit_test(the_oldest_lines_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
