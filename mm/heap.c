/* SPDX-License-Identifier: MIT */
/*
 * The front door: the public functions of heap.h, over whichever strategy this
 * kernel was built with.
 *
 * Idea. A kernel has one heap and one strategy, so nothing here is looked up at run
 * time. This file is compiled as one unit together with its strategy's, which stands
 * in front of it; HEAP_STRATEGY names that strategy's table. The table is const and
 * its definition is in sight, and so is the heap, whose region the machine's
 * kernel_heap.h gives: the compiler calls, or inlines, the strategy's own functions,
 * with the region's addresses folded into them. A test reads the disassembly. Into kmalloc,
 * kfree and krealloc, as far as that resizes, it inlines them whatever their size ("flatten";
 * clang does so for the calls in a function's own text, and no deeper), since only there does
 * it see which heap, and which alignment, they are for. kmalloc and kfree themselves are never
 * inlined: each heap has its code once, and its size can be compared. Where a strategy is cut
 * into a quick and a slow half, the slow one is a function of its own, for the quick one's sake.
 *
 * What a caller may get wrong, and what holds for every strategy alike, is decided
 * here and only here: zero sizes, NULL, products that overflow, alignments that are
 * none, and how a block moves when it cannot grow.
 *
 * Hardening (-Dhardening=, hardening.h). Between the callers and the strategy is one of two
 * insides: plain_heap.h, where callers get the strategy's own blocks, for off and check;
 * fenced_heap.h, where there is a fence around each, for redzone and full. Either is a
 * handful of functions called front_*. Which it is, and what of it is needed, is known when
 * this is compiled: with off nothing is left of any of it. A test compares the code with
 * that of a front door that knows no hardening.
 */
#include "heap.h"

#include "hardening.h"
#include "heap_stats.h"
#include "heap_strategy.h"
#include "kernel_heap.h"
#include "locking.h"

#if !defined(HARDENING) || !defined(HARDENING_INSIDE)
#error "HARDENING, one of enum hardening, or HARDENING_INSIDE, its header, is not defined"
#endif

#if !defined(LOCKING)
#error "LOCKING, one of enum locking, is not defined"
#endif

extern const struct heap_strategy HEAP_STRATEGY;

/* Out of line: what to do about a wrong address must not weigh on calls with right ones. */
static __attribute__((noinline)) void front_refuse(const char *function, const void *address,
                                                   const void *caller);

/* Shows every block of the heap's as its callers see it, or as the strategy does. */
static inline void front_walk(heap_visit *visit, void *context);

/* Counts a misuse and tells the program. Requires: this caller holds the lock. */
static void front_report(const struct heap_misuse *misuse);

#include "guard.h"

#include "account.h"

#include "lock.h"

#define CALLER __builtin_return_address(0)

#include HARDENING_INSIDE

#include "explain.h"

static void front_report(const struct heap_misuse *misuse)
{
    account.misuses++;
    lock_report_begins();
    heap_misused(misuse);
    lock_report_ends();
}

static void front_refuse(const char *function, const void *address, const void *caller)
{
    const struct heap_misuse misuse = {HEAP_SIN_WRONG_ADDRESS, function, address, caller};
    front_report(&misuse);
}

/* --- the public functions ------------------------------------------------------------- */

static bool is_power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

void kinitHeap(void)
{
    if (HEAP_STRATEGY.control_bytes > HEAP_CONTROL_BYTES_MAX)
        heap_panic("kinitHeap: strategy %s wants %u control bytes, there are %u",
                   HEAP_STRATEGY.name, HEAP_STRATEGY.control_bytes,
                   (uint32_t)HEAP_CONTROL_BYTES_MAX);
    front_start();
    account_start();
    lock_start();
}

void *kmalloc_aligned(uint32_t size, uint32_t align_bytes)
{
    account_insist("kmalloc_aligned");
    if (size == 0 || !is_power_of_two(align_bytes))
        return NULL;
    if (align_bytes <= HEAP_ALIGNMENT_BYTES)
        return front_kmalloc(size, CALLER);
    if (HARDENING != HARDENING_OFF && account_refuses(size))
        return NULL;
    return front_alloc_aligned(size, align_bytes, CALLER);
}

/* Requires: this caller holds the lock. */
static inline uint32_t usable(const char *function, const void *address, const void *caller)
{
    uint32_t bytes = front_usable(address);
    if (HARDENING != HARDENING_OFF && bytes == 0)
        front_refuse(function, address, caller);
    return bytes;
}

uint32_t ksize(const void *address)
{
    if (address == NULL)
        return 0;
    lock_take();
    uint32_t bytes = usable("ksize", address, CALLER);
    lock_give();
    return bytes;
}

void *kcalloc(uint32_t count, uint32_t size)
{
    uint32_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *block = front_kmalloc(bytes, CALLER);
    if (block != NULL)
        __builtin_memset(block, 0, bytes);
    return block;
}

static void *move_block(void *address, uint32_t old_bytes, uint32_t size, const void *caller)
{
    void *moved = front_kmalloc(size, caller);
    if (moved == NULL)
        return NULL;
    __builtin_memcpy(moved, address, old_bytes < size ? old_bytes : size);
    front_kfree(address, caller);
    return moved;
}

void *krealloc(void *address, uint32_t size)
{
    if (address == NULL)
        return front_kmalloc(size, CALLER);
    lock_take();
    uint32_t old_bytes = usable("krealloc", address, CALLER);
    if (old_bytes == 0 || !front_is_sound(address, CALLER)) {
        lock_give();
        return NULL;
    }
    if (size == 0) {
        lock_give();
        front_kfree(address, CALLER);
        return NULL;
    }
    if (front_resize(address, size, CALLER)) {
        lock_give();
        return address;
    }
    lock_give();
    return move_block(address, old_bytes, size, CALLER);
}

const struct heap_strategy *kheap_strategy(void)
{
    return front_strategy();
}

bool kheap_refuses_wrong_addresses(void)
{
    return HARDENING != HARDENING_OFF || (front_strategy()->traits & HEAP_VALIDATES_FREE) != 0;
}

const char *kheap_hardening(void)
{
    static const char *const names[] = {"off", "check", "redzone", "full"};
    return names[HARDENING];
}

uint32_t kheap_hardening_bytes(void)
{
    return HARDENING == HARDENING_OFF ? 0 : front_bytes() + sizeof(account) + sizeof(account_plan);
}

uint32_t kheap_locking_bytes(void)
{
    return LOCKING == LOCKING_NONE ? 0 : (uint32_t)sizeof(lock) + front_locking_bytes();
}

struct heap_magazine_status heap_magazine_status(void)
{
    return front_magazines();
}

const struct heap *kheap(void)
{
    return &kernel_heap;
}

struct heap_status heap_stats(void)
{
    lock_take_to_look();
    struct heap_status status = {
        .peak_live_blocks = account.peak_blocks,
        .requested_bytes = account.requested_bytes,
        .peak_requested_bytes = account.peak_requested_bytes,
        .misuses = account.misuses,
    };
    __builtin_memcpy(status.failures, account.failures, sizeof(status.failures));
    heap_measure(kheap_strategy(), &kernel_heap, &status.now);
    lock_give_after_looking();
    return status;
}
