/* SPDX-License-Identifier: MIT */
/* Families that keep a share of the heap requested. */
#include "workload_maker.h"

enum {
    PERCENT_DEFAULT = 50,
    PERCENT_MAX = 99,
    SURELY_FULL_PERCENT = 106, /* more than heap and side array together */
    PEAKS = 8,
};

/* What stays requested, or is so at most. */
static uint32_t hold_bytes(const struct workload_maker *maker)
{
    return workload_percent(maker->heap_bytes, maker->numbers[0]);
}

/* Gets tables for a heap that holds so much, and so many operations a block of it. */
static bool start(struct workload_maker *maker, uint32_t bytes, uint32_t operations_per_block)
{
    /* A sum of sizes strays from its mean, and the more so the fewer they are. */
    uint32_t blocks = bytes / maker->mix->mean_bytes * 5 / 4 + 1024;
    return blocks <= UINT32_MAX / (1 + operations_per_block) &&
           workload_start(maker, blocks * operations_per_block, blocks);
}

/* Allocates until so much is requested. */
static void grow_to(struct workload_maker *maker, uint32_t bytes)
{
    while (!workload_is_complete(maker) && maker->builder.requested_bytes < bytes)
        workload_alloc(maker);
}

/* Frees the newest blocks until no more than so much is requested. */
static void shrink_to(struct workload_maker *maker, uint32_t bytes)
{
    while (!workload_is_complete(maker) && maker->builder.requested_bytes > bytes)
        trace_builder_free(&maker->builder, 0);
}

/* One allocation, and as many frees before it as keep the heap at its load. */
static void replace(struct workload_maker *maker, void (*free_one)(struct workload_maker *))
{
    const struct trace_builder *builder = &maker->builder;
    uint32_t size = maker->mix->draw(&maker->random);
    while (!workload_is_complete(maker) && builder->live_count > 0 &&
           builder->requested_bytes + size > hold_bytes(maker))
        free_one(maker);
    if (!workload_is_complete(maker))
        trace_builder_alloc(&maker->builder, size);
}

static bool make_churn_with(struct workload_maker *maker,
                            void (*free_one)(struct workload_maker *))
{
    if (!start(maker, hold_bytes(maker), 1))
        return false;
    grow_to(maker, hold_bytes(maker));
    workload_measure(maker, WORKLOAD_MEASURED_OPERATIONS);
    while (!workload_is_complete(maker))
        replace(maker, free_one);
    return true;
}

static bool make_churn(struct workload_maker *maker)
{
    return make_churn_with(maker, workload_free_random);
}

static void free_oldest(struct workload_maker *maker)
{
    trace_builder_free_oldest(&maker->builder);
}

static bool make_fifo(struct workload_maker *maker)
{
    return make_churn_with(maker, free_oldest);
}

static bool make_lifo(struct workload_maker *maker)
{
    if (!start(maker, hold_bytes(maker), 0))
        return false;
    workload_measure(maker, WORKLOAD_MEASURED_OPERATIONS);
    while (!workload_is_complete(maker)) {
        uint32_t level = random_below(&maker->random, hold_bytes(maker));
        grow_to(maker, level);
        shrink_to(maker, level);
    }
    return true;
}

/* Ramp, peaks, plateau: Wilson, Johnstone, Neely and Boles 1995, section 2.4. */
static bool make_ramp(struct workload_maker *maker)
{
    uint32_t hold = hold_bytes(maker);
    if (!start(maker, hold, 2 + PEAKS))
        return false;
    const struct trace *trace = maker->builder.trace;
    maker->operations_until = maker->operations_max;
    grow_to(maker, hold / 2);
    for (int peak = 0; peak < PEAKS; peak++) {
        grow_to(maker, hold);
        shrink_to(maker, hold / 2);
    }
    uint32_t plateau_end = trace->operation_count + WORKLOAD_MEASURED_OPERATIONS / 2;
    while (!workload_is_complete(maker) && trace->operation_count < plateau_end)
        replace(maker, workload_free_random);
    while (!workload_is_complete(maker) && maker->builder.live_count > 0)
        workload_free_random(maker);
    return true;
}

static bool make_fill(struct workload_maker *maker)
{
    struct trace_builder *builder = &maker->builder;
    uint32_t enough_bytes = workload_percent(maker->heap_bytes, SURELY_FULL_PERCENT);
    if (!start(maker, enough_bytes, 3))
        return false;
    builder->trace->ends_at_failure = true;
    while (!builder->overflowed && builder->requested_bytes <= enough_bytes) {
        workload_alloc(maker);
        workload_alloc(maker);
        workload_free_random(maker);
    }
    return true;
}

#define MIX_AND_PERCENT {{"MIX", 0, 0, 0}, {"PERCENT", 1, PERCENT_MAX, PERCENT_DEFAULT}}

const struct workload_family workload_loads[] = {
    {"churn", MIX_AND_PERCENT, make_churn},
    {"fifo", MIX_AND_PERCENT, make_fifo},
    {"lifo", MIX_AND_PERCENT, make_lifo},
    {"ramp", MIX_AND_PERCENT, make_ramp},
    {"fill", {{"MIX", 0, 0, 0}}, make_fill},
    {0},
};
