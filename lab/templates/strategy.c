/* SPDX-License-Identifier: MIT */
/*
 * {{ name }}: say in one sentence what this heap is. As it stands: first fit over blocks
 * that lie side by side, each with a header that tells its size.
 *
 * Source: author, title, venue, year; and where this departs from it. As it stands: the
 * implicit free list of Bryant and O'Hallaron, Computer Systems (3rd edition, 2016),
 * section 9.9.6, without footers: holes merge when an allocation passes by.
 *
 * Idea. Three paragraphs at most. As it stands: the region is one row of blocks, and a
 * block's size leads to the next. To allocate, go along the row, merging holes that have
 * become neighbours, until one is large enough; split off what is too much. To free, mark
 * the block as free.
 *
 * Layout:
 *
 *            +-------------+-----------------+-------------+---------------
 *            | bytes | live|  payload ...    | bytes | live|  payload ...
 *            +-------------+-----------------+-------------+---------------
 *              8 bytes       ^ what alloc returns
 *
 * Invariants:
 *   I1: each block is at least a header long, a multiple of 8, and within the region
 *   I2: a block's mark is LIVE or FREE
 *
 * Cost. alloc: linear in the blocks. free, usable: constant. Say what fragmentation can
 * do in the worst case.
 *
 * When not to use it: say so. As it stands: on a heap of more than a few hundred blocks.
 */
#include "heap_strategy.h"

enum block_mark { FREE = 0x46524545, LIVE = 0x4c495645 }; /* "FREE", "LIVE" */

struct block {
    uint32_t bytes; /* of the whole block, this header included */
    uint32_t mark;  /* of enum block_mark */
};

_Static_assert(sizeof(struct block) == HEAP_ALIGNMENT_BYTES, "a payload behind it is aligned");

/* --- steps ---------------------------------------------------------------------------- */

/* This strategy needs no side array: it uses it as heap. */
static struct block *first_block(const struct heap *heap)
{
    return (struct block *)heap->region.map;
}

static struct block *region_end(const struct heap *heap)
{
    return (struct block *)(heap->region.arena + heap->region.arena_bytes);
}

static struct block *block_at(struct block *block, uint32_t distance_bytes)
{
    return (struct block *)((uint8_t *)block + distance_bytes);
}

static struct block *block_of(const void *payload)
{
    return (struct block *)payload - 1;
}

/* Makes a free block one with the free blocks behind it. */
static void merge_following(const struct heap *heap, struct block *block)
{
    struct block *next = block_at(block, block->bytes);
    for (; next < region_end(heap) && next->mark == FREE; next = block_at(block, block->bytes))
        block->bytes += next->bytes;
}

/* Cuts a block in two; what lies from bytes on becomes a free block of its own. */
static void split(struct block *block, uint32_t bytes)
{
    if (block->bytes == bytes)
        return;
    *block_at(block, bytes) = (struct block){.bytes = block->bytes - bytes, .mark = FREE};
    block->bytes = bytes;
}

/* Returns: how many bytes of block come before a block whose payload is aligned. */
static uint32_t gap_before_aligned(const struct block *block, uint32_t align)
{
    return (uint32_t)(-(uintptr_t)(block + 1) & (align - 1));
}

/* --- the strategy ------------------------------------------------------------------------ */

static void {{ identifier }}_init(const struct heap *heap)
{
    uint32_t bytes = heap->region.map_bytes + heap->region.arena_bytes;
    *first_block(heap) = (struct block){.bytes = bytes, .mark = FREE};
}

static void *{{ identifier }}_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    if (size > heap->region.map_bytes + heap->region.arena_bytes)
        return NULL;
    uint32_t bytes = (size + 2 * sizeof(struct block) - 1) & ~(sizeof(struct block) - 1);
    struct block *block = first_block(heap);
    for (; block < region_end(heap); block = block_at(block, block->bytes)) {
        if (block->mark == LIVE)
            continue;
        merge_following(heap, block);
        uint32_t gap = gap_before_aligned(block, align);
        if (gap > block->bytes || block->bytes - gap < bytes)
            continue;
        if (gap > 0) {
            split(block, gap);
            block = block_at(block, gap);
        }
        split(block, bytes);
        block->mark = LIVE;
        return block + 1;
    }
    return NULL;
}

static bool {{ identifier }}_free(const struct heap *heap, void *address)
{
    (void)heap;
    block_of(address)->mark = FREE;
    return true;
}

static uint32_t {{ identifier }}_usable(const struct heap *heap, const void *address)
{
    (void)heap;
    return block_of(address)->bytes - (uint32_t)sizeof(struct block);
}

static void {{ identifier }}_walk(const struct heap *heap, heap_visit *visit, void *context)
{
    struct block *block = first_block(heap);
    for (; block < region_end(heap); block = block_at(block, block->bytes)) {
        bool live = block->mark == LIVE;
        const struct heap_block seen = {
            .start = (const uint8_t *)block,
            .bytes = block->bytes,
            .payload = live ? (const uint8_t *)(block + 1) : NULL,
            .payload_bytes = live ? block->bytes - (uint32_t)sizeof(struct block) : 0,
            .state = live ? HEAP_BLOCK_LIVE : HEAP_BLOCK_FREE,
        };
        visit(context, &seen);
    }
}

static const char *{{ identifier }}_check(const struct heap *heap)
{
    struct block *block = first_block(heap);
    while (block < region_end(heap)) {
        uint32_t left = (uint32_t)((uint8_t *)region_end(heap) - (uint8_t *)block);
        if (block->bytes < sizeof(*block) || block->bytes % sizeof(*block) != 0 ||
            block->bytes > left)
            return "I1: each block is at least a header long, a multiple of 8, and within the region";
        if (block->mark != LIVE && block->mark != FREE)
            return "I2: a block's mark is LIVE or FREE";
        block = block_at(block, block->bytes);
    }
    return NULL;
}

const struct heap_strategy heap_{{ identifier }} = {
    .name = "{{ name }}",
    .source = "say where the idea comes from",
    .traits = 0, /* of enum heap_trait: what holds without exception */
    .control_bytes = 0,
    .init = {{ identifier }}_init,
    .alloc = {{ identifier }}_alloc,
    .free = {{ identifier }}_free,
    .usable = {{ identifier }}_usable,
    .walk = {{ identifier }}_walk,
    .check = {{ identifier }}_check,
};
