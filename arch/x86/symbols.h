/* SPDX-License-Identifier: MIT */
/*
 * What the kernel knows of its own code: names, for backtraces, and the heap's size. The kernel is linked twice: once
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

/* The size of the code that serves the heap's callers; 0 in the first link. */
extern const uint32_t heap_text_bytes;

/* Sorted by address. The first link's table is empty. */
extern const struct symbol symbol_table[];
extern const uint32_t symbol_count;

#endif
