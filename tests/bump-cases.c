/* SPDX-License-Identifier: MIT */
/* What only bump promises: where each block lies, and which damage its check names. */
#include "cases.h"
#include "host_heap.h"

enum { MAP_BYTES = 8, REGION_BYTES = MAP_BYTES + 64 * MAP_BYTES };

/* Distances from the region's end: of the payload, and of where its block begins. */
static const struct request {
    const char *claim;
    uint32_t size;
    uint32_t align;
    uint32_t payload;
    uint32_t block;
} requests[] = {
    {"the first block ends where the region ends", 8, 8, 8, 12},
    {"the next ends at the first one's link", 4, 8, 16, 20},
    {"four bytes and a link are eight", 1, 8, 24, 28},
    {"five bytes and a link are sixteen", 5, 8, 40, 44},
    {"twelve are sixteen, too", 12, 8, 56, 60},
    {"alignment rounds down", 1, 64, 64, 68},
    {"what it skips belongs to the block", 1, 256, 256, 260},
    {"the heap goes on below", 20, 8, 280, 284},
    {"up to the last byte but four", 228, 8, 512, 516},
};

static struct host_heap *filled_heap(void)
{
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        assert_non_null(tested_strategy->alloc(&host->heap, requests[i].size, requests[i].align));
    return host;
}

static uint8_t *end_of(const struct host_heap *host)
{
    return host->heap.region.map + REGION_BYTES;
}

/* The control block of bump, written down a second time on purpose. */
static uintptr_t *low_of(const struct host_heap *host)
{
    return host->heap.control;
}

static void blocks_grow_downwards_with_one_word_between_them(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    uint32_t above = 0; /* where the block above begins */
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        const struct request *request = &requests[i];
        uint8_t *address = tested_strategy->alloc(&host->heap, request->size, request->align);
        if (address == NULL || address != end_of(host) - request->payload)
            fail_msg("%s: at %p, expected %p", request->claim, (void *)address,
                     (void *)(end_of(host) - request->payload));
        assert_ptr_equal((uint8_t *)*low_of(host), end_of(host) - request->block);
        assert_int_equal(tested_strategy->usable(&host->heap, address), request->payload - above);
        host_heap_assert_sound(host, request->claim);
        above = request->block;
    }
    assert_null(tested_strategy->alloc(&host->heap, 1, 8));
    assert_ptr_equal((uint8_t *)*low_of(host), host->heap.region.map + 4);
    host_heap_delete(host);
}

static void a_request_for_all_that_is_left_is_the_largest(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    assert_null(tested_strategy->alloc(&host->heap, REGION_BYTES - 7, 8));
    uint8_t *all = tested_strategy->alloc(&host->heap, REGION_BYTES - 8, 8);
    assert_ptr_equal(all, host->heap.region.map + 8);
    assert_int_equal(tested_strategy->usable(&host->heap, all), REGION_BYTES - 8);
    host_heap_assert_sound(host, "one block took all");
    host_heap_delete(host);
}

static void freeing_changes_nothing(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    uint8_t *address = tested_strategy->alloc(&host->heap, 100, 8);
    uintptr_t low = *low_of(host);
    assert_true(tested_strategy->free(&host->heap, address));
    assert_int_equal(*low_of(host), low);
    assert_int_equal(tested_strategy->usable(&host->heap, address), 104);
    host_heap_delete(host);
}

static void mutants_of_i1_are_named(void **state)
{
    static const int32_t offsets[] = {-8, -4, 0, 1, 8, 10, REGION_BYTES - 8, REGION_BYTES + 4,
                                      REGION_BYTES + 8, 0x7FFFFFFC};
    (void)state;
    struct host_heap *host = filled_heap();
    for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        *low_of(host) = (uintptr_t)host->heap.region.map + (uint32_t)offsets[i];
        assert_label(tested_strategy->check(&host->heap), "I1");
    }
    host_heap_delete(host);
}

static void mutants_of_i2_are_named(void **state)
{
    (void)state;
    struct host_heap *host = filled_heap();
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        uintptr_t *link = (uintptr_t *)(void *)(end_of(host) - requests[i].block);
        uintptr_t sound = *link;
        uintptr_t wrong[] = {0, (uintptr_t)link - 8, (uintptr_t)link, (uintptr_t)link + 4,
                             sound + 1, sound - 2, sound + 0x80000000U,
                             (uintptr_t)end_of(host) + 8};
        for (size_t w = 0; w < sizeof(wrong) / sizeof(wrong[0]); w++) {
            *link = wrong[w];
            assert_label(tested_strategy->check(&host->heap), "I2");
        }
        *link = sound;
        assert_null(tested_strategy->check(&host->heap));
    }
    host_heap_delete(host);
}

/* Its link leads to the arena's end, as a link may, and not behind its payload. */
static void an_empty_block_is_i2_even_at_the_end(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    uintptr_t *link = (uintptr_t *)(void *)(end_of(host) - sizeof(uintptr_t));
    *link = (uintptr_t)end_of(host);
    *low_of(host) = (uintptr_t)link;
    assert_label(tested_strategy->check(&host->heap), "I2");
    host_heap_delete(host);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(blocks_grow_downwards_with_one_word_between_them),
    cmocka_unit_test(a_request_for_all_that_is_left_is_the_largest),
    cmocka_unit_test(freeing_changes_nothing),
    cmocka_unit_test(mutants_of_i1_are_named),
    cmocka_unit_test(mutants_of_i2_are_named),
    cmocka_unit_test(an_empty_block_is_i2_even_at_the_end),
};

const struct cases bump_cases = {tests, sizeof(tests) / sizeof(tests[0])};
