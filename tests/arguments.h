/* SPDX-License-Identifier: MIT */
/* Words on a command line, as the kernel's: "name=number". */
#ifndef TESTS_ARGUMENTS_H
#define TESTS_ARGUMENTS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Returns: the number behind "name="; 0 if argument does not begin so, or it is not 1 to max. */
static inline uint32_t argument_number(const char *argument, const char *name, uint32_t max)
{
    size_t length = strlen(name);
    char *end;
    if (strncmp(argument, name, length) != 0)
        return 0;
    unsigned long value = strtoul(argument + length, &end, 10);
    return *end == '\0' && value >= 1 && value <= max ? (uint32_t)value : 0;
}

#endif
