/* SPDX-License-Identifier: MIT */
/* Does what the command line asks for. */
#ifndef KERNEL_RUNNER_H
#define KERNEL_RUNNER_H

#include "boot_info.h"
#include "job.h"
#include "machine.h"
#include "trace.h"

/*
 * Runs the self-tests as TAP on every console.
 * Returns: MACHINE_DONE iff none failed.
 */
enum machine_status run_tests(const struct job *job);

/*
 * Makes the job's workload, or reads the trace in module (NULL: there is none).
 * Returns: NULL and *trace filled in; else what is wrong, in words, valid until the next call.
 */
const char *run_find_trace(const struct job *job, const struct boot_module *module,
                           struct trace *trace);

/*
 * Replays the job's workload, or the trace in module (NULL: there is none) and says its record. What is wrong is
 * said as an "error:" line.
 * Returns: MACHINE_DONE iff there is a record.
 */
enum machine_status run_replay(const struct job *job, const struct boot_module *module);

/* Provokes job->fault; comes back only where the machine cannot fault. */
enum machine_status run_fault(const struct job *job);

/* Says "error: " and what is wrong on every console. Returns: MACHINE_FAILED. */
enum machine_status run_refused(const char *wrong);

#endif
