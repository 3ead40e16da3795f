/* SPDX-License-Identifier: MIT */
/*
 * tlsf: two-level segregated fit, a good fit in constant time.
 *
 * Source: M. Masmano, I. Ripoll, A. Crespo and J. Real, "TLSF: a New Dynamic Memory
 * Allocator for Real-Time Systems", ECRTS 2004. Departs from it in three things. The
 * link to the physically previous block is there only while that block is free, inside
 * it (tagged_block.h), which halves the header to four bytes. A free block points back
 * not to the one before it in its list, but to the pointer that leads to it, so that
 * whoever takes it out need not know the list. And sizes below 256 bytes share one row,
 * whose lists are 8 bytes apart: rows of their own would divide them more finely than
 * sizes differ.
 *
 * Idea. Holes are kept in lists by size. The first level divides sizes by powers of
 * two, the second divides each of these rows into 32 equal columns. One word of bits
 * tells which rows have a hole at all, and one word a row tells in which columns, so two
 * counts of trailing zeros find the first list that has one.
 *
 * A hole goes into the list its size belongs to (mapping_insert). A search begins at the
 * list for the request rounded up to a whole column (mapping_search). Hence every hole
 * in a list where a search may end is large enough, the first will do, and no list is
 * ever walked. The fit is good rather than best: when the request had to be rounded up, a
 * hole is passed over that would have held it, but is in the same column.
 *
 * What is left of the hole goes back into a list at once, and a freed block merges at
 * once with both neighbours. So each operation is a few steps that touch a few blocks,
 * whatever the heap has been through.
 *
 * Layout. Blocks are those of tagged_block.h. The lists, with holes of 24 and 528 bytes:
 *
 *                                     columns
 *             rows    row    bits     0     1     2     3    ...    31
 *             +---+        +-------+-----+-----+-----+-----+-----+-----+
 *             | 1 |    0   | 0..08 |  0  |  8  | 16  | 24  | ... | 248 |   8 bytes apart
 *             | 0 |    1   | 0..00 | 256 | 264 | 272 | 280 | ... | 504 |   8 bytes
 *             | 1 |    2   | 0..02 | 512 | 528 | 544 | 560 | ... |1008 |  16 bytes
 *             +---+        +-------+-----+-----+-----+-----+-----+-----+
 *
 *   In a free block:       next of its list | the pointer that leads here
 *
 * Invariants: I1 to I4 of tagged blocks, and
 *   I5: a listed block points back to the pointer that leads to it
 *   I6: a listed block is free and of the list's sizes
 *   I7: every free block is in a list
 *   I8: a column's bit is set iff its list is not empty
 *   I9: a row's bit is set iff one of its columns' is
 * I7 is checked by the number of free blocks: a list that leads to bytes inside a block which look
 * like a free one, in place of one, is not found out.
 *
 * Cost. alloc, free, usable, resize: constant. walk, check: linear in the blocks.
 * Fragmentation: an unaligned request of b bytes, header and rounding included, fails only
 * if every hole is smaller than b and a thirty-second; and there is at most one hole more
 * than live blocks. So with at most m live blocks of M bytes together and no request
 * above n, M + (m + 1) * 33/32 * n bytes are always enough.
 *
 * When not to use it: where only the mean counts, which caches of freed blocks make
 * better; or where the heap is so full that a hole passed over is a request lost.
 */
#include "tagged_block.h"

enum {
    COLUMNS_LOG2 = 5, /* SLI in the paper */
    COLUMNS = 1 << COLUMNS_LOG2,
    GRANULE_LOG2 = 3,
    ROW_0_END_LOG2 = COLUMNS_LOG2 + GRANULE_LOG2,
    BYTES_END_LOG2 = 27, /* every block is smaller: 64 MiB of arena and its side array */
    ROWS = BYTES_END_LOG2 - ROW_0_END_LOG2 + 1,
    LISTS = ROWS * COLUMNS,
    NO_LIST = LISTS,
};

struct tlsf {
    uint32_t rows;          /* bit r: some list of row r is not empty */
    uint32_t columns[ROWS]; /* bit c of word r: list c of row r is not empty */
    struct block *heads[LISTS];
};

_Static_assert(COLUMNS == 32 && ROWS < 32, "each level's bits are one word");
_Static_assert(BLOCK_GRANULE_BYTES == 1 << GRANULE_LOG2, "row 0 has a list for each size");
_Static_assert(sizeof(struct tlsf) <= HEAP_CONTROL_BYTES_MAX, "the lists fit the control block");

static struct tlsf *tlsf_of(const struct heap *heap)
{
    return heap->control;
}

/* --- from sizes to lists ----------------------------------------------------------- */

/* Returns: the log2 of a column's width in the row that holds blocks of that many bytes. */
static uint32_t mapping_width_log2(uint32_t bytes)
{
    uint32_t log2 = 31 ^ (uint32_t)__builtin_clz(bytes | 1U << ROW_0_END_LOG2);
    return log2 - COLUMNS_LOG2;
}

