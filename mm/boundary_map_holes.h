/* SPDX-License-Identifier: MIT */
/*
 * The holes of a boundary map: bins of them, and how they are found, made and merged.
 *
 * Idea. What the map does not tell of a hole, its own memory does. Holes of equal length,
 * or of nearly equal length where they are long, hang in one list, a *bin*. Two levels of
 * bits tell which bins have any, so the shortest hole that is long enough is found by
 * counting zeros twice, without looking at a hole.
 *
 * Layout of a hole of n granules. In the smallest, of two, the words stand side by side.
 *
 *             +------+------+---+----------------------+---+
 *             | next | link | n |                      | n |
 *             +------+------+---+----------------------+---+
 *
 * link is the address of the pointer that leads here, the bin's or another hole's next;
 * whoever takes a hole out of its bin need not know which bin it is.
 *
 * Bin b has the holes of b + 1 granules, up to 512 granules, 4 KiB. From there on each
 * doubling of the length is divided into 32 bins, and has one word of bits.
 */
#ifndef MM_BOUNDARY_MAP_HOLES_H
#define MM_BOUNDARY_MAP_HOLES_H

#include "boundary_map.h"

enum {
    EXACT_BINS_LOG2 = 9,
    EXACT_BINS = 1 << EXACT_BINS_LOG2, /* whose holes are all equally long */
    DOUBLING_BINS_LOG2 = 5,
    DOUBLING_BINS = 1 << DOUBLING_BINS_LOG2,
    BINS = EXACT_BINS + (LENGTH_BITS - EXACT_BINS_LOG2) * DOUBLING_BINS,
    EXACT_WORDS = EXACT_BINS / MAP_WORD_BITS,
    BIN_WORDS = BINS / MAP_WORD_BITS,
    NO_BIN = 0,  /* it would have holes of one granule */
    LOOKS = 8,   /* how many holes of its own bin a long request is compared with */
};

_Static_assert((int)DOUBLING_BINS == (int)MAP_WORD_BITS, "a doubling has one word of bits");
_Static_assert((int)BIN_WORDS <= (int)MAP_WORD_BITS, "one word tells which words have a bit");

/* Which of many lists are not empty, by their numbers. */
struct list_bits {
    uint32_t top;              /* bit w is set iff words[w] is not 0 */
    uint32_t words[BIN_WORDS]; /* list n's is bit n, counted from the first word on */
};

struct hole {
    struct hole *next;  /* in its bin, or NULL */
    struct hole **link; /* the pointer to this hole */
    uint32_t granules;  /* its length, which also is its last word */
};

_Static_assert(sizeof(struct hole) + sizeof(uint32_t) <= MIN_GRANULES * MAP_GRANULE_BYTES,
               "the smallest hole has room for its words");

struct holes {
    struct list_bits filled;
    struct hole *open; /* the hole made last, if it is in no bin yet; or NULL */
    struct hole *bins[BINS];
};

/* --- bins --------------------------------------------------------------------------- */

HOT void list_filled(struct list_bits *bits, uint32_t list)
{
    bit_set(bits->words, list);
    bit_set(&bits->top, list / MAP_WORD_BITS);
}

HOT void list_emptied(struct list_bits *bits, uint32_t list)
{
    bit_clear(bits->words, list);
    if (bits->words[list / MAP_WORD_BITS] == 0)
        bit_clear(&bits->top, list / MAP_WORD_BITS);
}

/* Returns: the first list from this one on that is not empty, or NO_BIN. */
HOT uint32_t list_from(const struct list_bits *bits, uint32_t list)
{
    uint32_t index = list / MAP_WORD_BITS;
    uint32_t word = bits->words[index] & -1U << list % MAP_WORD_BITS;
    if (word == 0) {
        uint32_t above = bits->top & -2U << index;
        if (above == 0)
            return NO_BIN;
        index = bit_lowest(above);
        word = bits->words[index];
    }
    return index * MAP_WORD_BITS + bit_lowest(word);
}

