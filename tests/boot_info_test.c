/* SPDX-License-Identifier: MIT */
/* What the kernel believes of a boot loader, and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "boot_info.h"

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
    put_tag(&tags, 14, "RSD PTR of ACPI 1.0.", 20);
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
    assert_memory_equal(info.acpi_rsdp, "RSD PTR of ACPI 1.0.", 20);
}

static void the_newer_rsdp_is_taken_if_it_is_whole(void **state)
{
    (void)state;
    static const char old[20] = "old", new[36] = "new";
    static const uint32_t types[][2] = {{14, 15}, {15, 14}};
    struct writer tags;
    struct boot_info info;
    for (uint32_t i = 0; i < 2; i++) {
        begin(&tags);
        put_memory(&tags, MIB, 63 * MIB);
        for (uint32_t j = 0; j < 2; j++)
            put_tag(&tags, types[i][j], types[i][j] == 14 ? old : new,
                    types[i][j] == 14 ? sizeof(old) : sizeof(new));
        end(&tags);
        assert_null(read(&tags, &info));
        assert_memory_equal(info.acpi_rsdp, new, sizeof(new));
        begin(&tags);
        put_memory(&tags, MIB, 63 * MIB);
        put_tag(&tags, types[i][0], new, types[i][0] == 14 ? sizeof(old) - 1 : sizeof(new) - 1);
        end(&tags);
        assert_string_equal(read(&tags, &info), "multiboot2: an ACPI tag is too short");
    }
}

static void a_screen_is_text_unless_a_tag_says_otherwise(void **state)
{
    (void)state;
    const struct {
        uint32_t tag;
        uint8_t framebuffer_type;
        bool is_graphics;
    } cases[] = {{1, 0, false}, {8, 1, true}, {8, 2, false}, {11, 0, true}, {12, 0, true}};
    for (uint32_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct writer tags;
        struct boot_info info;
        uint8_t contents[30] = {0};
        contents[21] = cases[i].framebuffer_type; /* only of tag 8 */
        memcpy(contents + 24, (const uint8_t[]){16, 8, 8, 8, 0, 8}, 6);
        begin(&tags);
        put_memory(&tags, MIB, 63 * MIB);
        put_tag(&tags, cases[i].tag, contents, sizeof(contents));
        end(&tags);
        assert_null(read(&tags, &info));
        assert_int_equal(info.graphics_screen, cases[i].is_graphics);
    }
}

