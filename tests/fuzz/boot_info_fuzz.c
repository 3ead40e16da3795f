/* SPDX-License-Identifier: MIT */
/*
 * A fuzzer for what boot loaders hand over: the first byte chooses the loader, the rest is
 * its information. Whatever is accepted must lie inside of it, and the memory that is taken
 * for tables must be nobody else's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../kernel/memory.c"
#include "budget.h"

enum { MIB = 1024 * 1024, KERNEL_START = MIB, KERNEL_END = 3 * MIB };

static void must(bool right, const char *claim)
{
    if (right)
        return;
    fprintf(stderr, "boot information: it is not so that %s\n", claim);
    abort();
}

/* --- what a loader left ---------------------------------------------------------------------- */

/* The first word is the number of bytes: more than there are no loader says. */
static uint8_t *multiboot2_information(const uint8_t *data, size_t size)
{
    uint32_t total_bytes;
    uint8_t *information = malloc(size);
    memcpy(information, data, size);
    memcpy(&total_bytes, data, sizeof(total_bytes));
    if (total_bytes > size)
        total_bytes = (uint32_t)size;
    memcpy(information, &total_bytes, sizeof(total_bytes));
    return information;
}

/*
 * hvm_start_info, where a fuzzer's input has it: first the structure, then a text, the list of
 * modules and the memory map, each at its place, since addresses cannot be guessed.
 */
enum {
    PVH_MAGIC = 0,
    PVH_MODULES = 16,
    PVH_COMMAND_LINE = 24,
    PVH_MEMORY_MAP = 40,
    TEXT_AT = 56,
    MODULES_AT = TEXT_AT + 64,
    MODULE_BYTES = 32,
    MODULE_NAME = 16,
    MEMORY_MAP_AT = MODULES_AT + (BOOT_MODULES_MAX + 1) * MODULE_BYTES,
    MEMORY_RANGE_BYTES = 24,
    PVH_BYTES = MEMORY_MAP_AT + (BOOT_MEMORY_RANGES_MAX + 1) * MEMORY_RANGE_BYTES,
};

/* Makes the field name that place, unless it is 0 or above 4 GiB. */
static void point(uint8_t *information, size_t field, size_t place)
{
    uint64_t value;
    memcpy(&value, information + field, sizeof(value));
    if (value != 0 && value <= UINT32_MAX)
        value = (uintptr_t)information + place;
    memcpy(information + field, &value, sizeof(value));
}

static uint8_t *pvh_information(const uint8_t *data, size_t size)
{
    const uint32_t magic = LOADER_PVH;
    uint8_t *information = calloc(1, PVH_BYTES + 1); /* one more, so that every text ends */
    memcpy(information, data, size < PVH_BYTES ? size : PVH_BYTES);
    memcpy(information + PVH_MAGIC, &magic, sizeof(magic));
    point(information, PVH_COMMAND_LINE, TEXT_AT);
    point(information, PVH_MODULES, MODULES_AT);
    point(information, PVH_MEMORY_MAP, MEMORY_MAP_AT);
    for (uint32_t i = 0; i <= BOOT_MODULES_MAX; i++)
        point(information, MODULES_AT + i * MODULE_BYTES + MODULE_NAME, TEXT_AT);
    return information;
}

/* --- what the kernel made of it ------------------------------------------------------------------ */

static void judge_texts(const struct boot_info *info)
{
    size_t length = strlen(info->loader_name) + strlen(info->command_line);
    for (uint32_t i = 0; i < info->module_count; i++) {
        length += strlen(info->modules[i].name);
        must(info->modules[i].start <= info->modules[i].end, "a module ends behind its start");
    }
    must(length < SIZE_MAX, "texts end"); /* the sanitizer says if they do not */
}

static void must_not_overlap(struct span tables, struct span other, const char *claim)
{
    must(tables.start == tables.end || other.start >= other.end ||
             other.end <= tables.start || tables.end <= other.start,
         claim);
}

static void judge_tables(const struct boot_info *info)
{
    struct span tables = span_of(scratch_next, scratch_end);
    bool usable = tables.start == tables.end;
    must(tables.start <= tables.end, "the tables' memory ends behind its start");
    must_not_overlap(tables, (struct span){0, LOW_MEMORY_END}, "tables lie above 1 MiB");
    must_not_overlap(tables, (struct span){KERNEL_START, KERNEL_END},
                     "tables lie beside the kernel");
    for (uint32_t i = 0; i < info->own_count; i++)
        must_not_overlap(tables, span_of(info->own[i].start, info->own[i].end),
                         "tables lie beside the boot information");
    for (uint32_t i = 0; i < info->module_count; i++)
        must_not_overlap(tables, span_of(info->modules[i].start, info->modules[i].end),
                         "tables lie beside the modules");
    for (uint32_t i = 0; i < info->memory_range_count; i++) {
        const struct memory_range *range = &info->memory_ranges[i];
        if (!range->usable)
            must_not_overlap(tables, (struct span){range->start, range->start + range->bytes},
                             "tables lie beside what is not usable");
        uint64_t last = range->start + (range->bytes - 1);
        usable = usable || (range->usable && range->bytes > 0 && last >= range->start &&
                            range->start <= tables.start && tables.end - 1 <= last);
    }
    must(usable, "tables lie in usable memory");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct boot_info info;
    if (size < 1 + sizeof(uint32_t))
        return 0;
    bool pvh = data[0] % 2 != 0;
    uint8_t *information = pvh ? pvh_information(data + 1, size - 1)
                               : multiboot2_information(data + 1, size - 1);
    const char *wrong =
        boot_info_read(pvh ? LOADER_PVH : LOADER_MULTIBOOT2, information, &info);
    if (wrong == NULL) {
        judge_texts(&info);
        if (memory_init(&info, KERNEL_START, KERNEL_END) == NULL)
            judge_tables(&info);
    }
    free(information);
    budget_spend(1);
    return 0;
}
