/* SPDX-License-Identifier: MIT */
/* Synthetic workloads: are they valid traces, and do they hold what their names say? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "memory.h"
#include "size_mix.h"
#include "workload.h"

enum { MIB = 1024 * 1024, SCRATCH_BYTES = 64 * MIB, DRAWN = 200000, ID_MAX = 300000 };

static uint8_t *scratch;

static const char *make(const char *name, uint32_t seed, uint32_t heap_bytes, struct trace *trace)
{
    scratch_init(scratch, scratch + SCRATCH_BYTES);
    return workload_make(text_of(name), seed, heap_bytes, UINT32_MAX, trace);
}

static void must_make(const char *name, uint32_t seed, struct trace *trace)
{
    const char *wrong = make(name, seed, MIB, trace);
    if (wrong != NULL)
        fail_msg("%s: %s", name, wrong);
}

/* --- a trace, played by a model of a heap that never fails ----------------------------- */

struct played {
    uint32_t peak;
    uint32_t least_measured; /* the least that was live once the build-up was done */
    uint32_t left;           /* blocks live at the end */
};

static struct played play(const struct trace *trace)
{
    static uint32_t sizes[ID_MAX]; /* 0: not live */
    struct played played = {.least_measured = UINT32_MAX};
    uint32_t live = 0;
    assert_true(trace->id_count <= ID_MAX);
    memset(sizes, 0, sizeof(sizes));
    for (uint32_t i = 0; i < trace->operation_count; i++) {
        const struct trace_operation *operation = &trace->operations[i];
        assert_true(operation->id < trace->id_count);
        if (operation->kind == TRACE_FREE) {
            assert_int_not_equal(sizes[operation->id], 0);
            live -= sizes[operation->id];
            sizes[operation->id] = 0;
        } else {
            assert_int_equal(operation->kind, TRACE_ALLOC);
            assert_int_equal(sizes[operation->id], 0);
            assert_int_not_equal(operation->size, 0);
            live += sizes[operation->id] = operation->size;
        }
        if (live > played.peak)
            played.peak = live;
        if (i >= trace->build_up_operations && live < played.least_measured)
            played.least_measured = live;
    }
    for (uint32_t id = 0; id < trace->id_count; id++)
        played.left += sizes[id] != 0;
    return played;
}

/* --- cases --------------------------------------------------------------------------------- */

static void assert_makes_a_valid_trace(const char *name)
{
    struct trace trace;
    must_make(name, 3, &trace);
    assert_int_equal(play(&trace).peak, trace.peak_requested_bytes);
    if (trace.operation_count < 100 && strcmp(name, "tlsf-5") != 0)
        fail_msg("%s has only %u operations", name, trace.operation_count);
}

static void every_name_makes_a_valid_trace(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "churn-%s", "fifo-%s", "lifo-%s", "ramp-%s", "fill-%s", "fixed-%s-50",
        "fixedfifo-%s-50", "fixedlifo-%s-50", "knuth-%s-40", "queue-%s", "queue-%s-30"};
    static const char *const others[] = {
        "alloctest", "alloctest-3", "mstress", "rptest", "rptest-2", "holes-1", "holes-3000",
        "tlsf-1", "tlsf-2", "tlsf-3", "tlsf-4", "tlsf-5", "bestfit-8-9", "bestfit-32-40",
        "robson-1-64", "robson-6-4096", "hoard-150", "hoard-1-16777216"};
    for (const struct size_mix *mix = size_mixes; mix->name != NULL; mix++)
        for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
            char name[32];
            snprintf(name, sizeof(name), forms[i], mix->name);
            assert_makes_a_valid_trace(name);
        }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_makes_a_valid_trace(others[i]);
}

