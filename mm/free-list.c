/* SPDX-License-Identifier: MIT */
/*
 * free-list: the holes, linked through themselves in a ring by address; take the next
 * that fits.
 *
 * Source: B. W. Kernighan and D. M. Ritchie, The C Programming Language (2nd edition,
 * 1988), section 8.7, "Example: A Storage Allocator". Names are the book's: Header,
 * units, base, freep. Departs from it in that there is nothing behind it to ask for more
 * memory; that base lies in the heap's own first bytes, below every hole, not anywhere;
 * that rounding a size cannot overflow; and in alignment and resizing, which the book
 * does not have.
 *
 * Idea. Memory comes in *units*, each the size of a header. A block is a header unit,
 * which says how many units the block has, and the units behind it. The free ones form a
 * ring in order of address; *base*, which has no units, is the lowest and closes it. A
 * block's neighbours are therefore known as soon as its place in the ring is: free walks
 * along the ring to that place, and merges what touches.
 *
 * Both alloc and free begin where the last one left off, at *freep*, and go round at most
 * once. The book calls this first fit, and each hole is the first that fits from there on;
 * but what is called first fit elsewhere starts at the lowest address. This is Knuth's
 * roving pointer, or next fit, only that a free moves it as well, and so does a resize, which
 * gives something back or looks for the hole above: the next request is often served
 * beside what was given back last. Of a hole that is too large its tail is handed out, so
 * that only the number in its header changes.
 *
 * Layout. Addresses handed out are those of the second unit:
 *
 *             +------+-------+-----------------+      +------+-------+----------------+
 *   live      |   ?  | units |     payload     |      | next | units |                | free
 *             +------+-------+-----------------+      +--|---+-------+----------------+
 *             |<--- unit --->|                           +--> the next free block's header
 *
 * Invariants:
 *   I1: base has no units
 *   I2: the ring ascends from base to the last free block, which leads back to base
 *   I3: freep is on the ring
 *   I4: blocks tile the heap from base to its end, and the ring's are among them
 *   I5: no two free blocks touch
 *
 * Cost. alloc: linear in the number of holes. free: linear in the number of holes between
 * freep and the block. usable: constant. resize: as free. It is the number of holes that
 * counts, not the heap's size as for a map; but each one looked at is a cache line.
 * Fragmentation: with at most M units live, headers included, there are at most M / 2
 * blocks and M / 2 + 1 holes. A request of n units fails only if each of them is shorter:
 * M + (M / 2 + 1)(n - 1) units are always enough, about M * n / 2, and no better bound is
 * known here. What a request takes is a header, 8 bytes, and up to 7 bytes of rounding.
 * Holes of one unit, too small for any request, wait until a neighbour is freed.
 *
 * When not to use it: where many small holes gather, for then both alloc and free slow
 * down together; and where callers are not to be trusted, since a write past a block's end
 * rewrites the next header, and a wrong address is believed.
 */
#include "heap_strategy.h"

struct header {
    struct header *next; /* only while free, and of base: the next free block, or base */
    uint32_t units;      /* of this block, its header included; 0 for base alone */
};

struct free_list {
    struct header *freep; /* where the next search begins: base or a free block */
};

enum { UNIT_BYTES = sizeof(struct header) };

_Static_assert(sizeof(struct header) == 8, "a header is two words");
_Static_assert(sizeof(struct header) % HEAP_ALIGNMENT_BYTES == 0, "each unit may begin a payload");
_Static_assert(sizeof(struct free_list) == 4, "the control block is freep alone");

static struct free_list *free_list_state(const struct heap *heap)
{
    return heap->control;
}

static struct header *free_list_base(const struct heap *heap)
{
    return (struct header *)heap->region.map;
}

/* Returns: how many units the heap has, base's not counted. */
static uint32_t free_list_total_units(const struct heap *heap)
{
    return (heap->region.map_bytes + heap->region.arena_bytes) / UNIT_BYTES - 1;
}

/* Returns: how many units hold size bytes and a header. Requires: size >= 1. */
static uint32_t free_list_units_for(uint32_t size)
{
    return (size - 1) / UNIT_BYTES + 2;
}

/*
 * Returns: the last on the ring that lies below the block, be it base. Since nothing lies
 * below base, the book's test for a block at either end of the arena has one end left.
 */
static struct header *free_list_before(const struct heap *heap, const struct header *block)
{
    struct header *p = free_list_state(heap)->freep;
    while (!(block > p && (block < p->next || p->next == free_list_base(heap)))) {
        heap_step(1);
        p = p->next;
    }
    return p;
}

/* Puts a block in its place on the ring, and merges it with the free ones it touches. */
static void free_list_insert(const struct heap *heap, struct header *block)
{
    struct header *p = free_list_before(heap, block);
    if (block + block->units == p->next) { /* join to the upper neighbour */
        block->units += p->next->units;
        block->next = p->next->next;
    } else {
        block->next = p->next;
    }
    if (p + p->units == block) { /* join to the lower neighbour */
        p->units += block->units;
        p->next = block->next;
    } else {
        p->next = block;
    }
    free_list_state(heap)->freep = p;
}

/* One free block, given back just as the book's morecore does with what it gets. */
static void free_list_init(const struct heap *heap)
{
    struct header *base = free_list_base(heap);
    *base = (struct header){.next = base, .units = 0};
    free_list_state(heap)->freep = base;
    base[1].units = free_list_total_units(heap);
    free_list_insert(heap, base + 1);
}

/* Returns: where in a hole a block of so many units lies highest; NULL if nowhere. */
static struct header *free_list_place(struct header *hole, uint32_t units, uint32_t align)
{
    if (hole->units < units)
        return NULL;
    uintptr_t highest = (uintptr_t)(hole + hole->units - units + 1);
    uintptr_t payload = highest & -(uintptr_t)align;
    return payload > (uintptr_t)hole ? (struct header *)payload - 1 : NULL;
}

