/* SPDX-License-Identifier: MIT */
/*
 * Experiments: small questions to the kernel heap that no trace can ask, each answered by
 * one record. They say what a heap does to its callers, or its callers to it; they pass no
 * judgement.
 */
#ifndef KERNEL_EXPERIMENT_H
#define KERNEL_EXPERIMENT_H

#include "job.h"
#include "machine.h"
#include "random.h"

/*
 * Runs the job's experiment and says its record, one result: line.
 * Returns: MACHINE_DONE; MACHINE_FAILED iff there is no such experiment. An experiment that
 * damages the heap may never return.
 */
enum machine_status run_experiment(const struct job *job);

/* --- for those who write experiments ------------------------------------------------------ */

/*
 * Each starts from a fresh heap; when all is done, since the heap may have things to say
 * meanwhile, it opens its record and says its members, each with a comma in front.
 * seed: of its random part.
 */
typedef void experiment_function(uint32_t seed);

experiment_function experiment_double_free, experiment_stale_free, experiment_interior_free,
    experiment_foreign_free, experiment_use_after_free, experiment_use_after_reuse,
    experiment_overrun, experiment_small_overrun;                   /* sins.c */
experiment_function experiment_stale, experiment_zeroing;           /* contents.c */
experiment_function experiment_constructed;                         /* object_cache.c */
experiment_function experiment_map_scan;                            /* map_scan.c */
experiment_function experiment_careless_driver;                     /* careless_driver.c */

/* Says the beginning of the record: what was asked, and whom. */
void experiment_open_record(void);

/* Returns: the ticks of one call of function (machine.h); *result: what it returned. */
uint32_t experiment_measure(measured_function *function, uintptr_t first, uintptr_t second,
                            uintptr_t *result);

/* Says ,"name":[...]. */
void experiment_say_list(const char *name, const uint32_t *values, uint32_t count);

/* Allocates blocks of a kernel's sizes (size_mix.h) until so many bytes are requested. */
void experiment_fill(struct random *random, uint32_t bytes);

#endif
