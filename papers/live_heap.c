/* SPDX-License-Identifier: MIT */
#include "live_heap.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "heap_step.h"

enum { UNIT_BYTES = HEAP_BYTES_PER_MAP_BYTE, BLOCK_BEGINS = 1, BLOCK_ENDED = 2 };

uint64_t heap_steps;

/* --- the memory -------------------------------------------------------------------------- */

static uint32_t whole_pages(uint32_t bytes)
{
    uint32_t mask = HEAP_ARENA_ALIGNMENT_BYTES - 1;
    return (bytes + mask) & ~mask;
}

/* Returns: zeroed memory, of which only what is touched will be there; NULL if there is none. */
static uint8_t *reserve(uint32_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static void see_whether_it_tiles(void *context, const struct heap_block *block)
{
    bool *tiles = context;
    if (block->state == HEAP_BLOCK_LIVE)
        *tiles = block->payload == block->start && block->payload_bytes == block->bytes &&
                 block->bytes % UNIT_BYTES == 0;
}

/* Tries with one block, and starts anew. */
static bool blocks_tile(const struct live_heap *live)
{
    bool tiles = false;
    if (live->strategy->alloc(&live->heap, 1, HEAP_ALIGNMENT_BYTES) != NULL)
        live->strategy->walk(&live->heap, see_whether_it_tiles, &tiles);
    live->strategy->init(&live->heap);
    heap_steps = 0;
    return tiles;
}

const char *live_heap_start(struct live_heap *live, const struct heap_strategy *strategy,
                            uint32_t arena_bytes)
{
    uint32_t map_bytes = arena_bytes / HEAP_BYTES_PER_MAP_BYTE;
    uint32_t before_bytes = whole_pages(map_bytes);
    uint8_t *memory = reserve(before_bytes + arena_bytes);
    void *control = calloc(1, strategy->control_bytes + 1);
    uint8_t *walls = calloc(map_bytes + 1, 1);
    if (memory == NULL || control == NULL || walls == NULL)
        return "there is too little memory for the heap";
    *live = (struct live_heap){
        .strategy = strategy,
        .heap = {.region = {.map = memory + before_bytes - map_bytes,
                            .map_bytes = map_bytes,
                            .arena = memory + before_bytes,
                            .arena_bytes = arena_bytes},
                 .control = control},
        .walls = walls,
        .units_max = map_bytes,
        .lowest = UINT32_MAX,
    };
    walls[0] = BLOCK_ENDED;
    walls[map_bytes] = BLOCK_BEGINS;
    strategy->init(&live->heap);
    live->tiles = blocks_tile(live);
    return NULL;
}

/* A map of bytes is as long as it is said to be: nothing else tells where the heap ends. */
static void set_units(struct live_heap *live, uint32_t units)
{
    struct heap_region *region = &live->heap.region;
    live->walls[region->map_bytes] &= (uint8_t)~BLOCK_BEGINS;
    region->map_bytes = units;
    region->arena_bytes = units * UNIT_BYTES;
    live->walls[units] |= BLOCK_BEGINS;
}

void live_heap_confine(struct live_heap *live)
{
    set_units(live, 0);
}

/* Returns: how many units lie behind the last live block. */
static uint32_t units_at_end(const struct live_heap *live)
{
    uint32_t units = live->heap.region.map_bytes, last = units;
    while ((live->walls[last] & BLOCK_ENDED) == 0)
        last--;
    return units - last;
}

bool live_heap_grow(struct live_heap *live, uint32_t units)
{
    uint32_t had = live->heap.region.map_bytes, end = units_at_end(live);
    uint32_t missing = units > end ? units - end : 0;
    if (missing > live->units_max - had)
        return false;
    set_units(live, had + missing);
    return true;
}

bool live_heap_is_last(const struct live_heap *live, const void *address)
{
    const struct heap_region *region = &live->heap.region;
    const uint8_t *behind = (const uint8_t *)address + live->strategy->usable(&live->heap, address);
    const uint8_t *end = region->arena + region->arena_bytes;
    return (uint32_t)(end - behind) / UNIT_BYTES == units_at_end(live);
}

void live_heap_end(struct live_heap *live)
{
    uint32_t before_bytes = whole_pages(live->units_max);
    munmap(live->heap.region.arena - before_bytes, before_bytes + live->units_max * UNIT_BYTES);
    free(live->heap.control);
    free(live->walls);
}

/* --- what is counted --------------------------------------------------------------------- */

/* Adds the steps since the last call to *sum. Returns: how many. */
static uint32_t take_steps(uint64_t *sum)
{
    uint64_t steps = heap_steps;
    heap_steps = 0;
    *sum += steps;
    return (uint32_t)steps;
}

uint32_t live_heap_offset(const struct live_heap *live, const void *address)
{
    return (uint32_t)((const uint8_t *)address - live->heap.region.map);
}

uint32_t live_heap_extent_bytes(const struct live_heap *live)
{
    return live->highest > live->lowest ? live->highest - live->lowest : 0;
}

static void add_empty_pages(void *context, const struct heap_block *block)
{
    uint32_t *pages = context, mask = HEAP_ARENA_ALIGNMENT_BYTES - 1;
    if (block->state != HEAP_BLOCK_FREE)
        return;
    uintptr_t first = ((uintptr_t)block->start + mask) & ~(uintptr_t)mask;
    uintptr_t end = ((uintptr_t)block->start + block->bytes) & ~(uintptr_t)mask;
    if (end > first)
        *pages += (uint32_t)(end - first) / HEAP_ARENA_ALIGNMENT_BYTES;
}

uint32_t live_heap_empty_pages(const struct live_heap *live)
{
    uint32_t pages = 0;
    live->strategy->walk(&live->heap, add_empty_pages, &pages);
    return pages;
}

/* The two places in walls at which a live block's ends are marked. */
static uint8_t *wall_at(const struct live_heap *live, const uint8_t *place)
{
    return &live->walls[(uint32_t)(place - live->heap.region.arena) / UNIT_BYTES];
}

static void note_block(struct live_heap *live, uint8_t *block)
{
    uint32_t bytes = live->strategy->usable(&live->heap, block);
    uint32_t offset = live_heap_offset(live, block);
    live->granted_bytes += bytes;
    if (live->granted_bytes > live->peak_granted_bytes)
        live->peak_granted_bytes = live->granted_bytes;
    if (bytes > live->largest_granted_bytes)
        live->largest_granted_bytes = bytes;
    if (offset < live->lowest)
        live->lowest = offset;
    if (offset + bytes > live->highest)
        live->highest = offset + bytes;
    if (!live->tiles)
        return;
    uint8_t *begin = wall_at(live, block), *end = wall_at(live, block + bytes);
    live->last_was_exact = (*begin & BLOCK_ENDED) != 0 && (*end & BLOCK_BEGINS) != 0;
    *begin |= BLOCK_BEGINS;
    *end |= BLOCK_ENDED;
}

static void forget_block(struct live_heap *live, uint8_t *block)
{
    uint32_t bytes = live->strategy->usable(&live->heap, block);
    live->granted_bytes -= bytes;
    if (!live->tiles)
        return;
    *wall_at(live, block) &= (uint8_t)~BLOCK_BEGINS;
    *wall_at(live, block + bytes) &= (uint8_t)~BLOCK_ENDED;
}

/* --- the operations, as the front door has them ---------------------------------------------- */

void *live_heap_alloc(struct live_heap *live, uint32_t size)
{
    if (size == 0)
        return NULL;
    void *block = live->strategy->alloc(&live->heap, size, HEAP_ALIGNMENT_BYTES);
    live->last_steps = take_steps(&live->alloc_steps);
    if (block != NULL)
        note_block(live, block);
    return block;
}

void live_heap_free(struct live_heap *live, void *address)
{
    forget_block(live, address);
    live->strategy->free(&live->heap, address);
    take_steps(&live->free_steps);
}

bool live_heap_resize_in_place(struct live_heap *live, void *address, uint32_t size)
{
    forget_block(live, address);
    bool resized =
        live->strategy->resize != NULL && live->strategy->resize(&live->heap, address, size);
    live->last_steps = take_steps(&live->alloc_steps);
    note_block(live, address);
    return resized;
}

void *live_heap_resize(struct live_heap *live, void *address, uint32_t size)
{
    if (live_heap_resize_in_place(live, address, size))
        return address;
    void *moved = live_heap_alloc(live, size);
    if (moved != NULL)
        live_heap_free(live, address);
    return moved;
}
