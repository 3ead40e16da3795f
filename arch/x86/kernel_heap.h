/* SPDX-License-Identifier: MIT */
/*
 * Where the kernel heap lies on this machine: in the two arrays at the end of
 * kernelStart.asm. Included by heap.c alone.
 */
#ifndef ARCH_X86_KERNEL_HEAP_H
#define ARCH_X86_KERNEL_HEAP_H

#include "heap_strategy.h"

#include "processor.h"

extern uint8_t _kernelHeapArray[], _kernelHeap[];

/* In assembler: pushes how interrupts are and keeps them out; pops it, and makes them so again. */
#define KERNEL_HEAP_KEEP_OUT "pushfl\n\tcli\n\t"
#define KERNEL_HEAP_LET_IN "popfl\n\t"

/* Whoever waits lets others run: processors that share a core, and QEMU's, in one round. */
static inline void kernel_heap_pause(void)
{
    __builtin_ia32_pause();
}

static inline uint64_t kernel_heap_clock(void)
{
    return __builtin_ia32_rdtsc();
}

/* Returns: what tells the processor that this runs on from others. */
static inline const void *kernel_heap_self(void)
{
    return processor_self();
}

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
