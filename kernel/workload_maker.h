/* SPDX-License-Identifier: MIT */
/* What families of workloads are made with: a trace that grows, a seed, the name's parts. */
#ifndef KERNEL_WORKLOAD_MAKER_H
#define KERNEL_WORKLOAD_MAKER_H

#include "random.h"
#include "size_mix.h"
#include "trace_builder.h"

enum {
    WORKLOAD_ARGUMENTS_MAX = 2,
    WORKLOAD_MEASURED_OPERATIONS = 32768, /* those of a family that could go on forever */
};

struct workload_maker {
    struct trace_builder builder;
    struct random random;
    uint32_t heap_bytes;
    const struct size_mix *mix;               /* iff the family takes one */
    uint32_t numbers[WORKLOAD_ARGUMENTS_MAX]; /* of the name, in their order */
    uint32_t operations_max;                  /* at most so many after the build-up */
    uint32_t operations_until;                /* how many the trace may have now */
};

/* One part of a name behind its family's. */
struct workload_argument {
    const char *name;  /* as people are told: "PERCENT"; NULL ends the list */
    uint32_t min, max; /* of a number; both 0: it is a size mix */
    uint32_t otherwise; /* the number if it is left away; 0: it must be there */
};

struct workload_family {
    const char *name; /* NULL ends a table */
    struct workload_argument arguments[WORKLOAD_ARGUMENTS_MAX + 1];
    /* Returns: false iff there is too little memory for the tables. */
    bool (*make)(struct workload_maker *maker);
};

extern const struct workload_family workload_loads[];       /* hold a share of the heap */
extern const struct workload_family workload_simulations[]; /* Knuth's, and its kin */
extern const struct workload_family workload_benchmarks[];  /* by which allocators are timed */
extern const struct workload_family workload_adversaries[]; /* made to hurt */

/*
 * Gets the tables: for so many operations before the measured ones and so many live blocks.
 * Returns: false iff there is too little memory.
 */
bool workload_start(struct workload_maker *maker, uint32_t build_up_operations,
                    uint32_t live_blocks);

/* What is measured begins here, and is so many operations at most. */
void workload_measure(struct workload_maker *maker, uint32_t operations);

/* Returns: whether the trace has all the operations it may have now. */
bool workload_is_complete(const struct workload_maker *maker);

/* Returns: so many per cent of so many bytes, rounded down. */
uint32_t workload_percent(uint32_t bytes, uint32_t percent);

/* Allocates a block of the mix. Returns: its id. */
uint32_t workload_alloc(struct workload_maker *maker);

void workload_free_random(struct workload_maker *maker);

#endif
