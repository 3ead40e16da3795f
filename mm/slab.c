/* SPDX-License-Identifier: MIT */
/*
 * slab: a cache for each size, made of pages that are cut into equal buffers.
 *
 * Source: J. Bonwick, "The Slab Allocator: An Object-Caching Kernel Memory Allocator",
 * USENIX Summer 1994: section 3, and kmem_alloc() over its caches. Departs from it as
 * follows. kmalloc knows no types, so there are no constructors, and a free buffer of any
 * size holds its own link, as small objects do in the paper, but in its first bytes. What
 * describes a slab is not at its page's end but in the side array, which has 64 bytes for
 * each page: kfree is not told a size, and must look there first. A slab is always one
 * page. Where the paper has one list of slabs, sorted, here are two, and none of those
 * that are full. There is no coloring, since buffers leave little of their page, and no
 * clock: when memory is short all complete slabs are reclaimed, not only those unused for
 * 15 seconds.
 *
 * Idea. A request is rounded up to the nearest cache's size. The cache has slabs, each a
 * page of such buffers with a list of the free ones and a count of the live ones. To
 * allocate, take the first free buffer of the first slab that has one; to free, put it back
 * into its slab's list, which is found by the page's number. Neither searches.
 *
 * The count tells when a slab is complete: none of its buffers is live. It stays with its
 * cache, for the next request. Only when there are not enough free pages do all caches give
 * their complete slabs back. So memory wanders from one size to another a page at a time,
 * and no buffer ever has to be merged.
 *
 * Below are runs of pages (page_run.h), best fit; neighbours merge at once. Requests above
 * half a page are runs of whole pages.
 *
 * Layout, of a slab of buffers of 80 bytes, with its part of the side array:
 *
 *                 live      free      live      free            unused
 *             +---------+---------+---------+---------+-- ... --+----+
 *   page      | payload | next, - | payload | next, - |         | 16 |
 *             +---------+---------+---------+---------+-- ... --+----+
 *                       ^
 *   struct page: SLAB, free, 49 live
 *
 * Invariants: I1 to I4 of page runs, and
 *   I5: the caches and the table of sizes are as they were made
 *   I6: a slab's list holds as many of its buffers as are not live, each once
 *   I7: a cache's lists hold its slabs, partial or complete, and each points back to the
 *       pointer that leads to it
 *   I8: every slab with free buffers is in a list
 *
 * Cost. free and alloc: constant for buffers, but for a new slab, which takes a step for
 * each buffer and a search among the free runs, and for reclaiming, a step for each
 * complete slab. Large blocks: linear in the number of free runs.
 * Fragmentation: rounding takes up to a quarter of a buffer from 64 bytes on, a good third of
 * one of 2048, and half of a page. One live buffer keeps its page from all other sizes, and so
 * m live buffers, however small, can hold m pages; no bound is better than that.
 *
 * When not to use it: where the heap is small: each size in use takes a page at least.
 */
#include "page_run.h"

enum {
    BUFFER_BYTES_MAX = PAGE_BYTES / 2,
    UNIT_BYTES = 8, /* sizes are looked up in these */
    UNITS = BUFFER_BYTES_MAX / UNIT_BYTES + 1,
    CACHES = 26,
};

/* Of the caches. Above 256, as many buffers as there are, as large as a page lets them be. */
static const uint16_t buffer_bytes[CACHES] = {
    8,   16,  24,  32,  40,  48,  56,  64,  80,  96,  112,  128,  160,
    192, 224, 256, 312, 368, 448, 512, 584, 680, 816, 1024, 1360, 2048,
};

struct cache {
    uint16_t bytes;        /* of a buffer */
    uint16_t buffers;      /* of a slab */
    struct page *partial;  /* list of slabs with live and with free buffers */
    struct page *complete; /* list of slabs with free buffers only */
};

struct slab_heap {
    struct page *runs; /* list of free runs */
    struct cache caches[CACHES];
    uint8_t cache_of[UNITS]; /* by size in units: the number of the smallest cache that fits */
};

