/* SPDX-License-Identifier: MIT */
/* What only half-fit promises: which list a block comes from, and what that refuses. */
#include "cases.h"
#include "host_heap.h"

enum {
    MAP_BYTES = 64,
    BLOCKS_MAX = 8,
    HEADER_BYTES = 4,
    FREE_BIT = 1,
    PREVIOUS_FREE_BIT = 2,
    LISTS = 27,
};

/* The control block, written down a second time on purpose: the tests pin it. */
struct control {
    uint32_t lists;
    uint32_t heads[LISTS];
};

static struct control *control_of(const struct host_heap *host)
{
    return host->heap.control;
}

/* Returns: a block of that many bytes, header included; NULL if it is refused. */
static uint8_t *take(const struct host_heap *host, uint32_t bytes)
{
    return tested_strategy->alloc(&host->heap, bytes - HEADER_BYTES, HEAP_ALIGNMENT_BYTES);
}

static void give(const struct host_heap *host, uint8_t *block)
{
    assert_true(tested_strategy->free(&host->heap, block));
    host_heap_assert_sound(host, "free");
}

static uint32_t largest_hole(const struct host_heap *host)
{
    struct heap_stats stats;
    heap_measure(tested_strategy, &host->heap, &stats);
    return stats.largest_free_bytes;
}

/* Takes blocks until there is no hole: the lists then hold what a test puts there. */
static void fill(const struct host_heap *host)
{
    for (uint32_t bytes = largest_hole(host); bytes > 0; bytes = largest_hole(host)) {
        uint32_t sure = 1U << (31 - __builtin_clz(bytes));
        assert_non_null(take(host, sure));
    }
}

/*
 * Makes a full heap whose only holes have these sizes, the first freed
 * last. hole[i] is where a block in the i-th would begin.
 */
static struct host_heap *heap_with_holes(const uint32_t *bytes, uint32_t count, uint8_t **hole)
{
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    for (uint32_t i = 0; i < count; i++) {
        hole[i] = take(host, bytes[i]);
        assert_non_null(hole[i]);
        assert_non_null(take(host, 16));
    }
    fill(host);
    for (uint32_t i = count; i > 0; i--)
        give(host, hole[i - 1]);
    return host;
}

static void a_hole_comes_from_the_first_list_that_is_sure(void **state)
{
    enum { REFUSED = -1 };
    static const struct {
        const char *claim;
        uint32_t holes[BLOCKS_MAX]; /* ends with 0 */
        uint32_t bytes;             /* of the block asked for */
        int expected;               /* which hole */
    } rows[] = {
        {"a hole of a power of two has room for that", {512}, 512, 0},
        {"and not for more", {512}, 520, REFUSED},
        {"a hole that would do is refused for the list it is in", {528}, 520, REFUSED},
        {"even one that fits exactly", {520}, 520, REFUSED},
        {"even the largest in its list", {1016}, 520, REFUSED},
        {"the list above is sure", {528, 1024}, 520, 1},
        {"a power of two is searched for in its own list", {1024, 520}, 512, 1},
        {"the lowest list that is sure comes first", {1024, 256, 512}, 200, 1},
        {"the hole that was freed last comes first", {80, 72, 64}, 64, 0},
        {"not the one that fits best", {120, 64}, 64, 0},
        {"a list that is empty is passed over", {64, 1024}, 72, 1},
        {"the smallest block comes from the smallest hole", {64, 32}, 16, 1},
    };
    (void)state;
    for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t *hole[BLOCKS_MAX];
        uint32_t count = 0;
        while (rows[i].holes[count] != 0)
            count++;
        struct host_heap *host = heap_with_holes(rows[i].holes, count, hole);
        uint8_t *got = take(host, rows[i].bytes);
        uint8_t *expected = rows[i].expected == REFUSED ? NULL : hole[rows[i].expected];
        if (got != expected)
            fail_msg("%s: %u bytes came from %p; expected %p", rows[i].claim, rows[i].bytes,
                     (void *)got, (void *)expected);
        host_heap_assert_sound(host, rows[i].claim);
        host_heap_delete(host);
    }
}

static void what_is_left_of_a_hole_is_a_hole_from_16_bytes_on(void **state)
{
    (void)state;
    for (uint32_t left = 0; left <= 40; left += 8) {
        const uint32_t hole_bytes = 256 + left;
        uint8_t *hole;
        struct host_heap *host = heap_with_holes(&hole_bytes, 1, &hole);
        assert_ptr_equal(take(host, 256), hole);
        uint32_t granted = tested_strategy->usable(&host->heap, hole) + HEADER_BYTES;
        assert_int_equal(granted, left < 16 ? hole_bytes : 256);
        host_heap_assert_sound(host, "a split");
        host_heap_delete(host);
    }
}

