/* SPDX-License-Identifier: MIT */
/*
 * emmalloc: Emscripten's small malloc, unmodified, as a strategy.
 *
 * Source: emmalloc.c, the Emscripten authors, 2018, MIT licence, out of Debian's package
 * emscripten; its first lines describe it.
 *
 * How it is built. As shipped: without assertions, validation, log and lock. It grows by
 * sbrk(), which hands out the region; init lets it claim the whole region at once, as
 * later it could not use the last few bytes. Its names are changed here and there by
 * macros, lest they be taken for the C library's.
 *
 * Layout, as published there. A region, in its words, has its size at both ends; at the
 * upper one the lowest bit says that it is free. The first and the last are its own.
 *
 *             +--------------------+       +--------------------+
 *    0        | size               |       | size               |
 *             +--------------------+       +--------------------+
 *    4        | payload            |       | links of its list  |
 *             +--------------------+       +--------------------+
 *   size - 4  | size           | 0 |       | size           | 1 |
 *             +--------------------+       +--------------------+
 *
 * Invariants, as far as they can be told from outside the lists:
 *   I1: regions follow one another from the memory's start to its end
 *   I2: a region's sizes at both ends are equal
 *
 * Cost. 64 lists by size; the first region of a list is tried, then that of the next list,
 * so a bounded number of steps, until memory is nearly used up: then it tries up to 99
 * regions of the last list, and at last all. A block loses eight bytes to its sizes.
 *
 * Its lists are static, and so is sbrk(): one program can run one heap of this peer.
 */
#include "sbrk.h"

#include <stddef.h>

/* As on WebAssembly; GCC's for i386 is 16, and no emmalloc is built with that. */
struct emmalloc_max_align {
    _Alignas(8) uint8_t bytes[8];
};
#define max_align_t struct emmalloc_max_align

#define sbrk region_sbrk
#define malloc emmalloc_public_malloc
#define free emmalloc_public_free
#define calloc emmalloc_public_calloc
#define realloc emmalloc_public_realloc
#define memalign emmalloc_public_memalign
#define posix_memalign emmalloc_public_posix_memalign
#define aligned_alloc emmalloc_public_aligned_alloc
#define malloc_usable_size emmalloc_public_usable_size
#define malloc_trim emmalloc_public_trim
#define mallinfo emmalloc_public_mallinfo
#define __libc_malloc emmalloc_libc_malloc
#define __libc_free emmalloc_libc_free
#define __libc_calloc emmalloc_libc_calloc
#define __libc_realloc emmalloc_libc_realloc
#define constructor(priority) unused /* init does what it would do before main() */
#include <emmalloc.c>
#undef malloc
#undef free
#undef constructor

enum { EDGE_BYTES = sizeof(uint32_t) };

/* The first region begins a word behind an aligned address, as every payload does. */
static Region *emmalloc_first(const struct heap *heap)
{
    return (Region *)(heap->region.map + EDGE_BYTES);
}

static void emmalloc_init(const struct heap *heap)
{
    region_sbrk_init(heap);
    region_sbrk(EDGE_BYTES);
    emmalloc_blank_slate_from_orbit();
    claim_more_memory((size_t)(region_break.end - region_break.next));
}

/* Sizes beyond the region are refused here: emmalloc lets sums of pointers wrap. */
__attribute__((flatten)) static void *emmalloc_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    if (size >= region_bytes(heap) || align >= region_bytes(heap))
        return NULL;
    return emmalloc_memalign(align, size);
}

__attribute__((flatten)) static bool emmalloc_free_block(const struct heap *heap, void *address)
{
    (void)heap;
    emmalloc_free(address);
    return true;
}

static uint32_t emmalloc_usable(const struct heap *heap, const void *address)
{
    (void)heap;
    return emmalloc_usable_size((void *)(uintptr_t)address);
}

static bool emmalloc_resize(const struct heap *heap, void *address, uint32_t size)
{
    return size < region_bytes(heap) && emmalloc_realloc_try(address, size) != NULL;
}

static enum heap_block_state emmalloc_walk_state(const struct heap *heap, Region *region)
{
    const uint8_t *end = heap->region.map + region_bytes(heap);
    if (region == emmalloc_first(heap) || (const uint8_t *)next_region(region) == end)
        return HEAP_BLOCK_META;
    return region_is_free(region) ? HEAP_BLOCK_FREE : HEAP_BLOCK_LIVE;
}

static void emmalloc_walk(const struct heap *heap, heap_visit *visit, void *context)
{
    Region *end = (Region *)(heap->region.map + region_bytes(heap));
    const struct heap_block skipped = {
        .start = heap->region.map, .bytes = EDGE_BYTES, .state = HEAP_BLOCK_META};
    visit(context, &skipped);
    for (Region *region = emmalloc_first(heap); region != end; region = next_region(region)) {
        struct heap_block block = {
            .start = (const uint8_t *)region,
            .bytes = region->size,
            .state = emmalloc_walk_state(heap, region),
        };
        if (block.state == HEAP_BLOCK_LIVE) {
            block.payload = region_payload_start_ptr(region);
            block.payload_bytes = region->size - REGION_HEADER_SIZE;
        }
        visit(context, &block);
    }
}

static const char *emmalloc_check(const struct heap *heap)
{
    uint32_t left_bytes = region_bytes(heap) - EDGE_BYTES;
    for (Region *region = emmalloc_first(heap); left_bytes > 0;
         left_bytes -= region->size, region = next_region(region)) {
        if (left_bytes < EDGE_BYTES || region->size < sizeof(Region) ||
            region->size % EDGE_BYTES != 0 || region->size > left_bytes)
            return "I1: regions follow one another from the memory's start to its end";
        if (!debug_region_is_consistent(region))
            return "I2: a region's sizes at both ends are equal";
    }
    return NULL;
}

const struct heap_strategy heap_emmalloc = {
    .name = "emmalloc",
    .source = "Emscripten's emmalloc, from Debian's package emscripten",
    .traits = HEAP_COALESCES,
    .control_bytes = sizeof(freeRegionBuckets) + sizeof(freeRegionBucketsUsed) +
                     sizeof(listOfAllRegions) + sizeof(region_break),
    .init = emmalloc_init,
    .alloc = emmalloc_alloc,
    .free = emmalloc_free_block,
    .usable = emmalloc_usable,
    .resize = emmalloc_resize,
    .walk = emmalloc_walk,
    .check = emmalloc_check,
};
