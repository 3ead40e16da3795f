/* SPDX-License-Identifier: MIT */
/* A PS/2 keyboard with the keys of a US one, or a USB keyboard that the firmware shows as one. */
#ifndef ARCH_X86_KEYBOARD_H
#define ARCH_X86_KEYBOARD_H

#include <stdint.h>

/* Finds out whether there is a controller, and readies it; does without interrupts. */
void keyboard_init(void);

/* Returns: the next key (kernel/key.h); KEY_NONE if none was pressed, or there is no keyboard. */
uint32_t keyboard_poll(void);

/* Pulls the reset line that the controller has. It may come back, where that leads nowhere. */
void keyboard_reset_machine(void);

#endif
