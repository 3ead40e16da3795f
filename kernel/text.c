/* SPDX-License-Identifier: MIT */
#include "text.h"

enum { BASE = 10 };

struct text text_of(const char *string)
{
    struct text text = {string, string};
    while (*text.end != '\0')
        text.end++;
    return text;
}

bool text_is(struct text text, const char *string)
{
    for (; text.next < text.end; text.next++, string++)
        if (*string == '\0' || *text.next != *string)
            return false;
    return *string == '\0';
}

bool text_is_blank(char character)
{
    return character == ' ' || character == '\t' || character == '\r';
}

static bool at_blank(const struct text *text)
{
    return text->next < text->end && text_is_blank(*text->next);
}

static bool at_word(const struct text *text)
{
    return text->next < text->end && !text_is_blank(*text->next) && *text->next != '\n';
}

struct text text_take_word(struct text *text)
{
    while (at_blank(text))
        text->next++;
    struct text word = {text->next, text->next};
    while (at_word(text))
        word.end = ++text->next;
    return word;
}

bool text_take_name(struct text *word, const char *name)
{
    struct text rest = *word;
    for (; *name != '\0'; name++, rest.next++)
        if (rest.next == rest.end || *rest.next != *name)
            return false;
    if (rest.next == rest.end || *rest.next != '=')
        return false;
    word->next = rest.next + 1;
    return true;
}

bool text_number(struct text text, uint32_t *value)
{
    if (text.next == text.end)
        return false;
    uint32_t number = 0;
    for (; text.next < text.end; text.next++) {
        uint32_t digit = (uint32_t)(*text.next - '0');
        if (digit >= BASE || __builtin_mul_overflow(number, BASE, &number) ||
            __builtin_add_overflow(number, digit, &number))
            return false;
    }
    *value = number;
    return true;
}
