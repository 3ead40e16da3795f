/* SPDX-License-Identifier: MIT */
#include "portrait.h"

#include "memory.h"

bool portrait_begin(struct portrait *portrait, const struct heap_region *region, uint32_t cells,
                    uint32_t columns_max)
{
    *portrait = (struct portrait){.region = region->map};
    if (cells == 0 || columns_max == 0)
        return true;
    portrait->cells = cells;
    portrait->cell_bytes = (region->map_bytes + region->arena_bytes) / cells;
    portrait->requested = scratch_alloc(cells);
    portrait->used = scratch_alloc(cells);
    portrait->states = scratch_alloc(cells * columns_max);
    return portrait->requested != NULL && portrait->used != NULL && portrait->states != NULL;
}

/*
 * Returns: the distance from the region's start of the byte that a cell shows. Somewhere in
 * its cell: bytes at equal distances would all lie at the same place of a block or a page,
 * and show only headers, or none.
 */
static uint32_t shown_offset(const struct portrait *portrait, uint32_t cell)
{
    return cell * portrait->cell_bytes + cell * 2654435761U % portrait->cell_bytes;
}

static void note(struct portrait *portrait, const uint8_t *block, uint32_t bytes, bool requested)
{
    if (portrait->cells == 0)
        return;
    uint32_t start = (uint32_t)(block - portrait->region);
    uint32_t end = start + bytes;
    uint32_t cell = start / portrait->cell_bytes;
    for (; cell < portrait->cells && cell * portrait->cell_bytes < end; cell++) {
        uint32_t shown = shown_offset(portrait, cell);
        portrait->used[cell] = true;
        if (shown >= start && shown < end)
            portrait->requested[cell] = requested;
    }
}

void portrait_take(struct portrait *portrait, const uint8_t *block, uint32_t bytes)
{
    note(portrait, block, bytes, true);
}

void portrait_give(struct portrait *portrait, const uint8_t *block, uint32_t bytes)
{
    note(portrait, block, bytes, false);
}

struct drawing {
    const struct portrait *portrait;
    char *column;
    uint32_t cell; /* the first that is not drawn yet */
};

static enum portrait_state state_of(const struct portrait *portrait, uint32_t cell,
                                    const struct heap_block *block)
{
    switch (block->state) {
    case HEAP_BLOCK_LIVE:
        return portrait->requested[cell] ? PORTRAIT_REQUESTED : PORTRAIT_WASTE;
    case HEAP_BLOCK_FREE:
        return portrait->used[cell] ? PORTRAIT_HOLE : PORTRAIT_NEVER;
    case HEAP_BLOCK_CACHED:
        return PORTRAIT_CACHED;
    case HEAP_BLOCK_META:
        break;
    }
    return PORTRAIT_META;
}

/* Blocks come in address order and leave no gap: each draws the cells up to its end. */
static void draw_block(void *context, const struct heap_block *block)
{
    struct drawing *drawing = context;
    const struct portrait *portrait = drawing->portrait;
    uint32_t end = (uint32_t)(block->start + block->bytes - portrait->region);
    while (drawing->cell < portrait->cells && shown_offset(portrait, drawing->cell) < end) {
        drawing->column[drawing->cell] = (char)state_of(portrait, drawing->cell, block);
        drawing->cell++;
    }
}

static char *column_states(const struct portrait *portrait, uint32_t column)
{
    return portrait->states + column * portrait->cells;
}

void portrait_add_column(struct portrait *portrait, const struct heap_strategy *strategy,
                         const struct heap *heap)
{
    if (portrait->cells == 0)
        return;
    struct drawing drawing = {
        .portrait = portrait,
        .column = column_states(portrait, portrait->columns),
    };
    strategy->walk(heap, draw_block, &drawing);
    portrait->columns++;
}

enum portrait_state portrait_state(const struct portrait *portrait, uint32_t cell,
                                   uint32_t column)
{
    return (enum portrait_state)column_states(portrait, column)[cell];
}
