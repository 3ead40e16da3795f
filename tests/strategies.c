/* SPDX-License-Identifier: MIT */
/* strategies <name> [seed]: puts one strategy through its tests. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "host_heap.h"

/* strategies.inc, generated from -Dstrategies, holds a line for each strategy. */
#ifndef STRATEGIES
#define STRATEGIES "strategies.inc"
#endif
#define STRATEGY(name) extern const struct heap_strategy heap_##name;
#define STRATEGY_WITH_CASES(name) STRATEGY(name) extern const struct cases name##_cases;
#include STRATEGIES
#undef STRATEGY
#undef STRATEGY_WITH_CASES

static const struct {
    const struct heap_strategy *strategy;
    const struct cases *own_cases; /* NULL: there are none */
} subjects[] = {
#define STRATEGY(name) {&heap_##name, NULL},
#define STRATEGY_WITH_CASES(name) {&heap_##name, &name##_cases},
#include STRATEGIES
};

enum { SUBJECTS = sizeof(subjects) / sizeof(subjects[0]), TESTS_MAX = 100 };

/* Tests put one behind the other, for one run and one TAP plan. */
struct plan {
    struct CMUnitTest tests[TESTS_MAX];
    size_t count;
};

static void add(struct plan *plan, const struct cases *cases)
{
    if (cases->count > TESTS_MAX - plan->count)
        abort();
    memcpy(plan->tests + plan->count, cases->tests, cases->count * sizeof(*cases->tests));
    plan->count += cases->count;
}

static int run(const struct heap_strategy *strategy, const struct cases *own)
{
    static struct plan plan;
    add(&plan, &common_cases);
    if (strategy->resize != NULL)
        add(&plan, &resizing_cases);
    if ((strategy->traits & HEAP_VALIDATES_FREE) != 0)
        add(&plan, &validating_cases);
    if (own != NULL)
        add(&plan, own);
    int failed = _cmocka_run_group_tests(strategy->name, plan.tests, plan.count, NULL, NULL);
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
