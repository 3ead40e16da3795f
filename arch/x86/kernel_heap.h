/* SPDX-License-Identifier: MIT */
/*
 * Where the kernel heap lies on this machine: in the two arrays at the end of
 * kernelStart.asm. Included by heap.c alone.
 */
#ifndef ARCH_X86_KERNEL_HEAP_H
#define ARCH_X86_KERNEL_HEAP_H

#include "heap_strategy.h"

extern uint8_t _kernelHeapArray[], _kernelHeap[];

enum {
    KERNEL_HEAP_BYTES = HEAP_KIB * 1024, /* HEAP_KIB: -Dheap_kib */
    KERNEL_HEAP_MAP_BYTES = KERNEL_HEAP_BYTES / HEAP_BYTES_PER_MAP_BYTE,
    KERNEL_HEAP_REGION_BYTES_MAX = KERNEL_HEAP_BYTES + KERNEL_HEAP_MAP_BYTES,
};

static _Alignas(8) uint8_t kernel_heap_control[HEAP_CONTROL_BYTES_MAX];

static const struct heap kernel_heap = {
    .region =
        {
            .map = _kernelHeapArray,
            .map_bytes = KERNEL_HEAP_MAP_BYTES,
            .arena = _kernelHeap,
            .arena_bytes = KERNEL_HEAP_BYTES,
        },
    .control = kernel_heap_control,
};

#endif
