/* SPDX-License-Identifier: MIT */
/*
 * Tagged blocks: blocks of any size with a header of four bytes, which can merge with
 * both neighbours at once. A strategy adds how it finds a hole.
 *
 * Source: Knuth, The Art of Computer Programming 1 (3rd edition, 1997), section 2.5,
 * "boundary tags" and Algorithm C, which spends a word at either end of every block.
 * Departs from it in keeping the tag at the end only while the block is free: a live
 * block's neighbour needs to know no more than that it is live, and that is one bit.
 *
 * Idea. Blocks lie side by side and each header says how long its block is, which is
 * the way to the next one. The way to the previous one is needed only to merge with it,
 * so only if it is free; then its last word, which nobody else uses, holds its address.
 *
 * Layout. A block is its header and all up to the next header.
 *
 *             live                         free
 *   -4        (the last word of the block before: its address, while it is free)
 *             +------------+---+---+       +------------+---+---+
 *    0        | bytes      | P | 0 |       | bytes      | 0 | 1 |
 *             +------------+---+---+       +------------+---+---+
 *    4        | payload            |       | the strategy's     |
 *             |         ...        |       |         ...        |
 *   bytes - 4 |                    |       | address of block   |
 *             +--------------------+       +--------------------+
 *
 * Bit 0 says that the block is free; bit 1, P, that the one before it is. The region's
 * first word lies in front of the first block. Its last is the sentinel, the header of a
 * block of no bytes that is never free.
 *
 * Invariants:
 *   I1: blocks of whole granules follow one another up to the sentinel
 *   I2: a block says that the one before it is free iff it is
 *   I3: the word in front of a block leads to the one before it, if that is free
 *   I4: no two neighbours are free
 *
 * Cost: all constant, but walk and check, which are linear in the number of blocks. A
 * live block loses four bytes to its header and up to seven to rounding.
 */
#ifndef MM_TAGGED_BLOCK_H
#define MM_TAGGED_BLOCK_H

#include "heap_strategy.h"

enum {
    BLOCK_GRANULE_BYTES = 8,
    HEADER_BYTES = 4,
    BLOCK_BYTES_MIN = 16, /* a free block's header, two words of its strategy's, its address */
};

enum header_bit {
    BLOCK_FREE_BIT = 1,
    BLOCK_PREVIOUS_FREE_BIT = 2,
    BLOCK_HEADER_BITS = BLOCK_GRANULE_BYTES - 1,
};

struct block {
    struct block *previous; /* only while the previous block is free, whose last word it is */
    uint32_t header;        /* bytes, and enum header_bit; the block begins here */
    union {
        uint8_t payload[1]; /* only while live */
        struct {
            struct block *next;  /* only while free: of the strategy's list, or NULL */
            struct block **link; /* only while free: what leads here, a list's head or a next */
        };
    };
};

enum {
    START_OFFSET = offsetof(struct block, header),
    PAYLOAD_OFFSET = offsetof(struct block, payload),
};

_Static_assert(sizeof(void *) == HEADER_BYTES, "addresses are of 32 bits");
_Static_assert(offsetof(struct block, payload) == BLOCK_GRANULE_BYTES,
               "a payload is aligned if its struct block is");
_Static_assert(BLOCK_GRANULE_BYTES % HEAP_ALIGNMENT_BYTES == 0, "and for any caller");
_Static_assert((BLOCK_FREE_BIT | BLOCK_PREVIOUS_FREE_BIT) <= BLOCK_HEADER_BITS,
               "the bits lie below the bits of any size");
_Static_assert(sizeof(struct block) - START_OFFSET + sizeof(struct block *) == BLOCK_BYTES_MIN,
               "a free block holds its fields and its address");

static inline uint32_t block_region_bytes(const struct heap *heap)
{
    return heap->region.map_bytes + heap->region.arena_bytes;
}

static inline struct block *block_first(const struct heap *heap)
{
    return (struct block *)heap->region.map;
}

static inline struct block *block_sentinel(const struct heap *heap)
{
    return (struct block *)(heap->region.map + block_region_bytes(heap) - PAYLOAD_OFFSET);
}

static inline struct block *block_of(const void *payload)
{
    return (struct block *)((uintptr_t)payload - PAYLOAD_OFFSET);
}

static inline uint32_t block_bytes(const struct block *block)
{
    return block->header & ~(uint32_t)BLOCK_HEADER_BITS;
}

static inline bool block_is_free(const struct block *block)
{
    return (block->header & BLOCK_FREE_BIT) != 0;
}

static inline bool block_is_previous_free(const struct block *block)
{
    return (block->header & BLOCK_PREVIOUS_FREE_BIT) != 0;
}

/* Returns: the block that begins bytes further on. */
static inline struct block *block_at(const struct block *block, uint32_t bytes)
{
    return (struct block *)((uintptr_t)block + bytes);
}

/*
 * Returns: how large a block for that request must be.
 * Requires: size is less than the region's, so that no rounding overflows.
 */