static void a_framebuffer_of_direct_colour_is_described(void **state)
{
    (void)state;
    const struct {
        uint64_t address;
        uint32_t pitch, width, height;
        uint8_t bits, type;
        uint16_t reserved;
        uint8_t colours[6];
    } __attribute__((packed)) screen = {
        0xfd000000, 4096, 1024, 768, 32, 1, 0, {16, 8, 8, 7, 0, 6}};
    struct writer tags;
    struct boot_info info;
    begin(&tags);
    put_memory(&tags, MIB, 63 * MIB);
    put_tag(&tags, 8, &screen, sizeof(screen));
    end(&tags);
    assert_null(read(&tags, &info));
    const struct boot_framebuffer *found = &info.framebuffer;
    assert_true(found->address == 0xfd000000);
    assert_int_equal(found->pitch_bytes, 4096);
    assert_int_equal(found->width, 1024);
    assert_int_equal(found->height, 768);
    assert_int_equal(found->bits_per_point, 32);
    assert_int_equal(found->red.position, 16);
    assert_int_equal(found->green.bits, 7);
    assert_int_equal(found->blue.bits, 6);
    begin(&tags);
    put_tag(&tags, 8, &screen, sizeof(screen) - 1);
    end(&tags);
    assert_string_equal(read(&tags, &info),
                        "multiboot2: the framebuffer tag has no room for its colours");
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

static void memory_map_entries_that_are_not_aligned_are_refused(void **state)
{
    (void)state;
    struct writer tags;
    struct boot_info info;
    const uint32_t map[] = {25, 0, MIB, 0, MIB, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    begin(&tags);
    put_tag(&tags, 6, map, sizeof(map));
    end(&tags);
    assert_string_equal(read(&tags, &info), "multiboot2: the size of a memory map's entries is"
                                            " not a multiple of 8");
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

static const uint64_t BEYOND = 1ULL << 32; /* what 32 bits cannot hold */

struct pvh_start {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp, memory_map;
    uint32_t memory_map_entries, reserved;
};

struct pvh_module {
    uint64_t start, bytes, command_line, reserved;
};

static const struct {
    uint64_t start, bytes;
    uint32_t type, reserved;
} pvh_memory = {MIB, 63 * MIB, 1, 0};

static uint64_t at(const void *address)
{
    return (uintptr_t)address;
}

static struct pvh_start pvh_start_with(const char *words, const struct pvh_module *module)
{
    return (struct pvh_start){
        .magic = LOADER_PVH, .version = 1, .module_count = 1, .modules = at(module),
        .command_line = at(words), .memory_map = at(&pvh_memory), .memory_map_entries = 1};
}

static const char *read_pvh(const struct pvh_start *start, struct boot_info *info)
{
    return boot_info_read(LOADER_PVH, start, info);
}

static void pvh_information_must_open_with_its_magic(void **state)
{
    (void)state;
    struct boot_info info;
    const struct pvh_start start = {.magic = 0x12345678};
    assert_string_equal(read_pvh(&start, &info),
                        "PVH: the start information does not open with its magic");
}

static void pvh_without_a_memory_map_is_refused(void **state)
{
    (void)state;
    struct boot_info info;
    const struct pvh_start version_0 = {.magic = LOADER_PVH};
    assert_string_equal(read_pvh(&version_0, &info),
                        "PVH: version 0 of the start information has no memory map");
}

static void pvh_information_may_lie_anywhere(void **state)
{
    (void)state;
    struct boot_info info;
    const struct {
        uint8_t odd;
        uint32_t start[14];
        uint32_t module[8];
        uint32_t range[6];
    } __attribute__((packed)) left = {
        .start = {LOADER_PVH, 1, 0, 1, (uint32_t)(uintptr_t)&left + 57, 0, 0, 0, 0, 0,
                  (uint32_t)(uintptr_t)&left + 89, 0, 1},
        .module = {5 * MIB, 0, MIB, 0, (uint32_t)(uintptr_t) "a trace"},
        .range = {MIB, 0, 63 * MIB, 0, 1},
    };
    assert_null(boot_info_read(LOADER_PVH, (const uint8_t *)&left + 1, &info));
    assert_string_equal(info.modules[0].name, "a trace");
    assert_int_equal((uintptr_t)info.modules[0].end, 6 * MIB);
    assert_int_equal(info.memory_ranges[0].bytes, 63 * MIB);
}

static void pvh_information_is_understood(void **state)
{
    (void)state;
    struct boot_info info;
    const struct pvh_module module = {5 * MIB, MIB, at("a trace"), 0};
    const struct pvh_start start = pvh_start_with("run=tests", &module);
    assert_null(read_pvh(&start, &info));
    assert_string_equal(info.command_line, "run=tests");
    assert_int_equal(info.module_count, 1);
    assert_string_equal(info.modules[0].name, "a trace");
    assert_int_equal((uintptr_t)info.modules[0].start, 5 * MIB);
    assert_int_equal((uintptr_t)info.modules[0].end, 6 * MIB);
    assert_int_equal(info.memory_range_count, 1);
    assert_true(info.memory_ranges[0].usable);
}

static void assert_above_4_gib(struct pvh_start bad, const char *wrong)
{
    struct boot_info info;
    const char *said = read_pvh(&bad, &info);
    assert_non_null(said);
    assert_string_equal(said, wrong);
}

static void pvh_addresses_above_4_gib_are_refused_not_cut(void **state)
{
    (void)state;
    const struct pvh_module module = {5 * MIB, MIB, at("a trace"), 0};
    const struct pvh_start good = pvh_start_with("run=tests", &module);
    struct pvh_start bad = good;
    bad.command_line += BEYOND;
    assert_above_4_gib(bad, "PVH: a text lies above 4 GiB");
    bad = good;
    bad.modules += BEYOND;
    assert_above_4_gib(bad, "PVH: a part of the start information lies above 4 GiB");
    bad = good;
    bad.memory_map += BEYOND;
    assert_above_4_gib(bad, "PVH: a part of the start information lies above 4 GiB");
    bad = good;
    bad.memory_map_entries = UINT32_MAX;
    assert_above_4_gib(bad, "PVH: a part of the start information lies above 4 GiB");
}

static void pvh_modules_above_4_gib_are_refused_not_cut(void **state)
{
    (void)state;
    const struct pvh_module file = {BEYOND + 5 * MIB, MIB, at("a trace"), 0};
    assert_above_4_gib(pvh_start_with("", &file), "PVH: a module lies above 4 GiB");
    const struct pvh_module too_long = {5 * MIB, BEYOND, at("a trace"), 0};
    assert_above_4_gib(pvh_start_with("", &too_long), "PVH: a module lies above 4 GiB");
    const struct pvh_module across = {BEYOND - MIB, 2 * MIB, at("a trace"), 0};
    assert_above_4_gib(pvh_start_with("", &across), "PVH: a module lies above 4 GiB");
    const struct pvh_module name = {5 * MIB, MIB, BEYOND + at("a trace"), 0};
    assert_above_4_gib(pvh_start_with("", &name), "PVH: a text lies above 4 GiB");
}

static void pvh_tables_above_4_gib_that_nothing_needs_are_left_out(void **state)
{
    (void)state;
    struct boot_info info;
    const struct pvh_module module = {5 * MIB, MIB, at("a trace"), 0};
    struct pvh_start start = pvh_start_with("run=tests", &module);
    start.rsdp = BEYOND + 4096;
    assert_null(read_pvh(&start, &info));
    assert_null(info.acpi_rsdp);
}

static void assert_owned(const struct boot_info *info, const void *start, size_t bytes)
{
    for (uint32_t i = 0; i < info->own_count; i++)
        if (info->own[i].start == start && info->own[i].end == (const uint8_t *)start + bytes)
            return;
    fail_msg("the %zu bytes at %p are not known to be the loader's", bytes, start);
}

static void pvh_information_is_known_to_be_the_loaders(void **state)
{
    (void)state;
    static const char words[] = "run=tests", name[] = "a trace";
    struct boot_info info;
    const struct pvh_module module = {5 * MIB, MIB, at(name), 0};
    const struct pvh_start start = pvh_start_with(words, &module);
    assert_null(read_pvh(&start, &info));
    assert_owned(&info, &start, sizeof(start));
    assert_owned(&info, words, sizeof(words));
    assert_owned(&info, &module, sizeof(module));
    assert_owned(&info, name, sizeof(name));
    assert_owned(&info, &pvh_memory, sizeof(pvh_memory));
}

static void another_loader_is_refused(void **state)
{
    (void)state;
    struct boot_info info;
    assert_string_equal(boot_info_read(0x2badb002, NULL, &info),
                        "not started by a multiboot2 or PVH loader: the magic in EAX is neither's");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multiboot2_tags_are_understood),
        cmocka_unit_test(the_newer_rsdp_is_taken_if_it_is_whole),
        cmocka_unit_test(a_screen_is_text_unless_a_tag_says_otherwise),
        cmocka_unit_test(a_framebuffer_of_direct_colour_is_described),
        cmocka_unit_test(a_tag_larger_than_what_holds_it_is_refused),
        cmocka_unit_test(information_without_an_end_is_refused),
        cmocka_unit_test(memory_map_entries_that_are_not_aligned_are_refused),
        cmocka_unit_test(a_text_without_an_end_is_refused),
        cmocka_unit_test(a_module_that_ends_before_it_starts_is_refused),
        cmocka_unit_test(more_modules_than_fit_are_refused),
        cmocka_unit_test(a_loader_must_give_a_memory_map),
        cmocka_unit_test(no_cut_of_the_information_is_read_beyond),
        cmocka_unit_test(pvh_information_must_open_with_its_magic),
        cmocka_unit_test(pvh_without_a_memory_map_is_refused),
        cmocka_unit_test(pvh_information_is_understood),
        cmocka_unit_test(pvh_addresses_above_4_gib_are_refused_not_cut),
        cmocka_unit_test(pvh_modules_above_4_gib_are_refused_not_cut),
        cmocka_unit_test(pvh_tables_above_4_gib_that_nothing_needs_are_left_out),
        cmocka_unit_test(pvh_information_is_known_to_be_the_loaders),
        cmocka_unit_test(pvh_information_may_lie_anywhere),
        cmocka_unit_test(another_loader_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
