/* SPDX-License-Identifier: MIT */
/*
 * Each block is filled with a pattern of its own when it is handed out, and verified
 * before it is freed or moved: two blocks that share a byte, or a block whose contents a
 * krealloc lost, cannot go unseen. Filling, verifying and sampling happen between the
 * measured calls and cost the figures nothing.
 */
#include "replay.h"

#include "arithmetic.h"
#include "changes.h"
#include "console.h"
#include "figures.h"
#include "format.h"
#include "heap.h"
#include "machine.h"
#include "memory.h"

enum { PROGRESS_LINES = 32 };

static const uint32_t no_placement = UINT32_MAX; /* after a free or a failure */

struct player {
    const struct trace *trace;
    const struct job *job;
    struct replay_block *blocks; /* by id */
    uint32_t *costs;             /* by operation; FIGURES_NO_COST where nothing was called */
    uint32_t *sorted;            /* where figures are made of them */
    uint32_t requested_bytes;    /* live now */
    uint32_t last_cost;
    struct changes changes; /* only if they are asked for */
    struct replay *replay;
};

static char message[192];

/* --- patterns --------------------------------------------------------------------- */

static uint32_t pattern_word(uint32_t id, uint32_t index)
{
    return (id + 1) * 2654435761U + index * 2246822519U; /* odd: no two words of a block agree */
}

static uint8_t pattern_byte(uint32_t id, uint32_t offset)
{
    return (uint8_t)(pattern_word(id, offset / 4) >> offset % 4 * 8);
}

static void fill_pattern(uint32_t id, uint8_t *block, uint32_t bytes)
{
    uint32_t offset = 0;
    for (; offset + 4 <= bytes; offset += 4) {
        uint32_t word = pattern_word(id, offset / 4);
        __builtin_memcpy(block + offset, &word, sizeof(word));
    }
    for (; offset < bytes; offset++)
        block[offset] = pattern_byte(id, offset);
}

/* Returns: the offset of the first byte that is not as filled; bytes if all are. */
static uint32_t verify_pattern(uint32_t id, const uint8_t *block, uint32_t bytes)
{
    uint32_t offset = 0;
    for (; offset + 4 <= bytes; offset += 4) {
        uint32_t word;
        __builtin_memcpy(&word, block + offset, sizeof(word));
        if (word != pattern_word(id, offset / 4))
            break;
    }
    while (offset < bytes && block[offset] == pattern_byte(id, offset))
        offset++;
    return offset;
}

static const char *verify_contents(uint32_t id, const uint8_t *block, uint32_t bytes,
                                   const char *when)
{
    uint32_t offset = verify_pattern(id, block, bytes);
    if (offset == bytes)
        return NULL;
    return format_text(message, sizeof(message),
                       "byte %u of the %u-byte block of id %u at %p is 0x%02x %s, not the 0x%02x "
                       "its owner wrote: another block overlaps it, or the heap wrote into it",
                       offset, bytes, id, (const void *)block, block[offset], when,
                       pattern_byte(id, offset));
}

static const char *verify_address(const uint8_t *block, uint32_t bytes)
{
    const struct heap_region *region = &kheap()->region;
    const uint8_t *end = region->arena + region->arena_bytes;
    if ((uintptr_t)block % HEAP_ALIGNMENT_BYTES != 0)
        return format_text(message, sizeof(message), "the block at %p is not aligned to 8 bytes",
                           (const void *)block);
    if (block < region->map || block >= end || bytes > (uint32_t)(end - block))
        return format_text(message, sizeof(message),
                           "the block of %u bytes at %p lies outside the heap's region, %p to %p",
                           bytes, (const void *)block, (const void *)region->map,
                           (const void *)end);
    return NULL;
}

/* --- the operations ------------------------------------------------------------------ */

static uintptr_t measure(struct player *player, measured_function *function, uintptr_t first,
                         uintptr_t second)
{
    struct measured_call call = {.function = function, .first = first, .second = second};
    machine_measure(&call);
    player->last_cost = call.ticks;
    return call.result;
}

static void note_failure(struct player *player, uint32_t size)
{
    struct replay *replay = player->replay;
    if (replay->failures++ > 0)
        return;
    replay->first_failure = (struct first_failure){
        .operation = replay->operations,
        .size = size,
        .requested_bytes = player->requested_bytes,
    };
    heap_measure(kheap_strategy(), kheap(), &replay->first_failure.heap);
}

/* Returns: whether the block's allocation failed, so that there is nothing to do. */
static bool is_missing(const struct replay_block *block)
{
    return block->address == NULL && block->size != 0;
}

