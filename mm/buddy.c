/* SPDX-License-Identifier: MIT */
/*
 * buddy: blocks of powers of two, each the lower or upper half of one twice its size.
 *
 * Source: K. C. Knowlton, "A fast storage allocator", CACM 8 (10), 1965; Knuth, The Art of
 * Computer Programming 1 (3rd edition, 1997), section 2.5, Algorithms R (reservation) and
 * S (liberation), and exercise 26 for memory that is no power of two. Departs from Knuth in
 * keeping TAG in a bitmap, which also tells KVAL of a live block: all of it is its owner's;
 * and in a word of bits for the lists that are not empty, where step R1 tries one by one.
 *
 * Idea. The arena is cut into leaves of 16 bytes. A block of order k is 2^k leaves and
 * begins at a multiple of its length, counted from the arena's start. To reserve, take the
 * smallest free block that is large enough and halve it until it is no larger than it must
 * be; each other half becomes free. To liberate, look at the other half, the *buddy*: its
 * number differs in one bit. If it is free and whole, the two become one, and so on.
 *
 * An arena of 2^n leaves is one tree; any other is one for each bit of its length, the
 * largest first. Trees never merge: the buddy of a whole one would be larger than the next.
 *
 * Layout. The side array holds two bits for each leaf, 32 leaves in a pair of words:
 * whether a block starts there, and whether that block is live. A block is as long as it
 * is to the next start.
 *
 *             +-----+-----+-----------+-----------+-----------+-----------+
 *   leaves    |  0  |  1  |  2     3  |  4     5  |  6     7  |  8   ...  |
 *   starts    |  1  |  1  |  1     0  |  1     0  |  1     0  |  1   ...  |
 *   live      |  1  |  0  |  1     0  |  0     0  |  1     0  |  0   ...  |
 *             +-----+-----+-----------+-----------+-----------+-----------+
 *   order        0     0        1           1           1        3
 *
 *   a free block: | next | prev | order |  unused      ...                |
 *   a live block: | payload                            ...                |
 *
 * Invariants:
 *   I1: from each start to the next are 2^k leaves, from a multiple of 2^k on
 *   I2: the live bit is set only where a block starts
 *   I3: a free block says how long it is
 *   I4: no free block's buddy is free and of its order
 *   I5: a list holds free blocks of its order, linked both ways
 *   I6: every free block is in a list
 *   I7: an order's bit is set iff its list is not empty
 *
 * Cost. alloc, free, usable, resize: at most a step for each order, the logarithm of the
 * heap. A request is rounded up to a power of two, from 16 bytes on.
 * Fragmentation: by I4 a request for a block of N bytes fails only if in every stretch of
 * N bytes, counted from the arena's start, something is live. So with at most m live blocks
 * and none above N bytes, (m + 1) * N bytes are always enough.
 *
 * When not to use it: for sizes just above powers of two: a structure and a header.
 */
#include "heap_strategy.h"

enum {
    LEAF_BYTES = 16,
    WORD_LEAVES_LOG2 = 5,
    WORD_LEAVES = 1 << WORD_LEAVES_LOG2,
    ORDERS = 23, /* the largest is 64 MiB */
};

struct leaf_word {   /* of 32 leaves, in the side array */
    uint32_t starts; /* bit i: a block starts at leaf i */
    uint32_t live;   /* bit i: and it is live */
};

/* A free block. */
struct hole {
    struct hole *next; /* of the order's list; NULL: the last */
    struct hole *prev; /* NULL: the first */
    uint32_t order;
};

struct buddy {
    uint32_t orders;            /* bit k: list k is not empty */
    struct hole *heads[ORDERS]; /* of the lists of free blocks by order */
};

_Static_assert(sizeof(struct hole) <= LEAF_BYTES, "a free block's fields fit into a leaf");
_Static_assert(LEAF_BYTES % HEAP_ALIGNMENT_BYTES == 0, "every block is aligned for any caller");
_Static_assert(sizeof(struct leaf_word) * HEAP_BYTES_PER_MAP_BYTE == WORD_LEAVES * LEAF_BYTES,
               "the side array has a pair of words for each 32 leaves");
_Static_assert(HEAP_ARENA_ALIGNMENT_BYTES % LEAF_BYTES == 0, "the arena begins on a leaf");
_Static_assert(ORDERS < 32, "one word has a bit for each order and one behind");

