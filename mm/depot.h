/* SPDX-License-Identifier: MIT */
/*
 * The depot: the magazines that no processor has. Included by magazine_heap.h alone. All of it
 * requires that the caller took the heap's lock.
 *
 * Where the depot has no magazine either, the strategy is asked for one block of up to
 * DEPOT_CUT_BYTES, and that is cut into blocks of the class, DEPOT_CUT_BLOCKS at most: so even a
 * strategy that searches long does so seldom. If there is not so much, it is asked for a single
 * block.
 *
 * Magazines grow where processors wait for one another: if exchanges of a class have DEPOT_PATIENCE
 * times met somebody who waited for the lock, its magazines take twice as many blocks. They start
 * with fewer the larger their blocks are, and never shrink.
 */
#ifndef MM_DEPOT_H
#define MM_DEPOT_H

enum {
    DEPOT_CUT_BYTES = 8192, /* but at most this part of the region: */
    DEPOT_CUT_SHARE = 128,
    DEPOT_CUT_BLOCKS = 32,
    DEPOT_PATIENCE = 4,
    DEPOT_SIZE_FIRST = 15,
    DEPOT_SIZE_BYTES = 16384, /* no magazine starts with more than this in it */
    DEPOT_SIZE_MAX = 127,
    DEPOT_SIZE_MAX_BYTES = 65536,
};

/* A block begins so while it is the first of a magazine in the depot. */
struct depot_magazine {
    void *next_block;
    struct depot_magazine *next_magazine;
    int32_t count;
};

_Static_assert(sizeof(struct depot_magazine) <= MAGAZINE_UNIT_BYTES, "the smallest holds it");

static struct depot {
    struct depot_magazine *magazines[HEAP_OWN_CLASSES];
    int32_t size[HEAP_OWN_CLASSES];      /* of its magazines: so many blocks they take */
    uint32_t contention[HEAP_OWN_CLASSES];
    uint64_t seen_waits;                 /* of the lock's, at the last exchange */
    struct heap_magazine_status status;
} depot;

static inline int32_t depot_clamp_size(int32_t size, uint32_t bytes_max, uint32_t class)
{
    int32_t fit = (int32_t)(bytes_max / magazine_bytes[class]);
    return size < fit ? size : fit;
}

static void depot_start(void)
{
    uint32_t units = magazine_region_bytes() / MAGAZINE_UNIT_BYTES + 1;
    __builtin_memset(magazine_table, MAGAZINE_NONE, units);
    depot = (struct depot){0};
    for (uint32_t class = 1; class <= MAGAZINE_CLASS_MAX; class++)
        depot.size[class] = depot_clamp_size(DEPOT_SIZE_FIRST, DEPOT_SIZE_BYTES, class);
    for (uint32_t i = 0; i < kernel_heap_processors(); i++)
        *kernel_heap_own(i) = (struct heap_own){.is_free = 1};
}

/* --- keeping magazines ----------------------------------------------------------------- */

/* Requires: the magazine is not empty. */
static void depot_put(uint32_t class, struct magazine magazine)
{
    struct depot_magazine *first = magazine.first;
    first->next_magazine = depot.magazines[class];
    first->count = magazine.count;
    depot.magazines[class] = first;
}

/* Returns: a magazine that is not empty; or an empty one, if there is none. */
static struct magazine depot_take(uint32_t class)
{
    struct depot_magazine *first = depot.magazines[class];
    if (first == NULL)
        return (struct magazine){0};
    depot.magazines[class] = first->next_magazine;
    return (struct magazine){first, first->count};
}

/* Looks, at an exchange, whether somebody has waited for the lock. */
static void depot_note_contention(uint32_t class)
{
    depot.status.exchanges++;
    if (depot.seen_waits == lock.waits)
        return;
    depot.seen_waits = lock.waits;
    int32_t grown = depot_clamp_size(DEPOT_SIZE_MAX, DEPOT_SIZE_MAX_BYTES, class);
    if (depot.size[class] == grown || ++depot.contention[class] < DEPOT_PATIENCE)
        return;
    depot.contention[class] = 0;
    depot.status.growths++;
    if (depot.size[class] * 2 + 1 < grown)
        grown = depot.size[class] * 2 + 1;
    depot.size[class] = grown;
}

/* --- asking the strategy --------------------------------------------------------------- */

/* Returns: how many blocks of the class are cut out of one. The same as long as the heap lives. */
static uint32_t depot_cut_blocks(uint32_t class)
{
    uint32_t share = magazine_region_bytes() / DEPOT_CUT_SHARE;
    uint32_t bytes = share < DEPOT_CUT_BYTES ? share : (uint32_t)DEPOT_CUT_BYTES;
    uint32_t blocks = bytes / magazine_bytes[class];
    return blocks < 1 ? 1 : blocks > DEPOT_CUT_BLOCKS ? DEPOT_CUT_BLOCKS : blocks;
}

/* Cuts a block of the strategy's. The first of the magazine lies lowest. */
static struct magazine depot_cut(uint8_t *block, uint32_t class, uint32_t blocks)
{
    struct magazine magazine = {0};
    for (uint32_t i = blocks; i-- > 0;) {
        uint8_t *part = block + i * magazine_bytes[class];
        *magazine_entry_of(part) = (uint8_t)(class | MAGAZINE_CUT);
        magazine_push(&magazine, part);
    }
    *magazine_entry_of(block) |= MAGAZINE_FIRST;
    return magazine;
}

/* Returns: new blocks of the class; none, if the strategy has no room. */
static struct magazine depot_refill(uint32_t class)
{
    uint32_t bytes = magazine_bytes[class];
    uint32_t blocks = depot_cut_blocks(class);
    uint8_t *block = blocks == 1 ? NULL
                                 : HEAP_STRATEGY.alloc(&kernel_heap, blocks * bytes,
                                                       HEAP_ALIGNMENT_BYTES);
    depot.status.refills++;
    if (block != NULL)
        return depot_cut(block, class, blocks);
    struct magazine magazine = {0};
    block = HEAP_STRATEGY.alloc(&kernel_heap, bytes, HEAP_ALIGNMENT_BYTES);
    if (block != NULL) {
        *magazine_entry_of(block) = (uint8_t)class;
        magazine_push(&magazine, block);
    }
    return magazine;
}

/* --- exchanging ------------------------------------------------------------------------ */

/* Returns: a block of the class for this processor, which loads what came with it; or NULL. */
static void *depot_serve(uint32_t class)
{
    struct heap_own *own = kernel_heap_own_here();
    depot_note_contention(class);
    own_take(own);
    void *block = own_serve(own, class, depot.size[class]);
    if (block == NULL) {
        struct magazine magazine = depot_take(class);
        if (magazine.count == 0)
            magazine = depot_refill(class);
        own_load(own, class, magazine, depot.size[class]);
        block = own_serve(own, class, depot.size[class]);
    }
    own_give(own);
    return block;
}

/* Takes a block of the class from this processor, and a full magazine, if it has two. */
static void depot_accept(uint32_t class, void *block)
{
    struct heap_own *own = kernel_heap_own_here();
    depot_note_contention(class);
    own_take(own);
    if (!own_accept(own, class, block, depot.size[class])) {
        depot_put(class, own_take_previous(own, class));
        own_accept(own, class, block, depot.size[class]);
    }
    own_give(own);
}

#endif
