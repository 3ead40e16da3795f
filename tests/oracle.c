/* SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

#define WRONG(oracle, ...) (snprintf(reason, sizeof(reason), __VA_ARGS__), give_up(oracle))

static char reason[256];

static void give_up(const struct oracle *oracle)
{
    fail_msg("seed %u, call %u: %s", tested_seed, oracle->calls, reason);
}

struct oracle *oracle_new(const struct heap_strategy *strategy, uint32_t map_bytes, uint32_t seed)
{
    struct oracle *oracle = calloc(1, sizeof(*oracle));
    if (oracle == NULL)
        abort();
    oracle->host = host_heap_new(strategy, map_bytes);
    random_seed(&oracle->random, seed);
    return oracle;
}

void oracle_delete(struct oracle *oracle)
{
    for (uint32_t i = 0; i < oracle->count; i++)
        free(oracle->block[i].contents);
    host_heap_delete(oracle->host);
    free(oracle);
}

static bool has_trait(const struct oracle *oracle, enum heap_trait trait)
{
    return (oracle->host->strategy->traits & trait) != 0;
}

/* Returns: the live block at address, or NULL. */
static const struct oracle_block *block_at(const struct oracle *oracle, const uint8_t *address)
{
    for (uint32_t i = 0; i < oracle->count; i++)
        if (oracle->block[i].address == address)
            return &oracle->block[i];
    return NULL;
}

/* Judges where a block lies. except: the same block before it was resized, or NULL. */
static void judge_place(const struct oracle *oracle, const uint8_t *address, uint32_t bytes,
                        uint32_t align, const struct oracle_block *except)
{
    const struct heap_region *region = &oracle->host->heap.region;
    const uint8_t *end = region->arena + region->arena_bytes;
    if ((uintptr_t)address % align != 0)
        WRONG(oracle, "%u bytes at %p: not a multiple of %u", bytes, (const void *)address, align);
    if (address < region->map || address >= end || bytes > (uint32_t)(end - address))
        WRONG(oracle, "%u bytes at %p: outside the region", bytes, (const void *)address);
    for (const struct oracle_block *other = oracle->block; other < oracle->block + oracle->count;
         other++)
        if (other != except && address < other->address + other->bytes &&
            other->address < address + bytes)
            WRONG(oracle, "%u bytes at %p: overlap the %u live bytes at %p", bytes,
                  (const void *)address, other->bytes, (void *)other->address);
}

static void judge_contents(const struct oracle *oracle, const struct oracle_block *block,
                           uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        if (block->address[i] != block->contents[i])
            WRONG(oracle, "byte %u of the %u live bytes at %p has changed", i, block->bytes,
                  (void *)block->address);
}

/* Writes new contents, all that was asked for, and remembers them. */
static void fill(struct oracle *oracle, struct oracle_block *block, uint32_t bytes)
{
    uint8_t *contents = realloc(block->contents, bytes);
    if (contents == NULL)
        abort();
    for (uint32_t i = 0; i < bytes; i++)
        contents[i] = (uint8_t)(random_word(&oracle->random) >> 8);
    memcpy(block->address, contents, bytes);
    block->contents = contents;
    block->bytes = bytes;
}

static void step_alloc(struct oracle *oracle, uint32_t size_max)
{
    struct random *random = &oracle->random;
    uint32_t limit = random_below(random, 4) != 0 && size_max > 200 ? 200 : size_max;
    uint32_t bytes = 1 + random_below(random, limit);
    uint32_t align = HEAP_ALIGNMENT_BYTES;
    if (random_below(random, 8) == 0)
        align <<= random_below(random, 10);
    uint8_t *address = oracle->host->strategy->alloc(&oracle->host->heap, bytes, align);
    if (address == NULL)
        return;
    judge_place(oracle, address, bytes, align, NULL);
    struct oracle_block *block = &oracle->block[oracle->count++];
    *block = (struct oracle_block){.address = address};
    fill(oracle, block, bytes);
}

