/* SPDX-License-Identifier: MIT */
/*
 * The cases in which memory runs out, mostly on purpose: heap_fail() picks the requests that
 * get NULL. The sweep is that of SQLite's tests (sqlite.org/testing.html, 3.1): a workload runs
 * once for each of its requests, and each time another one fails.
 */
#include "failing_tests.h"

#include "../mm/heap.h"
#include "../mm/heap_stats.h"
#include "../mm/heap_strategy.h"
#include "format.h"
#include "random.h"
#include "text.h"

enum { SLOTS = 12, STEPS = 60, SIZE_MAX_BYTES = 700, REQUESTS = 200 };

struct slot {
    uint8_t *address; /* NULL: empty */
    uint32_t bytes;
    uint8_t stamp;
};

static struct slot slots[SLOTS];
static char message[256];

#define SAY(...) format_text(message, sizeof(message), __VA_ARGS__)

static bool never_frees(void)
{
    return (kheap_strategy()->traits & HEAP_NEVER_FREES) != 0;
}

/* A fresh heap, and a plan for its requests. Returns: NULL, or why the case is skipped. */
static const char *start(const struct heap_failing *failing)
{
    kinitHeap();
    if (heap_fail(failing))
        return NULL;
    return "SKIP with hardening off no request fails on purpose";
}

/* --- the plan ---------------------------------------------------------------------------- */

/* Returns: which of the first 32 requests fail, a bit each. */
static uint32_t failing_requests(void)
{
    uint32_t failing = 0;
    for (uint32_t request = 0; request < 32; request++) {
        void *block = kmalloc(16);
        failing |= (block == NULL ? 1U : 0U) << request;
        kfree(block);
    }
    return failing;
}

static const char *test_plan(uint32_t seed)
{
    static const struct {
        struct heap_failing failing;
        uint32_t expected;
    } plans[] = {
        {{.skip = 4, .interval = 1, .probability_percent = 100, .times = 1}, 1U << 4},
        {{.skip = 28, .interval = 1, .probability_percent = 100}, 0xF0000000},
        {{.skip = 1, .interval = 3, .probability_percent = 100, .times = 2}, 1U << 1 | 1U << 4},
        {{.interval = 8, .probability_percent = 100}, 0x01010101},
        {{.interval = 1, .probability_percent = 0}, 0},
    };
    for (uint32_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
        struct heap_failing failing = plans[i].failing;
        failing.seed = seed;
        const char *skipped = start(&failing);
        if (skipped != NULL)
            return skipped;
        uint32_t failed = failing_requests();
        heap_fail(NULL);
        if (failed != plans[i].expected)
            return SAY("plan %u: of the first 32 requests these failed, a bit each: 0x%08x; "
                       "expected 0x%08x", i, failed, plans[i].expected);
    }
    return failing_requests() == 0 ? NULL : "heap_fail(NULL) does not end the failing";
}

static uint32_t failures_of_many(void)
{
    uint32_t before = heap_stats().failures[HEAP_FAILURE_ON_PURPOSE];
    for (uint32_t i = 0; i < REQUESTS; i++)
        kfree(kmalloc(16));
    return heap_stats().failures[HEAP_FAILURE_ON_PURPOSE] - before;
}

/* 200 throws of a coin: fewer than 60 or more than 140 heads come once in 10^8. */
static const char *test_probability(uint32_t seed)
{
    const struct heap_failing failing = {.interval = 1, .probability_percent = 50, .seed = seed};
    const char *skipped = start(&failing);
    if (skipped != NULL)
        return skipped;
    uint32_t first = failures_of_many();
    heap_fail(&failing);
    uint32_t second = failures_of_many();
    heap_fail(NULL);
    if (first < 60 || first > 140)
        return SAY("of %u requests %u failed; expected about half", REQUESTS, first);
    if (first != second)
        return SAY("the same seed made %u requests fail, then %u", first, second);
    return NULL;
}

/* --- why a request failed ------------------------------------------------------------------ */

static const char *expect_failure(uint32_t bytes, enum heap_failure reason, const char *what)
{
    uint32_t before = heap_stats().failures[reason];
    if (kmalloc(bytes) != NULL)
        return SAY("kmalloc(%u) of %s returned a block; expected NULL", bytes, what);
    if (heap_stats().failures[reason] != before + 1)
        return SAY("kmalloc(%u) of %s failed, but heap_stats() does not count that", bytes, what);
    return NULL;
}

/* Chains blocks through their first words until there is no room. Returns: the chain's end. */
static void **fill(uint32_t bytes)
{
    void **last = NULL;
    for (void **block = kmalloc(bytes); block != NULL; block = kmalloc(bytes)) {
        *block = last;
        last = block;
    }
    return last;
}

/* Frees every other block of a chain. */
static void riddle(void **last)
{
    while (last != NULL && *last != NULL) {
        void **before = *last;
        void **next = *before;
        kfree(before);
        last = next;
    }
}

static const char *test_reasons(uint32_t seed)
{
    (void)seed;
    const char *skipped = start(NULL);
    if (skipped != NULL)
        return skipped;
    uint32_t region_bytes = kheap()->region.map_bytes + kheap()->region.arena_bytes;
    const char *wrong =
        expect_failure(region_bytes + 1, HEAP_FAILURE_TOO_LARGE, "more than the heap has");
    void **last = fill(region_bytes / 64);
    if (wrong == NULL)
        wrong = expect_failure(region_bytes / 4, HEAP_FAILURE_EXHAUSTED, "a full heap");
    if (never_frees() || wrong != NULL)
        return wrong;
    riddle(last);
    return expect_failure(region_bytes / 4, HEAP_FAILURE_FRAGMENTED, "a heap full of holes");
}

/* --- the sweep --------------------------------------------------------------------------------- */

