/* SPDX-License-Identifier: MIT */
/*
 * What the front door counts, and which requests it lets fail on purpose. Included by
 * heap.c alone.
 *
 * What is counted in every call is how many more blocks there may be until there are more
 * than ever: one instruction and a branch in kmalloc, one in kfree. The most there ever
 * were, less that, is how many there are.
 *
 * Whether the heap is ready, and whether requests are to fail, is one byte: kmalloc has to
 * look at it anyway.
 */
#ifndef MM_ACCOUNT_H
#define MM_ACCOUNT_H

enum account_state { ACCOUNT_NOT_READY, ACCOUNT_READY, ACCOUNT_FAILING };

static uint8_t account_state;

static struct account {
    uint32_t below_peak; /* how many more blocks may be live until there are more than ever */
    uint32_t peak_blocks;
    uint32_t requested_bytes;
    uint32_t peak_requested_bytes;
    uint32_t failures[HEAP_FAILURES];
    uint32_t misuses;
    uint32_t never_more_bytes; /* of a heap that never frees: what was free at a failure */
} account;

/* How many blocks are live, with magazines: calls do not hold the lock, and count one by one. */
static uint32_t account_live __attribute__((unused));

/* --- failing on purpose ---------------------------------------------------------------- */

static struct account_plan {
    struct heap_failing failing; /* what is left of it */
    uint32_t requests;
    uint32_t random; /* of xorshift32 (Marsaglia 2003); never 0 */
    bool set;
} account_plan;

static uint32_t account_random_percent(void)
{
    uint32_t word = account_plan.random;
    word ^= word << 13;
    word ^= word >> 17;
    word ^= word << 5;
    account_plan.random = word;
    return word % 100;
}

/* Returns: whether the request that is counted now is one of those to fail. */
static bool account_plan_strikes(void)
{
    const struct heap_failing *failing = &account_plan.failing;
    uint32_t request = account_plan.requests++;
    if (request < failing->skip || (request - failing->skip) % failing->interval != 0)
        return false;
    if (account_random_percent() >= failing->probability_percent)
        return false;
    if (failing->times != 0 && --account_plan.failing.times == 0)
        account_plan.failing.probability_percent = 0;
    return true;
}

bool heap_fail(const struct heap_failing *failing)
{
    if (HARDENING == HARDENING_OFF)
        return false;
    account_plan = (struct account_plan){.set = failing != NULL};
    if (failing != NULL) {
        account_plan.failing = *failing;
        account_plan.random = failing->seed * 2 + 1;
    }
    if (account_state != ACCOUNT_NOT_READY)
        account_state = failing != NULL ? ACCOUNT_FAILING : ACCOUNT_READY;
    return true;
}

uint32_t heap_fail_requests(void)
{
    return account_plan.requests;
}

/* --- counting ------------------------------------------------------------------------------ */

static inline void account_start(void)
{
    if (HARDENING != HARDENING_OFF)
        account = (struct account){.never_more_bytes = UINT32_MAX};
    if (LOCKING == LOCKING_PERCPU)
        account_live = 0;
    account_state = account_plan.set ? ACCOUNT_FAILING : ACCOUNT_READY;
}

/* Panics if there is no heap yet. */
static inline void account_insist(const char *function)
{
    if (account_state == ACCOUNT_NOT_READY)
        heap_panic("%s: called before kinitHeap()", function);
}

/* Returns: whether the request is to fail on purpose. Requires: the level is not off. */
static inline bool account_refuses(uint32_t size)
{
    if (account_state != ACCOUNT_FAILING || size == 0 || !account_plan_strikes())
        return false;
    account.failures[HEAP_FAILURE_ON_PURPOSE]++;
    return true;
}

static inline void account_taken_by_one_of_many(void)
{
    uint32_t live = __atomic_add_fetch(&account_live, 1, __ATOMIC_RELAXED);
    uint32_t peak = __atomic_load_n(&account.peak_blocks, __ATOMIC_RELAXED);
    while (live > peak && !__atomic_compare_exchange_n(&account.peak_blocks, &peak, live, false,
                                                       __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
}

static inline void account_taken(void)
{
    if (LOCKING == LOCKING_PERCPU) {
        account_taken_by_one_of_many();
        return;
    }
    bool is_peak;
    __asm__("subl $1, %0" : "+m"(account.below_peak), "=@ccc"(is_peak));
    if (is_peak) {
        account.below_peak = 0;
        account.peak_blocks++;
    }
}

static inline void account_given_back(void)
{
    if (LOCKING == LOCKING_PERCPU)
        __atomic_sub_fetch(&account_live, 1, __ATOMIC_RELAXED);
    else
        account.below_peak++;
}

static inline void account_bytes(uint32_t taken, uint32_t given_back)
{
    account.requested_bytes += taken - given_back;
    if (account.requested_bytes > account.peak_requested_bytes)
        account.peak_requested_bytes = account.requested_bytes;
}

/* --- why a request failed --------------------------------------------------------------------- */

static void account_add_free(void *context, const struct heap_block *block)
{
    if (block->state == HEAP_BLOCK_FREE || block->state == HEAP_BLOCK_CACHED)
        *(uint32_t *)context += block->bytes;
}

/*
 * In a heap that never frees, what once was too little still is: no need to walk again. (Magazines
 * above it take blocks back.)
 */
static bool account_is_exhausted(uint32_t size)
{
    if (size > account.never_more_bytes)
        return true;
    uint32_t free_bytes = 0;
    front_walk(account_add_free, &free_bytes);
    if ((HEAP_STRATEGY.traits & HEAP_NEVER_FREES) != 0 && LOCKING != LOCKING_PERCPU)
        account.never_more_bytes = free_bytes;
    return size > free_bytes;
}

static enum heap_failure account_reason(uint32_t size)
{
    const struct heap_region *region = &kernel_heap.region;
    if (size > region->map_bytes + region->arena_bytes)
        return HEAP_FAILURE_TOO_LARGE;
    return account_is_exhausted(size) ? HEAP_FAILURE_EXHAUSTED : HEAP_FAILURE_FRAGMENTED;
}

/* Returns: NULL, for kmalloc to return. */
static __attribute__((noinline)) void *account_failure(uint32_t size)
{
    account.failures[account_reason(size)]++;
    return NULL;
}

#endif
