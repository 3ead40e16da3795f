/* SPDX-License-Identifier: MIT */
/* What the kernel believes of a boot loader, and what it refuses; and where it keeps tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "boot_info.h"
#include "memory.h"

enum { MIB = 1024 * 1024, ROOM_BYTES = 1024 };

/* --- boot information as a multiboot2 loader makes it ------------------------------ */

struct writer {
    _Alignas(8) uint8_t bytes[ROOM_BYTES];
    uint32_t used;
};

static void put_word(struct writer *to, uint32_t word)
{
    memcpy(to->bytes + to->used, &word, sizeof(word));
    to->used += sizeof(word);
}

static void put_tag(struct writer *to, uint32_t type, const void *contents, uint32_t bytes)
{
    put_word(to, type);
    put_word(to, 8 + bytes);
    memcpy(to->bytes + to->used, contents, bytes);
    to->used += (bytes + 7) / 8 * 8;
}

static void begin(struct writer *to)
{
    memset(to, 0, sizeof(*to));
    to->used = 8;
}

static void end(struct writer *to)
{
    put_tag(to, 0, "", 0);
    memcpy(to->bytes, &to->used, sizeof(to->used));
}

/* One usable range, as tag 6 holds it: entry size, version, entries. */
static void put_memory(struct writer *to, uint32_t start, uint32_t bytes)
{
    const uint32_t map[] = {24, 0, start, 0, bytes, 0, 1, 0};
    put_tag(to, 6, map, sizeof(map));
}

static void put_module(struct writer *to, uint32_t start, uint32_t stop, const char *name)
{
    uint8_t contents[64];
    memcpy(contents, &start, 4);
    memcpy(contents + 4, &stop, 4);
    strcpy((char *)contents + 8, name);
    put_tag(to, 3, contents, 8 + (uint32_t)strlen(name) + 1);
}

static const char *read(const struct writer *from, struct boot_info *info)
{
    return boot_info_read(LOADER_MULTIBOOT2, from->bytes, info);
}

/* --- multiboot2 ------------------------------------------------------------------------ */

static void multiboot2_tags_are_understood(void **state)
{
    (void)state;
    struct writer tags;
    struct boot_info info;
    begin(&tags);
    put_tag(&tags, 1, "run=tests", 10);
    put_tag(&tags, 2, "a loader", 9);
    put_module(&tags, 5 * MIB, 6 * MIB, "a trace");
    put_memory(&tags, MIB, 63 * MIB);
    put_tag(&tags, 14, "RSD PTR ", 8);
    put_tag(&tags, 4711, "of a kind that nobody knows", 28);
    end(&tags);
    assert_null(read(&tags, &info));
    assert_string_equal(info.command_line, "run=tests");
    assert_string_equal(info.loader_name, "a loader");
    assert_int_equal(info.module_count, 1);
    assert_string_equal(info.modules[0].name, "a trace");
    assert_int_equal((uintptr_t)info.modules[0].start, 5 * MIB);
    assert_int_equal(info.memory_range_count, 1);
    assert_true(info.memory_ranges[0].usable);
    assert_memory_equal(info.acpi_rsdp, "RSD PTR ", 8);
}

static void a_tag_larger_than_what_holds_it_is_refused(void **state)
{
    (void)state;
    struct writer tags;
    struct boot_info info;
    begin(&tags);
    put_tag(&tags, 1, "x", 2);
    end(&tags);
    const uint32_t too_large = 4000;
    memcpy(tags.bytes + 12, &too_large, sizeof(too_large));
    assert_string_equal(read(&tags, &info), "multiboot2: a tag is larger than what holds it");
    const uint32_t too_small = 7;
    memcpy(tags.bytes + 12, &too_small, sizeof(too_small));
    assert_string_equal(read(&tags, &info), "multiboot2: a tag is larger than what holds it");
}

static void information_without_an_end_is_refused(void **state)
{
    (void)state;
    struct writer tags;
    struct boot_info info;
    begin(&tags);
    put_tag(&tags, 1, "x", 2);
    memcpy(tags.bytes, &tags.used, sizeof(tags.used));
    assert_string_equal(read(&tags, &info), "multiboot2: the boot information has no end tag");
    const uint32_t nothing = 0;
    memcpy(tags.bytes, &nothing, sizeof(nothing));
    assert_string_equal(read(&tags, &info), "multiboot2: the boot information has no end tag");
}

static void a_text_without_an_end_is_refused(void **state)
{
    (void)state;
    struct writer tags;
    struct boot_info info;
    begin(&tags);
    put_tag(&tags, 1, "no end", 6);
    end(&tags);
    assert_string_equal(read(&tags, &info), "multiboot2: a text has no end");
}