static void churn_holds_its_share_of_the_heap(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t percent, largest;
    } rows[] = {
        {"churn-kernel-10", 10, 4096}, {"churn-kernel-85", 85, 4096}, {"churn-small-70", 70, 64},
        {"churn-uniform-95", 95, 1024}, {"fifo-kernel-50", 50, 4096},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct trace trace;
        must_make(rows[i].name, 1, &trace);
        uint32_t hold = (uint32_t)((uint64_t)MIB * rows[i].percent / 100);
        struct played played = play(&trace);
        assert_in_range(played.peak, hold, hold + rows[i].largest);
        /* One replacement frees until the new block fits: its size and one block's too much. */
        assert_in_range(played.least_measured, hold - 2 * rows[i].largest, hold);
        assert_int_equal(trace.operation_count - trace.build_up_operations, 32768);
        assert_false(trace.ends_at_failure);
    }
}

static void fifo_frees_blocks_in_the_order_of_their_birth(void **state)
{
    (void)state;
    static uint32_t born[ID_MAX];
    struct trace trace;
    uint32_t oldest = 0;
    must_make("fifo-kernel-50", 1, &trace);
    for (uint32_t i = 0; i < trace.operation_count; i++) {
        if (trace.operations[i].kind == TRACE_ALLOC) {
            born[trace.operations[i].id] = i;
        } else {
            assert_true(born[trace.operations[i].id] >= oldest);
            oldest = born[trace.operations[i].id];
        }
    }
    assert_true(oldest > 0);
}

static void lifo_frees_the_newest_block(void **state)
{
    (void)state;
    static uint32_t stack[ID_MAX];
    struct trace trace;
    uint32_t depth = 0, deepest = 0;
    must_make("lifo-kernel-50", 1, &trace);
    for (uint32_t i = 0; i < trace.operation_count; i++) {
        if (trace.operations[i].kind == TRACE_ALLOC)
            stack[depth++] = trace.operations[i].id;
        else
            assert_int_equal(trace.operations[i].id, stack[--depth]);
        if (depth > deepest)
            deepest = depth;
    }
    assert_true(deepest > 1000);
}

static void ramp_ends_with_an_empty_heap(void **state)
{
    (void)state;
    struct trace trace;
    must_make("ramp-kernel-60", 1, &trace);
    assert_int_equal(play(&trace).left, 0);
}

static void fill_asks_for_more_than_heap_and_side_array_hold(void **state)
{
    (void)state;
    struct trace trace;
    must_make("fill-small", 1, &trace);
    assert_true(trace.ends_at_failure);
    assert_true(trace.peak_requested_bytes > MIB + MIB / 64);
}

static void the_same_seed_makes_the_same_trace(void **state)
{
    (void)state;
    struct trace trace;
    must_make("churn-kernel-50", 7, &trace);
    size_t bytes = trace.operation_count * sizeof(*trace.operations);
    struct trace_operation *kept = malloc(bytes);
    memcpy(kept, trace.operations, bytes);
    must_make("churn-kernel-50", 7, &trace);
    assert_int_equal(trace.operation_count * sizeof(*trace.operations), bytes);
    assert_memory_equal(kept, trace.operations, bytes);
    must_make("churn-kernel-50", 8, &trace);
    assert_memory_not_equal(kept, trace.operations, 1000 * sizeof(*kept));
    free(kept);
}

static void a_limit_counts_from_the_end_of_the_build_up(void **state)
{
    (void)state;
    struct trace trace;
    scratch_init(scratch, scratch + SCRATCH_BYTES);
    assert_null(workload_make(text_of("churn-small-85"), 1, MIB, 1000, &trace));
    assert_true(trace.build_up_operations > 20000);
    assert_int_equal(trace.operation_count - trace.build_up_operations, 1000);
}

/* --- simulations and benchmarks -------------------------------------------------------------- */

static void fixed_keeps_its_number_of_blocks(void **state)
{
    (void)state;
    static const char *const names[] = {"fixed-s1-300", "fixedfifo-s1-300", "fixedlifo-s1-300"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct trace trace;
        uint32_t live = 0;
        must_make(names[i], 1, &trace);
        assert_int_equal(trace.build_up_operations, 300 + 2 * 8 * 300);
        for (uint32_t at = 0; at < trace.operation_count; at++) {
            live += trace.operations[at].kind == TRACE_ALLOC ? 1 : UINT32_MAX;
            assert_in_range(live, at < 300 ? at + 1 : 299, 300);
        }
    }
}