static struct buddy *buddy_of(const struct heap *heap)
{
    return heap->control;
}

static uint32_t leaf_count(const struct heap *heap)
{
    return heap->region.arena_bytes / LEAF_BYTES;
}

static struct leaf_word *leaf_word(const struct heap *heap, uint32_t leaf)
{
    return (struct leaf_word *)(void *)heap->region.map + leaf / WORD_LEAVES;
}

static uint32_t leaf_bit(uint32_t leaf)
{
    return 1U << leaf % WORD_LEAVES;
}

/* Returns: the block that starts there: its owner's memory, or a struct hole. */
static void *leaf_block(const struct heap *heap, uint32_t leaf)
{
    return heap->region.arena + leaf * LEAF_BYTES;
}

static bool leaf_starts(const struct heap *heap, uint32_t leaf)
{
    return (leaf_word(heap, leaf)->starts & leaf_bit(leaf)) != 0;
}

static bool leaf_is_live(const struct heap *heap, uint32_t leaf)
{
    return (leaf_word(heap, leaf)->live & leaf_bit(leaf)) != 0;
}

/* Returns: true iff a live block starts at address; *leaf is then its first leaf. */
static bool leaf_of_live(const struct heap *heap, const void *address, uint32_t *leaf)
{
    uintptr_t offset = (uintptr_t)address - (uintptr_t)heap->region.arena; /* below: wraps */
    *leaf = (uint32_t)(offset / LEAF_BYTES);
    return offset < heap->region.arena_bytes && offset % LEAF_BYTES == 0 &&
           leaf_is_live(heap, *leaf);
}

/* Returns: the order of the block that starts there: log2 of the leaves to the next start. */
static uint32_t leaf_order(const struct heap *heap, uint32_t leaf)
{
    uint32_t behind = leaf_word(heap, leaf)->starts >> leaf % WORD_LEAVES >> 1;
    if (behind != 0)
        return (uint32_t)__builtin_ctz((uint32_t)__builtin_ctz(behind) + 1);
    if (leaf % WORD_LEAVES != 0) /* it ends with the word, and is as long as it is aligned */
        return (uint32_t)__builtin_ctz(leaf);
    uint32_t order = WORD_LEAVES_LOG2;
    while (leaf + (1U << order) < leaf_count(heap) && !leaf_starts(heap, leaf + (1U << order)))
        order++;
    return order;
}

static void hole_insert(const struct heap *heap, uint32_t leaf, uint32_t order)
{
    struct buddy *buddy = buddy_of(heap);
    struct hole *hole = leaf_block(heap, leaf);
    struct hole *next = buddy->heads[order];
    *hole = (struct hole){.next = next, .order = order};
    if (next != NULL)
        next->prev = hole;
    buddy->heads[order] = hole;
    buddy->orders |= 1U << order;
}

static void hole_remove(const struct heap *heap, uint32_t leaf)
{
    struct buddy *buddy = buddy_of(heap);
    const struct hole *hole = leaf_block(heap, leaf);
    if (hole->next != NULL)
        hole->next->prev = hole->prev;
    if (hole->prev != NULL) {
        hole->prev->next = hole->next;
        return;
    }
    buddy->heads[hole->order] = hole->next;
    if (hole->next == NULL)
        buddy->orders &= ~(1U << hole->order);
}

/* Returns: true iff a free block of that very order starts there. */
static bool hole_is_at(const struct heap *heap, uint32_t leaf, uint32_t order)
{
    const struct leaf_word *word = leaf_word(heap, leaf);
    const struct hole *hole = leaf_block(heap, leaf);
    return leaf < leaf_count(heap) && (word->starts & ~word->live & leaf_bit(leaf)) != 0 &&
           hole->order == order;
}

/*
 * Algorithm R, step R4. Halves a block, which is in no list, from one order to another;
 * the half that target lies in is kept, the other is free. Returns: what was kept.
 */
static uint32_t hole_split(const struct heap *heap, uint32_t leaf, uint32_t order, uint32_t wanted,
                           uint32_t target)
{
    while (order-- > wanted) {
        uint32_t upper = leaf + (1U << order);
        bool keeps_upper = target >= upper;
        leaf_word(heap, upper)->starts |= leaf_bit(upper);
        hole_insert(heap, keeps_upper ? leaf : upper, order);
        leaf = keeps_upper ? upper : leaf;
    }
    return leaf;
}

