/* SPDX-License-Identifier: MIT */
/*
 * The boot information of a multiboot2 loader.
 *
 * Source: The Multiboot2 Specification, version 2.0, section 3.6. An 8-byte head (total
 * size, reserved) is followed by tags, each on an 8-byte boundary: type, size, contents;
 * the size counts the tag's own 8 bytes but not the padding behind it. Type 0 ends them.
 */
#include "boot_info.h"

enum tag_type {
    TAG_END = 0,
    TAG_COMMAND_LINE = 1,
    TAG_LOADER_NAME = 2,
    TAG_MODULE = 3,
    TAG_MEMORY_MAP = 6,
    TAG_FRAMEBUFFER = 8,
    TAG_EFI_32 = 11,
    TAG_EFI_64 = 12,
    TAG_ACPI_OLD = 14,
    TAG_ACPI_NEW = 15,
};

enum { ACPI_OLD_BYTES = 20, ACPI_NEW_BYTES = 36 }; /* of RSDPs: of ACPI 1.0, and since 2.0 */
enum { TAG_ALIGNMENT_BYTES = 8, MEMORY_AVAILABLE = 1, FRAMEBUFFER_DIRECT = 1, FRAMEBUFFER_EGA_TEXT = 2 };

struct information_head {
    uint32_t total_bytes;
    uint32_t reserved;
};

struct tag {
    uint32_t type;
    uint32_t bytes;
};

struct module_tag {
    struct tag tag;
    uint32_t start;
    uint32_t end;
    char name[];
};

struct memory_map_tag {
    struct tag tag;
    uint32_t entry_bytes;
    uint32_t entry_version;
};

struct memory_map_entry {
    uint64_t start;
    uint64_t bytes;
    uint32_t type;
    uint32_t reserved;
} __attribute__((packed, aligned(4)));

struct framebuffer_tag {
    struct tag tag;
    uint64_t address;
    uint32_t pitch_bytes;
    uint32_t width;
    uint32_t height;
    uint8_t bits_per_pixel;
    uint8_t type;
    uint16_t reserved;
    uint8_t colours[6]; /* of direct colour: position and size of red, green and blue */
} __attribute__((packed, aligned(4)));

_Static_assert(offsetof(struct framebuffer_tag, colours) == 32, "3.6.12");

/* Returns: the text that fills the tag from its offset on; NULL iff it has no end there. */
static const char *tag_text(const struct tag *tag, uint32_t offset)
{
    const char *text = (const char *)tag + offset;
    for (uint32_t i = offset; i < tag->bytes; i++)
        if (((const char *)tag)[i] == '\0')
            return text;
    return NULL;
}

static const char *read_module(const struct tag *tag, struct boot_info *info)
{
    const struct module_tag *module = (const struct module_tag *)tag;
    if (tag->bytes < sizeof(*module))
        return "multiboot2: a module tag is too short";
    const char *name = tag_text(tag, offsetof(struct module_tag, name));
    if (name == NULL)
        return "multiboot2: a module's name has no end";
    return boot_info_add_module(info, (struct boot_module){
                                          .start = (const uint8_t *)(uintptr_t)module->start,
                                          .end = (const uint8_t *)(uintptr_t)module->end,
                                          .name = name,
                                      });
}

static const char *read_memory_map(const struct tag *tag, struct boot_info *info)
{
    const struct memory_map_tag *map = (const struct memory_map_tag *)tag;
    if (tag->bytes < sizeof(*map) || map->entry_bytes < sizeof(struct memory_map_entry))
        return "multiboot2: the memory map tag is too short";
    if (map->entry_bytes % TAG_ALIGNMENT_BYTES != 0)
        return "multiboot2: the size of a memory map's entries is not a multiple of 8";
    uint32_t count = (tag->bytes - (uint32_t)sizeof(*map)) / map->entry_bytes;
    const char *wrong = NULL;
    for (uint32_t i = 0; i < count && wrong == NULL; i++) {
        const struct memory_map_entry *entry =
            (const void *)((const uint8_t *)(map + 1) + i * map->entry_bytes);
        wrong = boot_info_add_memory(info, (struct memory_range){
                                               .start = entry->start,
                                               .bytes = entry->bytes,
                                               .usable = entry->type == MEMORY_AVAILABLE,
                                           });
    }
    return wrong;
}

