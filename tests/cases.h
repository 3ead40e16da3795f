/* SPDX-License-Identifier: MIT */
/*
 * Groups of test cases. A strategy is put through those that its table makes apply; none
 * skips itself, since cmocka's TAP shows a skipped case as one that failed.
 *
 * What only one strategy promises (where it places a block, which mutant breaks which
 * invariant) is in tests/<name>-cases.c, which defines <name>_cases (a dash becomes an
 * underscore). The build finds that file by its name.
 */
#ifndef TESTS_CASES_H
#define TESTS_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host_heap.h"

/* The strategy that this run of the program tests; set once, by main(). */
extern const struct heap_strategy *tested_strategy;

/* The seed of this run's random tests; set once, by main(). */
extern uint32_t tested_seed;

/* Fails the test, with what, unless heap_check() finds nothing wrong. */
void host_heap_assert_sound(const struct host_heap *host, const char *what);

/* Fails the test unless label is one and begins with "<expected>:". */
void assert_label(const char *label, const char *expected);

struct cases {
    const struct CMUnitTest *tests;
    size_t count;
};

extern const struct cases common_cases;     /* for every strategy */
extern const struct cases resizing_cases;   /* for those that have a resize */
extern const struct cases halves_cases;     /* for those that are cut in two */
extern const struct cases validating_cases; /* for those with HEAP_VALIDATES_FREE */

#endif
