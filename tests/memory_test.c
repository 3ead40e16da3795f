/* SPDX-License-Identifier: MIT */
/* Which memory the kernel accepts for itself, and where it keeps its tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memory.h"

enum { MIB = 1024 * 1024 };

static struct boot_info with_memory(uint64_t start, uint64_t bytes)
{
    struct boot_info info = {0};
    assert_null(boot_info_add_memory(
        &info, (struct memory_range){.start = start, .bytes = bytes, .usable = true}));
    return info;
}

static void add_module(struct boot_info *info, uintptr_t start, uintptr_t stop)
{
    assert_null(boot_info_add_module(info, (struct boot_module){.start = (uint8_t *)start,
                                                                .end = (uint8_t *)stop,
                                                                .name = "trace"}));
}

static void a_kernel_beyond_the_end_of_ram_is_refused(void **state)
{
    (void)state;
    struct boot_info info = with_memory(MIB, MIB);
    assert_string_equal(memory_init(&info, MIB, 3 * MIB),
                        "too little RAM: the kernel and its heap need 0x00100000 to 0x00300000, "
                        "usable memory ends at 0x00200000");
}

static void a_hole_in_ram_under_the_kernel_is_refused(void **state)
{
    (void)state;
    struct boot_info info = with_memory(MIB, MIB);
    boot_info_add_memory(&info, (struct memory_range){2 * MIB, MIB, false});
    boot_info_add_memory(&info, (struct memory_range){3 * MIB, 61 * MIB, true});
    assert_non_null(memory_init(&info, MIB, 4 * MIB));
}

static void ranges_that_touch_are_one_whatever_their_order(void **state)
{
    (void)state;
    struct boot_info info = with_memory(2 * MIB, 62 * MIB);
    boot_info_add_memory(&info, (struct memory_range){MIB, MIB, true});
    assert_null(memory_init(&info, MIB, 4 * MIB));
}

static void a_module_over_the_heap_is_refused(void **state)
{
    (void)state;
    struct boot_info info = with_memory(MIB, 63 * MIB);
    add_module(&info, 3 * MIB - 1, 4 * MIB);
    assert_string_equal(memory_init(&info, MIB, 3 * MIB),
                        "boot module 1 (trace) overlaps the kernel or its heap");
}

static void tables_lie_beside_kernel_modules_and_boot_information(void **state)
{
    (void)state;
    struct boot_info info = with_memory(MIB, 15 * MIB);
    boot_info_add_own(&info, (void *)(3 * MIB), 4096);
    boot_info_add_own(&info, (void *)(13 * MIB), 1);
    add_module(&info, 14 * MIB, 15 * MIB);
    assert_null(memory_init(&info, MIB, 3 * MIB));
    /* From behind one part of it to the other; what it holds is not touched here. */
    assert_true(scratch_holds((uint8_t *)(3 * MIB + 4096), (uint8_t *)(13 * MIB)));
}

static void the_last_bytes_below_4_gib_are_no_place_for_tables(void **state)
{
    (void)state;
    struct boot_info info = with_memory(MIB, 2 * MIB);
    boot_info_add_memory(&info, (struct memory_range){0xFFFFFFF8, 7, true});
    assert_null(memory_init(&info, MIB, 3 * MIB));
    assert_null(scratch_alloc(1));
}

static void what_was_taken_since_a_mark_is_given_back(void **state)
{
    (void)state;
    static uint8_t memory[256] __attribute__((aligned(16)));
    scratch_init(memory, memory + sizeof(memory));
    uint8_t *kept = scratch_alloc(16);
    uint8_t *mark = scratch_mark();
    uint8_t *taken = scratch_alloc(200);
    taken[199] = 1;
    assert_null(scratch_alloc(200));
    scratch_release(mark);
    assert_ptr_equal(scratch_alloc(200), taken);
    assert_int_equal(taken[199], 0);
    assert_ptr_equal(kept, memory);
}

static void what_is_both_usable_and_not_is_not(void **state)
{
    (void)state;
    struct boot_info info = with_memory(MIB, 15 * MIB);
    boot_info_add_memory(&info, (struct memory_range){8 * MIB, MIB, false});
    assert_null(memory_init(&info, MIB, 3 * MIB));
    assert_true(scratch_holds((uint8_t *)(9 * MIB), (uint8_t *)(16 * MIB)));
    boot_info_add_memory(&info, (struct memory_range){2 * MIB, 4096, false});
    assert_string_equal(memory_init(&info, MIB, 3 * MIB),
                        "too little RAM: the kernel and its heap need 0x00100000 to 0x00300000, "
                        "usable memory ends at 0x00200000");
}

static void memory_that_goes_round_is_not_usable(void **state)
{
    (void)state;
    struct boot_info info = with_memory(MIB, UINT64_MAX);
    assert_non_null(memory_init(&info, MIB, 3 * MIB));
    info = with_memory(MIB, 15 * MIB);
    boot_info_add_memory(&info, (struct memory_range){2 * MIB, UINT64_MAX, false});
    assert_non_null(memory_init(&info, MIB, 3 * MIB));
}

static void a_page_is_usable_if_all_of_it_is(void **state)
{
    (void)state;
    struct boot_info info = with_memory(0, 0x9fc00);
    assert_true(memory_is_usable(&info, 0x9e000, 0x9f000));
    assert_false(memory_is_usable(&info, 0x9f000, 0xa0000));
    boot_info_add_memory(&info, (struct memory_range){0x9fc00, 0x400, true});
    assert_true(memory_is_usable(&info, 0x9f000, 0xa0000));
    boot_info_add_memory(&info, (struct memory_range){0x9e800, 1, false});
    assert_false(memory_is_usable(&info, 0x9e000, 0x9f000));
    info = with_memory(0x9e000, UINT64_MAX);
    assert_false(memory_is_usable(&info, 0x9e000, 0x9f000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_kernel_beyond_the_end_of_ram_is_refused),
        cmocka_unit_test(a_hole_in_ram_under_the_kernel_is_refused),
        cmocka_unit_test(ranges_that_touch_are_one_whatever_their_order),
        cmocka_unit_test(a_module_over_the_heap_is_refused),
        cmocka_unit_test(tables_lie_beside_kernel_modules_and_boot_information),
        cmocka_unit_test(the_last_bytes_below_4_gib_are_no_place_for_tables),
        cmocka_unit_test(what_was_taken_since_a_mark_is_given_back),
        cmocka_unit_test(what_is_both_usable_and_not_is_not),
        cmocka_unit_test(memory_that_goes_round_is_not_usable),
        cmocka_unit_test(a_page_is_usable_if_all_of_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
