/* SPDX-License-Identifier: MIT */
/* What the published simulations are counted with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "distribution.h"
#include "live_heap.h"

enum { UNIT = 64, DRAWN = 400000 };

extern const struct heap_strategy heap_bitmap, heap_free_list;

static void start(struct live_heap *live, const struct heap_strategy *strategy)
{
    assert_null(live_heap_start(live, strategy, 64 * 1024));
}

/* Leaves holes of 1, 2 and 3 units, in this order, and the rest of the heap behind a live block. */
static void make_holes(struct live_heap *live)
{
    void *blocks[6];
    for (uint32_t i = 0; i < 3; i++) {
        blocks[2 * i] = live_heap_alloc(live, (i + 1) * UNIT);
        blocks[2 * i + 1] = live_heap_alloc(live, UNIT);
    }
    for (uint32_t i = 0; i < 3; i++)
        live_heap_free(live, blocks[2 * i]);
    live->alloc_steps = 0;
}

static void first_fit_looks_at_every_hole_up_to_its_answer(void **state)
{
    (void)state;
    static const struct { uint32_t units, steps; bool exact; } rows[] = {
        {1, 1, true}, {2, 2, true}, {3, 3, true}, {4, 4, false}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct live_heap live;
        start(&live, &heap_bitmap);
        make_holes(&live);
        assert_non_null(live_heap_alloc(&live, rows[i].units * UNIT));
        assert_int_equal(live.last_steps, rows[i].steps);
        assert_int_equal(live.alloc_steps, rows[i].steps);
        assert_int_equal(live.last_was_exact, rows[i].exact);
        live_heap_end(&live);
    }
}

static void a_request_that_is_refused_has_looked_at_every_hole(void **state)
{
    (void)state;
    struct live_heap live;
    start(&live, &heap_bitmap);
    make_holes(&live);
    assert_null(live_heap_alloc(&live, 64 * 1024));
    assert_int_equal(live.last_steps, 4);
    live_heap_end(&live);
}

static void frees_that_search_are_counted_apart(void **state)
{
    (void)state;
    struct live_heap live;
    start(&live, &heap_free_list);
    assert_false(live.tiles); /* its blocks have headers */
    make_holes(&live);
    assert_true(live.free_steps > 0);
    assert_int_equal(live.alloc_steps, 0);
    live_heap_end(&live);
}

static void a_fit_is_exact_iff_both_its_ends_touch(void **state)
{
    (void)state;
    struct live_heap live;
    start(&live, &heap_bitmap);
    assert_true(live.tiles);
    assert_non_null(live_heap_alloc(&live, 64 * 1024 - UNIT));
    assert_false(live.last_was_exact); /* a unit is left */
    void *last = live_heap_alloc(&live, UNIT);
    assert_true(live.last_was_exact); /* between a block and the end */
    live_heap_free(&live, last);
    assert_non_null(live_heap_alloc(&live, 1));
    assert_true(live.last_was_exact);
    live_heap_end(&live);
}

static void a_resized_block_is_known_by_its_new_size(void **state)
{
    (void)state;
    struct live_heap live;
    start(&live, &heap_bitmap);
    void *block = live_heap_alloc(&live, UNIT);
    assert_ptr_equal(live_heap_resize(&live, block, 5 * UNIT), block);
    assert_int_equal(live.granted_bytes, 5 * UNIT);
    live_heap_free(&live, block);
    assert_int_equal(live.granted_bytes, 0);
    assert_int_equal(live.peak_granted_bytes, 5 * UNIT);
    assert_int_equal(live.largest_granted_bytes, 5 * UNIT);
    assert_int_equal(live_heap_extent_bytes(&live), 5 * UNIT);
    live_heap_end(&live);
}