static const char *take_block(struct player *player, const struct trace_operation *operation,
                              uint8_t *address)
{
    const char *wrong = verify_address(address, operation->size);
    if (wrong != NULL)
        return wrong;
    fill_pattern(operation->id, address, operation->size);
    player->blocks[operation->id] =
        (struct replay_block){.address = address, .size = operation->size};
    player->requested_bytes += operation->size;
    portrait_take(&player->replay->portrait, address, operation->size);
    return NULL;
}

/* After the heap took the block back, or moved or resized it. */
static void lose_block(struct player *player, struct replay_block *block)
{
    player->requested_bytes -= block->size;
    portrait_give(&player->replay->portrait, block->address, block->size);
    *block = (struct replay_block){0};
}

static const char *play_alloc(struct player *player, const struct trace_operation *operation)
{
    struct replay_block *block = &player->blocks[operation->id];
    uint8_t *address = (uint8_t *)measure(player, (measured_function *)kmalloc, operation->size, 0);
    *block = (struct replay_block){.size = operation->size};
    if (address == NULL && operation->size != 0)
        note_failure(player, operation->size);
    if (address == NULL)
        return NULL;
    if (operation->size == 0)
        return "kmalloc(0) returned a block, not NULL";
    return take_block(player, operation, address);
}

static const char *play_free(struct player *player, const struct trace_operation *operation)
{
    struct replay_block *block = &player->blocks[operation->id];
    const char *wrong = verify_contents(operation->id, block->address, block->size, "when freed");
    if (wrong != NULL)
        return wrong;
    if ((int8_t)measure(player, (measured_function *)kfree, (uintptr_t)block->address, 0) != 0)
        return format_text(message, sizeof(message), "kfree refused the live block at %p",
                           (void *)block->address);
    lose_block(player, block);
    return NULL;
}

/* After a krealloc that returned NULL: the old block is still its owner's. */
static const char *keep_block(struct player *player, const struct trace_operation *operation)
{
    const struct replay_block *block = &player->blocks[operation->id];
    note_failure(player, operation->size);
    return verify_contents(operation->id, block->address, block->size, "after a failed krealloc");
}

static const char *play_realloc(struct player *player, const struct trace_operation *operation)
{
    struct replay_block *block = &player->blocks[operation->id];
    const struct replay_block old = *block;
    const char *wrong = verify_contents(operation->id, old.address, old.size, "before krealloc");
    if (wrong != NULL)
        return wrong;
    uint8_t *address =
        (uint8_t *)measure(player, (measured_function *)krealloc, (uintptr_t)old.address, operation->size);
    if (address == NULL && operation->size != 0)
        return keep_block(player, operation);
    lose_block(player, block);
    if (address == NULL)
        return NULL;
    wrong = verify_address(address, operation->size);
    if (wrong != NULL)
        return wrong;
    wrong = verify_contents(operation->id, address,
                            old.size < operation->size ? old.size : operation->size,
                            "after krealloc");
    return wrong != NULL ? wrong : take_block(player, operation, address);
}

static const char *play(struct player *player, const struct trace_operation *operation)
{
    player->last_cost = FIGURES_NO_COST;
    if (operation->kind == TRACE_ALLOC)
        return play_alloc(player, operation);
    if (is_missing(&player->blocks[operation->id])) {
        if (operation->kind == TRACE_FREE)
            player->blocks[operation->id] = (struct replay_block){0};
        return NULL;
    }
    if (operation->kind == TRACE_REALLOC)
        return play_realloc(player, operation);
    return play_free(player, operation);
}

/* --- what is noted down between operations --------------------------------------------- */

static uint64_t fnv1a(uint64_t hash, uint32_t value)
{
    for (int shift = 0; shift < 32; shift += 8)
        hash = (hash ^ (value >> shift & 0xff)) * 0x100000001b3ULL;
    return hash;
}

static void note_placement(struct player *player, const struct trace_operation *operation,
                           uint32_t failures_before)
{
    const uint8_t *address = player->blocks[operation->id].address;
    uint32_t placement = no_placement;
    if (address != NULL && player->replay->failures == failures_before)
        placement = (uint32_t)(address - kheap()->region.map);
    player->replay->placement_hash = fnv1a(player->replay->placement_hash, placement);
    if (player->job->placements)
        machine_bulk_put(&placement, sizeof(placement));
}

/* What was called while a state is built up has a cost that nobody asks for. */
static void note_cost(struct player *player, uint32_t operation)
{
    uint32_t cost = player->last_cost;
    if (operation < player->trace->build_up_operations)
        cost = FIGURES_NO_COST;
    player->costs[operation] = cost;
    if (player->job->costs)
        machine_bulk_put(&cost, sizeof(cost));
}

static const char *note_changes(struct player *player)
{
    if (!player->job->changes)
        return NULL;
    return changes_put(&player->changes, kheap_strategy(), kheap());
}

