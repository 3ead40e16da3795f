/* SPDX-License-Identifier: MIT */
/*
 * What only slab promises: which pages become slabs, when they are given back, and the
 * label of each broken invariant.
 */
#define heap_slab heap_slab_in_sight
#include "../mm/slab.c"
#undef heap_slab

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "script.h"

enum { PAGES_4 = 4 * 64, PAGES_8 = 8 * 64 }; /* side array */

static void sizes_are_rounded_to_the_nearest_cache(void **state)
{
    static const struct {
        uint32_t size, align, usable;
    } rows[] = {
        {1, 8, 8}, {8, 8, 8}, {9, 8, 16}, {64, 8, 64}, {65, 8, 80}, {257, 8, 312}, {312, 8, 312},
        {1025, 8, 1360}, {2048, 8, 2048}, {2049, 8, 4096}, {4096, 8, 4096}, {4097, 8, 8192},
        {1, 16, 16}, {17, 16, 32}, {24, 64, 64}, {65, 16, 80}, {65, 64, 128}, {200, 64, 256},
        {300, 64, 448}, {8, 1024, 1024}, {8, 2048, 2048}, {8, 4096, 4096}, {5000, 4096, 8192},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct host_heap *host = host_heap_new(tested_strategy, PAGES_4);
        uint8_t *block = tested_strategy->alloc(&host->heap, rows[i].size, rows[i].align);
        assert_non_null(block);
        assert_int_equal(tested_strategy->usable(&host->heap, block), rows[i].usable);
        host_heap_delete(host);
    }
}

static void a_slab_holds_as_many_buffers_as_a_page_and_in_order(void **state)
{
    (void)state;
    for (uint32_t number = 0; number < CACHES; number++) {
        struct host_heap *host = host_heap_new(tested_strategy, PAGES_4);
        uint32_t bytes = buffer_bytes[number];
        uint8_t *page = host->heap.region.arena;
        for (uint32_t i = 0; i < PAGE_BYTES / bytes; i++)
            assert_ptr_equal(tested_strategy->alloc(&host->heap, bytes, 8), page + i * bytes);
        assert_ptr_equal(tested_strategy->alloc(&host->heap, bytes, 8), page + PAGE_BYTES);
        host_heap_assert_sound(host, "a full slab and another");
        assert_true(PAGE_BYTES % bytes <= PAGE_BYTES / 8); /* as the paper wants it */
        host_heap_delete(host);
    }
}

static void buffers_are_taken_from_slabs_and_pages_wander(void **state)
{
    static const struct script_row rows[] = {
        {"the heap begins as one run", PAGES_4, "", "-16384"},
        {"a page becomes a slab", PAGES_4, "a2048", "+2048 ?2048 -12288"},
        {"which is used up", PAGES_4, "a2048 b2048", "+2048 +2048 -12288"},
        {"before another one", PAGES_4, "a2048 b2048 c2048", "+2048 +2048 +2048 ?2048 -8192"},
        {"each size has its own", PAGES_4, "a2048 b1360",
         "+2048 ?2048 +1360 ?1360 ?1360 -8192"},
        {"the buffer freed last comes first", PAGES_4, "a1360 b1360 c1360 -a -b d1360",
         "?1360 +1360 +1360 -12288"},
        {"a full slab is found again", PAGES_4, "a2048 b2048 -a c2048", "+2048 +2048 -12288"},
        {"a complete slab stays with its cache", PAGES_4, "a2048 -a", "?4096 -12288"},
        {"and is used by it again", PAGES_4, "a2048 -a b2048", "+2048 ?2048 -12288"},
        {"but after those that are partial", PAGES_4, "a2048 b2048 c2048 d2048 -a -b -c e2048",
         "?4096 +2048 +2048 -8192"},
        {"and by no other", PAGES_4, "a2048 -a b1360", "?4096 +1360 ?1360 ?1360 -8192"},
        {"until pages are short", PAGES_4, "a2048 -a b12289", "+16384"},
        {"and then all caches give back", PAGES_4, "a2048 b1360 -a -b c8193", "+12288 -4096"},
        {"for another cache, too", PAGES_4, "a2048 b12288 -a c1360",
         "+1360 ?1360 ?1360 +12288"},
        {"a slab in use is not given back", PAGES_4, "a2048 b2048 -a !c12289",
         "?2048 +2048 -12288"},
        {"what cannot be is not tried", PAGES_4, "a2048 -a !b16385", "?4096 -12288"},
    };
    (void)state;
    script_table(rows, sizeof(rows) / sizeof(rows[0]));
}

