/* SPDX-License-Identifier: MIT */
/*
 * kmalloc and kfree as a front door has them that knows no hardening: compiled behind a
 * strategy, as mm/heap.c is, for a test that compares the code of both.
 */
#include "heap.h"
#include "heap_strategy.h"
#include "kernel_heap.h"

_Noreturn void bare_panic(const char *format, ...);

static uint8_t is_ready;

void kinitHeap(void)
{
    HEAP_STRATEGY.init(&kernel_heap);
    is_ready = 1;
}

static inline void insist(void)
{
    if (!is_ready)
        bare_panic("%s: called before kinitHeap()", "kmalloc");
}

static __attribute__((noinline, flatten)) void *alloc_slowly(uint32_t size)
{
    void *block = HEAP_STRATEGY.slow_alloc(&kernel_heap, size);
    if (block == NULL)
        insist();
    return block;
}

__attribute__((noinline, flatten)) void *kmalloc(uint32_t size)
{
    if (HEAP_STRATEGY.quick_alloc == NULL) {
        insist();
        return size == 0 ? NULL
                         : HEAP_STRATEGY.alloc(&kernel_heap, size, HEAP_ALIGNMENT_BYTES);
    }
    void *block = HEAP_STRATEGY.quick_alloc(&kernel_heap, size);
    return block == NULL ? alloc_slowly(size) : block;
}

/* What it returns is not to be known to the compiler here, either. */
static __attribute__((noinline, flatten)) int8_t free_slowly(void *address)
{
    int8_t said = HEAP_STRATEGY.slow_free(&kernel_heap, address) ? 0 : -1;
    __asm__("" : "+r"(said));
    return said;
}

__attribute__((noinline, flatten)) int8_t kfree(void *address)
{
    if (HEAP_STRATEGY.quick_free == NULL) {
        if (address == NULL)
            return 0;
        return HEAP_STRATEGY.free(&kernel_heap, address) ? 0 : -1;
    }
    return HEAP_STRATEGY.quick_free(&kernel_heap, address) ? 0 : free_slowly(address);
}
