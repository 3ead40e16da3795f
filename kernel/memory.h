/* SPDX-License-Identifier: MIT */
/*
 * The memory that is not the heap's: is the kernel's own memory there at all, and
 * where can the runner keep its tables? The heap under test is never asked for them.
 */
#ifndef KERNEL_MEMORY_H
#define KERNEL_MEMORY_H

#include "boot_info.h"

/*
 * Verifies that the kernel, its heap included, lies in usable memory and under no boot
 * module, and takes the largest piece of memory that is left for scratch_alloc().
 * kernel_start, kernel_end: physical addresses.
 * Returns: NULL, or what is wrong, in words, valid until the next call.
 */
const char *memory_init(const struct boot_info *info, uint32_t kernel_start, uint32_t kernel_end);

/* Returns: whether all of [start, end), physical addresses, is memory that nobody else claims. */
bool memory_is_usable(const struct boot_info *info, uint32_t start, uint32_t end);

/* Takes [start, end) for scratch_alloc(). */
void scratch_init(uint8_t *start, uint8_t *end);

/* Returns: whether what scratch_alloc() has left is exactly [start, end). */
bool scratch_holds(const uint8_t *start, const uint8_t *end);

/*
 * Returns: bytes of zeroed memory, aligned to 16; NULL iff there is not so much left.
 */
void *scratch_alloc(uint32_t bytes);

/* Returns: how much is taken now, for scratch_release(). */
uint8_t *scratch_mark(void);

/* Gives back all that was taken since scratch_mark() returned mark. */
void scratch_release(uint8_t *mark);

#endif