_Static_assert(offsetof(struct slab_heap, runs) == 0, "run_list() is the list of free runs");
_Static_assert(UNIT_BYTES % HEAP_ALIGNMENT_BYTES == 0, "buffers are aligned for any caller");
_Static_assert(sizeof(struct buffer) <= UNIT_BYTES, "a free buffer has room for its link");

static struct slab_heap *slab_heap_of(const struct heap *heap)
{
    return heap->control;
}

/* Gives all complete slabs back. Returns: whether there were any. */
static bool pages_reap(const struct heap *heap)
{
    struct slab_heap *slab_heap = slab_heap_of(heap);
    bool any = false;
    for (struct cache *cache = slab_heap->caches; cache < slab_heap->caches + CACHES; cache++)
        for (struct page *slab; (slab = cache->complete) != NULL; any = true) {
            page_list_remove(slab);
            run_free(heap, slab, 1);
        }
    return any;
}

/* Returns: the first of so many pages, which are in no list; NULL if there are none. */
static struct page *pages_take(const struct heap *heap, uint32_t pages, uint32_t align)
{
    struct page *first = run_take(heap, pages, align);
    if (first == NULL && pages_reap(heap))
        first = run_take(heap, pages, align);
    return first;
}

static void *large_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    if (size > page_count(heap) * PAGE_BYTES)
        return NULL;
    struct page *first = pages_take(heap, pages_for(size), align);
    if (first == NULL)
        return NULL;
    run_use(first, pages_for(size), PAGE_LARGE);
    return page_address(heap, first);
}

/* Makes a page a slab: all its buffers are free, and in the order of their addresses. */
static void slab_create(const struct heap *heap, struct page *slab, uint8_t number)
{
    const struct cache *cache = &slab_heap_of(heap)->caches[number];
    run_use(slab, 1, PAGE_SLAB);
    slab->cache = number;
    slab->live = 0;
    slab->free = NULL;
    uint8_t *buffer = page_address(heap, slab) + cache->buffers * cache->bytes;
    for (uint32_t i = 0; i < cache->buffers; i++) {
        buffer -= cache->bytes;
        ((struct buffer *)(void *)buffer)->next = slab->free;
        slab->free = (struct buffer *)(void *)buffer;
    }
}

/* Returns: a slab with free buffers, in its cache's list; NULL if there is no page. */
static struct page *cache_grow(const struct heap *heap, uint8_t number)
{
    struct cache *cache = &slab_heap_of(heap)->caches[number];
    struct page *slab = cache->complete;
    if (slab != NULL) {
        page_list_remove(slab);
    } else {
        slab = pages_take(heap, 1, PAGE_BYTES);
        if (slab == NULL)
            return NULL;
        slab_create(heap, slab, number);
    }
    page_list_insert(&cache->partial, slab);
    return slab;
}

static void *cache_alloc(const struct heap *heap, uint8_t number)
{
    struct page *slab = slab_heap_of(heap)->caches[number].partial;
    if (slab == NULL) {
        slab = cache_grow(heap, number);
        if (slab == NULL)
            return NULL;
    }
    struct buffer *buffer = slab->free;
    slab->free = buffer->next;
    slab->live++;
    if (slab->free == NULL)
        page_list_remove(slab);
    return buffer;
}

/* A slab was full, or becomes complete, or stays in the list that it is in. */
static void cache_free(const struct heap *heap, struct page *slab, struct buffer *buffer)
{
    struct cache *cache = &slab_heap_of(heap)->caches[slab->cache];
    bool was_full = slab->free == NULL;
    buffer->next = slab->free;
    slab->free = buffer;
    slab->live--;
    if (was_full) {
        page_list_insert(&cache->partial, slab);
    } else if (slab->live == 0) {
        page_list_remove(slab);
        page_list_insert(&cache->complete, slab);
    }
}