static inline uint32_t block_bytes_for(uint32_t size)
{
    uint32_t bytes = (size + HEADER_BYTES + BLOCK_HEADER_BITS) & ~(uint32_t)BLOCK_HEADER_BITS;
    return bytes < BLOCK_BYTES_MIN ? BLOCK_BYTES_MIN : bytes;
}

/* Writes a free block down. Requires: neither neighbour is free. */
static inline void block_set_free(struct block *block, uint32_t bytes)
{
    struct block *behind = block_at(block, bytes);
    behind->previous = block;
    behind->header |= BLOCK_PREVIOUS_FREE_BIT;
    block->header = bytes | BLOCK_FREE_BIT;
}

/* Makes a block live, or longer or shorter. What it says of the one before it stays. */
static inline void block_set_live(struct block *block, uint32_t bytes)
{
    block->header = bytes | (block->header & BLOCK_PREVIOUS_FREE_BIT);
}

/* Tells the block behind a live one that it is. */
static inline void block_announce_live(const struct block *block, uint32_t bytes)
{
    block_at(block, bytes)->header &= ~(uint32_t)BLOCK_PREVIOUS_FREE_BIT;
}

/*
 * Returns: how far behind a hole's start a block must begin to be aligned and to leave in
 * front of it nothing, or enough for a hole; at most align + BLOCK_GRANULE_BYTES.
 */
static inline uint32_t block_gap_bytes(const struct block *hole, uint32_t align)
{
    uint32_t gap_bytes = (uint32_t)(-(uintptr_t)hole->payload & (align - 1));
    if (gap_bytes == 0 || gap_bytes >= BLOCK_BYTES_MIN)
        return gap_bytes;
    return gap_bytes + align;
}

static inline uint32_t block_usable(const struct heap *heap, const void *address)
{
    (void)heap;
    return block_bytes(block_of(address)) - HEADER_BYTES;
}

/* The region's first word, the blocks, and the sentinel. */
static inline void block_walk(const struct heap *heap, heap_visit *visit, void *context)
{
    const struct block *sentinel = block_sentinel(heap);
    const struct heap_block head = {
        .start = heap->region.map, .bytes = START_OFFSET, .state = HEAP_BLOCK_META};
    visit(context, &head);
    for (const struct block *block = block_first(heap); block != sentinel;
         block = block_at(block, block_bytes(block))) {
        bool live = !block_is_free(block);
        const struct heap_block seen = {
            .start = (const uint8_t *)&block->header,
            .bytes = block_bytes(block),
            .payload = live ? block->payload : NULL,
            .payload_bytes = live ? block_bytes(block) - HEADER_BYTES : 0,
            .state = live ? HEAP_BLOCK_LIVE : HEAP_BLOCK_FREE,
        };
        visit(context, &seen);
    }
    const struct heap_block tail = {
        .start = (const uint8_t *)&sentinel->header, .bytes = HEADER_BYTES,
        .state = HEAP_BLOCK_META};
    visit(context, &tail);
}

/* Returns: true iff a block, a free one, could begin there without reaching over the end. */
static inline bool block_check_may_be_hole(const struct heap *heap, const struct block *block)
{
    uintptr_t offset = (uintptr_t)block - (uintptr_t)block_first(heap);
    uintptr_t end = (uintptr_t)block_sentinel(heap) - (uintptr_t)block_first(heap);
    return offset < end && offset % BLOCK_GRANULE_BYTES == 0 &&
           block_bytes(block) <= end - offset && block_is_free(block);
}

static inline const char *block_check_one(const struct heap *heap, const struct block *block)
{
    uintptr_t room = (uintptr_t)block_sentinel(heap) - (uintptr_t)block;
    uint32_t flags = block->header & BLOCK_HEADER_BITS;
    if (block_bytes(block) < BLOCK_BYTES_MIN || block_bytes(block) > room ||
        flags > (BLOCK_FREE_BIT | BLOCK_PREVIOUS_FREE_BIT))
        return "I1: blocks of whole granules follow one another up to the sentinel";
    const struct block *behind = block_at(block, block_bytes(block));
    if (block_is_previous_free(behind) != block_is_free(block))
        return "I2: a block says that the one before it is free iff it is";
    if (!block_is_free(block))
        return NULL;
    if (behind->previous != block)
        return "I3: the word in front of a block leads to the one before it, if that is free";
    return block_is_free(behind) ? "I4: no two neighbours are free" : NULL;
}

/* Returns: as a strategy's check; if NULL, the number of free blocks is in *holes. */
static inline const char *block_check(const struct heap *heap, uint32_t *holes)
{
    const struct block *sentinel = block_sentinel(heap);
    const struct block *block = block_first(heap);
    if ((sentinel->header & ~(uint32_t)BLOCK_PREVIOUS_FREE_BIT) != 0)
        return "I1: blocks of whole granules follow one another up to the sentinel";
    if (block_is_previous_free(block))
        return "I2: a block says that the one before it is free iff it is";
    for (*holes = 0; block != sentinel; block = block_at(block, block_bytes(block))) {
        const char *broken = block_check_one(heap, block);
        if (broken != NULL)
            return broken;
        *holes += block_is_free(block);
    }
    return NULL;
}

#endif