static void a_confined_heap_has_what_it_was_told_to_grow_by(void **state)
{
    (void)state;
    struct live_heap live;
    start(&live, &heap_bitmap);
    live_heap_confine(&live);
    assert_null(live_heap_alloc(&live, 1));
    assert_true(live_heap_grow(&live, 3));
    assert_null(live_heap_alloc(&live, 4 * UNIT));
    assert_non_null(live_heap_alloc(&live, 2 * UNIT));
    assert_true(live_heap_grow(&live, 5));
    void *last = live_heap_alloc(&live, 4 * UNIT);
    assert_non_null(last); /* old and new memory are one hole */
    assert_false(live.last_was_exact);
    assert_true(live_heap_is_last(&live, last));
    assert_int_equal(live.heap.region.map_bytes, 2 + 5);
    assert_false(live_heap_grow(&live, 1024 - 5));
    assert_true(live_heap_grow(&live, 1024 - 6));
    assert_null(heap_check(&heap_bitmap, &live.heap) == NULL ? NULL : "broken");
    live_heap_end(&live);
}

static void a_page_is_empty_iff_a_hole_covers_it(void **state)
{
    (void)state;
    enum { PAGE = 4096 };
    struct live_heap live;
    start(&live, &heap_bitmap);
    assert_int_equal(live_heap_empty_pages(&live), 16);
    void *first = live_heap_alloc(&live, PAGE + UNIT); /* ends in the second page */
    void *second = live_heap_alloc(&live, 2 * PAGE);   /* in the fourth */
    assert_int_equal(live_heap_empty_pages(&live), 12);
    live_heap_free(&live, first);
    assert_int_equal(live_heap_empty_pages(&live), 13); /* the second has another's blocks, too */
    live_heap_free(&live, second);
    assert_int_equal(live_heap_empty_pages(&live), 16);
    live_heap_end(&live);
}

static void logarithms_are_right_to_their_last_bit(void **state)
{
    (void)state;
    static const struct { uint32_t value, log2; } rows[] = {
        {1, 0}, {2, 65536}, {3, 103872}, {10, 217705}, {1000, 653117}, {0x80000000, 31 * 65536},
        {0xFFFFFFFF, 32 * 65536 - 1}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(log2_in_65536ths(rows[i].value), rows[i].log2);
}

/* Means, and mean squares over the mean's square. */
static void distributions_have_the_moments_their_header_states(void **state)
{
    (void)state;
    static const struct { const char *name; double squares; } rows[] = {
        {"exponential", 2.0}, {"hyperexponential", 5.0}, {"uniform", 4.0 / 3}, {"normal", 17.0 / 16}};
    enum { MEAN = 1000 };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct distribution *one = distribution_named(rows[i].name);
        struct random random = random_seeded(1);
        double sum = 0, squares = 0;
        assert_non_null(one);
        for (int drawn = 0; drawn < DRAWN; drawn++) {
            double size = distribution_draw(one, MEAN, &random);
            sum += size;
            squares += size * size;
        }
        print_message("# %s: mean %.1f, of squares %.3f\n", one->name, sum / DRAWN,
                      squares / DRAWN / MEAN / MEAN);
        assert_true(sum / DRAWN > MEAN * 0.99 && sum / DRAWN < MEAN * 1.01);
        assert_true(squares / DRAWN / MEAN / MEAN > rows[i].squares * 0.98);
        assert_true(squares / DRAWN / MEAN / MEAN < rows[i].squares * 1.02);
    }
    assert_null(distribution_named("gamma"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_fit_looks_at_every_hole_up_to_its_answer),
        cmocka_unit_test(a_request_that_is_refused_has_looked_at_every_hole),
        cmocka_unit_test(frees_that_search_are_counted_apart),
        cmocka_unit_test(a_fit_is_exact_iff_both_its_ends_touch),
        cmocka_unit_test(a_resized_block_is_known_by_its_new_size),
        cmocka_unit_test(a_confined_heap_has_what_it_was_told_to_grow_by),
        cmocka_unit_test(a_page_is_empty_iff_a_hole_covers_it),
        cmocka_unit_test(logarithms_are_right_to_their_last_bit),
        cmocka_unit_test(distributions_have_the_moments_their_header_states),
    };
    return cmocka_run_group_tests_name("papers", tests, NULL, NULL);
}
