/* SPDX-License-Identifier: MIT */
/*
 * A fuzzer for the reader of traces: the input is the text. What it accepts must keep every
 * rule of docs/runner.md, judged here a second time; must be read the same when it is
 * written out; and half of it must be read as half of it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../kernel/memory.h"
#include "../../kernel/trace.h"
#include "budget.h"

enum { SCRATCH_BYTES = 1 << 16, TEXT_BYTES = 1 << 20 };

static uint8_t scratch[3][SCRATCH_BYTES]; /* one for each trace that is held at once */

static void must(bool right, const char *claim)
{
    if (right)
        return;
    fprintf(stderr, "trace: it is not so that %s\n", claim);
    abort();
}

static const char *read_trace(uint32_t number, struct text text, uint32_t operations_max,
                              struct trace *trace)
{
    scratch_init(scratch[number], scratch[number] + SCRATCH_BYTES);
    return trace_read(text, operations_max, trace);
}

/* A block of the model, by id: its size, or NOT_LIVE. */
static const int64_t NOT_LIVE = -1;

static void judge_operation(const struct trace_operation *operation, int64_t *size)
{
    if (operation->kind == TRACE_ALLOC)
        must(*size == NOT_LIVE, "no live id is allocated");
    else
        must(*size != NOT_LIVE, "only a live id is freed or reallocated");
    *size = operation->kind == TRACE_FREE ? NOT_LIVE : (int64_t)operation->size;
}

static void judge(const struct trace *trace)
{
    int64_t *sizes = malloc(((size_t)trace->id_count + 1) * sizeof(*sizes));
    uint64_t live = 0, peak = 0;
    for (uint32_t id = 0; id < trace->id_count; id++)
        sizes[id] = NOT_LIVE;
    for (uint32_t i = 0; i < trace->operation_count; i++) {
        const struct trace_operation *operation = &trace->operations[i];
        must(operation->id < trace->id_count, "every id is below the number of ids");
        int64_t *size = &sizes[operation->id];
        live -= *size == NOT_LIVE ? 0 : (uint64_t)*size;
        judge_operation(operation, size);
        live += *size == NOT_LIVE ? 0 : (uint64_t)*size;
        peak = live > peak ? live : peak;
    }
    must(trace->peak_requested_bytes == (peak > UINT32_MAX ? UINT32_MAX : peak),
         "the peak is the most that is live at once");
    free(sizes);
}

static struct text write_out(const struct trace *trace)
{
    static char text[TEXT_BYTES];
    int used = snprintf(text, sizeof(text), "0\n%u\n%u\n1\n", trace->id_count,
                        trace->operation_count);
    for (uint32_t i = 0; i < trace->operation_count; i++) {
        const struct trace_operation *operation = &trace->operations[i];
        char *end = text + used;
        size_t left = sizeof(text) - (size_t)used;
        if (operation->kind == TRACE_FREE)
            used += snprintf(end, left, "f %u\n", operation->id);
        else
            used += snprintf(end, left, "%c %u %u\n", "ar"[operation->kind], operation->id,
                             operation->size);
    }
    return (struct text){text, text + used};
}

static void must_be_equal(const struct trace *one, const struct trace *other, uint32_t count)
{
    must(one->id_count == other->id_count, "the number of ids is the same");
    must(other->operation_count == count, "the number of operations is the same");
    for (uint32_t i = 0; i < count; i++)
        must(memcmp(&one->operations[i], &other->operations[i], sizeof(*one->operations)) == 0,
             "the operations are the same");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct text text = {(const char *)data, (const char *)data + size};
    struct trace trace, again, half;
    const char *wrong = read_trace(0, text, UINT32_MAX, &trace);
    if (wrong != NULL) {
        must(strncmp(wrong, "trace", 5) == 0 && strpbrk(wrong, "\r\n") == NULL,
             "an error is one line, and says that it is about the trace");
    } else {
        judge(&trace);
        must(read_trace(1, write_out(&trace), UINT32_MAX, &again) == NULL,
             "what was accepted is accepted when it is written out");
        must_be_equal(&trace, &again, trace.operation_count);
        must(read_trace(2, text, trace.operation_count / 2, &half) == NULL,
             "half of the operations are accepted where all are");
        must_be_equal(&trace, &half, trace.operation_count / 2);
    }
    budget_spend(1);
    return 0;
}
