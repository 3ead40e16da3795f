/* SPDX-License-Identifier: MIT */
#include "changes.h"

#include "machine.h"
#include "memory.h"

enum { SPARE_BLOCKS = 64 }; /* of less than HEAP_ALIGNMENT_BYTES: list heads, sentinels */

static const uint32_t distance_mask = (1U << CHANGES_STATE_SHIFT) - 1;

static uint32_t region_bytes(const struct heap_region *region)
{
    return region->map_bytes + region->arena_bytes;
}

bool changes_begin(struct changes *changes, const struct heap_region *region)
{
    uint32_t room = region_bytes(region) / HEAP_ALIGNMENT_BYTES + SPARE_BLOCKS;
    uint32_t bytes = (room + 1) * (uint32_t)sizeof(uint32_t);
    *changes = (struct changes){
        .before.blocks = scratch_alloc(bytes), .after.blocks = scratch_alloc(bytes), .room = room};
    return changes->before.blocks != NULL && changes->after.blocks != NULL;
}

struct noting {
    struct changes *changes;
    const uint8_t *region;
};

static void note_block(void *context, const struct heap_block *block)
{
    const struct noting *noting = context;
    struct walk *after = &noting->changes->after;
    if (after->count < noting->changes->room)
        after->blocks[after->count] =
            (uint32_t)(block->start - noting->region) | (uint32_t)block->state << CHANGES_STATE_SHIFT;
    after->count++;
}

static uint32_t start_of(const struct walk *walk, uint32_t index)
{
    return walk->blocks[index] & distance_mask;
}

/* Returns: whether a block of one walk is a block of another, in place, size and state. */
static bool is_same(const struct walk *walk, uint32_t index, const struct walk *other,
                    uint32_t other_index)
{
    return other_index < other->count && walk->blocks[index] == other->blocks[other_index] &&
           start_of(walk, index + 1) == start_of(other, other_index + 1);
}

static void put_block(const struct walk *walk, uint32_t index)
{
    uint32_t words[] = {walk->blocks[index], start_of(walk, index + 1) - start_of(walk, index)};
    machine_bulk_put(words, sizeof(words));
}

/* Both walks are in address order, so one pass over both finds what is new in the second. */
static void put_new_blocks(const struct walk *before, const struct walk *after)
{
    const uint32_t end = CHANGES_END;
    uint32_t old = 0;
    for (uint32_t i = 0; i < after->count; i++) {
        while (old < before->count && start_of(before, old) < start_of(after, i))
            old++;
        if (!is_same(after, i, before, old))
            put_block(after, i);
    }
    machine_bulk_put(&end, sizeof(end));
}

const char *changes_put(struct changes *changes, const struct heap_strategy *strategy,
                        const struct heap *heap)
{
    struct noting noting = {.changes = changes, .region = heap->region.map};
    const struct walk recycled = changes->before;
    changes->before = changes->after;
    changes->after = (struct walk){.blocks = recycled.blocks};
    strategy->walk(heap, note_block, &noting);
    if (changes->after.count > changes->room)
        return "the heap's walk shows more blocks than its region has room for";
    changes->after.blocks[changes->after.count] = region_bytes(&heap->region);
    put_new_blocks(&changes->before, &changes->after);
    return NULL;
}
