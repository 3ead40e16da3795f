/* SPDX-License-Identifier: MIT */
/*
 * What is true of every heap: one walk, one look at each block as it comes by. The
 * walk cannot be stopped, so after the first broken rule the rest is let pass.
 *
 * H1 is what makes the others worth stating: a block is looked at only once it is
 * known to begin where the one before it ended and to end inside the region.
 */
#include "heap_check.h"

struct check {
    const struct heap_strategy *strategy;
    const struct heap *heap;
    const uint8_t *next;              /* where the next block must start */
    uint32_t left_bytes;              /* from there to the region's end */
    uint32_t counted_bytes;           /* of blocks with a known state */
    enum heap_block_state last_state; /* of the block before, META before the first */
    const char *broken;               /* the first broken rule, or NULL */
};

static uint32_t region_bytes(const struct heap *heap)
{
    return heap->region.map_bytes + heap->region.arena_bytes;
}

static bool check_payload_lies_within(const struct heap_block *block)
{
    uintptr_t offset = (uintptr_t)block->payload - (uintptr_t)block->start;
    return block->payload_bytes > 0 && offset < block->bytes &&
           block->payload_bytes <= block->bytes - offset;
}

static const char *check_live(const struct check *check, const struct heap_block *block)
{
    if (!check_payload_lies_within(block))
        return "H2: the payload of a live block does not lie within it";
    if ((uintptr_t)block->payload % HEAP_ALIGNMENT_BYTES != 0)
        return "H3: a payload is not aligned";
    if (check->strategy->usable(check->heap, block->payload) != block->payload_bytes)
        return "H6: usable() and walk() differ on the size of a live block";
    return NULL;
}

static const char *check_not_live(const struct check *check, const struct heap_block *block)
{
    if (block->payload != NULL || block->payload_bytes != 0)
        return "H3: a block that is not live has a payload";
    if ((check->strategy->traits & HEAP_COALESCES) != 0 && block->state == HEAP_BLOCK_FREE &&
        check->last_state == HEAP_BLOCK_FREE)
        return "H4: two free blocks are neighbours, though the strategy coalesces";
    return NULL;
}

static const char *check_block(const struct check *check, const struct heap_block *block)
{
    if (block->start != check->next)
        return "H1: a block does not start where the one before it ended";
    if (block->bytes > check->left_bytes)
        return "H1: a block ends behind the region";
    if (block->bytes == 0)
        return "H2: a block is empty";
    if (block->state == HEAP_BLOCK_LIVE)
        return check_live(check, block);
    return check_not_live(check, block);
}

static bool check_knows_state(enum heap_block_state state)
{
    return state == HEAP_BLOCK_LIVE || state == HEAP_BLOCK_FREE || state == HEAP_BLOCK_CACHED ||
           state == HEAP_BLOCK_META;
}

static void check_visit(void *context, const struct heap_block *block)
{
    struct check *check = context;
    if (check->broken != NULL)
        return;
    check->broken = check_block(check, block);
    check->next += block->bytes;
    check->left_bytes -= block->bytes;
    check->last_state = block->state;
    if (check_knows_state(block->state))
        check->counted_bytes += block->bytes;
}

const char *heap_check(const struct heap_strategy *strategy, const struct heap *heap)
{
    const char *broken = strategy->check(heap);
    if (broken != NULL)
        return broken;
    struct check check = {
        .strategy = strategy,
        .heap = heap,
        .next = heap->region.map,
        .left_bytes = region_bytes(heap),
        .last_state = HEAP_BLOCK_META,
    };
    strategy->walk(heap, check_visit, &check);
    if (check.broken != NULL)
        return check.broken;
    if (check.left_bytes != 0)
        return "H1: the blocks end before the region does";
    if (check.counted_bytes != region_bytes(heap))
        return "H5: live, free, cached and meta bytes do not add up to the region";
    return NULL;
}

struct measure {
    const struct heap *heap;
    struct heap_stats *stats;
};

static void measure_live(const struct heap *heap, struct heap_stats *stats,
                         const struct heap_block *block)
{
    stats->live_blocks++;
    stats->live_bytes += block->bytes;
    stats->payload_bytes += block->payload_bytes;
    stats->highest_used_bytes = (uint32_t)(block->start + block->bytes - heap->region.map);
}

static void measure_free(struct heap_stats *stats, const struct heap_block *block)
{
    stats->free_blocks++;
    stats->free_bytes += block->bytes;
    if (block->bytes > stats->largest_free_bytes)
        stats->largest_free_bytes = block->bytes;
}

static void measure_visit(void *context, const struct heap_block *block)
{
    const struct measure *measure = context;
    struct heap_stats *stats = measure->stats;
    switch (block->state) {
    case HEAP_BLOCK_LIVE:
        measure_live(measure->heap, stats, block);
        break;
    case HEAP_BLOCK_FREE:
        measure_free(stats, block);
        break;
    case HEAP_BLOCK_CACHED:
        stats->cached_blocks++;
        stats->cached_bytes += block->bytes;
        break;
    case HEAP_BLOCK_META:
        stats->meta_bytes += block->bytes;
        break;
    }
}

void heap_measure(const struct heap_strategy *strategy, const struct heap *heap,
                  struct heap_stats *stats)
{
    *stats = (struct heap_stats){0};
    struct measure measure = {.heap = heap, .stats = stats};
    strategy->walk(heap, measure_visit, &measure);
}
