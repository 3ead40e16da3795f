/* SPDX-License-Identifier: MIT */
#include "caller.h"

#include <stdio.h>
#include <stdlib.h>

/* --- where the policy wants it ------------------------------------------------------------- */

static uint32_t block_of(const struct caller *caller, const uint8_t *address)
{
    return (uint32_t)(address - caller->oracle->host->heap.region.arena) / POLICY_BLOCK_BYTES;
}

/* Returns: the first block of the place for a request, POLICY_NONE if none is compared. */
static int wanted_place(const struct caller *caller, uint32_t bytes, uint32_t align)
{
    if (caller->policy == NULL)
        return POLICY_NONE;
    const struct oracle_state *state = &caller->oracle->state;
    struct policy_view view = {.heap = &caller->oracle->host->heap, .rover = caller->rover};
    for (uint32_t i = 0; i < state->count; i++) {
        const struct oracle_block *live = &state->block[i];
        uint32_t behind = block_of(caller, live->address + live->usable - 1) + 1;
        for (uint32_t block = block_of(caller, live->address); block < behind; block++)
            view.used[block] = true;
    }
    return caller->policy(&view, (bytes - 1) / POLICY_BLOCK_BYTES + 1, align);
}

/* Writes "offset 16", or "nowhere". */
static void write_place(const struct caller *caller, int block, char *text, size_t bytes)
{
    uint32_t map_bytes = caller->oracle->host->heap.region.map_bytes;
    if (block == POLICY_NONE)
        snprintf(text, bytes, "nowhere");
    else
        snprintf(text, bytes, "offset %u", map_bytes + (uint32_t)block * POLICY_BLOCK_BYTES);
}

/* index: of the block that was placed; ORACLE_UNKNOWN if the request was refused. */
static const char *judge_placement(struct caller *caller, int wanted, uint32_t index)
{
    char wanted_text[32], placed_text[32];
    if (caller->policy == NULL)
        return NULL;
    int placed = POLICY_NONE;
    if (index != ORACLE_UNKNOWN) {
        const struct oracle_block *block = &caller->oracle->state.block[index];
        uint32_t map_bytes = caller->oracle->host->heap.region.map_bytes;
        placed = (int)block_of(caller, block->address);
        caller->rover = (block_of(caller, block->address + block->usable - 1) + 1) % map_bytes;
    }
    if (placed == wanted)
        return NULL;
    write_place(caller, wanted, wanted_text, sizeof(wanted_text));
    write_place(caller, placed, placed_text, sizeof(placed_text));
    snprintf(caller->reason, sizeof(caller->reason),
             "by the policy's definition the request goes to %s, but it went to %s", wanted_text,
             placed_text);
    return caller->reason;
}

/* --- the calls ---------------------------------------------------------------------------- */

static const char *make_alloc(struct caller *caller, const struct call *call)
{
    uint32_t index;
    int wanted = wanted_place(caller, call->bytes, call->align);
    const char *wrong = oracle_alloc(caller->oracle, call->bytes, call->align, &index);
    return wrong != NULL ? wrong : judge_placement(caller, wanted, index);
}

/* A block that moved was placed; one that stayed as it was found no place. */
static const char *make_realloc(struct caller *caller, const struct call *call)
{
    struct oracle *oracle = caller->oracle;
    const struct oracle_block old = oracle->state.block[call->block];
    int wanted = wanted_place(caller, call->bytes, HEAP_ALIGNMENT_BYTES);
    const char *wrong = oracle_realloc(oracle, call->block, call->bytes);
    if (wrong != NULL)
        return wrong;
    uint32_t index = 0;
    while (oracle->state.block[index].id != old.id)
        index++;
    const struct oracle_block *now = &oracle->state.block[index];
    if (now->address != old.address)
        return judge_placement(caller, wanted, index);
    if (now->bytes != call->bytes)
        return judge_placement(caller, wanted, ORACLE_UNKNOWN);
    return NULL;
}

/* The offset may lead out of the region, either way. */
static const char *make_misuse(struct caller *caller, const struct call *call)
{
    uintptr_t region = (uintptr_t)caller->oracle->host->heap.region.map;
    return oracle_misuse(caller->oracle, (uint8_t *)(region + call->bytes));
}

const char *caller_make(struct caller *caller, const struct call *call)
{
    switch (call->kind) {
    case CALL_ALLOC:
        return make_alloc(caller, call);
    case CALL_REALLOC:
        return make_realloc(caller, call);
    case CALL_FREE:
        return oracle_free(caller->oracle, call->block);
    case CALL_MISUSE:
        return make_misuse(caller, call);
    }
    abort();
}

struct caller *caller_new(const struct heap_strategy *strategy, uint32_t map_bytes)
{
    struct caller *caller = calloc(1, sizeof(*caller));
    if (caller == NULL)
        abort();
    caller->oracle = oracle_new(strategy, map_bytes);
    caller->policy = map_bytes <= POLICY_BLOCKS_MAX ? policy_of(strategy) : NULL;
    return caller;
}

void caller_renew(struct caller *caller)
{
    oracle_renew(caller->oracle);
    caller->rover = 0;
}

void caller_delete(struct caller *caller)
{
    oracle_delete(caller->oracle);
    free(caller);
}
