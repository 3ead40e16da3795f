/* SPDX-License-Identifier: MIT */
/*
 * Many traces in one boot, each on a fresh heap: for a search that tries thousands, and to
 * which starting a machine for each would take longer than the traces do.
 */
#ifndef KERNEL_TRIALS_H
#define KERNEL_TRIALS_H

#include "boot_info.h"
#include "job.h"
#include "machine.h"

/*
 * Replays one trace after the other out of module (NULL: there is none), says a line
 * "trial: {...}" for each, and a record when all are done. A trace ends at a line that
 * is "end". What is wrong is said as an "error:" line, with the number of its trial.
 * Returns: MACHINE_DONE iff there is a record.
 */
enum machine_status run_trials(const struct job *job, const struct boot_module *module);

#endif
