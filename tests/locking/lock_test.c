/* SPDX-License-Identifier: MIT */
/*
 * The heap's lock from inside: its word, its queue, and what is counted. The front door is compiled
 * into this file, with -Dhardening=full, over the naive heap; threads are its processors. What
 * the machine gives the lock can be played: pauses, the clock, and whether interrupts are kept out.
 */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

static int pause_here(void);
#define sched_yield pause_here
#include "kernel_heap.h"
#undef sched_yield

static uint64_t clock_here(void);
#define kernel_heap_clock clock_here

#undef KERNEL_HEAP_KEEP_OUT
#undef KERNEL_HEAP_LET_IN
#define KERNEL_HEAP_KEEP_OUT                                                                    \
    "pushl %%gs:kept_out@ntpoff\n\tmovl $1, %%gs:kept_out@ntpoff\n\t"
#define KERNEL_HEAP_LET_IN "popl %%gs:kept_out@ntpoff\n\tincl %%gs:let_in@ntpoff\n\t"

#include "../front_door.h"

/* Of each thread: whether interrupts are kept out, and how often they were let in. */
static __thread uint32_t kept_out __attribute__((used));
static __thread uint32_t let_in __attribute__((used));

static uint64_t played_ticks; /* what the clock says, unless this is 0 */

static uint64_t clock_here(void)
{
    return played_ticks > 0 ? played_ticks : __builtin_ia32_rdtsc();
}

enum { PAUSES_MAX = 100 };

static void (*others_turn)(void); /* what other processors do in a pause, if they are played */
static uint32_t pauses;           /* with others that are played */

static int pause_here(void)
{
    if (others_turn == NULL)
        return sched_yield();
    if (++pauses == PAUSES_MAX)
        fail_msg("it waits for ever");
    others_turn();
    return 0;
}

static int start_unplayed(void **state)
{
    others_turn = NULL;
    played_ticks = 0;
    kept_out = 0;
    return start(state);
}

enum { WAITERS = 3 };

static void assert_free(void)
{
    assert_int_equal(lock.word, LOCK_FREE);
    assert_ptr_equal(lock.reporter, NULL);
}

static void a_call_takes_the_lock_and_gives_it(void **state)
{
    (void)state;
    uint64_t before = heap_lock_status().acquisitions;
    void *block = kmalloc(8);
    assert_free();
    assert_int_equal(heap_lock_status().acquisitions, before + 1);
    assert_int_equal(kfree(block), 0);
    assert_int_equal(kfree(NULL), 0);
    assert_free();
    assert_true(heap_lock_status().acquisitions >= before + 2);
    assert_int_equal(heap_lock_status().waits, 0);
    assert_int_equal(heap_lock_status().spins, 0);
}

static void every_call_leaves_the_lock_free(void **state)
{
    struct heap_leak leaks[2];
    struct heap_explanation explanation;
    (void)state;
    uint8_t *block = kmalloc(100);
    uint8_t *const wrong[] = {block + 8, region_end()};
    for (uint32_t i = 0; i < 2; i++) {
        kfree(wrong[i]);
        assert_free();
        (void)ksize(wrong[i]);
        assert_free();
        assert_null(krealloc(wrong[i], 10));
        assert_free();
    }
    assert_int_equal(misuses, 6);
    assert_null(kmalloc(REGION_BYTES));
    assert_free();
    assert_null(kmalloc_aligned(REGION_BYTES, 64));
    assert_free();
    assert_non_null(kmalloc_aligned(10, 64));
    assert_free();
    assert_non_null(kcalloc(2, 8));
    assert_free();
    block = krealloc(block, 50);
    assert_free();
    block = krealloc(block, 5000);
    assert_free();
    assert_int_equal(ksize(block), 5000);
    assert_free();
    assert_null(krealloc(block, 0));
    assert_free();
    heap_leaks(leaks, 2);
    assert_free();
    heap_explain(block, &explanation);
    assert_free();
    heap_stats();
    assert_free();
    heap_magazine_status();
    assert_free();
}

static void a_heap_that_is_not_ready_is_locked(void **state)
{
    static uint8_t anything[100];
    (void)state;
    lock = (struct lock){0};
    account_state = ACCOUNT_NOT_READY;
    ASSERT_PANICS(kfree(anything + 50), "kmalloc or kfree: called before kinitHeap()");
    ASSERT_PANICS(ksize(anything + 50), "kmalloc or kfree: called before kinitHeap()");
    kinitHeap();
    assert_free();
    ASSERT_PANICS(kmalloc(8), "");
}

static void what_it_takes_and_is_called_is_told(void **state)
{
    (void)state;
    assert_true(lock_is_there());
    assert_true(lock_insists());
    assert_string_equal(kheap_locking(), "spin");
    assert_int_equal(kheap_locking_bytes(), sizeof(lock));
}

