/* SPDX-License-Identifier: MIT */
/*
 * A line that a person types, with the keys that readline taught everyone: arrows, Home, End,
 * Backspace, Delete; Ctrl-A and -E to either end, -B and -F by one, -K and -U delete to either
 * end, -W a word; up and down, or Ctrl-P and -N, for the lines before; Tab completes; Ctrl-C
 * gives a line up.
 */
#ifndef KERNEL_LINE_H
#define KERNEL_LINE_H

#include <stdbool.h>
#include <stdint.h>

/* With its prompt a line fits a screen of 80 columns: nothing here need wrap. */
enum { LINE_BYTES = 72, LINE_HISTORY = 32 };

/* One character of echo. '\b' goes back by one and deletes nothing. */
typedef void line_echo(char character);

/*
 * What may stand where the cursor is, behind prefix, which is the line up to there.
 * Returns: characters to insert; empty if there are none, or several ways to go on. Says by
 * itself what these are, on lines of its own, and returns NULL then: the line is shown anew.
 */
typedef const char *line_complete(const char *prefix);

struct line {
    char text[LINE_BYTES];  /* always terminated */
    uint32_t length;
    uint32_t cursor;        /* before this character; length: behind the last */
    const char *prompt;
    line_echo *echo;
    line_complete *complete;
    char history[LINE_HISTORY][LINE_BYTES]; /* a ring */
    uint32_t remembered;    /* how many lines were ever put there */
    uint32_t back;          /* how many lines back the one shown is; 0: it is a new one */
    char unfinished[LINE_BYTES]; /* the new one, while an old one is shown */
    char shown[LINE_BYTES];      /* what the screen has, and where its cursor is */
    uint32_t shown_cursor;
};

enum line_outcome { LINE_GOES_ON, LINE_DONE, LINE_GIVEN_UP, LINE_INPUT_ENDED };

/* Shows the prompt and an empty line. What was typed before stays in the history. */
void line_begin(struct line *line);

/* Takes a key. Returns: whether the line is done; its text is then in line->text. */
enum line_outcome line_take_key(struct line *line, uint32_t key);

#endif
