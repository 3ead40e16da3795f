/* SPDX-License-Identifier: MIT */
/*
 * newlib: the standard malloc of the C library newlib, unmodified, as a strategy. It is
 * Doug Lea's malloc 2.6.5 of 1998, the ancestor of dlmalloc and of glibc's.
 *
 * Source: newlib/libc/stdlib/mallocr.c of newlib 3.3.0, public domain, out of Debian's
 * package newlib-source; its own comments describe it.
 *
 * How it is built. As newlib does, in parts (SEPARATE_OBJECTS), those that are used here,
 * but without the argument for re-entrancy. It grows by sbrk(), which hands out the region;
 * init lets it claim the whole region at once, and it is told to give nothing back
 * (DEFAULT_TRIM_THRESHOLD): with pages coming and going it could not use the region's
 * last pages. realloc() may move a block as well as resize it, so only what it does for
 * smaller sizes, always in place, is used; to grow, a block moves.
 *
 * Layout, as published there. A chunk is counted from the word in front of its header;
 * that word, its owner's while live, is the previous chunk's last. P: the previous chunk
 * is in use. Whether a chunk is, the next one says.
 *
 *             | chunk | chunk | ... | top |
 *
 *   -4        | belongs to the chunk before, or its size while that is free  |
 *             +--------------------+       +--------------------+
 *    0        | size           | P |       | size           | 1 |
 *             +--------------------+       +--------------------+
 *    4        | payload            |       | links of its bin   |
 *
 * Invariants, as far as they can be told from outside the bins:
 *   I1: chunks follow one another up to the top, and the top ends with the region
 *   I2: no two neighbours are free
 *
 * Cost. 128 bins, the larger ones sorted by size: best fit, linear in the length of a bin.
 *
 * Its bins are static, and so is sbrk(): one program can run one heap of this peer.
 */
#include "sbrk.h"

#define SEPARATE_OBJECTS
#define DEFINE_MALLOC
#define DEFINE_FREE
#define DEFINE_REALLOC
#define DEFINE_MEMALIGN
#define DEFINE_MALLOC_USABLE_SIZE
#define HAVE_MMAP 0
#define MORECORE region_sbrk
#define MORECORE_CLEARS 0
#define DEFAULT_TRIM_THRESHOLD 0xFFFFFFFFUL
#define malloc_getpagesize 4096
#define LACKS_UNISTD_H
#define malloc newlib_public_malloc
#define free newlib_public_free
#define realloc newlib_public_realloc
#define memalign newlib_public_memalign
#define malloc_usable_size newlib_public_usable_size
#define malloc_trim newlib_public_trim
#include <mallocr.c>
#undef malloc
#undef free
#undef realloc

/* Empties the bins, as the initialiser of av_ in mallocr.c has them. */
static void newlib_forget(void)
{
    memset(av_, 0, sizeof(av_));
    for (uint32_t bin = 0; bin < NAV; bin++)
        bin_at(bin)->fd = bin_at(bin)->bk = bin_at(bin);
    sbrk_base = (char *)-1;
    current_mallinfo = (struct mallinfo){0};
}

static void newlib_init(const struct heap *heap)
{
    newlib_forget();
    region_sbrk_init(heap);
    malloc_extend_top(region_bytes(heap) - MINSIZE);
}

__attribute__((flatten)) static void *newlib_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    if (align <= MALLOC_ALIGNMENT)
        return newlib_public_malloc(size);
    if (size >= region_bytes(heap) || align >= region_bytes(heap))
        return NULL;
    return newlib_public_memalign(align, size);
}

__attribute__((flatten)) static bool newlib_free(const struct heap *heap, void *address)
{
    (void)heap;
    newlib_public_free(address);
    return true;
}

static uint32_t newlib_usable(const struct heap *heap, const void *address)
{
    (void)heap;
    return newlib_public_usable_size((void *)(uintptr_t)address);
}

static bool newlib_resize(const struct heap *heap, void *address, uint32_t size)
{
    if (size > newlib_usable(heap, address))
        return false;
    newlib_public_realloc(address, size);
    return true;
}

static void newlib_walk(const struct heap *heap, heap_visit *visit, void *context)
{
    mchunkptr chunk = (mchunkptr)heap->region.map;
    const struct heap_block head = {
        .start = heap->region.map, .bytes = SIZE_SZ, .state = HEAP_BLOCK_META};
    visit(context, &head);
    for (; chunk != top; chunk = next_chunk(chunk)) {
        bool live = inuse(chunk);
        const struct heap_block block = {
            .start = (const uint8_t *)&chunk->size,
            .bytes = chunksize(chunk),
            .payload = live ? chunk2mem(chunk) : NULL,
            .payload_bytes = live ? chunksize(chunk) - SIZE_SZ : 0,
            .state = live ? HEAP_BLOCK_LIVE : HEAP_BLOCK_FREE,
        };
        visit(context, &block);
    }
    const struct heap_block rest = {
        .start = (const uint8_t *)&top->size,
        .bytes = chunksize(top) - SIZE_SZ, /* its last word would be the next one's first */
        .state = HEAP_BLOCK_FREE,
    };
    visit(context, &rest);
}

static const char *newlib_check(const struct heap *heap)
{
    uint32_t left_bytes = region_bytes(heap);
    bool before = true; /* whether the chunk before is in use */
    for (mchunkptr chunk = (mchunkptr)heap->region.map; left_bytes > 0;
         left_bytes -= chunksize(chunk), chunk = next_chunk(chunk)) {
        if (left_bytes < MINSIZE || chunksize(chunk) < MINSIZE || chunksize(chunk) > left_bytes ||
            chunksize(chunk) % MALLOC_ALIGNMENT != 0 ||
            (chunk == top) != (chunksize(chunk) == left_bytes))
            return "I1: chunks follow one another up to the top, and the top ends with the region";
        if (!before && !prev_inuse(chunk))
            return "I2: no two neighbours are free";
        before = prev_inuse(chunk);
    }
    return NULL;
}

const struct heap_strategy heap_newlib = {
    .name = "newlib",
    .source = "newlib 3.3.0's malloc (Doug Lea's 2.6.5), from Debian's package newlib-source",
    .traits = HEAP_COALESCES,
    .control_bytes = sizeof(av_) + sizeof(trim_threshold) + sizeof(top_pad) + sizeof(sbrk_base) +
                     sizeof(max_sbrked_mem) + sizeof(max_total_mem) + sizeof(current_mallinfo) +
                     sizeof(region_break),
    .init = newlib_init,
    .alloc = newlib_alloc,
    .free = newlib_free,
    .usable = newlib_usable,
    .resize = newlib_resize,
    .walk = newlib_walk,
    .check = newlib_check,
};