/*
 * Cuts a block of so many units out of the hole behind prev. What alignment leaves above
 * it is a hole of its own; so is what lies below.
 */
static void free_list_take(struct header *prev, struct header *place, uint32_t units)
{
    struct header *hole = prev->next;
    struct header *above = place + units;
    uint32_t above_units = (uint32_t)(hole + hole->units - above);
    if (above_units > 0) {
        *above = (struct header){.next = hole->next, .units = above_units};
        hole->next = above;
    }
    if (place == hole)
        prev->next = hole->next;
    else
        hole->units = (uint32_t)(place - hole);
    place->units = units;
}

static void *free_list_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    uint32_t units = free_list_units_for(size);
    struct header *freep = free_list_state(heap)->freep;
    struct header *prev = freep;
    do {
        heap_step(1);
        struct header *place = free_list_place(prev->next, units, align);
        if (place != NULL) {
            free_list_take(prev, place, units);
            free_list_state(heap)->freep = prev;
            return place + 1;
        }
        prev = prev->next;
    } while (prev != freep);
    return NULL;
}

static bool free_list_free(const struct heap *heap, void *address)
{
    free_list_insert(heap, (struct header *)address - 1);
    return true;
}

static uint32_t free_list_usable(const struct heap *heap, const void *address)
{
    (void)heap;
    return (((const struct header *)address)[-1].units - 1) * UNIT_BYTES;
}

/* Joins the hole above to the block. Returns: false, and does not, if that is too little. */
static bool free_list_grow(const struct heap *heap, struct header *block, uint32_t units)
{
    struct header *prev = free_list_before(heap, block);
    struct header *above = prev->next;
    if (above != block + block->units || block->units + above->units < units)
        return false;
    block->units += above->units;
    prev->next = above->next;
    free_list_state(heap)->freep = prev;
    return true;
}

static bool free_list_resize(const struct heap *heap, void *address, uint32_t size)
{
    struct header *block = (struct header *)address - 1;
    uint32_t units = free_list_units_for(size);
    if (units > block->units && !free_list_grow(heap, block, units))
        return false;
    if (units < block->units) {
        block[units].units = block->units - units;
        block->units = units;
        free_list_insert(heap, block + units);
    }
    return true;
}

static void free_list_walk(const struct heap *heap, heap_visit *visit, void *context)
{
    const struct header *base = free_list_base(heap);
    const struct header *end = base + 1 + free_list_total_units(heap);
    const struct header *hole = base->next;
    const struct heap_block first = {
        .start = (const uint8_t *)base, .bytes = UNIT_BYTES, .state = HEAP_BLOCK_META};
    visit(context, &first);
    for (const struct header *at = base + 1; at < end; at += at->units) {
        struct heap_block block = {
            .start = (const uint8_t *)at,
            .bytes = at->units * UNIT_BYTES,
            .state = at == hole ? HEAP_BLOCK_FREE : HEAP_BLOCK_LIVE,
        };
        if (at == hole) {
            hole = hole->next;
        } else {
            block.payload = (const uint8_t *)(at + 1);
            block.payload_bytes = block.bytes - UNIT_BYTES;
        }
        visit(context, &block);
    }
}

/* Returns: true iff a header may lie there, base's excepted. */
static bool free_list_check_place(const struct heap *heap, const struct header *at)
{
    uintptr_t offset = (uintptr_t)at - (uintptr_t)free_list_base(heap);
    return offset % UNIT_BYTES == 0 && offset != 0 &&
           offset / UNIT_BYTES <= free_list_total_units(heap);
}

static const char *free_list_check_ring(const struct heap *heap)
{
    const struct header *base = free_list_base(heap);
    const struct header *freep = free_list_state(heap)->freep;
    bool found = freep == base;
    for (const struct header *p = base; p->next != base; p = p->next) {
        if (!free_list_check_place(heap, p->next) || p->next <= p)
            return "I2: the ring ascends from base to the last free block, which leads back to "
                   "base";
        found = found || freep == p->next;
    }
    return found ? NULL : "I3: freep is on the ring";
}

/* Requires: the ring is sound. */
static const char *free_list_check_tiling(const struct heap *heap)
{
    const struct header *at = free_list_base(heap) + 1;
    const struct header *hole = at[-1].next;
    uint32_t left = free_list_total_units(heap);
    bool below_is_free = false;
    for (; left > 0; left -= at->units, at += at->units) {
        bool is_free = at == hole;
        if (at->units < (is_free ? 1 : 2) || at->units > left)
            break;
        if (is_free && below_is_free)
            return "I5: no two free blocks touch";
        if (is_free)
            hole = hole->next;
        below_is_free = is_free;
    }
    if (left > 0 || hole != free_list_base(heap))
        return "I4: blocks tile the heap from base to its end, and the ring's are among them";
    return NULL;
}

static const char *free_list_check(const struct heap *heap)
{
    if (free_list_base(heap)->units != 0)
        return "I1: base has no units";
    const char *broken = free_list_check_ring(heap);
    return broken != NULL ? broken : free_list_check_tiling(heap);
}

const struct heap_strategy heap_free_list = {
    .name = "free-list",
    .source = "Kernighan and Ritchie, The C Programming Language, 2nd ed., 8.7",
    .traits = HEAP_COALESCES,
    .control_bytes = sizeof(struct free_list),
    .init = free_list_init,
    .alloc = free_list_alloc,
    .free = free_list_free,
    .usable = free_list_usable,
    .resize = free_list_resize,
    .walk = free_list_walk,
    .check = free_list_check,
};
