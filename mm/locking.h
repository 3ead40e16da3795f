/* SPDX-License-Identifier: MIT */
/*
 * The locking dial (-Dlocking=): who may call the heap while somebody else is in it.
 *
 *   none    nobody: one processor, and no interrupt handler that allocates
 *   irq     interrupt handlers of the only processor: a call keeps interrupts out
 *   spin    whoever likes: one ticket lock for the heap, held with interrupts kept out
 *   percpu  the same, but most calls meet only their own processor's magazines of blocks that
 *           were freed lately, and the lock only for whole magazines (magazine.h)
 *
 * The front door (heap.c) owns the dial, as it does the hardening dial; no strategy knows of it.
 * From hardening redzone on, percpu is the same as spin: the fences' books are one for all.
 *
 * Whatever the dial says, kinitHeap(), walking the heap by its table, heap_fail(), and requests
 * while a plan of heap_fail() is set, are for one caller alone, while nobody else uses the heap.
 */
#ifndef MM_LOCKING_H
#define MM_LOCKING_H

#include <stdint.h>

enum locking { LOCKING_NONE, LOCKING_IRQ, LOCKING_SPIN, LOCKING_PERCPU };

/* The dial's word that this heap was built with, and the memory that it takes, in bytes. */
const char *kheap_locking(void);
uint32_t kheap_locking_bytes(void);

/*
 * What became of the heap's lock since kinitHeap(). A heap that was not built to be watched
 * (-DLOCK_IS_WATCHED) counts only waits and spins; the rest is 0. Ticks are those of the
 * machine's clock: under QEMU's -icount, instructions.
 */
struct heap_lock_status {
    uint64_t acquisitions;
    uint64_t waits;         /* of those, how many found it taken */
    uint64_t spins;         /* how often those who waited looked, all together */
    uint64_t held_ticks;    /* all together */
    uint32_t held_max;      /* the longest, in ticks */
    uint32_t kept_out_max;  /* the longest that interrupts were kept out: waiting and holding */
    uint64_t kept_out_at;   /* the clock when that was over */
};

/* Takes no lock: while others use the heap, a number may be halfway to the next. */
struct heap_lock_status heap_lock_status(void);

/* What the magazines did since kinitHeap(); all 0 where there are none. */
struct heap_magazine_status {
    uint64_t exchanges;     /* between a processor and the depot */
    uint64_t refills;       /* of those, how many made it ask the strategy */
    uint64_t reclaims;      /* how often all that was parked was given back, for a request's sake */
    uint64_t growths;       /* how often a class's magazines were made larger */
    uint32_t parked_blocks; /* now */
    uint32_t parked_bytes;  /* of these, what their owners could use */
};

struct heap_magazine_status heap_magazine_status(void);

#endif