/*
 * Returns: the number of a list, counted row by row. A size is widths columns wide: below
 * COLUMNS in row 0, from COLUMNS to 2 * COLUMNS in row 1, where a width is the same, and
 * in every row from there on. At 2 * COLUMNS, one too many, the sum is the next row's
 * first list, as it should be.
 */
static uint32_t mapping_list(uint32_t width_log2, uint32_t widths)
{
    return (width_log2 - GRANULE_LOG2) * COLUMNS + widths;
}

/* Returns: the list to which a hole of that many bytes belongs. */
static uint32_t mapping_insert(uint32_t bytes)
{
    uint32_t width_log2 = mapping_width_log2(bytes);
    return mapping_list(width_log2, bytes >> width_log2);
}

/* Returns: the first list all of whose holes have that many bytes. */
static uint32_t mapping_search(uint32_t bytes)
{
    uint32_t width_log2 = mapping_width_log2(bytes);
    uint32_t round_up = (1U << width_log2) - 1;
    return mapping_list(width_log2, (bytes + round_up) >> width_log2);
}

/* --- lists and their bits ---------------------------------------------------------- */

static void list_mark_used(struct tlsf *tlsf, uint32_t list)
{
    tlsf->rows |= 1U << (list / COLUMNS);
    tlsf->columns[list / COLUMNS] |= 1U << (list % COLUMNS);
}

static void list_mark_empty(struct tlsf *tlsf, uint32_t list)
{
    uint32_t columns = tlsf->columns[list / COLUMNS] & ~(1U << (list % COLUMNS));
    tlsf->columns[list / COLUMNS] = columns;
    if (columns == 0)
        tlsf->rows &= ~(1U << (list / COLUMNS));
}

/* Returns: the first list, from that one on, that is not empty; NO_LIST if all are. */
static uint32_t list_find_suitable(const struct tlsf *tlsf, uint32_t list)
{
    uint32_t row = list / COLUMNS;
    uint32_t columns = tlsf->columns[row] & (UINT32_MAX << (list % COLUMNS));
    if (columns == 0) {
        uint32_t rows = tlsf->rows & (UINT32_MAX << 1 << row);
        if (rows == 0)
            return NO_LIST;
        row = (uint32_t)__builtin_ctz(rows);
        columns = tlsf->columns[row];
    }
    return row * COLUMNS + (uint32_t)__builtin_ctz(columns);
}

/* Requires: the list is not empty. */
static struct block *list_take_first(struct tlsf *tlsf, uint32_t list)
{
    struct block **head = &tlsf->heads[list];
    struct block *hole = *head;
    struct block *next = hole->next;
    *head = next;
    if (next != NULL)
        next->link = head;
    else
        list_mark_empty(tlsf, list);
    return hole;
}

/* --- holes ------------------------------------------------------------------------- */

/* Puts a hole in front of its list. */
static void hole_insert(struct tlsf *tlsf, struct block *hole, uint32_t bytes)
{
    uint32_t list = mapping_insert(bytes);
    struct block **head = &tlsf->heads[list];
    struct block *first = *head;
    *head = hole;
    hole->link = head;
    hole->next = first;
    if (first != NULL)
        first->link = &hole->next;
    else
        list_mark_used(tlsf, list);
}

/* Takes a hole out of its list, whichever it is. A last one that a head led to was alone. */
static void hole_remove(struct tlsf *tlsf, struct block *hole)
{
    struct block **link = hole->link;
    struct block *next = hole->next;
    *link = next;
    if (next != NULL) {
        next->link = link;
        return;
    }
    uintptr_t offset = (uintptr_t)link - (uintptr_t)tlsf->heads;
    if (offset < sizeof(tlsf->heads))
        list_mark_empty(tlsf, (uint32_t)(offset / sizeof(*link)));
}

/* Requires: neither neighbour is free. */
static void hole_create(struct tlsf *tlsf, struct block *hole, uint32_t bytes)
{
    block_set_free(hole, bytes);
    hole_insert(tlsf, hole, bytes);
}

/* Returns: a hole of at least that many bytes, out of its list; NULL if none was found. */
static struct block *hole_take(const struct heap *heap, uint32_t bytes)
{
    if (bytes >= block_region_bytes(heap))
        return NULL;
    uint32_t list = list_find_suitable(tlsf_of(heap), mapping_search(bytes));
    return list == NO_LIST ? NULL : list_take_first(tlsf_of(heap), list);
}

/* --- blocks ------------------------------------------------------------------------ */

/*
 * Makes the first wanted of a block's bytes live. What is left becomes a hole; where it
 * is too little for that, it goes with the block.
 */
static void block_split(struct tlsf *tlsf, struct block *block, uint32_t bytes, uint32_t wanted)
{
    if (bytes - wanted < BLOCK_BYTES_MIN) {
        block_set_live(block, bytes);
        block_announce_live(block, bytes);
    } else {
        block_set_live(block, wanted);
        hole_create(tlsf, block_at(block, wanted), bytes - wanted);
    }
}

