/* SPDX-License-Identifier: MIT */
/*
 * The byte map: what bitmap, next-fit, best-fit and worst-fit have in common. They
 * differ only in where they look for a free run; how a run is written down, given back,
 * resized and inspected is the same for all of them and is here.
 *
 * Source: the LOS heap exercise, which gives a kernel one byte of side array for each
 * 64-byte block of heap. Departs from it in the encoding: the exercise's helpers put
 * the length of a run into its first byte, so that 255 blocks are the most they can
 * say. Here a run's length is the number of bytes until the next run begins.
 *
 * Words. A *block*, in these five files, is the exercise's: BLOCK_BYTES bytes of
 * arena, numbered from 0. A *run* is what a caller gets: consecutive blocks.
 *
 * Idea. Byte number i of the side array tells what block i is: free, the first block
 * of a run, or one of the rest of a run. Nothing else is stored anywhere. A free run
 * is whatever lies between two used ones, so neighbours merge by themselves, and an
 * address is a live run's if and only if its byte says FIRST: no address can lie.
 *
 * Layout, of a run of three blocks, a run of one, and a hole of four:
 *
 *             +-------+------+------+-------+------+------+------+------+
 *   map       | FIRST | REST | REST | FIRST | FREE | FREE | FREE | FREE |
 *             +-------+------+------+-------+------+------+------+------+
 *   arena     |<-- 3 * 64 bytes --->|<- 64->|<------ 4 * 64 bytes ----->|
 *             ^ kmalloc(129..192)   ^ kmalloc(1..64)
 *
 * Blocks carry no header: all of a run is its owner's.
 *
 * Who must look at every hole looks at the whole map. Most of it is long stretches of
 * one kind, so next_free and next_used step over it a word, four blocks, at a time: a
 * word of a hole is zero, and in a word of used blocks no byte is zero.
 *
 * Invariants:
 *   I1: every byte of the map is FREE, FIRST or REST
 *   I2: a REST byte stands directly behind a FIRST or another REST byte
 *
 * What check cannot see: a REST byte that became FIRST, or a whole run that vanished; the
 * map is then still that of some heap.
 *
 * Cost: free, usable and resize are linear in the length of the run they touch, walk
 * and check in the length of the map. A request loses at most 63 bytes to rounding.
 */
#ifndef MM_BYTE_MAP_H
#define MM_BYTE_MAP_H

#include "heap_strategy.h"

enum map_byte {
    BLOCK_FREE = 0,
    BLOCK_FIRST = 1, /* a run begins here */
    BLOCK_REST = 2,  /* belongs to the run of the block before it */
};

enum {
    BLOCK_BYTES = HEAP_BYTES_PER_MAP_BYTE,
    WORD_BLOCKS = sizeof(uint32_t), /* of which one word of the map tells */
};

/* No block has this number: the arena would be 256 GiB. */
#define NO_RUN UINT32_MAX

_Static_assert(BLOCK_BYTES % HEAP_ALIGNMENT_BYTES == 0, "every block is aligned for any caller");
_Static_assert(BLOCK_FREE == 0, "a word of free blocks is zero");
_Static_assert(HEAP_ARENA_ALIGNMENT_BYTES % BLOCK_BYTES == 0, "the arena begins on a block");
_Static_assert(UINT32_MAX / BLOCK_BYTES < NO_RUN / 4, "sums of block numbers do not overflow");

/* Returns: how many blocks hold size bytes. Requires: size >= 1; no size overflows. */
static inline uint32_t byte_map_blocks_for(uint32_t size)
{
    return (size - 1) / BLOCK_BYTES + 1;
}

static inline uint8_t *byte_map_address_of(const struct heap *heap, uint32_t block)
{
    return heap->region.arena + block * BLOCK_BYTES;
}

/* Returns: true iff the block's address, as the processor sees it, is a multiple of align. */
static inline bool byte_map_is_aligned(const struct heap *heap, uint32_t block, uint32_t align)
{
    return ((uintptr_t)byte_map_address_of(heap, block) & (align - 1)) == 0;
}

/* Writes a run down. Requires: these blocks are free; blocks >= 1. */
static inline void byte_map_reserve(const struct heap *heap, uint32_t first, uint32_t blocks)
{
    heap->region.map[first] = BLOCK_FIRST;
    __builtin_memset(heap->region.map + first + 1, BLOCK_REST, blocks - 1);
}

/* Returns: the number of the first block at or behind from whose byte is not value. */
static inline uint32_t byte_map_skip(const struct heap *heap, uint32_t from, uint8_t value)
{
    while (from < heap->region.map_bytes && heap->region.map[from] == value)
        from++;
    return from;
}

/* Four bytes of the map. Requires: block + WORD_BLOCKS <= map_bytes. */
static inline uint32_t byte_map_word(const struct heap *heap, uint32_t block)
{
    uint32_t word;
    __builtin_memcpy(&word, heap->region.map + block, sizeof(word));
    return word;
}

/*
 * Returns: true iff one of the word's bytes is zero. Taking 1 from each byte sets the
 * top bit of the lowest zero byte; "& ~word" discards bytes that had it set before.
 */
static inline bool byte_map_has_free(uint32_t word)
{
    return ((word - 0x01010101U) & ~word & 0x80808080U) != 0;
}

