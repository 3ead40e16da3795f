/* SPDX-License-Identifier: MIT */
/* What becomes of each sin (scene.h) under the hardening of this kernel. */
#ifndef KERNEL_MISUSE_RUN_H
#define KERNEL_MISUSE_RUN_H

#include "job.h"
#include "machine.h"
#include "text.h"

/*
 * Commits every sin, or the job's, and says what became of it, as docs/runner.md describes.
 * Returns: MACHINE_DONE iff there is such a sin.
 */
enum machine_status run_misuse(const struct job *job);

/* Returns: whether there is a sin of that name. */
bool misuse_knows(struct text name);

/* Says the name of each sin, and what the caller does. */
void misuse_list(void);

#endif
