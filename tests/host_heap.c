/* SPDX-License-Identifier: MIT */
#include "host_heap.h"

#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

enum { GARBAGE = 0xA5 };

const struct heap_strategy *tested_strategy;
uint32_t tested_seed;

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

struct host_heap *host_heap_new(const struct heap_strategy *strategy, uint32_t map_bytes)
{
    struct host_heap *host = must(malloc(sizeof(*host)));
    uint32_t before_bytes = whole_pages(map_bytes);
    uint32_t arena_bytes = map_bytes * HEAP_BYTES_PER_MAP_BYTE;
    uint32_t memory_bytes = before_bytes + whole_pages(arena_bytes);
    uint8_t *memory = must(aligned_alloc(HEAP_ARENA_ALIGNMENT_BYTES, memory_bytes));
    uint8_t *arena = memory + before_bytes;
    memset(memory, GARBAGE, memory_bytes);
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
    memset(host->heap.control, GARBAGE, strategy->control_bytes);
    strategy->init(&host->heap);
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

void host_heap_assert_sound(const struct host_heap *host, const char *what)
{
    const char *broken = heap_check(host->strategy, &host->heap);
    if (broken != NULL)
        fail_msg("seed %u: after %s: %s", tested_seed, what, broken);
}

void assert_label(const char *label, const char *expected)
{
    size_t length = strlen(expected);
    if (label == NULL)
        fail_msg("check() found nothing wrong; expected \"%s: ...\"", expected);
    else if (strncmp(label, expected, length) != 0 || label[length] != ':')
        fail_msg("check() said \"%s\"; expected \"%s: ...\"", label, expected);
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