static void large_blocks_are_runs_of_pages(void **state)
{
    static const struct script_row rows[] = {
        {"half a page and a byte is a page", PAGES_4, "a2049", "+4096 -12288"},
        {"the whole arena", PAGES_4, "a16384", "+16384"},
        {"the smallest run that fits is taken", PAGES_8,
         "a8192 b4096 c4096 d4096 -a -c e4096", "-8192 +4096 +4096 +4096 -12288"},
        {"also by a slab", PAGES_8, "a8192 b4096 c4096 d4096 -a -c e2048",
         "-8192 +4096 +2048 ?2048 +4096 -12288"},
        {"a freed run merges with the one below", PAGES_4, "a4096 b4096 c4096 -a -b",
         "-8192 +4096 -4096"},
        {"with the one above", PAGES_4, "a4096 b4096 c4096 -b -a", "-8192 +4096 -4096"},
        {"with both", PAGES_4, "a4096 b4096 c4096 -a -c -b", "-16384"},
        {"with none", PAGES_4, "a4096 b4096 c4096 d4096 -b", "+4096 -4096 +4096 +4096"},
        {"a large block grows into the run above", PAGES_4, "a4096 a=8192", "+8192 -8192"},
        {"all of it, if it must", PAGES_4, "a4096 a=16384", "+16384"},
        {"but no further", PAGES_4, "a4096 b8192 !a=4097 -b !a=16385", "+4096 -12288"},
        {"nor where too little is free", PAGES_4, "a4096 b4096 c4096 -b !a=8193",
         "+4096 -4096 +4096 -4096"},
        {"nor over the arena's end", PAGES_4, "a12288 b4096 !b=4097", "+12288 +4096"},
        {"shrinking gives pages back", PAGES_4, "a12288 a=4096", "+4096 -12288"},
        {"which merge", PAGES_4, "a8192 b4096 -b a=1", "+4096 -12288"},
        {"pages that were given back are free", PAGES_4, "a12288 a=8192 b4096 c4096 -b -c",
         "+8192 -8192"},
        {"a buffer has the size that it has", PAGES_4, "a1361 a=2048 a=1 !a=2049",
         "+2048 ?2048 -12288"},
    };
    (void)state;
    script_table(rows, sizeof(rows) / sizeof(rows[0]));
}

/* Above 4 KiB, where the aligned addresses are depends on where the arena is. */
static void aligned_runs_leave_a_run_on_either_side(void **state)
{
    (void)state;
    for (uint32_t align = 4096; align <= 16384; align *= 2) {
        struct script_blocks blocks = {{NULL}};
        char script[64];
        snprintf(script, sizeof(script), "a4097@%u b100 c5000 -a -c -b", align);
        struct host_heap *host = script_heap(PAGES_8, &blocks, script);
        assert_non_null(tested_strategy->alloc(&host->heap, 8 * PAGE_BYTES, 8));
        host_heap_delete(host);
    }
}

/* An arena wherever it is wanted, which matters to alignment above 4 KiB. */
static struct heap heap_at(uint8_t *arena, uint32_t pages, struct slab_heap *control)
{
    const uint32_t map_bytes = pages * sizeof(struct page);
    const struct heap heap = {.region = {.map = arena - map_bytes,
                                         .map_bytes = map_bytes,
                                         .arena = arena,
                                         .arena_bytes = map_bytes * HEAP_BYTES_PER_MAP_BYTE},
                              .control = control};
    tested_strategy->init(&heap);
    return heap;
}

