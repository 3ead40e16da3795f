/* SPDX-License-Identifier: MIT */
/*
 * The front door's inside for the hardening levels off and check: callers get the
 * strategy's own blocks. Included by heap.c alone; fenced_heap.h is the other.
 *
 * Some strategies know by themselves whether an address is a live block's
 * (HEAP_VALIDATES_FREE); for the others the guard does. Which of the two holds, and
 * whether anything is checked at all, is known when this is compiled; what is not needed
 * leaves neither code nor memory behind.
 */
#ifndef MM_PLAIN_HEAP_H
#define MM_PLAIN_HEAP_H

static inline bool plain_needs_guard(void)
{
    return HARDENING != HARDENING_OFF && (HEAP_STRATEGY.traits & HEAP_VALIDATES_FREE) == 0;
}

static inline void front_start(void)
{
    if (plain_needs_guard())
        guard_clear();
    HEAP_STRATEGY.init(&kernel_heap);
}

/* --- allocating ---------------------------------------------------------------------------- */

/* Ends a call from which block goes out. Returns: it. */
static inline void *plain_note_taken(void *block)
{
    if (HARDENING != HARDENING_OFF)
        account_taken();
    if (plain_needs_guard())
        guard_enter(block);
    lock_give();
    return block;
}

static inline void *plain_note_failure(uint32_t size)
{
    void *nothing = size == 0 ? NULL : account_failure(size);
    lock_give();
    return nothing;
}

static inline void *plain_note(void *block, uint32_t size)
{
    if (HARDENING != HARDENING_OFF && block == NULL)
        return plain_note_failure(size);
    return plain_note_taken(block);
}

/* Whether kmalloc looks if there is a heap yet only when the strategy has nothing to give. */
static inline bool plain_insists_later(void)
{
    return HARDENING == HARDENING_OFF && HEAP_STRATEGY.quick_alloc != NULL;
}

static __attribute__((noinline, flatten)) void *plain_alloc_slowly(uint32_t size)
{
    void *block = HEAP_STRATEGY.slow_alloc(&kernel_heap, size);
    if (plain_insists_later() && !lock_insists() && block == NULL)
        account_insist("kmalloc");
    return plain_note(block, size);
}

/* kmalloc, where the heap is not just ready. */
static __attribute__((noinline, unused)) void *plain_alloc_unready(uint32_t size)
{
    account_insist("kmalloc");
    if (account_refuses(size))
        return NULL;
    account_state = ACCOUNT_READY;
    void *block = kmalloc(size);
    account_state = ACCOUNT_FAILING;
    return block;
}

__attribute__((noinline, flatten)) void *kmalloc(uint32_t size)
{
    if (HARDENING == HARDENING_OFF && !plain_insists_later() && !lock_insists())
        account_insist("kmalloc");
    if (HARDENING != HARDENING_OFF && account_state != ACCOUNT_READY)
        return plain_alloc_unready(size);
    if (HEAP_STRATEGY.quick_alloc == NULL) {
        if (size == 0)
            return NULL;
        lock_take();
        return plain_note(HEAP_STRATEGY.alloc(&kernel_heap, size, HEAP_ALIGNMENT_BYTES), size);
    }
    lock_take();
    void *block = HEAP_STRATEGY.quick_alloc(&kernel_heap, size);
    return block == NULL ? plain_alloc_slowly(size) : plain_note_taken(block);
}

static inline void *front_alloc_aligned(uint32_t size, uint32_t align_bytes, const void *caller)
{
    (void)caller;
    lock_take();
    return plain_note(HEAP_STRATEGY.alloc(&kernel_heap, size, align_bytes), size);
}

/* --- giving back ------------------------------------------------------------------------------ */

/* These end a call of kfree. Returns: what that is to return. */
static inline int8_t plain_note_given_back(void)
{
    if (HARDENING != HARDENING_OFF)
        account_given_back();
    lock_give();
    return 0;
}

static inline int8_t plain_refuse_free(const void *address, const void *caller)
{
    if (HARDENING != HARDENING_OFF)
        front_refuse("kfree", address, caller);
    lock_give();
    return -1;
}

/* What the guard does not know: NULL, or a wrong address. */
static inline int8_t plain_refuse_unknown(const void *address, const void *caller)
{
    if (address != NULL)
        return plain_refuse_free(address, caller);
    lock_give();
    return 0;
}

/* Whether kfree leaves it to others to see NULL: to the guard, or to the strategy's quick half. */
static inline bool plain_leaves_null(void)
{
    return plain_needs_guard() ||
           (HARDENING == HARDENING_OFF && HEAP_STRATEGY.quick_free != NULL);
}

/*
 * The compiler is not to know what this returns: if it did, it would return here, to an end that
 * kfree's quick way would have to jump to.
 */
static __attribute__((noinline, flatten)) int8_t plain_free_slowly(void *address)
{
    int8_t said = HEAP_STRATEGY.slow_free(&kernel_heap, address)
                      ? plain_note_given_back()
                      : plain_refuse_free(address, CALLER);
    __asm__("" : "+r"(said));
    return said;
}

__attribute__((noinline, flatten)) int8_t kfree(void *address)
{
    lock_take();
    if (!plain_leaves_null() && LOCK_RARELY(address == NULL)) {
        lock_give();
        return 0;
    }
    if (plain_needs_guard() && !guard_leave(address))
        return plain_refuse_unknown(address, CALLER);
    if (HEAP_STRATEGY.quick_free != NULL) {
        if (!HEAP_STRATEGY.quick_free(&kernel_heap, address))
            return plain_free_slowly(address);
    } else if (!HEAP_STRATEGY.free(&kernel_heap, address)) {
        return plain_refuse_free(address, CALLER);
    }
    return plain_note_given_back();
}

/* --- the public functions, where others call them -------------------------------------------- */

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

/* --- what is there -------------------------------------------------------------------------- */

/* Returns: 0 iff address is not a live block. */
static inline uint32_t front_usable(const void *address)
{
    if (plain_needs_guard() && !guard_knows(address))
        return 0;
    return HEAP_STRATEGY.usable(&kernel_heap, address);
}

/* Whether a live block is fit to be resized: here, nobody would know if it were not. */
static inline bool front_is_sound(const void *address, const void *caller)
{
    (void)address;
    (void)caller;
    return true;
}

/* Returns: false iff a block that the strategy holds for live was given back. */
static inline bool front_knows(const struct heap_block *block)
{
    return !plain_needs_guard() || guard_knows(block->payload);
}

/* Requires: front_usable(address) > 0. */
static inline __attribute__((flatten)) bool front_resize(void *address, uint32_t size,
                                                         const void *caller)
{
    (void)caller;
    return HEAP_STRATEGY.resize != NULL && HEAP_STRATEGY.resize(&kernel_heap, address, size);
}

/* The heap as its callers see it. */
static inline const struct heap_strategy *front_strategy(void)
{
    return &HEAP_STRATEGY;
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

/* The memory that this takes besides the region, in bytes. */
static inline uint32_t front_bytes(void)
{
    return plain_needs_guard() ? sizeof(guard) : 0;
}

/* Nobody knows who took the blocks. */
static inline bool front_life(const uint8_t *address, struct heap_life *life)
{
    (void)address;
    (void)life;
    return false;
}

static inline struct heap_life front_life_before(const void *address)
{
    (void)address;
    return (struct heap_life){0};
}

uint32_t heap_leaks(struct heap_leak *leaks, uint32_t leaks_max)
{
    (void)leaks;
    (void)leaks_max;
    return 0;
}

#endif
