/* SPDX-License-Identifier: MIT */
/*
 * worst-fit: the largest hole, over the same byte map as bitmap.
 *
 * Source: M. S. Johnstone and P. R. Wilson, "The memory fragmentation problem: solved?",
 * ISMM 1998, which measures what placement policies do to real programs; among those of
 * Knuth, The Art of Computer Programming 1 (3rd edition, 1997), section 2.5, it is best
 * fit turned round. Departs from both in having no free list: holes are found in the
 * byte map.
 *
 * Idea. Look at every hole and take the largest; among equals, the lowest. The request is
 * placed at the hole's low end, or at the first address in it that has the alignment
 * asked for. What is left over is then as large as it can be and will serve again, where
 * best fit leaves splinters that serve nobody. So goes the argument for it.
 *
 * What is wrong with it is easy to watch. Whoever takes from the largest hole makes it
 * smaller until it is no larger than the next, and then takes from both in turn: holes
 * become many and alike, and the one large request that comes once in a while finds none.
 * Nor does a small hole ever fill up while there is a larger one. The policy is here to
 * show, by doing the contrary, what best fit is good for.
 *
 * No hole that fits ends the search, for a larger one may follow: every allocation looks
 * at the whole map, by words (byte_map.h), and at every hole in it.
 *
 * Layout, before and after a request for two blocks, which fits blocks 1 and 2 exactly:
 *
 *             +-------+------+------+-------+-------+------+------+------+
 *   map       | FIRST | FREE | FREE | FIRST | FREE  | FREE | FREE | FREE |
 *             +-------+------+------+-------+-------+------+------+------+
 *   map       | FIRST | FREE | FREE | FIRST | FIRST | REST | FREE | FREE |
 *             +-------+------+------+-------+-------+------+------+------+
 *
 * Invariants: I1 and I2 of the byte map (byte_map.h).
 *
 * Cost. alloc: linear in the map's words and in the number of holes. free, usable,
 * resize: linear in the length of the run.
 * Fragmentation: with at most M blocks live and no request above n blocks, a request
 * fails only if each of the at most M + 1 holes is shorter than n: M + (M + 1)(n - 1)
 * blocks are always enough, about M * n, and no better bound is known here. To that come
 * up to 63 bytes a request, lost to rounding.
 *
 * When not to use it: for anything but comparison. It takes longer than best fit, since
 * there are more holes and no exact one ends the search, and it needs more memory.
 */
#include "byte_map.h"

/* Returns: the first block of the place for a run of that many blocks, or NO_RUN. */
static uint32_t worst_fit_find_run(const struct heap *heap, uint32_t blocks, uint32_t align)
{
    uint32_t end = heap->region.map_bytes;
    uint32_t worst = NO_RUN;
    uint32_t worst_hole = 0; /* how many blocks the largest hole so far has */
    uint32_t hole = byte_map_next_free(heap, 0);
    while (hole < end) {
        uint32_t behind = byte_map_next_used(heap, hole);
        heap_step(1);
        uint32_t first = byte_map_align_up(heap, hole, align);
        if (first + blocks <= behind && behind - hole > worst_hole) {
            worst = first;
            worst_hole = behind - hole;
        }
        hole = byte_map_next_free(heap, behind);
    }
    return worst;
}

static void *worst_fit_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    uint32_t blocks = byte_map_blocks_for(size);
    uint32_t first = worst_fit_find_run(heap, blocks, align);
    if (first == NO_RUN)
        return NULL;
    byte_map_reserve(heap, first, blocks);
    return byte_map_address_of(heap, first);
}

const struct heap_strategy heap_worst_fit = {
    .name = "worst-fit",
    .source = "Johnstone and Wilson, ISMM 1998; Knuth, TAOCP 1, 2.5",
    .traits = HEAP_COALESCES | HEAP_VALIDATES_FREE,
    .control_bytes = 0,
    .init = byte_map_init,
    .alloc = worst_fit_alloc,
    .free = byte_map_free,
    .usable = byte_map_usable,
    .resize = byte_map_resize,
    .walk = byte_map_walk,
    .check = byte_map_check,
};
