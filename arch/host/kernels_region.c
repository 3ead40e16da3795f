/* SPDX-License-Identifier: MIT */
/*
 * The region of a process that times a kernel's heap, as the kernel's compiler made it: where
 * that one looks for it, and as large. timed_region is what the linker is told to place
 * _kernelHeapArray and _kernelHeap in (meson.build).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap_strategy.h"
#include "region.h"

enum {
    ARENA_BYTES = HEAP_KIB * 1024, /* HEAP_KIB: -Dheap_kib */
    MAP_BYTES = ARENA_BYTES / HEAP_BYTES_PER_MAP_BYTE,
    PAGE_BYTES = 4096,
    MAP_PAGE_BYTES = (MAP_BYTES + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES,
};

/* The arena begins a page, as in the kernel; the side array ends where it begins. */
_Alignas(PAGE_BYTES) uint8_t timed_region[MAP_PAGE_BYTES + ARENA_BYTES];

__thread uint32_t region_processor;

void region_set(uint32_t map_bytes)
{
    if (map_bytes != MAP_BYTES) {
        fprintf(stderr, "error: this program has the kernel's heap, of %u KiB\n", (unsigned)HEAP_KIB);
        exit(EXIT_FAILURE);
    }
}

void region_touch(void)
{
    memset(timed_region, 0, sizeof(timed_region));
}
