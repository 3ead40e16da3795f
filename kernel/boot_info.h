/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader told the kernel, whichever loader it was. The parsers trust
 * nothing they read: each count and size is checked against what holds it.
 */
#ifndef KERNEL_BOOT_INFO_H
#define KERNEL_BOOT_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BOOT_MODULES_MAX = 16, BOOT_MEMORY_RANGES_MAX = 128, BOOT_OWN_MAX = BOOT_MODULES_MAX + 4 };

/* The values kernelStart.asm hands over in EAX. */
enum { LOADER_MULTIBOOT2 = 0x36d76289, LOADER_PVH = 0x336ec578 };

/* A file loaded beside the kernel: [start, end). */
struct boot_module {
    const uint8_t *start;
    const uint8_t *end;
    const char *name; /* its words on the loader's line; may be empty */
};

/* Where a part of the loader's information lies: [start, end). */
struct boot_own {
    const uint8_t *start;
    const uint8_t *end;
};

/* Physical memory; may lie above 4 GiB. */
struct memory_range {
    uint64_t start;
    uint64_t bytes;
    bool usable;
};

/* Where a colour's bits lie in a point. */
struct boot_colour {
    uint8_t position; /* of the lowest */
    uint8_t bits;
};

/* Memory that a screen shows, point by point, if its colours are direct; else all zeroes. */
struct boot_framebuffer {
    uint64_t address; /* physical; 0: there is none */
    uint32_t pitch_bytes; /* from one row to the next */
    uint32_t width, height; /* in points */
    uint32_t bits_per_point;
    struct boot_colour red, green, blue;
};

struct boot_info {
    const char *loader_name;
    const char *command_line;
    const void *acpi_rsdp; /* NULL if the loader gave none */
    bool graphics_screen;  /* true iff the screen, if there is one, shows no text */
    struct boot_framebuffer framebuffer; /* only of a graphics screen */
    uint32_t own_count;    /* the loader's information itself; must not be written over */
    struct boot_own own[BOOT_OWN_MAX];
    uint32_t module_count;
    struct boot_module modules[BOOT_MODULES_MAX];
    uint32_t memory_range_count;
    struct memory_range memory_ranges[BOOT_MEMORY_RANGES_MAX];
};

/*
 * Reads what the loader left at information. loader: what was in EAX.
 * Requires: every physical address the information names is readable.
 * Returns: NULL and *info filled in; else what is wrong, in words. Texts and modules
 * stay where the loader put them.
 */
const char *boot_info_read(uint32_t loader, const void *information, struct boot_info *info);

/* Multiboot2 Specification 2.0, 3.6: a block of tags. Results as above. */
const char *multiboot2_read(const void *information, struct boot_info *info);

/* Xen public/arch-x86/hvm/start_info.h. Results as above. */
const char *pvh_read(const void *information, struct boot_info *info);

/* For the parsers: append to *info. Return NULL, or what is wrong; room for own is enough. */
void boot_info_add_own(struct boot_info *info, const void *start, uint32_t bytes);
const char *boot_info_add_module(struct boot_info *info, struct boot_module module);
const char *boot_info_add_memory(struct boot_info *info, struct memory_range range);

#endif
