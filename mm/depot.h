/* SPDX-License-Identifier: MIT */
/*
 * The depot: the magazines that no processor has, and what becomes of all of them when memory is
 * short. Included by magazine_heap.h alone. All of it requires that the caller took the heap's
 * lock.
 *
 * Where the depot has no magazine either, the strategy is asked for one block of DEPOT_CUT_BYTES,
 * and that is cut into blocks of the class: so even a strategy that searches long does so seldom.
 * Is not so much there, it is asked for a single block. What was cut out of one block goes back to
 * the strategy only when all of it is parked.
 *
 * A request that the strategy refuses is not refused before everything parked was given back. What
 * then remains was cut out of blocks of which a part is live; if one of those is large
 * enough, it is the answer. Meanwhile nobody is at any processor's magazines: so no request fails
 * while a magazine holds what it needs.
 *
 * Magazines grow where processors wait for one another: if exchanges of a class have DEPOT_PATIENCE
 * times met somebody who waited for the lock, its magazines take twice as many blocks. They start
 * with fewer the larger their blocks are, and never shrink.
 */
#ifndef MM_DEPOT_H
#define MM_DEPOT_H

enum {
    DEPOT_CUT_BYTES = 8192, /* but at most this part of the region: */
    DEPOT_CUT_SHARE = 128,
    DEPOT_CUT_BLOCKS = 32,
    DEPOT_PATIENCE = 4,
    DEPOT_SIZE_FIRST = 15,
    DEPOT_SIZE_BYTES = 16384, /* no magazine starts with more than this in it */
    DEPOT_SIZE_MAX = 127,
    DEPOT_SIZE_MAX_BYTES = 65536,
};

/* A block begins so while it is the first of a magazine in the depot. */
struct depot_magazine {
    void *next_block;
    struct depot_magazine *next_magazine;
    int32_t count;
};

_Static_assert(sizeof(struct depot_magazine) <= MAGAZINE_UNIT_BYTES, "the smallest holds it");

static struct depot {
    struct depot_magazine *magazines[HEAP_OWN_CLASSES];
    int32_t size[HEAP_OWN_CLASSES];      /* of its magazines: so many blocks they take */
    uint32_t contention[HEAP_OWN_CLASSES];
    uint64_t seen_waits;                 /* of the lock's, at the last exchange */
    struct heap_magazine_status status;
} depot;

static inline int32_t depot_clamp_size(int32_t size, uint32_t bytes_max, uint32_t class)
{
    int32_t fit = (int32_t)(bytes_max / magazine_bytes[class]);
    return size < fit ? size : fit;
}

static void depot_start(void)
{
    uint32_t units = magazine_region_bytes() / MAGAZINE_UNIT_BYTES + 1;
    __builtin_memset(magazine_table, MAGAZINE_NONE, units);
    depot = (struct depot){0};
    for (uint32_t class = 1; class <= MAGAZINE_CLASS_MAX; class++)
        depot.size[class] = depot_clamp_size(DEPOT_SIZE_FIRST, DEPOT_SIZE_BYTES, class);
    for (uint32_t i = 0; i < kernel_heap_processors(); i++)
        *kernel_heap_own(i) = (struct heap_own){.is_free = 1};
}

/* --- keeping magazines ----------------------------------------------------------------------- */

/* Requires: the magazine is not empty. */
static void depot_put(uint32_t class, struct magazine magazine)
{
    struct depot_magazine *first = magazine.first;
    first->next_magazine = depot.magazines[class];
    first->count = magazine.count;
    depot.magazines[class] = first;
}

/* Returns: a magazine that is not empty; or an empty one, if there is none. */
static struct magazine depot_take(uint32_t class)
{
    struct depot_magazine *first = depot.magazines[class];
    if (first == NULL)
        return (struct magazine){0};
    depot.magazines[class] = first->next_magazine;
    return (struct magazine){first, first->count};
}