static void a_module_that_ends_before_it_starts_is_refused(void **state)
{
    (void)state;
    struct writer tags;
    struct boot_info info;
    begin(&tags);
    put_module(&tags, 6 * MIB, 5 * MIB, "backwards");
    end(&tags);
    assert_string_equal(read(&tags, &info), "a boot module ends before it starts");
}

static void more_modules_than_fit_are_refused(void **state)
{
    (void)state;
    struct writer tags;
    struct boot_info info;
    begin(&tags);
    for (uint32_t i = 0; i <= BOOT_MODULES_MAX; i++)
        put_module(&tags, 5 * MIB, 6 * MIB, "m");
    end(&tags);
    assert_string_equal(read(&tags, &info), "more boot modules than the 16 this kernel can hold");
}

static void a_loader_must_give_a_memory_map(void **state)
{
    (void)state;
    struct writer tags;
    struct boot_info info;
    begin(&tags);
    end(&tags);
    assert_string_equal(read(&tags, &info), "the boot loader gave no memory map");
}

static void no_cut_of_the_information_is_read_beyond(void **state)
{
    (void)state;
    struct writer tags;
    struct boot_info info;
    begin(&tags);
    put_tag(&tags, 1, "run=tests", 10);
    put_module(&tags, 5 * MIB, 6 * MIB, "a trace");
    put_memory(&tags, MIB, 63 * MIB);
    end(&tags);
    for (uint32_t cut = 8; cut < tags.used - 8; cut++) {
        uint8_t *copy = test_malloc(cut + 8); /* a byte too far, and the sanitizer says so */
        uint8_t *aligned = (uint8_t *)(((uintptr_t)copy + 7) & ~(uintptr_t)7);
        memcpy(aligned, tags.bytes, cut);
        memcpy(aligned, &cut, sizeof(cut));
        assert_non_null(boot_info_read(LOADER_MULTIBOOT2, aligned, &info));
        test_free(copy);
    }
}

/* --- PVH ----------------------------------------------------------------------------------- */

static void pvh_information_must_open_with_its_magic(void **state)
{
    (void)state;
    struct boot_info info;
    const uint32_t start[14] = {0x12345678};
    assert_string_equal(boot_info_read(LOADER_PVH, start, &info),
                        "PVH: the start information does not open with its magic");
}

static void pvh_without_a_memory_map_is_refused(void **state)
{
    (void)state;
    struct boot_info info;
    const uint32_t version_0[14] = {LOADER_PVH, 0};
    assert_string_equal(boot_info_read(LOADER_PVH, version_0, &info),
                        "PVH: version 0 of the start information has no memory map");
}

static void another_loader_is_refused(void **state)
{
    (void)state;
    struct boot_info info;
    assert_string_equal(boot_info_read(0x2badb002, NULL, &info),
                        "not started by a multiboot2 or PVH loader: the magic in EAX is neither's");
}

/* --- memory -------------------------------------------------------------------------------- */

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
    info.own_start = (uint8_t *)(3 * MIB);
    info.own_end = (uint8_t *)(3 * MIB + 4096);
    add_module(&info, 14 * MIB, 15 * MIB);
    assert_null(memory_init(&info, MIB, 3 * MIB));
    /* From behind the boot information to the module; what it holds is not touched here. */
    assert_true(scratch_holds((uint8_t *)(3 * MIB + 4096), (uint8_t *)(14 * MIB)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multiboot2_tags_are_understood),
        cmocka_unit_test(a_tag_larger_than_what_holds_it_is_refused),
        cmocka_unit_test(information_without_an_end_is_refused),
        cmocka_unit_test(a_text_without_an_end_is_refused),
        cmocka_unit_test(a_module_that_ends_before_it_starts_is_refused),
        cmocka_unit_test(more_modules_than_fit_are_refused),
        cmocka_unit_test(a_loader_must_give_a_memory_map),
        cmocka_unit_test(no_cut_of_the_information_is_read_beyond),
        cmocka_unit_test(pvh_information_must_open_with_its_magic),
        cmocka_unit_test(pvh_without_a_memory_map_is_refused),
        cmocka_unit_test(another_loader_is_refused),
        cmocka_unit_test(a_kernel_beyond_the_end_of_ram_is_refused),
        cmocka_unit_test(a_hole_in_ram_under_the_kernel_is_refused),
        cmocka_unit_test(ranges_that_touch_are_one_whatever_their_order),
        cmocka_unit_test(a_module_over_the_heap_is_refused),
        cmocka_unit_test(tables_lie_beside_kernel_modules_and_boot_information),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
