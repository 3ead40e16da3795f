/* SPDX-License-Identifier: MIT */
/*
 * The fence around a block, and the plate on it that says whose it is. Included by
 * fenced_heap.h alone.
 *
 * Layout, of a block that the strategy made and of what its caller got of it:
 *
 *             +------- - - --+---------------+-------+------------------+-------+-------+
 *             |  unused: 0   |     plate     | guard |  caller's bytes  | guard | unused|
 *             +------- - - --+---------------+-------+------------------+-------+-------+
 *             ^ start         front_bytes            ^ address           8 to 64
 *
 * The guard behind begins with the first byte that was not asked for, so an overrun of one
 * byte is seen; it is as long as the strategy's rounding leaves it, 8 bytes at least. What
 * is before the plate is there only for alignments above the plate's own size.
 *
 * A guard's byte depends on where it is, so that a block copied with a byte too many does
 * not bring the right guard with it. It is never 0, and never text.
 *
 * The plate has a seal: a sum of what stands on it and of where it stands. Nothing on it is
 * believed while that is broken.
 */
#ifndef MM_FENCE_H
#define MM_FENCE_H

enum {
    FENCE_GUARD_BYTES = 10,      /* before a block: what its plate leaves of 32 */
    FENCE_BEHIND_BYTES_MIN = 8,
    FENCE_BEHIND_BYTES_MAX = 64, /* who jumps further is not caught */
};

static const uint32_t FENCE_DEAD_WORD = HEAP_FILLER_DEAD * 0x01010101U;

struct fence_plate {
    uint32_t bytes;           /* that were asked for */
    uint32_t number;          /* which allocation since kinitHeap() it was, from 1 */
    const void *allocated_by;
    const void *freed_by;     /* NULL while live */
    uint32_t seal;
    uint8_t front_log2;       /* of the bytes from the strategy's block to the caller's */
    uint8_t behind_bytes;     /* of the guard behind */
    uint8_t guard[FENCE_GUARD_BYTES];
};

_Static_assert(sizeof(struct fence_plate) == 32, "a power of two, so that alignments stay");
_Static_assert(sizeof(struct fence_plate) % HEAP_ALIGNMENT_BYTES == 0, "blocks stay aligned");
_Static_assert(FENCE_BEHIND_BYTES_MAX <= UINT8_MAX, "the plate can say how long the guard is");

static inline struct fence_plate *fence_plate_of(const uint8_t *address)
{
    return (struct fence_plate *)(uintptr_t)(address - sizeof(struct fence_plate));
}

static inline uint8_t fence_byte(const uint8_t *address)
{
    uintptr_t place = (uintptr_t)address;
    return (uint8_t)(0x80 | (place ^ place >> 7));
}

/* FNV-1a over words, from the address on. */
static uint32_t fence_seal(const uint8_t *address)
{
    const struct fence_plate *plate = fence_plate_of(address);
    const uint32_t prime = 16777619;
    uint32_t sum = (uint32_t)(uintptr_t)address;
    sum = (sum ^ plate->bytes) * prime;
    sum = (sum ^ plate->number) * prime;
    sum = (sum ^ (uint32_t)(uintptr_t)plate->allocated_by) * prime;
    sum = (sum ^ (uint32_t)(uintptr_t)plate->freed_by) * prime;
    return (sum ^ (plate->front_log2 | (uint32_t)plate->behind_bytes << 8)) * prime;
}

static inline bool fence_is_sealed(const uint8_t *address)
{
    return fence_plate_of(address)->seal == fence_seal(address);
}

static void fence_paint(uint8_t *from, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        from[i] = fence_byte(from + i);
}

/* Paints both guards anew, and seals the plate. Requires: the plate is filled in. */
static void fence_close(uint8_t *address)
{
    struct fence_plate *plate = fence_plate_of(address);
    fence_paint(plate->guard, sizeof(plate->guard));
    fence_paint(address + plate->bytes, plate->behind_bytes);
    plate->seal = fence_seal(address);
}

/* Returns: the strategy's block. Requires: the plate is sealed. */
static inline uint8_t *fence_start(const uint8_t *address)
{
    return (uint8_t *)(uintptr_t)(address - (1U << fence_plate_of(address)->front_log2));
}

/* Returns: the end of the guard behind. Requires: the plate is sealed. */
static inline const uint8_t *fence_end(const uint8_t *address)
{
    const struct fence_plate *plate = fence_plate_of(address);
    return address + plate->bytes + plate->behind_bytes;
}

/* Returns: how long the guard can be in a block with so many bytes for it and for unused. */
static inline uint8_t fence_behind_bytes(uint32_t left)
{
    return (uint8_t)(left < FENCE_BEHIND_BYTES_MAX ? left : (uint32_t)FENCE_BEHIND_BYTES_MAX);
}

/* --- looking for damage ---------------------------------------------------------------- */

/* Returns: the byte of the guard before that is damaged, the nearest to the block; or NULL. */
static const uint8_t *fence_damage_before(const uint8_t *address)
{
    for (const uint8_t *byte = address - 1; byte >= address - FENCE_GUARD_BYTES; byte--)
        if (*byte != fence_byte(byte))
            return byte;
    return NULL;
}

/* The same for the guard behind. Requires: the plate is sealed. */
static const uint8_t *fence_damage_behind(const uint8_t *address)
{
    const uint8_t *end = fence_end(address);
    for (const uint8_t *byte = address + fence_plate_of(address)->bytes; byte < end; byte++)
        if (*byte != fence_byte(byte))
            return byte;
    return NULL;
}

/* Returns: the first byte, of so many at most, that is not what a freed block has; or NULL. */
static const uint8_t *fence_damage_inside(const uint8_t *address, uint32_t bytes_max)
{
    const struct fence_plate *plate = fence_plate_of(address);
    uint32_t bytes = plate->bytes < bytes_max ? plate->bytes : bytes_max;
    uint32_t offset = 0;
    while (offset + 4 <= bytes && *(const uint32_t *)(const void *)(address + offset) == FENCE_DEAD_WORD)
        offset += 4;
    while (offset < bytes && address[offset] == HEAP_FILLER_DEAD)
        offset++;
    return offset < bytes ? address + offset : NULL;
}

struct fence_damage {
    enum heap_sin sin;
    const uint8_t *byte; /* NULL: there is none */
};

/* Looks at a block's fence; at so many bytes of its inside, too, if it was freed. */
static struct fence_damage fence_inspect(const uint8_t *address, uint32_t inside_bytes_max)
{
    const uint8_t *before = fence_damage_before(address);
    if (!fence_is_sealed(address))
        return (struct fence_damage){HEAP_SIN_PLATE_LOST,
                                     before != NULL ? before
                                                    : (const uint8_t *)fence_plate_of(address)};
    if (before != NULL)
        return (struct fence_damage){HEAP_SIN_UNDERRUN, before};
    const uint8_t *behind = fence_damage_behind(address);
    if (behind != NULL || fence_plate_of(address)->freed_by == NULL)
        return (struct fence_damage){HEAP_SIN_OVERRUN, behind};
    return (struct fence_damage){HEAP_SIN_WRITTEN_FREED,
                                 fence_damage_inside(address, inside_bytes_max)};
}

#endif
