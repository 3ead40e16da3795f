/* SPDX-License-Identifier: MIT */
#include "cases.h"

#include <string.h>

const struct heap_strategy *tested_strategy;
uint32_t tested_seed;

void host_heap_assert_sound(const struct host_heap *host, const char *what)
{
    const char *broken = heap_check(host->strategy, &host->heap);
    if (broken != NULL)
        fail_msg("seed %u: after %s: %s", tested_seed, what, broken);
}

void assert_label(const char *label, const char *expected)
{
    size_t length = strlen(expected);
    if (label == NULL)
        fail_msg("check() found nothing wrong; expected \"%s: ...\"", expected);
    else if (strncmp(label, expected, length) != 0 || label[length] != ':')
        fail_msg("check() said \"%s\"; expected \"%s: ...\"", label, expected);
}
