/* SPDX-License-Identifier: MIT */
/* The result of a replay, for programs and for people. docs/runner.md describes it. */
#ifndef KERNEL_RECORD_H
#define KERNEL_RECORD_H

#include "replay.h"

/* Says "result: " and the record, one line of JSON, on the serial line. */
void record_report(const struct trace *trace, const struct job *job,
                   const struct replay *replay);

/* Says the main figures in a few lines, on every console. */
void record_print(const struct trace *trace, const struct job *job, const struct replay *replay);

#endif