static void knuth_lets_each_block_live_for_its_time(void **state)
{
    (void)state;
    static uint32_t born[ID_MAX];
    enum { LIFETIME = 100 };
    struct trace trace;
    uint32_t now = 0;
    uint64_t lives = 0, sum = 0, longest = 0;
    must_make("knuth-s1-100", 1, &trace);
    for (uint32_t i = 0; i < trace.operation_count; i++) {
        if (trace.operations[i].kind == TRACE_ALLOC) {
            born[trace.operations[i].id] = ++now; /* one each moment */
            continue;
        }
        uint32_t lived = now + 1 - born[trace.operations[i].id];
        assert_in_range(lived, 1, LIFETIME);
        longest = lived > longest ? lived : longest;
        sum += lived;
        lives++;
    }
    assert_int_equal(longest, LIFETIME);
    assert_in_range(sum * 100 / lives, LIFETIME * 50 - 20, LIFETIME * 50 + 120);
}

/* Whoever is first waits for room: so memory is as full as the largest request leaves it. */
static void queue_keeps_its_memory_full(void **state)
{
    (void)state;
    static const struct { const char *name; uint32_t percent, largest; } rows[] = {
        {"queue-uniform", 85, 1024}, {"queue-kernel-50", 50, 4096}, {"queue-small-99", 99, 64}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct trace trace;
        must_make(rows[i].name, 1, &trace);
        uint32_t room = (uint32_t)((uint64_t)MIB * rows[i].percent / 100);
        assert_in_range(play(&trace).peak, room - rows[i].largest, room);
        assert_int_equal(trace.operation_count - trace.build_up_operations, 32768);
        assert_in_range(trace.build_up_operations, trace.id_count, UINT32_MAX);
    }
}

/* Stays differ by a factor of three: blocks overtake each other about every other time. */
static void queue_lets_blocks_leave_in_another_order_than_they_came(void **state)
{
    (void)state;
    static uint32_t born[ID_MAX];
    struct trace trace;
    uint32_t now = 0, last = 0, overtaken = 0, frees = 0;
    must_make("queue-uniform", 1, &trace);
    for (uint32_t i = 0; i < trace.operation_count; i++) {
        const struct trace_operation *operation = &trace.operations[i];
        if (operation->kind == TRACE_ALLOC) {
            born[operation->id] = now++;
            continue;
        }
        overtaken += born[operation->id] < last;
        last = born[operation->id];
        frees++;
    }
    assert_in_range(overtaken, frees / 4, frees * 3 / 4);
}

static void mstress_gives_everything_back(void **state)
{
    (void)state;
    struct trace trace;
    must_make("mstress", 1, &trace);
    assert_int_equal(play(&trace).left, 0);
    assert_int_equal(trace.operation_count, 2 * 8192);
    assert_in_range(trace.peak_requested_bytes, MIB / 4, MIB);
}

static void a_fifth_of_alloctests_slots_takes_most_of_its_operations(void **state)
{
    (void)state;
    struct trace trace;
    uint32_t frees = 0;
    must_make("alloctest-1000", 1, &trace);
    assert_int_equal(trace.build_up_operations, 4000);
    for (uint32_t i = 0; i < trace.operation_count; i++)
        frees += trace.operations[i].kind == TRACE_FREE;
    /* Slots toggle: as many frees as allocations, but for those that still hold a block. */
    assert_in_range(trace.operation_count - 2 * frees, 300, 600);
    assert_true(trace.id_count < 700);
}

/* --- adversaries ------------------------------------------------------------------------------- */

