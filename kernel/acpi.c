/* SPDX-License-Identifier: MIT */
#include "acpi.h"

#include <stddef.h>

enum {
    RSDP_ALIGNMENT_BYTES = 16,
    RSDP_FIRST_BYTES = 20, /* what the first checksum is over */
    RSDP_REVISION_WITH_XSDT = 2,
    LOCAL_APIC_ID_MAX = 254, /* 255 means all of them */
};

enum madt_flag { MADT_HAS_8259 = 1 << 0 };
enum madt_type { MADT_LOCAL_APIC = 0, MADT_IO_APIC = 1 };
enum local_apic_flag { LOCAL_APIC_ENABLED = 1 << 0 };

struct rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t bytes; /* from here on only with RSDP_REVISION_WITH_XSDT */
    uint64_t xsdt;
    uint8_t second_checksum, reserved[3];
} __attribute__((packed));

struct madt {
    struct acpi_table table;
    uint32_t local_apic_address;
    uint32_t flags;
} __attribute__((packed));

struct madt_entry {
    uint8_t type, bytes;
} __attribute__((packed));

struct madt_local_apic {
    struct madt_entry entry;
    uint8_t processor, id;
    uint32_t flags;
} __attribute__((packed));

struct madt_io_apic {
    struct madt_entry entry;
    uint8_t id, reserved;
    uint32_t address, first_interrupt;
} __attribute__((packed));

_Static_assert(sizeof(struct rsdp) == 36, "ACPI 6.5, table 5.3");
_Static_assert(sizeof(struct madt) == 44, "ACPI 6.5, table 5.19");

static bool sums_to_zero(const void *start, uint32_t bytes)
{
    uint8_t sum = 0;
    for (const uint8_t *next = start; bytes > 0; bytes--)
        sum = (uint8_t)(sum + *next++);
    return sum == 0;
}

bool acpi_is_rsdp(const void *address)
{
    return __builtin_memcmp(address, "RSD PTR ", 8) == 0 &&
           sums_to_zero(address, RSDP_FIRST_BYTES);
}

const void *acpi_search_rsdp(const uint8_t *start, const uint8_t *end)
{
    for (; end - start >= RSDP_FIRST_BYTES; start += RSDP_ALIGNMENT_BYTES)
        if (acpi_is_rsdp(start))
            return start;
    return NULL;
}

static bool is_whole(const struct acpi_table *table)
{
    return table->bytes >= sizeof(*table) && sums_to_zero(table, table->bytes);
}

static bool is_called(const struct acpi_table *table, const char *signature)
{
    return __builtin_memcmp(table->signature, signature, sizeof(table->signature)) == 0;
}

/* The table at a physical address; NULL if a 32-bit kernel cannot reach it. */
static const struct acpi_table *table_at(uint64_t physical)
{
    return physical <= UINT32_MAX ? (const struct acpi_table *)(uintptr_t)physical : NULL;
}

/* Returns: the table among those that list names, in entries of so many bytes; or NULL. */
static const struct acpi_table *find_in(const struct acpi_table *list, uint32_t entry_bytes,
                                        const char *signature)
{
    const uint8_t *next = (const uint8_t *)(list + 1);
    const uint8_t *end = (const uint8_t *)list + list->bytes;
    for (; end - next >= (ptrdiff_t)entry_bytes; next += entry_bytes) {
        uint64_t physical = 0;
        __builtin_memcpy(&physical, next, entry_bytes);
        const struct acpi_table *table = table_at(physical);
        if (table != NULL && is_called(table, signature) && is_whole(table))
            return table;
    }
    return NULL;
}

/* Returns: what find_in() does of the list that is to lie there; NULL if no whole one does. */
static const struct acpi_table *find_by(uint64_t list_physical, const char *list_signature,
                                        uint32_t entry_bytes, const char *signature)
{
    const struct acpi_table *list = list_physical != 0 ? table_at(list_physical) : NULL;
    if (list == NULL || !is_called(list, list_signature) || !is_whole(list))
        return NULL;
    return find_in(list, entry_bytes, signature);
}

/* The XSDT is to be used where there is one (5.2.8); the RSDT, if that is out of reach. */
const struct acpi_table *acpi_find(const void *address, const char *signature)
{
    const struct rsdp *rsdp = address;
    const struct acpi_table *found = NULL;
    if (rsdp->revision >= RSDP_REVISION_WITH_XSDT)
        found = find_by(rsdp->xsdt, "XSDT", sizeof(uint64_t), signature);
    return found != NULL ? found : find_by(rsdp->rsdt, "RSDT", sizeof(uint32_t), signature);
}

static bool is_listed(const struct acpi_platform *platform, uint8_t id)
{
    for (uint32_t i = 0; i < platform->processor_count; i++)
        if (platform->processors[i] == id)
            return true;
    return false;
}

/* One that is listed twice must not be started twice: the second start would stop it. */
static void add_processor(const struct madt_local_apic *local, struct acpi_platform *platform)
{
    if ((local->flags & LOCAL_APIC_ENABLED) != 0 && local->id <= LOCAL_APIC_ID_MAX &&
        platform->processor_count < ACPI_PROCESSORS_MAX && !is_listed(platform, local->id))
        platform->processors[platform->processor_count++] = local->id;
}

static void add_io_apic(const struct madt_io_apic *io, struct acpi_platform *platform)
{
    if (platform->io_apic_count < ACPI_IO_APICS_MAX)
        platform->io_apics[platform->io_apic_count] = io->address;
    platform->io_apic_count++; /* read_madt() looks whether all had room */
}

static void add_entry(const struct madt_entry *entry, struct acpi_platform *platform)
{
    if (entry->type == MADT_LOCAL_APIC && entry->bytes >= sizeof(struct madt_local_apic))
        add_processor((const struct madt_local_apic *)entry, platform);
    else if (entry->type == MADT_IO_APIC && entry->bytes >= sizeof(struct madt_io_apic))
        add_io_apic((const struct madt_io_apic *)entry, platform);
}

static const char *read_madt(const struct madt *madt, struct acpi_platform *platform)
{
    const uint8_t *next = (const uint8_t *)(madt + 1);
    const uint8_t *end = (const uint8_t *)madt + madt->table.bytes;
    platform->local_apic_address = madt->local_apic_address;
    platform->has_8259 = (madt->flags & MADT_HAS_8259) != 0;
    while (end - next >= (ptrdiff_t)sizeof(struct madt_entry)) {
        const struct madt_entry *entry = (const struct madt_entry *)next;
        if (entry->bytes < sizeof(*entry) || entry->bytes > end - next)
            return "ACPI: an entry of the MADT is longer than the table, or has no length";
        add_entry(entry, platform);
        next += entry->bytes;
    }
    if (platform->processor_count == 0)
        return "ACPI: the MADT lists no processor";
    if (platform->io_apic_count > ACPI_IO_APICS_MAX)
        return "ACPI: the MADT lists more I/O APICs than the 16 this kernel can hold";
    return NULL;
}

const char *acpi_read(const void *rsdp, struct acpi_platform *platform)
{
    *platform = (struct acpi_platform){0};
    if (!acpi_is_rsdp(rsdp))
        return "ACPI: the RSDP has another signature, or a wrong checksum";
    const struct acpi_table *madt = acpi_find(rsdp, "APIC");
    if (madt == NULL || madt->bytes < sizeof(struct madt))
        return "ACPI: there is no MADT, which lists the processors";
    return read_madt((const struct madt *)madt, platform);
}
