/* SPDX-License-Identifier: MIT */
/*
 * Page runs: memory in whole pages, best fit. What a page is used for, its user says.
 *
 * Source: the page supplier that J. Bonwick, "The Slab Allocator" (USENIX Summer 1994),
 * takes for granted below the caches. The policy is best fit, Knuth, The Art of Computer
 * Programming 1, section 2.5; neighbours are found by boundary tags, as there.
 *
 * Idea. The side array has 64 bytes for each page of 4096, and there a struct page says
 * what it is. A run is pages side by side that are used, or free, together. Its first page
 * says how many there are; so does the last page of a free run, for the run behind it.
 *
 * Layout, of a large block of three pages between two free runs:
 *
 *             +------+------+-------+-------+------+------+------+------+
 *   kind      | FREE | FREE | LARGE |   ?   | REST | FREE |   ?  | FREE |
 *   pages     |  2   |  2   |   3   |   ?   |  ?   |  3   |   ?  |  3   |
 *             +------+------+-------+-------+------+------+------+------+
 *
 * Pages in the middle are FREE or REST. Their fields, and REST's, mean nothing.
 *
 * Invariants:
 *   I1: runs follow one another up to the arena's last whole page, and only the first page
 *       of one is LARGE or SLAB
 *   I2: a run's last page is free iff the run is, and has a free run's length
 *   I3: no two free runs are neighbours
 *   I4: the list holds the free runs, and each points back to the pointer that leads to it
 *
 * Cost: to free, and to give back, constant; to take, linear in the number of free runs.
 */
#ifndef MM_PAGE_RUN_H
#define MM_PAGE_RUN_H

#include "heap_strategy.h"

enum { PAGE_BYTES = 4096 };

enum page_kind {
    PAGE_FREE,  /* the first page of a free run, or its last */
    PAGE_REST,  /* the last page of a used run that has more than one */
    PAGE_LARGE, /* the first page of a used run */
    PAGE_SLAB,  /* the same, of one page that is a slab */
};

/* A free buffer of a slab. */
struct buffer {
    struct buffer *next; /* of its slab, or NULL */
};

/* What the side array has of a page. */
struct page {
    struct page *next;   /* only while in a list: the next page there, or NULL */
    struct page **link;  /* only while in a list: what leads here, its head or a next */
    uint32_t pages;      /* only in the first page of a run, and the last of a free one */
    struct buffer *free; /* only of a slab: its first free buffer, or NULL */
    uint16_t live;       /* only of a slab: how many buffers are live */
    uint8_t cache;       /* only of a slab: the number of its cache */
    uint8_t kind;        /* enum page_kind */
    uint8_t unused[44];
};

_Static_assert(sizeof(struct page) * HEAP_BYTES_PER_MAP_BYTE == PAGE_BYTES,
               "the side array has a struct page for each page");
_Static_assert(HEAP_ARENA_ALIGNMENT_BYTES % PAGE_BYTES == 0, "the arena begins on a page");

static inline uint32_t page_count(const struct heap *heap)
{
    return heap->region.arena_bytes / PAGE_BYTES;
}

static inline struct page *page_first(const struct heap *heap)
{
    return (struct page *)(void *)heap->region.map;
}

static inline struct page *page_end(const struct heap *heap)
{
    return page_first(heap) + page_count(heap);
}

static inline struct page *page_of(const struct heap *heap, const void *address)
{
    return page_first(heap) + ((uintptr_t)address - (uintptr_t)heap->region.arena) / PAGE_BYTES;
}

static inline uint8_t *page_address(const struct heap *heap, const struct page *page)
{
    return heap->region.arena + (uint32_t)(page - page_first(heap)) * PAGE_BYTES;
}

/* Requires: size >= 1. */
static inline uint32_t pages_for(uint32_t size)
{
    return (size - 1) / PAGE_BYTES + 1;
}

static inline void page_list_insert(struct page **head, struct page *page)
{
    struct page *next = *head;
    page->next = next;
    page->link = head;
    if (next != NULL)
        next->link = &page->next;
    *head = page;
}

static inline void page_list_remove(const struct page *page)
{
    struct page *next = page->next;
    *page->link = next;
    if (next != NULL)
        next->link = page->link;
}

/* The list of free runs: the control block of whoever uses this begins with its head. */
static inline struct page **run_list(const struct heap *heap)
{
    return heap->control;
}

/* Makes a free run. Requires: its neighbours are not free. */
static inline void run_create(const struct heap *heap, struct page *first, uint32_t pages)
{
    struct page *last = first + pages - 1;
    first->kind = last->kind = PAGE_FREE;
    first->pages = last->pages = pages;
    page_list_insert(run_list(heap), first);
}

/* Makes pages free that were used, one with the free runs next to them. */
static inline void run_free(const struct heap *heap, struct page *first, uint32_t pages)
{
    struct page *behind = first + pages;
    first->kind = PAGE_FREE; /* it may come to lie in the middle */
    if (behind != page_end(heap) && behind->kind == PAGE_FREE) {
        pages += behind->pages;
        page_list_remove(behind);
    }
    if (first != page_first(heap) && first[-1].kind == PAGE_FREE) {
        uint32_t before = first[-1].pages;
        first -= before;
        pages += before;
        page_list_remove(first);
    }
    run_create(heap, first, pages);
}

