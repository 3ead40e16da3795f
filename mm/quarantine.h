/* SPDX-License-Identifier: MIT */
/*
 * Where freed blocks wait before the strategy gets them back. Included by fenced_heap.h
 * alone, and empty but with -Dhardening=full.
 *
 * A block in quarantine is nobody's: it is filled with HEAP_FILLER_DEAD, and whoever writes there
 * is found out when it leaves, or when a call looks at its neighbours. Blocks leave in the
 * order in which they came, once there are too many of them or of their bytes; and all at
 * once when an allocation would fail.
 */
#ifndef MM_QUARANTINE_H
#define MM_QUARANTINE_H

enum {
    QUARANTINE_BLOCKS = 256,
    QUARANTINE_SHARE = 8, /* it holds at most this part of the region */
};

struct quarantined {
    uint8_t *address; /* the caller's, as it was */
    uint8_t *start;   /* the strategy's: known even if the plate should get lost */
    uint32_t bytes;   /* from start to the end of the guard */
};

static struct quarantine {
    struct quarantined blocks[QUARANTINE_BLOCKS]; /* a ring */
    uint32_t first;
    uint32_t count;
    uint32_t bytes;
} quarantine;

static inline void quarantine_forget(void)
{
    quarantine.count = 0;
    quarantine.bytes = 0;
}

/* Requires: the plate is sealed. */
static inline struct quarantined quarantined_of(uint8_t *address)
{
    uint8_t *start = fence_start(address);
    return (struct quarantined){address, start, (uint32_t)(fence_end(address) - start)};
}

/* Requires: it is not full. */
static inline void quarantine_put(const struct quarantined *block)
{
    quarantine.blocks[(quarantine.first + quarantine.count++) % QUARANTINE_BLOCKS] = *block;
    quarantine.bytes += block->bytes;
}

static inline bool quarantine_has(const uint8_t *address)
{
    for (uint32_t i = 0; i < quarantine.count; i++)
        if (quarantine.blocks[(quarantine.first + i) % QUARANTINE_BLOCKS].address == address)
            return true;
    return false;
}

/* Returns: the address of the block that has waited longest. Requires: there is one. */
static inline uint8_t *quarantine_oldest(void)
{
    return quarantine.blocks[quarantine.first].address;
}

/* Requires: it is not empty. */
static inline struct quarantined quarantine_take_oldest(void)
{
    struct quarantined oldest = quarantine.blocks[quarantine.first];
    quarantine.first = (quarantine.first + 1) % QUARANTINE_BLOCKS;
    quarantine.count--;
    quarantine.bytes -= oldest.bytes;
    return oldest;
}

/* The newest always stays: a block that is freed twice at once is known for it. */
static inline bool quarantine_is_too_large(void)
{
    const struct heap_region *region = &kernel_heap.region;
    uint32_t bytes_max = (region->map_bytes + region->arena_bytes) / QUARANTINE_SHARE;
    return quarantine.count == QUARANTINE_BLOCKS ||
           (quarantine.count > 1 && quarantine.bytes > bytes_max);
}

#endif
