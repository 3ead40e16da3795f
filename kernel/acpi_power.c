/* SPDX-License-Identifier: MIT */
#include "acpi_power.h"

#include <stddef.h>

#include "acpi.h"

enum { SLEEP_TYPE_SHIFT = 10, SLEEP_ENABLE = 1 << 13, SLEEP_TYPE_MASK = 7 };

/* AML; 20.2. */
enum {
    AML_ZERO = 0x00,
    AML_ONE = 0x01,
    AML_NAME = 0x08,
    AML_BYTE = 0x0a,
    AML_PACKAGE = 0x12,
    AML_ROOT = '\\',
    AML_LENGTH_BYTES_SHIFT = 6, /* of a length's first byte: how many more there are */
};

struct fadt {
    struct acpi_table table;
    uint32_t facs, dsdt;
    uint8_t reserved, profile;
    uint16_t interrupt;
    uint32_t command_port;
    uint8_t acpi_enable, acpi_disable, s4_request, p_state;
    uint32_t event_a, event_b, control_a, control_b;
} __attribute__((packed));

_Static_assert(offsetof(struct fadt, command_port) == 48, "ACPI 6.5, table 5.9");
_Static_assert(offsetof(struct fadt, control_a) == 64, "ACPI 6.5, table 5.9");

/* Bytes of AML that are still to be read. */
struct aml {
    const uint8_t *next, *end;
};

static bool take_byte(struct aml *aml, uint8_t *byte)
{
    if (aml->next == aml->end)
        return false;
    *byte = *aml->next++;
    return true;
}

static bool take_length(struct aml *aml)
{
    uint8_t first;
    if (!take_byte(aml, &first) || aml->end - aml->next < first >> AML_LENGTH_BYTES_SHIFT)
        return false;
    aml->next += first >> AML_LENGTH_BYTES_SHIFT;
    return true;
}

static bool take_constant(struct aml *aml, uint8_t *value)
{
    if (!take_byte(aml, value))
        return false;
    return *value == AML_BYTE ? take_byte(aml, value) : *value == AML_ZERO || *value == AML_ONE;
}

/* Takes what follows the name: a package of two constants or more. */
static bool take_package(struct aml *aml, uint8_t *type_a, uint8_t *type_b)
{
    uint8_t package, elements;
    return take_byte(aml, &package) && package == AML_PACKAGE && take_length(aml) &&
           take_byte(aml, &elements) && elements >= 2 && take_constant(aml, type_a) &&
           take_constant(aml, type_b);
}

static bool is_named(const uint8_t *name)
{
    return name[-1] == AML_NAME || (name[-1] == AML_ROOT && name[-2] == AML_NAME);
}

static bool find_types(const struct acpi_table *dsdt, uint8_t *type_a, uint8_t *type_b)
{
    enum { NAME_BYTES = 4 };
    const uint8_t *start = (const uint8_t *)(dsdt + 1);
    const uint8_t *end = (const uint8_t *)dsdt + dsdt->bytes;
    for (const uint8_t *name = start + 2; end - name > NAME_BYTES; name++) {
        struct aml aml = {name + NAME_BYTES, end};
        if (__builtin_memcmp(name, "_S5_", NAME_BYTES) == 0 && is_named(name) &&
            take_package(&aml, type_a, type_b))
            return true;
    }
    return false;
}

static uint16_t sleep_value(uint8_t type)
{
    return (uint16_t)((type & SLEEP_TYPE_MASK) << SLEEP_TYPE_SHIFT | SLEEP_ENABLE);
}

bool acpi_read_power_off(const void *rsdp, struct acpi_power_off *how)
{
    uint8_t type_a, type_b;
    if (rsdp == NULL || !acpi_is_rsdp(rsdp))
        return false;
    const struct fadt *fadt = (const struct fadt *)acpi_find(rsdp, "FACP");
    if (fadt == NULL || fadt->table.bytes < sizeof(*fadt) || fadt->dsdt == 0 ||
        fadt->control_a == 0)
        return false;
    const struct acpi_table *dsdt = (const struct acpi_table *)(uintptr_t)fadt->dsdt;
    if (dsdt->bytes <= sizeof(*dsdt) || !find_types(dsdt, &type_a, &type_b))
        return false;
    *how = (struct acpi_power_off){
        .control_a = (uint16_t)fadt->control_a,
        .control_b = (uint16_t)fadt->control_b,
        .value_a = sleep_value(type_a),
        .value_b = sleep_value(type_b),
        .enable_port = fadt->acpi_enable != 0 ? (uint16_t)fadt->command_port : 0,
        .enable_value = fadt->acpi_enable,
    };
    return true;
}
