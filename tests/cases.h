/* SPDX-License-Identifier: MIT */
/*
 * Groups of test cases. Every strategy is put through common_cases; what only one
 * strategy promises (where it places a block, which mutant breaks which invariant) is
 * in tests/<name>-cases.c, which defines <name>_cases (a dash becomes an underscore).
 * The build finds that file by its name.
 */
#ifndef TESTS_CASES_H
#define TESTS_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct cases {
    const struct CMUnitTest *tests;
    size_t count;
};

extern const struct cases common_cases;

#endif
