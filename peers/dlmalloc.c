/* SPDX-License-Identifier: MIT */
/*
 * dlmalloc: Doug Lea's malloc 2.8.6, unmodified, as a strategy.
 *
 * Source: dlmalloc.c, 2012, public domain; its own first thousand lines describe it. Out
 * of Debian's package emscripten, which keeps it with small changes, none of which is
 * compiled here (they ask for __EMSCRIPTEN__).
 *
 * How it is built. One mspace lies over the whole region, and its bins are in it. The
 * checks of addresses that it ships with are on; a failed one is an invalid instruction,
 * hence a panic. No locks, no memory from elsewhere, none given back.
 *
 * Layout, as published there. A chunk is counted from the word in front of its header;
 * that word, its owner's while live, is the previous chunk's last. P and C: the previous
 * chunk, this chunk is in use.
 *
 *             | mspace | chunk | chunk | ... | top | its foot |
 *
 *   -4        | belongs to the chunk before, or its size while that is free  |
 *             +--------------------+       +--------------------+
 *    0        | size       | 1 | P |       | size       | 0 | 1 |
 *             +--------------------+       +--------------------+
 *    4        | payload            |       | links of bin or tree           |
 *
 * Invariants, as far as they can be told from outside the bins:
 *   I1: chunks follow one another up to the top, and the top reaches its foot
 *   I2: a chunk says that the one before it is in use iff it is
 *
 * Cost. Sizes below 256 bytes have exact bins, larger ones tries by size: the smallest
 * chunk that fits, in a number of steps bounded by the bits of a size.
 *
 * Its few parameters are static and the same for every heap, so one program can run many.
 */
#include "../mm/heap_strategy.h"

#define ONLY_MSPACES 1
#define USE_LOCKS 0
#define HAVE_MMAP 0
#define HAVE_MORECORE 0
#define MORECORE_CANNOT_TRIM 1
#define NO_MALLINFO 1
#define NO_MALLOC_STATS 1
#define MALLOC_FAILURE_ACTION
#define ABORT __builtin_trap()
#define malloc_getpagesize ((size_t)4096)
#define LACKS_ERRNO_H 1
#define LACKS_FCNTL_H 1
#define LACKS_SCHED_H 1
#define LACKS_STDLIB_H 1
#define LACKS_SYS_MMAN_H 1
#define LACKS_SYS_PARAM_H 1
#define LACKS_SYS_TYPES_H 1
#define LACKS_TIME_H 1
#define LACKS_UNISTD_H 1
#include <dlmalloc.c>

_Static_assert(MALLOC_ALIGNMENT >= HEAP_ALIGNMENT_BYTES, "payloads are aligned for any caller");

/* create_mspace_with_base() puts it into the first chunk, the map being aligned. */
static mspace dlmalloc_space(const struct heap *heap)
{
    return chunk2mem(heap->region.map);
}

static void dlmalloc_init(const struct heap *heap)
{
    create_mspace_with_base(heap->region.map, heap->region.map_bytes + heap->region.arena_bytes,
                            0);
}

__attribute__((flatten)) static void *dlmalloc_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    if (align <= MALLOC_ALIGNMENT)
        return mspace_malloc(dlmalloc_space(heap), size);
    return mspace_memalign(dlmalloc_space(heap), align, size);
}

__attribute__((flatten)) static bool dlmalloc_free(const struct heap *heap, void *address)
{
    mspace_free(dlmalloc_space(heap), address);
    return true;
}

static uint32_t dlmalloc_usable(const struct heap *heap, const void *address)
{
    (void)heap;
    return mspace_usable_size(address);
}

static bool dlmalloc_resize(const struct heap *heap, void *address, uint32_t size)
{
    return mspace_realloc_in_place(dlmalloc_space(heap), address, size) != NULL;
}

static mchunkptr dlmalloc_walk_first(const struct heap *heap)
{
    return mem2chunk(dlmalloc_space(heap));
}

static void dlmalloc_walk_meta(const void *start, const void *end, heap_visit *visit,
                               void *context)
{
    const struct heap_block block = {
        .start = start,
        .bytes = (uint32_t)((const uint8_t *)end - (const uint8_t *)start),
        .state = HEAP_BLOCK_META,
    };
    visit(context, &block);
}

static void dlmalloc_walk(const struct heap *heap, heap_visit *visit, void *context)
{
    const struct malloc_state *space = dlmalloc_space(heap);
    mchunkptr chunk = next_chunk(dlmalloc_walk_first(heap)); /* the mspace itself is the first */
    mchunkptr foot = chunk_plus_offset(space->top, space->topsize);
    dlmalloc_walk_meta(heap->region.map, &chunk->head, visit, context);
    for (; chunk != foot; chunk = next_chunk(chunk)) {
        bool live = cinuse(chunk);
        const struct heap_block block = {
            .start = (const uint8_t *)&chunk->head,
            .bytes = chunksize(chunk),
            .payload = live ? chunk2mem(chunk) : NULL,
            .payload_bytes = live ? chunksize(chunk) - CHUNK_OVERHEAD : 0,
            .state = live ? HEAP_BLOCK_LIVE : HEAP_BLOCK_FREE,
        };
        visit(context, &block);
    }
    dlmalloc_walk_meta(&foot->head, heap->region.arena + heap->region.arena_bytes, visit, context);
}

static const char *dlmalloc_check(const struct heap *heap)
{
    const struct malloc_state *space = dlmalloc_space(heap);
    mchunkptr chunk = dlmalloc_walk_first(heap);
    uintptr_t room = (uintptr_t)heap->region.arena + heap->region.arena_bytes - (uintptr_t)chunk;
    uintptr_t left = (uintptr_t)space->top + space->topsize - (uintptr_t)chunk; /* to the foot */
    bool before = true; /* whether the chunk before is in use */
    for (; left > 0; left -= chunksize(chunk), chunk = next_chunk(chunk)) {
        if (left >= room || chunksize(chunk) % MALLOC_ALIGNMENT != 0 || chunksize(chunk) == 0 ||
            chunksize(chunk) > left || (chunk == space->top) != (chunksize(chunk) == left))
            return "I1: chunks follow one another up to the top, and the top reaches its foot";
        if ((pinuse(chunk) != 0) != before)
            return "I2: a chunk says that the one before it is in use iff it is";
        before = cinuse(chunk) != 0;
    }
    return NULL;
}

const struct heap_strategy heap_dlmalloc = {
    .name = "dlmalloc",
    .source = "Doug Lea's malloc 2.8.6, from Debian's package emscripten",
    .traits = HEAP_COALESCES,
    .control_bytes = sizeof(mparams),
    .init = dlmalloc_init,
    .alloc = dlmalloc_alloc,
    .free = dlmalloc_free,
    .usable = dlmalloc_usable,
    .resize = dlmalloc_resize,
    .walk = dlmalloc_walk,
    .check = dlmalloc_check,
};
