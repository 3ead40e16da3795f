/* SPDX-License-Identifier: MIT */
/*
 * The heap as its callers see it, through the fences: their own blocks, as long as they
 * asked for, and those in quarantine as freed. Included by fenced_heap.h alone.
 *
 * heap_check(), heap_measure() and all that walks a heap are given a table that differs
 * from the strategy's in three functions, and so need to know nothing of fences.
 */
#ifndef MM_FENCED_VIEW_H
#define MM_FENCED_VIEW_H

/* --- walking ---------------------------------------------------------------------------- */

struct fenced_walk {
    heap_visit *visit;
    void *context;
};

/* Returns: the fenced block inside one of the strategy's; NULL if nobody knows of any. */
static uint8_t *fenced_inside(const struct heap_block *block)
{
    uint8_t *address = fenced_from(fenced_granule(block->start), UINT32_MAX);
    return address != NULL && address < block->start + block->bytes ? address : NULL;
}

/* A live block of the strategy's may be live, in quarantine, or given up. */
static void fenced_visit(void *context, const struct heap_block *block)
{
    const struct fenced_walk *walk = context;
    struct heap_block seen = *block;
    if (block->state == HEAP_BLOCK_LIVE) {
        const uint8_t *address = fenced_inside(block);
        bool live = address != NULL && fenced_is_live(address);
        seen.state = live              ? HEAP_BLOCK_LIVE
                     : address != NULL ? HEAP_BLOCK_CACHED
                                       : HEAP_BLOCK_META;
        seen.payload = live ? address : NULL;
        seen.payload_bytes = live ? fence_plate_of(address)->bytes : 0;
    }
    walk->visit(walk->context, &seen);
}

static void fenced_walk(const struct heap *heap, heap_visit *visit, void *context)
{
    struct fenced_walk walk = {visit, context};
    HEAP_STRATEGY.walk(heap, fenced_visit, &walk);
}

static uint32_t fenced_usable(const struct heap *heap, const void *address)
{
    (void)heap;
    return front_usable(address);
}

/* --- checking ----------------------------------------------------------------------------- */

static const char *const fenced_damages[] = {
    [HEAP_SIN_OVERRUN] = "F1: the guard behind a block is damaged",
    [HEAP_SIN_UNDERRUN] = "F2: the guard before a block is damaged",
    [HEAP_SIN_PLATE_LOST] = "F3: a block's plate is damaged",
    [HEAP_SIN_WRITTEN_FREED] = "F4: a block in quarantine was written to",
};

/* Calls see with each fenced block, in the order of addresses, until it returns a text. */
static const char *fenced_each(const char *(*see)(uint8_t *address, void *context),
                               void *context)
{
    const char *text = NULL;
    uint32_t granule = 0;
    while (text == NULL && granule < guard_granules()) {
        uint8_t *address = fenced_from(granule, UINT32_MAX);
        if (address == NULL)
            break;
        text = see(address, context);
        granule = fenced_granule(address) + 1;
    }
    return text;
}

static const char *fenced_check_one(uint8_t *address, void *context)
{
    (void)context;
    struct fence_damage damage = fence_inspect(address, UINT32_MAX);
    return damage.byte == NULL ? NULL : fenced_damages[damage.sin];
}

static const char *fenced_check(const struct heap *heap)
{
    const char *broken = HEAP_STRATEGY.check(heap);
    return broken != NULL ? broken : fenced_each(fenced_check_one, NULL);
}

static const struct heap_strategy *front_strategy(void)
{
    static struct heap_strategy seen;
    seen = HEAP_STRATEGY;
    seen.traits |= HEAP_VALIDATES_FREE;
    seen.usable = fenced_usable;
    seen.walk = fenced_walk;
    seen.check = fenced_check;
    return &seen;
}

/* --- explaining ----------------------------------------------------------------------------- */

/* Returns: whether address is in or at the fence of the block, which may be NULL. */
static bool fenced_covers(const uint8_t *block, const uint8_t *address)
{
    if (block == NULL)
        return false;
    if (!fence_is_sealed(block))
        return address >= (const uint8_t *)fence_plate_of(block) && address <= block;
    return address >= fence_start(block) && address < fence_end(block);
}

/* Returns: whether a fence has address in it; *life is then its block's. */
static bool front_life(const uint8_t *address, struct heap_life *life)
{
    uint32_t granule = fenced_granule(address) + 1;
    const uint8_t *block = fenced_below(granule, UINT32_MAX);
    if (!fenced_covers(block, address) && granule < guard_granules())
        block = fenced_from(granule, UINT32_MAX);
    if (!fenced_covers(block, address))
        return false;
    *life = fenced_life(block);
    return true;
}

/* Returns: false iff a block that the strategy holds for live was given back, or given up. */
static bool front_knows(const struct heap_block *block)
{
    return fenced_inside(block) != NULL;
}

static struct heap_life front_life_before(const void *address)
{
    return history_of(address);
}

/* --- leaks ------------------------------------------------------------------------------------ */

struct fenced_leaks {
    struct heap_leak *leaks;
    uint32_t max;
    uint32_t count; /* of callers */
};

static bool fenced_is_leak(const uint8_t *address)
{
    return fence_is_sealed(address) && fence_plate_of(address)->freed_by == NULL;
}

/* The next caller is that of the oldest block younger than the caller before's oldest. */
struct fenced_oldest {
    uint32_t after;         /* only blocks with a higher number */
    const uint8_t *address; /* the oldest of those; NULL if there is none */
    const struct fenced_leaks *known;
};

static bool fenced_knows_caller(const struct fenced_leaks *known, const void *caller)
{
    for (uint32_t i = 0; i < known->count && i < known->max; i++)
        if (known->leaks[i].allocated_by == caller)
            return true;
    return false;
}

static const char *fenced_find_oldest(uint8_t *address, void *context)
{
    struct fenced_oldest *oldest = context;
    const struct fence_plate *plate = fence_plate_of(address);
    if (fenced_is_leak(address) && plate->number > oldest->after &&
        (oldest->address == NULL || plate->number < fence_plate_of(oldest->address)->number) &&
        !fenced_knows_caller(oldest->known, plate->allocated_by))
        oldest->address = address;
    return NULL;
}

static const char *fenced_add_leak(uint8_t *address, void *context)
{
    struct heap_leak *leak = context;
    const struct fence_plate *plate = fence_plate_of(address);
    if (fenced_is_leak(address) && plate->allocated_by == leak->allocated_by) {
        leak->blocks++;
        leak->bytes += plate->bytes;
    }
    return NULL;
}

static uint32_t fenced_list_leaks(struct heap_leak *leaks, uint32_t leaks_max)
{
    struct fenced_leaks found = {.leaks = leaks, .max = leaks_max};
    struct fenced_oldest oldest = {.known = &found};
    for (;;) {
        oldest.address = NULL;
        fenced_each(fenced_find_oldest, &oldest);
        if (oldest.address == NULL || found.count == leaks_max)
            return found.count;
        struct heap_life life = fenced_life(oldest.address);
        oldest.after = life.number;
        leaks[found.count] = (struct heap_leak){.allocated_by = life.allocated_by, .oldest = life};
        fenced_each(fenced_add_leak, &leaks[found.count++]);
    }
}

uint32_t heap_leaks(struct heap_leak *leaks, uint32_t leaks_max)
{
    lock_take_to_look();
    uint32_t count = fenced_list_leaks(leaks, leaks_max);
    lock_give_after_looking();
    return count;
}

#endif