static void free_block(struct oracle *oracle, uint32_t index)
{
    struct oracle_block *block = &oracle->block[index];
    judge_contents(oracle, block, block->bytes);
    if (!oracle->host->strategy->free(&oracle->host->heap, block->address))
        WRONG(oracle, "free refused %p, a live block", (void *)block->address);
    free(block->contents);
    *block = oracle->block[--oracle->count];
}

static void step_resize(struct oracle *oracle, uint32_t size_max)
{
    const struct heap_strategy *strategy = oracle->host->strategy;
    struct oracle_block *block = &oracle->block[random_below(&oracle->random, oracle->count)];
    if (strategy->resize == NULL)
        return;
    uint32_t bytes = 1 + random_below(&oracle->random, size_max);
    uint32_t kept = bytes < block->bytes ? bytes : block->bytes;
    if (!strategy->resize(&oracle->host->heap, block->address, bytes))
        return;
    judge_place(oracle, block->address, bytes, HEAP_ALIGNMENT_BYTES, block);
    judge_contents(oracle, block, kept);
    fill(oracle, block, bytes);
}

/* An address of no live block, mostly one that nearly is: the heap must refuse it. */
static void step_wrong_address(struct oracle *oracle)
{
    struct random *random = &oracle->random;
    const struct heap *heap = &oracle->host->heap;
    uint32_t offset = random_below(random, host_heap_region_bytes(oracle->host));
    uint8_t *address = heap->region.map + offset;
    if (oracle->count > 0 && random_below(random, 2) == 0)
        address = oracle->block[random_below(random, oracle->count)].address +
                  8 * random_below(random, 40) - 16;
    if (!has_trait(oracle, HEAP_VALIDATES_FREE) || block_at(oracle, address) != NULL)
        return;
    if (oracle->host->strategy->usable(heap, address) != 0)
        WRONG(oracle, "usable takes %p for a live block", (void *)address);
    if (oracle->host->strategy->free(heap, address))
        WRONG(oracle, "free accepted %p, which is no live block", (void *)address);
}

void oracle_step(struct oracle *oracle, uint32_t size_max)
{
    uint32_t choice = random_below(&oracle->random, 16);
    oracle->calls++;
    if (choice == 0)
        step_wrong_address(oracle);
    else if (oracle->count == 0 || (choice <= 8 && oracle->count < ORACLE_BLOCKS_MAX))
        step_alloc(oracle, size_max);
    else if (choice <= 10)
        step_resize(oracle, size_max);
    else
        free_block(oracle, random_below(&oracle->random, oracle->count));
}

void oracle_free_all(struct oracle *oracle)
{
    while (oracle->count > 0)
        free_block(oracle, random_below(&oracle->random, oracle->count));
}

struct seen {
    const struct oracle *oracle;
    uint32_t live_blocks;
};

static void see_block(void *context, const struct heap_block *block)
{
    struct seen *seen = context;
    const struct oracle *oracle = seen->oracle;
    if (block->state != HEAP_BLOCK_LIVE)
        return;
    const struct oracle_block *known = block_at(oracle, block->payload);
    if (known == NULL && has_trait(oracle, HEAP_NEVER_FREES))
        return;
    if (known == NULL)
        WRONG(oracle, "walk shows a live block at %p, where none is",
              (const void *)block->payload);
    else if (block->payload_bytes < known->bytes)
        WRONG(oracle, "walk shows %u usable bytes at %p, where %u were asked for",
              block->payload_bytes, (const void *)block->payload, known->bytes);
    seen->live_blocks++;
}

void oracle_verify(struct oracle *oracle)
{
    struct host_heap *host = oracle->host;
    const char *broken = heap_check(host->strategy, &host->heap);
    if (broken != NULL)
        WRONG(oracle, "%s", broken);
    struct seen seen = {.oracle = oracle};
    host->strategy->walk(&host->heap, see_block, &seen);
    if (seen.live_blocks != oracle->count)
        WRONG(oracle, "walk shows %u of the %u live blocks", seen.live_blocks, oracle->count);
    for (uint32_t i = 0; i < oracle->count; i++)
        judge_contents(oracle, &oracle->block[i], oracle->block[i].bytes);
}
