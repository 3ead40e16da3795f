/* SPDX-License-Identifier: MIT */
/*
 * The firmware's tables, and what they say of processors and interrupt controllers.
 *
 * Source: ACPI Specification 6.5, 5.2.5 (RSDP), 5.2.6 (what tables begin with), 5.2.7 (RSDT),
 * 5.2.8 (XSDT) and 5.2.12 (MADT).
 */
#ifndef KERNEL_ACPI_H
#define KERNEL_ACPI_H

#include <stdbool.h>
#include <stdint.h>

enum { ACPI_PROCESSORS_MAX = 8, ACPI_IO_APICS_MAX = 16 };

/* What every table begins with. */
struct acpi_table {
    char signature[4];
    uint32_t bytes; /* of the whole table */
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));

_Static_assert(sizeof(struct acpi_table) == 36, "ACPI 6.5, table 5.4");

struct acpi_platform {
    uint32_t local_apic_address;   /* physical, the same for each processor's own */
    bool has_8259;                 /* whose interrupts must be masked */
    uint32_t processor_count;      /* of the first that may be started, with ids up to 254 */
    uint8_t processors[ACPI_PROCESSORS_MAX]; /* their local APICs' ids, as listed */
    uint32_t io_apic_count;
    uint32_t io_apics[ACPI_IO_APICS_MAX]; /* their physical addresses */
};

/*
 * Searches [start, end) for an RSDP, at each 16 bytes.
 * Requires: all of it is readable. Returns: the first whose checksum is right; else NULL.
 */
const void *acpi_search_rsdp(const uint8_t *start, const uint8_t *end);

/* Returns: whether an RSDP is there, with the right checksum. */
bool acpi_is_rsdp(const void *address);

/*
 * Returns: the first whole table of that signature, four letters, to which the RSDP leads; NULL
 * if there is none, or none that lies below 4 GiB.
 * Requires: acpi_is_rsdp(rsdp); every address that the tables name is readable.
 */
const struct acpi_table *acpi_find(const void *rsdp, const char *signature);

/*
 * Reads the tables that rsdp leads to.
 * Requires: every address they name is readable. Checksums and lengths are verified.
 * Returns: NULL and *platform filled in; else what is wrong, in words.
 */
const char *acpi_read(const void *rsdp, struct acpi_platform *platform);

#endif
