/* SPDX-License-Identifier: MIT */
/* A workload or trace, replayed on a heap of any size: holes, exact fits, steps, memory used. */
#include <stdio.h>
#include <stdlib.h>

#include "experiment.h"
#include "live_heap.h"
#include "trace.h"
#include "workload.h"

enum { SAMPLES = 256, PROGRESS_LINES = 64, KIB = 1024, ARENA_KIB_MAX = 1 << 20 };

static const uint64_t hash_start = 0xcbf29ce484222325ULL;
static const uint32_t no_placement = UINT32_MAX; /* after a free or a failure */

struct player {
    const struct setup *setup;
    struct trace trace;
    struct live_heap live;
    void **blocks;   /* by id; NULL: not live */
    uint32_t *sizes; /* by id: what was asked for; only while live */
    uint32_t requested_bytes;
    uint32_t operations;
    uint32_t failures;
    uint32_t first_failure; /* its operation; only if there is one */
    uint32_t allocations;   /* from here on: of what is measured */
    uint32_t inexact;
    uint32_t steps_max;
    uint32_t samples;
    uint64_t live_sum; /* over the samples: live blocks, holes */
    uint64_t hole_sum;
    uint64_t placement_hash;
};

/* --- the trace ----------------------------------------------------------------------------- */

/*
 * The malloc lab's textbook allocators round a request and 8 bytes of header and footer up to
 * a multiple of 8, at least 16, and grow by just what is missing. A unit of 64 bytes here stands
 * for 8 there.
 */
enum { UNIT_BYTES = HEAP_BYTES_PER_MAP_BYTE, TEXTBOOK_BYTES = 8 };

static uint32_t textbook_bytes(uint32_t size)
{
    return ((size - 1) / TEXTBOOK_BYTES + 2) * UNIT_BYTES;
}

static void *textbook_alloc(struct live_heap *live, uint32_t bytes)
{
    void *block = live_heap_alloc(live, bytes);
    if (block == NULL && live_heap_grow(live, bytes / UNIT_BYTES))
        block = live_heap_alloc(live, bytes);
    return block;
}

/* In place if there is room; else elsewhere; else, if the block is the last, by growing. */
static void *textbook_resize(struct live_heap *live, void *block, uint32_t bytes)
{
    uint32_t had = live->strategy->usable(&live->heap, block);
    if (live_heap_resize_in_place(live, block, bytes))
        return block;
    void *moved = live_heap_alloc(live, bytes);
    if (moved == NULL && live_heap_is_last(live, block) &&
        live_heap_grow(live, (bytes - had) / UNIT_BYTES) &&
        live_heap_resize_in_place(live, block, bytes))
        return block;
    if (moved == NULL)
        moved = textbook_alloc(live, bytes);
    if (moved != NULL)
        live_heap_free(live, block);
    return moved;
}

static const char *find_trace(struct player *player)
{
    const struct setup *setup = player->setup;
    if ((setup->workload != NULL) == (setup->trace.next != setup->trace.end))
        return "play: it takes either workload=NAME or a trace";
    const char *wrong =
        setup->workload != NULL
            ? workload_make(text_of(setup->workload), setup->seed, setup->kib * KIB / setup->scale,
                            setup->operations, &player->trace)
            : trace_read(setup->trace, setup->operations, &player->trace);
    return wrong != NULL ? wrong : trace_scale(&player->trace, setup->scale);
}

/* --- operations ------------------------------------------------------------------------------ */

static bool is_measured(const struct player *player)
{
    return player->operations >= player->trace.build_up_operations;
}

static void note_allocation(struct player *player, const void *block)
{
    const struct live_heap *live = &player->live;
    if (block == NULL && player->failures++ == 0)
        player->first_failure = player->operations;
    if (!is_measured(player))
        return;
    player->allocations++;
    player->inexact += !live->last_was_exact;
    if (live->last_steps > player->steps_max)
        player->steps_max = live->last_steps;
}

static void *allocate(struct player *player, uint32_t size)
{
    return player->setup->textbook ? textbook_alloc(&player->live, textbook_bytes(size))
                                   : live_heap_alloc(&player->live, size);
}

/* Returns: the block's new place; NULL if it could not be had, and the old one is as it was. */
static void *resize(struct player *player, void *block, uint32_t size)
{
    return player->setup->textbook ? textbook_resize(&player->live, block, textbook_bytes(size))
                                   : live_heap_resize(&player->live, block, size);
}

/* What the id has asked for is now so much. */
static void note_size(struct player *player, uint32_t id, uint32_t size)
{
    player->requested_bytes += size - player->sizes[id];
    player->sizes[id] = size;
}

/* Returns: where the operation put its block; NULL if nowhere. */
static void *play(struct player *player, const struct trace_operation *operation)
{
    void **block = &player->blocks[operation->id];
    uint32_t size = operation->size;
    if (operation->kind == TRACE_ALLOC && size > 0) {
        *block = allocate(player, size);
        note_allocation(player, *block);
        note_size(player, operation->id, *block == NULL ? 0 : size);
        return *block;
    }
    if (*block == NULL)
        return NULL;
    if (operation->kind == TRACE_REALLOC && size > 0) {
        void *place = resize(player, *block, size);
        note_allocation(player, place);
        if (place == NULL)
            return NULL;
        note_size(player, operation->id, size);
        return *block = place;
    }
    live_heap_free(&player->live, *block);
    note_size(player, operation->id, 0);
    return *block = NULL;
}

