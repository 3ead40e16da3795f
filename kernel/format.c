/* SPDX-License-Identifier: MIT */
#include "format.h"

#include <stdbool.h>
#include <stddef.h>

#include "arithmetic.h"

enum { DIGITS_MAX = 20, BASE_TEN = 10, BASE_SIXTEEN = 16 };

/* One conversion: "%-08llx" taken apart. */
struct conversion {
    bool left;
    bool zeros;
    bool wide; /* "ll": the argument is 64 bits */
    uint32_t width;
    char kind;
};

struct output {
    format_sink *sink;
    void *context;
};

static void put(struct output *out, char character)
{
    out->sink(out->context, character);
}

static void put_many(struct output *out, char character, uint32_t count)
{
    while (count-- > 0)
        put(out, character);
}

static uint32_t text_length(const char *text)
{
    uint32_t length = 0;
    while (text[length] != '\0')
        length++;
    return length;
}

static void put_padded(struct output *out, const struct conversion *how, const char *sign,
                       const char *text, uint32_t length)
{
    uint32_t sign_length = text_length(sign);
    uint32_t shown = sign_length + length;
    uint32_t padding = how->width > shown ? how->width - shown : 0;
    if (!how->left && !how->zeros)
        put_many(out, ' ', padding);
    for (uint32_t i = 0; i < sign_length; i++)
        put(out, sign[i]);
    if (!how->left && how->zeros)
        put_many(out, '0', padding);
    for (uint32_t i = 0; i < length; i++)
        put(out, text[i]);
    if (how->left)
        put_many(out, ' ', padding);
}

static void put_number(struct output *out, const struct conversion *how, const char *sign,
                       uint64_t value, uint32_t base)
{
    char digits[DIGITS_MAX];
    uint32_t used = 0;
    do {
        uint32_t digit;
        value = divide_by_small(value, base, &digit);
        digits[DIGITS_MAX - ++used] = "0123456789abcdef"[digit];
    } while (value != 0);
    put_padded(out, how, sign, digits + DIGITS_MAX - used, used);
}

static uint64_t unsigned_argument(const struct conversion *how, va_list *arguments)
{
    return how->wide ? va_arg(*arguments, unsigned long long) : va_arg(*arguments, unsigned int);
}

static void put_signed(struct output *out, const struct conversion *how, va_list *arguments)
{
    int value = va_arg(*arguments, int);
    if (value < 0)
        put_number(out, how, "-", 0ULL - (uint64_t)(int64_t)value, BASE_TEN);
    else
        put_number(out, how, "", (uint64_t)value, BASE_TEN);
}

static void put_pointer(struct output *out, va_list *arguments)
{
    const struct conversion eight_digits = {.zeros = true, .width = 10};
    put_number(out, &eight_digits, "0x", (uintptr_t)va_arg(*arguments, void *), BASE_SIXTEEN);
}

static const char *parse_conversion(const char *format, struct conversion *how)
{
    *how = (struct conversion){0};
    for (; *format == '-' || *format == '0'; format++) {
        how->left |= *format == '-';
        how->zeros |= *format == '0';
    }
    for (; *format >= '0' && *format <= '9'; format++)
        how->width = how->width * 10 + (uint32_t)(*format - '0');
    if (format[0] == 'l' && format[1] == 'l') {
        how->wide = true;
        format += 2;
    }
    how->kind = *format;
    return *format == '\0' ? format : format + 1;
}

static void put_conversion(struct output *out, const struct conversion *how, va_list *arguments)
{
    const char *text;
    switch (how->kind) {
    case 's':
        text = va_arg(*arguments, const char *);
        text = text == NULL ? "(null)" : text;
        put_padded(out, how, "", text, text_length(text));
        break;
    case 'c':
        put(out, (char)va_arg(*arguments, int));
        break;
    case 'd':
        put_signed(out, how, arguments);
        break;
    case 'u':
        put_number(out, how, "", unsigned_argument(how, arguments), BASE_TEN);
        break;
    case 'x':
        put_number(out, how, "", unsigned_argument(how, arguments), BASE_SIXTEEN);
        break;
    case 'p':
        put_pointer(out, arguments);
        break;
    case '\0':
        break;
    default:
        put(out, how->kind);
    }
}

void format_to(format_sink *sink, void *context, const char *format, va_list arguments)
{
    struct output out = {.sink = sink, .context = context};
    va_list rest;
    va_copy(rest, arguments);
    while (*format != '\0') {
        if (*format != '%') {
            put(&out, *format++);
            continue;
        }
        struct conversion how;
        format = parse_conversion(format + 1, &how);
        put_conversion(&out, &how, &rest);
    }
    va_end(rest);
}

struct buffer {
    char *next;
    const char *last; /* where the terminator goes at the latest */
};

static void put_buffer(void *context, char character)
{
    struct buffer *buffer = context;
    if (buffer->next < buffer->last)
        *buffer->next++ = character;
}

const char *format_text(char *text, uint32_t text_bytes, const char *format, ...)
{
    struct buffer buffer = {.next = text, .last = text + text_bytes - 1};
    va_list arguments;
    va_start(arguments, format);
    format_to(put_buffer, &buffer, format, arguments);
    va_end(arguments);
    *buffer.next = '\0';
    return text;
}
