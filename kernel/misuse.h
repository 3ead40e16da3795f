/* SPDX-License-Identifier: MIT */
/* What the kernel says when its heap is misused: the front door's hook, heap_misused(). */
#ifndef KERNEL_MISUSE_H
#define KERNEL_MISUSE_H

#include <stdint.h>

#include "hardening.h"

enum misuse_policy {
    MISUSE_REPORT, /* and go on; after the first MISUSE_REPORTS_MAX only count */
    MISUSE_STOP,   /* report, and panic */
    MISUSE_IGNORE, /* say nothing: a test expects it */
};

enum { MISUSE_REPORTS_MAX = 16 };

/* From now on. The default is what -Dpanic_on_misuse says. */
void misuse_set_policy(enum misuse_policy policy);

/*
 * Says in one line what was done wrong, to what, and who took and freed it.
 * Returns: the line, valid until the next call.
 */
const char *misuse_text(const struct heap_misuse *misuse);

/* Calls hear, if not NULL, with each misuse from now on, before anything is said. */
typedef void misuse_listener(const struct heap_misuse *misuse);
void misuse_listen(misuse_listener *hear);

/* Says who holds how many blocks: heap_leaks() as a table. */
void misuse_print_leaks(void);

#endif
