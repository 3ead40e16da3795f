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

enum { MIB = 1024 * 1024, SCRATCH_BYTES = 64 * MIB, DRAWN = 200000, ID_MAX = 200000 };

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

static void every_name_makes_a_valid_trace(void **state)
{
    (void)state;
    static const char *const families[] = {"churn", "fifo", "lifo", "ramp", "fill"};
    for (const struct size_mix *mix = size_mixes; mix->name != NULL; mix++)
        for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
            char name[32];
            struct trace trace;
            snprintf(name, sizeof(name), "%s-%s", families[i], mix->name);
            must_make(name, 3, &trace);
            assert_int_equal(play(&trace).peak, trace.peak_requested_bytes);
            assert_true(trace.operation_count >= 100);
        }
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
        {"large", 1024, 8704, 14848, 16384},
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
        assert_in_range(sum / DRAWN * 100 / mix->mean_bytes, 96, 104);
    }
}

static void a_wrong_name_is_refused_with_the_right_ones(void **state)
{
    (void)state;
    static const char *const wrong_names[] = {
        "churn", "churn-", "kernel-50", "churn-kernels", "churn-kernel-0", "churn-kernel-100",
        "churn-kernel-5x", "churn-kernel-50-", "churn-kernel-", "churn-kernel-50-1", "fill-kernel-50", "-kernel",
    };
    for (size_t i = 0; i < sizeof(wrong_names) / sizeof(wrong_names[0]); i++) {
        struct trace trace;
        const char *wrong = make(wrong_names[i], 1, MIB, &trace);
        if (wrong == NULL)
            fail_msg("%s was not refused", wrong_names[i]);
        assert_non_null(strstr(wrong, "FAMILY-MIX-PERCENT"));
        assert_non_null(strstr(wrong, "churn fifo lifo ramp fill"));
        assert_non_null(strstr(wrong, "kernel small uniform power large"));
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
        cmocka_unit_test(mixes_have_the_sizes_their_header_states),
        cmocka_unit_test(a_wrong_name_is_refused_with_the_right_ones),
        cmocka_unit_test(too_little_memory_is_said),
    };
    scratch = malloc(SCRATCH_BYTES);
    return cmocka_run_group_tests_name("workload", tests, NULL, NULL);
}
