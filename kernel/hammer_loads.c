/* SPDX-License-Identifier: MIT */
/*
 * What the hands do with the heap.
 *
 * own: each has blocks of its own: takes one for an empty slot, or frees what is in it.
 * pass: each takes blocks and hands them to the next, which frees them: producer and consumer.
 * larson: a new block goes into a random slot, and what was there is freed; all share the slots, so
 * most blocks are freed by another than took them. P.-A. Larson and M. Krishnan, "Memory
 * Allocation for Long-Running Server Applications", ISMM 1998, passes them round by whole threads.
 * split: a recorded trace; each does what the trace does with the ids that are its share.
 *
 * An interrupt handler always does as in own.
 */
#include "hammer.h"

/* Takes a block for an empty slot, or frees what is in it. Returns: true. */
static bool toggle(struct hand *hand, uint32_t slots)
{
    uint8_t **slot = &hand->slots[random_below(&hand->random, slots)];
    if (*slot == NULL) {
        *slot = hammer_take(hand, hammer.mix->draw(&hand->random));
    } else {
        hammer_give(hand, *slot);
        *slot = NULL;
    }
    return true;
}

static bool step_own(struct hand *hand)
{
    return toggle(hand, HAMMER_SLOTS);
}

/* --- producer and consumer ------------------------------------------------------------- */

static bool put_in(struct hammer_ring *ring, uint8_t *block)
{
    if (ring->in - __atomic_load_n(&ring->out, __ATOMIC_ACQUIRE) == HAMMER_RING_SLOTS)
        return false;
    ring->blocks[ring->in % HAMMER_RING_SLOTS] = block;
    __atomic_store_n(&ring->in, ring->in + 1, __ATOMIC_RELEASE);
    return true;
}

/* Returns: a block; NULL if there is none. */
static uint8_t *take_out(struct hammer_ring *ring)
{
    if (__atomic_load_n(&ring->in, __ATOMIC_ACQUIRE) == ring->out)
        return NULL;
    uint8_t *block = ring->blocks[ring->out % HAMMER_RING_SLOTS];
    __atomic_store_n(&ring->out, ring->out + 1, __ATOMIC_RELEASE);
    return block;
}

static bool step_pass(struct hand *hand)
{
    uint32_t me = hand->number / 2;
    struct hammer_ring *next = &hammer.rings[(me + 1) % hammer.processors];
    uint8_t *made = hammer_take(hand, hammer.mix->draw(&hand->random));
    if (made != NULL && !put_in(next, made))
        hammer_give(hand, made); /* the next one is slow, or has done all it had to do */
    if (random_below(&hand->random, 4) != 0)
        hammer_give(hand, take_out(&hammer.rings[me]));
    return true;
}

/* --- larson ---------------------------------------------------------------------------- */

static bool step_larson(struct hand *hand)
{
    uint8_t *made = hammer_take(hand, hammer.mix->draw(&hand->random));
    uint8_t **slot = &hammer.shared[random_below(&hand->random, HAMMER_SHARED_SLOTS)];
    hammer_give(hand, __atomic_exchange_n(slot, made, __ATOMIC_ACQ_REL));
    return true;
}

/* --- a recorded trace ------------------------------------------------------------------ */

static void replay_one(struct hand *hand, const struct trace_operation *operation)
{
    uint8_t **block = &hammer.trace_blocks[operation->id];
    if (operation->kind == TRACE_ALLOC) {
        *block = hammer_take(hand, operation->size > 0 ? operation->size : 1);
    } else if (operation->kind == TRACE_FREE || operation->size == 0) {
        hammer_give(hand, *block);
        *block = NULL;
    } else if (*block != NULL) {
        uint8_t *moved = hammer_resize(hand, *block, operation->size);
        *block = moved != NULL ? moved : *block;
    }
}

static bool is_my_share(const struct hand *hand, const struct trace_operation *operation)
{
    return operation->id % hammer.processors == hand->number / 2;
}

static bool step_split(struct hand *hand)
{
    const struct trace *trace = &hammer.trace;
    while (hand->next_in_trace < trace->operation_count) {
        const struct trace_operation *operation = &trace->operations[hand->next_in_trace++];
        if (is_my_share(hand, operation)) {
            replay_one(hand, operation);
            return true;
        }
    }
    return false;
}

/* --- all of them ----------------------------------------------------------------------- */

static const struct hammer_load loads[] = {
    {"own", step_own}, {"pass", step_pass}, {"larson", step_larson}, {"split", step_split}};

enum { LOADS = sizeof(loads) / sizeof(loads[0]) };

const struct hammer_load *hammer_load_find(const char *name, bool has_trace)
{
    if (has_trace)
        return &loads[LOADS - 1];
    for (uint32_t i = 0; i < LOADS - 1; i++)
        if (text_is(text_of(name), loads[i].name))
            return &loads[i];
    return NULL;
}

void hammer_loads_end(struct hand *hand)
{
    for (uint32_t i = 0; i < HAMMER_HANDS; i++)
        for (uint32_t slot = 0; slot < HAMMER_SLOTS; slot++)
            hammer_give(hand, hammer.hands[i].slots[slot]);
    for (uint32_t i = 0; i < TOGETHER_MAX; i++)
        for (uint8_t *block; (block = take_out(&hammer.rings[i])) != NULL;)
            hammer_give(hand, block);
    for (uint32_t slot = 0; slot < HAMMER_SHARED_SLOTS; slot++)
        hammer_give(hand, hammer.shared[slot]);
    for (uint32_t id = 0; hammer.trace_blocks != NULL && id < hammer.trace.id_count; id++)
        hammer_give(hand, hammer.trace_blocks[id]);
}
