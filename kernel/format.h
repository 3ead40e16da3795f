/* SPDX-License-Identifier: MIT */
/* Text from values: the part of printf that a kernel needs. */
#ifndef KERNEL_FORMAT_H
#define KERNEL_FORMAT_H

#include <stdarg.h>
#include <stdint.h>

/* Receives one character of formatted text. */
typedef void format_sink(void *context, char character);

/*
 * Formats into sink. Understands %s %c %d %u %x %p %%, %llu and %llx, a width and a
 * leading zero ("%08x"), a minus for left ("%-12s"); %c and %p have no width. Of what it does not
 * understand it shows the last letter.
 */
void format_to(format_sink *sink, void *context, const char *format, va_list arguments);

/*
 * Formats into buffer, which always ends up terminated, cut where it is full.
 * Requires: buffer_bytes >= 1. Returns: buffer.
 */
__attribute__((format(printf, 3, 4)))
const char *format_text(char *buffer, uint32_t buffer_bytes, const char *format, ...);

#endif
