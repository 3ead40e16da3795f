/* SPDX-License-Identifier: MIT */
/*
 * The boot information of a PVH loader, which QEMU's -kernel is.
 *
 * Source: Xen, "x86/HVM direct boot ABI", and public/arch-x86/hvm/start_info.h. All
 * addresses are physical; 0 stands for "not there". The memory map came with version 1.
 * Nothing is said of how structures are aligned, so they are read as packed.
 */
#include "boot_info.h"


#include "text.h"

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
} __attribute__((packed));

struct module_entry {
    uint64_t start;
    uint64_t bytes;
    uint64_t command_line;
    uint64_t reserved;
} __attribute__((packed));

struct memory_map_entry {
    uint64_t start;
    uint64_t bytes;
    uint32_t type;
    uint32_t reserved;
} __attribute__((packed));

_Static_assert(sizeof(struct start_info) == 56, "start_info.h, version 1");
_Static_assert(sizeof(struct module_entry) == 32, "start_info.h, hvm_modlist_entry");
_Static_assert(sizeof(struct memory_map_entry) == 24, "start_info.h, hvm_memmap_table_entry");

static bool is_below_4_gib(uint64_t start, uint64_t bytes)
{
    return start <= UINT32_MAX && bytes <= UINT32_MAX - start;
}

/*
 * Makes *part a pointer to what lies at a physical address, NULL where there is nothing, and
 * notes down that it is the loader's. Returns: NULL, or what is wrong.
 */
static const char *take(struct boot_info *info, uint64_t physical, uint64_t bytes,
                        const void **part)
{
    if (!is_below_4_gib(physical, bytes))
        return "PVH: a part of the start information lies above 4 GiB";
    *part = (const void *)(uintptr_t)physical;
    if (physical != 0)
        boot_info_add_own(info, *part, (uint32_t)bytes);
    return NULL;
}

/* The same for a text, which is "" where there is nothing. */
static const char *take_text(struct boot_info *info, uint64_t physical, const char **text)
{
    *text = "";
    if (physical == 0)
        return NULL;
    if (!is_below_4_gib(physical, 1))
        return "PVH: a text lies above 4 GiB";
    struct text found = text_of((const char *)(uintptr_t)physical);
    *text = found.next;
    boot_info_add_own(info, found.next, (uint32_t)(found.end - found.next) + 1);
    return NULL;
}

static const char *read_module(const struct module_entry *entry, struct boot_info *info)
{
    if (!is_below_4_gib(entry->start, entry->bytes))
        return "PVH: a module lies above 4 GiB";
    struct boot_module module = {
        .start = (const uint8_t *)(uintptr_t)entry->start,
        .end = (const uint8_t *)(uintptr_t)(entry->start + entry->bytes),
    };
    const char *wrong = take_text(info, entry->command_line, &module.name);
    return wrong != NULL ? wrong : boot_info_add_module(info, module);
}

static const char *read_modules(const struct start_info *start, struct boot_info *info)
{
    const void *list = NULL;
    uint64_t bytes = (uint64_t)start->module_count * sizeof(struct module_entry);
    const char *wrong = take(info, start->modules, bytes, &list);
    if (wrong == NULL && start->module_count != 0 && list == NULL)
        return "PVH: there are modules, but no list of them";
    const struct module_entry *entries = list;
    for (uint32_t i = 0; i < start->module_count && wrong == NULL; i++)
        wrong = read_module(&entries[i], info);
    return wrong;
}

static const char *read_memory_map(const struct start_info *start, struct boot_info *info)
{
    if (start->version < VERSION_WITH_MEMORY_MAP)
        return "PVH: version 0 of the start information has no memory map";
    const void *map = NULL;
    uint64_t bytes = (uint64_t)start->memory_map_entries * sizeof(struct memory_map_entry);
    const char *wrong = take(info, start->memory_map, bytes, &map);
    if (wrong == NULL && map == NULL)
        return "PVH: the start information has no memory map";
    const struct memory_map_entry *entries = map;
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
    boot_info_add_own(info, start, sizeof(*start));
    if (is_below_4_gib(start->rsdp, 1)) /* else it is as good as none: nothing needs it */
        info->acpi_rsdp = (const void *)(uintptr_t)start->rsdp;
    const char *wrong = take_text(info, start->command_line, &info->command_line);
    if (wrong == NULL)
        wrong = read_modules(start, info);
    if (wrong == NULL)
        wrong = read_memory_map(start, info);
    return wrong;
}
