/* SPDX-License-Identifier: MIT */
/*
 * For the fuzzers: how much is to be done. A fuzzer that is told --operations=N ends well
 * after the input with which N operations are done; without, libFuzzer alone decides.
 */
#ifndef TESTS_FUZZ_BUDGET_H
#define TESTS_FUZZ_BUDGET_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's entry points; each fuzzer has the first, budget.c has the second. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *count, char ***arguments);

/* Accounts for one input and its operations; tells of progress on standard output. */
void budget_spend(uint32_t operations);

#endif
