/* SPDX-License-Identifier: MIT */
/* strategies <name> [seed]: puts one strategy through its tests. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"
#include "fault.h"
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

enum {
    SUBJECTS = sizeof(subjects) / sizeof(subjects[0]),
    TESTS_MAX = 100,
    HANGS_AFTER_SECONDS = 60,
};

/* --- a test that does not come to its end ------------------------------------------------- */

static const struct CMUnitTest *running; /* NULL between tests */

static void bail_out(const char *why)
{
    if (running != NULL)
        printf("Bail out! %s: %s\n", running->name, why);
    fflush(stdout);
}

static void tell_of_fault(void)
{
    bail_out("memory is touched that is not the heap's, or a rule of C is broken; see above");
}

/* Without a sanitizer's report it would not be known which test hangs. */
CALLED_BY_SIGNAL static void tell_of_hang(int signal)
{
    (void)signal;
    bail_out("it does not come back");
    _exit(EXIT_FAILURE);
}

static void run_case(void **state)
{
    void *none = NULL;
    running = *state;
    alarm(HANGS_AFTER_SECONDS);
    running->test_func(&none);
    running = NULL;
}

static void watch(void)
{
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    fault_call(tell_of_fault);
    signal(SIGALRM, tell_of_hang);
    signal(SIGXCPU, tell_of_hang);
}

/* --- tests put one behind the other, for one run and one TAP plan -------------------------- */

struct plan {
    struct CMUnitTest tests[TESTS_MAX]; /* each is run_case(), and has the case for its state */
    struct CMUnitTest cases[TESTS_MAX];
    size_t count;
};

static void add(struct plan *plan, const struct cases *cases)
{
    if (cases->count > TESTS_MAX - plan->count)
        abort();
    for (size_t i = 0; i < cases->count; i++, plan->count++) {
        struct CMUnitTest *one = &plan->cases[plan->count];
        *one = cases->tests[i];
        plan->tests[plan->count] = (struct CMUnitTest){
            .name = one->name, .test_func = run_case, .initial_state = one};
    }
}

static int run(const struct heap_strategy *strategy, const struct cases *own)
{
    static struct plan plan;
    add(&plan, &common_cases);
    if (strategy->resize != NULL)
        add(&plan, &resizing_cases);
    if (tested_strategy->quick_alloc != NULL)
        add(&plan, &halves_cases);
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
        watch();
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
