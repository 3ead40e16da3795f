/* SPDX-License-Identifier: MIT */
/*
 * sbrk() for peers that ask an operating system for memory: it hands out the region,
 * from its start on, and then no more.
 *
 * It is static, as sbrk() always was, and so are the peers' own tables: one program can
 * run one heap of such a peer. init starts it anew.
 */
#ifndef PEERS_SBRK_H
#define PEERS_SBRK_H

#include "../mm/heap_strategy.h"

static struct {
    uint8_t *next; /* where the memory begins that nobody asked for yet */
    uint8_t *end;
} region_break;

static inline uint32_t region_bytes(const struct heap *heap)
{
    return heap->region.map_bytes + heap->region.arena_bytes;
}

static inline void region_sbrk_init(const struct heap *heap)
{
    region_break.next = heap->region.map;
    region_break.end = heap->region.map + region_bytes(heap);
}

/* Returns: the memory's start, as sbrk() does; (void *)-1 iff there is not that much. */
static void *region_sbrk(ptrdiff_t bytes)
{
    if (bytes < 0 || bytes > region_break.end - region_break.next)
        return (void *)-1;
    uint8_t *start = region_break.next;
    region_break.next += bytes;
    return start;
}

#endif
