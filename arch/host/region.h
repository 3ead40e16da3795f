/* SPDX-License-Identifier: MIT */
/* The memory behind kernel_heap when the kernel is a Linux process. */
#ifndef ARCH_HOST_REGION_H
#define ARCH_HOST_REGION_H

#include <stdint.h>

#include "heap_own.h"

enum {
    REGION_MAP_BYTES_MAX = 1024 * 1024, /* of side array; 64 MiB of arena on top */
    REGION_MAP_BYTES_STEP = 8,          /* 520 bytes of region */
    REGION_PROCESSORS_MAX = 8,
};

/*
 * Gives kernel_heap a region with this much side array, 64 times as much arena, and
 * fresh, zeroed memory. kinitHeap() must follow.
 * Requires: map_bytes is a multiple of REGION_MAP_BYTES_STEP, at most the maximum.
 */
void region_set(uint32_t map_bytes);

/* Has Linux give the whole region its pages now, so that no call that is timed waits for one. */
void region_touch(void);

/* Which processor a thread stands for: the first, or the one whose number it says here. */
extern __thread uint32_t region_processor;

/* What each of them has of the heap. */
extern struct heap_own region_heap_own[REGION_PROCESSORS_MAX];

#endif
