/* SPDX-License-Identifier: MIT */
/*
 * The kernel heap, as its callers see it.
 *
 * There is one heap, chosen when the kernel is built (-Dheap=). Whatever the
 * strategy behind it, these rules hold:
 *
 *   - every block is aligned to at least HEAP_ALIGNMENT_BYTES;
 *   - a request that is larger than the heap, or whose rounding would overflow,
 *     returns NULL and changes nothing;
 *   - nothing here sleeps, and nothing here may be called from two contexts at
 *     once, unless the kernel was built for it (-Dlocking=, locking.h).
 *
 * The names kmalloc, kfree and kinitHeap, and the result of kfree, are those of
 * the LOS exercise.
 */
#ifndef MM_HEAP_H
#define MM_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct heap_strategy;
struct heap;

enum { HEAP_ALIGNMENT_BYTES = 8 };

/*
 * Makes the whole region one empty heap. What was allocated before is forgotten.
 * Requires: called once before anything allocates; calling it again starts anew.
 * Cost: the strategy's; the lab reports it as init_cost.
 */
void kinitHeap(void);

/*
 * Reserves a block of at least size bytes. Its contents are whatever was there.
 * Requires: kinitHeap() was called; a kernel that forgot it panics.
 * Returns: the block's address; NULL iff size is 0 or no hole fits among those that the
 * strategy looks at (some pass holes over to save time; each file says which).
 */
void *kmalloc(uint32_t size);

/*
 * Gives a block back.
 * Returns: 0 on success and for NULL, which does nothing; -1, with the heap
 * untouched, for an address that is not the start of a live block. A kernel built with
 * -Dhardening=off refuses such an address only if its strategy does so by itself; see
 * kheap_refuses_wrong_addresses(). From check on it is reported, too (hardening.h); from
 * redzone on, -1 as well for a block whose surroundings were overwritten: it stays live.
 */
int8_t kfree(void *address);

/*
 * Reserves count * size bytes, all zero.
 * Returns: NULL iff the product is 0, overflows 32 bits, or does not fit.
 */
void *kcalloc(uint32_t count, uint32_t size);

/*
 * Changes a block's size, keeping min(old, new) bytes of its contents; the block
 * may move. krealloc(NULL, size) is kmalloc(size); krealloc(address, 0) is
 * kfree(address) and returns NULL.
 * Returns: the new address; NULL iff address is not a live block or the new size
 * does not fit, and then the old block is untouched and still the caller's.
 */
void *krealloc(void *address, uint32_t size);

/*
 * Reserves a block of at least size bytes at a multiple of align_bytes.
 * Returns: NULL iff size is 0, align_bytes is not a power of two, or no hole has
 * room at such an address.
 */
void *kmalloc_aligned(uint32_t size, uint32_t align_bytes);

/*
 * Returns: the bytes the caller may use at address, at least what was asked for; just that
 * from -Dhardening=redzone on. 0 for NULL and for an address that is not the start of a live
 * block, which from check on is reported.
 */
uint32_t ksize(const void *address);

/*
 * The strategy this heap was built with: its name, traits and source. With fences or magazines each
 * call fills one table anew, and so is for one caller at a time.
 */
const struct heap_strategy *kheap_strategy(void);

/*
 * Returns: whether kfree, krealloc and ksize refuse every address that is not a live
 * block; where they do not, such an address damages the heap.
 */
bool kheap_refuses_wrong_addresses(void);

/* The hardening this kernel was built with, and the memory it takes, in bytes. */
const char *kheap_hardening(void);
uint32_t kheap_hardening_bytes(void);

/* The heap itself, for those who walk or check it. Never for allocating. */
const struct heap *kheap(void);

#endif
