/* SPDX-License-Identifier: MIT */
/*
 * segregated: a list of free blocks for each power of two, merged only when one is missing.
 *
 * Source: P. R. Wilson, M. S. Johnstone, M. Neely and D. Boles, "Dynamic Storage
 * Allocation: A Survey and Critical Review", IWMM 1995: section 3.6, segregated free lists
 * (strict size classes with rounding), and 3.11, deferred coalescing. The classes are those
 * of C. Kingsley's malloc of 4.2BSD, which the survey describes; that one never merged.
 * Departs from it in leaving the header out of the rounding, since programs like to ask for
 * powers of two; and where it took more memory from the system, this one carves holes.
 *
 * Idea. Sizes are rounded up so far that few remain, one class for each power of two, and
 * all blocks of a class are alike. So a freed block is *parked* in its class's list as it
 * is, and whoever asks for that class next gets it, the last one freed first. Neither looks
 * at another block. Most programs free and ask for the same few sizes again and again, and
 * then nearly every call is four or five loads and stores.
 *
 * Where there is no such block, one is carved from a hole. Holes have any size, and are
 * listed by the largest class that can be carved from them: every hole in that list or
 * above will do. When there is no such hole either, the debt is paid: a sweep over the
 * whole heap merges all neighbours that are free, parked or holes, into new holes, and
 * forgets the parked blocks. Then the request is tried once more.
 *
 * Layout. A header is a block's size and its state. It lies 4 bytes before a multiple of
 * 8, for which the region's first word is left out; and so is the last, as sizes are
 * multiples of 8. The region is one piece, from map on. A block of class k:
 *
 *             +--------------+--------------------------------+
 *   live      | 2^k + 8 | L  | payload of 2^k + 4 bytes       |
 *             +--------------+--------+-----------------------+
 *   parked    | 2^k + 8 | P  | next   |  unused               |
 *             +--------------+--------+-----------------------+
 *             +--------------+--------+-----------------------------------+
 *   hole      | any     | H  | next   |  unused                           |
 *             +--------------+--------+-----------------------------------+
 *
 * A block has 8 bytes more than its class where they were too few to be left as a hole.
 *
 * Invariants:
 *   I1: blocks, multiples of 8 and of 16 at least, follow one another up to the last word
 *   I2: a block is live, parked or a hole
 *   I3: the list of parked blocks of a class holds such blocks only
 *   I4: the list of holes of a class holds such holes only
 *   I5: every parked block and every hole is in a list
 *   I6: a class's bit is set iff it has holes
 *   I7: free blocks are neighbours only while a sweep is due
 * That every one is in a list is checked by their number: a list that leads to bytes inside a block
 * which look like a free one, in place of one, is not found out.
 *
 * Cost. free, usable, resize: constant. alloc: constant, but for the sweep, which is linear
 * in the number of blocks; a heap that is nearly full may sweep with every other call.
 * Fragmentation: a request of n bytes becomes a block of N, N < 2n + 8 or N <= 24, and
 * after a sweep it fails only if every hole is smaller. So with at most m live blocks of M
 * bytes together (rounded) and none above N, M + (m + 1) * N bytes are always enough.
 *
 * When not to use it: where a call must never take long; where memory is short.
 */
#include "heap_strategy.h"

enum {
    CLASSES = 27,      /* every block is smaller than 2^27: 64 MiB and the side array */
    CLASS_MIN = 3,     /* blocks of 16 bytes */
    CLASS_EXTRA = 8,   /* a block of class k has so much more than 2^k */
    HEADER_BYTES = 4,
    HOLE_BYTES_MIN = 16,
};

/* The states of a block, in the lower bits of its header. */
enum {
    LIVE = 0,
    PARKED = 1,
    HOLE = 2,
    STATE_BITS = HEAP_ALIGNMENT_BYTES - 1,
};

struct piece {
    uint32_t header;
    struct piece *next; /* only while not live: of its list, or NULL */
};

struct segregated {
    struct piece *parked[CLASSES]; /* lists of parked blocks; the first freed is the last */
    struct piece *holes[CLASSES];  /* lists of holes from which a block of that class fits */
    uint32_t hole_classes;         /* bit k: holes[k] is not empty */
    uint32_t sweep_is_due;         /* 0 only if a sweep would find nothing to merge */
};

