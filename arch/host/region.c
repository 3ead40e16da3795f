/* SPDX-License-Identifier: MIT */
#include "region.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel_heap.h"

static _Alignas(8) uint8_t control[HEAP_CONTROL_BYTES_MAX];

struct heap kernel_heap = {.control = control};

__thread uint32_t region_processor;
struct heap_own region_heap_own[REGION_PROCESSORS_MAX];

void region_set(uint32_t map_bytes)
{
    /* A wish: so that what a wild pointer does is the same in each run. */
    void *const place = (void *)(uintptr_t)0x10000000;
    static uint8_t *memory;
    if (memory != NULL)
        munmap(memory, KERNEL_HEAP_REGION_BYTES_MAX);
    memory = mmap(place, KERNEL_HEAP_REGION_BYTES_MAX, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        perror("mmap");
        exit(EXIT_FAILURE);
    }
    uint8_t *arena = memory + REGION_MAP_BYTES_MAX;
    kernel_heap.region = (struct heap_region){
        .map = arena - map_bytes,
        .map_bytes = map_bytes,
        .arena = arena,
        .arena_bytes = map_bytes * HEAP_BYTES_PER_MAP_BYTE,
    };
}

void region_touch(void)
{
    const struct heap_region *region = &kernel_heap.region;
    memset(region->map, 0, region->map_bytes + region->arena_bytes);
}
