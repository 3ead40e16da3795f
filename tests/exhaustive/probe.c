/* SPDX-License-Identifier: MIT */
#include "probe.h"

enum { BEYOND_BYTES = 64 };

struct probe probe_begin(struct caller *caller, const uint32_t *sizes, uint32_t size_count)
{
    return (struct probe){.caller = caller,
                          .sizes = sizes,
                          .size_count = size_count,
                          .here = snapshot_new(caller),
                          .other = snapshot_new(caller)};
}

void probe_end(struct probe *probe)
{
    snapshot_delete(probe->here);
    snapshot_delete(probe->other);
}

/* Every multiple of 8, in the region and a little beyond, and two addresses in each block. */
static const char *offer_wrong_addresses(struct oracle *oracle)
{
    uint8_t *region = oracle->host->heap.region.map;
    uintptr_t first = (uintptr_t)region - BEYOND_BYTES;
    uint32_t bytes = host_heap_region_bytes(oracle->host) + 2 * BEYOND_BYTES;
    const char *wrong = NULL;
    for (uint32_t i = 0; i < bytes && wrong == NULL; i += HEAP_ALIGNMENT_BYTES)
        wrong = oracle_misuse(oracle, (uint8_t *)(first + i));
    for (uint32_t i = 0; i < oracle->state.count && wrong == NULL; i++) {
        wrong = oracle_misuse(oracle, oracle->state.block[i].address + 1);
        if (wrong == NULL)
            wrong = oracle_misuse(oracle, oracle->state.block[i].address + 4);
    }
    return wrong;
}

/* Not even a byte that nobody uses may change. */
static const char *probe_wrong_addresses(struct probe *probe)
{
    const char *wrong = offer_wrong_addresses(probe->caller->oracle);
    if (wrong == NULL && !snapshot_equals_memory(probe->here, probe->caller))
        wrong = "free refused wrong addresses, but the heap's memory has changed";
    return wrong;
}

/* Compares the memory that alloc or free left with that of the halves, called from here. */
static const char *compare_halves(struct probe *probe, const void *whole, uint32_t bytes,
                                  void *address)
{
    const struct host_heap *host = probe->caller->oracle->host;
    snapshot_take(probe->other, probe->caller);
    snapshot_put_back(probe->here, probe->caller);
    const void *halves = whole;
    if (address != NULL)
        host_heap_free(host, address);
    else
        halves = host_heap_alloc(host, bytes, HEAP_ALIGNMENT_BYTES);
    bool same = halves == whole && snapshot_equals_memory(probe->other, probe->caller);
    snapshot_put_back(probe->here, probe->caller);
    return same ? NULL : "the quick and the slow half together do not do what the whole does";
}

static const char *probe_halves(struct probe *probe)
{
    const struct host_heap *host = probe->caller->oracle->host;
    const struct oracle_state *state = &probe->caller->oracle->state;
    const char *wrong = NULL;
    for (uint32_t i = 0; i < probe->size_count && wrong == NULL; i++) {
        const void *whole =
            host->strategy->alloc(&host->heap, probe->sizes[i], HEAP_ALIGNMENT_BYTES);
        wrong = compare_halves(probe, whole, probe->sizes[i], NULL);
    }
    for (uint32_t i = 0; i < state->count && wrong == NULL; i++) {
        host->strategy->free(&host->heap, state->block[i].address);
        wrong = compare_halves(probe, NULL, 0, state->block[i].address);
    }
    return wrong;
}

const char *probe_state(struct probe *probe)
{
    struct oracle *oracle = probe->caller->oracle;
    const char *wrong = oracle_verify(oracle);
    if (wrong != NULL)
        return wrong;
    snapshot_take(probe->here, probe->caller);
    if (oracle_has_trait(oracle, HEAP_VALIDATES_FREE))
        wrong = probe_wrong_addresses(probe);
    if (wrong == NULL && oracle->host->strategy->quick_alloc != NULL)
        wrong = probe_halves(probe);
    return wrong != NULL ? wrong : oracle_drain(oracle);
}
