/* SPDX-License-Identifier: MIT */
/*
 * The heap's lock. Included by heap.c alone. With -Dlocking=none every function here is empty
 * and leaves no code behind; a test compares the code with that of a front door without them.
 *
 * Source: J. M. Mellor-Crummey and M. L. Scott, "Algorithms for Scalable Synchronization on
 * Shared-Memory Multiprocessors", ACM TOCS 9(1), 1991, section 2.2, the ticket lock. Departs from
 * it in that whoever finds the lock free draws no ticket: the cost of a lock that nobody else
 * wants is what every call pays, and it is two instructions to take it and one to give it.
 *
 * Idea. One word tells all: the lock is free iff it is FREE, all bits set. To take the lock is to
 * add 1; if that makes 0, it was free. Else the newcomer draws a ticket, turns its 1 into QUEUED,
 * and waits to be served; the first in the queue watches the lowest byte, in which the holder and
 * newcomers are counted. To give the lock is to subtract 1.
 *
 *   word + 1 = holder (0 or 1) + newcomers that are not yet queued + QUEUED * waiters
 *
 * While anybody waits, the word is not FREE, so nobody overtakes the queue. A newcomer is one
 * for two instructions, with interrupts kept out, and then waits in the queue; so the
 * lowest byte comes to rest. magazine.pml is the model of this.
 *
 * Interrupts are kept out from before the lock is taken until after it was given, on the
 * processor that holds it: a handler that asks for memory would wait for ever for the call that
 * it interrupted. As they were before is kept in the lock itself; it is the holder's.
 *
 * A heap that is not ready is locked, and nobody holds the lock: who asks for it is told. So a
 * call that takes the lock need not look whether the heap is ready.
 */
#ifndef MM_LOCK_H
#define MM_LOCK_H

enum {
    LOCK_FREE = -1,
    LOCK_QUEUED = 256, /* the lowest byte has room for every processor */
    LOCK_COUNT_MASK = LOCK_QUEUED - 1,
    LOCK_NOBODY = LOCK_FREE & LOCK_COUNT_MASK, /* in the lowest byte: neither holder nor newcomer */
};

static struct lock {
    int32_t word;          /* 0 at first: locked */
    uint32_t flags;        /* of the holder: how interrupts were */
    uint32_t next_ticket;
    uint32_t now_serving;  /* who has this ticket is the first in the queue */
    const void *reporter;  /* whose report is being heard with the lock held (lock_report_begins) */
    uint64_t waits, spins; /* the holder's, as is all that follows */
#ifdef LOCK_IS_WATCHED
    uint64_t acquisitions;
    uint64_t held_ticks;
    uint64_t taken_at;
    uint32_t waited_ticks; /* of this holder; 0 if it found the lock free */
    uint32_t held_max, kept_out_max;
    uint64_t kept_out_at;
#endif
} lock __attribute__((unused));

/* Returns: whether there is more to it than keeping interrupts out. */
static inline bool lock_is_there(void)
{
    return LOCKING == LOCKING_SPIN || LOCKING == LOCKING_PERCPU;
}

/* Returns: whether lock_take() panics if the heap is not ready. */
static inline bool lock_insists(void)
{
    return lock_is_there();
}

/* --- waiting --------------------------------------------------------------------------- */

