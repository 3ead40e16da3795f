/* SPDX-License-Identifier: MIT */
/*
 * boundary-tag: a list of the holes in no order, searched from a roving pointer; a tag at
 * either end of every block lets free merge it at once, without searching.
 *
 * Source: D. E. Knuth, The Art of Computer Programming 1 (3rd edition, 1997), section 2.5:
 * Algorithm A (first fit) with the roving pointer of exercise 6 and the constant c, and
 * Algorithm C (liberation with boundary tags). AVAIL, ROVER, TAG, SIZE and c are Knuth's;
 * '+' is LIVE here. Departs from it in that the last word of a live block repeats its
 * size, where Knuth needs the tag alone; in that a block lies so that what its owner gets
 * is aligned to 8; and in alignment and resizing, which the book leaves out.
 *
 * Idea. Where free needs a block's neighbours, a list in order of address makes it search.
 * Here they are told by what touches the block: the word just below it is the last word
 * of the block below, the word just above it the first of the block above, and each says
 * whether its block is free and how long it is. So the list need not be in any order. It
 * is doubly linked, through AVAIL, so that a hole can be taken out wherever it stands, and
 * every freed block goes to its front.
 *
 * To allocate, go along the list from ROVER on and once round; the first hole that is
 * large enough serves, with its upper end, so that what remains keeps its place in the
 * list. If less than c would remain, the block gets all of it: splinters that hardly any
 * request can use only make the list longer. (From 16 to 32, c costs less than 1 % more
 * memory on the recorded traces and saves up to a quarter of the time.) ROVER then moves
 * to the next hole: if every search began at the same place, small holes would gather there.
 *
 * A guard below the first block and one above the last say LIVE, and nothing is merged
 * across the heap's ends. AVAIL has size 0, and is too small for any request.
 *
 * Layout. Tags are words, size | LIVE. Payloads begin at multiples of 8:
 *
 *             +-----+--------------------+-----+     +-----+------+------+--------+-----+
 *             | tag |      payload       | tag |     | tag | next | prev |        | tag |
 *             +-----+--------------------+-----+     +-----+------+------+--------+-----+
 *             live                                   free
 *
 *             +-------+-----------------------------------------------------+-------+
 *   region    | guard |  blocks                                             | guard |
 *             +-------+-----------------------------------------------------+-------+
 *
 * Invariants:
 *   I1: the guards are LIVE
 *   I2: blocks tile the region between the guards, with equal tags at both ends
 *   I3: no two free blocks touch
 *   I4: AVAIL has size 0
 *   I5: AVAIL's ring holds the free blocks, each once, linked both ways
 *   I6: ROVER is on the ring
 * That the ring's are the free blocks is checked by the sum of their addresses: a heap
 * damaged in such a way that the sum is right again is not found out.
 *
 * Cost. alloc: linear in the number of holes. free, usable, resize: constant.
 * Fragmentation: with at most M bytes live, tags included, there are at most M / 16 blocks
 * and M / 16 + 1 holes. A request of n bytes, tags included, fails only if each of them is
 * shorter: M + (M / 16 + 1) * (n - 8) bytes are always enough, and no better bound is
 * known here. What a request takes is two tags, 8 bytes, and up to 7 of rounding, or up
 * to c - 1 where it gets a whole hole.
 *
 * When not to use it: where alloc must not depend on how many holes there are, or where
 * small blocks are so many that 8 bytes for each count.
 */
#include "heap_strategy.h"

enum {
    LIVE = 1, /* the bit of a tag that is set iff the block is handed out */
    TAG_BYTES = sizeof(uint32_t),
    BLOCK_TAGS_BYTES = 2 * TAG_BYTES,
    BLOCK_MIN_BYTES = 16,
    SPLIT_MIN_BYTES = 32, /* Knuth's c: what is worth keeping of a hole */
};

/* Lies 4 bytes below a multiple of 8, and has its tag again in its last word. */
struct block {
    uint32_t tag;       /* size in bytes, tags included, | LIVE */
    struct block *next; /* the links are valid only while free, and in AVAIL */
    struct block *prev;
};