/* Returns: the first free block at or behind block; map_bytes if there is none. */
static inline uint32_t byte_map_next_free(const struct heap *heap, uint32_t block)
{
    uint32_t end = heap->region.map_bytes;
    while (end - block >= WORD_BLOCKS && !byte_map_has_free(byte_map_word(heap, block)))
        block += WORD_BLOCKS;
    while (block < end && heap->region.map[block] != BLOCK_FREE)
        block++;
    return block;
}

/* Returns: the first used block at or behind block; map_bytes if there is none. */
static inline uint32_t byte_map_next_used(const struct heap *heap, uint32_t block)
{
    uint32_t end = heap->region.map_bytes;
    while (end - block >= WORD_BLOCKS && byte_map_word(heap, block) == 0)
        block += WORD_BLOCKS;
    return byte_map_skip(heap, block, BLOCK_FREE);
}

/* Returns: the first block at or behind block whose address is a multiple of align. */
static inline uint32_t byte_map_align_up(const struct heap *heap, uint32_t block, uint32_t align)
{
    uintptr_t address = (uintptr_t)byte_map_address_of(heap, block);
    return block + (uint32_t)(-address & (align - 1)) / BLOCK_BYTES;
}

/* Returns: how many blocks the run has that begins at first. */
static inline uint32_t byte_map_run_blocks(const struct heap *heap, uint32_t first)
{
    return byte_map_skip(heap, first + 1, BLOCK_REST) - first;
}

/*
 * Returns: the number of the first block of the live run that begins at address;
 * NO_RUN for every other address there is. Below the arena, the offset wraps round to
 * a number that is too large.
 */
static inline uint32_t byte_map_live_run(const struct heap *heap, const void *address)
{
    uintptr_t offset = (uintptr_t)address - (uintptr_t)heap->region.arena;
    if (offset >= heap->region.arena_bytes || offset % BLOCK_BYTES != 0)
        return NO_RUN;
    uint32_t block = (uint32_t)(offset / BLOCK_BYTES);
    return heap->region.map[block] == BLOCK_FIRST ? block : NO_RUN;
}

static inline void byte_map_init(const struct heap *heap)
{
    __builtin_memset(heap->region.map, BLOCK_FREE, heap->region.map_bytes);
}

static inline bool byte_map_free(const struct heap *heap, void *address)
{
    uint32_t first = byte_map_live_run(heap, address);
    if (first == NO_RUN)
        return false;
    __builtin_memset(heap->region.map + first, BLOCK_FREE, byte_map_run_blocks(heap, first));
    return true;
}

static inline uint32_t byte_map_usable(const struct heap *heap, const void *address)
{
    uint32_t first = byte_map_live_run(heap, address);
    if (first == NO_RUN)
        return 0;
    return byte_map_run_blocks(heap, first) * BLOCK_BYTES;
}

/* Returns: true iff the count blocks from block on exist and are free. */
static inline bool byte_map_are_free(const struct heap *heap, uint32_t block, uint32_t count)
{
    if (count > heap->region.map_bytes - block)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (heap->region.map[block + i] != BLOCK_FREE)
            return false;
    return true;
}

/* Grows into the free blocks directly behind the run, or gives back its last blocks. */
static inline bool byte_map_resize(const struct heap *heap, void *address, uint32_t size)
{
    uint32_t first = byte_map_live_run(heap, address);
    if (first == NO_RUN)
        return false;
    uint32_t had = byte_map_run_blocks(heap, first);
    uint32_t wanted = byte_map_blocks_for(size);
    uint8_t *run = heap->region.map + first;
    if (wanted <= had) {
        __builtin_memset(run + wanted, BLOCK_FREE, had - wanted);
        return true;
    }
    if (!byte_map_are_free(heap, first + had, wanted - had))
        return false;
    __builtin_memset(run + had, BLOCK_REST, wanted - had);
    return true;
}

static inline void byte_map_walk_run(const struct heap *heap, uint32_t first, uint32_t blocks,
                                     heap_visit *visit, void *context)
{
    bool live = heap->region.map[first] != BLOCK_FREE;
    struct heap_block block = {
        .start = byte_map_address_of(heap, first),
        .bytes = blocks * BLOCK_BYTES,
        .state = live ? HEAP_BLOCK_LIVE : HEAP_BLOCK_FREE,
    };
    if (live) {
        block.payload = block.start;
        block.payload_bytes = block.bytes;
    }
    visit(context, &block);
}

/* The side array first, then the runs, used and free, from block 0 on. */
static inline void byte_map_walk(const struct heap *heap, heap_visit *visit, void *context)
{
    const struct heap_region *region = &heap->region;
    const struct heap_block side_array = {
        .start = region->map, .bytes = region->map_bytes, .state = HEAP_BLOCK_META};
    visit(context, &side_array);
    for (uint32_t first = 0, behind; first < region->map_bytes; first = behind) {
        uint8_t filler = region->map[first] == BLOCK_FREE ? BLOCK_FREE : BLOCK_REST;
        behind = byte_map_skip(heap, first + 1, filler);
        byte_map_walk_run(heap, first, behind - first, visit, context);
    }
}

static inline const char *byte_map_check(const struct heap *heap)
{
    const uint8_t *map = heap->region.map;
    uint8_t before = BLOCK_FREE; /* what I2 wants to see before block 0: no run */
    for (uint32_t i = 0; i < heap->region.map_bytes; before = map[i], i++) {
        if (map[i] > BLOCK_REST)
            return "I1: every byte of the map is FREE, FIRST or REST";
        if (map[i] == BLOCK_REST && before == BLOCK_FREE)
            return "I2: a REST byte stands directly behind a FIRST or another REST byte";
    }
    return NULL;
}

#endif