HOT uint32_t bin_of(uint32_t granules)
{
    uint32_t length = granules - 1;
    if (length < EXACT_BINS)
        return length;
    uint32_t log2 = bit_highest(length);
    uint32_t first = EXACT_BINS + (log2 - EXACT_BINS_LOG2) * DOUBLING_BINS;
    return first - DOUBLING_BINS + (length >> (log2 - DOUBLING_BINS_LOG2));
}

/*
 * Returns: how many times 4 KiB the longest hole is at least, told by its bin, whose shortest
 * is up to 3 % shorter, and rounded down: 2 are told as 1. 0 if it is not above 4 KiB.
 */
HOT uint32_t holes_longest_pages(const struct holes *holes)
{
    if (holes->filled.top >> EXACT_WORDS == 0)
        return 0;
    uint32_t index = bit_highest(holes->filled.top);
    uint32_t steps = DOUBLING_BINS + bit_highest(holes->filled.words[index]);
    return steps << (index - EXACT_WORDS) >> DOUBLING_BINS_LOG2;
}

HOT void bin_push(struct holes *holes, uint32_t bin, struct hole *hole)
{
    struct hole *next = holes->bins[bin];
    hole->next = next;
    hole->link = &holes->bins[bin];
    holes->bins[bin] = hole;
    if (next != NULL) {
        next->link = &hole->next;
        return;
    }
    list_filled(&holes->filled, bin);
}

/* Takes out a hole that is the bin's first. */
HOT void bin_drop(struct holes *holes, uint32_t bin, const struct hole *first)
{
    struct hole *next = first->next;
    holes->bins[bin] = next;
    if (next != NULL)
        next->link = &holes->bins[bin];
    else
        list_emptied(&holes->filled, bin);
}

/* Takes the first hole out. Requires: there is one. */
HOT struct hole *bin_pop(struct holes *holes, uint32_t bin)
{
    struct hole *hole = holes->bins[bin];
    bin_drop(holes, bin, hole);
    return hole;
}

/* The bin whose first pointer this is; BINS or more if it is a hole's. */
HOT uint32_t bin_at(const struct holes *holes, struct hole *const *link)
{
    return bytes_behind(holes->bins, link) / sizeof(*link);
}

/* Takes a hole out of its bin, whichever it is, and wherever in it it hangs. */
HOT void hole_unlink(struct holes *holes, const struct hole *hole)
{
    struct hole *next = hole->next;
    struct hole **link = hole->link;
    *link = next;
    if (next != NULL) {
        next->link = link;
        return;
    }
    uint32_t bin = bin_at(holes, link);
    if (bin < BINS)
        list_emptied(&holes->filled, bin);
}

/* --- holes -------------------------------------------------------------------------- */

/* The last word of a hole that ends at this granule. */
HOT uint32_t *hole_footer(const struct heap *heap, uint32_t end)
{
    return (uint32_t *)map_address_of(heap, end) - 1;
}

HOT void hole_write_length(const struct heap *heap, uint32_t granule, uint32_t granules)
{
    struct hole *hole = map_address_of(heap, granule);
    hole->granules = granules;
    *hole_footer(heap, granule + granules) = granules;
}

/* Makes a hole of a live block. Requires: the first bit is set, the others are clear. */
HOT void hole_make(const struct heap *heap, struct holes *holes, uint32_t granule,
                   uint32_t granules)
{
    map_set(heap, granule + 1);
    map_set(heap, granule + granules - 1);
    hole_write_length(heap, granule, granules);
    bin_push(holes, bin_of(granules), map_address_of(heap, granule));
}

/* Makes a hole of the end of a longer one, which has been taken out of its bin. */
HOT void hole_make_rest(const struct heap *heap, struct holes *holes, uint32_t granule,
                        uint32_t granules)
{
    map_set(heap, granule);
    map_set(heap, granule + 1);
    hole_write_length(heap, granule, granules);
    bin_push(holes, bin_of(granules), map_address_of(heap, granule));
}

