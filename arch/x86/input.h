/* SPDX-License-Identifier: MIT */
/* What people type, on the keyboard or at the other end of the serial line. */
#ifndef ARCH_X86_INPUT_H
#define ARCH_X86_INPUT_H

#include "boot_info.h"

/*
 * Readies the keyboard, and lets the processor rest while nobody types, if it has a timer that
 * ACPI's tables tell of.
 * Requires: interrupts off.
 */
void input_init(const struct boot_info *info);

#endif
