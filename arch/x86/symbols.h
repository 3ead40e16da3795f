/* SPDX-License-Identifier: MIT */
/*
 * The names of the kernel's functions, for backtraces. The kernel is linked twice: once
 * to learn its addresses, and again with the table that symbols.py made of them. The
 * table lies behind the code, so that the addresses stay as they were.
 */
#ifndef ARCH_X86_SYMBOLS_H
#define ARCH_X86_SYMBOLS_H

#include <stdint.h>

struct symbol {
    uint32_t address;
    const char *name;
};

/* Sorted by address. The first link's table is empty. */
extern const struct symbol symbol_table[];
extern const uint32_t symbol_count;

#endif
