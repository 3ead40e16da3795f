/* SPDX-License-Identifier: MIT */
/*
 * The front door's inside for the hardening levels redzone and full: there is a fence
 * around each block (fence.h). Included by heap.c alone; plain_heap.h is the other.
 *
 * The guard's bits say where fences are: of live blocks and, with full, of those in
 * quarantine; the plate says which of the two. So a strategy that is given a wrong address
 * never hears of it.
 *
 * What a fence shows is said once and mended: the guards are painted anew. A block whose
 * guards were damaged is not freed, since who knows what lies behind them; one whose plate
 * is lost is given up.
 *
 * Cost: linear in the size of the block, which is filled when it is taken and when it is
 * freed. With full, in addition, a look at both neighbours, and a step for each word of
 * the guard that is between; and a free may push blocks out of quarantine, a request that fails
 * all of them, 256 at most, each of which is looked at from end to end.
 */
#ifndef MM_FENCED_HEAP_H
#define MM_FENCED_HEAP_H

#include "fence.h"

#include "history.h"

#include "quarantine.h"

enum {
    FENCED_LOOK_BYTES = 64,           /* of a freed neighbour, looked at in each call */
    FENCED_LOOK_WORDS = 64,           /* of the guard, to find a neighbour: 16 KiB of heap */
    FENCED_PLATE_LOG2 = 5,
};

_Static_assert(1 << FENCED_PLATE_LOG2 == sizeof(struct fence_plate), "so far before a block");

/* The call of heap.h that is being served. */
struct fenced_call {
    const char *function;
    const void *caller;
};

static uint32_t fenced_number; /* of the last allocation since kinitHeap() */

/* --- finding fences --------------------------------------------------------------------- */

/* Returns: the last fenced block that starts below granule, looking at so many words; or NULL. */
static uint8_t *fenced_below(uint32_t granule, uint32_t words)
{
    if (granule == 0)
        return NULL;
    uint32_t word = (granule - 1) / GUARD_WORD_BITS;
    uint32_t bits = guard.words[word] & (UINT32_MAX >> (-granule % GUARD_WORD_BITS));
    while (bits == 0 && word > 0 && --words > 0)
        bits = guard.words[--word];
    if (bits == 0)
        return NULL;
    return guard_address_of(word * GUARD_WORD_BITS + 31 - (uint32_t)__builtin_clz(bits));
}

/* Returns: the first one that starts at granule or above it. Requires: there is such a granule. */
static uint8_t *fenced_from(uint32_t granule, uint32_t words)
{
    uint32_t word = granule / GUARD_WORD_BITS;
    uint32_t last = guard_granules() / GUARD_WORD_BITS;
    uint32_t bits = guard.words[word] & (UINT32_MAX << granule % GUARD_WORD_BITS);
    while (bits == 0 && word < last && --words > 0)
        bits = guard.words[++word];
    if (bits == 0)
        return NULL;
    return guard_address_of(word * GUARD_WORD_BITS + (uint32_t)__builtin_ctz(bits));
}

static inline uint32_t fenced_granule(const uint8_t *address)
{
    return guard_offset_of(address) >> GUARD_GRANULE_LOG2;
}

static struct heap_life fenced_life(const uint8_t *address)
{
    const struct fence_plate *plate = fence_plate_of(address);
    if (!fence_is_sealed(address))
        return (struct heap_life){.block = address};
    return (struct heap_life){address, plate->bytes, plate->number, plate->allocated_by,
                              plate->freed_by};
}

/* A block whose plate is lost counts as live: let its fence be looked at. */
static bool fenced_is_live(const uint8_t *address)
{
    return guard_knows(address) &&
           (fence_plate_of(address)->freed_by == NULL || !fence_is_sealed(address));
}

/* --- looking at fences -------------------------------------------------------------------- */

/* Nothing is known of the block any more. It stays where it is, nobody's. */
static void fenced_give_up(uint8_t *address)
{
    guard_leave(address);
    bool was_live = HARDENING < HARDENING_FULL || !quarantine_has(address);
    if (was_live)
        account_given_back();
    history_note(&(struct heap_life){.block = address});
}

static void fenced_mend(uint8_t *address, enum heap_sin sin)
{
    struct fence_plate *plate = fence_plate_of(address);
    if (sin == HEAP_SIN_PLATE_LOST)
        fenced_give_up(address);
    else
        fence_close(address);
    if (sin == HEAP_SIN_WRITTEN_FREED)
        __builtin_memset(address, HEAP_FILLER_DEAD, plate->bytes);
}