static void resize_takes_all_of_the_hole_behind_if_it_must(void **state)
{
    (void)state;
    const uint32_t hole_bytes = 256;
    uint8_t *hole;
    struct host_heap *host = heap_with_holes(&hole_bytes, 1, &hole);
    uint8_t *block = take(host, 128);
    assert_ptr_equal(block, hole);
    assert_false(tested_strategy->resize(&host->heap, block, 256 - HEADER_BYTES + 1));
    assert_true(tested_strategy->resize(&host->heap, block, 256 - HEADER_BYTES));
    assert_int_equal(tested_strategy->usable(&host->heap, block), 256 - HEADER_BYTES);
    assert_int_equal(largest_hole(host), 0);
    assert_true(tested_strategy->resize(&host->heap, block, 100));
    assert_int_equal(largest_hole(host), 256 - 104);
    host_heap_assert_sound(host, "resizing");
    host_heap_delete(host);
}

static void an_aligned_block_leaves_no_gap_or_one_that_is_enough_for_a_hole(void **state)
{
    enum { ALIGN_MAX = 512, BLOCK_BYTES_MIN = 16 };
    (void)state;
    for (uint32_t align = 16; align <= ALIGN_MAX; align *= 2)
        for (uint32_t before = BLOCK_BYTES_MIN; before < BLOCK_BYTES_MIN + align; before += 8) {
            struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
            uint8_t *hole = take(host, before) + before;
            uint32_t gap = 0;
            while (((uintptr_t)hole + gap) % align != 0 || (gap != 0 && gap < BLOCK_BYTES_MIN))
                gap += 8;
            uint8_t *got = tested_strategy->alloc(&host->heap, 8, align);
            if (got != hole + gap)
                fail_msg("aligned to %u, in a hole whose payload would be at %p: %p, expected %p",
                         align, (void *)hole, (void *)got, (void *)(hole + gap));
            host_heap_assert_sound(host, "an aligned request");
            host_heap_delete(host);
        }
}

/* As large as this, an alignment plus the block has no list of its own any more. */
static void alignments_larger_than_the_heap_are_refused(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    for (uint32_t align = 4096; align != 0; align *= 2)
        assert_null(tested_strategy->alloc(&host->heap, 8, align));
    host_heap_delete(host);
}

/* What a walk shows of the holes' lists. */
struct holes {
    uint32_t lists; /* bit i: there is a hole of 2^i to 2^(i+1) - 1 bytes */
};

static void see_hole(void *context, const struct heap_block *block)
{
    struct holes *holes = context;
    if (block->state == HEAP_BLOCK_FREE)
        holes->lists |= 1U << (31 - __builtin_clz(block->bytes));
}

/* The rule, once more, by walking: NULL iff no hole is of a list that is sure. */
static void random_requests_are_refused_by_the_rule_and_by_nothing_else(void **state)
{
    enum { CALLS = 5000, HELD = 24 };
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    uint8_t *held[HELD] = {NULL};
    struct random random;
    random_seed(&random, tested_seed);
    uint32_t refused = 0;
    for (uint32_t call = 1; call <= CALLS; call++) {
        uint8_t **slot = &held[random_below(&random, HELD)];
        if (*slot != NULL) {
            give(host, *slot);
            *slot = NULL;
            continue;
        }
        uint32_t bytes = 16 + 8 * random_below(&random, 60);
        struct holes holes = {0};
        tested_strategy->walk(&host->heap, see_hole, &holes);
        bool sure = holes.lists >> (32 - __builtin_clz(bytes - 1)) != 0;
        *slot = take(host, bytes);
        refused += !sure;
        if ((*slot != NULL) != sure)
            fail_msg("seed %u, call %u: a block of %u bytes: %p, with holes in lists %x",
                     tested_seed, call, bytes, (void *)*slot, holes.lists);
    }
    assert_in_range(refused, CALLS / 50, CALLS / 2); /* else it would show little */
    host_heap_delete(host);
}

/*
 * A small heap with two holes in list 6, and one behind. Offsets of headers from map:
 *   4: hole, 104 bytes; 108: live, 32; 140: hole, 104; 244: live, 32; 276: hole
 */
enum { HOLE_A = 4, LIVE_B = 108, INSIDE_B = 116, HOLE_C = 140, LIVE_D = 244, HOLE_E = 276 };

static struct host_heap *sample(void)
{
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    uint8_t *a = take(host, 104);
    take(host, 32);
    uint8_t *c = take(host, 104);
    take(host, 32);
    give(host, a);
    give(host, c);
    return host;
}

