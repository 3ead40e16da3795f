/* SPDX-License-Identifier: MIT */
/*
 * A heap of any strategy and size, and what can be counted while somebody plays with it:
 * holes looked at, exact fits, the memory that was ever used. Its blocks are never written to.
 */
#ifndef PAPERS_LIVE_HEAP_H
#define PAPERS_LIVE_HEAP_H

#include "heap_check.h"
#include "heap_strategy.h"

struct live_heap {
    const struct heap_strategy *strategy;
    struct heap heap;
    bool tiles; /* a live block is all of it its owner's, so that neighbours touch */
    uint8_t *walls; /* of each unit, iff tiles: does a live block begin, or the one below it end? */
    uint64_t alloc_steps; /* holes looked at, as mm/heap_step.h counts */
    uint64_t free_steps;
    uint32_t last_steps;    /* of the last allocation */
    bool last_was_exact;    /* the last allocation left nothing of its hole; iff tiles */
    uint32_t granted_bytes; /* what live blocks' owners may use */
    uint32_t peak_granted_bytes;
    uint32_t largest_granted_bytes; /* of any block so far */
    uint32_t units_max; /* of arena, however few of them it has now */
    uint32_t lowest;  /* of the bytes that were ever used, counted from the side array */
    uint32_t highest; /* behind the last of them */
};

/*
 * Makes a heap with so much arena, empty.
 * Requires: arena_bytes is a multiple of 512.
 * Returns: NULL and *live filled in; else what is wrong.
 */
const char *live_heap_start(struct live_heap *live, const struct heap_strategy *strategy,
                            uint32_t arena_bytes);

/*
 * From now on the heap has only its first bytes, of which there are none, and grows when it is
 * told to, like one above sbrk(). Requires: tiles; nothing was allocated.
 */
void live_heap_confine(struct live_heap *live);

/*
 * Grows by as much as makes the hole at its end one of so many units.
 * Returns: false iff there is too little memory. Requires: live_heap_confine() was called.
 */
bool live_heap_grow(struct live_heap *live, uint32_t units);

/* Returns: whether nothing but a hole lies behind a live block. Requires: tiles. */
bool live_heap_is_last(const struct live_heap *live, const void *address);

/* Gives the heap's memory back. */
void live_heap_end(struct live_heap *live);

/* Returns: as kmalloc. */
void *live_heap_alloc(struct live_heap *live, uint32_t size);

/* Returns: whether a live block now holds size bytes where it lies. Requires: size > 0. */
bool live_heap_resize_in_place(struct live_heap *live, void *address, uint32_t size);

/* Returns: as krealloc, for a live block and a size above 0. */
void *live_heap_resize(struct live_heap *live, void *address, uint32_t size);

/* Requires: address is a live block's. */
void live_heap_free(struct live_heap *live, void *address);

/* Returns: a block's distance from the side array, in bytes. */
uint32_t live_heap_offset(const struct live_heap *live, const void *address);

/* Returns: the bytes from the lowest that was ever used to the highest. */
uint32_t live_heap_extent_bytes(const struct live_heap *live);

/* Returns: how many pages of 4 KiB are nothing but part of a hole, so that they could be lent. */
uint32_t live_heap_empty_pages(const struct live_heap *live);

#endif
