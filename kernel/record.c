/* SPDX-License-Identifier: MIT */
#include "record.h"

#include "arithmetic.h"
#include "console.h"
#include "heap.h"
#include "locking.h"
#include "machine.h"

enum { KIB = 1024 };

static const char *unit_name(const struct job *job)
{
    if (!machine_counts())
        return "none";
    return job->counts_instructions ? "instructions" : "cycles";
}

static void report_cost(const char *name, const struct cost_figures *figures)
{
    console_report("\"%s\":{\"operations\":%u", name, figures->operations);
    if (machine_counts())
        console_report(",\"total\":%llu,\"p50\":%u,\"p99\":%u,\"p999\":%u,\"max\":%u,"
                       "\"max_operation\":%u",
                       (unsigned long long)figures->total, figures->p50, figures->p99,
                       figures->p999, figures->max, figures->max_operation);
    console_report("},");
}

static void report_footprint(const struct replay *replay)
{
    console_report("\"footprint\":{\"map_bytes\":%u,\"control_bytes\":%u,\"text_bytes\":%u,"
                   "\"stack_bytes\":%u,\"hardening_bytes\":%u,\"locking_bytes\":%u},",
                   replay->map_bytes, kheap_strategy()->control_bytes, machine_heap_text_bytes(),
                   replay->stack_bytes, kheap_hardening_bytes(), kheap_locking_bytes());
}

static void report_first_failure(const struct replay *replay)
{
    const struct first_failure *first = &replay->first_failure;
    if (replay->failures == 0) {
        console_report("\"first_failure\":null,");
        return;
    }
    console_report("\"first_failure\":{\"operation\":%u,\"size\":%u,\"requested\":%u,"
                   "\"granted\":%u,\"free\":%u,\"largest\":%u,\"holes\":%u},",
                   first->operation, first->size, first->requested_bytes, first->heap.live_bytes,
                   first->heap.free_bytes, first->heap.largest_free_bytes,
                   first->heap.free_blocks);
}

/* The samples by column: where each column's number lies in a sample. */
struct column {
    const char *name;
    size_t offset;
};

static const struct column columns[] = {
    {"operation", offsetof(struct sample, operation)},
    {"requested", offsetof(struct sample, requested_bytes)},
    {"granted", offsetof(struct sample, heap.live_bytes)},
    {"free", offsetof(struct sample, heap.free_bytes)},
    {"largest", offsetof(struct sample, heap.largest_free_bytes)},
    {"holes", offsetof(struct sample, heap.free_blocks)},
    {"highest", offsetof(struct sample, heap.highest_used_bytes)},
};

static void report_column(const struct column *column, const struct replay *replay)
{
    console_report("\"%s\":[", column->name);
    for (uint32_t i = 0; i < replay->sample_count; i++) {
        const uint8_t *sample = (const uint8_t *)&replay->samples[i];
        console_report(i == 0 ? "%u" : ",%u", *(const uint32_t *)(sample + column->offset));
    }
    console_report("]");
}

static void report_series(const struct replay *replay)
{
    console_report("\"series\":{");
    for (uint32_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        console_report("%s", i == 0 ? "" : ",");
        report_column(&columns[i], replay);
    }
    console_report("}");
}

/* What one cell showed over time, as runs: "12n3r" is twelve samples never used, then three. */
static void report_cell(const struct portrait *portrait, uint32_t cell)
{
    uint32_t from = 0;
    for (uint32_t column = 1; column <= portrait->columns; column++) {
        enum portrait_state state = portrait_state(portrait, cell, from);
        if (column < portrait->columns && portrait_state(portrait, cell, column) == state)
            continue;
        console_report("%u%c", column - from, state);
        from = column;
    }
}

static void report_portrait(const struct portrait *portrait)
{
    console_report(",\"portrait\":[");
    for (uint32_t cell = 0; cell < portrait->cells; cell++) {
        console_report(cell == 0 ? "\"" : ",\"");
        report_cell(portrait, cell);
        console_report("\"");
    }
    console_report("]");
}

void record_report(const struct trace *trace, const struct job *job, const struct replay *replay)
{
    console_report("result: {\"strategy\":\"%s\",\"heap_kib\":%u,\"unit\":\"%s\","
                   "\"hardening\":\"%s\",\"locking\":\"%s\",\"operations\":%u,"
                   "\"build_up_operations\":%u,\"failures\":%u,",
                   kheap_strategy()->name, kheap()->region.arena_bytes / KIB, unit_name(job),
                   kheap_hardening(), kheap_locking(), replay->operations,
                   trace->build_up_operations, replay->failures);
    report_first_failure(replay);
    report_cost("cost", &replay->cost);
    report_cost("malloc", &replay->malloc);
    report_cost("free", &replay->free);
    console_report("\"init_cost\":%u,\"peak_requested_bytes\":%u,", replay->init_cost,
                   trace->peak_requested_bytes);
    report_footprint(replay);
    console_report("\"placement_hash\":\"%08x%08x\",", (uint32_t)(replay->placement_hash >> 32),
                   (uint32_t)replay->placement_hash);
    report_series(replay);
    report_portrait(&replay->portrait);
    console_report("}\n");
}

static void print_cost(const char *name, const struct cost_figures *figures)
{
    if (figures->operations == 0)
        return;
    console_print("%-8s %10u %10llu %10u %10u %10u %10u\n", name, figures->operations,
                  (unsigned long long)divide(figures->total, figures->operations), figures->p50,
                  figures->p99, figures->p999, figures->max);
}

void record_print(const struct trace *trace, const struct job *job, const struct replay *replay)
{
    console_print("%s: %u operations, %u failures, at most %u bytes requested at once\n",
                  kheap_strategy()->name, replay->operations, replay->failures,
                  trace->peak_requested_bytes);
    if (replay->failures > 0)
        console_print("the first failure, of %u bytes in operation %u: %u bytes were free in %u "
                      "holes, the largest of %u\n",
                      replay->first_failure.size, replay->first_failure.operation,
                      replay->first_failure.heap.free_bytes,
                      replay->first_failure.heap.free_blocks,
                      replay->first_failure.heap.largest_free_bytes);
    if (!machine_counts())
        return;
    console_print("%-8s %10s %10s %10s %10s %10s %10s\n", unit_name(job), "calls", "mean", "p50",
                  "p99", "p99.9", "max");
    print_cost("all", &replay->cost);
    print_cost("kmalloc", &replay->malloc);
    print_cost("kfree", &replay->free);
}
