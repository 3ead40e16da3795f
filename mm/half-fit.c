/* SPDX-License-Identifier: MIT */
/*
 * half-fit: one list for each power of two, and never a search.
 *
 * Source: T. Ogasawara, "An algorithm with constant execution time for dynamic storage
 * allocation", 2nd International Workshop on Real-Time Computing Systems and Applications
 * (RTCSA), 1995. The lists, the bit vector and the rule that chooses a list are the
 * paper's. How a block knows its neighbours, how it is aligned and how it is resized are
 * not: tagged_block.h, which tlsf shares. So the two differ in their lists and in nothing
 * else.
 *
 * Idea. List i holds the holes of 2^i to 2^(i+1) - 1 bytes, and one word of bits tells
 * which lists are not empty. In list floor(log2 b), some holes have room for a block of b
 * bytes and some have not: it would have to be searched. So do not look there. In list
 * ceil(log2 b), and in each one above, whichever hole comes first is large enough, and the
 * first of these lists that is not empty is a mask and a count of trailing zeros away.
 * What is left of the hole goes back into a list at once, and a freed block merges at once
 * with both neighbours. Nothing in here is a loop.
 *
 * The price is what the paper calls incomplete memory use: a request may be refused while
 * a hole that would do lies in the list below. TLSF divides each of these lists into 32,
 * and with them the price.
 *
 * Layout. Blocks are those of tagged_block.h. The lists, with holes of 24, 528 and 600
 * bytes; a request for a block of 520 looks from list 10 on, and is refused:
 *
 *              list    0..3     4      5      6      7      8      9     10 ...
 *             +-----+------+------+------+------+------+------+------+------+
 *   from      |     |      |  16  |  32  |  64  |  128 |  256 |  512 | 1024 |
 *   bit       |     |   0  |   1  |   0  |   0  |   0  |   0  |   1  |   0  |
 *             +-----+------+--|---+------+------+------+--|---+------+------+
 *                             24                         528 - 600
 *
 *   In a free block:       next of its list | the pointer that leads here
 *
 * Invariants: I1 to I4 of tagged blocks, and
 *   I5: a listed block points back to the pointer that leads to it
 *   I6: a listed block is free and of the list's sizes
 *   I7: every free block is in a list
 *   I8: a list's bit is set iff it is not empty
 * I7 is checked by the number of free blocks: a list that leads to bytes inside a block which look
 * like a free one, in place of one, is not found out.
 *
 * Cost. alloc, free, usable, resize: constant. walk, check: linear in the blocks.
 * Fragmentation: a request for a block of n bytes fails only if every hole is smaller than
 * N = 2^ceil(log2 n), which is less than 2n; and there is at most one hole more than live
 * blocks. So with at most m live blocks of M bytes together and no request above n,
 * M + (m + 1) * 2n bytes are always enough. Best fit does with M + (m + 1) * n.
 *
 * When not to use it: where memory is short, or sizes lie just above powers of two.
 */
#include "tagged_block.h"

enum {
    LISTS = 27, /* every block is smaller than 2^27: 64 MiB of arena and its side array */
};

struct half_fit {
    uint32_t lists;             /* bit i: list i is not empty */
    struct block *heads[LISTS]; /* the first hole of 2^i to 2^(i+1) - 1 bytes; NULL if none */
};

_Static_assert(LISTS < 32, "one word has a bit for each list, and for the one behind the last");

static struct half_fit *half_fit_of(const struct heap *heap)
{
    return heap->control;
}

/* Returns: the list to which a hole of that many bytes belongs. */
static uint32_t list_of(uint32_t bytes)
{
    return 31 ^ (uint32_t)__builtin_clz(bytes); /* floor(log2 bytes) */
}

/* Returns: the first list all of whose holes have that many bytes. */
static uint32_t list_sure_for(uint32_t bytes)
{
    return list_of(bytes - 1) + 1; /* ceil(log2 bytes) */
}

/* Makes a hole of bytes at block, first of its list. Requires: neither neighbour is free. */
static void hole_create(struct half_fit *half_fit, struct block *hole, uint32_t bytes)
{
    uint32_t list = list_of(bytes);
    struct block **head = &half_fit->heads[list];
    struct block *first = *head;
    block_set_free(hole, bytes);
    hole->link = head;
    hole->next = first;
    *head = hole;
    if (first != NULL)
        first->link = &hole->next;
    else
        half_fit->lists |= 1U << list;
}

/* Takes a hole out of its list, whichever it is. A last one that a head led to was alone. */
static void hole_remove(struct half_fit *half_fit, struct block *hole)
{
    struct block **link = hole->link;
    struct block *next = hole->next;
    *link = next;
    if (next != NULL) {
        next->link = link;
        return;
    }
    uint32_t list = list_of(block_bytes(hole));
    if (link == &half_fit->heads[list])
        half_fit->lists &= ~(1U << list);
}

/* Returns: a hole of at least that many bytes, out of its list; NULL if none is sure to be. */
static struct block *hole_take(struct half_fit *half_fit, uint32_t bytes)
{
    uint32_t sure = half_fit->lists & UINT32_MAX << list_sure_for(bytes);
    if (sure == 0)
        return NULL;
    uint32_t list = (uint32_t)__builtin_ctz(sure);
    struct block *hole = half_fit->heads[list];
    struct block *next = hole->next;
    half_fit->heads[list] = next;
    if (next != NULL)
        next->link = &half_fit->heads[list];
    else
        half_fit->lists &= ~(1U << list);
    return hole;
}