/* --- the queue ------------------------------------------------------------------------------ */

struct waiter {
    pthread_t thread;
    uint32_t number;
    void *block;
};

static uint32_t arrivals[WAITERS]; /* who got the lock, in order */
static uint32_t arrived;

static void *wait_for_lock(void *context)
{
    struct waiter *waiter = context;
    region_processor = waiter->number + 1;
    lock_take();
    arrivals[arrived++] = waiter->number;
    lock_give();
    return NULL;
}

/* Until the lock's word is this: a newcomer is none any more, but waits in the queue. */
static void wait_until_word(int32_t word)
{
    while (__atomic_load_n(&lock.word, __ATOMIC_RELAXED) != word)
        sched_yield();
}

static void who_comes_first_is_served_first(void **state)
{
    struct waiter waiters[WAITERS];
    (void)state;
    for (uint32_t round = 1; round < 20; round++) {
        arrived = 0;
        lock_take();
        assert_int_equal(lock.word, LOCK_FREE + 1);
        for (uint32_t i = 0; i < WAITERS; i++) {
            waiters[i].number = i;
            pthread_create(&waiters[i].thread, NULL, wait_for_lock, &waiters[i]);
            wait_until_word(LOCK_FREE + 1 + LOCK_QUEUED * (int32_t)(i + 1));
        }
        assert_int_equal(arrived, 0);
        lock_give();
        for (uint32_t i = 0; i < WAITERS; i++)
            pthread_join(waiters[i].thread, NULL);
        for (uint32_t i = 0; i < WAITERS; i++)
            assert_int_equal(arrivals[i], i);
        assert_free();
        assert_int_equal(lock.waits, round * WAITERS);
        assert_int_equal(heap_lock_status().waits, round * WAITERS);
        assert_int_equal(lock.next_ticket, round * WAITERS);
        assert_int_equal(lock.now_serving, round * WAITERS);
    }
    assert_true(heap_lock_status().spins >= heap_lock_status().waits);
    assert_true(heap_lock_status().spins < 1U << 31);
}

/* The first in the queue takes the lock from its last holder, but not from a newcomer. */
static void the_first_in_the_queue_takes_what_nobody_has(void **state)
{
    (void)state;
    lock.word = LOCK_FREE + LOCK_QUEUED;
    assert_true(lock_try_first());
    assert_int_equal(lock.word, LOCK_FREE + 1);
    lock.word = LOCK_FREE + 2 * LOCK_QUEUED;
    assert_true(lock_try_first());
    assert_int_equal(lock.word, LOCK_FREE + 1 + LOCK_QUEUED);
    for (int32_t there = 1; there < 9; there++) {
        lock.word = LOCK_FREE + LOCK_QUEUED + there;
        assert_false(lock_try_first());
        assert_int_equal(lock.word, LOCK_FREE + LOCK_QUEUED + there);
    }
    lock_start();
    assert_free();
}

enum { PAUSES_IN_QUEUE = 2, PAUSES = 5, TICKS_OF_PAUSE = 50 };

/* Of two processors that came before, one holds the lock, and then the other does. */
static void serve_who_came_before(void)
{
    played_ticks += TICKS_OF_PAUSE;
    if (pauses == PAUSES_IN_QUEUE) {
        lock.word -= LOCK_QUEUED;
        lock.now_serving++;
    }
    if (pauses == PAUSES)
        lock.word--;
}

/* Takes the lock behind those two, who let it have the lock after so many pauses. */
static void take_as_the_third(void)
{
    lock.word = LOCK_FREE + 1 + LOCK_QUEUED;
    lock.next_ticket++;
    pauses = 0;
    others_turn = serve_who_came_before;
    lock_take();
    others_turn = NULL;
}

static void who_waits_pauses_whenever_it_has_looked(void **state)
{
    (void)state;
    take_as_the_third();
    assert_int_equal(lock.word, LOCK_FREE + 1);
    assert_int_equal(pauses, PAUSES);
    assert_int_equal(lock.waits, 1);
    assert_int_equal(lock.spins, PAUSES);
    assert_int_equal(lock.next_ticket, 2);
    assert_int_equal(lock.now_serving, 2);
    lock_give();
    assert_free();
}

/* --- interrupts --------------------------------------------------------------------------- */

static void interrupts_are_kept_out_while_the_lock_is_held(void **state)
{
    (void)state;
    for (uint32_t before = 0; before < 2; before++) {
        kept_out = before;
        let_in = 0;
        lock_take();
        assert_int_equal(kept_out, 1);
        assert_int_equal(let_in, 0);
        lock_give();
        assert_int_equal(kept_out, before);
        assert_int_equal(let_in, 1); /* once: when the lock was free */
    }
}

