/* SPDX-License-Identifier: MIT */
/*
 * The heap as its callers see it, behind magazines: their own blocks, and those that are parked as
 * cached. Included by magazine_heap.h alone.
 *
 * Who walks the heap is shown a table that differs from the strategy's in three functions, as in
 * fenced_view.h. A block that was cut is shown as its parts; the first has what the strategy put in
 * front, and the last what was left over behind.
 *
 * For as long as the walk takes, nobody is at any processor's magazines, and interrupts are kept
 * out: whoever is shown a block must not allocate.
 */
#ifndef MM_MAGAZINE_VIEW_H
#define MM_MAGAZINE_VIEW_H

struct magazine_walk {
    heap_visit *visit;
    void *context;
};

static void magazine_show(const struct magazine_walk *walk, const struct heap_block *block)
{
    struct heap_block seen = *block;
    if ((*magazine_entry_of(block->payload) & MAGAZINE_PARKED) != 0) {
        seen.state = HEAP_BLOCK_CACHED;
        seen.payload = NULL;
        seen.payload_bytes = 0;
    }
    walk->visit(walk->context, &seen);
}

static void magazine_show_parts(const struct magazine_walk *walk, const struct heap_block *block)
{
    uint32_t class = magazine_class_of_entry(*magazine_entry_of(block->payload));
    uint32_t bytes = magazine_bytes[class];
    uint32_t parts = depot_cut_blocks(class);
    const uint8_t *end = block->start + block->bytes;
    const uint8_t *start = block->start;
    for (uint32_t i = 0; i < parts; i++) {
        const uint8_t *payload = block->payload + i * bytes;
        const uint8_t *next = i + 1 < parts ? payload + bytes : end;
        const struct heap_block part = {.start = start,
                                        .bytes = (uint32_t)(next - start),
                                        .payload = payload,
                                        .payload_bytes = bytes,
                                        .state = HEAP_BLOCK_LIVE};
        magazine_show(walk, &part);
        start = next;
    }
}

static void magazine_visit(void *context, const struct heap_block *block)
{
    const struct magazine_walk *walk = context;
    if (block->state != HEAP_BLOCK_LIVE)
        walk->visit(walk->context, block);
    else if ((*magazine_entry_of(block->payload) & MAGAZINE_CUT) != 0)
        magazine_show_parts(walk, block);
    else
        magazine_show(walk, block);
}

/* Requires: the caller has the lock, or nobody else uses the heap. */
static void magazine_walk(const struct heap *heap, heap_visit *visit, void *context)
{
    struct magazine_walk walk = {visit, context};
    uint32_t flags = kernel_heap_keep_out();
    depot_take_every_own();
    parked_each(parked_mark, NULL);
    HEAP_STRATEGY.walk(heap, magazine_visit, &walk);
    parked_each(parked_unmark, NULL);
    depot_give_every_own();
    kernel_heap_let_in(flags);
}

static inline void front_walk(heap_visit *visit, void *context)
{
    magazine_walk(&kernel_heap, visit, context);
}

static uint32_t magazine_usable_in(const struct heap *heap, const void *address)
{
    (void)heap;
    return magazine_usable(address);
}

/* --- checking -------------------------------------------------------------------------- */

/* Marks what it finds. Does not loop on a chain that comes round: M3 notices. */
static const char *magazine_check_one(void *context, uint32_t class, struct magazine magazine)
{
    void *block = magazine.first;
    (void)context;
    for (; magazine.count > 0; magazine.count--, block = magazine_next(block)) {
        if (block == NULL || guard_granule_of(block) >= guard_granules())
            return "M2: a magazine has not as many blocks as is said of it";
        uint8_t entry = *magazine_entry_of(block);
        if (magazine_class_of_entry(entry) != class)
            return "M1: a parked block is of another class than its magazine";
        if ((entry & MAGAZINE_PARKED) != 0)
            return "M3: a block is parked twice";
        *magazine_entry_of(block) = entry | MAGAZINE_PARKED;
    }
    return block == NULL ? NULL : "M2: a magazine has not as many blocks as is said of it";
}

static void magazine_unmark_table(void)
{
    uint32_t units = magazine_region_bytes() / MAGAZINE_UNIT_BYTES;
    for (uint32_t unit = 0; unit <= units; unit++)
        magazine_table[unit] &= (uint8_t)~MAGAZINE_PARKED;
}

static const char *magazine_check_parked(void)
{
    uint32_t flags = kernel_heap_keep_out();
    depot_take_every_own();
    const char *broken = parked_each(magazine_check_one, NULL);
    if (broken == NULL)
        parked_each(parked_unmark, NULL);
    else
        magazine_unmark_table(); /* what is wrong with the chains need not be known */
    depot_give_every_own();
    kernel_heap_let_in(flags);
    return broken;
}

static const char *magazine_check(const struct heap *heap)
{
    const char *broken = HEAP_STRATEGY.check(heap);
    return broken != NULL ? broken : magazine_check_parked();
}

/* What keeps front_walk() from coming back, or NULL. */
static inline const char *front_check(void)
{
    return magazine_check(&kernel_heap);
}

/* --- the heap as a table, and in figures ----------------------------------------------- */

static const char *parked_count(void *context, uint32_t class, struct magazine magazine)
{
    struct heap_magazine_status *status = context;
    status->parked_blocks += (uint32_t)magazine.count;
    status->parked_bytes += (uint32_t)magazine.count * magazine_bytes[class];
    return NULL;
}

static struct heap_magazine_status front_magazines(void)
{
    lock_take_to_look();
    depot_take_every_own();
    struct heap_magazine_status status = depot.status;
    parked_each(parked_count, &status);
    depot_give_every_own();
    lock_give_after_looking();
    return status;
}

static const struct heap_strategy *front_strategy(void)
{
    static struct heap_strategy seen;
    seen = HEAP_STRATEGY;
    if (HARDENING == HARDENING_OFF)
        seen.traits &= ~(uint32_t)HEAP_VALIDATES_FREE;
    seen.usable = magazine_usable_in;
    seen.walk = magazine_walk;
    seen.check = magazine_check;
    return &seen;
}

/* Nobody knows who took the blocks. */
static inline bool front_life(const uint8_t *address, struct heap_life *life)
{
    (void)address;
    (void)life;
    return false;
}

static inline struct heap_life front_life_before(const void *address)
{
    (void)address;
    return (struct heap_life){0};
}

uint32_t heap_leaks(struct heap_leak *leaks, uint32_t leaks_max)
{
    (void)leaks;
    (void)leaks_max;
    return 0;
}

#endif