static void holes_leaves_every_other_block(void **state)
{
    (void)state;
    struct trace trace;
    must_make("holes-100", 1, &trace);
    assert_int_equal(trace.build_up_operations, 300);
    for (uint32_t i = 0; i < 300; i++) {
        const struct trace_operation *operation = &trace.operations[i];
        assert_int_equal(operation->kind, i < 200 ? TRACE_ALLOC : TRACE_FREE);
        assert_int_equal(operation->id, i < 200 ? i : 2 * (i - 200));
        assert_int_equal(operation->size, i < 200 ? 56 : 0);
    }
    for (uint32_t i = 300; i < trace.operation_count; i++)
        assert_int_equal(trace.operations[i].size, i % 2 == 0 ? 120 : 0);
}

static void tlsf_1_leaves_a_hole_for_every_other_block_but_the_last(void **state)
{
    (void)state;
    struct trace trace;
    uint32_t frees = 0;
    must_make("tlsf-1", 1, &trace);
    for (uint32_t i = 0; i < trace.build_up_operations; i++)
        frees += trace.operations[i].kind == TRACE_FREE;
    /* Of 16384 units two are the last hole; of the rest every other one, and that hole, are freed. */
    assert_int_equal(frees, (16384 - 2) / 2 + 1);
}

static void a_heap_of_few_blocks_gets_no_holes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t heap_bytes;
    } cases[] = {{"tlsf-1", 0}, {"tlsf-1", 127}, {"tlsf-2", 4095}, {"tlsf-2", 4096}};
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trace trace;
        assert_null(make(cases[i].name, 1, cases[i].heap_bytes, &trace));
        assert_int_equal(trace.operation_count - trace.build_up_operations, 128);
        assert_true(trace.build_up_operations <= 32);
        play(&trace);
    }
}

static void bestfit_lets_little_live(void **state)
{
    (void)state;
    struct trace trace;
    must_make("bestfit-32-100", 1, &trace);
    assert_true(trace.peak_requested_bytes <= 100 + 4 * 32);
    assert_int_equal(trace.operation_count, 1 + 100 * 11 + 5 * 100 * 99);
}

static void robson_never_lets_more_live_than_it_says(void **state)
{
    (void)state;
    struct trace trace;
    uint64_t taken = 0;
    must_make("robson-6-4096", 1, &trace);
    assert_int_equal(trace.peak_requested_bytes, 4096);
    for (uint32_t i = 0; i < trace.operation_count; i++)
        taken += trace.operations[i].size;
    assert_int_equal(taken, 4096 + 6 * 4096 / 2); /* each round takes half as much anew */
}

static int compare_sizes(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static void mixes_have_the_sizes_their_header_states(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t least, median, ninetieth, most;
    } rows[] = {
        {"kernel", 8, 100, 373, 4096}, {"small", 8, 36, 59, 64},
        {"uniform", 1, 512, 922, 1024}, {"power", 16, 32, 160, 65536},
        {"large", 1024, 8704, 14848, 16384}, {"words", 1, 1000, 1800, 1999},
        {"eight", 24, 200, 1000, 1000},      {"s1", 100, 1050, 1810, 2000},
        {"s2", 1, 1, 8, 512},                {"s3", 10, 80, 2000, 4000},
        {"larson", 8, 503, 900, 999},        {"halving", 5, 8, 45, 1024},
    };
    static uint32_t sizes[DRAWN];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct size_mix *mix = size_mix_named(text_of(rows[i].name));
        struct random random = random_seeded(1);
        uint64_t sum = 0;
        for (uint32_t drawn = 0; drawn < DRAWN; drawn++)
            sum += sizes[drawn] = mix->draw(&random);
        qsort(sizes, DRAWN, sizeof(*sizes), compare_sizes);
        print_message("# %s: mean %u, median %u, 90 %% up to %u\n", mix->name,
                      (uint32_t)(sum / DRAWN), sizes[DRAWN / 2], sizes[DRAWN / 10 * 9]);
        assert_in_range(sizes[0], rows[i].least, rows[i].least + rows[i].least / 50);
        assert_in_range(sizes[DRAWN - 1], rows[i].most / 20 * 17, rows[i].most);
        assert_in_range(sizes[DRAWN / 2] * 100 / rows[i].median, 97, 103);
        assert_in_range(sizes[DRAWN / 10 * 9] * 100 / rows[i].ninetieth, 97, 103);
        assert_in_range(sum * 100 / DRAWN, mix->mean_bytes * 96 - 50, mix->mean_bytes * 104 + 50);
    }
}

