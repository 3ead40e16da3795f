/* SPDX-License-Identifier: MIT */
/* A shell on the kernel heap, for people: run=shell. docs/runner.md has its commands. */
#ifndef KERNEL_SHELL_H
#define KERNEL_SHELL_H

#include "boot_info.h"
#include "job.h"

/*
 * Reads commands from keyboard and serial line, and carries them out, until one of them ends
 * it, or the input ends.
 * modules: the traces that load knows by name.
 * Returns: MACHINE_DONE; MACHINE_FAILED where there is too little memory for its tables.
 */
enum machine_status run_shell(const struct job *job, const struct boot_module *modules,
                              uint32_t module_count);

#endif
