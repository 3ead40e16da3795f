/* SPDX-License-Identifier: MIT */
#include "panic.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "console.h"
#include "machine.h"
#include "together.h"

static void (*last_words)(void);

void panic_tells(void (*tell)(void))
{
    last_words = tell;
}

void panic_last_words(void)
{
    void (*tell)(void) = __atomic_exchange_n(&last_words, NULL, __ATOMIC_RELAXED);
    if (tell != NULL)
        tell();
}

void panic_one_at_a_time(void)
{
    static uint32_t first; /* the processor's number + 1; 0: none */
    uint32_t expected = 0, own = together_index() + 1;
    together_keep_out();
    if (__atomic_compare_exchange_n(&first, &expected, own, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST))
        return;
    while (expected != own)
        together_pause();
}

void panic(const char *format, ...)
{
    static bool panicking; /* a panic within the panic: say so and stop at once */
    panic_one_at_a_time();
    if (!panicking) {
        panicking = true;
        console_print("\npanic: ");
        va_list arguments;
        va_start(arguments, format);
        console_print_list(format, arguments);
        va_end(arguments);
        console_print("\n");
        machine_show_backtrace();
        panic_last_words();
    } else {
        console_print("panic while panicking: %s\n", format);
    }
    machine_stop(MACHINE_PANICKED);
}