/* An arena of two pages, of which the second is a multiple of 8192. */
static void a_run_is_long_enough_behind_its_first_aligned_page(void **state)
{
    (void)state;
    uint8_t *memory = aligned_alloc(8192, 4 * 8192);
    assert_non_null(memory);
    uint8_t *arena = memory + 8192 + 4096;
    struct slab_heap control;
    const struct heap heap = heap_at(arena, 2, &control);
    assert_null(tested_strategy->alloc(&heap, 4097, 8192));
    assert_ptr_equal(tested_strategy->alloc(&heap, 4096, 8192), arena + 4096);
    assert_ptr_equal(tested_strategy->alloc(&heap, 4096, 4096), arena);
    assert_null(tested_strategy->check(&heap));
    free(memory);
}

static void an_aligned_run_begins_at_the_first_multiple_there_is(void **state)
{
    (void)state;
    uint8_t *memory = aligned_alloc(16384, 4 * 16384);
    assert_non_null(memory);
    for (uint32_t page = 1; page <= 4; page++) {
        struct slab_heap control;
        const struct heap heap = heap_at(memory + 16384 + page * PAGE_BYTES, 4, &control);
        assert_ptr_equal(tested_strategy->alloc(&heap, 100, 16384), memory + 2 * 16384);
        assert_null(tested_strategy->check(&heap));
    }
    free(memory);
}

/* Where the side array ends, the first page begins, whose owner may write anything. */
static void what_lies_behind_the_side_array_is_no_page(void **state)
{
    (void)state;
    struct script_blocks blocks = {{NULL}};
    struct host_heap *host = script_heap(PAGES_4, &blocks, "a12288 b4096");
    const struct page looks_free = {.pages = 1, .kind = PAGE_FREE};
    memcpy(blocks.address['a'], &looks_free, sizeof(looks_free));
    assert_false(tested_strategy->resize(&host->heap, blocks.address['b'], 4097));
    assert_true(tested_strategy->free(&host->heap, blocks.address['b']));
    host_heap_assert_sound(host, "free");
    assert_memory_equal(blocks.address['a'], &looks_free, sizeof(looks_free));
    host_heap_delete(host);
}

/* Page 0 is a slab of 2048, +?; page 1 is one of 1360, ??+; page 2 is complete; 3 is free. */
static struct host_heap *sample(void)
{
    struct script_blocks blocks = {{NULL}};
    struct host_heap *host = script_heap(PAGES_4, &blocks, "a2048 b1360 c1360 d1360 e1024 -b -c -e");
    return host;
}

/* A word of the mutant has another value. */
static void mutate(const struct host_heap *host, void *where, uint32_t value, const char *label)
{
    uint32_t was;
    memcpy(&was, where, sizeof(was));
    memcpy(where, &value, sizeof(value));
    assert_label(tested_strategy->check(&host->heap), label);
    memcpy(where, &was, sizeof(was));
    assert_null(tested_strategy->check(&host->heap));
}

static void mutate_byte(const struct host_heap *host, uint8_t *where, uint8_t value,
                        const char *label)
{
    uint8_t was = *where;
    *where = value;
    assert_label(tested_strategy->check(&host->heap), label);
    *where = was;
    assert_null(tested_strategy->check(&host->heap));
}

static uint32_t address_of(const void *place)
{
    return (uint32_t)(uintptr_t)place;
}

