/* SPDX-License-Identifier: MIT */
#include "fault.h"

#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void (*last_word)(void);

/* The name is UndefinedBehaviorSanitizer's, which asks it for its options. */
const char *__ubsan_default_options(void);

const char *__ubsan_default_options(void)
{
    return "abort_on_error=1";
}

CALLED_BY_SIGNAL static void tell_of_death(void)
{
    last_word();
}

CALLED_BY_SIGNAL static void tell_of_abort(int signal)
{
    (void)signal;
    last_word();
    _exit(EXIT_FAILURE);
}

void fault_call(void (*tell)(void))
{
    last_word = tell;
    __sanitizer_set_death_callback(tell_of_death);
    signal(SIGABRT, tell_of_abort);
}
