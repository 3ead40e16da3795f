/* SPDX-License-Identifier: MIT */
/*
 * The front door's inside for -Dlocking=percpu and the hardening levels off and check: magazines
 * stand between the callers and the strategy. Included by heap.c alone; plain_heap.h and
 * fenced_heap.h are the others.
 *
 * What the strategy holds for live may be parked, and may be several blocks of the callers'
 * (depot.h, reclaim.h). So no strategy tells a live block by itself here, and with check the guard
 * does for all of them: a parked block is not in it.
 */
#ifndef MM_MAGAZINE_HEAP_H
#define MM_MAGAZINE_HEAP_H

#include "magazine.h"

#include "depot.h"

#include "reclaim.h"

static void front_start(void)
{
    if (HARDENING != HARDENING_OFF)
        guard_clear();
    depot_start();
    HEAP_STRATEGY.init(&kernel_heap);
}

/* --- allocating ------------------------------------------------------------------------ */

static inline void *magazine_note_taken(void *block)
{
    if (HARDENING != HARDENING_OFF) {
        account_taken();
        guard_enter(block);
    }
    return block;
}

/* Returns: a block out of this processor's two magazines; or NULL. */
static void *magazine_serve_alone(uint32_t class)
{
    uint32_t flags = kernel_heap_keep_out();
    struct heap_own *own = kernel_heap_own_here();
    own_take(own);
    void *block = own_serve(own, class, depot.size[class]);
    own_give(own);
    kernel_heap_let_in(flags);
    return block;
}

/* class: 0 if no magazine has blocks so large, or so aligned. */
static void *magazine_serve_together(uint32_t class, uint32_t size, uint32_t align_bytes)
{
    lock_take();
    void *block = class == 0 ? NULL : depot_serve(class);
    if (block == NULL)
        block = depot_ask(size, align_bytes);
    if (HARDENING != HARDENING_OFF && block == NULL)
        account_failure(size);
    lock_give();
    return block == NULL ? NULL : magazine_note_taken(block);
}

static __attribute__((noinline)) void *magazine_alloc_slowly(uint32_t size)
{
    account_insist("kmalloc");
    if (size == 0)
        return NULL;
    if (size > MAGAZINE_BYTES_MAX)
        return magazine_serve_together(0, size, HEAP_ALIGNMENT_BYTES);
    uint32_t class = magazine_class_for(size);
    void *block = magazine_serve_alone(class);
    return block != NULL ? magazine_note_taken(block)
                         : magazine_serve_together(class, size, HEAP_ALIGNMENT_BYTES);
}

/* kmalloc, where the heap is not just ready. */
static __attribute__((noinline)) void *magazine_alloc_unready(uint32_t size)
{
    account_insist("kmalloc");
    return account_refuses(size) ? NULL : magazine_alloc_slowly(size);
}

/* Who needs the size again reads it again: to keep it takes a register, and two instructions. */
__attribute__((noinline)) void *kmalloc(uint32_t size)
{
    const volatile uint32_t *asked = &size;
    uint32_t step = (*asked - 1) / MAGAZINE_UNIT_BYTES; /* of 0 bytes: more than any has */
    void *block;
    if (HARDENING != HARDENING_OFF && account_state != ACCOUNT_READY)
        return magazine_alloc_unready(*asked);
    if (step >= sizeof(magazine_classes) || !own_pop(magazine_classes[step], &block))
        return magazine_alloc_slowly(*asked);
    return magazine_note_taken(block);
}

static inline void *front_alloc_aligned(uint32_t size, uint32_t align_bytes, const void *caller)
{
    (void)caller;
    return magazine_serve_together(0, size, align_bytes);
}

/* --- giving back ----------------------------------------------------------------------- */

/* Returns: -1, for kfree to return. */
static __attribute__((noinline)) int8_t magazine_refuse_free(const void *address,
                                                             const void *caller)
{
    if (HARDENING == HARDENING_OFF)
        return -1;
    lock_take();
    front_refuse("kfree", address, caller);
    lock_give();
    return -1;
}

static inline int8_t magazine_note_given_back(void)
{
    if (HARDENING != HARDENING_OFF)
        account_given_back();
    return 0;
}

/* Returns: whether one of this processor's two magazines took the block. */
static bool magazine_accept_alone(uint32_t class, void *block)
{
    uint32_t flags = kernel_heap_keep_out();
    struct heap_own *own = kernel_heap_own_here();
    own_take(own);
    bool accepted = own_accept(own, class, block, depot.size[class]);
    own_give(own);
    kernel_heap_let_in(flags);
    return accepted;
}

