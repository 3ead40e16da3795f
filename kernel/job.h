/* SPDX-License-Identifier: MIT */
/* What this boot is to do: the command line, understood. docs/runner.md is its manual. */
#ifndef KERNEL_JOB_H
#define KERNEL_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "../mm/heap_stats.h"
#include "machine.h"

enum job_kind {
    JOB_TESTS,
    JOB_REPLAY,
    JOB_TRIALS,
    JOB_SMALLEST,
    JOB_PRINT,
    JOB_FAULT,
    JOB_EXPERIMENT,
    JOB_PROCESSORS,
    JOB_MISUSE,
    JOB_SHELL,
    JOB_HAMMER,
    JOB_RACE,
};

enum { JOB_SAMPLES_MAX = 4096, JOB_NAME_BYTES = 32, JOB_PROCESSORS_MAX = 8,
       JOB_INTERVAL_MAX = 1000000000, JOB_SWITCHES_BYTES = 512, JOB_BOUND_MAX = 3 };

struct job {
    enum job_kind kind;
    bool counts_instructions; /* a tick is an instruction, not a cycle */
    bool placements;          /* write each placement to the machine's bulk output */
    bool costs;               /* the same with each cost, behind its placement if both are asked */
    bool changes;             /* the same with what each changed in the heap, behind these */
    uint32_t operations;      /* replay at most so many */
    uint32_t scale;           /* every request is so many times as large */
    uint32_t samples;         /* over time, at most */
    uint32_t portrait_cells;  /* of each sample's column in a picture of the heap; 0: no picture */
    uint32_t seed;            /* of the self-tests' random part, or of the workload */
    char workload[JOB_NAME_BYTES]; /* its name; empty: the trace is a boot module */
    char experiment[JOB_NAME_BYTES]; /* its name; only of JOB_EXPERIMENT */
    uint32_t processors;      /* how many to start */
    uint32_t interval;        /* ticks between two interrupts, in the mean; 0: none; of JOB_HAMMER */
    char sin[JOB_NAME_BYTES]; /* its name; only of JOB_MISUSE; empty: all of them */
    char switches[JOB_SWITCHES_BYTES]; /* a schedule; only of JOB_RACE, and so are the next three */
    bool is_warm;             /* each processor has called the heap before the race */
    uint32_t bound;           /* try all schedules of at most so many switches; 0: do not */
    bool lock_lets_interrupts_in; /* put a spin lock round the heap that does not mask them */
    enum machine_fault fault; /* only of JOB_FAULT */
    bool fails;               /* requests of a replay fail as failing says */
    struct heap_failing failing;
};

/*
 * Returns: NULL and *job filled in, with defaults where a word is missing; else what is
 * wrong, in words, valid until the next call.
 */
const char *job_parse(const char *command_line, struct job *job);

#endif