static void mutants_of_runs_are_named(void **state)
{
    (void)state;
    struct host_heap *host = sample();
    struct page *page = page_first(&host->heap);
    mutate(host, &page[0].pages, 0, "I1");
    mutate(host, &page[0].pages, 2, "I1");
    mutate(host, &page[3].pages, 2, "I1");
    mutate_byte(host, &page[1].kind, PAGE_REST, "I1");
    mutate_byte(host, &page[1].kind, 4, "I1");
    mutate(host, &page[3].link, address_of(&page[2].next), "I4");
    mutate(host, &page[3].next, address_of(&page[0]), "I4");
    mutate(host, &page[3].next, address_of(&page[0]) + 4, "I4");
    mutate(host, &page[3].next, address_of(&page[4]), "I4");
    mutate(host, run_list(&host->heap), 0, "I4");
    host_heap_delete(host);
}

static void mutants_of_longer_runs_are_named(void **state)
{
    (void)state;
    struct script_blocks blocks = {{NULL}};
    struct host_heap *host = script_heap(PAGES_8, &blocks, "a8192 b8192 -a");
    struct page *page = page_first(&host->heap);
    mutate_byte(host, &page[1].kind, PAGE_REST, "I2");
    mutate(host, &page[1].pages, 1, "I2");
    mutate_byte(host, &page[3].kind, PAGE_FREE, "I2");
    mutate_byte(host, &page[3].kind, PAGE_SLAB, "I1");
    mutate_byte(host, &page[5].kind, PAGE_LARGE, "I1");
    mutate(host, &page[7].pages, 3, "I2");
    mutate(host, &page[2].pages, 0, "I1");
    memset(page_end(&host->heap), 0, sizeof(*page)); /* it would do for a page in the middle */
    mutate(host, &page[2].pages, 7, "I1");
    host_heap_delete(host);
}

/* Two free runs side by side, each of which is listed. */
static void mutants_of_i3_are_named(void **state)
{
    (void)state;
    struct script_blocks blocks = {{NULL}};
    struct host_heap *host = script_heap(PAGES_4, &blocks, "a4096");
    run_create(&host->heap, page_first(&host->heap), 1);
    assert_label(tested_strategy->check(&host->heap), "I3");
    host_heap_delete(host);
}

static void mutants_of_caches_are_named(void **state)
{
    (void)state;
    struct host_heap *host = sample();
    struct slab_heap *slab_heap = slab_heap_of(&host->heap);
    for (uint32_t number = 0; number < CACHES; number++) {
        mutate(host, &slab_heap->caches[number], 0, "I5");
        mutate_byte(host, (uint8_t *)&slab_heap->caches[number].buffers, 1, "I5");
    }
    for (uint32_t unit = 0; unit < UNITS; unit++)
        mutate_byte(host, &slab_heap->cache_of[unit],
                    (uint8_t)(slab_heap->cache_of[unit] + 1), "I5");
    host_heap_delete(host);
}

static void mutants_of_slabs_are_named(void **state)
{
    (void)state;
    struct host_heap *host = sample();
    struct page *slab = page_first(&host->heap) + 1;
    struct buffer *first = slab->free;
    uint8_t *page = page_address(&host->heap, slab);
    struct buffer *behind_last = (struct buffer *)(void *)(page + 3 * 1360);
    assert_int_equal(slab->live, 1);
    behind_last->next = first->next; /* it would do for a buffer, were there room for it */
    mutate_byte(host, (uint8_t *)&slab->live, 2, "I6");
    mutate_byte(host, (uint8_t *)&slab->live, 4, "I6");
    mutate_byte(host, &slab->cache, CACHES, "I6");
    mutate_byte(host, &slab->cache, 0, "I6");
    mutate(host, &slab->free, 0, "I6");
    mutate(host, &slab->free, address_of(page) + 4, "I6");
    mutate(host, &slab->free, address_of(behind_last), "I6");
    mutate(host, &slab->free, address_of(page) - 1360, "I6");
    mutate(host, &first->next, address_of(first), "I6");
    mutate(host, &first->next, 0, "I6");
    mutate(host, &first->next, 8, "I6");
    host_heap_delete(host);
}

