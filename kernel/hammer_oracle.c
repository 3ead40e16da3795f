/* SPDX-License-Identifier: MIT */
/*
 * Whose is each part of the heap? A word for each 8 bytes of the region has the id of the block
 * that they were handed out with, or 0. Words are claimed one by one, by an instruction that is one
 * for all processors, so that the oracle needs no lock, and shows a race instead of hiding it.
 *
 * A block has its id and its size in its first two words, and its id once more in its last
 * bytes; that tells if somebody wrote into it who did not ask for it first.
 */
#include "hammer.h"

#include "console.h"
#include "heap.h"
#include "heap_strategy.h"
#include "memory.h"

enum { GRANULE_BYTES = HEAP_ALIGNMENT_BYTES };

struct stamp {
    uint32_t id;
    uint32_t bytes;
};

_Static_assert(sizeof(struct stamp) == HAMMER_BYTES_MIN, "every block has room for its stamp");

static uint32_t *owners; /* by granule */

static uint32_t region_bytes(void)
{
    return kheap()->region.map_bytes + kheap()->region.arena_bytes;
}

const char *hammer_oracle_start(void)
{
    uint32_t bytes = region_bytes() / GRANULE_BYTES * (uint32_t)sizeof(*owners);
    owners = scratch_alloc(bytes);
    return owners != NULL ? NULL
                          : "there is no memory for the oracle's books: half as much as the heap";
}

static uint32_t *owner_of(const uint8_t *address)
{
    return &owners[(uint32_t)(address - kheap()->region.map) / GRANULE_BYTES];
}

static bool is_inside(const uint8_t *block, uint32_t bytes)
{
    uint32_t offset = (uint32_t)((uintptr_t)block - (uintptr_t)kheap()->region.map);
    return offset % GRANULE_BYTES == 0 && offset < region_bytes() &&
           bytes <= region_bytes() - offset;
}

/* --- claiming ------------------------------------------------------------------------------ */

static void claim(const struct hand *hand, uint8_t *block, uint32_t bytes, uint32_t id)
{
    struct hammer_trouble trouble = {
        .kind = HAMMER_OUTSIDE, .found_by = hand, .block = block, .bytes = bytes, .address = block};
    if (!is_inside(block, bytes))
        hammer_stop(&trouble);
    trouble.kind = HAMMER_TWICE;
    for (; trouble.address < block + bytes; trouble.address += GRANULE_BYTES)
        if (!__atomic_compare_exchange_n(owner_of(trouble.address), &trouble.other_id, id, false,
                                         __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            hammer_stop(&trouble);
}

/* Requires: the stamp was looked at. */
static void disclaim(const uint8_t *block, uint32_t bytes)
{
    for (const uint8_t *address = block; address < block + bytes; address += GRANULE_BYTES)
        __atomic_store_n(owner_of(address), 0, __ATOMIC_RELAXED);
}

/* --- stamping ------------------------------------------------------------------------------ */

static void stamp(uint8_t *block, uint32_t bytes, uint32_t id)
{
    if (bytes >= sizeof(struct stamp) + sizeof(id))
        __builtin_memcpy(block + bytes - sizeof(id), &id, sizeof(id));
    *(struct stamp *)(void *)block = (struct stamp){id, bytes};
}

static bool has_last_stamp(const uint8_t *block, const struct stamp *first)
{
    uint32_t last = first->id;
    if (first->bytes >= sizeof(*first) + sizeof(last))
        __builtin_memcpy(&last, block + first->bytes - sizeof(last), sizeof(last));
    return last == first->id;
}

/* Returns: how many bytes the block has. Stops if it is not what its owner made of it. */
static uint32_t inspect(const struct hand *hand, const uint8_t *block)
{
    const struct stamp *first = (const struct stamp *)(const void *)block;
    struct hammer_trouble trouble = {.kind = HAMMER_DAMAGED, .found_by = hand, .block = block,
                                     .address = block, .other_id = *owner_of(block)};
    if (first->id != trouble.other_id || !is_inside(block, first->bytes))
        hammer_stop(&trouble);
    trouble.bytes = first->bytes;
    trouble.address = block + first->bytes - sizeof(first->id);
    if (!has_last_stamp(block, first))
        hammer_stop(&trouble);
    return first->bytes;
}

/* --- calls --------------------------------------------------------------------------------- */

static uint32_t at_least(uint32_t size)
{
    return size < HAMMER_BYTES_MIN ? (uint32_t)HAMMER_BYTES_MIN : size;
}

uint8_t *hammer_take(struct hand *hand, uint32_t size)
{
    uint32_t bytes = at_least(size);
    uint32_t id = hammer_id(hand->number, hand->operations);
    uint8_t *block = kmalloc(bytes);
    if (block != NULL) {
        claim(hand, block, bytes, id);
        stamp(block, bytes, id);
    }
    hand->failures += block == NULL;
    hand->operations++;
    return block;
}

void hammer_give(struct hand *hand, uint8_t *block)
{
    if (block == NULL)
        return;
    uint32_t bytes = inspect(hand, block);
    uint32_t id = *owner_of(block);
    disclaim(block, bytes);
    if (kfree(block) != 0)
        hammer_stop(&(struct hammer_trouble){.kind = HAMMER_REFUSED, .found_by = hand,
                                             .block = block, .bytes = bytes, .address = block,
                                             .other_id = id});
    hand->operations++;
}

uint8_t *hammer_resize(struct hand *hand, uint8_t *block, uint32_t size)
{
    uint32_t old_bytes = inspect(hand, block);
    uint32_t bytes = at_least(size);
    uint32_t old_id = *owner_of(block);
    uint32_t id = hammer_id(hand->number, hand->operations++);
    disclaim(block, old_bytes);
    uint8_t *moved = krealloc(block, bytes);
    hand->failures += moved == NULL;
    if (moved == NULL) {
        claim(hand, block, old_bytes, old_id);
        return NULL;
    }
    claim(hand, moved, bytes, id);
    stamp(moved, bytes, id);
    return moved;
}
