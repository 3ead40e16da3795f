/* SPDX-License-Identifier: MIT */
#include "budget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REPORTS = 100 };

static uint64_t wanted; /* operations; 0: no end */
static uint64_t done;
static uint64_t next_report;
static uint64_t inputs;

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    static const char option[] = "--operations=";
    for (int i = 1; i < *count; i++)
        if (strncmp((*arguments)[i], option, sizeof(option) - 1) == 0)
            wanted = strtoull((*arguments)[i] + sizeof(option) - 1, NULL, 10);
    setvbuf(stdout, NULL, _IOLBF, 0);
    return 0;
}

/* As the kernel's runner says it: docs/runner.md. */
static void report(void)
{
    if (wanted == 0 || done < next_report)
        return;
    printf("progress: %llu %llu\n", (unsigned long long)(done < wanted ? done : wanted),
           (unsigned long long)wanted);
    next_report += wanted / REPORTS + 1;
}

void budget_spend(uint32_t operations)
{
    done += operations;
    inputs++;
    report();
    if (wanted == 0 || done < wanted)
        return;
    printf("done: %llu operations in %llu inputs\n", (unsigned long long)done,
           (unsigned long long)inputs);
    fflush(stdout);
    _exit(EXIT_SUCCESS);
}
