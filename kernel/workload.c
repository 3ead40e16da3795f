/* SPDX-License-Identifier: MIT */
#include "workload.h"

#include "arithmetic.h"
#include "format.h"
#include "size_mix.h"
#include "trace_builder.h"

enum {
    PERCENT_DEFAULT = 50,
    PERCENT_MAX = 99,
    SURELY_FULL_PERCENT = 106, /* more than heap and side array together */
    MEASURED_OPERATIONS = 32768,
    PEAKS = 8,
};

struct maker {
    struct trace_builder builder;
    struct random random;
    const struct size_mix *mix;
    uint32_t hold_bytes;       /* what stays requested, or is so at most */
    uint32_t operations_max;   /* at most so many after the build-up */
    uint32_t operations_until; /* how many the trace may have now */
};

struct family {
    const char *name; /* NULL ends the table */
    void (*make)(struct maker *maker);
    bool takes_percent;
    uint32_t operations_per_block; /* at most so many for each block of a full heap */
};

static char message[224];

/* --- steps ------------------------------------------------------------------------------- */

static bool is_complete(const struct maker *maker)
{
    const struct trace_builder *builder = &maker->builder;
    return builder->overflowed || builder->trace->operation_count >= maker->operations_until;
}

static void alloc_one(struct maker *maker)
{
    trace_builder_alloc(&maker->builder, maker->mix->draw(&maker->random));
}

static void free_random(struct maker *maker)
{
    trace_builder_free(&maker->builder, random_below(&maker->random, maker->builder.live_count));
}

/* Allocates until so much is requested. */
static void grow_to(struct maker *maker, uint32_t bytes)
{
    while (!is_complete(maker) && maker->builder.requested_bytes < bytes)
        alloc_one(maker);
}

/* Frees the newest blocks until no more than so much is requested. */
static void shrink_to(struct maker *maker, uint32_t bytes)
{
    while (!is_complete(maker) && maker->builder.requested_bytes > bytes)
        trace_builder_free(&maker->builder, 0);
}

/* One allocation, and as many frees before it as keep the heap at its load. */
static void replace(struct maker *maker, void (*free_one)(struct maker *))
{
    const struct trace_builder *builder = &maker->builder;
    uint32_t size = maker->mix->draw(&maker->random);
    while (!is_complete(maker) && builder->live_count > 0 &&
           builder->requested_bytes + size > maker->hold_bytes)
        free_one(maker);
    if (!is_complete(maker))
        trace_builder_alloc(&maker->builder, size);
}

/* --- families ------------------------------------------------------------------------------ */

/* What is measured begins here. */
static void measure_from_here(struct maker *maker)
{
    uint32_t built = maker->builder.trace->operation_count;
    trace_builder_measure_from_here(&maker->builder);
    maker->operations_until = built + (maker->operations_max < MEASURED_OPERATIONS
                                           ? maker->operations_max
                                           : MEASURED_OPERATIONS);
}

static void make_churn(struct maker *maker)
{
    grow_to(maker, maker->hold_bytes);
    measure_from_here(maker);
    while (!is_complete(maker))
        replace(maker, free_random);
}

static void free_oldest(struct maker *maker)
{
    trace_builder_free_oldest(&maker->builder);
}

static void make_fifo(struct maker *maker)
{
    grow_to(maker, maker->hold_bytes);
    measure_from_here(maker);
    while (!is_complete(maker))
        replace(maker, free_oldest);
}

static void make_lifo(struct maker *maker)
{
    measure_from_here(maker);
    while (!is_complete(maker)) {
        uint32_t level = random_below(&maker->random, maker->hold_bytes);
        grow_to(maker, level);
        shrink_to(maker, level);
    }
}

static void make_ramp(struct maker *maker)
{
    const struct trace *trace = maker->builder.trace;
    maker->operations_until = maker->operations_max;
    grow_to(maker, maker->hold_bytes / 2);
    for (int peak = 0; peak < PEAKS; peak++) {
        grow_to(maker, maker->hold_bytes);
        shrink_to(maker, maker->hold_bytes / 2);
    }
    uint32_t plateau_end = trace->operation_count + MEASURED_OPERATIONS / 2;
    while (!is_complete(maker) && trace->operation_count < plateau_end)
        replace(maker, free_random);
    while (!is_complete(maker) && maker->builder.live_count > 0)
        free_random(maker);
}