_Static_assert(sizeof(struct piece) <= HOLE_BYTES_MIN, "a free block has room for its fields");
_Static_assert(HOLE_BYTES_MIN == (1 << CLASS_MIN) + CLASS_EXTRA, "the smallest block is a class's");
_Static_assert(offsetof(struct piece, next) == HEADER_BYTES, "a link lies in the payload");
_Static_assert(CLASSES < 32, "one word has a bit for each class and one behind");

static struct segregated *segregated_of(const struct heap *heap)
{
    return heap->control;
}

/* What all blocks have together: the region but for its first and its last word. */
static uint32_t piece_bytes_in_all(const struct heap *heap)
{
    return heap->region.map_bytes + heap->region.arena_bytes - 2 * HEADER_BYTES;
}

static struct piece *piece_at(const void *piece, uint32_t bytes)
{
    return (struct piece *)((uintptr_t)piece + bytes);
}

static struct piece *piece_first(const struct heap *heap)
{
    return piece_at(heap->region.map, HEADER_BYTES);
}

static struct piece *piece_end(const struct heap *heap)
{
    return piece_at(piece_first(heap), piece_bytes_in_all(heap));
}

static struct piece *piece_of(const void *payload)
{
    return (struct piece *)((uintptr_t)payload - HEADER_BYTES);
}

static void *piece_payload(const struct piece *piece)
{
    return piece_at(piece, HEADER_BYTES);
}

static uint32_t piece_bytes(const struct piece *piece)
{
    return piece->header & ~(uint32_t)STATE_BITS;
}

static uint32_t piece_state(const struct piece *piece)
{
    return piece->header & STATE_BITS;
}

static uint32_t floor_log2(uint32_t value)
{
    return 31 ^ (uint32_t)__builtin_clz(value);
}

/* Returns: the largest class of which a block can be carved from so many bytes. */
static uint32_t class_of(uint32_t bytes)
{
    return floor_log2(bytes - CLASS_EXTRA);
}

/* Returns: the smallest class none of whose holes has fewer bytes. */
static uint32_t class_for(uint32_t bytes)
{
    return floor_log2(bytes - CLASS_EXTRA - 1) + 1;
}

/* Returns: how large a block for a request of size bytes is. Requires: no overflow. */
static uint32_t class_bytes_for(uint32_t size)
{
    uint32_t bytes = size + HEADER_BYTES;
    if (bytes < HOLE_BYTES_MIN)
        bytes = HOLE_BYTES_MIN;
    return (1U << class_for(bytes)) + CLASS_EXTRA;
}

/* Makes bytes at hole a hole, first of its list. */
static void hole_create(struct segregated *segregated, struct piece *hole, uint32_t bytes)
{
    uint32_t class = class_of(bytes);
    *hole = (struct piece){.header = bytes | HOLE, .next = segregated->holes[class]};
    segregated->holes[class] = hole;
    segregated->hole_classes |= 1U << class;
}

/* Returns: a hole of at least that many bytes, out of its list; NULL if there is none. */
static struct piece *hole_take(struct segregated *segregated, uint32_t bytes)
{
    uint32_t classes = segregated->hole_classes & UINT32_MAX << class_for(bytes);
    if (classes == 0)
        return NULL;
    uint32_t class = (uint32_t)__builtin_ctz(classes);
    struct piece *hole = segregated->holes[class];
    segregated->holes[class] = hole->next;
    if (hole->next == NULL)
        segregated->hole_classes &= ~(1U << class);
    return hole;
}

/* Makes a block of wanted bytes live, and what is left of the bytes it had a hole. */
static void piece_use(struct segregated *segregated, struct piece *piece, uint32_t had,
                      uint32_t wanted)
{
    uint32_t left = had - wanted;
    if (left >= HOLE_BYTES_MIN)
        hole_create(segregated, piece_at(piece, wanted), left);
    else
        wanted = had;
    piece->header = wanted | LIVE;
}