struct boundary_tag {
    struct block avail;  /* closes the ring of free blocks */
    struct block *rover; /* where the next search begins: avail or a free block */
};

_Static_assert(sizeof(struct block) + TAG_BYTES == BLOCK_MIN_BYTES, "a free block holds two links");
_Static_assert(offsetof(struct block, next) == TAG_BYTES, "the payload begins behind the tag");
_Static_assert(BLOCK_TAGS_BYTES % 8 == 0, "two tags keep payloads aligned");
_Static_assert(SPLIT_MIN_BYTES >= BLOCK_MIN_BYTES, "what remains is a block");
_Static_assert(sizeof(struct boundary_tag) == 16, "the control block is AVAIL and ROVER");

static struct boundary_tag *boundary_tag_state(const struct heap *heap)
{
    return heap->control;
}

static struct block *boundary_tag_at(const struct block *block, uint32_t bytes)
{
    return (struct block *)((uintptr_t)block + bytes);
}

static struct block *boundary_tag_of(const void *payload)
{
    return (struct block *)((uintptr_t)payload - TAG_BYTES);
}

/* The last word of what lies just below a block: a block's tag, or the guard. */
static uint32_t *boundary_tag_below(const struct block *block)
{
    return (uint32_t *)((uintptr_t)block - TAG_BYTES);
}

static struct block *boundary_tag_first(const struct heap *heap)
{
    return (struct block *)(heap->region.map + TAG_BYTES);
}

/* Returns: the guard above the last block, of which only the tag exists. */
static struct block *boundary_tag_end(const struct heap *heap)
{
    return (struct block *)(heap->region.arena + heap->region.arena_bytes - TAG_BYTES);
}

static void boundary_tag_set(struct block *block, uint32_t bytes, uint32_t live)
{
    block->tag = bytes | live;
    *boundary_tag_below(boundary_tag_at(block, bytes)) = bytes | live;
}

/* Tags a block as free and puts it at the front of the list: step C5. */
static void boundary_tag_add(const struct heap *heap, struct block *block, uint32_t bytes)
{
    struct block *avail = &boundary_tag_state(heap)->avail;
    boundary_tag_set(block, bytes, 0);
    block->next = avail->next;
    block->prev = avail;
    avail->next->prev = block;
    avail->next = block;
}

static void boundary_tag_delete(const struct heap *heap, const struct block *hole)
{
    hole->next->prev = hole->prev;
    hole->prev->next = hole->next;
    if (boundary_tag_state(heap)->rover == hole)
        boundary_tag_state(heap)->rover = hole->next;
}

/* Algorithm C. The block's own tags need not be valid. */
static void boundary_tag_liberate(const struct heap *heap, struct block *block, uint32_t bytes)
{
    /* C1, C2: check the lower bound, delete the lower area. */
    uint32_t below = *boundary_tag_below(block);
    if ((below & LIVE) == 0) {
        block = (struct block *)((uintptr_t)block - below);
        bytes += below;
        boundary_tag_delete(heap, block);
    }
    /* C3, C4: check the upper bound, delete the upper area. */
    const struct block *above = boundary_tag_at(block, bytes);
    if ((above->tag & LIVE) == 0) {
        bytes += above->tag;
        boundary_tag_delete(heap, above);
    }
    boundary_tag_add(heap, block, bytes);
}

static void boundary_tag_init(const struct heap *heap)
{
    struct boundary_tag *state = boundary_tag_state(heap);
    struct block *first = boundary_tag_first(heap);
    struct block *end = boundary_tag_end(heap);
    state->avail = (struct block){.tag = 0, .next = &state->avail, .prev = &state->avail};
    state->rover = &state->avail;
    *boundary_tag_below(first) = LIVE;
    end->tag = LIVE;
    boundary_tag_add(heap, first, (uint32_t)((uintptr_t)end - (uintptr_t)first));
}

/*
 * Returns: how large a block is that holds size bytes; too large for any heap if size is.
 * Requires: size >= 1.
 */
static uint32_t boundary_tag_bytes_for(uint32_t size)
{
    uint32_t last = (size - 1) | (HEAP_ALIGNMENT_BYTES - 1); /* of the payload's bytes */
    return last < UINT32_MAX - BLOCK_TAGS_BYTES ? last + 1 + BLOCK_TAGS_BYTES : UINT32_MAX;
}

