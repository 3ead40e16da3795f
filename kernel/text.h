/* SPDX-License-Identifier: MIT */
/* Reading text that somebody else wrote. */
#ifndef KERNEL_TEXT_H
#define KERNEL_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/* A piece of text that nothing terminates: [next, end). */
struct text {
    const char *next;
    const char *end;
};

/* Returns: the text that a terminated string holds. */
struct text text_of(const char *string);

/* Returns: whether text is exactly the terminated string. */
bool text_is(struct text text, const char *string);

/* Returns: whether character stands between words: a space, a tab or a carriage return. */
bool text_is_blank(char character);

/*
 * Takes the next word from *text, up to a blank or a line end, and skips blanks before it,
 * but no line end. A control character belongs to its word, so that it can be refused.
 * Returns: the word, empty iff there is none up to the line's end.
 */
struct text text_take_word(struct text *text);

/* Takes "name=" off the front of *word. Returns: whether it was there. */
bool text_take_name(struct text *word, const char *name);

/* Returns: whether text is a decimal number of at most 32 bits; *value gets it. */
bool text_number(struct text text, uint32_t *value);

#endif
