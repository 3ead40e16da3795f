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

static inline uint32_t kernel_heap_keep_out(void)
{
    return 0;
}

static inline void kernel_heap_let_in(uint32_t flags)
{
    (void)flags;
}

static inline uint32_t kernel_heap_processors(void)
{
    return REGION_PROCESSORS_MAX;
}

static inline struct heap_own *kernel_heap_own(uint32_t processor)
{
    return &region_heap_own[processor];
}

static inline struct heap_own *kernel_heap_own_here(void)
{
    return &region_heap_own[region_processor];
}

/* As on the PC, but that a register leads to what is this thread's own. */
#define KERNEL_HEAP_OWN(member) "%c[" member "](%[own])"
#define KERNEL_HEAP_OWN_AT(member, index) "%c[" member "](%[own],%[" index "],4)"
#define KERNEL_HEAP_OWN_FIELD(member) [member] "i"(offsetof(struct heap_own, member))
#define KERNEL_HEAP_OWN_OPERANDS(member)                                                        \
    KERNEL_HEAP_OWN_FIELD(member), [own] "r"(kernel_heap_own_here())

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
    return kernel_heap_own_here();
}

#endif