/*
 * Returns: where in a hole a block lies highest; its beginning if less than c would remain
 * below and alignment permits; NULL if nowhere.
 */
static struct block *boundary_tag_place(struct block *hole, uint32_t bytes, uint32_t align)
{
    uintptr_t lowest = (uintptr_t)hole + TAG_BYTES;
    if (hole->tag < bytes)
        return NULL;
    uintptr_t payload = (lowest + hole->tag - bytes) & -(uintptr_t)align;
    if (payload < lowest + SPLIT_MIN_BYTES && (lowest & (align - 1)) == 0)
        return hole;
    return payload < lowest + BLOCK_MIN_BYTES ? NULL : boundary_tag_of((void *)payload);
}

/* Reserves a place in a hole. What alignment leaves above it becomes a hole of its own. */
static void boundary_tag_reserve(const struct heap *heap, struct block *hole, struct block *block,
                                 uint32_t bytes)
{
    uint32_t below = (uint32_t)((uintptr_t)block - (uintptr_t)hole);
    uint32_t above = hole->tag - below - bytes;
    boundary_tag_state(heap)->rover = hole->next;
    if (below > 0)
        boundary_tag_set(hole, below, 0);
    else
        boundary_tag_delete(heap, hole);
    if (above >= SPLIT_MIN_BYTES)
        boundary_tag_add(heap, boundary_tag_at(block, bytes), above);
    else
        bytes += above;
    boundary_tag_set(block, bytes, LIVE);
}

/* Algorithm A, from ROVER on. */
static void *boundary_tag_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    uint32_t bytes = boundary_tag_bytes_for(size);
    struct block *rover = boundary_tag_state(heap)->rover;
    struct block *hole = rover;
    do {
        heap_step(1);
        struct block *block = boundary_tag_place(hole, bytes, align);
        if (block != NULL) {
            boundary_tag_reserve(heap, hole, block, bytes);
            return &block->next;
        }
        hole = hole->next;
    } while (hole != rover);
    return NULL;
}

static bool boundary_tag_free(const struct heap *heap, void *address)
{
    struct block *block = boundary_tag_of(address);
    boundary_tag_liberate(heap, block, block->tag - LIVE);
    return true;
}

static uint32_t boundary_tag_usable(const struct heap *heap, const void *address)
{
    (void)heap;
    return boundary_tag_of(address)->tag - LIVE - BLOCK_TAGS_BYTES;
}

/* Grows into the hole above, all of it; then gives back the end, if it makes a block. */
static bool boundary_tag_resize(const struct heap *heap, void *address, uint32_t size)
{
    struct block *block = boundary_tag_of(address);
    uint32_t had = block->tag - LIVE;
    uint32_t wanted = boundary_tag_bytes_for(size);
    if (wanted > had) {
        const struct block *above = boundary_tag_at(block, had);
        if ((above->tag & LIVE) != 0 || had + above->tag < wanted)
            return false;
        boundary_tag_delete(heap, above);
        had += above->tag;
    }
    if (had - wanted < SPLIT_MIN_BYTES) {
        boundary_tag_set(block, had, LIVE);
        return true;
    }
    boundary_tag_set(block, wanted, LIVE);
    boundary_tag_liberate(heap, boundary_tag_at(block, wanted), had - wanted);
    return true;
}

static void boundary_tag_walk_guard(const uint32_t *guard, heap_visit *visit, void *context)
{
    const struct heap_block block = {
        .start = (const uint8_t *)guard, .bytes = TAG_BYTES, .state = HEAP_BLOCK_META};
    visit(context, &block);
}