/* Returns: the bytes of the block and of the hole behind it, which is listed no more. */
static uint32_t block_absorb_next(struct tlsf *tlsf, const struct block *block, uint32_t bytes)
{
    struct block *next = block_at(block, bytes);
    if (!block_is_free(next))
        return bytes;
    hole_remove(tlsf, next);
    return bytes + block_bytes(next);
}

/* --- the strategy ------------------------------------------------------------------ */

static void tlsf_init(const struct heap *heap)
{
    __builtin_memset(heap->control, 0, sizeof(struct tlsf));
    block_sentinel(heap)->header = 0;
    hole_create(tlsf_of(heap), block_first(heap), block_region_bytes(heap) - PAYLOAD_OFFSET);
}

/* Gives back what lies in front of a hole's first aligned payload. Returns: the rest. */
static struct block *block_cut_gap(struct tlsf *tlsf, struct block *hole, uint32_t align)
{
    uint32_t gap_bytes = block_gap_bytes(hole, align);
    if (gap_bytes == 0)
        return hole;
    struct block *rest = block_at(hole, gap_bytes);
    rest->header = block_bytes(hole) - gap_bytes;
    hole_create(tlsf, hole, gap_bytes);
    return rest;
}

static void *tlsf_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    bool any = align <= BLOCK_GRANULE_BYTES; /* every block is aligned enough */
    if (size >= block_region_bytes(heap) || (!any && align >= block_region_bytes(heap)))
        return NULL;
    uint32_t wanted = block_bytes_for(size);
    struct block *block = hole_take(heap, any ? wanted : wanted + align + BLOCK_GRANULE_BYTES);
    if (block == NULL)
        return NULL;
    if (!any)
        block = block_cut_gap(tlsf_of(heap), block, align);
    block_split(tlsf_of(heap), block, block_bytes(block), wanted);
    return block->payload;
}

static bool tlsf_free(const struct heap *heap, void *address)
{
    struct tlsf *tlsf = tlsf_of(heap);
    struct block *block = block_of(address);
    uint32_t bytes = block_absorb_next(tlsf, block, block_bytes(block));
    if (block_is_previous_free(block)) {
        block = block->previous;
        bytes += block_bytes(block);
        hole_remove(tlsf, block);
    }
    hole_create(tlsf, block, bytes);
    return true;
}

/* Takes the hole behind the block for its own, and gives back what it does not need. */
static bool tlsf_resize(const struct heap *heap, void *address, uint32_t size)
{
    if (size >= block_region_bytes(heap))
        return false;
    struct block *block = block_of(address);
    const struct block *next = block_at(block, block_bytes(block));
    uint32_t wanted = block_bytes_for(size);
    uint32_t room = block_bytes(block) + (block_is_free(next) ? block_bytes(next) : 0);
    if (room < wanted)
        return false;
    block_absorb_next(tlsf_of(heap), block, block_bytes(block));
    block_split(tlsf_of(heap), block, room, wanted);
    return true;
}

/* Ends even on lists that run in a circle: a block has but one pointer to point back to. */
static const char *list_check(const struct heap *heap, uint32_t list, uint32_t *listed)
{
    struct block *const *link = &tlsf_of(heap)->heads[list];
    for (const struct block *hole; (hole = *link) != NULL; link = &hole->next, (*listed)++) {
        if (!block_check_may_be_hole(heap, hole) || mapping_insert(block_bytes(hole)) != list)
            return "I6: a listed block is free and of the list's sizes";
        if (hole->link != link)
            return "I5: a listed block points back to the pointer that leads to it";
    }
    return NULL;
}

static const char *list_check_bits(const struct tlsf *tlsf)
{
    for (uint32_t list = 0; list < LISTS; list++)
        if ((tlsf->heads[list] != NULL) != (tlsf->columns[list / COLUMNS] >> list % COLUMNS & 1))
            return "I8: a column's bit is set iff its list is not empty";
    for (uint32_t row = 0; row < ROWS; row++)
        if ((tlsf->columns[row] != 0) != (tlsf->rows >> row & 1))
            return "I9: a row's bit is set iff one of its columns' is";
    if (tlsf->rows >> ROWS != 0)
        return "I9: a row's bit is set iff one of its columns' is";
    return NULL;
}

static const char *tlsf_check(const struct heap *heap)
{
    uint32_t holes, listed = 0;
    const char *broken = block_check(heap, &holes);
    for (uint32_t list = 0; list < LISTS && broken == NULL; list++)
        broken = list_check(heap, list, &listed);
    if (broken == NULL && listed != holes)
        broken = "I7: every free block is in a list";
    return broken != NULL ? broken : list_check_bits(tlsf_of(heap));
}

const struct heap_strategy heap_tlsf = {
    .name = "tlsf",
    .source = "Masmano, Ripoll, Crespo, Real: TLSF, ECRTS 2004",
    .traits = HEAP_COALESCES | HEAP_CONSTANT_TIME,
    .control_bytes = sizeof(struct tlsf),
    .init = tlsf_init,
    .alloc = tlsf_alloc,
    .free = tlsf_free,
    .usable = block_usable,
    .resize = tlsf_resize,
    .walk = block_walk,
    .check = tlsf_check,
};
