/* SPDX-License-Identifier: MIT */
/*
 * What an address is, for reports. Included by heap.c alone.
 *
 * A fence tells more than the strategy, and more reliably, so it is asked first. For the
 * rest the heap is walked, if the strategy's own check finds nothing wrong with it: a walk
 * through a damaged heap might never end.
 */
#ifndef MM_EXPLAIN_H
#define MM_EXPLAIN_H

struct explain {
    const uint8_t *address;
    struct heap_explanation *explanation;
};

static enum heap_place explain_place(enum heap_block_state state)
{
    switch (state) {
    case HEAP_BLOCK_LIVE:
        return HEAP_PLACE_LIVE;
    case HEAP_BLOCK_CACHED:
        return HEAP_PLACE_FREED;
    case HEAP_BLOCK_FREE:
        return HEAP_PLACE_HOLE;
    case HEAP_BLOCK_META:
        return HEAP_PLACE_META;
    }
    return HEAP_PLACE_UNKNOWN;
}

static void explain_visit(void *context, const struct heap_block *block)
{
    const struct explain *explain = context;
    if ((uintptr_t)explain->address - (uintptr_t)block->start >= block->bytes)
        return;
    bool live = block->state == HEAP_BLOCK_LIVE;
    bool given_back = live && !front_knows(block); /* to a heap that never frees */
    explain->explanation->place = given_back ? HEAP_PLACE_FREED : explain_place(block->state);
    explain->explanation->life = (struct heap_life){
        .block = live ? block->payload : block->start,
        .bytes = live ? block->payload_bytes : block->bytes,
    };
}

static bool explain_is_inside(const uint8_t *address)
{
    const struct heap_region *region = &kernel_heap.region;
    return address >= region->map && address < region->arena + region->arena_bytes;
}

static void explain(const void *address, struct heap_explanation *explanation)
{
    *explanation = (struct heap_explanation){.place = HEAP_PLACE_OUTSIDE};
    if (!explain_is_inside(address))
        return;
    explanation->before = front_life_before(address);
    if (front_life(address, &explanation->life)) {
        explanation->place =
            explanation->life.freed_by == NULL ? HEAP_PLACE_LIVE : HEAP_PLACE_FREED;
        return;
    }
    explanation->place = HEAP_PLACE_UNKNOWN;
    explanation->damage = front_check();
    struct explain subject = {address, explanation};
    if (explanation->damage == NULL)
        front_walk(explain_visit, &subject);
}

void heap_explain(const void *address, struct heap_explanation *explanation)
{
    lock_take_to_look();
    explain(address, explanation);
    lock_give_after_looking();
}

#endif
