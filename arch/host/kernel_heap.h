/* SPDX-License-Identifier: MIT */
/*
 * Where the kernel heap lies when the kernel is a Linux process: in memory whose size
 * can change from one kinitHeap() to the next. Included by heap.c and arch/host alone.
 */
#ifndef ARCH_HOST_KERNEL_HEAP_H
#define ARCH_HOST_KERNEL_HEAP_H

#include "heap_strategy.h"
#include "region.h"

enum {
    KERNEL_HEAP_REGION_BYTES_MAX = REGION_MAP_BYTES_MAX * (1 + HEAP_BYTES_PER_MAP_BYTE)
};

extern struct heap kernel_heap;

#endif