/* Whether two lengths above EXACT_BINS, the first not above the second, share a bin. */
HOT bool bin_is_shared(uint32_t shorter, uint32_t longer)
{
    return ((shorter - 1) ^ (longer - 1)) >> (bit_highest(longer - 1) - DOUBLING_BINS_LOG2) == 0;
}

/*
 * Moves a hole to where it begins now, be it a granule further; its bin is still the right one,
 * and the map says so.
 */
HOT void hole_move(const struct heap *heap, const struct hole *old, uint32_t granule,
                   uint32_t granules)
{
    struct hole *hole = map_address_of(heap, granule);
    struct hole *next = old->next;
    struct hole **link = old->link;
    hole->next = next;
    hole->link = link;
    hole_write_length(heap, granule, granules);
    *link = hole;
    if (next != NULL)
        next->link = &hole->next;
}

/* Takes a hole out of its bin, if it is in one. */
HOT void hole_absorb(struct holes *holes, const struct hole *hole)
{
    if (hole == holes->open)
        holes->open = NULL;
    else
        hole_unlink(holes, hole);
}

/* Puts a hole into its bin. Returns: whether that is one of long holes, above 4 KiB. */
HOT bool hole_file(struct holes *holes, struct hole *hole)
{
    uint32_t granules = hole->granules;
    bin_push(holes, bin_of(granules), hole);
    return granules > EXACT_BINS;
}

/* The same for the open hole, if it has so many granules. */
HOT bool hole_close(struct holes *holes, uint32_t granules)
{
    struct hole *hole = holes->open;
    if (hole == NULL || hole->granules < granules)
        return false;
    holes->open = NULL;
    return hole_file(holes, hole);
}

/*
 * Makes a hole of a live block and of the holes before and behind it, and leaves it open:
 * the next block to be given back is likely to be its neighbour. Whatever was open before,
 * and is not part of it, is closed.
 * Requires: the block's first bit is set, its others are clear.
 * Returns: whether a bin of long holes may have got one.
 */
HOT bool hole_release(const struct heap *heap, struct holes *holes, uint32_t granule,
                      uint32_t granules)
{
    uint32_t end = on_its_own(granule + granules);
    if (map_take(heap, end + 1)) {
        struct hole *behind = map_address_of(heap, end);
        uint32_t length = behind->granules;
        map_clear(heap, end);
        end += length;
        hole_absorb(holes, behind);
    }
    if (map_take(heap, granule - 1)) {
        uint32_t length = *hole_footer(heap, granule);
        map_clear(heap, granule);
        granule -= length;
        hole_absorb(holes, map_address_of(heap, granule));
    }
    map_set(heap, granule + 1);
    map_set(heap, end - 1);
    hole_write_length(heap, granule, end - granule);
    struct hole *open = holes->open;
    holes->open = map_address_of(heap, granule);
    return open != NULL && hole_file(holes, open);
}

/* Returns: the shortest of the first looks holes of a bin that are long enough, or NULL. */
HOT struct hole *bin_best(const struct holes *holes, uint32_t bin, uint32_t granules,
                          uint32_t looks)
{
    struct hole *best = NULL;
    for (struct hole *hole = holes->bins[bin]; hole != NULL && looks > 0; looks--) {
        if (hole->granules >= granules && (best == NULL || hole->granules < best->granules))
            best = hole;
        hole = hole->next;
    }
    return best;
}

/*
 * Returns: a hole of that many granules at least, NULL iff there is none. It is the
 * shortest one up to 4 KiB. Above, it is the shortest among the first LOOKS of its own bin; if
 * none of those is long enough, the first of the next bin that has any, though a shorter one
 * may hang behind them.
 */
HOT struct hole *hole_find(const struct holes *holes, uint32_t granules)
{
    uint32_t bin = bin_of(granules);
    struct hole *found = bin_best(holes, bin, granules, LOOKS);
    if (found != NULL)
        return found;
    uint32_t above = bin + 1 < BINS ? list_from(&holes->filled, bin + 1) : NO_BIN;
    if (above != NO_BIN)
        return holes->bins[above];
    return bin_best(holes, bin, granules, UINT32_MAX);
}

#endif