static void stamp(const struct slot *slot)
{
    for (uint32_t i = 0; i < slot->bytes; i++)
        slot->address[i] = (uint8_t)(slot->stamp + i);
}

static const char *lost(const struct slot *slot, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        if (slot->address[i] != (uint8_t)(slot->stamp + i))
            return SAY("byte %u of the block of %u bytes at %p has changed", i, slot->bytes,
                       (void *)slot->address);
    return NULL;
}

static void take(struct slot *slot, struct random *random)
{
    slot->bytes = 1 + random_below(random, SIZE_MAX_BYTES);
    slot->stamp = (uint8_t)random_below(random, 256);
    switch (random_below(random, 3)) {
    case 0:
        slot->address = kcalloc(1, slot->bytes);
        break;
    case 1:
        slot->address = kmalloc_aligned(slot->bytes, 64);
        break;
    default:
        slot->address = kmalloc(slot->bytes);
    }
    if (slot->address != NULL)
        stamp(slot);
}

/* A krealloc that fails leaves the old block, in its old size. */
static const char *resize(struct slot *slot, struct random *random)
{
    uint32_t bytes = 1 + random_below(random, 2 * SIZE_MAX_BYTES);
    uint32_t granted = ksize(slot->address);
    uint8_t *moved = krealloc(slot->address, bytes);
    if (moved == NULL && ksize(slot->address) != granted)
        return SAY("krealloc(%p, %u) failed, but ksize() is %u where it was %u",
                   (void *)slot->address, bytes, ksize(slot->address), granted);
    if (moved == NULL)
        return lost(slot, slot->bytes);
    const struct slot old = {moved, slot->bytes, slot->stamp};
    const char *wrong = lost(&old, bytes < old.bytes ? bytes : old.bytes);
    slot->address = moved;
    slot->bytes = bytes;
    stamp(slot);
    return wrong;
}

static const char *give_back(struct slot *slot)
{
    const char *wrong = lost(slot, slot->bytes);
    if (wrong == NULL && kfree(slot->address) != 0)
        wrong = SAY("kfree refused the live block at %p", (void *)slot->address);
    slot->address = NULL;
    return wrong;
}

static const char *work(uint32_t seed)
{
    struct random random = random_seeded(seed);
    const char *wrong = NULL;
    for (uint32_t step = 0; step < STEPS && wrong == NULL; step++) {
        struct slot *slot = &slots[random_below(&random, SLOTS)];
        if (slot->address == NULL)
            take(slot, &random);
        else if (random_below(&random, 2) == 0)
            wrong = resize(slot, &random);
        else
            wrong = give_back(slot);
    }
    for (uint32_t i = 0; i < SLOTS && wrong == NULL; i++)
        if (slots[i].address != NULL)
            wrong = give_back(&slots[i]);
    return wrong;
}

/* Whether freed blocks wait before their strategy gets them, who keeps more memory meanwhile. */
static bool has_quarantine(void)
{
    return text_is(text_of(kheap_hardening()), "full");
}

/* What a heap is worth when all is freed: a heap that never frees has nothing to compare. */
static const char *leaked(const struct heap_status *fresh, const struct heap_status *now)
{
    if (never_frees())
        return NULL;
    uint32_t fresh_bytes = fresh->now.free_bytes + fresh->now.cached_bytes;
    uint32_t now_bytes = now->now.free_bytes + now->now.cached_bytes;
    if (now->now.live_blocks != 0)
        return SAY("all was freed, but %u blocks are live", now->now.live_blocks);
    if (now_bytes != fresh_bytes && !has_quarantine())
        return SAY("all was freed, but %u bytes are free, where the fresh heap had %u", now_bytes,
                   fresh_bytes);
    return NULL;
}

static const char *fail_one(uint32_t number, uint32_t seed, bool *was_reached)
{
    const struct heap_failing failing = {.skip = number,
                                         .interval = 1,
                                         .probability_percent = 100,
                                         .times = 1,
                                         .seed = seed};
    const char *skipped = start(&failing);
    if (skipped != NULL)
        return skipped;
    struct heap_status fresh = heap_stats();
    const char *wrong = work(seed);
    *was_reached = heap_fail_requests() > number;
    heap_fail(NULL);
    struct heap_status now = heap_stats();
    if (wrong == NULL)
        wrong = heap_check(kheap_strategy(), kheap());
    if (wrong == NULL && now.failures[HEAP_FAILURE_ON_PURPOSE] != (*was_reached ? 1U : 0U))
        wrong = "heap_stats() does not count the one failure";
    return wrong != NULL ? wrong : leaked(&fresh, &now);
}

static const char *test_sweep(uint32_t seed)
{
    static char earlier[sizeof(message)];
    bool was_reached = true;
    const char *wrong = NULL;
    uint32_t number = 0;
    for (; was_reached && wrong == NULL; number++) {
        for (uint32_t i = 0; i < SLOTS; i++)
            slots[i].address = NULL;
        wrong = fail_one(number, seed, &was_reached);
    }
    if (wrong == NULL)
        return number > STEPS / 4 ? NULL : SAY("the workload made only %u requests", number - 1);
    if (__builtin_memcmp(wrong, "SKIP", 4) == 0)
        return wrong;
    format_text(earlier, sizeof(earlier), "%s", wrong);
    return SAY("with request %u failing: %s", number, earlier);
}

const struct heap_test failing_tests[] = {
    {"requests_fail_as_planned", test_plan},
    {"requests_fail_with_the_probability_asked_for", test_probability},
    {"failures_are_counted_by_reason", test_reasons},
    {"whichever_request_fails_the_heap_is_whole_and_nothing_leaks", test_sweep},
};

const uint32_t failing_tests_count = sizeof(failing_tests) / sizeof(failing_tests[0]);
