/* SPDX-License-Identifier: MIT */
/*
 * What allocators are usually timed with. Of each benchmark it is the sizes and the order of
 * allocations and frees that are kept, as one thread sees them; threads are left out.
 * Larson and Krishnan's (ISMM 1998) is fixed-larson-BLOCKS.
 */
#include "workload_maker.h"

#include "memory.h"

enum { SLOTS_MAX = 1 << 20 };

static const uint32_t nobody = UINT32_MAX;

/* Slots that hold a block each, or none. */
struct slots {
    uint32_t *ids; /* nobody: none */
    uint32_t count;
};

static bool slots_start(struct slots *slots, uint32_t count)
{
    slots->count = count;
    slots->ids = scratch_alloc(count * (uint32_t)sizeof(*slots->ids));
    for (uint32_t i = 0; slots->ids != NULL && i < count; i++)
        slots->ids[i] = nobody;
    return slots->ids != NULL;
}

static bool slots_are_empty_at(const struct slots *slots, uint32_t slot)
{
    return slots->ids[slot] == nobody;
}

/* Frees a slot's block, if there is one. */
static void slots_free(struct slots *slots, uint32_t slot, struct workload_maker *maker)
{
    trace_builder_free_id(&maker->builder, slots->ids[slot]);
    slots->ids[slot] = nobody;
}

/* --- alloctest --------------------------------------------------------------------------- */

/* Of all choices four fifths fall on the first fifth of all slots, and so on in there. */
static uint32_t pareto_slot(struct random *random, uint32_t slots)
{
    while (slots >= 5) {
        uint32_t favoured = slots / 5;
        if (random_below(random, 5) == 0)
            return favoured + random_below(random, slots - favoured);
        slots = favoured;
    }
    return random_below(random, slots);
}

/*
 * alloc-test (OLogN Technologies, 2018): a slot that holds a block gives it back, an empty one
 * gets one.
 */
static bool make_alloctest(struct workload_maker *maker)
{
    struct slots slots;
    uint32_t warm_up = 4 * maker->numbers[0];
    if (!workload_start(maker, warm_up, maker->numbers[0]) ||
        !slots_start(&slots, maker->numbers[0]))
        return false;
    maker->mix = size_mix_named(text_of("halving"));
    for (uint32_t done = 0; !workload_is_complete(maker); done++) {
        if (done == warm_up)
            workload_measure(maker, WORKLOAD_MEASURED_OPERATIONS);
        uint32_t slot = pareto_slot(&maker->random, slots.count);
        if (slots_are_empty_at(&slots, slot))
            slots.ids[slot] = workload_alloc(maker);
        else
            slots_free(&slots, slot, maker);
    }
    return true;
}

/* --- mstress ----------------------------------------------------------------------------- */

enum {
    MSTRESS_BLOCKS = 8192,
    MSTRESS_SHIFTS = 5, /* 1 to 16 words */
    MSTRESS_TRANSFERS = 1000,
    MSTRESS_FREES_PERCENT = 66,
    MSTRESS_EXCHANGES_PERCENT = 25,
};

static bool chance(struct workload_maker *maker, uint32_t percent)
{
    return random_below(&maker->random, 100) < percent;
}

/* Once in a hundred times a hundred times as much; of those, one in ten or a hundred more. */
static uint32_t mstress_size(struct workload_maker *maker)
{
    uint32_t words = 1U << random_below(&maker->random, MSTRESS_SHIFTS);
    if (!chance(maker, 1))
        return words * 4;
    if (chance(maker, 1))
        return words * 4 * 10000;
    return words * 4 * (chance(maker, 10) ? 1000 : 100);
}

static void exchange(struct slots *data, uint32_t held, struct slots *transfers,
                     struct workload_maker *maker)
{
    uint32_t *mine = &data->ids[random_below(&maker->random, held)];
    uint32_t *other = &transfers->ids[random_below(&maker->random, transfers->count)];
    uint32_t kept = *mine;
    *mine = *other;
    *other = kept;
}

/* mimalloc's test-stress (Leijen, Zorn and de Moura 2019), without the blocks it retains. */
static bool make_mstress(struct workload_maker *maker)
{
    uint32_t blocks = maker->numbers[0];
    struct slots data, transfers;
    if (!workload_start(maker, 2 * blocks, blocks) || !slots_start(&data, blocks) ||
        !slots_start(&transfers, MSTRESS_TRANSFERS))
        return false;
    workload_measure(maker, 2 * blocks);
    for (uint32_t held = 0; held < blocks && !workload_is_complete(maker);) {
        data.ids[held++] = trace_builder_alloc(&maker->builder, mstress_size(maker));
        if (chance(maker, MSTRESS_FREES_PERCENT) && !workload_is_complete(maker))
            slots_free(&data, random_below(&maker->random, held), maker);
        if (chance(maker, MSTRESS_EXCHANGES_PERCENT))
            exchange(&data, held, &transfers, maker);
    }
    while (maker->builder.live_count > 0 && !workload_is_complete(maker))
        trace_builder_free_oldest(&maker->builder);
    return true;
}

/* --- rptest ------------------------------------------------------------------------------ */

enum { RPTEST_SLOTS = 64, RPTEST_STRIDE = 7919, RPTEST_MIN = 8, RPTEST_MAX = 16000 };

/*
 * rpmalloc's benchmark (M. Jansson, 2017), with sizes distributed linearly: a walk through the
 * slots in strides of a prime gives each a new block.
 */
static bool make_rptest(struct workload_maker *maker)
{
    struct slots slots;
    uint32_t warm_up = 8 * maker->numbers[0];
    if (!workload_start(maker, 2 * warm_up, maker->numbers[0]) ||
        !slots_start(&slots, maker->numbers[0]))
        return false;
    for (uint32_t done = 0, slot = 0; !workload_is_complete(maker); done++) {
        if (done == warm_up)
            workload_measure(maker, WORKLOAD_MEASURED_OPERATIONS);
        slot = (slot + RPTEST_STRIDE) % slots.count;
        slots_free(&slots, slot, maker);
        if (!workload_is_complete(maker))
            slots.ids[slot] = trace_builder_alloc(
                &maker->builder,
                RPTEST_MIN + random_below(&maker->random, RPTEST_MAX - RPTEST_MIN + 1));
    }
    return true;
}

const struct workload_family workload_benchmarks[] = {
    {"alloctest", {{"SLOTS", 1, SLOTS_MAX, 16384}}, make_alloctest},
    {"mstress", {{"BLOCKS", 1, SLOTS_MAX, MSTRESS_BLOCKS}}, make_mstress},
    {"rptest", {{"SLOTS", 1, SLOTS_MAX, RPTEST_SLOTS}}, make_rptest},
    {0},
};
