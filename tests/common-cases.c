/* SPDX-License-Identifier: MIT */
/* What every strategy is put through, by way of its table. */
#include "cases.h"

#include <ctype.h>
#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

#include "host_heap.h"
#include "random_calls.h"

enum {
    SMALL_MAP_BYTES = 64,     /* 4 KiB of arena */
    MIDDLE_MAP_BYTES = 1024,  /* 64 KiB */
    LARGE_MAP_BYTES = 16384,  /* 1 MiB */
};

static void stress(uint32_t map_bytes, uint32_t size_max, uint32_t steps, uint32_t seed)
{
    struct random_calls calls = random_calls_begin(map_bytes, size_max, seed);
    for (uint32_t i = 0; i < steps; i++) {
        random_calls_step(&calls);
        random_calls_verify(&calls);
    }
    random_calls_drain(&calls);
    random_calls_end(&calls);
}

static void random_calls_on_a_small_heap_agree_with_the_oracle(void **state)
{
    (void)state;
    stress(SMALL_MAP_BYTES, 1000, 5000, tested_seed);
}

static void random_calls_on_a_middle_heap_agree_with_the_oracle(void **state)
{
    (void)state;
    stress(MIDDLE_MAP_BYTES, 2000, 3000, tested_seed + 1);
}

static void random_calls_on_a_large_heap_agree_with_the_oracle(void **state)
{
    (void)state;
    stress(LARGE_MAP_BYTES, 40000, 300, tested_seed + 2);
}

/* From 520 bytes on: such a heap may grant nothing, but must not fail otherwise. */
static void tiny_heaps_are_sound(void **state)
{
    (void)state;
    for (uint32_t map_bytes = 8; map_bytes <= 128; map_bytes += 8)
        stress(map_bytes, 600, 200, tested_seed + map_bytes);
}

static void a_thousand_heaps_do_not_disturb_one_another(void **state)
{
    enum { HEAPS = 1000, ROUNDS = 30 };
    static struct random_calls calls[HEAPS];
    (void)state;
    for (uint32_t i = 0; i < HEAPS; i++)
        calls[i] = random_calls_begin(SMALL_MAP_BYTES, 600, tested_seed + i);
    for (uint32_t round = 0; round < ROUNDS; round++)
        for (uint32_t i = 0; i < HEAPS; i++)
            random_calls_step(&calls[i]);
    for (uint32_t i = 0; i < HEAPS; i++) {
        random_calls_verify(&calls[i]);
        random_calls_drain(&calls[i]);
        random_calls_end(&calls[i]);
    }
}

static uint32_t place_of(const struct random_calls *calls, uint32_t block)
{
    const struct oracle *oracle = calls->oracle;
    return (uint32_t)(oracle->state.block[block].address - oracle->host->heap.region.map);
}

static void equal_calls_give_equal_heaps(void **state)
{
    (void)state;
    struct random_calls one = random_calls_begin(MIDDLE_MAP_BYTES, 2000, tested_seed);
    struct random_calls other = random_calls_begin(MIDDLE_MAP_BYTES, 2000, tested_seed);
    for (uint32_t i = 0; i < 500; i++) {
        random_calls_step(&one);
        random_calls_step(&other);
        assert_int_equal(one.oracle->state.count, other.oracle->state.count);
        for (uint32_t b = 0; b < one.oracle->state.count; b++)
            assert_int_equal(place_of(&one, b), place_of(&other, b));
    }
    random_calls_end(&one);
    random_calls_end(&other);
}

