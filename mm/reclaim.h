/* SPDX-License-Identifier: MIT */
/*
 * What becomes of all that is parked when memory is short. Included by magazine_heap.h alone. All
 * of it requires that the caller took the heap's lock.
 *
 * A request that the strategy refuses is not refused before everything parked was given back. What
 * was cut out of one block goes back only when all of it is parked; what then remains is of such
 * blocks, and if a part of one is large enough, that is the answer. Meanwhile nobody is at any
 * processor's magazines: so no request fails while a magazine holds what it needs.
 */
#ifndef MM_RECLAIM_H
#define MM_RECLAIM_H

/* --- all that is parked ---------------------------------------------------------------- */

static void depot_take_every_own(void)
{
    for (uint32_t i = 0; i < kernel_heap_processors(); i++)
        own_take(kernel_heap_own(i));
}

static void depot_give_every_own(void)
{
    for (uint32_t i = 0; i < kernel_heap_processors(); i++)
        own_give(kernel_heap_own(i));
}

/* The following require that every processor's own was taken. */

/* Is shown each magazine. Returns: NULL to go on; else what parked_each() is to return. */
typedef const char *parked_visit(void *context, uint32_t class, struct magazine magazine);

/* A magazine's blocks. Of one that begins outside of the region, which check is to find: 1. */
static int32_t depot_count(const struct depot_magazine *first)
{
    bool is_inside = guard_granule_of(first) + 1 < guard_granules(); /* with 16 bytes */
    return is_inside ? first->count : 1;
}

static const char *parked_each_of(uint32_t class, parked_visit *visit, void *context)
{
    const char *said = NULL;
    for (uint32_t i = 0; i < kernel_heap_processors() && said == NULL; i++) {
        const struct heap_own *own = kernel_heap_own(i);
        said = visit(context, class,
                     (struct magazine){own->loaded[class], own->size[class] - own->room[class]});
        if (said == NULL)
            said = visit(context, class,
                         (struct magazine){own->previous[class], own->previous_count[class]});
    }
    for (struct depot_magazine *first = depot.magazines[class]; first != NULL && said == NULL;) {
        said = visit(context, class, (struct magazine){first, depot_count(first)});
        if (said == NULL)
            first = first->next_magazine;
    }
    return said;
}

/* Shows every magazine to visit, until that says something. Returns: what it said, or NULL. */
static const char *parked_each(parked_visit *visit, void *context)
{
    const char *said = NULL;
    for (uint32_t class = 1; class <= MAGAZINE_CLASS_MAX && said == NULL; class++)
        said = parked_each_of(class, visit, context);
    return said;
}

static const char *parked_mark(void *context, uint32_t class, struct magazine magazine)
{
    (void)context, (void)class;
    for (void *block = magazine.first; magazine.count > 0; magazine.count--) {
        *magazine_entry_of(block) |= MAGAZINE_PARKED;
        block = magazine_next(block);
    }
    return NULL;
}

static const char *parked_unmark(void *context, uint32_t class, struct magazine magazine)
{
    (void)context, (void)class;
    for (void *block = magazine.first; magazine.count > 0; magazine.count--) {
        *magazine_entry_of(block) &= (uint8_t)~MAGAZINE_PARKED;
        block = magazine_next(block);
    }
    return NULL;
}

/* Takes all magazines of a class from everybody. Returns: one with all their blocks. */
static struct magazine depot_gather(uint32_t class)
{
    struct magazine all = {0};
    for (uint32_t i = 0; i < kernel_heap_processors(); i++) {
        struct heap_own *own = kernel_heap_own(i);
        for (struct magazine one = own_unload(own, class); one.count > 0;)
            magazine_push(&all, magazine_pop(&one));
        for (struct magazine one = own_take_previous(own, class); one.count > 0;)
            magazine_push(&all, magazine_pop(&one));
    }
    for (struct magazine one = depot_take(class); one.count > 0; one = depot_take(class))
        while (one.count > 0)
            magazine_push(&all, magazine_pop(&one));
    return all;
}

/* Makes magazines of the usual size, and keeps them. */
static void depot_put_all(uint32_t class, struct magazine all)
{
    while (all.count > 0) {
        struct magazine one = {0};
        while (all.count > 0 && one.count < depot.size[class])
            magazine_push(&one, magazine_pop(&all));
        depot_put(class, one);
    }
}

/* --- giving back ----------------------------------------------------------------------- */

/* Of the first part of what was cut from one block: all parts are parked, and it goes back. */
enum { RECLAIM_DOOMED = MAGAZINE_FIRST | MAGAZINE_PARKED };

