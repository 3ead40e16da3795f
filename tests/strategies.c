/* SPDX-License-Identifier: MIT */
/* strategies <name> [seed]: puts one strategy through its tests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "host_heap.h"

/* strategies.inc, generated from -Dstrategies, holds a line for each strategy. */
#define STRATEGY(name) extern const struct heap_strategy heap_##name;
#define STRATEGY_WITH_CASES(name) STRATEGY(name) extern const struct cases name##_cases;
#include "strategies.inc"
#undef STRATEGY
#undef STRATEGY_WITH_CASES

static const struct {
    const struct heap_strategy *strategy;
    const struct cases *own_cases; /* NULL: there are none */
} subjects[] = {
#define STRATEGY(name) {&heap_##name, NULL},
#define STRATEGY_WITH_CASES(name) {&heap_##name, &name##_cases},
#include "strategies.inc"
};

enum { SUBJECTS = sizeof(subjects) / sizeof(subjects[0]) };

static int run(const struct heap_strategy *strategy, const struct cases *own)
{
    size_t own_count = own != NULL ? own->count : 0;
    struct CMUnitTest *tests = calloc(common_cases.count + own_count, sizeof(*tests));
    if (tests == NULL)
        return EXIT_FAILURE;
    memcpy(tests, common_cases.tests, common_cases.count * sizeof(*tests));
    if (own != NULL)
        memcpy(tests + common_cases.count, own->tests, own_count * sizeof(*tests));
    int failed = _cmocka_run_group_tests(strategy->name, tests, common_cases.count + own_count,
                                         NULL, NULL);
    free(tests);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int count, char **arguments)
{
    for (size_t i = 0; count >= 2 && i < SUBJECTS; i++) {
        if (strcmp(arguments[1], subjects[i].strategy->name) != 0)
            continue;
        tested_strategy = subjects[i].strategy;
        tested_seed = count >= 3 ? (uint32_t)strtoul(arguments[2], NULL, 0) : 1;
        return run(subjects[i].strategy, subjects[i].own_cases);
    }
    fprintf(stderr, "usage: %s <strategy> [seed], the strategy one of:", arguments[0]);
    for (size_t i = 0; i < SUBJECTS; i++)
        fprintf(stderr, " %s", subjects[i].strategy->name);
    fputc('\n', stderr);
    return EXIT_FAILURE;
}
