/* SPDX-License-Identifier: MIT */
#ifndef ARCH_X86_PROCESSOR_TEST_H
#define ARCH_X86_PROCESSOR_TEST_H

#include "boot_info.h"
#include "job.h"
#include "machine.h"

/*
 * Starts so many processors, has them count under a lock while their timers interrupt them,
 * and says as TAP whether no count was lost. Returns: MACHINE_DONE iff so.
 */
enum machine_status processor_test(const struct boot_info *info, uint32_t wanted);

/* Starts so many processors, and has them hammer the heap (hammer.h). */
enum machine_status processor_hammer(const struct boot_info *info, const struct job *job);

/* Starts so many processors, and does fault on the last of them. Comes back only if it cannot. */
enum machine_status processor_fault(const struct boot_info *info, uint32_t wanted,
                                    enum machine_fault fault);

#endif
