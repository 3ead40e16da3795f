/* SPDX-License-Identifier: MIT */
/* Who called whom, in names. */
#ifndef ARCH_X86_BACKTRACE_H
#define ARCH_X86_BACKTRACE_H

#include <stdint.h>

/* Where a processor was: enough to walk back from. */
struct execution_point {
    uint32_t eip;
    uint32_t esp;
    uint32_t ebp;
};

/*
 * Shows the chain of calls that led to point, innermost first, one a line: address, name,
 * distance from the name. Never faults, however damaged the stack is.
 */
void backtrace_show(struct execution_point point);

#endif