static void make_fill(struct maker *maker)
{
    struct trace_builder *builder = &maker->builder;
    builder->trace->ends_at_failure = true;
    while (!builder->overflowed && builder->requested_bytes <= maker->hold_bytes) {
        alloc_one(maker);
        alloc_one(maker);
        free_random(maker);
    }
}

static const struct family families[] = {
    {"churn", make_churn, true, 1}, {"fifo", make_fifo, true, 1},
    {"lifo", make_lifo, true, 0},   {"ramp", make_ramp, true, 2 + PEAKS},
    {"fill", make_fill, false, 3},  {NULL, NULL, false, 0},
};

/* --- names --------------------------------------------------------------------------------- */

/* Takes what stands before the next '-', and that, off the front of *name. */
static struct text take_part(struct text *name)
{
    struct text part = {name->next, name->next};
    while (part.end < name->end && *part.end != '-')
        part.end++;
    name->next = part.end < name->end ? part.end + 1 : part.end;
    return part;
}

static const struct family *family_named(struct text name)
{
    for (const struct family *family = families; family->name != NULL; family++)
        if (text_is(name, family->name))
            return family;
    return NULL;
}

static void say(const char *text)
{
    uint32_t said = (uint32_t)(text_of(message).end - message);
    format_text(message + said, sizeof(message) - said, "%s", text);
}

static const char *refuse_name(void)
{
    message[0] = '\0';
    say("workload: a name is FAMILY-MIX or FAMILY-MIX-PERCENT, PERCENT from 1 to 99; families:");
    for (const struct family *family = families; family->name != NULL; family++) {
        say(" ");
        say(family->name);
    }
    say(" (without PERCENT); mixes:");
    for (const struct size_mix *mix = size_mixes; mix->name != NULL; mix++) {
        say(" ");
        say(mix->name);
    }
    return message;
}

static bool read_percent(const struct text *name, const struct family *family, uint32_t *percent)
{
    *percent = PERCENT_DEFAULT;
    if (name->next == name->end)
        return name->end[-1] != '-';
    return family->takes_percent && text_number(*name, percent) && *percent >= 1 &&
           *percent <= PERCENT_MAX;
}

static uint32_t percent_of(uint32_t bytes, uint32_t percent)
{
    return (uint32_t)divide((uint64_t)bytes * percent, 100);
}

static bool start(struct maker *maker, const struct family *family, struct trace *trace)
{
    /* A sum of sizes strays from its mean, and the more so the fewer they are. */
    uint32_t blocks = maker->hold_bytes / maker->mix->mean_bytes * 5 / 4 + 1024;
    uint64_t operations = (uint64_t)blocks * family->operations_per_block + MEASURED_OPERATIONS;
    return operations <= UINT32_MAX / sizeof(struct trace_operation) &&
           trace_builder_start(&maker->builder, trace, (uint32_t)operations, blocks);
}

const char *workload_make(struct text name, uint32_t seed, uint32_t heap_bytes,
                          uint32_t operations_max, struct trace *trace)
{
    uint32_t percent;
    const struct family *family = family_named(take_part(&name));
    const struct size_mix *mix = size_mix_named(take_part(&name));
    if (family == NULL || mix == NULL || !read_percent(&name, family, &percent))
        return refuse_name();
    struct maker maker = {
        .random = random_seeded(seed),
        .mix = mix,
        .hold_bytes = percent_of(heap_bytes, family->takes_percent ? percent : SURELY_FULL_PERCENT),
        .operations_max = operations_max,
        .operations_until = UINT32_MAX,
    };
    if (!start(&maker, family, trace))
        return "too little RAM beside the heap for the workload's tables";
    family->make(&maker);
    if (maker.builder.overflowed)
        return "workload: it outgrew the tables that its mean size promised";
    return NULL;
}