/* Looks, at an exchange, whether somebody has waited for the lock. */
static void depot_note_contention(uint32_t class)
{
    depot.status.exchanges++;
    if (depot.seen_waits == lock.waits)
        return;
    depot.seen_waits = lock.waits;
    int32_t grown = depot_clamp_size(DEPOT_SIZE_MAX, DEPOT_SIZE_MAX_BYTES, class);
    if (depot.size[class] == grown || ++depot.contention[class] < DEPOT_PATIENCE)
        return;
    depot.contention[class] = 0;
    depot.status.growths++;
    if (depot.size[class] * 2 + 1 < grown)
        grown = depot.size[class] * 2 + 1;
    depot.size[class] = grown;
}

/* --- asking the strategy ------------------------------------------------------------------------ */

/* Returns: how many blocks of the class are cut out of one. The same as long as the heap lives. */
static uint32_t depot_cut_blocks(uint32_t class)
{
    uint32_t share = magazine_region_bytes() / DEPOT_CUT_SHARE;
    uint32_t bytes = share < DEPOT_CUT_BYTES ? share : (uint32_t)DEPOT_CUT_BYTES;
    uint32_t blocks = bytes / magazine_bytes[class];
    return blocks < 1 ? 1 : blocks > DEPOT_CUT_BLOCKS ? DEPOT_CUT_BLOCKS : blocks;
}

/* Cuts a block of the strategy's. The first of the magazine lies lowest. */
static struct magazine depot_cut(uint8_t *block, uint32_t class, uint32_t blocks)
{
    struct magazine magazine = {0};
    for (uint32_t i = blocks; i-- > 0;) {
        uint8_t *part = block + i * magazine_bytes[class];
        *magazine_entry_of(part) = (uint8_t)(class | MAGAZINE_CUT);
        magazine_push(&magazine, part);
    }
    *magazine_entry_of(block) |= MAGAZINE_FIRST;
    return magazine;
}

/* Returns: new blocks of the class; none, if the strategy has no room. */
static struct magazine depot_refill(uint32_t class)
{
    uint32_t bytes = magazine_bytes[class];
    uint32_t blocks = depot_cut_blocks(class);
    uint8_t *block = blocks == 1 ? NULL
                                 : HEAP_STRATEGY.alloc(&kernel_heap, blocks * bytes,
                                                       HEAP_ALIGNMENT_BYTES);
    depot.status.refills++;
    if (block != NULL)
        return depot_cut(block, class, blocks);
    struct magazine magazine = {0};
    block = HEAP_STRATEGY.alloc(&kernel_heap, bytes, HEAP_ALIGNMENT_BYTES);
    if (block != NULL) {
        *magazine_entry_of(block) = (uint8_t)class;
        magazine_push(&magazine, block);
    }
    return magazine;
}

/* --- exchanging ---------------------------------------------------------------------------------- */

/* Returns: a block of the class for this processor, which loads what came with it; or NULL. */
static void *depot_serve(uint32_t class)
{
    struct heap_own *own = kernel_heap_own_here();
    depot_note_contention(class);
    own_take(own);
    void *block = own_serve(own, class, depot.size[class]);
    if (block == NULL) {
        struct magazine magazine = depot_take(class);
        if (magazine.count == 0)
            magazine = depot_refill(class);
        own_load(own, class, magazine, depot.size[class]);
        block = own_serve(own, class, depot.size[class]);
    }
    own_give(own);
    return block;
}

/* Takes a block of the class from this processor, and a full magazine, if it has two. */
static void depot_accept(uint32_t class, void *block)
{
    struct heap_own *own = kernel_heap_own_here();
    depot_note_contention(class);
    own_take(own);
    if (!own_accept(own, class, block, depot.size[class])) {
        depot_put(class, own_take_previous(own, class));
        own_accept(own, class, block, depot.size[class]);
    }
    own_give(own);
}

/* --- all that is parked ------------------------------------------------------------------------- */

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
    struct depot_magazine *first = depot.magazines[class];
    for (; first != NULL && said == NULL; first = first->next_magazine)
        said = visit(context, class, (struct magazine){first, first->count});
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

/* --- giving back ------------------------------------------------------------------------------------ */

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

/* Looks for what was cut and is parked as a whole. Its parts' entries then say that they are none. */
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

/* --- what no magazine serves --------------------------------------------------------------------- */

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
