/* SPDX-License-Identifier: MIT */
/*
 * A recorded workload: the `.rep` text of the CS:APP malloc lab, read once into a table,
 * so that replaying it costs the same whatever the text looked like.
 */
#ifndef KERNEL_TRACE_H
#define KERNEL_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

enum trace_kind { TRACE_ALLOC, TRACE_REALLOC, TRACE_FREE };

struct trace_operation {
    enum trace_kind kind;
    uint32_t id;   /* below id_count */
    uint32_t size; /* bytes; only of an allocation or reallocation */
};

struct trace {
    uint32_t id_count;
    uint32_t operation_count;
    struct trace_operation *operations;
    uint32_t peak_requested_bytes; /* the most that is live at once if nothing fails */
    uint32_t build_up_operations;  /* the first so many build a state, and enter no cost */
    bool ends_at_failure;          /* nothing after the first failure is replayed */
};

/*
 * Reads a trace and verifies every rule of docs/runner.md, over all of the text; keeps
 * the first operations_max operations.
 * Memory: scratch_alloc(), 12 bytes an operation and 8 an id.
 * Returns: NULL and *trace filled in; else what is wrong and on which line, in words,
 * valid until the next call.
 */
const char *trace_read(struct text text, uint32_t operations_max, struct trace *trace);

/*
 * Makes every request factor times as large.
 * Returns: NULL; else what is wrong, in words, and the trace is void.
 */
const char *trace_scale(struct trace *trace, uint32_t factor);

#endif
