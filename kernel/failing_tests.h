/* SPDX-License-Identifier: MIT */
/* What holds when requests fail, as tests through the public interface; see heap_tests.h. */
#ifndef KERNEL_FAILING_TESTS_H
#define KERNEL_FAILING_TESTS_H

#include "heap_tests.h"

extern const struct heap_test failing_tests[];
extern const uint32_t failing_tests_count;

#endif