/* --- what is noted down ---------------------------------------------------------------------- */

static void note_placement(struct player *player, const void *block)
{
    uint32_t value = block == NULL ? no_placement : live_heap_offset(&player->live, block);
    for (int shift = 0; shift < 32; shift += 8)
        player->placement_hash =
            (player->placement_hash ^ (value >> shift & 0xff)) * 0x100000001b3ULL;
}

static void take_sample(struct player *player)
{
    struct heap_stats stats;
    heap_measure(player->live.strategy, &player->live.heap, &stats);
    player->samples++;
    player->live_sum += stats.live_blocks;
    player->hole_sum += stats.free_blocks;
}

static uint32_t interval(uint32_t count, uint32_t parts)
{
    return count / parts + 1;
}

/* What only builds a state up enters no count. */
static void measure_from_here(struct player *player)
{
    player->live.alloc_steps = player->live.free_steps = 0;
}

static void play_all(struct player *player)
{
    const struct trace *trace = &player->trace;
    uint32_t measured = trace->operation_count - trace->build_up_operations;
    uint32_t sample_every = interval(measured, SAMPLES);
    uint32_t report_every = interval(trace->operation_count, PROGRESS_LINES);
    for (; player->operations < trace->operation_count; player->operations++) {
        if (player->operations == trace->build_up_operations)
            measure_from_here(player);
        note_placement(player, play(player, &trace->operations[player->operations]));
        if (player->failures > 0 && (player->setup->until_failure || trace->ends_at_failure)) {
            player->operations++;
            return;
        }
        if (is_measured(player) && player->operations % sample_every == 0)
            take_sample(player);
        if (player->operations % report_every == 0)
            say_progress(player->operations, trace->operation_count);
    }
}

static void say_number_or_null(const char *name, bool is_there, uint64_t number)
{
    if (is_there)
        printf("\"%s\":%llu,", name, (unsigned long long)number);
    else
        printf("\"%s\":null,", name);
}

static void say_result(const struct player *player)
{
    const struct live_heap *live = &player->live;
    printf("result: {\"strategy\":\"%s\",\"heap_kib\":%u,\"operations\":%u,"
           "\"build_up_operations\":%u,\"failures\":%u,",
           live->strategy->name, player->setup->kib, player->operations,
           player->trace.build_up_operations, player->failures);
    say_number_or_null("first_failure", player->failures > 0, player->first_failure);
    say_number_or_null("inexact", live->tiles, player->inexact);
    printf("\"allocations\":%u,\"alloc_steps\":%llu,\"alloc_steps_max\":%u,\"free_steps\":%llu,"
           "\"samples\":%u,\"live_sum\":%llu,\"hole_sum\":%llu,",
           player->allocations, (unsigned long long)live->alloc_steps, player->steps_max,
           (unsigned long long)live->free_steps, player->samples,
           (unsigned long long)player->live_sum, (unsigned long long)player->hole_sum);
    printf("\"peak_requested_bytes\":%u,\"peak_granted_bytes\":%u,\"largest_granted_bytes\":%u,"
           "\"extent_bytes\":%u,\"arena_bytes\":%u,\"requested_bytes\":%u,\"empty_pages\":%u,"
           "\"placement_hash\":\"%016llx\"}\n",
           player->trace.peak_requested_bytes, live->peak_granted_bytes,
           live->largest_granted_bytes, live_heap_extent_bytes(live),
           live->heap.region.arena_bytes, player->requested_bytes, live_heap_empty_pages(live),
           (unsigned long long)player->placement_hash);
}

const char *experiment_play(const struct setup *setup)
{
    struct player player = {.setup = setup, .placement_hash = hash_start};
    const char *wrong = find_trace(&player);
    if (wrong == NULL && setup->room > ARENA_KIB_MAX / setup->kib)
        wrong = "play: kib times room is too much";
    if (wrong == NULL)
        wrong = live_heap_start(&player.live, setup->strategy, setup->kib * setup->room * KIB);
    if (wrong != NULL)
        return wrong;
    if (setup->textbook && !player.live.tiles)
        return "textbook: it takes a strategy over the byte map";
    if (setup->textbook)
        live_heap_confine(&player.live);
    player.blocks = calloc(player.trace.id_count + 1, sizeof(*player.blocks));
    player.sizes = calloc(player.trace.id_count + 1, sizeof(*player.sizes));
    if (player.blocks == NULL || player.sizes == NULL)
        return "there is too little memory for the trace's ids";
    play_all(&player);
    wrong = setup->textbook ? setup->strategy->check(&player.live.heap)
                            : heap_check(setup->strategy, &player.live.heap);
    if (wrong == NULL)
        say_result(&player);
    live_heap_end(&player.live);
    free(player.blocks);
    free(player.sizes);
    return wrong;
}
