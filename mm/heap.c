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
 * with the region's addresses folded into them. A test reads the disassembly. Into kmalloc
 * and kfree it inlines them whatever their size ("flatten"; clang does so for the calls in
 * a function's own text, and no deeper), since only there does it see which heap, and which
 * alignment, they are for. kmalloc and kfree themselves are never inlined: each heap has its
 * code once, and its size can be compared. Where a strategy is cut into a quick and a slow
 * half, the slow one is a function of its own, for the quick one's sake.
 *
 * What a caller may get wrong, and what holds for every strategy alike, is decided
 * here and only here: zero sizes, NULL, products that overflow, alignments that are
 * none, and how a block moves when it cannot grow.
 *
 * Hardening (-Dhardening=). With "check", a wrong address given to kfree, krealloc or
 * ksize is refused whatever the strategy. Some strategies know by themselves whether an
 * address is a live block's (HEAP_VALIDATES_FREE); for the others the guard here does:
 * one bit for each 8 bytes of region, set iff a live block starts there, 1/64 of the
 * region in all. Which of the two holds is known when this is compiled; what is not
 * needed leaves neither code nor memory behind.
 */
#include "heap.h"

#include "heap_strategy.h"
#include "kernel_heap.h"
#include "panic.h"

/* 1 iff -Dhardening is "check". */
#ifndef HARDENING_CHECKS
#error "HARDENING_CHECKS: whether the front door refuses wrong addresses, is not defined"
#endif

extern const struct heap_strategy HEAP_STRATEGY;

static bool initialised;

/* --- the guard ---------------------------------------------------------------------- */

enum {
    GRANULE_BYTES = HEAP_ALIGNMENT_BYTES,
    WORD_BITS = 32,
    GUARD_WORDS = KERNEL_HEAP_REGION_BYTES_MAX / (GRANULE_BYTES * WORD_BITS) + 1,
};

static uint32_t live_starts[GUARD_WORDS];

static inline bool guard_is_needed(void)
{
    return HARDENING_CHECKS && (HEAP_STRATEGY.traits & HEAP_VALIDATES_FREE) == 0;
}

static inline uint32_t granule_of(const void *address)
{
    return (uint32_t)((uintptr_t)address - (uintptr_t)kernel_heap.region.map) / GRANULE_BYTES;
}

static inline uint32_t granule_bit(const void *address)
{
    return 1U << granule_of(address) % WORD_BITS;
}

static inline void guard_clear(void)
{
    if (guard_is_needed())
        __builtin_memset(live_starts, 0, sizeof(live_starts));
}

static inline void guard_enter(const void *address)
{
    if (guard_is_needed() && address != NULL)
        live_starts[granule_of(address) / WORD_BITS] |= granule_bit(address);
}

/* Returns: false iff the guard is needed and knows of no live block at address. */
static inline bool guard_lets_pass(const void *address)
{
    if (!guard_is_needed())
        return true;
    const struct heap_region *region = &kernel_heap.region;
    uintptr_t offset = (uintptr_t)address - (uintptr_t)region->map; /* below: wraps, too large */
    if (offset >= region->map_bytes + region->arena_bytes || offset % GRANULE_BYTES != 0)
        return false;
    return (live_starts[granule_of(address) / WORD_BITS] & granule_bit(address)) != 0;
}

static inline void guard_leave(const void *address)
{
    if (guard_is_needed())
        live_starts[granule_of(address) / WORD_BITS] &= ~granule_bit(address);
}

/* --- the public functions ------------------------------------------------------------- */

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
    guard_clear();
    HEAP_STRATEGY.init(&kernel_heap);
    initialised = true;
}

static __attribute__((noinline, flatten)) void *allocate_slowly(uint32_t size)
{
    void *block = HEAP_STRATEGY.slow_alloc(&kernel_heap, size);
    guard_enter(block);
    return block;
}

__attribute__((noinline, flatten)) void *kmalloc(uint32_t size)
{
    require_initialised("kmalloc");
    if (size == 0)
        return NULL;
    void *block;
    if (HEAP_STRATEGY.quick_alloc == NULL)
        block = HEAP_STRATEGY.alloc(&kernel_heap, size, HEAP_ALIGNMENT_BYTES);
    else if ((block = HEAP_STRATEGY.quick_alloc(&kernel_heap, size)) == NULL)
        return allocate_slowly(size);
    guard_enter(block);
    return block;
}

void *kmalloc_aligned(uint32_t size, uint32_t align_bytes)
{
    require_initialised("kmalloc_aligned");
    if (size == 0 || !is_power_of_two(align_bytes))
        return NULL;
    if (align_bytes <= HEAP_ALIGNMENT_BYTES)
        return kmalloc(size);
    void *block = HEAP_STRATEGY.alloc(&kernel_heap, size, align_bytes);
    guard_enter(block);
    return block;
}

static __attribute__((noinline, flatten)) int8_t free_slowly(void *address)
{
    if (!HEAP_STRATEGY.slow_free(&kernel_heap, address))
        return -1;
    guard_leave(address);
    return 0;
}

__attribute__((noinline, flatten)) int8_t kfree(void *address)
{
    if (address == NULL)
        return 0;
    if (!guard_lets_pass(address))
        return -1;
    if (HEAP_STRATEGY.quick_free != NULL) {
        if (!HEAP_STRATEGY.quick_free(&kernel_heap, address))
            return free_slowly(address);
    } else if (!HEAP_STRATEGY.free(&kernel_heap, address)) {
        return -1;
    }
    guard_leave(address);
    return 0;
}

uint32_t ksize(const void *address)
{
    if (address == NULL || !guard_lets_pass(address))
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

bool kheap_refuses_wrong_addresses(void)
{
    return HARDENING_CHECKS || (HEAP_STRATEGY.traits & HEAP_VALIDATES_FREE) != 0;
}

const char *kheap_hardening(void)
{
    return HARDENING_CHECKS ? "check" : "off";
}

uint32_t kheap_hardening_bytes(void)
{
    return guard_is_needed() ? sizeof(live_starts) : 0;
}

const struct heap *kheap(void)
{
    return &kernel_heap;
}