/* Algorithm S: makes a block free, which is in no list, after all merging there is. */
static void hole_merge(const struct heap *heap, uint32_t leaf, uint32_t order)
{
    for (;; order++) {
        uint32_t other = leaf ^ 1U << order;
        if (!hole_is_at(heap, other, order))
            break;
        hole_remove(heap, other);
        uint32_t upper = leaf | other;
        leaf &= other;
        leaf_word(heap, upper)->starts &= ~leaf_bit(upper);
    }
    hole_insert(heap, leaf, order);
}

static uint32_t floor_log2(uint32_t value)
{
    return 31 ^ (uint32_t)__builtin_clz(value);
}

/* Returns: the order of the smallest block for size bytes. */
static uint32_t order_for(uint32_t size)
{
    return floor_log2((size - 1) / (LEAF_BYTES / 2) | 1);
}

/* One tree for each bit of the arena's length, the largest first. */
static void buddy_init(const struct heap *heap)
{
    __builtin_memset(heap->control, 0, sizeof(struct buddy));
    __builtin_memset(heap->region.map, 0, heap->region.map_bytes);
    for (uint32_t leaf = 0, order; leaf < leaf_count(heap); leaf += 1U << order) {
        order = floor_log2(leaf_count(heap) - leaf);
        leaf_word(heap, leaf)->starts |= leaf_bit(leaf);
        hole_insert(heap, leaf, order);
    }
}

/*
 * Algorithm R. In every free block of align bytes or more the first aligned place is at
 * the same distance from its start: 0, unless the arena itself is aligned to less. The
 * block is cut there, if one of the length wanted can begin there.
 */
static void *buddy_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    if (size > heap->region.arena_bytes)
        return NULL;
    struct buddy *buddy = buddy_of(heap);
    uint32_t wanted = order_for(size);
    uint32_t needed = wanted, distance = 0;
    if (align > LEAF_BYTES) {
        uint32_t align_order = order_for(align);
        needed = align_order > wanted ? align_order : wanted;
        distance = (uint32_t)(-(uintptr_t)heap->region.arena & (align - 1)) / LEAF_BYTES;
        if ((distance & ((1U << wanted) - 1)) != 0)
            return NULL;
    }
    uint32_t orders = buddy->orders & UINT32_MAX << needed;
    if (orders == 0)
        return NULL;
    uint32_t order = (uint32_t)__builtin_ctz(orders);
    const uint8_t *hole = (const uint8_t *)buddy->heads[order];
    uint32_t leaf = (uint32_t)(hole - heap->region.arena) / LEAF_BYTES;
    hole_remove(heap, leaf);
    leaf = hole_split(heap, leaf, order, wanted, leaf + distance);
    leaf_word(heap, leaf)->live |= leaf_bit(leaf);
    return leaf_block(heap, leaf);
}

static bool buddy_free(const struct heap *heap, void *address)
{
    uint32_t leaf;
    if (!leaf_of_live(heap, address, &leaf))
        return false;
    leaf_word(heap, leaf)->live &= ~leaf_bit(leaf);
    hole_merge(heap, leaf, leaf_order(heap, leaf));
    return true;
}

static uint32_t buddy_usable(const struct heap *heap, const void *address)
{
    uint32_t leaf;
    return leaf_of_live(heap, address, &leaf) ? LEAF_BYTES << leaf_order(heap, leaf) : 0;
}

/* Gives back upper halves; or takes its buddies in, while they lie above it and are free. */
static bool buddy_resize(const struct heap *heap, void *address, uint32_t size)
{
    uint32_t leaf;
    if (!leaf_of_live(heap, address, &leaf) || size > heap->region.arena_bytes)
        return false;
    uint32_t had = leaf_order(heap, leaf), wanted = order_for(size);
    for (uint32_t order = had; order < wanted; order++)
        if ((leaf & 1U << order) != 0 || !hole_is_at(heap, leaf + (1U << order), order))
            return false;
    for (uint32_t order = had; order < wanted; order++) {
        uint32_t upper = leaf + (1U << order);
        hole_remove(heap, upper);
        leaf_word(heap, upper)->starts &= ~leaf_bit(upper);
    }
    hole_split(heap, leaf, had, wanted, leaf);
    return true;
}

