/* SPDX-License-Identifier: MIT */
#include "panic.h"

#include <stdarg.h>
#include <stdbool.h>

#include "console.h"
#include "machine.h"

void panic(const char *format, ...)
{
    static bool panicking; /* a panic within the panic: say so and stop at once */
    if (!panicking) {
        panicking = true;
        console_print("\npanic: ");
        va_list arguments;
        va_start(arguments, format);
        console_print_list(format, arguments);
        va_end(arguments);
        console_print("\n");
        machine_show_backtrace();
    } else {
        console_print("panic while panicking: %s\n", format);
    }
    machine_stop(MACHINE_PANICKED);
}
