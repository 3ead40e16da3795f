/* SPDX-License-Identifier: MIT */
/*
 * The boot information of a PVH loader, which QEMU's -kernel is.
 *
 * Source: Xen, "x86/HVM direct boot ABI", and public/arch-x86/hvm/start_info.h. All
 * addresses are physical; 0 stands for "not there". The memory map came with version 1.
 */
#include "boot_info.h"


enum { MEMORY_RAM = 1, VERSION_WITH_MEMORY_MAP = 1 };

struct start_info {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t module_count;
    uint64_t modules;
    uint64_t command_line;
    uint64_t rsdp;
    uint64_t memory_map;
    uint32_t memory_map_entries;
    uint32_t reserved;
};

struct module_entry {
    uint64_t start;
    uint64_t bytes;
    uint64_t command_line;
    uint64_t reserved;
};

struct memory_map_entry {
    uint64_t start;
    uint64_t bytes;
    uint32_t type;
    uint32_t reserved;
};

_Static_assert(sizeof(struct start_info) == 56, "start_info.h, version 1");
_Static_assert(sizeof(struct module_entry) == 32, "start_info.h, hvm_modlist_entry");
_Static_assert(sizeof(struct memory_map_entry) == 24, "start_info.h, hvm_memmap_table_entry");

static const void *at(uint64_t physical)
{
    return (const void *)(uintptr_t)physical;
}

static bool is_below_4_gib(uint64_t start, uint64_t bytes)
{
    return start <= UINT32_MAX && bytes <= UINT32_MAX - start;
}

static const char *text_at(uint64_t physical)
{
    return physical == 0 ? "" : at(physical);
}

static const char *read_modules(const struct start_info *start, struct boot_info *info)
{
    const struct module_entry *modules = at(start->modules);
    if (start->module_count != 0 && modules == NULL)
        return "PVH: there are modules, but no list of them";
    const char *wrong = NULL;
    for (uint32_t i = 0; i < start->module_count && wrong == NULL; i++) {
        const struct module_entry *module = &modules[i];
        if (!is_below_4_gib(module->start, module->bytes))
            return "PVH: a module lies above 4 GiB";
        wrong = boot_info_add_module(info, (struct boot_module){
                                               .start = at(module->start),
                                               .end = at(module->start + module->bytes),
                                               .name = text_at(module->command_line),
                                           });
    }
    return wrong;
}

static const char *read_memory_map(const struct start_info *start, struct boot_info *info)
{
    if (start->version < VERSION_WITH_MEMORY_MAP)
        return "PVH: version 0 of the start information has no memory map";
    const struct memory_map_entry *entries = at(start->memory_map);
    if (entries == NULL)
        return "PVH: the start information has no memory map";
    const char *wrong = NULL;
    for (uint32_t i = 0; i < start->memory_map_entries && wrong == NULL; i++)
        wrong = boot_info_add_memory(info, (struct memory_range){
                                               .start = entries[i].start,
                                               .bytes = entries[i].bytes,
                                               .usable = entries[i].type == MEMORY_RAM,
                                           });
    return wrong;
}

const char *pvh_read(const void *information, struct boot_info *info)
{
    const struct start_info *start = information;
    if (start == NULL || start->magic != LOADER_PVH)
        return "PVH: the start information does not open with its magic";
    info->loader_name = "PVH";
    info->command_line = text_at(start->command_line);
    info->acpi_rsdp = at(start->rsdp);
    const char *wrong = read_modules(start, info);
    if (wrong == NULL)
        wrong = read_memory_map(start, info);
    return wrong;
}