static void buddy_walk(const struct heap *heap, heap_visit *visit, void *context)
{
    const struct heap_block side_array = {.start = heap->region.map,
                                          .bytes = heap->region.map_bytes,
                                          .state = HEAP_BLOCK_META};
    visit(context, &side_array);
    for (uint32_t leaf = 0, leaves; leaf < leaf_count(heap); leaf += leaves) {
        leaves = 1U << leaf_order(heap, leaf);
        bool live = leaf_is_live(heap, leaf);
        const struct heap_block block = {
            .start = leaf_block(heap, leaf),
            .bytes = leaves * LEAF_BYTES,
            .payload = live ? leaf_block(heap, leaf) : NULL,
            .payload_bytes = live ? leaves * LEAF_BYTES : 0,
            .state = live ? HEAP_BLOCK_LIVE : HEAP_BLOCK_FREE,
        };
        visit(context, &block);
    }
}

/* I1, I3 and I4, of one block. */
static const char *block_check(const struct heap *heap, uint32_t leaf, uint32_t order)
{
    uint32_t leaves = 1U << order;
    if (!leaf_starts(heap, leaf) || leaf % leaves != 0 || leaves > leaf_count(heap) - leaf)
        return "I1: from each start to the next are 2^k leaves, from a multiple of 2^k on";
    if (leaf_is_live(heap, leaf))
        return NULL;
    if (!hole_is_at(heap, leaf, order))
        return "I3: a free block says how long it is";
    if ((leaf & leaves) == 0 && hole_is_at(heap, leaf + leaves, order))
        return "I4: no free block's buddy is free and of its order";
    return NULL;
}

/* I1 to I4. If NULL, the number of free blocks is in *holes. */
static const char *leaves_check(const struct heap *heap, uint32_t *holes)
{
    uint32_t starts = 0;
    for (uint32_t leaf = 0; leaf < leaf_count(heap); leaf += WORD_LEAVES) {
        const struct leaf_word *word = leaf_word(heap, leaf);
        starts += (uint32_t)__builtin_popcount(word->starts);
        if ((word->live & ~word->starts) != 0)
            return "I2: the live bit is set only where a block starts";
    }
    *holes = 0;
    for (uint32_t leaf = 0, order; leaf < leaf_count(heap); leaf += 1U << order, starts--) {
        order = leaf_order(heap, leaf);
        const char *broken = block_check(heap, leaf, order);
        if (broken != NULL)
            return broken;
        *holes += !leaf_is_live(heap, leaf);
    }
    return starts == 0 ? NULL : "I1: there are starts inside of blocks";
}

/* I5. Ends even on lists that run in a circle: prev can point back to one place alone. */
static bool list_check(const struct heap *heap, uint32_t order, uint32_t *listed)
{
    const struct hole *prev = NULL;
    for (const struct hole *hole = buddy_of(heap)->heads[order]; hole != NULL; hole = hole->next) {
        uintptr_t offset = (uintptr_t)hole - (uintptr_t)heap->region.arena;
        if (offset % LEAF_BYTES != 0 || offset >= heap->region.arena_bytes ||
            !hole_is_at(heap, (uint32_t)(offset / LEAF_BYTES), order) || hole->prev != prev)
            return false;
        prev = hole;
        (*listed)++;
    }
    return true;
}

static const char *buddy_check(const struct heap *heap)
{
    const struct buddy *buddy = buddy_of(heap);
    uint32_t holes, listed = 0, orders = 0;
    const char *broken = leaves_check(heap, &holes);
    if (broken != NULL)
        return broken;
    for (uint32_t order = 0; order < ORDERS; order++) {
        if (!list_check(heap, order, &listed))
            return "I5: a list holds free blocks of its order, linked both ways";
        orders |= (uint32_t)(buddy->heads[order] != NULL) << order;
    }
    if (listed != holes)
        return "I6: every free block is in a list";
    return buddy->orders == orders ? NULL : "I7: an order's bit is set iff its list is not empty";
}

const struct heap_strategy heap_buddy = {
    .name = "buddy",
    .source = "Knowlton, CACM 8 (10), 1965; Knuth, TAOCP 1, 2.5, Algorithms R and S",
    .traits = HEAP_VALIDATES_FREE,
    .control_bytes = sizeof(struct buddy),
    .init = buddy_init,
    .alloc = buddy_alloc,
    .free = buddy_free,
    .usable = buddy_usable,
    .resize = buddy_resize,
    .walk = buddy_walk,
    .check = buddy_check,
};
