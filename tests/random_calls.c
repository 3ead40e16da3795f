/* SPDX-License-Identifier: MIT */
#include "random_calls.h"

#include "cases.h"

struct random_calls random_calls_begin(uint32_t map_bytes, uint32_t size_max, uint32_t seed)
{
    struct random_calls calls = {.oracle = oracle_new(tested_strategy, map_bytes),
                                 .seed = seed,
                                 .size_max = size_max};
    random_seed(&calls.random, seed);
    return calls;
}

void random_calls_end(struct random_calls *calls)
{
    oracle_delete(calls->oracle);
}

static void must_be_right(const struct random_calls *calls, const char *wrong)
{
    if (wrong != NULL)
        fail_msg("seed %u, call %u: %s", calls->seed, calls->calls, wrong);
}

static const char *alloc_something(struct random_calls *calls)
{
    struct random *random = &calls->random;
    uint32_t limit = random_below(random, 4) != 0 && calls->size_max > 200 ? 200 : calls->size_max;
    uint32_t bytes = 1 + random_below(random, limit);
    uint32_t align = HEAP_ALIGNMENT_BYTES;
    uint32_t index;
    if (random_below(random, 8) == 0)
        align <<= random_below(random, 10);
    return oracle_alloc(calls->oracle, bytes, align, &index);
}

static uint32_t some_block(struct random_calls *calls)
{
    return random_below(&calls->random, calls->oracle->state.count);
}

/* An address of no live block, mostly one that nearly is. */
static const char *offer_wrong_address(struct random_calls *calls)
{
    struct oracle *oracle = calls->oracle;
    struct random *random = &calls->random;
    uint8_t *address =
        oracle->host->heap.region.map + random_below(random, host_heap_region_bytes(oracle->host));
    if (oracle->state.count > 0 && random_below(random, 2) == 0)
        address = oracle->state.block[some_block(calls)].address + 8 * random_below(random, 40) - 16;
    return oracle_has_trait(oracle, HEAP_VALIDATES_FREE) ? oracle_misuse(oracle, address) : NULL;
}

static const char *call_something(struct random_calls *calls)
{
    struct oracle *oracle = calls->oracle;
    uint32_t choice = random_below(&calls->random, 16);
    if (choice == 0)
        return offer_wrong_address(calls);
    if (oracle->state.count == 0 || (choice <= 8 && oracle->state.count < ORACLE_BLOCKS_MAX))
        return alloc_something(calls);
    if (choice <= 10 && oracle->state.count < ORACLE_BLOCKS_MAX)
        return oracle_realloc(oracle, some_block(calls),
                              1 + random_below(&calls->random, calls->size_max));
    return oracle_free(oracle, some_block(calls));
}

void random_calls_step(struct random_calls *calls)
{
    calls->calls++;
    must_be_right(calls, call_something(calls));
}

void random_calls_verify(struct random_calls *calls)
{
    must_be_right(calls, oracle_verify(calls->oracle));
}

void random_calls_drain(struct random_calls *calls)
{
    must_be_right(calls, oracle_drain(calls->oracle));
}
