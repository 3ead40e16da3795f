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
 * Returns: how many times 4 KiB the longest hole is at least, told by its bin: up to 3 %
 * too few. 0 if that is not above 4 KiB.
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

/* Takes the first hole out. Requires: there is one. */
HOT struct hole *bin_pop(struct holes *holes, uint32_t bin)
{
    struct hole *hole = holes->bins[bin];
    struct hole *next = hole->next;
    holes->bins[bin] = next;
    if (next != NULL)
        next->link = &holes->bins[bin];
    else
        list_emptied(&holes->filled, bin);
    return hole;
}

/* Takes a hole out of its bin, wherever in it it hangs. */
HOT void hole_unlink(struct holes *holes, struct hole *hole)
{
    struct hole *next = hole->next;
    struct hole **link = hole->link;
    *link = next;
    if (next != NULL) {
        next->link = link;
        return;
    }
    /* Was it the first? A link in a hole lies too far from the bins, on either side. */
    uint32_t bin = (uint32_t)((uintptr_t)link - (uintptr_t)holes->bins) / sizeof(*link);
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

/*
 * Moves a hole that has become longer or shorter, and the map says so, to its new bin; or
 * leaves it in the old one, if that is right. Requires: the two do not overlap in their
 * first two granules, unless they begin together.
 * Returns: whether the bin has changed.
 */
HOT bool hole_adjust(const struct heap *heap, struct holes *holes, uint32_t old_bin,
                     struct hole *old, uint32_t granule, uint32_t granules)
{
    uint32_t bin = bin_of(granules);
    struct hole *hole = map_address_of(heap, granule);
    if (bin != old_bin) {
        hole_unlink(holes, old);
        hole_write_length(heap, granule, granules);
        bin_push(holes, bin, hole);
        return true;
    }
    struct hole *next = old->next;
    struct hole **link = old->link;
    hole->next = next;
    hole->link = link;
    hole_write_length(heap, granule, granules);
    *link = hole;
    if (next != NULL)
        next->link = &hole->next;
    return false;
}

/* Takes a hole out of its bin, unless it is long. Returns: it if it is, or NULL. */
HOT struct hole *hole_unlink_short(struct holes *holes, struct hole *hole, uint32_t granules)
{
    if (granules > EXACT_BINS)
        return hole;
    hole_unlink(holes, hole);
    return NULL;
}

/*
 * Makes a hole of a live block and of the holes before and behind it. A long one among
 * these is not taken out of its bin, where the new one may belong, too.
 * Requires: the block's first bit is set, its others are clear.
 * Returns: whether a bin of long holes, above 4 KiB, may have got one or lost one.
 */
HOT bool hole_release(const struct heap *heap, struct holes *holes, uint32_t granule,
                      uint32_t granules)
{
    struct hole *kept = NULL;
    uint32_t end = granule + granules;
    bool after_hole = map_get(heap, granule - 1);
    if (map_get(heap, end + 1)) {
        struct hole *behind = map_address_of(heap, end);
        uint32_t length = behind->granules;
        map_clear(heap, end);
        map_clear(heap, end + 1);
        granules += length;
        kept = hole_unlink_short(holes, behind, length);
    } else if (!after_hole) {
        hole_make(heap, holes, granule, granules);
        return granules > EXACT_BINS;
    }
    if (after_hole) {
        uint32_t length = *hole_footer(heap, granule);
        map_clear(heap, granule);
        map_clear(heap, granule - 1);
        granule -= length;
        granules += length;
        struct hole *before = map_address_of(heap, granule);
        if (kept == NULL)
            kept = hole_unlink_short(holes, before, length);
        else
            hole_unlink(holes, before);
    }
    if (kept == NULL) {
        hole_make(heap, holes, granule, granules);
        return granules > EXACT_BINS;
    }
    map_set(heap, granule + 1);
    map_set(heap, granule + granules - 1);
    return hole_adjust(heap, holes, bin_of(kept->granules), kept, granule, granules);
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
 * shortest one up to 4 KiB, and nearly so above.
 */
COLD struct hole *hole_find(const struct holes *holes, uint32_t granules)
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