/* --- watching ----------------------------------------------------------------------------- */

static void assert_watched(uint64_t held, uint32_t held_max, uint32_t kept_out_max, uint64_t at)
{
    struct heap_lock_status status = heap_lock_status();
    assert_int_equal(status.held_ticks, held);
    assert_int_equal(status.held_max, held_max);
    assert_int_equal(status.kept_out_max, kept_out_max);
    assert_int_equal(status.kept_out_at, at);
}

/* Who waits keeps interrupts out, too. */
static void what_the_clock_says_is_told_to_the_tick(void **state)
{
    (void)state;
    lock_start();
    played_ticks = 1000;
    lock_take();
    played_ticks = 1300;
    lock_give();
    assert_watched(300, 300, 300, 1300);
    take_as_the_third();
    played_ticks += 100;
    lock_give();
    assert_watched(400, 300, PAUSES * TICKS_OF_PAUSE + 100, 1650);
    lock_take();
    played_ticks += 350; /* as long as before: the first of the two is told */
    lock_give();
    assert_watched(750, 350, 350, 1650);
    lock_take();
    played_ticks += 351;
    lock_give();
    assert_watched(1101, 351, 351, 2351);
    assert_int_equal(heap_lock_status().acquisitions, 4);
}

static void how_long_the_lock_was_held_is_told(void **state)
{
    struct waiter waiter = {.number = 0};
    (void)state;
    lock_start();
    arrived = 0;
    uint64_t came_at = kernel_heap_clock();
    lock_take();
    pthread_create(&waiter.thread, NULL, wait_for_lock, &waiter);
    wait_until_word(LOCK_FREE + 1 + LOCK_QUEUED);
    uint64_t queued_at = kernel_heap_clock();
    usleep(2000);
    uint64_t gave_at = kernel_heap_clock();
    lock_give();
    pthread_join(waiter.thread, NULL);
    uint64_t end = kernel_heap_clock();
    struct heap_lock_status status = heap_lock_status();
    assert_int_equal(status.acquisitions, 2);
    assert_int_equal(status.waits, 1);
    assert_true(status.spins > 0);
    assert_true(status.held_max >= gave_at - queued_at);
    assert_true(status.held_max <= end - came_at);
    assert_true(status.held_ticks >= status.held_max);
    assert_true(status.held_ticks <= end - came_at);
    assert_true(status.kept_out_max >= gave_at - queued_at); /* who waits keeps them out, too */
    assert_true(status.kept_out_max <= end - came_at);
    assert_true(status.kept_out_at >= gave_at && status.kept_out_at <= end);
    lock_take();
    lock_give();
    assert_int_equal(heap_lock_status().acquisitions, 3);
    assert_int_equal(heap_lock_status().held_max, status.held_max);
    assert_int_equal(heap_lock_status().kept_out_max, status.kept_out_max);
    assert_int_equal(heap_lock_status().kept_out_at, status.kept_out_at);
    assert_true(heap_lock_status().held_ticks > status.held_ticks);
    assert_int_equal(lock.waited_ticks, 0);
}

/* --- reports -------------------------------------------------------------------------------- */

/* front_door.h asks for an explanation from inside a report; others have to wait meanwhile. */
static void only_who_reports_may_look_without_the_lock(void **state)
{
    (void)state;
    lock_take();
    lock_report_begins();
    assert_ptr_equal(lock.reporter, kernel_heap_self());
    lock_take_to_look();
    assert_int_equal(lock.word, LOCK_FREE + 1);
    lock_give_after_looking();
    assert_int_equal(lock.word, LOCK_FREE + 1);
    lock_report_ends();
    assert_null(lock.reporter);
    lock_give();
    lock_take_to_look();
    assert_int_equal(lock.word, LOCK_FREE + 1);
    lock_give_after_looking();
    assert_free();
}

#define CASE(name) cmocka_unit_test_setup(name, start_unplayed)

int main(void)
{
    const struct CMUnitTest cases[] = {
        CASE(a_call_takes_the_lock_and_gives_it),
        CASE(every_call_leaves_the_lock_free),
        CASE(a_heap_that_is_not_ready_is_locked),
        CASE(what_it_takes_and_is_called_is_told),
        CASE(only_who_reports_may_look_without_the_lock),
        CASE(interrupts_are_kept_out_while_the_lock_is_held),
        CASE(the_first_in_the_queue_takes_what_nobody_has),
        CASE(who_waits_pauses_whenever_it_has_looked),
        CASE(what_the_clock_says_is_told_to_the_tick),
        CASE(who_comes_first_is_served_first), /* from here on with threads */
        CASE(how_long_the_lock_was_held_is_told),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
