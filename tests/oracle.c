/* SPDX-License-Identifier: MIT */
#include "oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRONG(oracle, ...) \
    (snprintf((oracle)->reason, sizeof((oracle)->reason), __VA_ARGS__), (oracle)->reason)

/* --- what is in the region ------------------------------------------------------------- */

/* Returns: what belongs at address, and behind it. */
static const uint8_t *contents_at(const struct oracle *oracle, const uint8_t *address)
{
    const struct host_heap *host = oracle->host;
    return host_heap_garbage(host_heap_region_bytes(host)) + (address - host->heap.region.map);
}

/* How a message names a place: addresses differ from run to run. */
static uint32_t offset_of(const struct oracle *oracle, const uint8_t *address)
{
    return (uint32_t)((uintptr_t)address - (uintptr_t)oracle->host->heap.region.map);
}

static const char *judge_contents(struct oracle *oracle, const struct oracle_block *block,
                                  uint32_t bytes)
{
    const uint8_t *contents = contents_at(oracle, block->address);
    if (memcmp(block->address, contents, bytes) == 0)
        return NULL;
    uint32_t wrong = 0;
    while (block->address[wrong] == contents[wrong])
        wrong++;
    return WRONG(oracle, "byte %u of the live block of %u bytes at offset %u has changed", wrong,
                 block->bytes, offset_of(oracle, block->address));
}

static void fill(const struct oracle *oracle, const struct oracle_block *block)
{
    memcpy(block->address, contents_at(oracle, block->address), block->usable);
}

/* --- which blocks are live ---------------------------------------------------------------- */

