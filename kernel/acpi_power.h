/* SPDX-License-Identifier: MIT */
/*
 * How a machine is switched off: soft-off, the state S5.
 *
 * Source: ACPI Specification 6.5, 5.2.9 (FADT), 4.8.3.2.1 (PM1 control), 7.4.2 (the packages
 * \_Sx) and 20.2 (AML). The package \_S5 stands in the DSDT, which is a program for an
 * interpreter; here it is looked for by its bytes, which are the same in every program that
 * gives it constants. One that computes it is not understood.
 */
#ifndef KERNEL_ACPI_POWER_H
#define KERNEL_ACPI_POWER_H

#include <stdbool.h>
#include <stdint.h>

/* What is to be written where. */
struct acpi_power_off {
    uint16_t control_a, control_b; /* I/O ports of 16 bits; control_b may be 0: there is none */
    uint16_t value_a, value_b;     /* SLP_TYP and SLP_EN, to be put into them */
    uint16_t enable_port;          /* 0: ACPI is on already, or cannot be turned on */
    uint8_t enable_value;          /* what turns it on there */
};

/* Returns: whether the tables that rsdp leads to say how; *how gets it. rsdp may be NULL. */
bool acpi_read_power_off(const void *rsdp, struct acpi_power_off *how);

#endif
