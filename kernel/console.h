/* SPDX-License-Identifier: MIT */
/* What the kernel says: to people on every console, to programs on the serial line. */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include <stdarg.h>

/* Formats (see format.h) to serial line and screen. */
__attribute__((format(printf, 1, 2))) void console_print(const char *format, ...);

/* The same, from a function that was itself called with a format. */
void console_print_list(const char *format, va_list arguments);

/* Formats to the serial line alone: records and progress, which only programs read. */
__attribute__((format(printf, 1, 2))) void console_report(const char *format, ...);

#endif