/* Returns: whether a fence is whole; if not, that has been said, and mended. */
static bool fenced_inspect(uint8_t *address, uint32_t inside_bytes_max,
                           const struct fenced_call *call)
{
    struct fence_damage damage = fence_inspect(address, inside_bytes_max);
    if (damage.byte == NULL)
        return true;
    const struct heap_misuse misuse = {damage.sin, call->function, damage.byte, call->caller};
    front_report(&misuse);
    fenced_mend(address, damage.sin);
    return false;
}

/* Looks at the blocks before and behind. */
static void fenced_look_around(const uint8_t *address, const struct fenced_call *call)
{
    if (HARDENING < HARDENING_FULL)
        return;
    uint32_t granule = fenced_granule(address);
    uint8_t *below = fenced_below(granule, FENCED_LOOK_WORDS);
    uint8_t *above = fenced_from(granule + 1, FENCED_LOOK_WORDS);
    if (below != NULL)
        fenced_inspect(below, FENCED_LOOK_BYTES, call);
    if (above != NULL)
        fenced_inspect(above, FENCED_LOOK_BYTES, call);
}

/* --- giving back to the strategy ------------------------------------------------------------ */

/* Forgets a freed block, unless that was done already, and gives it back. */
static void fenced_release(const struct quarantined *block)
{
    if (guard_leave(block->address)) {
        struct heap_life life = fenced_life(block->address);
        history_note(&life);
    }
    __builtin_memset(block->start, HEAP_FILLER_DEAD, block->bytes);
    HEAP_STRATEGY.free(&kernel_heap, block->start);
}

/* It is looked at while it still is in quarantine: were its plate lost, it would pass for live. */
static void fenced_release_oldest(const struct fenced_call *call)
{
    uint8_t *address = quarantine_oldest();
    if (guard_knows(address))
        fenced_inspect(address, UINT32_MAX, call);
    struct quarantined oldest = quarantine_take_oldest();
    fenced_release(&oldest);
}

/* Returns: whether there was any. */
static bool fenced_release_all(const struct fenced_call *call)
{
    bool any = quarantine.count > 0;
    while (quarantine.count > 0)
        fenced_release_oldest(call);
    return any;
}

/* Requires: the block is live and its fence is whole. */
static void fenced_retire(uint8_t *address, const struct fenced_call *call)
{
    struct fence_plate *plate = fence_plate_of(address);
    plate->freed_by = call->caller;
    plate->seal = fence_seal(address);
    account_given_back();
    account_bytes(0, plate->bytes);
    __builtin_memset(address, HEAP_FILLER_DEAD, plate->bytes);
    struct quarantined block = quarantined_of(address);
    if (HARDENING < HARDENING_FULL) {
        fenced_release(&block);
        return;
    }
    quarantine_put(&block);
    while (quarantine_is_too_large())
        fenced_release_oldest(call);
}

/* --- the front door's inside ------------------------------------------------------------------ */

static void front_start(void)
{
    guard_clear();
    history_forget();
    quarantine_forget();
    fenced_number = 0;
    HEAP_STRATEGY.init(&kernel_heap);
}

/* Writes the plate and closes the fence. Requires: bytes + FENCE_BEHIND_BYTES_MIN have room. */
static void fenced_describe(uint8_t *address, uint32_t front_log2, uint32_t bytes,
                            const void *caller)
{
    uint8_t *start = address - (1U << front_log2);
    uint32_t room = HEAP_STRATEGY.usable(&kernel_heap, start) - (1U << front_log2);
    *fence_plate_of(address) = (struct fence_plate){
        .bytes = bytes,
        .number = ++fenced_number,
        .allocated_by = caller,
        .front_log2 = (uint8_t)front_log2,
        .behind_bytes = fence_behind_bytes(room - bytes),
    };
    fence_close(address);
}

/* Returns: a block of the strategy's with so much room; NULL if there is none. */
static uint8_t *fenced_room(uint32_t bytes, uint32_t align_bytes, const struct fenced_call *call)
{
    uint8_t *start = HEAP_STRATEGY.alloc(&kernel_heap, bytes, align_bytes);
    if (start == NULL && fenced_release_all(call))
        start = HEAP_STRATEGY.alloc(&kernel_heap, bytes, align_bytes);
    return start;
}