static const char *take_sample(struct player *player, uint32_t operation)
{
    struct sample *sample = &player->replay->samples[player->replay->sample_count++];
    sample->operation = operation;
    sample->requested_bytes = player->requested_bytes;
    heap_measure(kheap_strategy(), kheap(), &sample->heap);
    portrait_add_column(&player->replay->portrait, kheap_strategy(), kheap());
    return heap_check(kheap_strategy(), kheap());
}

/* Initialises the heap, and notes down what that takes: ticks, and bytes of the region. */
static const char *begin(struct player *player)
{
    struct heap_stats empty;
    measure(player, (measured_function *)kinitHeap, 0, 0);
    heap_measure(kheap_strategy(), kheap(), &empty);
    player->replay->init_cost = player->last_cost;
    player->replay->map_bytes = empty.meta_bytes;
    return note_changes(player);
}

/* Returns: how many steps of equal length fit count at most parts times; at least 1. */
static uint32_t interval(uint32_t count, uint32_t parts)
{
    uint32_t steps = parts == 0 ? 0 : (uint32_t)divide(count + (uint64_t)parts - 1, parts);
    return steps == 0 ? 1 : steps;
}

static bool is_over(const struct player *player)
{
    return player->trace->ends_at_failure && player->replay->failures > 0;
}

static const char *play_all(struct player *player)
{
    const struct trace *trace = player->trace;
    struct replay *replay = player->replay;
    uint32_t sample_every = interval(trace->operation_count, player->job->samples);
    uint32_t report_every = interval(trace->operation_count, PROGRESS_LINES);
    while (replay->operations < trace->operation_count && !is_over(player)) {
        uint32_t index = replay->operations;
        uint32_t failures_before = replay->failures;
        const char *wrong = play(player, &trace->operations[index]);
        if (wrong != NULL)
            return wrong;
        note_placement(player, &trace->operations[index], failures_before);
        note_cost(player, index);
        wrong = note_changes(player);
        if (wrong != NULL)
            return wrong;
        replay->operations++;
        if (player->job->samples > 0 && replay->operations % sample_every == 0)
            wrong = take_sample(player, index);
        if (wrong != NULL)
            return wrong;
        if (replay->operations % report_every == 0)
            console_report("progress: %u %u\n", replay->operations, trace->operation_count);
    }
    return heap_check(kheap_strategy(), kheap());
}

static const char *explain(const struct player *player, const char *wrong)
{
    static char explained[320];
    const struct trace_operation *operation =
        &player->trace->operations[player->replay->operations];
    return format_text(explained, sizeof(explained), "operation %u (%c %u %u): %s",
                       player->replay->operations, "arf"[operation->kind], operation->id,
                       operation->size, wrong);
}

static bool allocate_tables(struct player *player)
{
    const struct trace *trace = player->trace;
    player->blocks = scratch_alloc(trace->id_count * (uint32_t)sizeof(*player->blocks));
    player->costs = scratch_alloc(trace->operation_count * (uint32_t)sizeof(*player->costs));
    player->sorted = scratch_alloc(trace->operation_count * (uint32_t)sizeof(*player->sorted));
    player->replay->samples =
        scratch_alloc(player->job->samples * (uint32_t)sizeof(struct sample));
    return player->blocks != NULL && player->costs != NULL && player->sorted != NULL &&
           player->replay->samples != NULL &&
           (!player->job->changes || changes_begin(&player->changes, &kheap()->region)) &&
           portrait_begin(&player->replay->portrait, &kheap()->region,
                          player->job->portrait_cells, player->job->samples);
}

const char *replay_trace(const struct trace *trace, const struct job *job, struct replay *replay)
{
    struct player player = {.trace = trace, .job = job, .replay = replay};
    *replay = (struct replay){.placement_hash = 0xcbf29ce484222325ULL};
    if (!allocate_tables(&player))
        return "too little RAM beside the heap for the replay's tables";
    machine_clear_stack_depth();
    const char *wrong = begin(&player);
    if (wrong == NULL)
        wrong = play_all(&player);
    if (wrong != NULL)
        return explain(&player, wrong);
    replay->stack_bytes = machine_stack_depth_bytes();
    figures_compute(trace, player.costs, player.sorted, replay);
    return NULL;
}

/* --- without measuring -------------------------------------------------------------------- */

const char *replay_fits(const struct trace *trace, struct replay_block *blocks)
{
    struct replay replay = {0};
    struct player player = {.trace = trace, .blocks = blocks, .replay = &replay};
    __builtin_memset(blocks, 0, trace->id_count * sizeof(*blocks));
    kinitHeap();
    for (; replay.operations < trace->operation_count; replay.operations++) {
        const char *wrong = play(&player, &trace->operations[replay.operations]);
        if (wrong == NULL && replay.failures > 0)
            wrong = "an allocation failed";
        if (wrong != NULL)
            return explain(&player, wrong);
    }
    return heap_check(kheap_strategy(), kheap());
}