static void mutants_of_slab_lists_are_named(void **state)
{
    (void)state;
    struct host_heap *host = sample();
    struct page *page = page_first(&host->heap);
    struct cache *caches = slab_heap_of(&host->heap)->caches;
    mutate(host, &page[0].link, 0, "I7");
    mutate(host, &page[0].next, address_of(&page[0]), "I7");
    mutate(host, &page[0].next, address_of(&page[1]), "I7");
    mutate(host, &page[0].next, address_of(&page[4]), "I7");
    mutate(host, &page[0].next, 8, "I7");
    mutate(host, &caches[25].complete, address_of(&page[0]), "I7");
    mutate(host, &caches[25].partial, address_of(&page[3]), "I7");
    mutate(host, &caches[0].partial, address_of(&page[0]), "I7");
    mutate(host, &caches[25].partial, 0, "I8");
    mutate(host, &caches[23].complete, 0, "I8");
    mutate_byte(host, &page[1].kind, PAGE_LARGE, "I7"); /* it is still listed as a slab */
    host_heap_delete(host);
}

/* Linked as they should be, but not where they should be. */
static void slabs_in_lists_of_others_are_found(void **state)
{
    (void)state;
    struct host_heap *host = sample();
    struct page *slab = page_first(&host->heap) + 1; /* of cache 24, and partial */
    struct cache *caches = slab_heap_of(&host->heap)->caches;
    struct page **others[] = {&caches[25].partial, &caches[24].complete};
    for (size_t i = 0; i < 2; i++) {
        page_list_remove(slab);
        page_list_insert(others[i], slab);
        assert_label(tested_strategy->check(&host->heap), "I7");
    }
    page_list_remove(slab);
    page_list_insert(&caches[24].partial, slab);
    host_heap_assert_sound(host, "putting the slab back");
    for (int taken = 0; taken < 2; taken++)
        assert_non_null(tested_strategy->alloc(&host->heap, 1360, 8));
    page_list_insert(&caches[24].partial, slab); /* a full one is in no list */
    assert_label(tested_strategy->check(&host->heap), "I7");
    host_heap_delete(host);
}

/* There the first page begins, whose owner may write what looks like a page of a list. */
static void a_list_that_leads_behind_the_side_array_is_found(void **state)
{
    (void)state;
    struct host_heap *host = sample();
    const struct page *page = page_first(&host->heap);
    struct cache *cache = &slab_heap_of(&host->heap)->caches[25];
    void *behind = host->heap.region.arena;
    memcpy(behind, &page[3], sizeof(*page));
    mutate(host, run_list(&host->heap), address_of(behind), "I4");
    memcpy(behind, &page[0], sizeof(*page));
    mutate(host, &cache->partial, address_of(behind), "I7");
    host_heap_delete(host);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(sizes_are_rounded_to_the_nearest_cache),
    cmocka_unit_test(a_slab_holds_as_many_buffers_as_a_page_and_in_order),
    cmocka_unit_test(buffers_are_taken_from_slabs_and_pages_wander),
    cmocka_unit_test(large_blocks_are_runs_of_pages),
    cmocka_unit_test(aligned_runs_leave_a_run_on_either_side),
    cmocka_unit_test(a_run_is_long_enough_behind_its_first_aligned_page),
    cmocka_unit_test(an_aligned_run_begins_at_the_first_multiple_there_is),
    cmocka_unit_test(what_lies_behind_the_side_array_is_no_page),
    cmocka_unit_test(mutants_of_runs_are_named),
    cmocka_unit_test(mutants_of_longer_runs_are_named),
    cmocka_unit_test(mutants_of_i3_are_named),
    cmocka_unit_test(mutants_of_caches_are_named),
    cmocka_unit_test(mutants_of_slabs_are_named),
    cmocka_unit_test(mutants_of_slab_lists_are_named),
    cmocka_unit_test(slabs_in_lists_of_others_are_found),
    cmocka_unit_test(a_list_that_leads_behind_the_side_array_is_found),
};

const struct cases slab_cases = {tests, sizeof(tests) / sizeof(tests[0])};
