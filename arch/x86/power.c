/* SPDX-License-Identifier: MIT */
#include "power.h"

#include <stddef.h>

#include "acpi_power.h"
#include "cpu.h"
#include "pit.h"
#include "ports.h"

enum { ACPI_IS_ON = 1 << 0, TRIES = 300, TRY_MICROSECONDS = 10000 };

static struct acpi_power_off how;
static bool is_known;

void power_init(const struct boot_info *info)
{
    const void *rsdp = info->acpi_rsdp != NULL ? info->acpi_rsdp : cpu_search_rsdp();
    is_known = acpi_read_power_off(rsdp, &how);
}

/* Firmware hands the machine over with ACPI off, where it still knows anything else. */
static void turn_acpi_on(void)
{
    if (how.enable_port == 0 || (port_read_word16(how.control_a) & ACPI_IS_ON) != 0)
        return;
    port_write_byte(how.enable_port, how.enable_value);
    for (int i = 0; i < TRIES && (port_read_word16(how.control_a) & ACPI_IS_ON) == 0; i++)
        pit_wait(TRY_MICROSECONDS);
}

void power_off(void)
{
    if (!is_known)
        return;
    turn_acpi_on();
    port_write_word16(how.control_a, how.value_a);
    if (how.control_b != 0)
        port_write_word16(how.control_b, how.value_b);
    for (int i = 0; i < TRIES; i++)
        pit_wait(TRY_MICROSECONDS);
}
