/* SPDX-License-Identifier: MIT */
/*
 * The guard: one bit for each 8 bytes of region, set iff a block starts there that the
 * front door has handed out. Included by heap.c alone.
 *
 * An address is rotated, not shifted, into its granule's number: what is not aligned, and
 * what is not in the region, both become numbers that are too large, and one comparison
 * refuses them. As in boundary_map.h, a bit is one instruction, since those are counted; with
 * magazines, whose calls do not hold the lock, it is one for all processors, too.
 */
#ifndef MM_GUARD_H
#define MM_GUARD_H

enum {
    GUARD_GRANULE_LOG2 = 3,
    GUARD_GRANULE_BYTES = 1 << GUARD_GRANULE_LOG2,
    GUARD_WORD_BITS = 32,
    GUARD_GRANULES_MAX = KERNEL_HEAP_REGION_BYTES_MAX / GUARD_GRANULE_BYTES,
    GUARD_WORDS = GUARD_GRANULES_MAX / GUARD_WORD_BITS + 1,
};

_Static_assert((int)GUARD_GRANULE_BYTES == (int)HEAP_ALIGNMENT_BYTES, "a bit for each start");

static struct guard {
    uint32_t words[GUARD_WORDS];
} guard;

static inline uint32_t guard_granules(void)
{
    const struct heap_region *region = &kernel_heap.region;
    return (region->map_bytes + region->arena_bytes) / GUARD_GRANULE_BYTES;
}

/*
 * In C the compiler would load the region's address, which it knows, into a register first,
 * and that is one instruction more.
 */
static inline uint32_t guard_offset_of(const void *address)
{
    uint32_t offset = (uint32_t)(uintptr_t)address;
    __asm__("subl %1, %0" : "+r"(offset) : "ri"(kernel_heap.region.map) : "cc");
    return offset;
}

/* Returns: the number of the granule that address starts; too large a one if it starts none. */
static inline uint32_t guard_granule_of(const void *address)
{
    uint32_t offset = guard_offset_of(address);
    return offset >> GUARD_GRANULE_LOG2 | offset << (GUARD_WORD_BITS - GUARD_GRANULE_LOG2);
}

static inline uint8_t *guard_address_of(uint32_t granule)
{
    return kernel_heap.region.map + granule * GUARD_GRANULE_BYTES;
}

static inline void guard_clear(void)
{
    uint32_t words = guard_granules() / GUARD_WORD_BITS + 1;
    __builtin_memset(guard.words, 0, words * sizeof(guard.words[0]));
}

/* Requires: address starts a granule of the region. */
static inline void guard_enter(const void *address)
{
    uint32_t granule = guard_offset_of(address) >> GUARD_GRANULE_LOG2;
    if (LOCKING == LOCKING_PERCPU)
        __asm__("lock btsl %1, %0" : "+m"(guard) : "r"(granule) : "cc");
    else
        __asm__("btsl %1, %0" : "+m"(guard) : "r"(granule) : "cc");
}

/* Returns: whether a block starts at address, whatever address is. */
static inline bool guard_knows(const void *address)
{
    uint32_t granule = guard_granule_of(address);
    if (granule >= guard_granules())
        return false;
    bool known;
    __asm__("btl %2, %1" : "=@ccc"(known) : "m"(guard), "r"(granule));
    return known;
}

/* Forgets a block. Returns: whether one started at address, whatever address is. */
static inline bool guard_leave(const void *address)
{
    uint32_t granule = guard_granule_of(address);
    if (granule >= guard_granules())
        return false;
    bool known;
    if (LOCKING == LOCKING_PERCPU)
        __asm__("lock btrl %2, %0" : "+m"(guard), "=@ccc"(known) : "r"(granule));
    else
        __asm__("btrl %2, %0" : "+m"(guard), "=@ccc"(known) : "r"(granule));
    return known;
}

#endif
