/* SPDX-License-Identifier: MIT */
/*
 * What callers do wrong, each done once to a heap of a few blocks, and what becomes of it.
 *
 * The blocks are in a row, as far as the strategy places them so: BEFORE, TARGET, BEHIND. The
 * sin is done to TARGET; then the heap is used on as if nothing had happened: further blocks
 * are taken, and all are given back. Told are: whether the heap refused the call, what its own
 * check finds broken, how many blocks of innocent owners changed their contents, how many of
 * the blocks it handed out afterwards share memory with one that was live already, and how
 * many misuses it has reported by the end (mm/hardening.h).
 */
#include "experiment.h"

#include <stddef.h>

#include "console.h"
#include "heap.h"
#include "heap_check.h"
#include "heap_stats.h"
#include "heap_strategy.h"

enum {
    BLOCK_BYTES = 100,
    LATER_BLOCKS = 16,
    BLOCKS = 4 + LATER_BLOCKS,
    INTERIOR_BYTES = 8,
    OVERRUN_BYTES = 8,
    SINNER = 0x41, /* what a caller writes where it must not */
};

enum verdict { NOT_ASKED, REFUSED, ACCEPTED };

/* Live blocks, in the order in which they were handed out. */
struct owners {
    uint8_t *blocks[BLOCKS];
    uint32_t count;
};

static uint8_t pattern_of(uint32_t owner)
{
    return (uint8_t)(0x80 + owner);
}

static bool share_memory(const uint8_t *one, const uint8_t *other)
{
    return one < other + BLOCK_BYTES && other < one + BLOCK_BYTES;
}

/* Returns: 1 iff the block shares memory with one that is live. */
static uint32_t own(struct owners *owners, uint8_t *block)
{
    uint32_t shared = 0;
    for (uint32_t i = 0; i < owners->count; i++)
        shared |= share_memory(owners->blocks[i], block);
    __builtin_memset(block, pattern_of(owners->count), BLOCK_BYTES);
    owners->blocks[owners->count++] = block;
    return shared;
}

static bool is_intact(const struct owners *owners, uint32_t owner)
{
    for (uint32_t i = 0; i < BLOCK_BYTES; i++)
        if (owners->blocks[owner][i] != pattern_of(owner))
            return false;
    return true;
}

static uint32_t damaged_blocks(const struct owners *owners)
{
    uint32_t damaged = 0;
    for (uint32_t i = 0; i < owners->count; i++)
        damaged += !is_intact(owners, i);
    return damaged;
}

static void say_broken(const char *name, const char *broken)
{
    if (broken == NULL)
        console_report(",\"%s\":null", name);
    else
        console_report(",\"%s\":\"%s\"", name, broken);
}

/* Every block that comes is filled by an owner who knows of nothing. Returns: own()'s, summed. */
static uint32_t take_more(struct owners *owners)
{
    uint32_t shared = 0;
    for (uint32_t i = 0; i < LATER_BLOCKS; i++) {
        uint8_t *block = kmalloc(BLOCK_BYTES);
        if (block != NULL)
            shared += own(owners, block);
    }
    return shared;
}

static void give_all_back(const struct owners *owners)
{
    for (uint32_t i = 0; i < owners->count; i++)
        kfree(owners->blocks[i]);
}

/* Uses the heap on as if nothing had happened, and says what came of it. */
static void tell(struct owners *owners, enum verdict verdict)
{
    static const char *const words[] = {
        [NOT_ASKED] = "null", [REFUSED] = "true", [ACCEPTED] = "false"};
    const char *broken = heap_check(kheap_strategy(), kheap());
    uint32_t shared = take_more(owners);
    uint32_t damaged = damaged_blocks(owners);
    const char *broken_later = heap_check(kheap_strategy(), kheap());
    give_all_back(owners);
    experiment_open_record();
    console_report(",\"refused\":%s,\"shared\":%u,\"damaged\":%u,\"reported\":%u",
                   words[verdict], shared, damaged, heap_stats().misuses);
    say_broken("broken", broken);
    say_broken("broken_later", broken_later);
}

/* Hands out BEFORE, TARGET and BEHIND. Returns: TARGET, which is not among the owners. */
static uint8_t *prepare(struct owners *owners)
{
    kinitHeap();
    *owners = (struct owners){0};
    own(owners, kmalloc(BLOCK_BYTES));
    uint8_t *target = kmalloc(BLOCK_BYTES);
    own(owners, kmalloc(BLOCK_BYTES));
    return target;
}

static enum verdict try_free(void *address)
{
    return kfree(address) == 0 ? ACCEPTED : REFUSED;
}

void experiment_double_free(uint32_t seed)
{
    (void)seed;
    struct owners owners;
    uint8_t *target = prepare(&owners);
    kfree(target);
    tell(&owners, try_free(target));
}

/* Between the two frees the memory has found a new owner. */
void experiment_stale_free(uint32_t seed)
{
    (void)seed;
    struct owners owners;
    uint8_t *target = prepare(&owners);
    kfree(target);
    own(&owners, kmalloc(BLOCK_BYTES));
    tell(&owners, try_free(target));
}

void experiment_interior_free(uint32_t seed)
{
    (void)seed;
    struct owners owners;
    uint8_t *target = prepare(&owners);
    own(&owners, target);
    tell(&owners, try_free(target + INTERIOR_BYTES));
}

void experiment_foreign_free(uint32_t seed)
{
    (void)seed;
    static uint64_t foreign[BLOCK_BYTES];
    struct owners owners;
    own(&owners, prepare(&owners));
    tell(&owners, try_free(&foreign[BLOCK_BYTES / 2]));
}

void experiment_use_after_free(uint32_t seed)
{
    (void)seed;
    struct owners owners;
    uint8_t *target = prepare(&owners);
    kfree(target);
    __builtin_memset(target, SINNER, BLOCK_BYTES);
    tell(&owners, NOT_ASKED);
}

/* Between the free and the write the memory has found a new owner. */
void experiment_use_after_reuse(uint32_t seed)
{
    (void)seed;
    struct owners owners;
    uint8_t *target = prepare(&owners);
    kfree(target);
    own(&owners, kmalloc(BLOCK_BYTES));
    __builtin_memset(target, SINNER, BLOCK_BYTES);
    tell(&owners, NOT_ASKED);
}

/* Writes behind all that the heap granted. */
void experiment_overrun(uint32_t seed)
{
    (void)seed;
    struct owners owners;
    uint8_t *target = prepare(&owners);
    uint32_t granted = ksize(target);
    own(&owners, target);
    __builtin_memset(target + granted, SINNER, OVERRUN_BYTES);
    tell(&owners, NOT_ASKED);
}

/* Writes one byte more than was asked for. */
void experiment_small_overrun(uint32_t seed)
{
    (void)seed;
    struct owners owners;
    uint8_t *target = prepare(&owners);
    own(&owners, target);
    target[BLOCK_BYTES] = SINNER;
    tell(&owners, NOT_ASKED);
}