static void *fenced_alloc(uint32_t size, uint32_t align_bytes, const struct fenced_call *call)
{
    uint32_t plate_bytes = sizeof(struct fence_plate);
    uint32_t front_bytes = align_bytes < plate_bytes ? plate_bytes : align_bytes;
    uint32_t bytes;
    if (__builtin_add_overflow(size, front_bytes + FENCE_BEHIND_BYTES_MIN, &bytes))
        return account_failure(UINT32_MAX);
    uint8_t *start = fenced_room(bytes, align_bytes, call);
    if (start == NULL)
        return account_failure(bytes);
    uint8_t *address = start + front_bytes;
    __builtin_memset(address, HEAP_FILLER_CLEAN, size);
    fenced_describe(address, (uint32_t)__builtin_ctz(front_bytes), size, call->caller);
    guard_enter(address);
    account_taken();
    account_bytes(size, 0);
    fenced_look_around(address, call);
    return address;
}

static void *front_kmalloc(uint32_t size, const void *caller)
{
    account_insist("kmalloc");
    lock_take();
    void *block = NULL;
    if (size != 0 && !account_refuses(size))
        block = fenced_alloc(size, HEAP_ALIGNMENT_BYTES, &(struct fenced_call){"kmalloc", caller});
    lock_give();
    return block;
}

static void *front_alloc_aligned(uint32_t size, uint32_t align_bytes, const void *caller)
{
    lock_take();
    void *block = fenced_alloc(size, align_bytes, &(struct fenced_call){"kmalloc_aligned", caller});
    lock_give();
    return block;
}

static int8_t fenced_free(void *address, const void *caller)
{
    const struct fenced_call call = {"kfree", caller};
    if (!fenced_is_live(address)) {
        front_refuse(call.function, address, caller);
        return -1;
    }
    if (!fenced_inspect(address, 0, &call))
        return -1;
    fenced_look_around(address, &call);
    fenced_retire(address, &call);
    return 0;
}

static int8_t front_kfree(void *address, const void *caller)
{
    lock_take();
    int8_t result = fenced_free(address, caller);
    lock_give();
    return result;
}

__attribute__((noinline)) void *kmalloc(uint32_t size)
{
    return front_kmalloc(size, CALLER);
}

__attribute__((noinline)) int8_t kfree(void *address)
{
    return address == NULL ? 0 : front_kfree(address, CALLER);
}

static uint32_t front_usable(const void *address)
{
    return fenced_is_live(address) ? fence_plate_of(address)->bytes : 0;
}

/* Returns: whether a live block is fit to be resized; if not, that has been said. */
static bool front_is_sound(void *address, const void *caller)
{
    return fenced_inspect(address, 0, &(struct fenced_call){"krealloc", caller});
}

/* Returns: whether the strategy's block has room for so many bytes now. */
static bool fenced_make_room(uint8_t *address, uint32_t size)
{
    uint32_t front_bytes = (uint32_t)(address - fence_start(address));
    uint32_t bytes;
    return HEAP_STRATEGY.resize != NULL &&
           !__builtin_add_overflow(size, front_bytes + FENCE_BEHIND_BYTES_MIN, &bytes) &&
           HEAP_STRATEGY.resize(&kernel_heap, fence_start(address), bytes);
}

/*
 * Requires: front_is_sound(). With full, blocks always move: whoever keeps an old pointer
 * is to find the quarantine there.
 */
static bool front_resize(void *address, uint32_t size, const void *caller)
{
    struct fence_plate *plate = fence_plate_of(address);
    if (HARDENING == HARDENING_FULL || !fenced_make_room(address, size))
        return false;
    if (size > plate->bytes)
        __builtin_memset((uint8_t *)address + plate->bytes, HEAP_FILLER_CLEAN, size - plate->bytes);
    account_bytes(size, plate->bytes);
    fenced_describe(address, plate->front_log2, size, caller);
    return true;
}

/* Shows the strategy's blocks. */
static inline void front_walk(heap_visit *visit, void *context)
{
    HEAP_STRATEGY.walk(&kernel_heap, visit, context);
}

/* What keeps front_walk() from coming back, or NULL. */
static inline const char *front_check(void)
{
    return HEAP_STRATEGY.check(&kernel_heap);
}

/* There are no magazines. */
static inline uint32_t front_locking_bytes(void)
{
    return 0;
}

static inline struct heap_magazine_status front_magazines(void)
{
    return (struct heap_magazine_status){0};
}

static uint32_t front_bytes(void)
{
    return sizeof(guard) + sizeof(history) +
           (HARDENING == HARDENING_FULL ? sizeof(quarantine) : 0);
}

#include "fenced_view.h"

#endif
