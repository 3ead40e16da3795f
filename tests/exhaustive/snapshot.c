/* SPDX-License-Identifier: MIT */
#include "snapshot.h"

#include <stdlib.h>
#include <string.h>

static uint32_t control_bytes(const struct caller *caller)
{
    return caller->oracle->host->strategy->control_bytes;
}

static uint32_t region_bytes(const struct caller *caller)
{
    return host_heap_region_bytes(caller->oracle->host);
}

struct snapshot *snapshot_new(const struct caller *caller)
{
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
    uint8_t *memory = malloc(region_bytes(caller) + control_bytes(caller));
    if (snapshot == NULL || memory == NULL)
        abort();
    snapshot->memory = memory;
    return snapshot;
}

void snapshot_delete(struct snapshot *snapshot)
{
    free(snapshot->memory);
    free(snapshot);
}

void snapshot_take(struct snapshot *snapshot, const struct caller *caller)
{
    const struct heap *heap = &caller->oracle->host->heap;
    memcpy(snapshot->memory, heap->region.map, region_bytes(caller));
    memcpy(snapshot->memory + region_bytes(caller), heap->control, control_bytes(caller));
    memcpy(&snapshot->state, &caller->oracle->state, oracle_state_bytes(&caller->oracle->state));
    snapshot->rover = caller->rover;
}

void snapshot_put_back(const struct snapshot *snapshot, struct caller *caller)
{
    const struct heap *heap = &caller->oracle->host->heap;
    memcpy(heap->region.map, snapshot->memory, region_bytes(caller));
    memcpy(heap->control, snapshot->memory + region_bytes(caller), control_bytes(caller));
    memcpy(&caller->oracle->state, &snapshot->state, oracle_state_bytes(&snapshot->state));
    caller->rover = snapshot->rover;
}

bool snapshot_equals_memory(const struct snapshot *snapshot, const struct caller *caller)
{
    const struct heap *heap = &caller->oracle->host->heap;
    return memcmp(heap->region.map, snapshot->memory, region_bytes(caller)) == 0 &&
           memcmp(heap->control, snapshot->memory + region_bytes(caller),
                  control_bytes(caller)) == 0;
}

/* The loads below are within what was allocated: checking each would cost most of the time. */
#define UNCHECKED __attribute__((no_sanitize("address", "undefined")))

/* Mixes a word in: the multiplier is 2^64 over the golden ratio. */
UNCHECKED static inline uint64_t mix(uint64_t hash, uint32_t word)
{
    hash = (hash ^ word) * 0x9E3779B97F4A7C15U;
    return hash ^ hash >> 32;
}

UNCHECKED static uint64_t mix_all(uint64_t hash, const void *memory, uint32_t bytes)
{
    const uint32_t *words = memory;
    for (uint32_t i = 0; i < bytes / sizeof(*words); i++)
        hash = mix(hash, words[i]);
    for (uint32_t i = bytes / sizeof(*words) * sizeof(*words); i < bytes; i++)
        hash = mix(hash, ((const uint8_t *)memory)[i]);
    return hash;
}

UNCHECKED uint64_t snapshot_hash(const struct caller *caller)
{
    const struct heap *heap = &caller->oracle->host->heap;
    const struct oracle_state *state = &caller->oracle->state;
    uint64_t hash = mix_all(1, heap->region.map, region_bytes(caller));
    hash = mix_all(hash, heap->control, control_bytes(caller));
    hash = mix(hash, caller->rover);
    for (uint32_t i = 0; i < state->count; i++) {
        hash = mix(hash, (uint32_t)(state->block[i].address - heap->region.map));
        hash = mix(hash, state->block[i].usable);
    }
    return hash;
}
