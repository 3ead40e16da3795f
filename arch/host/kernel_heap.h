/* SPDX-License-Identifier: MIT */
/*
 * Where the kernel heap lies when the kernel is a Linux process: in memory whose size
 * can change from one kinitHeap() to the next. Included by heap.c and arch/host alone.
 */
#ifndef ARCH_HOST_KERNEL_HEAP_H
#define ARCH_HOST_KERNEL_HEAP_H

#include <sched.h>

#include "heap_strategy.h"
#include "region.h"

enum {
    KERNEL_HEAP_REGION_BYTES_MAX = REGION_MAP_BYTES_MAX * (1 + HEAP_BYTES_PER_MAP_BYTE)
};

extern struct heap kernel_heap;

/* A process has no interrupts to keep out; its threads are the processors. */
#define KERNEL_HEAP_KEEP_OUT "pushl $0\n\t"
#define KERNEL_HEAP_LET_IN "addl $4, %%esp\n\t"

static inline void kernel_heap_pause(void)
{
    sched_yield();
}

static inline uint64_t kernel_heap_clock(void)
{
    return __builtin_ia32_rdtsc();
}

/* Returns: what tells the thread that this runs on from others. */
static inline const void *kernel_heap_self(void)
{
    static __thread uint8_t self;
    return &self;
}

#endif