/* Returns: a new block at the first aligned place of a hole; NULL if no hole is sure to do. */
static struct piece *piece_carve(struct segregated *segregated, uint32_t bytes, uint32_t align)
{
    bool any = align <= HEAP_ALIGNMENT_BYTES; /* every block is aligned enough */
    uint32_t gap_max = any ? 0 : align + HOLE_BYTES_MIN - HEAP_ALIGNMENT_BYTES;
    struct piece *piece = hole_take(segregated, bytes + gap_max);
    if (piece == NULL)
        return NULL;
    uint32_t had = piece_bytes(piece);
    uint32_t gap = -(uint32_t)(uintptr_t)piece_payload(piece) & (align - 1);
    if (gap > 0 && gap < HOLE_BYTES_MIN)
        gap += align;
    if (gap > 0) {
        hole_create(segregated, piece, gap);
        piece = piece_at(piece, gap);
    }
    piece_use(segregated, piece, had - gap, bytes);
    return piece;
}

/* Makes new holes of all that is not live, and of neighbours one. Nothing stays parked. */
static void heap_sweep(const struct heap *heap)
{
    struct segregated *segregated = segregated_of(heap);
    const struct piece *end = piece_end(heap);
    *segregated = (struct segregated){.sweep_is_due = 0};
    for (struct piece *piece = piece_first(heap), *next; piece != end; piece = next) {
        next = piece_at(piece, piece_bytes(piece));
        if (piece_state(piece) == LIVE)
            continue;
        while (next != end && piece_state(next) != LIVE)
            next = piece_at(next, piece_bytes(next));
        hole_create(segregated, piece, (uint32_t)((uintptr_t)next - (uintptr_t)piece));
    }
}

/* The heap is one hole. */
static void segregated_init(const struct heap *heap)
{
    piece_first(heap)->header = piece_bytes_in_all(heap) | HOLE;
    heap_sweep(heap);
}

static void *segregated_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    struct segregated *segregated = segregated_of(heap);
    bool any = align <= HEAP_ALIGNMENT_BYTES;
    if (size > piece_bytes_in_all(heap) || (!any && align > piece_bytes_in_all(heap)))
        return NULL;
    uint32_t bytes = class_bytes_for(size);
    if (bytes > piece_bytes_in_all(heap))
        return NULL;
    struct piece *piece = any ? segregated->parked[class_of(bytes)] : NULL;
    if (piece != NULL) {
        segregated->parked[class_of(bytes)] = piece->next;
        piece->header ^= PARKED ^ LIVE;
        return piece_payload(piece);
    }
    piece = piece_carve(segregated, bytes, align);
    if (piece == NULL && segregated->sweep_is_due != 0) {
        heap_sweep(heap);
        piece = piece_carve(segregated, bytes, align);
    }
    return piece != NULL ? piece_payload(piece) : NULL;
}

static bool segregated_free(const struct heap *heap, void *address)
{
    struct segregated *segregated = segregated_of(heap);
    struct piece *piece = piece_of(address);
    struct piece **list = &segregated->parked[class_of(piece_bytes(piece))];
    piece->header ^= LIVE ^ PARKED;
    piece->next = *list;
    *list = piece;
    segregated->sweep_is_due = 1;
    return true;
}

static uint32_t segregated_usable(const struct heap *heap, const void *address)
{
    (void)heap;
    return piece_bytes(piece_of(address)) - HEADER_BYTES;
}

/* Shrinks to a lower class, if that leaves a hole. Nothing ever grows. */
static bool segregated_resize(const struct heap *heap, void *address, uint32_t size)
{
    struct segregated *segregated = segregated_of(heap);
    struct piece *piece = piece_of(address);
    uint32_t had = piece_bytes(piece);
    if (size > had - HEADER_BYTES)
        return false;
    uint32_t wanted = class_bytes_for(size);
    if (had >= wanted + HOLE_BYTES_MIN) {
        piece_use(segregated, piece, had, wanted);
        segregated->sweep_is_due = 1; /* the hole's neighbour may be free */
    }
    return true;
}

static void walk_word(const void *word, heap_visit *visit, void *context)
{
    const struct heap_block meta = {.start = word, .bytes = HEADER_BYTES, .state = HEAP_BLOCK_META};
    visit(context, &meta);
}