/* All pages are one free run. */
static inline void run_init(const struct heap *heap)
{
    __builtin_memset(heap->region.map, 0, heap->region.map_bytes);
    *run_list(heap) = NULL;
    if (page_count(heap) > 0)
        run_create(heap, page_first(heap), page_count(heap));
}

/* Makes pages that are in no list a used run. */
static inline void run_use(struct page *first, uint32_t pages, enum page_kind kind)
{
    first[pages - 1].kind = PAGE_REST;
    first->kind = (uint8_t)kind;
    first->pages = pages;
}

/* Returns: how many pages of a run lie before the first that is so aligned. */
static inline uint32_t run_lead(const struct heap *heap, const struct page *run, uint32_t align)
{
    if (align <= PAGE_BYTES)
        return 0;
    return (uint32_t)(-(uintptr_t)page_address(heap, run) & (align - 1)) / PAGE_BYTES;
}

/* Takes so many pages out of the smallest run that has them; NULL iff none has. */
static inline struct page *run_take(const struct heap *heap, uint32_t pages, uint32_t align)
{
    struct page *best = NULL;
    for (struct page *run = *run_list(heap); run != NULL; run = run->next)
        if (run->pages >= run_lead(heap, run, align) + pages &&
            (best == NULL || run->pages < best->pages))
            best = run;
    if (best == NULL)
        return NULL;
    uint32_t lead = run_lead(heap, best, align);
    uint32_t behind = best->pages - lead - pages;
    page_list_remove(best);
    if (lead > 0)
        run_create(heap, best, lead);
    if (behind > 0)
        run_create(heap, best + lead + pages, behind);
    return best + lead;
}

/* Gives pages at the end back, or takes some of the free run there. Returns: as resize. */
static inline bool run_resize(const struct heap *heap, struct page *first, uint32_t wanted)
{
    uint32_t had = first->pages;
    struct page *behind = first + had;
    if (wanted > had) {
        if (behind == page_end(heap) || behind->kind != PAGE_FREE ||
            behind->pages < wanted - had)
            return false;
        had += behind->pages;
        page_list_remove(behind);
    }
    run_use(first, wanted, PAGE_LARGE);
    if (had > wanted)
        run_free(heap, first + wanted, had - wanted);
    return true;
}

/* Returns: true iff there is such a page; its fields can then be read. */
static inline bool page_check_exists(const struct heap *heap, const struct page *page)
{
    uintptr_t offset = (uintptr_t)page - (uintptr_t)page_first(heap);
    return offset % sizeof(*page) == 0 && offset / sizeof(*page) < page_count(heap);
}

/* I1, of the run that begins there, or should. */
static inline bool run_check_first(const struct heap *heap, const struct page *run)
{
    if (run->kind == PAGE_REST || run->kind > PAGE_SLAB || run->pages == 0 ||
        run->pages > (uint32_t)(page_end(heap) - run) ||
        (run->kind == PAGE_SLAB && run->pages != 1))
        return false;
    for (const struct page *page = run + 1; page < run + run->pages; page++)
        if (page->kind > PAGE_REST)
            return false;
    return true;
}

/* I2 and I3, of a run of which I1 holds. */
static inline const char *run_check_last(const struct heap *heap, const struct page *run)
{
    const struct page *last = run + run->pages - 1;
    bool is_free = run->kind == PAGE_FREE;
    if (is_free ? last->kind != PAGE_FREE || last->pages != run->pages
                : last != run && last->kind != PAGE_REST)
        return "I2: a run's last page is free iff the run is, and has a free run's length";
    if (is_free && last + 1 != page_end(heap) && last[1].kind == PAGE_FREE)
        return "I3: no two free runs are neighbours";
    return NULL;
}

/* I4. Ends even on a list that runs in a circle: a page has but one pointer to point back. */
static inline const char *run_check_list(const struct heap *heap, uint32_t free_runs)
{
    struct page *const *link = run_list(heap);
    for (const struct page *run; (run = *link) != NULL; link = &run->next, free_runs--)
        if (!page_check_exists(heap, run) || run->kind != PAGE_FREE || run->link != link)
            return "I4: the list holds free runs, and each points back to what leads to it";
    return free_runs == 0 ? NULL : "I4: the list holds all the free runs";
}

static inline const char *run_check(const struct heap *heap)
{
    uint32_t free_runs = 0;
    for (const struct page *run = page_first(heap); run != page_end(heap); run += run->pages) {
        if (!run_check_first(heap, run))
            return "I1: runs follow one another, and only the first page is LARGE or SLAB";
        const char *broken = run_check_last(heap, run);
        if (broken != NULL)
            return broken;
        free_runs += run->kind == PAGE_FREE;
    }
    return run_check_list(heap, free_runs);
}

#endif