static void alloc_refuses_sizes_near_4_gib(void **state)
{
    static const uint32_t sizes[] = {0xFFFFFFFF, 0xFFFFFFF8, 0xFFFFFFC1, 0xFFFFFFC0, 0xFFFFF000,
                                     0x80000001, 0x80000000, 0x7FFFFFFF};
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MIDDLE_MAP_BYTES);
    for (uint32_t align = 8; align != 0; align *= 2)
        for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
            if (tested_strategy->alloc(&host->heap, sizes[i], align) != NULL)
                fail_msg("a request for %u bytes, aligned to %u, was granted, where the heap has "
                         "only %u", sizes[i], align, host_heap_region_bytes(host));
    host_heap_assert_sound(host, "requests near 4 GiB");
    struct heap_stats stats;
    heap_measure(tested_strategy, &host->heap, &stats);
    assert_int_equal(stats.live_blocks, 0);
    host_heap_delete(host);
}

static void resize_refuses_sizes_near_4_gib(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MIDDLE_MAP_BYTES);
    void *block = tested_strategy->alloc(&host->heap, 100, HEAP_ALIGNMENT_BYTES);
    assert_non_null(block);
    uint32_t usable = tested_strategy->usable(&host->heap, block);
    for (uint32_t size = 0xFFFFFFFF; size > 0x40000000; size -= 0x0FFFFFC1)
        assert_false(tested_strategy->resize(&host->heap, block, size));
    assert_int_equal(tested_strategy->usable(&host->heap, block), usable);
    host_heap_assert_sound(host, "resizing to nearly 4 GiB");
    host_heap_delete(host);
}

static void *first_block_of(struct host_heap *host, uint32_t size)
{
    tested_strategy->init(&host->heap);
    void *block = tested_strategy->alloc(&host->heap, size, HEAP_ALIGNMENT_BYTES);
    assert_non_null(block);
    return block;
}

/* It holds so much already: whatever the strategy, there is nothing to be done. */
static void assert_may_stay(const struct host_heap *host, void *block, const char *where)
{
    uint32_t usable = tested_strategy->usable(&host->heap, block);
    if (!tested_strategy->resize(&host->heap, block, usable) ||
        tested_strategy->usable(&host->heap, block) != usable)
        fail_msg("a block of %u usable bytes, %s, was resized to just as many, in vain", usable,
                 where);
    host_heap_assert_sound(host, "resizing a block to what it is");
}

static void resize_to_what_is_usable_succeeds(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MIDDLE_MAP_BYTES);
    for (uint32_t size = 1; size <= 6000; size += 1 + size / 8) {
        void *block = first_block_of(host, size);
        assert_may_stay(host, block, "alone in the heap");
        block = first_block_of(host, size);
        assert_non_null(tested_strategy->alloc(&host->heap, size, HEAP_ALIGNMENT_BYTES));
        assert_may_stay(host, block, "the first of two");
    }
    host_heap_delete(host);
}

/* Tries all addresses of the region, and 200 below and above. */
static void assert_only_block_is_known(struct host_heap *host, const uint8_t *block)
{
    uintptr_t first = (uintptr_t)host->heap.region.map - 200;
    uint32_t count = host_heap_region_bytes(host) + 2 * 200;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *address = (uint8_t *)(first + i);
        if (address == block)
            continue;
        if (tested_strategy->resize != NULL && tested_strategy->resize(&host->heap, address, 1))
            fail_msg("resize accepted an address %d bytes behind the only live block's beginning",
                     (int32_t)((uintptr_t)address - (uintptr_t)block));
        if (tested_strategy->free(&host->heap, address))
            fail_msg("free accepted an address %d bytes behind the only live block's beginning",
                     (int32_t)((uintptr_t)address - (uintptr_t)block));
    }
}

/* What the owner writes into the block must not matter: small values are tried, which a
 * strategy that reads beyond its side array could take for its own. */
static void every_address_but_the_live_blocks_is_refused(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, SMALL_MAP_BYTES);
    uint8_t *block = tested_strategy->alloc(&host->heap, 200, HEAP_ALIGNMENT_BYTES);
    assert_non_null(block);
    for (int value = 0; value <= 4; value++) {
        memset(block, value, 200);
        assert_only_block_is_known(host, block);
    }
    assert_true(tested_strategy->free(&host->heap, block));
    assert_false(tested_strategy->free(&host->heap, block));
    host_heap_delete(host);
}