static void assert_mutant(const struct host_heap *host, uint32_t *word, uint32_t value,
                          const char *label)
{
    uint32_t was = *word;
    *word = value;
    assert_label(tested_strategy->check(&host->heap), label);
    *word = was;
    assert_null(tested_strategy->check(&host->heap));
}

static uint32_t *word_at(const struct host_heap *host, uint32_t offset)
{
    return (uint32_t *)(void *)(host->heap.region.map + offset);
}

static void mutants_of_tags_are_named(void **state)
{
    (void)state;
    struct host_heap *host = sample();
    const uint32_t end = host_heap_region_bytes(host) - HEADER_BYTES;
    const struct {
        uint32_t offset;
        uint32_t value;
        const char *label;
    } mutants[] = {
        {HOLE_A, 0, "I1"},
        {HOLE_A, 8 | FREE_BIT, "I1"},
        {HOLE_A, 104 | FREE_BIT | 4, "I1"},
        {HOLE_A, 0xFFFFFFF8 | FREE_BIT, "I1"},
        {HOLE_E, (end - HOLE_E + 8) | FREE_BIT, "I1"},
        {end, 8 | PREVIOUS_FREE_BIT, "I1"},
        {end, FREE_BIT | PREVIOUS_FREE_BIT, "I1"},
        {HOLE_A, 104, "I2"},
        {HOLE_A, 104 | FREE_BIT | PREVIOUS_FREE_BIT, "I2"},
        {LIVE_B, 32, "I2"},
        {HOLE_C, 104 | FREE_BIT | PREVIOUS_FREE_BIT, "I2"},
        {end, 0, "I2"},
        {LIVE_B - 4, 0, "I3"},
        {LIVE_D - 4, (uint32_t)(uintptr_t)word_at(host, HOLE_A), "I3"},
        {LIVE_B, 32 | FREE_BIT | PREVIOUS_FREE_BIT, "I4"},
    };
    for (uint32_t i = 0; i < sizeof(mutants) / sizeof(mutants[0]); i++)
        assert_mutant(host, word_at(host, mutants[i].offset), mutants[i].value, mutants[i].label);
    host_heap_delete(host);
}

static void mutants_of_lists_are_named(void **state)
{
    (void)state;
    struct host_heap *host = sample();
    struct control *control = control_of(host);
    uint32_t a = (uint32_t)(uintptr_t)word_at(host, HOLE_A - 4);
    uint32_t b = (uint32_t)(uintptr_t)word_at(host, LIVE_B - 4);
    uint32_t inside_b = (uint32_t)(uintptr_t)word_at(host, INSIDE_B - 4);
    uint32_t *next_of_c = word_at(host, HOLE_C + 4);
    uint32_t *link_of_a = word_at(host, HOLE_A + 8);
    assert_int_equal(*next_of_c, a);
    assert_mutant(host, link_of_a, (uint32_t)(uintptr_t)&control->heads[6], "I5");
    assert_mutant(host, link_of_a, 0, "I5");
    assert_mutant(host, next_of_c, *next_of_c + 8, "I6");
    assert_mutant(host, next_of_c, 4, "I6");
    assert_mutant(host, &control->heads[6], a, "I5");
    assert_mutant(host, &control->heads[6], b, "I6");
    assert_mutant(host, &control->heads[5], a, "I6");
    assert_mutant(host, &control->heads[0], a, "I6");
    assert_mutant(host, &control->heads[26], 0xFFFFFFF8, "I6");
    *word_at(host, INSIDE_B) = host_heap_region_bytes(host) | FREE_BIT; /* reaches over the end */
    assert_mutant(host, &control->heads[12], inside_b, "I6");
    assert_mutant(host, next_of_c, 0, "I7");
    assert_mutant(host, &control->heads[6], 0, "I7");
    for (uint32_t bit = 0; bit < 32; bit++)
        assert_mutant(host, &control->lists, control->lists ^ 1U << bit, "I8");
    host_heap_delete(host);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_hole_comes_from_the_first_list_that_is_sure),
    cmocka_unit_test(what_is_left_of_a_hole_is_a_hole_from_16_bytes_on),
    cmocka_unit_test(resize_takes_all_of_the_hole_behind_if_it_must),
    cmocka_unit_test(an_aligned_block_leaves_no_gap_or_one_that_is_enough_for_a_hole),
    cmocka_unit_test(alignments_larger_than_the_heap_are_refused),
    cmocka_unit_test(random_requests_are_refused_by_the_rule_and_by_nothing_else),
    cmocka_unit_test(mutants_of_tags_are_named),
    cmocka_unit_test(mutants_of_lists_are_named),
};

const struct cases half_fit_cases = {tests, sizeof(tests) / sizeof(tests[0])};