/*
 * Makes the first wanted of a block's bytes live. What is left becomes a hole; where it
 * is too little for that, it goes with the block.
 */
static void block_split(struct half_fit *half_fit, struct block *block, uint32_t bytes,
                        uint32_t wanted)
{
    if (bytes - wanted < BLOCK_BYTES_MIN) {
        block_set_live(block, bytes);
        block_announce_live(block, bytes);
    } else {
        block_set_live(block, wanted);
        hole_create(half_fit, block_at(block, wanted), bytes - wanted);
    }
}

/* Gives back what lies in front of a hole's first aligned payload. Returns: the rest. */
static struct block *block_cut_gap(struct half_fit *half_fit, struct block *hole, uint32_t align)
{
    uint32_t gap_bytes = block_gap_bytes(hole, align);
    if (gap_bytes == 0)
        return hole;
    struct block *rest = block_at(hole, gap_bytes);
    rest->header = block_bytes(hole) - gap_bytes;
    hole_create(half_fit, hole, gap_bytes);
    return rest;
}

static void half_fit_init(const struct heap *heap)
{
    __builtin_memset(heap->control, 0, sizeof(struct half_fit));
    block_sentinel(heap)->header = 0;
    hole_create(half_fit_of(heap), block_first(heap), block_region_bytes(heap) - PAYLOAD_OFFSET);
}

static void *half_fit_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    bool any = align <= BLOCK_GRANULE_BYTES; /* every block is aligned enough */
    if (size >= block_region_bytes(heap) || (!any && align >= block_region_bytes(heap)))
        return NULL;
    struct half_fit *half_fit = half_fit_of(heap);
    uint32_t wanted = block_bytes_for(size);
    struct block *block = hole_take(half_fit, any ? wanted : wanted + align + BLOCK_GRANULE_BYTES);
    if (block == NULL)
        return NULL;
    if (!any)
        block = block_cut_gap(half_fit, block, align);
    block_split(half_fit, block, block_bytes(block), wanted);
    return block->payload;
}

/* Returns: the bytes of the block and of the hole behind it, which is listed no more. */
static uint32_t block_absorb_next(struct half_fit *half_fit, const struct block *block)
{
    uint32_t bytes = block_bytes(block);
    struct block *next = block_at(block, bytes);
    if (!block_is_free(next))
        return bytes;
    hole_remove(half_fit, next);
    return bytes + block_bytes(next);
}

static bool half_fit_free(const struct heap *heap, void *address)
{
    struct half_fit *half_fit = half_fit_of(heap);
    struct block *block = block_of(address);
    uint32_t bytes = block_absorb_next(half_fit, block);
    if (block_is_previous_free(block)) {
        block = block->previous;
        bytes += block_bytes(block);
        hole_remove(half_fit, block);
    }
    hole_create(half_fit, block, bytes);
    return true;
}

/* Takes the hole behind the block for its own, and gives back what it does not need. */
static bool half_fit_resize(const struct heap *heap, void *address, uint32_t size)
{
    if (size >= block_region_bytes(heap))
        return false;
    struct block *block = block_of(address);
    const struct block *next = block_at(block, block_bytes(block));
    uint32_t wanted = block_bytes_for(size);
    uint32_t room = block_bytes(block) + (block_is_free(next) ? block_bytes(next) : 0);
    if (room < wanted)
        return false;
    block_split(half_fit_of(heap), block, block_absorb_next(half_fit_of(heap), block), wanted);
    return true;
}

/* Ends even on lists that run in a circle: a block has but one pointer to point back to. */
static const char *list_check(const struct heap *heap, uint32_t list, uint32_t *listed)
{
    struct block *const *link = &half_fit_of(heap)->heads[list];
    for (const struct block *hole; (hole = *link) != NULL; link = &hole->next, (*listed)++) {
        if (!block_check_may_be_hole(heap, hole) || block_bytes(hole) >> list != 1)
            return "I6: a listed block is free and of the list's sizes";
        if (hole->link != link)
            return "I5: a listed block points back to the pointer that leads to it";
    }
    return NULL;
}

static const char *list_check_bits(const struct half_fit *half_fit)
{
    uint32_t lists = 0;
    for (uint32_t list = 0; list < LISTS; list++)
        if (half_fit->heads[list] != NULL)
            lists |= 1U << list;
    return half_fit->lists == lists ? NULL : "I8: a list's bit is set iff it is not empty";
}

static const char *half_fit_check(const struct heap *heap)
{
    uint32_t holes, listed = 0;
    const char *broken = block_check(heap, &holes);
    for (uint32_t list = 0; list < LISTS && broken == NULL; list++)
        broken = list_check(heap, list, &listed);
    if (broken == NULL && listed != holes)
        broken = "I7: every free block is in a list";
    return broken != NULL ? broken : list_check_bits(half_fit_of(heap));
}

const struct heap_strategy heap_half_fit = {
    .name = "half-fit",
    .source = "Ogasawara, RTCSA 1995",
    .traits = HEAP_COALESCES | HEAP_CONSTANT_TIME,
    .control_bytes = sizeof(struct half_fit),
    .init = half_fit_init,
    .alloc = half_fit_alloc,
    .free = half_fit_free,
    .usable = block_usable,
    .resize = half_fit_resize,
    .walk = block_walk,
    .check = half_fit_check,
};