/* Returns: false iff the strategy refuses. */
static bool magazine_free_large(void *address)
{
    lock_take();
    *magazine_entry_of(address) = MAGAZINE_NONE;
    bool freed = HEAP_STRATEGY.free(&kernel_heap, address);
    lock_give();
    return freed;
}

/* kfree, of what the loaded magazine did not take. Requires: address is in the region. */
static __attribute__((noinline)) int8_t magazine_free_slowly(void *address, const void *caller)
{
    uint32_t class = magazine_class_of_entry(*magazine_entry_of(address));
    if (class == MAGAZINE_LARGE)
        return magazine_free_large(address) ? magazine_note_given_back()
                                            : magazine_refuse_free(address, caller);
    if (!magazine_is_class(class))
        return magazine_refuse_free(address, caller);
    if (!magazine_accept_alone(class, address)) {
        lock_take();
        depot_accept(class, address);
        lock_give();
    }
    return magazine_note_given_back();
}

__attribute__((noinline)) int8_t kfree(void *address)
{
    uint32_t offset = guard_offset_of(address);
    if (offset >= magazine_region_bytes())
        return address == NULL ? 0 : magazine_refuse_free(address, CALLER);
    if (HARDENING != HARDENING_OFF && !guard_leave(address))
        return magazine_refuse_free(address, CALLER);
    uint8_t entry = magazine_table[offset / MAGAZINE_UNIT_BYTES];
    if (!own_push(magazine_class_of_entry(entry), address))
        return magazine_free_slowly(address, CALLER);
    return magazine_note_given_back();
}

/* --- the public functions, where others call them -------------------------------------- */

static inline void *front_kmalloc(uint32_t size, const void *caller)
{
    (void)caller;
    return kmalloc(size);
}

static inline int8_t front_kfree(void *address, const void *caller)
{
    (void)caller;
    return kfree(address);
}

/* --- what is there --------------------------------------------------------------------- */

/* Requires: address is a live block. */
static inline uint32_t magazine_usable(const void *address)
{
    uint8_t entry = *magazine_entry_of(address);
    if ((entry & MAGAZINE_CUT) != 0)
        return magazine_bytes[magazine_class_of_entry(entry)];
    return HEAP_STRATEGY.usable(&kernel_heap, address);
}

/* Returns: 0 iff address is not a live block. */
static inline uint32_t front_usable(const void *address)
{
    if (HARDENING != HARDENING_OFF && !guard_knows(address))
        return 0;
    return magazine_usable(address);
}

/* Whether a live block is fit to be resized: here, nobody would know if it were not. */
static inline bool front_is_sound(const void *address, const void *caller)
{
    (void)address;
    (void)caller;
    return true;
}

/* Returns: false iff a block that is held for live was given back. */
static inline bool front_knows(const struct heap_block *block)
{
    return HARDENING == HARDENING_OFF || guard_knows(block->payload);
}

/*
 * A block of a class stays what it is while that is enough. Once it has grown, it fits no class and
 * is the strategy's alone. Requires: front_usable(address) > 0.
 */
static bool front_resize(void *address, uint32_t size, const void *caller)
{
    uint8_t *entry = magazine_entry_of(address);
    uint32_t class = magazine_class_of_entry(*entry);
    uint32_t bytes = size < MAGAZINE_UNIT_BYTES ? (uint32_t)MAGAZINE_UNIT_BYTES : size;
    (void)caller;
    if (magazine_is_class(class) && size <= magazine_bytes[class])
        return true;
    if ((*entry & MAGAZINE_CUT) != 0 || HEAP_STRATEGY.resize == NULL ||
        !HEAP_STRATEGY.resize(&kernel_heap, address, bytes))
        return false;
    *entry = MAGAZINE_LARGE;
    return true;
}

/* The memory that the hardening takes besides the region, in bytes. */
static inline uint32_t front_bytes(void)
{
    return HARDENING == HARDENING_OFF ? 0 : sizeof(guard);
}

/* The memory that the magazines take besides the region, in bytes. */
static inline uint32_t front_locking_bytes(void)
{
    return sizeof(magazine_table) + sizeof(magazine_classes) + sizeof(magazine_bytes) +
           sizeof(depot) + kernel_heap_processors() * (uint32_t)sizeof(struct heap_own);
}

#include "magazine_view.h"

#endif