/* A parked block is CACHED: it is kept whole for its class, and no hole. */
static void segregated_walk(const struct heap *heap, heap_visit *visit, void *context)
{
    static const enum heap_block_state shown_as[] = {
        [LIVE] = HEAP_BLOCK_LIVE, [PARKED] = HEAP_BLOCK_CACHED, [HOLE] = HEAP_BLOCK_FREE};
    const struct piece *end = piece_end(heap);
    walk_word(heap->region.map, visit, context);
    for (const struct piece *piece = piece_first(heap); piece != end;
         piece = piece_at(piece, piece_bytes(piece))) {
        bool live = piece_state(piece) == LIVE;
        const struct heap_block block = {
            .start = (const uint8_t *)piece,
            .bytes = piece_bytes(piece),
            .payload = live ? piece_payload(piece) : NULL,
            .payload_bytes = live ? piece_bytes(piece) - HEADER_BYTES : 0,
            .state = shown_as[piece_state(piece)],
        };
        visit(context, &block);
    }
    walk_word(end, visit, context);
}

/* I1, I2 and I7. If NULL, the number of blocks that are not live is in *free. */
static const char *pieces_check(const struct heap *heap, uint32_t *free)
{
    const struct piece *piece = piece_first(heap);
    bool free_before = false;
    *free = 0;
    for (uint32_t left = piece_bytes_in_all(heap); left > 0; left -= piece_bytes(piece),
                  piece = piece_at(piece, piece_bytes(piece))) {
        if (piece_bytes(piece) < HOLE_BYTES_MIN || piece_bytes(piece) > left)
            return "I1: blocks, multiples of 8 and of 16 at least, follow one another";
        if (piece_state(piece) > HOLE)
            return "I2: a block is live, parked or a hole";
        bool is_free = piece_state(piece) != LIVE;
        if (is_free && free_before && segregated_of(heap)->sweep_is_due == 0)
            return "I7: free blocks are neighbours only while a sweep is due";
        free_before = is_free;
        *free += is_free;
    }
    return NULL;
}

/* Ends even on lists that run in a circle: no list has more than left blocks. */
static bool list_check(const struct heap *heap, const struct piece *piece, uint32_t state,
                       uint32_t class, uint32_t *left)
{
    for (; piece != NULL && *left > 0; piece = piece->next, (*left)--) {
        uintptr_t offset = (uintptr_t)piece - (uintptr_t)piece_first(heap);
        if (offset % HEAP_ALIGNMENT_BYTES != 0 || offset >= piece_bytes_in_all(heap) ||
            piece_state(piece) != state || piece_bytes(piece) < HOLE_BYTES_MIN ||
            class_of(piece_bytes(piece)) != class)
            return false;
    }
    return piece == NULL;
}

static const char *segregated_check(const struct heap *heap)
{
    const struct segregated *segregated = segregated_of(heap);
    uint32_t left, hole_classes = 0;
    const char *broken = pieces_check(heap, &left);
    if (broken != NULL)
        return broken;
    for (uint32_t class = 0; class < CLASSES; class++) {
        if (!list_check(heap, segregated->parked[class], PARKED, class, &left))
            return "I3: the list of parked blocks of a class holds such blocks only";
        if (!list_check(heap, segregated->holes[class], HOLE, class, &left))
            return "I4: the list of holes of a class holds such holes only";
        hole_classes |= (uint32_t)(segregated->holes[class] != NULL) << class;
    }
    if (left != 0)
        return "I5: every parked block and every hole is in a list";
    if (segregated->hole_classes != hole_classes)
        return "I6: a class's bit is set iff it has holes";
    return NULL;
}

const struct heap_strategy heap_segregated = {
    .name = "segregated",
    .source = "Wilson, Johnstone, Neely, Boles, IWMM 1995, 3.6 and 3.11",
    .traits = 0,
    .control_bytes = sizeof(struct segregated),
    .init = segregated_init,
    .alloc = segregated_alloc,
    .free = segregated_free,
    .usable = segregated_usable,
    .resize = segregated_resize,
    .walk = segregated_walk,
    .check = segregated_check,
};
