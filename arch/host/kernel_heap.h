/* SPDX-License-Identifier: MIT */
/*
 * Where the kernel heap lies when the kernel is a Linux process: in memory whose size
 * can change from one kinitHeap() to the next. Included by heap.c and arch/host alone.
 */
#ifndef ARCH_HOST_KERNEL_HEAP_H
#define ARCH_HOST_KERNEL_HEAP_H

#include "heap_strategy.h"

extern struct heap kernel_heap;

#endif
