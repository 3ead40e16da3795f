/* SPDX-License-Identifier: MIT */
/*
 * The front door: the public functions of heap.h, over whichever strategy this
 * kernel was built with.
 *
 * Idea. A kernel has one heap and one strategy, so nothing here is looked up at run
 * time. This file is compiled as one unit together with its strategy's, which stands
 * in front of it; HEAP_STRATEGY names that strategy's table. The table is const and
 * its definition is in sight, and so is the heap, whose region the machine's
 * kernel_heap.h gives: the compiler calls, or inlines, the strategy's own functions,
 * with the region's addresses folded into them. A test reads the disassembly.
 *
 * What a caller may get wrong, and what holds for every strategy alike, is decided
 * here and only here: zero sizes, NULL, products that overflow, alignments that are
 * none, and how a block moves when it cannot grow.
 */
#include "heap.h"

#include "heap_strategy.h"
#include "kernel_heap.h"
#include "panic.h"

extern const struct heap_strategy HEAP_STRATEGY;

static bool initialised;

static bool is_power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

static void require_initialised(const char *caller)
{
    if (!initialised)
        panic("%s: called before kinitHeap()", caller);
}

void kinitHeap(void)
{
    if (HEAP_STRATEGY.control_bytes > HEAP_CONTROL_BYTES_MAX)
        panic("kinitHeap: strategy %s wants %u control bytes, there are %u", HEAP_STRATEGY.name,
              HEAP_STRATEGY.control_bytes, (uint32_t)HEAP_CONTROL_BYTES_MAX);
    HEAP_STRATEGY.init(&kernel_heap);
    initialised = true;
}

void *kmalloc(uint32_t size)
{
    require_initialised("kmalloc");
    if (size == 0)
        return NULL;
    return HEAP_STRATEGY.alloc(&kernel_heap, size, HEAP_ALIGNMENT_BYTES);
}

void *kmalloc_aligned(uint32_t size, uint32_t align_bytes)
{
    require_initialised("kmalloc_aligned");
    if (size == 0 || !is_power_of_two(align_bytes))
        return NULL;
    if (align_bytes < HEAP_ALIGNMENT_BYTES)
        align_bytes = HEAP_ALIGNMENT_BYTES;
    return HEAP_STRATEGY.alloc(&kernel_heap, size, align_bytes);
}

int8_t kfree(void *address)
{
    if (address == NULL)
        return 0;
    return HEAP_STRATEGY.free(&kernel_heap, address) ? 0 : -1;
}

uint32_t ksize(const void *address)
{
    if (address == NULL)
        return 0;
    return HEAP_STRATEGY.usable(&kernel_heap, address);
}

void *kcalloc(uint32_t count, uint32_t size)
{
    uint32_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *block = kmalloc(bytes);
    if (block != NULL)
        __builtin_memset(block, 0, bytes);
    return block;
}

static void *move_block(void *address, uint32_t old_bytes, uint32_t size)
{
    void *moved = kmalloc(size);
    if (moved == NULL)
        return NULL;
    __builtin_memcpy(moved, address, old_bytes < size ? old_bytes : size);
    kfree(address);
    return moved;
}

void *krealloc(void *address, uint32_t size)
{
    if (address == NULL)
        return kmalloc(size);
    uint32_t old_bytes = ksize(address);
    if (old_bytes == 0)
        return NULL;
    if (size == 0) {
        kfree(address);
        return NULL;
    }
    if (HEAP_STRATEGY.resize != NULL && HEAP_STRATEGY.resize(&kernel_heap, address, size))
        return address;
    return move_block(address, old_bytes, size);
}

const struct heap_strategy *kheap_strategy(void)
{
    return &HEAP_STRATEGY;
}

const struct heap *kheap(void)
{
    return &kernel_heap;
}