static void boundary_tag_walk(const struct heap *heap, heap_visit *visit, void *context)
{
    const struct block *end = boundary_tag_end(heap);
    const struct block *at = boundary_tag_first(heap);
    boundary_tag_walk_guard(boundary_tag_below(at), visit, context);
    while (at < end) {
        struct heap_block block = {
            .start = (const uint8_t *)at, .bytes = at->tag, .state = HEAP_BLOCK_FREE};
        if ((at->tag & LIVE) != 0) {
            block.bytes -= LIVE;
            block.payload = block.start + TAG_BYTES;
            block.payload_bytes = block.bytes - BLOCK_TAGS_BYTES;
            block.state = HEAP_BLOCK_LIVE;
        }
        visit(context, &block);
        at = boundary_tag_at(at, block.bytes);
    }
    boundary_tag_walk_guard(&end->tag, visit, context);
}

/* Returns: true iff a block's first tag may lie there. */
static bool boundary_tag_check_place(const struct heap *heap, const struct block *at)
{
    uintptr_t first = (uintptr_t)boundary_tag_first(heap);
    uintptr_t last = (uintptr_t)boundary_tag_end(heap) - BLOCK_MIN_BYTES;
    return (uintptr_t)at >= first && (uintptr_t)at <= last &&
           ((uintptr_t)at - first) % HEAP_ALIGNMENT_BYTES == 0;
}

/* Returns: true iff there is a block that begins there, with equal tags at both ends. */
static bool boundary_tag_check_tags(const struct heap *heap, const struct block *at)
{
    uint32_t bytes = at->tag & ~(uint32_t)LIVE;
    return bytes % HEAP_ALIGNMENT_BYTES == 0 && bytes >= BLOCK_MIN_BYTES &&
           bytes <= (uintptr_t)boundary_tag_end(heap) - (uintptr_t)at &&
           *boundary_tag_below(boundary_tag_at(at, bytes)) == at->tag;
}

/* Adds the addresses of all free blocks to *holes. */
static const char *boundary_tag_check_tiling(const struct heap *heap, uintptr_t *holes)
{
    const struct block *end = boundary_tag_end(heap);
    uint32_t below = LIVE;
    for (const struct block *at = boundary_tag_first(heap); at != end;
         at = boundary_tag_at(at, below & ~(uint32_t)LIVE)) {
        if (!boundary_tag_check_tags(heap, at))
            return "I2: blocks tile the region between the guards, with equal tags at both ends";
        if (((at->tag | below) & LIVE) == 0)
            return "I3: no two free blocks touch";
        below = at->tag;
        if ((below & LIVE) == 0)
            *holes += (uintptr_t)at;
    }
    return NULL;
}

/* Takes the addresses of all blocks on the ring from holes, which leaves 0. */
static const char *boundary_tag_check_ring(const struct heap *heap, uintptr_t holes)
{
    const struct boundary_tag *state = boundary_tag_state(heap);
    const struct block *before = &state->avail;
    bool found = state->rover == before;
    while (boundary_tag_check_place(heap, before->next) && before->next->prev == before) {
        before = before->next;
        holes -= (uintptr_t)before;
        found = found || state->rover == before;
    }
    if (before->next != &state->avail || state->avail.prev != before || holes != 0)
        return "I5: AVAIL's ring holds the free blocks, each once, linked both ways";
    return found ? NULL : "I6: ROVER is on the ring";
}

static const char *boundary_tag_check(const struct heap *heap)
{
    uintptr_t holes = 0;
    if (*boundary_tag_below(boundary_tag_first(heap)) != LIVE ||
        boundary_tag_end(heap)->tag != LIVE)
        return "I1: the guards are LIVE";
    const char *broken = boundary_tag_check_tiling(heap, &holes);
    if (broken != NULL)
        return broken;
    if (boundary_tag_state(heap)->avail.tag != 0)
        return "I4: AVAIL has size 0";
    return boundary_tag_check_ring(heap, holes);
}

const struct heap_strategy heap_boundary_tag = {
    .name = "boundary-tag",
    .source = "Knuth, TAOCP 1, 2.5, Algorithms A (exercise 6) and C",
    .traits = HEAP_COALESCES,
    .control_bytes = sizeof(struct boundary_tag),
    .init = boundary_tag_init,
    .alloc = boundary_tag_alloc,
    .free = boundary_tag_free,
    .usable = boundary_tag_usable,
    .resize = boundary_tag_resize,
    .walk = boundary_tag_walk,
    .check = boundary_tag_check,
};
