/* SPDX-License-Identifier: MIT */
#include "host_heap.h"

#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

enum { CONTROL_GARBAGE = 0xA5 };

static void *must(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

static uint32_t whole_pages(uint32_t bytes)
{
    uint32_t mask = HEAP_ARENA_ALIGNMENT_BYTES - 1;
    return (bytes + mask) & ~mask;
}

/* The multiplication is Knuth's, TAOCP 3, 6.4: neighbours get numbers that are far apart. */
static uint8_t garbage_at(uint32_t offset)
{
    uint32_t mixed = (offset + 1) * 2654435761U;
    uint32_t small = 1 + (mixed >> 22) % 4;
    return (uint8_t)((mixed & 0x10000) != 0 ? small : mixed >> 24);
}

const uint8_t *host_heap_garbage(uint32_t bytes)
{
    static uint8_t *table;
    static uint32_t table_bytes;
    if (table_bytes < bytes)
        table = must(realloc(table, bytes));
    for (; table_bytes < bytes; table_bytes++)
        table[table_bytes] = garbage_at(table_bytes);
    return table;
}

void host_heap_renew(struct host_heap *host)
{
    uint32_t bytes = host_heap_region_bytes(host);
    memcpy(host->heap.region.map, host_heap_garbage(bytes), bytes);
    memset(host->heap.control, CONTROL_GARBAGE, host->strategy->control_bytes);
    host->strategy->init(&host->heap);
}

struct host_heap *host_heap_new(const struct heap_strategy *strategy, uint32_t map_bytes)
{
    struct host_heap *host = must(malloc(sizeof(*host)));
    uint32_t before_bytes = whole_pages(map_bytes);
    uint32_t arena_bytes = map_bytes * HEAP_BYTES_PER_MAP_BYTE;
    uint32_t memory_bytes = before_bytes + whole_pages(arena_bytes);
    uint8_t *memory = must(aligned_alloc(HEAP_ARENA_ALIGNMENT_BYTES, memory_bytes));
    uint8_t *arena = memory + before_bytes;
    __asan_poison_memory_region(memory, before_bytes - map_bytes);
    __asan_poison_memory_region(arena + arena_bytes, memory_bytes - before_bytes - arena_bytes);
    *host = (struct host_heap){
        .strategy = strategy,
        .heap = {.region = {.map = arena - map_bytes,
                            .map_bytes = map_bytes,
                            .arena = arena,
                            .arena_bytes = arena_bytes},
                 .control = must(malloc(strategy->control_bytes))},
        .memory = memory,
        .memory_bytes = memory_bytes,
    };
    host_heap_renew(host);
    return host;
}

void host_heap_delete(struct host_heap *host)
{
    __asan_unpoison_memory_region(host->memory, host->memory_bytes);
    free(host->heap.control);
    free(host->memory);
    free(host);
}

uint32_t host_heap_region_bytes(const struct host_heap *host)
{
    return host->heap.region.map_bytes + host->heap.region.arena_bytes;
}

void *host_heap_alloc(const struct host_heap *host, uint32_t size, uint32_t align)
{
    const struct heap_strategy *strategy = host->strategy;
    if (strategy->quick_alloc == NULL || align > HEAP_ALIGNMENT_BYTES)
        return strategy->alloc(&host->heap, size, align);
    void *block = strategy->quick_alloc(&host->heap, size);
    return block != NULL ? block : strategy->slow_alloc(&host->heap, size);
}

bool host_heap_free(const struct host_heap *host, void *address)
{
    const struct heap_strategy *strategy = host->strategy;
    if (strategy->quick_free == NULL)
        return strategy->free(&host->heap, address);
    return strategy->quick_free(&host->heap, address) ||
           strategy->slow_free(&host->heap, address);
}

void random_seed(struct random *random, uint32_t seed)
{
    random->state = seed != 0 ? seed : 1;
}

/* Marsaglia, "Xorshift RNGs", Journal of Statistical Software 8 (14), 2003. */
uint32_t random_word(struct random *random)
{
    random->state ^= random->state << 13;
    random->state ^= random->state >> 17;
    random->state ^= random->state << 5;
    return random->state;
}

uint32_t random_below(struct random *random, uint32_t limit)
{
    return random_word(random) % limit;
}
