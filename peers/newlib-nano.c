/* SPDX-License-Identifier: MIT */
/*
 * newlib-nano: the small malloc of the C library newlib, unmodified, as a strategy: what
 * most programs for microcontrollers run.
 *
 * Source: newlib/libc/stdlib/nano-mallocr.c of newlib 3.3.0, ARM Ltd, 2012, BSD licence,
 * out of Debian's package newlib-source.
 *
 * How it is built. The functions used here, without the argument for re-entrancy. It asks
 * sbrk() for each block that no free chunk fits, for no more than that, and sbrk() hands
 * out the region. What lies behind the break is a hole too, but one that does not merge
 * with a free chunk in front of it.
 *
 * Layout, as published there. The list of free chunks is in the order of addresses; a
 * chunk is free iff it is in it. A payload that must be aligned stands a word or two
 * further on, and in front of it, in place of a size, is the way back, negative.
 *
 *             live                   live, padded             free
 *             +---------------+      +---------------+        +---------------+
 *    0        | size          |      | size          |        | size          |
 *             +---------------+      +---------------+        +---------------+
 *    4        | payload       |      | -4            |        | next          |
 *             |               |      +---------------+        +---------------+
 *    8        |               |      | payload       |        |               |
 *
 * Invariants:
 *   I1: chunks follow one another up to the break
 *   I2: every chunk of the list is one of these, and the list ascends
 *
 * What a walk cannot tell: whether the owner of a block wrote -8 into its second word, or
 * the block is one that memalign() padded by two words. It takes the second for granted.
 *
 * Cost. First fit over the list, linear in its length; so is free, to keep the order.
 *
 * Its list is static, and so is sbrk(): one program can run one heap of this peer.
 */
#include "sbrk.h"

#define DEFINE_MALLOC
#define DEFINE_FREE
#define DEFINE_MEMALIGN
#define DEFINE_MALLOC_USABLE_SIZE
#define _sbrk_r region_sbrk
#define malloc newlib_nano_malloc
#define free newlib_nano_public_free
#define calloc newlib_nano_calloc
#define realloc newlib_nano_realloc
#define memalign newlib_nano_memalign
#define malloc_usable_size newlib_nano_usable_size
#include <nano-mallocr.c>
#undef malloc
#undef free
#undef calloc
#undef realloc

static void newlib_nano_init(const struct heap *heap)
{
    region_sbrk_init(heap);
    free_list = NULL;
    sbrk_start = NULL;
}

/* Sizes beyond the region are refused here: memalign lets their sum with align wrap. */
__attribute__((flatten)) static void *newlib_nano_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    if (align <= MALLOC_ALIGN)
        return newlib_nano_malloc(size);
    if (size >= region_bytes(heap) || align >= region_bytes(heap))
        return NULL;
    return newlib_nano_memalign(align, size);
}

__attribute__((flatten)) static bool newlib_nano_free(const struct heap *heap, void *address)
{
    (void)heap;
    newlib_nano_public_free(address);
    return true;
}

static uint32_t newlib_nano_usable(const struct heap *heap, const void *address)
{
    (void)heap;
    return newlib_nano_usable_size((void *)(uintptr_t)address);
}

/* What its realloc() does before it moves a block: nothing, if it is large enough. */
static bool newlib_nano_resize(const struct heap *heap, void *address, uint32_t size)
{
    return newlib_nano_usable(heap, address) >= size;
}

/* Returns: the payload of a live chunk. */
static const uint8_t *newlib_nano_walk_payload(const chunk *live)
{
    const uint32_t two_words = 2 * CHUNK_ALIGN;
    uintptr_t first = (uintptr_t)live + CHUNK_OFFSET;
    uintptr_t payload = ALIGN_TO(first, MALLOC_ALIGN);
    const long *behind = (const long *)((uintptr_t)live + two_words);
    if (payload == first && (uint32_t)live->size > two_words + CHUNK_OFFSET &&
        *behind == -(long)two_words)
        payload += two_words;
    return (const uint8_t *)payload;
}

static void newlib_nano_walk_chunk(const chunk *at, bool live, heap_visit *visit, void *context)
{
    struct heap_block block = {
        .start = (const uint8_t *)at,
        .bytes = (uint32_t)at->size,
        .state = live ? HEAP_BLOCK_LIVE : HEAP_BLOCK_FREE,
    };
    if (live) {
        block.payload = newlib_nano_walk_payload(at);
        block.payload_bytes = (uint32_t)(block.start + block.bytes - block.payload);
    }
    visit(context, &block);
}

static void newlib_nano_walk(const struct heap *heap, heap_visit *visit, void *context)
{
    const chunk *next_free = free_list;
    const uint8_t *at = heap->region.map;
    while (at != region_break.next) {
        const chunk *here = (const chunk *)at;
        newlib_nano_walk_chunk(here, here != next_free, visit, context);
        if (here == next_free)
            next_free = here->next;
        at += here->size;
    }
    const struct heap_block rest = {
        .start = at, .bytes = (uint32_t)(region_break.end - at), .state = HEAP_BLOCK_FREE};
    if (rest.bytes > 0)
        visit(context, &rest);
}

/* memalign() cuts blocks shorter than MALLOC_MINCHUNK, but so that they can be freed. */
enum { NANO_CHUNK_BYTES_MIN = sizeof(chunk) };

static const char *newlib_nano_check(const struct heap *heap)
{
    const chunk *next_free = free_list;
    const uint8_t *at = heap->region.map;
    while (at != region_break.next) {
        const chunk *here = (const chunk *)at;
        uint32_t left_bytes = (uint32_t)(region_break.next - at);
        if (left_bytes < NANO_CHUNK_BYTES_MIN || here->size < NANO_CHUNK_BYTES_MIN ||
            (uint32_t)here->size > left_bytes || (uint32_t)here->size % CHUNK_ALIGN != 0)
            return "I1: chunks follow one another up to the break";
        if (here == next_free)
            next_free = here->next;
        at += here->size;
    }
    if (next_free != NULL)
        return "I2: every chunk of the list is one of these, and the list ascends";
    return NULL;
}

const struct heap_strategy heap_newlib_nano = {
    .name = "newlib-nano",
    .source = "newlib 3.3.0's nano malloc, from Debian's package newlib-source",
    .traits = 0,
    .control_bytes = sizeof(free_list) + sizeof(sbrk_start) + sizeof(region_break),
    .init = newlib_nano_init,
    .alloc = newlib_nano_alloc,
    .free = newlib_nano_free,
    .usable = newlib_nano_usable,
    .resize = newlib_nano_resize,
    .walk = newlib_nano_walk,
    .check = newlib_nano_check,
};
