/* SPDX-License-Identifier: MIT */
/* Switching a PC off. */
#ifndef ARCH_X86_POWER_H
#define ARCH_X86_POWER_H

#include "boot_info.h"

/* Looks up how it is done; from then on power_off() can. */
void power_init(const struct boot_info *info);

/* Switches the machine off. Comes back where that is not known, or does not work. */
void power_off(void);

#endif
