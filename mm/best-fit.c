/* SPDX-License-Identifier: MIT */
/*
 * best-fit: the smallest hole that fits, over the same byte map as bitmap.
 *
 * Source: Knuth, The Art of Computer Programming 1 (3rd edition, 1997), section 2.5,
 * "best fit"; J. E. Shore, "On the external storage fragmentation produced by first-fit
 * and best-fit allocation strategies", CACM 18 (8), 1975. Departs from both in having
 * no free list: holes are found in the byte map.
 *
 * Idea. Look at every hole and take the smallest that is large enough; among equals,
 * the lowest. The request is placed at the hole's low end, or at the first address in
 * it that has the alignment asked for. What is left over is then as small as it can
 * be, and large holes stay whole for large requests. A hole of exactly the right
 * length cannot be bettered, so it ends the search.
 *
 * Looking at every hole means looking at the whole map, a word, four blocks, at a time
 * (byte_map.h): a word of a hole is zero, and in a word of used blocks no byte is zero.
 *
 * Layout:
 *
 *             +-------+------+------+-------+------+------+-------+------+
 *   map       | FIRST | FREE | FREE | FIRST | REST | FREE | FIRST | REST |
 *             +-------+------+------+-------+------+------+-------+------+
 *             word 0: a hole begins         word 1: a hole of one block
 *
 * Invariants: I1 and I2 of the byte map (byte_map.h).
 *
 * Cost. alloc: linear in the map's words and in the number of holes, unless a hole fits
 * exactly. free, usable, resize: linear in the length of the run.
 * Fragmentation: with at most M blocks live and no request above n blocks, a request
 * fails only if each of the at most M + 1 holes is shorter than n: M + (M + 1)(n - 1)
 * blocks are always enough, about M * n; and best fit can be driven to nearly that
 * (Knuth, exercise 42; Robson, Computer Journal 20, 1977). To that come up to 63 bytes
 * a request, lost to rounding.
 *
 * When not to use it: where allocation must be fast, or where whoever makes the
 * requests is an adversary.
 */
#include "byte_map.h"

/* Returns: the first block of the best place for a run of that many blocks, or NO_RUN. */
static uint32_t best_fit_find_run(const struct heap *heap, uint32_t blocks, uint32_t align)
{
    uint32_t end = heap->region.map_bytes;
    uint32_t best = NO_RUN;
    uint32_t best_hole = UINT32_MAX; /* how many blocks the best hole so far has */
    uint32_t hole = byte_map_next_free(heap, 0);
    while (hole < end && best_hole > blocks) {
        uint32_t behind = byte_map_next_used(heap, hole);
        heap_step(1);
        uint32_t first = byte_map_align_up(heap, hole, align);
        if (first + blocks <= behind && behind - hole < best_hole) {
            best = first;
            best_hole = behind - hole;
        }
        hole = byte_map_next_free(heap, behind);
    }
    return best;
}

static void *best_fit_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    uint32_t blocks = byte_map_blocks_for(size);
    uint32_t first = best_fit_find_run(heap, blocks, align);
    if (first == NO_RUN)
        return NULL;
    byte_map_reserve(heap, first, blocks);
    return byte_map_address_of(heap, first);
}

const struct heap_strategy heap_best_fit = {
    .name = "best-fit",
    .source = "Knuth, TAOCP 1, 2.5 (best fit); Shore, CACM 18 (8), 1975",
    .traits = HEAP_COALESCES | HEAP_VALIDATES_FREE,
    .control_bytes = 0,
    .init = byte_map_init,
    .alloc = best_fit_alloc,
    .free = byte_map_free,
    .usable = byte_map_usable,
    .resize = byte_map_resize,
    .walk = byte_map_walk,
    .check = byte_map_check,
};
