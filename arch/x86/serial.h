/* SPDX-License-Identifier: MIT */
/* The first serial port, COM1: 115,200 baud, 8 data bits, no parity, 1 stop bit. */
#ifndef ARCH_X86_SERIAL_H
#define ARCH_X86_SERIAL_H

#include <stdbool.h>
#include <stdint.h>

/* Sets the port up; finds out whether there is one. */
void serial_init(void);

/*
 * Waits until the port takes a character, and gives it one; '\n' is sent as it stands. A port
 * that does not take one for seconds loses it, and whatever comes until it takes some again.
 */
void serial_put(char character);

/* Returns: whether a byte has come; *byte is the oldest. */
bool serial_get(uint8_t *byte);

#endif