/* Returns: the index of the first live block at or above address; count if there is none. */
static uint32_t index_from(const struct oracle_state *state, const uint8_t *address)
{
    uint32_t low = 0;
    uint32_t high = state->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (state->block[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t oracle_index_of(const struct oracle *oracle, const uint8_t *address)
{
    const struct oracle_state *state = &oracle->state;
    uint32_t index = index_from(state, address);
    return index < state->count && state->block[index].address == address ? index : state->count;
}

static void insert(struct oracle_state *state, uint32_t index, const struct oracle_block *block)
{
    struct oracle_block *at = &state->block[index];
    memmove(at + 1, at, (state->count - index) * sizeof(*at));
    *at = *block;
    state->count++;
}

static void take_out(struct oracle_state *state, uint32_t index)
{
    struct oracle_block *at = &state->block[index];
    state->count--;
    memmove(at, at + 1, (state->count - index) * sizeof(*at));
}

/* --- judging a block that was handed out -------------------------------------------------- */

static const char *judge_place(struct oracle *oracle, const struct oracle_block *block,
                               uint32_t align)
{
    uint32_t offset = offset_of(oracle, block->address);
    uint32_t region_bytes = host_heap_region_bytes(oracle->host);
    if ((uintptr_t)block->address % align != 0)
        return WRONG(oracle, "%u bytes were placed at offset %u, which is not aligned to %u",
                     block->bytes, offset, align);
    if (offset >= region_bytes || block->bytes > region_bytes - offset)
        return WRONG(oracle, "%u bytes were placed at offset %d, outside the heap's %u bytes",
                     block->bytes, (int32_t)offset, region_bytes);
    return NULL;
}

static const char *judge_usable(struct oracle *oracle, const struct oracle_block *block)
{
    uint32_t offset = offset_of(oracle, block->address);
    if (block->usable == 0)
        return WRONG(oracle, "usable() knows no live block at offset %u, where %u bytes have "
                     "been handed out", offset, block->bytes);
    if (block->usable < block->bytes)
        return WRONG(oracle, "%u bytes were asked for, but the block at offset %u has only %u",
                     block->bytes, offset, block->usable);
    if (block->usable > host_heap_region_bytes(oracle->host) - offset)
        return WRONG(oracle, "usable() says %u at offset %u, which reaches out of the heap",
                     block->usable, offset);
    return NULL;
}

static const char *overlap(struct oracle *oracle, const struct oracle_block *low,
                           const struct oracle_block *high)
{
    return WRONG(oracle, "two live blocks overlap: %u bytes at offset %u, %u bytes at offset %u",
                 low->usable, offset_of(oracle, low->address), high->usable,
                 offset_of(oracle, high->address));
}

/* place: where block is, or is to be, among the live ones; above: the next one's index. */
static const char *judge_neighbours(struct oracle *oracle, const struct oracle_block *block,
                                    uint32_t place, uint32_t above)
{
    const struct oracle_block *other = oracle->state.block;
    if (place > 0 && other[place - 1].address + other[place - 1].usable > block->address)
        return overlap(oracle, &other[place - 1], block);
    if (above < oracle->state.count && block->address + block->usable > other[above].address)
        return overlap(oracle, block, &other[above]);
    return NULL;
}

static const char *judge_block(struct oracle *oracle, struct oracle_block *block, uint32_t align,
                               uint32_t place, uint32_t above)
{
    const struct host_heap *host = oracle->host;
    const char *wrong = judge_place(oracle, block, align);
    if (wrong != NULL)
        return wrong;
    block->usable = host->strategy->usable(&host->heap, block->address);
    wrong = judge_usable(oracle, block);
    return wrong != NULL ? wrong : judge_neighbours(oracle, block, place, above);
}

/* --- the calls ---------------------------------------------------------------------------- */

const char *oracle_alloc(struct oracle *oracle, uint32_t bytes, uint32_t align, uint32_t *index)
{
    struct oracle_state *state = &oracle->state;
    struct oracle_block block = {.address = host_heap_alloc(oracle->host, bytes, align),
                                 .bytes = bytes,
                                 .id = state->ids++};
    *index = ORACLE_UNKNOWN;
    if (block.address == NULL)
        return NULL;
    uint32_t place = index_from(state, block.address);
    const char *wrong = judge_block(oracle, &block, align, place, place);
    if (wrong != NULL)
        return wrong;
    state->free_bytes = ORACLE_UNKNOWN;
    insert(state, place, &block);
    fill(oracle, &block);
    *index = place;
    return NULL;
}

const char *oracle_free(struct oracle *oracle, uint32_t index)
{
    struct oracle_block *block = &oracle->state.block[index];
    const char *wrong = judge_contents(oracle, block, block->usable);
    if (wrong != NULL)
        return wrong;
    if (!host_heap_free(oracle->host, block->address))
        return WRONG(oracle, "free refused the live block of %u bytes at offset %u", block->bytes,
                     offset_of(oracle, block->address));
    oracle->state.free_bytes = ORACLE_UNKNOWN;
    take_out(&oracle->state, index);
    return NULL;
}

const char *oracle_resize(struct oracle *oracle, uint32_t index, uint32_t bytes, bool *resized)
{
    const struct host_heap *host = oracle->host;
    struct oracle_block *block = &oracle->state.block[index];
    *resized = host->strategy->resize(&host->heap, block->address, bytes);
    if (!*resized)
        return NULL;
    uint32_t kept = block->usable < bytes ? block->usable : bytes;
    block->bytes = bytes;
    const char *wrong = judge_block(oracle, block, HEAP_ALIGNMENT_BYTES, index, index + 1);
    if (wrong == NULL)
        wrong = judge_contents(oracle, block, kept);
    if (wrong != NULL)
        return wrong;
    oracle->state.free_bytes = ORACLE_UNKNOWN;
    fill(oracle, block);
    return NULL;
}

static const char *move(struct oracle *oracle, uint32_t index, uint32_t bytes)
{
    struct oracle_state *state = &oracle->state;
    const struct oracle_block old = state->block[index];
    uint32_t moved;
    const char *wrong = oracle_alloc(oracle, bytes, HEAP_ALIGNMENT_BYTES, &moved);
    state->ids--; /* the block keeps its own */
    if (wrong != NULL || moved == ORACLE_UNKNOWN)
        return wrong;
    state->block[moved].id = old.id;
    return oracle_free(oracle, oracle_index_of(oracle, old.address));
}

const char *oracle_realloc(struct oracle *oracle, uint32_t index, uint32_t bytes)
{
    bool resized = false;
    const char *wrong = NULL;
    if (oracle->host->strategy->resize != NULL)
        wrong = oracle_resize(oracle, index, bytes, &resized);
    return wrong != NULL || resized ? wrong : move(oracle, index, bytes);
}

const char *oracle_misuse(struct oracle *oracle, uint8_t *address)
{
    const struct host_heap *host = oracle->host;
    if (oracle_index_of(oracle, address) < oracle->state.count)
        return NULL;
    if (host->strategy->usable(&host->heap, address) != 0)
        return WRONG(oracle, "usable() takes offset %d for a live block",
                     (int32_t)offset_of(oracle, address));
    if (host_heap_free(host, address))
        return WRONG(oracle, "free accepted offset %d, where no live block is",
                     (int32_t)offset_of(oracle, address));
    return NULL;
}

/* --- the heap as a whole -------------------------------------------------------------------- */

struct seen {
    struct oracle *oracle;
    uint32_t live_blocks;
    uint32_t free_bytes;
    const char *wrong;
};

static void see_live(struct seen *seen, const struct heap_block *block)
{
    struct oracle *oracle = seen->oracle;
    uint32_t index = oracle_index_of(oracle, block->payload);
    const struct oracle_block *known = &oracle->state.block[index];
    if (index < oracle->state.count)
        seen->live_blocks++;
    else if (!oracle_has_trait(oracle, HEAP_NEVER_FREES))
        seen->wrong = WRONG(oracle, "walk shows a live block at offset %u, where none is",
                            offset_of(oracle, block->payload));
    if (index < oracle->state.count && block->payload_bytes != known->usable)
        seen->wrong = WRONG(oracle, "walk shows %u usable bytes at offset %u, where usable() "
                            "said %u when the block was handed out", block->payload_bytes,
                            offset_of(oracle, block->payload), known->usable);
}

static void see_block(void *context, const struct heap_block *block)
{
    struct seen *seen = context;
    if (block->state == HEAP_BLOCK_LIVE && seen->wrong == NULL)
        see_live(seen, block);
    else if (block->state == HEAP_BLOCK_FREE || block->state == HEAP_BLOCK_CACHED)
        seen->free_bytes += block->bytes;
}

/* What a refused call must leave as it was. */
static const char *judge_free_bytes(struct oracle *oracle, uint32_t free_bytes)
{
    uint32_t before = oracle->state.free_bytes;
    oracle->state.free_bytes = free_bytes;
    if (before == ORACLE_UNKNOWN || before == free_bytes)
        return NULL;
    return WRONG(oracle, "a refused call left %u free bytes, where there were %u", free_bytes,
                 before);
}

const char *oracle_verify(struct oracle *oracle)
{
    const struct host_heap *host = oracle->host;
    const char *broken = heap_check(host->strategy, &host->heap);
    if (broken != NULL)
        return WRONG(oracle, "the heap is damaged: %s", broken);
    struct seen seen = {.oracle = oracle};
    host->strategy->walk(&host->heap, see_block, &seen);
    if (seen.wrong != NULL)
        return seen.wrong;
    if (seen.live_blocks != oracle->state.count)
        return WRONG(oracle, "walk shows %u of the %u live blocks", seen.live_blocks,
                     oracle->state.count);
    const char *wrong = judge_free_bytes(oracle, seen.free_bytes);
    const struct oracle_block *block = oracle->state.block;
    for (; wrong == NULL && block < oracle->state.block + oracle->state.count; block++)
        wrong = judge_contents(oracle, block, block->usable);
    return wrong;
}

/* Bisects, on another heap of the same size. */
static uint32_t largest_request(const struct oracle *oracle)
{
    const struct host_heap *like = oracle->host;
    struct host_heap *host = host_heap_new(like->strategy, like->heap.region.map_bytes);
    uint32_t fits = 0;
    uint32_t too_large = host_heap_region_bytes(host) + 1;
    while (too_large - fits > 1) {
        uint32_t size = fits + (too_large - fits) / 2;
        bool granted = host_heap_alloc(host, size, HEAP_ALIGNMENT_BYTES) != NULL;
        host->strategy->init(&host->heap);
        if (granted)
            fits = size;
        else
            too_large = size;
    }
    host_heap_delete(host);
    return fits;
}

/* One hole, but for what is cached: and no cache may stand in the way of a large request. */
static const char *judge_coalesced(struct oracle *oracle)
{
    struct heap_stats stats;
    heap_measure(oracle->host->strategy, &oracle->host->heap, &stats);
    if (stats.cached_blocks == 0 && stats.free_blocks > 1)
        return WRONG(oracle, "all blocks are freed, but there are %u holes instead of one",
                     stats.free_blocks);
    if (oracle->fresh_largest == ORACLE_UNKNOWN)
        oracle->fresh_largest = largest_request(oracle);
    if (oracle->fresh_largest == 0)
        return NULL;
    uint32_t index;
    const char *wrong =
        oracle_alloc(oracle, oracle->fresh_largest, HEAP_ALIGNMENT_BYTES, &index);
    if (wrong == NULL && index == ORACLE_UNKNOWN)
        return WRONG(oracle, "all blocks are freed, but %u bytes are refused, which a fresh heap "
                     "granted", oracle->fresh_largest);
    return wrong != NULL ? wrong : oracle_free(oracle, index);
}

const char *oracle_drain(struct oracle *oracle)
{
    struct oracle_state *state = &oracle->state;
    const char *wrong = NULL;
    while (wrong == NULL && state->count > 0)
        wrong = oracle_free(oracle, state->count / 2);
    if (wrong == NULL)
        wrong = oracle_verify(oracle);
    if (wrong != NULL || oracle_has_trait(oracle, HEAP_NEVER_FREES))
        return wrong;
    if (state->free_bytes != oracle->fresh_free_bytes)
        return WRONG(oracle, "all blocks are freed, but %u bytes are free, where the fresh heap "
                     "had %u", state->free_bytes, oracle->fresh_free_bytes);
    if (!oracle_has_trait(oracle, HEAP_COALESCES))
        return NULL;
    wrong = judge_coalesced(oracle);
    return wrong != NULL ? wrong : oracle_verify(oracle);
}

/* --- oracles --------------------------------------------------------------------------------- */

bool oracle_has_trait(const struct oracle *oracle, enum heap_trait trait)
{
    return (oracle->host->strategy->traits & (uint32_t)trait) != 0;
}

uint32_t oracle_state_bytes(const struct oracle_state *state)
{
    return (uint32_t)(offsetof(struct oracle_state, block) +
                      state->count * sizeof(state->block[0]));
}

struct oracle *oracle_new(const struct heap_strategy *strategy, uint32_t map_bytes)
{
    struct oracle *oracle = malloc(sizeof(*oracle));
    if (oracle == NULL)
        abort();
    oracle->host = host_heap_new(strategy, map_bytes);
    oracle->fresh_largest = ORACLE_UNKNOWN;
    oracle_renew(oracle);
    return oracle;
}

void oracle_renew(struct oracle *oracle)
{
    struct heap_stats fresh;
    host_heap_renew(oracle->host);
    heap_measure(oracle->host->strategy, &oracle->host->heap, &fresh);
    oracle->fresh_free_bytes = fresh.free_bytes + fresh.cached_bytes;
    oracle->state.free_bytes = oracle->fresh_free_bytes;
    oracle->state.ids = 0;
    oracle->state.count = 0;
}

void oracle_delete(struct oracle *oracle)
{
    host_heap_delete(oracle->host);
    free(oracle);
}