/* Returns: whether all that was cut with first is parked. Requires: parked blocks are marked. */
static bool reclaim_is_whole(const uint8_t *first, uint32_t class)
{
    uint32_t blocks = depot_cut_blocks(class);
    for (uint32_t i = 0; i < blocks; i++)
        if ((*magazine_entry_of(first + i * magazine_bytes[class]) & MAGAZINE_PARKED) == 0)
            return false;
    return true;
}

/* Looks for what was cut and is parked as a whole. Its parts' entries then say: no block. */
static void reclaim_doom(uint32_t class, struct magazine all)
{
    for (uint8_t *block = all.first; all.count > 0; all.count--, block = magazine_next(block)) {
        if ((*magazine_entry_of(block) & MAGAZINE_FIRST) == 0 || !reclaim_is_whole(block, class))
            continue;
        for (uint32_t i = depot_cut_blocks(class); i-- > 1;)
            *magazine_entry_of(block + i * magazine_bytes[class]) = MAGAZINE_NONE;
        *magazine_entry_of(block) = RECLAIM_DOOMED;
    }
}

/* Parts blocks that stay from those that go back to the strategy. */
static void reclaim_sort(struct magazine all, struct magazine *stay, struct magazine *go)
{
    while (all.count > 0) {
        void *block = magazine_pop(&all);
        uint8_t *entry = magazine_entry_of(block);
        *entry &= (uint8_t)~MAGAZINE_PARKED;
        if ((*entry & MAGAZINE_CUT) != 0)
            magazine_push(stay, block);
        else if (*entry != MAGAZINE_NONE)
            magazine_push(go, block);
    }
}

/* Returns: whether anything of the class went back. */
static bool reclaim_class(uint32_t class)
{
    struct magazine all = depot_gather(class);
    struct magazine stay = {0}, go = {0};
    if ((HEAP_STRATEGY.traits & HEAP_NEVER_FREES) != 0) {
        depot_put_all(class, all); /* nobody would use it again */
        return false;
    }
    parked_mark(NULL, class, all);
    reclaim_doom(class, all);
    reclaim_sort(all, &stay, &go);
    depot_put_all(class, stay);
    bool any = go.count > 0;
    while (go.count > 0) {
        void *block = magazine_pop(&go);
        *magazine_entry_of(block) = MAGAZINE_NONE;
        HEAP_STRATEGY.free(&kernel_heap, block);
    }
    return any;
}

static bool reclaim_all(void)
{
    bool any = false;
    depot.status.reclaims++;
    for (uint32_t class = 1; class <= MAGAZINE_CLASS_MAX; class++)
        any |= reclaim_class(class);
    return any;
}

/* Returns: a parked block of the class at a multiple of align_bytes; or NULL. */
static void *reclaim_find_in(uint32_t class, uint32_t align_bytes)
{
    struct magazine all = depot_gather(class);
    struct magazine rest = {0};
    void *found = NULL;
    while (all.count > 0) {
        void *block = magazine_pop(&all);
        if (found == NULL && ((uintptr_t)block & (align_bytes - 1)) == 0)
            found = block;
        else
            magazine_push(&rest, block);
    }
    depot_put_all(class, rest);
    return found;
}

static void *reclaim_find(uint32_t size, uint32_t align_bytes)
{
    void *found = NULL;
    if (size > MAGAZINE_BYTES_MAX)
        return NULL;
    for (uint32_t class = magazine_class_for(size); class <= MAGAZINE_CLASS_MAX; class++)
        if ((found = reclaim_find_in(class, align_bytes)) != NULL)
            break;
    return found;
}

/* --- what no magazine serves ----------------------------------------------------------- */

/* Asks the strategy for one block that is to come back to it. */
static void *depot_ask_once(uint32_t bytes, uint32_t align_bytes)
{
    void *block = HEAP_STRATEGY.alloc(&kernel_heap, bytes, align_bytes);
    if (block != NULL)
        *magazine_entry_of(block) = MAGAZINE_LARGE;
    return block;
}

/* Returns: a block for a request that no magazine could serve; NULL iff there is none at all. */
static void *depot_ask(uint32_t size, uint32_t align_bytes)
{
    uint32_t bytes = size < MAGAZINE_UNIT_BYTES ? (uint32_t)MAGAZINE_UNIT_BYTES : size;
    if (bytes > magazine_region_bytes())
        return NULL;
    void *block = depot_ask_once(bytes, align_bytes);
    if (block != NULL)
        return block;
    depot_take_every_own();
    if (reclaim_all())
        block = depot_ask_once(bytes, align_bytes);
    if (block == NULL)
        block = reclaim_find(bytes, align_bytes);
    depot_give_every_own();
    return block;
}

#endif