static void init_forgets_everything(void **state)
{
    (void)state;
    struct random_calls calls = random_calls_begin(MIDDLE_MAP_BYTES, 1000, tested_seed);
    struct host_heap *used = calls.oracle->host;
    struct host_heap *fresh = host_heap_new(tested_strategy, MIDDLE_MAP_BYTES);
    for (uint32_t i = 0; i < 300; i++)
        random_calls_step(&calls);
    tested_strategy->init(&used->heap);
    struct heap_stats once, anew;
    heap_measure(tested_strategy, &fresh->heap, &once);
    heap_measure(tested_strategy, &used->heap, &anew);
    assert_memory_equal(&once, &anew, sizeof(once));
    host_heap_assert_sound(used, "init on a used heap");
    host_heap_delete(fresh);
    random_calls_end(&calls);
}

static void assert_is_a_label(const char *label)
{
    if (label == NULL)
        return;
    const char *at = label + 1;
    while (isdigit((unsigned char)*at))
        at++;
    if (label[0] != 'I' || at == label + 1 || strncmp(at, ": ", 2) != 0)
        fail_msg("check() said \"%s\"; a label looks like \"I1: ...\"", label);
}

static uint8_t *random_byte_of(struct host_heap *host, struct random *random)
{
    uint32_t control_bytes = tested_strategy->control_bytes;
    if (control_bytes > 0 && random_below(random, 2) == 0)
        return (uint8_t *)host->heap.control + random_below(random, control_bytes);
    if (random_below(random, 2) == 0)
        return host->heap.region.map + random_below(random, host->heap.region.map_bytes);
    return host->heap.region.map + random_below(random, host_heap_region_bytes(host));
}

/* It need not notice every damage; it must come back, and touch only its own memory. */
static void check_survives_any_damage(void **state)
{
    enum { HEAPS = 200, DAMAGES = 30 };
    (void)state;
    for (uint32_t i = 0; i < HEAPS; i++) {
        struct random_calls calls = random_calls_begin(SMALL_MAP_BYTES, 500, tested_seed + i);
        for (uint32_t call = 0; call < 60; call++)
            random_calls_step(&calls);
        for (uint32_t damage = 0; damage < DAMAGES; damage++) {
            uint32_t word = random_word(&calls.random);
            uint8_t *byte = random_byte_of(calls.oracle->host, &calls.random);
            *byte = word % 3 == 0 ? (uint8_t)(word >> 8) : (uint8_t)(*byte ^ 1U << (word >> 8) % 8);
            assert_is_a_label(tested_strategy->check(&calls.oracle->host->heap));
        }
        random_calls_end(&calls);
    }
}

static void check_survives_random_memory(void **state)
{
    enum { HEAPS = 3000 };
    (void)state;
    struct random random;
    random_seed(&random, tested_seed);
    struct host_heap *host = host_heap_new(tested_strategy, 16);
    for (uint32_t i = 0; i < HEAPS; i++) {
        for (uint32_t b = 0; b < host_heap_region_bytes(host); b++)
            host->heap.region.map[b] = (uint8_t)(random_word(&random) >> 8);
        for (uint32_t b = 0; b < tested_strategy->control_bytes; b++)
            ((uint8_t *)host->heap.control)[b] = (uint8_t)(random_word(&random) >> 8);
        assert_is_a_label(tested_strategy->check(&host->heap));
    }
    host_heap_delete(host);
}

static void the_table_is_complete(void **state)
{
    (void)state;
    assert_non_null(tested_strategy->name);
    assert_non_null(tested_strategy->source);
    assert_true(strlen(tested_strategy->source) > 0);
    assert_true(tested_strategy->control_bytes <= HEAP_CONTROL_BYTES_MAX);
    assert_true(tested_strategy->init != NULL && tested_strategy->alloc != NULL);
    assert_true(tested_strategy->free != NULL && tested_strategy->usable != NULL);
    assert_true(tested_strategy->walk != NULL && tested_strategy->check != NULL);
}

