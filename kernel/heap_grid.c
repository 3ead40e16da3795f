/* SPDX-License-Identifier: MIT */
#include "heap_grid.h"

#include "arithmetic.h"

/* Blocks come in address order, so only one cell at a time is unfinished. */
struct drawing {
    const uint8_t *region;
    uint32_t region_bytes;
    uint8_t *cells;
    uint32_t count;
    uint32_t cell;     /* the unfinished one */
    uint32_t bytes[4]; /* of it, by enum heap_block_state */
};

static uint32_t start_of(const struct drawing *drawing, uint32_t cell)
{
    return (uint32_t)divide((uint64_t)cell * drawing->region_bytes, drawing->count);
}

static enum grid_cell looks_of(const struct drawing *drawing)
{
    const uint32_t *bytes = drawing->bytes;
    uint32_t live = bytes[HEAP_BLOCK_LIVE], others = bytes[HEAP_BLOCK_FREE];
    if (bytes[HEAP_BLOCK_META] > live + others + bytes[HEAP_BLOCK_CACHED])
        return GRID_META;
    if (bytes[HEAP_BLOCK_CACHED] > live + others)
        return GRID_CACHED;
    others += bytes[HEAP_BLOCK_CACHED] + bytes[HEAP_BLOCK_META];
    if (live == 0)
        return GRID_HOLE;
    if (others == 0)
        return GRID_LIVE;
    return live >= others ? GRID_LIVE_MANY : GRID_LIVE_FEW;
}

static void finish_cell(struct drawing *drawing)
{
    drawing->cells[drawing->cell++] = (uint8_t)looks_of(drawing);
    for (uint32_t i = 0; i < 4; i++)
        drawing->bytes[i] = 0;
}

static void draw(void *context, const struct heap_block *block)
{
    struct drawing *drawing = context;
    uint32_t at = (uint32_t)(block->start - drawing->region);
    uint32_t end = at + block->bytes;
    while (at < end && drawing->cell < drawing->count) {
        uint32_t cell_end = start_of(drawing, drawing->cell + 1);
        uint32_t next = end < cell_end ? end : cell_end;
        drawing->bytes[block->state] += next - at;
        at = next;
        if (at == cell_end)
            finish_cell(drawing);
    }
}

void heap_grid(const struct heap_strategy *strategy, const struct heap *heap, uint8_t *cells,
               uint32_t count)
{
    const struct heap_region *region = &heap->region;
    struct drawing drawing = {
        .region = region->map,
        .region_bytes = region->map_bytes + region->arena_bytes,
        .cells = cells,
        .count = count,
    };
    strategy->walk(heap, draw, &drawing);
}
