/* SPDX-License-Identifier: MIT */
#include "console.h"

#include <stddef.h>

#include "format.h"
#include "machine.h"

static void put_everywhere(void *context, char character)
{
    (void)context;
    machine_serial_put(character);
    machine_screen_put(character);
}

static void put_serial(void *context, char character)
{
    (void)context;
    machine_serial_put(character);
}

void console_print_list(const char *format, va_list arguments)
{
    format_to(put_everywhere, NULL, format, arguments);
}

void console_print(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    console_print_list(format, arguments);
    va_end(arguments);
}

void console_report(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    format_to(put_serial, NULL, format, arguments);
    va_end(arguments);
}