/* Those first that judge each call: what is wrong is better told than run into. */
/* --- where the strategy is cut in two: what the front door leaves to the halves ----------- */

static void both_halves_give_null_for_a_size_of_0(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MIDDLE_MAP_BYTES);
    assert_null(host_heap_alloc(host, 0, HEAP_ALIGNMENT_BYTES));
    void *block = host_heap_alloc(host, 1, HEAP_ALIGNMENT_BYTES);
    assert_true(host_heap_free(host, block));
    assert_null(host_heap_alloc(host, 0, HEAP_ALIGNMENT_BYTES));
    host_heap_assert_sound(host, "asking for nothing");
    host_heap_delete(host);
}

static void the_quick_half_takes_null_and_does_nothing(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MIDDLE_MAP_BYTES);
    host_heap_free(host, host_heap_alloc(host, 100, HEAP_ALIGNMENT_BYTES));
    uint8_t *before = malloc(tested_strategy->control_bytes);
    assert_non_null(before);
    memcpy(before, host->heap.control, tested_strategy->control_bytes);
    assert_true(tested_strategy->quick_free(&host->heap, NULL));
    assert_memory_equal(host->heap.control, before, tested_strategy->control_bytes);
    free(before);
    host_heap_assert_sound(host, "giving NULL back");
    host_heap_delete(host);
}

/* As kmalloc is before kinitHeap(): there is nothing yet, and the region is none of its business. */
static void a_control_block_of_zeroes_gives_nothing(void **state)
{
    static const uint32_t sizes[] = {1, 8, 9, 100, 256, 257, 4096, 4097, 30000, UINT32_MAX};
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MIDDLE_MAP_BYTES);
    memset(host->heap.control, 0, tested_strategy->control_bytes);
    __asan_poison_memory_region(host->heap.region.map, host_heap_region_bytes(host));
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        if (host_heap_alloc(host, sizes[i], HEAP_ALIGNMENT_BYTES) != NULL)
            fail_msg("%u bytes were given out before init", sizes[i]);
    host_heap_delete(host);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_table_is_complete),
    cmocka_unit_test(alloc_refuses_sizes_near_4_gib),
    cmocka_unit_test(tiny_heaps_are_sound),
    cmocka_unit_test(random_calls_on_a_small_heap_agree_with_the_oracle),
    cmocka_unit_test(random_calls_on_a_middle_heap_agree_with_the_oracle),
    cmocka_unit_test(random_calls_on_a_large_heap_agree_with_the_oracle),
    cmocka_unit_test(init_forgets_everything),
    cmocka_unit_test(equal_calls_give_equal_heaps),
    cmocka_unit_test(a_thousand_heaps_do_not_disturb_one_another),
    cmocka_unit_test(check_survives_any_damage),
    cmocka_unit_test(check_survives_random_memory),
};

static const struct CMUnitTest resizing_tests[] = {
    cmocka_unit_test(resize_refuses_sizes_near_4_gib),
    cmocka_unit_test(resize_to_what_is_usable_succeeds),
};

static const struct CMUnitTest validating_tests[] = {
    cmocka_unit_test(every_address_but_the_live_blocks_is_refused),
};

static const struct CMUnitTest halves_tests[] = {
    cmocka_unit_test(both_halves_give_null_for_a_size_of_0),
    cmocka_unit_test(the_quick_half_takes_null_and_does_nothing),
    cmocka_unit_test(a_control_block_of_zeroes_gives_nothing),
};

const struct cases common_cases = {tests, sizeof(tests) / sizeof(tests[0])};
const struct cases resizing_cases = {resizing_tests, 2};
const struct cases validating_cases = {validating_tests, 1};
const struct cases halves_cases = {halves_tests, 3};
