/* SPDX-License-Identifier: MIT */
/*
 * A ticket lock: processors get it in the order in which they asked.
 *
 * Source: J. M. Mellor-Crummey and M. L. Scott, "Algorithms for Scalable Synchronization on
 * Shared-Memory Multiprocessors", ACM TOCS 9(1), 1991, section 2.2.
 *
 * It keeps out other processors, not interrupts on the same one: what an interrupt handler may
 * ask for as well is held with interrupts off (interrupts.h), or a handler waits for ever for
 * the holder that it interrupted.
 */
#ifndef KERNEL_SPIN_LOCK_H
#define KERNEL_SPIN_LOCK_H

#include <stdint.h>

struct spin_lock {
    uint32_t next_ticket;
    uint32_t now_serving; /* whoever holds this ticket holds the lock */
};

/* Waits until it is this caller's turn. */
static inline void spin_lock_acquire(struct spin_lock *lock)
{
    uint32_t ticket = __atomic_fetch_add(&lock->next_ticket, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&lock->now_serving, __ATOMIC_ACQUIRE) != ticket)
        __builtin_ia32_pause();
}

/* Requires: this caller holds it. */
static inline void spin_lock_release(struct spin_lock *lock)
{
    __atomic_store_n(&lock->now_serving, lock->now_serving + 1, __ATOMIC_RELEASE);
}

#endif