static void slab_init(const struct heap *heap)
{
    struct slab_heap *slab_heap = slab_heap_of(heap);
    __builtin_memset(slab_heap, 0, sizeof(*slab_heap));
    run_init(heap);
    for (uint32_t number = 0, unit = 0; number < CACHES; number++) {
        slab_heap->caches[number].bytes = buffer_bytes[number];
        slab_heap->caches[number].buffers = PAGE_BYTES / buffer_bytes[number];
        for (; unit <= buffer_bytes[number] / UNIT_BYTES; unit++)
            slab_heap->cache_of[unit] = (uint8_t)number;
    }
}

/* Buffers lie at multiples of their size, so a cache with a multiple of align is aligned. */
static void *slab_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    const struct slab_heap *slab_heap = slab_heap_of(heap);
    if (size > BUFFER_BYTES_MAX || align > BUFFER_BYTES_MAX)
        return large_alloc(heap, size, align);
    uint8_t number = slab_heap->cache_of[(size + UNIT_BYTES - 1) / UNIT_BYTES];
    if (align > UNIT_BYTES)
        while ((slab_heap->caches[number].bytes & (align - 1)) != 0)
            number++;
    return cache_alloc(heap, number);
}

static bool slab_free(const struct heap *heap, void *address)
{
    struct page *page = page_of(heap, address);
    if (page->kind == PAGE_SLAB)
        cache_free(heap, page, address);
    else
        run_free(heap, page, page->pages);
    return true;
}

static uint32_t slab_usable(const struct heap *heap, const void *address)
{
    const struct page *page = page_of(heap, address);
    if (page->kind == PAGE_SLAB)
        return slab_heap_of(heap)->caches[page->cache].bytes;
    return page->pages * PAGE_BYTES;
}

/* A buffer has the size that it has. */
static bool slab_resize(const struct heap *heap, void *address, uint32_t size)
{
    struct page *page = page_of(heap, address);
    if (page->kind == PAGE_SLAB)
        return size <= slab_heap_of(heap)->caches[page->cache].bytes;
    return run_resize(heap, page, pages_for(size));
}

/* A set of the buffers of a slab, by their number. */
struct buffer_set {
    uint32_t words[PAGE_BYTES / UNIT_BYTES / 32];
};

/* Returns: how many free buffers are in its list, and then in *set; UINT32_MAX: none of its. */
static uint32_t slab_check_free(const struct heap *heap, const struct page *slab,
                                struct buffer_set *set)
{
    uint32_t bytes = buffer_bytes[slab->cache];
    uint32_t count = 0;
    *set = (struct buffer_set){{0}};
    for (const struct buffer *buffer = slab->free; buffer != NULL; buffer = buffer->next, count++) {
        uintptr_t offset = (uintptr_t)buffer - (uintptr_t)page_address(heap, slab);
        uint32_t number = (uint32_t)offset / bytes;
        if (offset % bytes != 0 || number >= PAGE_BYTES / bytes ||
            (set->words[number / 32] >> number % 32 & 1) != 0)
            return UINT32_MAX;
        set->words[number / 32] |= 1U << number % 32;
    }
    return count;
}

static void walk_block(heap_visit *visit, void *context, const uint8_t *start, uint32_t bytes,
                       enum heap_block_state state)
{
    bool live = state == HEAP_BLOCK_LIVE;
    const struct heap_block block = {.start = start, .bytes = bytes,
                                     .payload = live ? start : NULL,
                                     .payload_bytes = live ? bytes : 0, .state = state};
    if (bytes > 0)
        visit(context, &block);
}

/* Free buffers are CACHED: they are kept for their size, and no hole. */
static void walk_slab(const struct heap *heap, const struct page *slab, heap_visit *visit,
                      void *context)
{
    const struct cache *cache = &slab_heap_of(heap)->caches[slab->cache];
    const uint8_t *start = page_address(heap, slab);
    struct buffer_set free;
    slab_check_free(heap, slab, &free);
    for (uint32_t i = 0; i < cache->buffers; i++, start += cache->bytes)
        walk_block(visit, context, start, cache->bytes,
                   (free.words[i / 32] >> i % 32 & 1) != 0 ? HEAP_BLOCK_CACHED : HEAP_BLOCK_LIVE);
    walk_block(visit, context, start, PAGE_BYTES - cache->buffers * cache->bytes, HEAP_BLOCK_META);
}