/* The first in the queue. Returns: whether it has the lock now, and is out of the queue. */
static inline bool lock_try_first(void)
{
    int32_t word = __atomic_load_n(&lock.word, __ATOMIC_RELAXED);
    return (word & LOCK_COUNT_MASK) == LOCK_NOBODY &&
           __atomic_compare_exchange_n(&lock.word, &word, word - LOCK_QUEUED + 1, false,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* For a newcomer that found the lock taken: waits until it has it. */
static __attribute__((noinline)) void lock_wait(void)
{
#ifdef LOCK_IS_WATCHED
    uint64_t came_at = kernel_heap_clock();
#endif
    if (account_state == ACCOUNT_NOT_READY)
        heap_panic("kmalloc or kfree: called before kinitHeap()");
    uint32_t spins = 0;
    uint32_t ticket = __atomic_fetch_add(&lock.next_ticket, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&lock.word, LOCK_QUEUED - 1, __ATOMIC_RELAXED);
    for (; __atomic_load_n(&lock.now_serving, __ATOMIC_RELAXED) != ticket; spins++)
        kernel_heap_pause();
    for (; !lock_try_first(); spins++)
        kernel_heap_pause();
    __atomic_store_n(&lock.now_serving, ticket + 1, __ATOMIC_RELAXED);
    lock.waits++;
    lock.spins += spins;
#ifdef LOCK_IS_WATCHED
    lock.waited_ticks = (uint32_t)(kernel_heap_clock() - came_at);
#endif
}

/* --- watching -------------------------------------------------------------------------- */

static inline void lock_watch_taken(void)
{
#ifdef LOCK_IS_WATCHED
    lock.acquisitions++;
    lock.taken_at = kernel_heap_clock();
#endif
}

static inline void lock_watch_given(void)
{
#ifdef LOCK_IS_WATCHED
    uint64_t now = kernel_heap_clock();
    uint32_t held = (uint32_t)(now - lock.taken_at);
    uint32_t kept_out = held + lock.waited_ticks;
    lock.held_ticks += held;
    if (held > lock.held_max)
        lock.held_max = held;
    if (kept_out > lock.kept_out_max) {
        lock.kept_out_max = kept_out;
        lock.kept_out_at = now;
    }
    lock.waited_ticks = 0;
#endif
}

/* --- taking and giving ----------------------------------------------------------------- */

/*
 * How interrupts were lies on the stack until the lock is taken, and comes back there before it
 * is given: with the compiler's help it would take a register more, or two instructions.
 */
static inline void lock_take(void)
{
    if (LOCKING == LOCKING_IRQ)
        __asm__ volatile(KERNEL_HEAP_KEEP_OUT "popl %0" : "=m"(lock.flags) : : "memory", "cc");
    if (lock_is_there())
        __asm__ volatile(KERNEL_HEAP_KEEP_OUT
                         "lock incl %[word]\n\t"
                         "jnz 1f\n"
                         "2:\tpopl %[flags]\n\t"
                         ".subsection 1\n"
                         "1:\tpushl %%eax\n\tpushl %%ecx\n\tpushl %%edx\n\t"
                         "call %P[wait]\n\t"
                         "popl %%edx\n\tpopl %%ecx\n\tpopl %%eax\n\t"
                         "jmp 2b\n\t"
                         ".previous"
                         : [word] "+m"(lock.word), [flags] "=m"(lock.flags)
                         : [wait] "i"(lock_wait)
                         : "memory", "cc");
    lock_watch_taken();
}

/* Requires: this caller took it. */
static inline void lock_give(void)
{
    lock_watch_given();
    if (LOCKING == LOCKING_IRQ)
        __asm__ volatile("pushl %0\n\t" KERNEL_HEAP_LET_IN : : "m"(lock.flags) : "memory", "cc");
    if (lock_is_there())
        __asm__ volatile("pushl %[flags]\n\t"
                         "lock decl %[word]\n\t" KERNEL_HEAP_LET_IN
                         : [word] "+m"(lock.word)
                         : [flags] "m"(lock.flags)
                         : "memory", "cc");
}

/* Makes the lock free, whoever held it: the heap is ready. */
static inline void lock_start(void)
{
    if (LOCKING != LOCKING_NONE)
        lock = (struct lock){.word = LOCK_FREE};
}

/*
 * condition. Code for it stands aside where there is a lock; elsewhere it stays where it was. A
 * macro, since the compiler takes the hint in a condition only.
 */
#define LOCK_RARELY(condition)                                                                  \
    (LOCKING == LOCKING_NONE ? (condition) : __builtin_expect((condition), 0))

/* --- reports --------------------------------------------------------------------------- */

/*
 * A misuse is reported with the lock held, and who hears of it may want the heap explained. These
 * four let it: those who only look take the lock unless they are called by such a report.
 */
static inline void lock_report_begins(void)
{
    if (LOCKING != LOCKING_NONE)
        lock.reporter = kernel_heap_self();
}

static inline void lock_report_ends(void)
{
    if (LOCKING != LOCKING_NONE)
        lock.reporter = NULL;
}

static inline void lock_take_to_look(void)
{
    if (LOCKING != LOCKING_NONE && lock.reporter != kernel_heap_self())
        lock_take();
}

static inline void lock_give_after_looking(void)
{
    if (LOCKING != LOCKING_NONE && lock.reporter != kernel_heap_self())
        lock_give();
}

struct heap_lock_status heap_lock_status(void)
{
    return (struct heap_lock_status){
        .waits = lock.waits,
        .spins = lock.spins,
#ifdef LOCK_IS_WATCHED
        .acquisitions = lock.acquisitions,
        .held_ticks = lock.held_ticks,
        .held_max = lock.held_max,
        .kept_out_max = lock.kept_out_max,
        .kept_out_at = lock.kept_out_at,
#endif
    };
}

const char *kheap_locking(void)
{
    static const char *const names[] = {"none", "irq", "spin", "percpu"};
    return names[LOCKING];
}

#endif