static void a_wrong_name_is_refused_with_the_right_ones(void **state)
{
    (void)state;
    static const char *const wrong_names[] = {
        "churn", "churn-", "kernel-50", "churn-kernels", "churn-kernel-0", "churn-kernel-100",
        "churn-kernel-5x", "churn-kernel-50-", "churn-kernel-", "churn-kernel-50-1", "fill-kernel-50", "-kernel",
        "", "fixed-kernel", "fixed-kernel-0", "fixed-10-kernel", "knuth-s4-10", "tlsf", "tlsf-0",
        "tlsf-6", "bestfit-32", "bestfit-7-10", "bestfit-32-5001", "rptest-x", "mstress-",
        "alloctest-kernel-10",
    };
    for (size_t i = 0; i < sizeof(wrong_names) / sizeof(wrong_names[0]); i++) {
        struct trace trace;
        const char *wrong = make(wrong_names[i], 1, MIB, &trace);
        if (wrong == NULL)
            fail_msg("%s was not refused", wrong_names[i]);
        assert_non_null(strstr(wrong, "churn-MIX[-PERCENT] fifo-MIX[-PERCENT]"));
        assert_non_null(strstr(wrong, "hoard-BLOCKS[-BYTES] robson-LOG2-UNITS; MIX is one of:"));
        assert_non_null(strstr(wrong, "larson halving"));
    }
}

static void too_little_memory_is_said(void **state)
{
    (void)state;
    struct trace trace;
    scratch_init(scratch, scratch + MIB / 2);
    const char *wrong = workload_make(text_of("churn-kernel-50"), 1, MIB, UINT32_MAX, &trace);
    assert_non_null(wrong);
    assert_non_null(strstr(wrong, "too little RAM"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_makes_a_valid_trace),
        cmocka_unit_test(churn_holds_its_share_of_the_heap),
        cmocka_unit_test(fifo_frees_blocks_in_the_order_of_their_birth),
        cmocka_unit_test(lifo_frees_the_newest_block),
        cmocka_unit_test(ramp_ends_with_an_empty_heap),
        cmocka_unit_test(fill_asks_for_more_than_heap_and_side_array_hold),
        cmocka_unit_test(the_same_seed_makes_the_same_trace),
        cmocka_unit_test(a_limit_counts_from_the_end_of_the_build_up),
        cmocka_unit_test(fixed_keeps_its_number_of_blocks),
        cmocka_unit_test(knuth_lets_each_block_live_for_its_time),
        cmocka_unit_test(queue_keeps_its_memory_full),
        cmocka_unit_test(queue_lets_blocks_leave_in_another_order_than_they_came),
        cmocka_unit_test(mstress_gives_everything_back),
        cmocka_unit_test(a_fifth_of_alloctests_slots_takes_most_of_its_operations),
        cmocka_unit_test(holes_leaves_every_other_block),
        cmocka_unit_test(tlsf_1_leaves_a_hole_for_every_other_block_but_the_last),
        cmocka_unit_test(a_heap_of_few_blocks_gets_no_holes),
        cmocka_unit_test(bestfit_lets_little_live),
        cmocka_unit_test(robson_never_lets_more_live_than_it_says),
        cmocka_unit_test(mixes_have_the_sizes_their_header_states),
        cmocka_unit_test(a_wrong_name_is_refused_with_the_right_ones),
        cmocka_unit_test(too_little_memory_is_said),
    };
    scratch = malloc(SCRATCH_BYTES);
    return cmocka_run_group_tests_name("workload", tests, NULL, NULL);
}