/* A complete slab is one CACHED block: its page is what is kept. */
static void slab_walk(const struct heap *heap, heap_visit *visit, void *context)
{
    uint32_t pages_bytes = page_count(heap) * PAGE_BYTES;
    walk_block(visit, context, heap->region.map, heap->region.map_bytes, HEAP_BLOCK_META);
    for (const struct page *run = page_first(heap); run != page_end(heap); run += run->pages) {
        if (run->kind == PAGE_SLAB && run->live > 0)
            walk_slab(heap, run, visit, context);
        else
            walk_block(visit, context, page_address(heap, run), run->pages * PAGE_BYTES,
                       run->kind == PAGE_LARGE  ? HEAP_BLOCK_LIVE
                       : run->kind == PAGE_FREE ? HEAP_BLOCK_FREE
                                                : HEAP_BLOCK_CACHED);
    }
    walk_block(visit, context, heap->region.arena + pages_bytes,
               heap->region.arena_bytes - pages_bytes, HEAP_BLOCK_META);
}

/* I5. */
static bool caches_check(const struct slab_heap *slab_heap)
{
    for (uint32_t number = 0; number < CACHES; number++)
        if (slab_heap->caches[number].bytes != buffer_bytes[number] ||
            slab_heap->caches[number].buffers != PAGE_BYTES / buffer_bytes[number])
            return false;
    for (uint32_t unit = 0, number = 0; unit < UNITS; unit++) {
        if (unit * UNIT_BYTES > buffer_bytes[number])
            number++;
        if (slab_heap->cache_of[unit] != number)
            return false;
    }
    return true;
}

/* I6, of all slabs. If true, the number of those with free buffers is in *with_free. */
static bool slabs_check(const struct heap *heap, uint32_t *with_free)
{
    *with_free = 0;
    for (const struct page *run = page_first(heap); run != page_end(heap); run += run->pages) {
        struct buffer_set free;
        if (run->kind != PAGE_SLAB)
            continue;
        if (run->cache >= CACHES || slab_check_free(heap, run, &free) !=
                                        PAGE_BYTES / buffer_bytes[run->cache] - (uint32_t)run->live)
            return false;
        *with_free += run->free != NULL;
    }
    return true;
}

/* I7, of one list. Ends even on one that runs in a circle, as run_check_list(). */
static bool list_check(const struct heap *heap, struct page *const *link, uint32_t number,
                       bool complete, uint32_t *listed)
{
    for (const struct page *slab; (slab = *link) != NULL; link = &slab->next, (*listed)++)
        if (!page_check_exists(heap, slab) || slab->kind != PAGE_SLAB || slab->cache != number ||
            slab->free == NULL || (slab->live == 0) != complete || slab->link != link)
            return false;
    return true;
}

static const char *slab_check(const struct heap *heap)
{
    const struct slab_heap *slab_heap = slab_heap_of(heap);
    uint32_t with_free, listed = 0;
    if (!caches_check(slab_heap))
        return "I5: the caches and the table of sizes are as they were made";
    const char *broken = run_check(heap);
    if (broken != NULL)
        return broken;
    if (!slabs_check(heap, &with_free))
        return "I6: a slab's list holds as many of its buffers as are not live, each once";
    for (uint32_t number = 0; number < CACHES; number++)
        if (!list_check(heap, &slab_heap->caches[number].partial, number, false, &listed) ||
            !list_check(heap, &slab_heap->caches[number].complete, number, true, &listed))
            return "I7: a cache's lists hold its slabs, and each points back to what leads to it";
    return listed == with_free ? NULL : "I8: every slab with free buffers is in a list";
}

const struct heap_strategy heap_slab = {
    .name = "slab",
    .source = "Bonwick, USENIX Summer 1994",
    .traits = HEAP_COALESCES,
    .control_bytes = sizeof(struct slab_heap),
    .init = slab_init,
    .alloc = slab_alloc,
    .free = slab_free,
    .usable = slab_usable,
    .resize = slab_resize,
    .walk = slab_walk,
    .check = slab_check,
};
