/* SPDX-License-Identifier: MIT */
/*
 * What a heap strategy is, for those who write one.
 *
 * A strategy is one file, mm/<name>.c, and one word in meson_options.txt. Its only
 * external symbol is its const table, heap_<name> (a dash in the name becomes an
 * underscore). It has no static mutable data: everything it knows lies in the
 * region or in the control block, so that one program can run a thousand heaps.
 * It includes this header and nothing of kernel/ or arch/, and it knows nothing of
 * hardening, statistics, locks or measuring: the front door, heap.c, owns those.
 */
#ifndef MM_HEAP_STRATEGY_H
#define MM_HEAP_STRATEGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heap.h"
#include "heap_step.h"

/* One byte of side array stands for this many bytes of arena, at every size. */
enum { HEAP_BYTES_PER_MAP_BYTE = 64 };

/* What a strategy may ask for as fixed state; see control_bytes. */
enum { HEAP_CONTROL_BYTES_MAX = 16384 };

/*
 * The start-up code aligns the arena to this. map and arena_bytes are multiples of 8; arena_bytes
 * is 512 at least, and 64 MiB at most.
 */
enum { HEAP_ARENA_ALIGNMENT_BYTES = 4096 };

/*
 * The memory a heap manages: a side array and, directly after it, the arena. A
 * strategy that needs no side array may use both as one piece, from map on.
 * map_bytes * HEAP_BYTES_PER_MAP_BYTE == arena_bytes, and map + map_bytes == arena.
 */
struct heap_region {
    uint8_t *map;
    uint32_t map_bytes;
    uint8_t *arena;
    uint32_t arena_bytes;
};

/*
 * A managed region. It is const: in the kernel its fields are link-time constants,
 * which the compiler folds into the strategy's code.
 */
struct heap {
    struct heap_region region;
    void *control; /* control_bytes of the strategy's own, aligned to 8 */
};

enum heap_trait {
    HEAP_COALESCES = 1 << 0,      /* two free neighbours never outlive a call */
    HEAP_CONSTANT_TIME = 1 << 1,  /* no operation's cost grows with the heap or its history */
    HEAP_NEVER_FREES = 1 << 2,    /* free accepts a block, its memory is not used again */
    HEAP_VALIDATES_FREE = 1 << 3, /* free, usable and resize refuse every wrong address */
};

/* What walk reports. Only a live block has a payload. */
enum heap_block_state {
    HEAP_BLOCK_LIVE,   /* handed out */
    HEAP_BLOCK_FREE,   /* a hole */
    HEAP_BLOCK_CACHED, /* free, but kept whole for its next user: not merged, not a hole */
    HEAP_BLOCK_META,   /* the strategy's own: side array, list heads, sentinels */
};

struct heap_block {
    const uint8_t *start;       /* of the whole block, its header included */
    uint32_t bytes;             /* of the whole block */
    const uint8_t *payload;     /* what kmalloc returned; only while live, else NULL */
    uint32_t payload_bytes;     /* what the caller may use; only while live, else 0 */
    enum heap_block_state state;
};

typedef void heap_visit(void *context, const struct heap_block *block);

struct heap_strategy {
    const char *name;       /* "best-fit": the word in meson_options.txt */
    const char *source;     /* "Knuth, TAOCP 1, 2.5, Algorithm A" */
    uint32_t traits;        /* of enum heap_trait */
    uint32_t control_bytes; /* fixed state outside the region; charged to its footprint */

    /*
     * Makes the region one empty heap.
     * Requires: control_bytes of memory at heap->control, contents unspecified.
     */
    void (*init)(const struct heap *heap);

    /*
     * Requires: size >= 1; align a power of two >= HEAP_ALIGNMENT_BYTES.
     * Returns: a block of at least size bytes at a multiple of align, or NULL, for
     * every size up to 0xFFFFFFFF; on NULL no live block and no sum of free bytes has
     * changed (cached blocks may have been merged in the attempt).
     */
    void *(*alloc)(const struct heap *heap, uint32_t size, uint32_t align);

    /*
     * Requires: address is not NULL; without HEAP_VALIDATES_FREE, a live block.
     * Returns: true iff the block was live and is now free; false changes nothing.
     */
    bool (*free)(const struct heap *heap, void *address);

    /*
     * Optional, may be NULL, all four or none: alloc, with the least alignment, and free,
     * each cut in two where most calls end. alloc does what quick_alloc does and, if that
     * returns NULL, what slow_alloc does; free likewise, where false stands for NULL. The
     * front door calls the halves one by one, since code that has the other half out of
     * its sight need not save the registers that only this uses. Nor does it look for what
     * the halves meet anyway: a size of 0, for which both give NULL; NULL, of which quick_free
     * says true, and does nothing; a control block of nothing but zeroes, before init, from
     * which both allocating halves give NULL, without touching the region.
     * Requires: as alloc and free, but for these; of a slow half, that the quick one was called
     * just before, for the same, and declined.
     * Returns: as alloc and free, but that a quick half may decline. The heap is to be
     * used no further then until its slow half was called.
     */
    void *(*quick_alloc)(const struct heap *heap, uint32_t size);
    void *(*slow_alloc)(const struct heap *heap, uint32_t size);
    bool (*quick_free)(const struct heap *heap, void *address);
    bool (*slow_free)(const struct heap *heap, void *address);

    /*
     * Requires: as free.
     * Returns: the bytes the caller may use; 0 iff address is not a live block.
     */
    uint32_t (*usable)(const struct heap *heap, const void *address);

    /*
     * Optional, may be NULL. Makes a live block large enough for size bytes where it
     * lies, and gives back what it no longer needs.
     * Requires: address is a live block (the front door asked usable); size >= 1.
     * Returns: true iff the block now holds size bytes; false changes nothing. It is no
     * allocation to a placement policy: a rover stays where it is, but where a free would move
     * it, or where the hole that it stands on is taken.
     */
    bool (*resize)(const struct heap *heap, void *address, uint32_t size);

    /*
     * Shows every block to visit, in address order, without changing anything. The
     * blocks tile the region from map to the arena's end: each starts where the one
     * before it ended. The side array, where it is one, is shown as a META block.
     */
    void (*walk)(const struct heap *heap, heap_visit *visit, void *context);

    /*
     * Verifies the invariants listed at the top of the strategy's file.
     * Returns: NULL, or the label of the first broken one: "I2: ...".
     * Must not loop or fault on a damaged heap.
     */
    const char *(*check)(const struct heap *heap);
};

#endif
