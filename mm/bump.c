/* SPDX-License-Identifier: MIT */
/*
 * bump: takes each block from the one hole there is, and never gives one back.
 *
 * Source: folklore; the direction is that of N. Fitzgerald, "Always Bump Downwards",
 * 2019. Departs from it in keeping a link word before each block, so that a heap can
 * be walked and a block's size told.
 *
 * Idea. One address, *low*, divides the region: free below it, handed out above it. To
 * allocate, subtract the size from low and round down to the alignment. That is the
 * whole allocator, and that is its use: no strategy that does its duty can be faster,
 * so its figures are the limit against which all others are read. Freeing does nothing:
 * the block stays used, as walking the heap shows.
 *
 * Downwards, because rounding down is one mask and cannot overflow, for any alignment;
 * upwards it is an addition and a test more. The price is that the newest block cannot
 * grow where it lies. What rounding skips lies above the block and becomes part of it.
 *
 * The link. How long a block is must be told: ksize and krealloc ask. A bit of side array
 * for each place where a block may begin would take several instructions to set, and a
 * search to read. A word before the block takes one: the address where the block ends.
 * Of memory it takes 4 bytes a request.
 *
 * Layout. A block's payload begins at a multiple of 8 and its link word 4 bytes before
 * that; the next block above begins where this one ends:
 *
 *   map               low                                            arena end
 *   +------------------+-----+--------------------+-----+-----------------+
 *   |       free       | end |      payload       | end |     payload     |
 *   +------------------+--|--+--------------------+--|--+-----------------+
 *                         +---------------------->^  +------------------->^
 *
 * Invariants:
 *   I1: low is the arena's end or a place for a link
 *   I2: each link names the arena's end or, behind its payload, a place for the next
 * A place for a link is an address in the region, 4 bytes below a multiple of 8.
 *
 * Cost. alloc, free, usable, resize: constant, and the same for every size.
 * Fragmentation: none between blocks, a link and up to align - 1 bytes of rounding in each.
 * But memory needed is the sum of all requests ever made, not of those live at once: no
 * bound holds for it.
 *
 * When not to use it: wherever memory is freed because it will be needed again. It is
 * right for what is allocated once, at boot, and kept.
 */
#include "heap_strategy.h"

struct bump {
    uintptr_t low; /* where the lowest block begins, with its link; the arena's end if none */
};

struct bump_link {
    uintptr_t end; /* where the block ends: the link of the next, or the arena's end */
};

enum { LINK_BYTES = sizeof(struct bump_link) };

_Static_assert(sizeof(struct bump) == 4, "the control block is one address");
_Static_assert(LINK_BYTES == 4, "a link is one word");
_Static_assert(sizeof(struct bump_link) < HEAP_ALIGNMENT_BYTES,
               "between the region's start and a payload there is room for a link");

static struct bump *bump_state(const struct heap *heap)
{
    return heap->control;
}

static uintptr_t bump_region_end(const struct heap *heap)
{
    return (uintptr_t)heap->region.arena + heap->region.arena_bytes;
}

/* Requires: payload is the address of a block, old or just being made. */
static struct bump_link *bump_link_of(uintptr_t payload)
{
    return (struct bump_link *)(payload - LINK_BYTES);
}

static void bump_init(const struct heap *heap)
{
    bump_state(heap)->low = bump_region_end(heap);
}

static void *bump_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    uintptr_t end = bump_state(heap)->low;
    uintptr_t payload = (end - size) & -(uintptr_t)align;
    if (size > end || payload <= (uintptr_t)heap->region.map)
        return NULL;
    bump_link_of(payload)->end = end;
    bump_state(heap)->low = payload - LINK_BYTES;
    return (void *)payload;
}

static bool bump_free(const struct heap *heap, void *address)
{
    (void)heap;
    (void)address;
    return true;
}

static uint32_t bump_usable(const struct heap *heap, const void *address)
{
    (void)heap;
    uintptr_t payload = (uintptr_t)address;
    return bump_link_of(payload)->end - payload;
}

/* A block holds what it was made for, and whatever is less. */
static bool bump_resize(const struct heap *heap, void *address, uint32_t size)
{
    return size <= bump_usable(heap, address);
}

static void bump_walk(const struct heap *heap, heap_visit *visit, void *context)
{
    uintptr_t start = (uintptr_t)heap->region.map;
    uintptr_t block = bump_state(heap)->low;
    const struct heap_block hole = {
        .start = heap->region.map, .bytes = block - start, .state = HEAP_BLOCK_FREE};
    visit(context, &hole);
    while (block != bump_region_end(heap)) {
        uintptr_t payload = block + LINK_BYTES;
        uintptr_t end = bump_link_of(payload)->end;
        const struct heap_block live = {
            .start = (const uint8_t *)block,
            .bytes = end - block,
            .payload = (const uint8_t *)payload,
            .payload_bytes = end - payload,
            .state = HEAP_BLOCK_LIVE,
        };
        visit(context, &live);
        block = end;
    }
}

/* Returns: true iff a block may begin, or the blocks may end, at that address. */
static bool bump_check_place(const struct heap *heap, uintptr_t address)
{
    uintptr_t end = bump_region_end(heap);
    bool inside = address > (uintptr_t)heap->region.map && address < end;
    return address == end || (inside && (address + LINK_BYTES) % HEAP_ALIGNMENT_BYTES == 0);
}

static const char *bump_check(const struct heap *heap)
{
    uintptr_t block = bump_state(heap)->low;
    if (!bump_check_place(heap, block))
        return "I1: low is the arena's end or a place for a link";
    while (block != bump_region_end(heap)) {
        uintptr_t payload = block + LINK_BYTES;
        uintptr_t end = bump_link_of(payload)->end;
        if (end <= payload || !bump_check_place(heap, end))
            return "I2: each link names the arena's end or, behind its payload, a place for the next";
        block = end;
    }
    return NULL;
}

const struct heap_strategy heap_bump = {
    .name = "bump",
    .source = "folklore; Fitzgerald, Always Bump Downwards, 2019",
    .traits = HEAP_CONSTANT_TIME | HEAP_NEVER_FREES,
    .control_bytes = sizeof(struct bump),
    .init = bump_init,
    .alloc = bump_alloc,
    .free = bump_free,
    .usable = bump_usable,
    .resize = bump_resize,
    .walk = bump_walk,
    .check = bump_check,
};