static const char *read_text(const struct tag *tag, const char **text)
{
    *text = tag_text(tag, sizeof(*tag));
    return *text == NULL ? "multiboot2: a text has no end" : NULL;
}

static const char *read_framebuffer(const struct tag *tag, struct boot_info *info)
{
    const struct framebuffer_tag *framebuffer = (const struct framebuffer_tag *)tag;
    if (tag->bytes <= offsetof(struct framebuffer_tag, type))
        return "multiboot2: the framebuffer tag is too short";
    info->graphics_screen |= framebuffer->type != FRAMEBUFFER_EGA_TEXT;
    if (framebuffer->type != FRAMEBUFFER_DIRECT)
        return NULL;
    const uint8_t *colours = framebuffer->colours;
    if (tag->bytes < offsetof(struct framebuffer_tag, colours) + sizeof(framebuffer->colours))
        return "multiboot2: the framebuffer tag has no room for its colours";
    info->framebuffer = (struct boot_framebuffer){
        .address = framebuffer->address,
        .pitch_bytes = framebuffer->pitch_bytes,
        .width = framebuffer->width,
        .height = framebuffer->height,
        .bits_per_point = framebuffer->bits_per_pixel,
        .red = {colours[0], colours[1]},
        .green = {colours[2], colours[3]},
        .blue = {colours[4], colours[5]},
    };
    return NULL;
}

/* The newer RSDP, if there are both. */
static const char *read_acpi(const struct tag *tag, struct boot_info *info)
{
    bool is_new = tag->type == TAG_ACPI_NEW;
    if (tag->bytes < sizeof(*tag) + (is_new ? ACPI_NEW_BYTES : ACPI_OLD_BYTES))
        return "multiboot2: an ACPI tag is too short";
    if (is_new || info->acpi_rsdp == NULL)
        info->acpi_rsdp = tag + 1;
    return NULL;
}

static const char *read_tag(const struct tag *tag, struct boot_info *info)
{
    switch (tag->type) {
    case TAG_COMMAND_LINE:
        return read_text(tag, &info->command_line);
    case TAG_LOADER_NAME:
        return read_text(tag, &info->loader_name);
    case TAG_MODULE:
        return read_module(tag, info);
    case TAG_MEMORY_MAP:
        return read_memory_map(tag, info);
    case TAG_FRAMEBUFFER:
        return read_framebuffer(tag, info);
    case TAG_EFI_32:
    case TAG_EFI_64: /* such firmware has no text mode, whether or not GRUB set a graphics mode */
        info->graphics_screen = true;
        return NULL;
    case TAG_ACPI_OLD:
    case TAG_ACPI_NEW:
        return read_acpi(tag, info);
    default:
        return NULL;
    }
}

const char *multiboot2_read(const void *information, struct boot_info *info)
{
    const struct information_head *head = information;
    if (information == NULL || (uintptr_t)information % TAG_ALIGNMENT_BYTES != 0)
        return "multiboot2: the boot information is not aligned to 8 bytes";
    boot_info_add_own(info, information, head->total_bytes);
    uint32_t offset = sizeof(*head);
    while (head->total_bytes >= sizeof(struct tag) &&
           offset <= head->total_bytes - sizeof(struct tag)) {
        const struct tag *tag = (const void *)((const uint8_t *)information + offset);
        if (tag->bytes < sizeof(*tag) || tag->bytes > head->total_bytes - offset)
            return "multiboot2: a tag is larger than what holds it";
        if (tag->type == TAG_END)
            return NULL;
        const char *wrong = read_tag(tag, info);
        if (wrong != NULL)
            return wrong;
        uint32_t padding = (0U - tag->bytes) % TAG_ALIGNMENT_BYTES;
        if (tag->bytes > head->total_bytes - offset - padding)
            break;
        offset += tag->bytes + padding;
    }
    return "multiboot2: the boot information has no end tag";
}
