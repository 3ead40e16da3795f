/* SPDX-License-Identifier: MIT */
#include "boot_info.h"

void boot_info_add_own(struct boot_info *info, const void *start, uint32_t bytes)
{
    const uint8_t *first = start;
    if (info->own_count < BOOT_OWN_MAX)
        info->own[info->own_count++] = (struct boot_own){first, first + bytes};
}

const char *boot_info_add_module(struct boot_info *info, struct boot_module module)
{
    if (info->module_count == BOOT_MODULES_MAX)
        return "more boot modules than the 16 this kernel can hold";
    if (module.end < module.start)
        return "a boot module ends before it starts";
    info->modules[info->module_count++] = module;
    return NULL;
}

const char *boot_info_add_memory(struct boot_info *info, struct memory_range range)
{
    if (info->memory_range_count == BOOT_MEMORY_RANGES_MAX)
        return "a memory map of more than the 128 ranges this kernel can hold";
    info->memory_ranges[info->memory_range_count++] = range;
    return NULL;
}

const char *boot_info_read(uint32_t loader, const void *information, struct boot_info *info)
{
    *info = (struct boot_info){.loader_name = "unknown", .command_line = ""};
    const char *wrong;
    if (loader == LOADER_MULTIBOOT2)
        wrong = multiboot2_read(information, info);
    else if (loader == LOADER_PVH)
        wrong = pvh_read(information, info);
    else
        wrong = "not started by a multiboot2 or PVH loader: the magic in EAX is neither's";
    if (wrong == NULL && info->memory_range_count == 0)
        wrong = "the boot loader gave no memory map";
    return wrong;
}
