/* SPDX-License-Identifier: MIT */
/*
 * Where the kernel heap lies on this machine: in the two arrays at the end of
 * kernelStart.asm. Included by heap.c alone.
 */
#ifndef ARCH_X86_KERNEL_HEAP_H
#define ARCH_X86_KERNEL_HEAP_H

#include "heap_strategy.h"

#include "interrupts.h"
#include "processor.h"

extern uint8_t _kernelHeapArray[], _kernelHeap[];

/* In assembler: pushes how interrupts are and keeps them out; pops it, and makes them so again. */
#define KERNEL_HEAP_KEEP_OUT "pushfl\n\tcli\n\t"
#define KERNEL_HEAP_LET_IN "popfl\n\t"

/* The same in C. */
static inline uint32_t kernel_heap_keep_out(void)
{
    return interrupts_save();
}

static inline void kernel_heap_let_in(uint32_t flags)
{
    interrupts_restore(flags);
}

/*
 * In assembler, of what this processor has of the heap: a member, or one of an array that is
 * indexed by an operand; and the operands that this takes, for each member one.
 */
#define KERNEL_HEAP_OWN(member) "%%fs:%c[" member "]"
#define KERNEL_HEAP_OWN_AT(member, index) "%%fs:%c[" member "](,%[" index "],4)"
#define KERNEL_HEAP_OWN_FIELD(member) [member] "i"(offsetof(struct processor, heap_own.member))
#define KERNEL_HEAP_OWN_OPERANDS(member) KERNEL_HEAP_OWN_FIELD(member)

static inline uint32_t kernel_heap_processors(void)
{
    return PROCESSORS_MAX;
}

static inline struct heap_own *kernel_heap_own(uint32_t processor)
{
    return &processors[processor].heap_own;
}

static inline struct heap_own *kernel_heap_own_here(void)
{
    return &processor_self()->heap_own;
}

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
