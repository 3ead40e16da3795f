/* SPDX-License-Identifier: MIT */
#include "replay.h"

#include "arithmetic.h"
#include "changes.h"
#include "console.h"
#include "figures.h"
#include "heap.h"
#include "machine.h"
#include "memory.h"

enum { PROGRESS_LINES = 32 };

static const uint32_t no_placement = UINT32_MAX; /* after a free or a failure */

struct replayer {
    struct player player;
    const struct job *job;
    uint32_t *costs;  /* by operation; PLAYER_NO_COST where nothing was called */
    uint32_t *sorted; /* where figures are made of them */
    struct changes changes; /* only if they are asked for */
    struct replay *replay;
};

static uint64_t fnv1a(uint64_t hash, uint32_t value)
{
    for (int shift = 0; shift < 32; shift += 8)
        hash = (hash ^ (value >> shift & 0xff)) * 0x100000001b3ULL;
    return hash;
}

static void note_placement(struct replayer *replayer, const struct trace_operation *operation,
                           uint32_t failures_before)
{
    const struct player *player = &replayer->player;
    const uint8_t *address = player->blocks[operation->id].address;
    uint32_t placement = no_placement;
    if (address != NULL && player->failures == failures_before)
        placement = (uint32_t)(address - kheap()->region.map);
    replayer->replay->placement_hash = fnv1a(replayer->replay->placement_hash, placement);
    if (replayer->job->placements)
        machine_bulk_put(&placement, sizeof(placement));
}

/* What was called while a state is built up has a cost that nobody asks for. */
static void note_cost(struct replayer *replayer, uint32_t operation)
{
    uint32_t cost = replayer->player.last_cost;
    if (operation < replayer->player.trace->build_up_operations)
        cost = PLAYER_NO_COST;
    replayer->costs[operation] = cost;
    if (replayer->job->costs)
        machine_bulk_put(&cost, sizeof(cost));
}

static const char *note_changes(struct replayer *replayer)
{
    if (!replayer->job->changes)
        return NULL;
    return changes_put(&replayer->changes, kheap_strategy(), kheap());
}

static const char *take_sample(struct replayer *replayer, uint32_t operation)
{
    struct replay *replay = replayer->replay;
    struct sample *sample = &replay->samples[replay->sample_count++];
    sample->operation = operation;
    sample->requested_bytes = replayer->player.requested_bytes;
    heap_measure(kheap_strategy(), kheap(), &sample->heap);
    portrait_add_column(&replay->portrait, kheap_strategy(), kheap());
    return heap_check(kheap_strategy(), kheap());
}

/* Initialises the heap, and notes down what that takes: ticks, and bytes of the region. */
static const char *begin(struct replayer *replayer)
{
    struct heap_stats empty;
    player_measure(&replayer->player, (measured_function *)kinitHeap, 0, 0);
    heap_measure(kheap_strategy(), kheap(), &empty);
    replayer->replay->init_cost = replayer->player.last_cost;
    replayer->replay->map_bytes = empty.meta_bytes;
    return note_changes(replayer);
}

/* Returns: how many steps of equal length fit count at most parts times; at least 1. */
static uint32_t interval(uint32_t count, uint32_t parts)
{
    uint32_t steps = parts == 0 ? 0 : (uint32_t)divide(count + (uint64_t)parts - 1, parts);
    return steps == 0 ? 1 : steps;
}

static bool is_over(const struct player *player)
{
    return player->next == player->trace->operation_count ||
           (player->trace->ends_at_failure && player->failures > 0);
}

static const char *play_one(struct replayer *replayer)
{
    struct player *player = &replayer->player;
    uint32_t index = player->next;
    uint32_t failures_before = player->failures;
    const char *wrong = player_play(player);
    if (wrong != NULL)
        return wrong;
    note_placement(replayer, &player->trace->operations[index], failures_before);
    note_cost(replayer, index);
    return note_changes(replayer);
}

static const char *play_all(struct replayer *replayer)
{
    const struct player *player = &replayer->player;
    uint32_t count = player->trace->operation_count;
    uint32_t sample_every = interval(count, replayer->job->samples);
    uint32_t report_every = interval(count, PROGRESS_LINES);
    while (!is_over(player)) {
        const char *wrong = play_one(replayer);
        if (wrong == NULL && replayer->job->samples > 0 && player->next % sample_every == 0)
            wrong = take_sample(replayer, player->next - 1);
        if (wrong != NULL)
            return wrong;
        if (player->next % report_every == 0)
            console_report("progress: %u %u\n", player->next, count);
    }
    return heap_check(kheap_strategy(), kheap());
}

static bool allocate_tables(struct replayer *replayer)
{
    struct player *player = &replayer->player;
    const struct trace *trace = player->trace;
    struct replay *replay = replayer->replay;
    player->blocks = scratch_alloc(trace->id_count * (uint32_t)sizeof(*player->blocks));
    replayer->costs = scratch_alloc(trace->operation_count * (uint32_t)sizeof(*replayer->costs));
    replayer->sorted = scratch_alloc(trace->operation_count * (uint32_t)sizeof(*replayer->sorted));
    replay->samples = scratch_alloc(replayer->job->samples * (uint32_t)sizeof(*replay->samples));
    return player->blocks != NULL && replayer->costs != NULL && replayer->sorted != NULL &&
           replay->samples != NULL &&
           (!replayer->job->changes || changes_begin(&replayer->changes, &kheap()->region)) &&
           portrait_begin(&replay->portrait, &kheap()->region, replayer->job->portrait_cells,
                          replayer->job->samples);
}

const char *replay_trace(const struct trace *trace, const struct job *job, struct replay *replay)
{
    struct replayer replayer = {
        .player = {.trace = trace, .portrait = &replay->portrait}, .job = job, .replay = replay};
    *replay = (struct replay){.placement_hash = 0xcbf29ce484222325ULL};
    if (!heap_fail(job->fails ? &job->failing : NULL) && job->fails)
        return "with -Dhardening=off no request can fail on purpose";
    if (!allocate_tables(&replayer))
        return "too little RAM beside the heap for the replay's tables";
    machine_clear_stack_depth();
    const char *wrong = begin(&replayer);
    if (wrong == NULL)
        wrong = play_all(&replayer);
    heap_fail(NULL);
    if (wrong != NULL)
        return wrong;
    replay->operations = replayer.player.next;
    replay->failures = replayer.player.failures;
    replay->first_failure = replayer.player.first_failure;
    replay->stack_bytes = machine_stack_depth_bytes();
    figures_compute(trace, replayer.costs, replayer.sorted, replay);
    return NULL;
}

const char *replay_fits(const struct trace *trace, struct player_block *blocks)
{
    struct player player = {.trace = trace, .blocks = blocks};
    __builtin_memset(blocks, 0, trace->id_count * sizeof(*blocks));
    kinitHeap();
    while (player.next < trace->operation_count) {
        const char *wrong = player_play(&player);
        if (wrong != NULL)
            return wrong;
        if (player.failures > 0)
            return "an allocation failed";
    }
    return heap_check(kheap_strategy(), kheap());
}
