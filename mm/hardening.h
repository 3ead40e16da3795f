/* SPDX-License-Identifier: MIT */
/*
 * The hardening dial (-Dhardening=), and what the heap asks of the program around it.
 *
 *   off      the strategy alone: no code, no memory, no counting
 *   check    wrong addresses are refused and reported, blocks and failures counted
 *   redzone  in addition guard bytes around each block, poison in it, and who took it
 *   full     in addition freed blocks wait in a quarantine, and each call looks at the
 *            neighbours
 *
 * Each level does all that the one before does. The front door (heap.c) owns the dial; no
 * strategy knows of it. docs/hardening.md says what each level finds and what it costs.
 */
#ifndef MM_HARDENING_H
#define MM_HARDENING_H

#include <stdbool.h>
#include <stdint.h>

enum hardening { HARDENING_OFF, HARDENING_CHECK, HARDENING_REDZONE, HARDENING_FULL };

/* What blocks are filled with, from redzone on. */
enum heap_filler {
    HEAP_FILLER_CLEAN = 0xCD, /* a new one: nobody has written it */
    HEAP_FILLER_DEAD = 0xDD,  /* one that was freed */
};

/* What a caller did wrong. */
enum heap_sin {
    HEAP_SIN_WRONG_ADDRESS,  /* gave an address that is not the start of a live block */
    HEAP_SIN_OVERRUN,        /* wrote behind a block's end */
    HEAP_SIN_UNDERRUN,       /* wrote before a block's start */
    HEAP_SIN_PLATE_LOST,     /* wrote so far before it that who took the block is lost, too */
    HEAP_SIN_WRITTEN_FREED,  /* wrote into a block after it was freed */
};

struct heap_misuse {
    enum heap_sin sin;
    const char *function; /* of heap.h: the one that was called wrongly, or that found it */
    const void *address;  /* that was given, or of the first byte that was overwritten */
    const void *caller;   /* where function returns to */
};

/*
 * Hears of each misuse, as it is found. The program's: the kernel's is in kernel/misuse.c.
 * It may call heap_explain(), and may stop the machine; the heap is in order, but for
 * what the misuse itself broke. It must not call kmalloc and its like.
 */
void heap_misused(const struct heap_misuse *misuse);

/* Stops the machine: the heap cannot go on. The program's, too. */
__attribute__((noreturn, format(printf, 1, 2))) void heap_panic(const char *format, ...);

/* Where an address is. */
enum heap_place {
    HEAP_PLACE_OUTSIDE, /* not in the heap's memory */
    HEAP_PLACE_META,    /* in what the heap keeps for itself */
    HEAP_PLACE_LIVE,    /* in or at a live block: before it, inside, or behind its end */
    HEAP_PLACE_FREED,   /* in a block that was freed and is kept whole since */
    HEAP_PLACE_HOLE,    /* in free memory */
    HEAP_PLACE_UNKNOWN, /* the heap is damaged: see damage */
};

/* One block's life. Callers are known from redzone on; NULL and 0 if they are not. */
struct heap_life {
    const uint8_t *block;     /* what kmalloc returned */
    uint32_t bytes;           /* what its owner may use */
    uint32_t number;          /* it was the so-many-th allocation since kinitHeap() */
    const void *allocated_by; /* where kmalloc returned to */
    const void *freed_by;     /* where kfree returned to; NULL while it is live */
};

struct heap_explanation {
    enum heap_place place;
    struct heap_life life;   /* of the live or freed block; of a hole, start and bytes */
    struct heap_life before; /* of a block that began at this very address and was freed;
                                block is NULL if none is remembered */
    const char *damage;      /* what check() of the strategy says, or NULL */
};

/*
 * Says what is known of an address. Changes nothing, and does not fault on a damaged heap.
 * Cost: a check and a walk.
 */
void heap_explain(const void *address, struct heap_explanation *explanation);

/* Live blocks with the same caller. */
struct heap_leak {
    const void *allocated_by;
    uint32_t blocks;
    uint32_t bytes;            /* that were asked for */
    struct heap_life oldest;
};

/*
 * Lists the live blocks by who took them, in the order of the oldest block of each. Knows
 * callers from redzone on; below, there is nothing to list.
 * Returns: how many callers are in leaks; if leaks_max, there may be more.
 * Cost: linear in the number of live blocks, times that of callers.
 */
uint32_t heap_leaks(struct heap_leak *leaks, uint32_t leaks_max);

#endif
