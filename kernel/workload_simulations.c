/* SPDX-License-Identifier: MIT */
/*
 * The simulations by which the books judge allocators: a number of blocks, or the time that
 * each lives, is given, not a load.
 */
#include "workload_maker.h"

#include "memory.h"

enum {
    BLOCKS_MAX = 1 << 20,
    LIFETIME_MAX = 1 << 16,
    QUEUE_PERCENT = 85,
    QUEUE_PERCENT_MAX = 99,
    STAY_MIN = 500, /* 5 of Shore's units of time, in moments */
    STAY_MAX = 1500,
    TURNOVERS = 8, /* of all blocks, until holes come and go at the same rate */
};

/* --- so many blocks, always -------------------------------------------------------------- */

static void free_newest(struct workload_maker *maker)
{
    trace_builder_free(&maker->builder, 0);
}

static void free_oldest(struct workload_maker *maker)
{
    trace_builder_free_oldest(&maker->builder);
}

static bool make_fixed_with(struct workload_maker *maker, void (*free_one)(struct workload_maker *))
{
    uint32_t blocks = maker->numbers[0];
    if (!workload_start(maker, blocks * (1 + 2 * TURNOVERS), blocks))
        return false;
    for (uint32_t i = 0; i < blocks; i++)
        workload_alloc(maker);
    for (uint32_t i = 0; i < blocks * TURNOVERS; i++) {
        free_one(maker);
        workload_alloc(maker);
    }
    workload_measure(maker, WORKLOAD_MEASURED_OPERATIONS);
    while (!workload_is_complete(maker)) {
        free_one(maker);
        if (!workload_is_complete(maker))
            workload_alloc(maker);
    }
    return true;
}

static bool make_fixed(struct workload_maker *maker)
{
    return make_fixed_with(maker, workload_free_random);
}

static bool make_fixedfifo(struct workload_maker *maker)
{
    return make_fixed_with(maker, free_oldest);
}

static bool make_fixedlifo(struct workload_maker *maker)
{
    return make_fixed_with(maker, free_newest);
}

/* --- Knuth's loop ------------------------------------------------------------------------ */

/*
 * A wheel with a slot for each unit of time of the longest life. Of the blocks that are due
 * in a slot the last allocated is freed first.
 */
struct wheel {
    uint32_t slots;
    uint32_t now;
    uint32_t *due;  /* by slot: the first block's id + 1; 0 if there is none */
    uint32_t *next; /* by id: the same of the next block of its slot */
};

/* ids: all ids are below. */
static bool wheel_start(struct wheel *wheel, uint32_t slots, uint32_t ids)
{
    *wheel = (struct wheel){
        .slots = slots,
        .due = scratch_alloc(slots * (uint32_t)sizeof(*wheel->due)),
        .next = scratch_alloc(ids * (uint32_t)sizeof(*wheel->next)),
    };
    return wheel->due != NULL && wheel->next != NULL;
}

/* Requires: 1 <= lifetime < slots. */
static void wheel_add(struct wheel *wheel, uint32_t id, uint32_t lifetime)
{
    uint32_t slot = (wheel->now + lifetime) % wheel->slots;
    wheel->next[id] = wheel->due[slot];
    wheel->due[slot] = id + 1;
}

/* Advances time and frees what is due. */
static void wheel_turn(struct wheel *wheel, struct workload_maker *maker)
{
    wheel->now = (wheel->now + 1) % wheel->slots;
    uint32_t *due = &wheel->due[wheel->now];
    for (; *due != 0 && !workload_is_complete(maker); *due = wheel->next[*due - 1])
        trace_builder_free_id(&maker->builder, *due - 1);
}

static void live_one_moment(struct wheel *wheel, struct workload_maker *maker)
{
    wheel_turn(wheel, maker);
    if (workload_is_complete(maker))
        return;
    uint32_t id = workload_alloc(maker);
    wheel_add(wheel, id, 1 + random_below(&maker->random, maker->numbers[0]));
}

/* Knuth, The Art of Computer Programming 1 (3rd edition, 1997), section 2.5: the simulation. */
static bool make_knuth(struct workload_maker *maker)
{
    uint32_t lifetime = maker->numbers[0];
    struct wheel wheel;
    if (!workload_start(maker, 2 * lifetime * TURNOVERS, lifetime + 1) ||
        !wheel_start(&wheel, lifetime + 1, lifetime + 1))
        return false;
    for (uint32_t i = 0; i < lifetime * TURNOVERS; i++)
        live_one_moment(&wheel, maker);
    workload_measure(maker, WORKLOAD_MEASURED_OPERATIONS);
    while (!workload_is_complete(maker))
        live_one_moment(&wheel, maker);
    return true;
}

/* --- a saturated queue ------------------------------------------------------------------- */

/*
 * J. E. Shore, CACM 18 (8), 1975, and C. Bays, CACM 20 (3), 1977: requests wait in one queue,
 * first come first served, and stay for a random time. A trace cannot see whether a hole is
 * large enough, so here the first waits until as much as it asks for is not requested, wherever
 * that lies; in papers/queue.c it waits for the heap itself.
 */
static void serve_next(struct wheel *wheel, struct workload_maker *maker, uint32_t bytes_max)
{
    const struct trace_builder *builder = &maker->builder;
    uint32_t size = maker->mix->draw(&maker->random);
    while (!workload_is_complete(maker) && builder->live_count > 0 &&
           builder->requested_bytes + size > bytes_max)
        wheel_turn(wheel, maker);
    if (workload_is_complete(maker))
        return;
    uint32_t id = trace_builder_alloc(&maker->builder, size);
    if (!builder->overflowed)
        wheel_add(wheel, id, STAY_MIN + random_below(&maker->random, STAY_MAX - STAY_MIN + 1));
}

static bool make_queue(struct workload_maker *maker)
{
    uint32_t bytes_max = workload_percent(maker->heap_bytes, maker->numbers[0]);
    uint32_t blocks = bytes_max / maker->mix->mean_bytes + 1;
    uint32_t blocks_max = 2 * blocks + 1024, warm_up = TURNOVERS * blocks;
    struct wheel wheel;
    if (!workload_start(maker, 2 * warm_up, blocks_max) ||
        !wheel_start(&wheel, STAY_MAX + 1, 2 * blocks_max))
        return false;
    for (uint32_t served = 0; served < warm_up; served++)
        serve_next(&wheel, maker, bytes_max);
    workload_measure(maker, WORKLOAD_MEASURED_OPERATIONS);
    while (!workload_is_complete(maker))
        serve_next(&wheel, maker, bytes_max);
    return true;
}

#define MIX_AND_BLOCKS {{"MIX", 0, 0, 0}, {"BLOCKS", 1, BLOCKS_MAX, 0}}

const struct workload_family workload_simulations[] = {
    {"fixed", MIX_AND_BLOCKS, make_fixed},
    {"fixedfifo", MIX_AND_BLOCKS, make_fixedfifo},
    {"fixedlifo", MIX_AND_BLOCKS, make_fixedlifo},
    {"knuth", {{"MIX", 0, 0, 0}, {"LIFETIME", 1, LIFETIME_MAX, 0}}, make_knuth},
    {"queue",
     {{"MIX", 0, 0, 0}, {"PERCENT", 1, QUEUE_PERCENT_MAX, QUEUE_PERCENT}},
     make_queue},
    {0},
};
