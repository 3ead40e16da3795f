/* SPDX-License-Identifier: MIT */
/*
 * Source: Intel SDM 2A, "CPUID", leaf 1, EDX. PSE is for cpu.c, which maps pages of 4 MiB; CMOV
 * for the compiler, whose target is an i686; TSC and SSE2, which brought LFENCE, for measuring.
 */
#include "cpu_features.h"

#include <cpuid.h>
#include <stdint.h>

#include "machine.h"

struct feature {
    uint32_t bit;
    const char *name;
};

static const struct feature needed[] = {
    {bit_PSE, " PSE"}, {bit_TSC, " TSC"}, {bit_CMOV, " CMOV"}, {bit_SSE2, " SSE2"}};

/* What console_print() would do with code that such a processor may not know. */
static void say(const char *text)
{
    for (; *text != '\0'; text++) {
        machine_serial_put(*text);
        machine_screen_put(*text);
    }
}

/* Returns: the bits of leaf 1; 0 where there is no such leaf, or no CPUID at all. */
static uint32_t present_features(void)
{
    uint32_t eax, ebx, ecx, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 ? edx : 0;
}

void features_require(void)
{
    uint32_t present = present_features();
    bool complete = true;
    for (uint32_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if ((present & needed[i].bit) != 0)
            continue;
        say(complete ? "error: this processor is too old for LOS, it lacks:" : "");
        say(needed[i].name);
        complete = false;
    }
    if (complete)
        return;
    say("\n");
    machine_stop(MACHINE_FAILED);
}
