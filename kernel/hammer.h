/* SPDX-License-Identifier: MIT */
/*
 * run=hammer: processors, and interrupts that allocate, hammer the heap, and an oracle watches.
 *
 * A hand is who makes calls: a processor's own work, or its interrupt handler. Each call of a hand
 * has a number, and each block the number of the call that took it and of the hand: its id. The
 * oracle (hammer_oracle.c) writes the id down for every 8 bytes that were handed out, and in the
 * block; whoever gets what is somebody else's finds it there, and the run is over.
 */
#ifndef KERNEL_HAMMER_H
#define KERNEL_HAMMER_H

#include <stdbool.h>

#include "boot_info.h"
#include "job.h"
#include "locking.h"
#include "machine.h"
#include "random.h"
#include "size_mix.h"
#include "together.h"
#include "trace.h"

/*
 * Has so many processors hammer the heap with the job's workload, or with the trace in module
 * (NULL: there is none), and says what became of it, as docs/runner.md describes.
 * Requires: that many run. Returns: MACHINE_DONE iff nothing went wrong. If something does, it
 * may not return, but stop the machine.
 */
enum machine_status run_hammer(const struct job *job, const struct boot_module *module,
                               uint32_t processors);

/* --- for the files that it is made of ------------------------------------------------------ */

enum {
    HAMMER_SLOTS = 64,         /* of a hand, for blocks */
    HAMMER_SHARED_SLOTS = 512, /* of all hands together */
    HAMMER_RING_SLOTS = 64,
    HAMMER_HANDS = 2 * TOGETHER_MAX,
    HAMMER_BYTES_MIN = 8,      /* a block has its id and its size in it */
};

struct hand {
    uint32_t number;     /* 2 * its processor's, and 1 more for an interrupt handler */
    uint32_t operations; /* calls so far; the next one has this number */
    uint32_t failures;   /* of them: requests that got NULL */
    uint32_t interrupts;
    struct random random;
    uint8_t *slots[HAMMER_SLOTS];
    uint32_t next_in_trace;
    uint32_t seen_operations; /* by the last interrupt; and since when there were so many */
    uint64_t seen_at;
    const void *interrupted_at; /* the instruction before which the last interrupt of its work came */
    uint32_t interrupted_in;    /* the call that it had made, or was about to make */
    uint64_t interrupted_when;
};

/* From one processor to another: only one puts blocks in, only one takes them out. */
struct hammer_ring {
    uint32_t in, out; /* so many went in and out */
    uint8_t *blocks[HAMMER_RING_SLOTS];
};

struct hammer_load;

struct hammer {
    uint32_t processors;
    uint32_t operations_each;
    uint32_t interval;         /* between two interrupts of a processor: ticks, in the mean */
    uint32_t seed;
    bool counts_instructions;
    const struct hammer_load *load;
    const struct size_mix *mix;
    struct trace trace;        /* only of a recorded one */
    uint8_t **trace_blocks;    /* by id */
    struct hand hands[HAMMER_HANDS];
    struct hammer_ring rings[TOGETHER_MAX]; /* by who takes out */
    uint8_t *shared[HAMMER_SHARED_SLOTS];
    uint64_t started_at, ended_at;
    struct heap_lock_status lock;           /* when the work was done */
    struct heap_magazine_status magazines;
};

extern struct hammer hammer;

/* A workload. A step is one call or a few; it returns false if there is nothing left to do. */
struct hammer_load {
    const char *name;
    bool (*step)(struct hand *hand);
};

/* Returns: the workload of that name, or the one that replays a trace if there is one; or NULL. */
const struct hammer_load *hammer_load_find(const char *name, bool has_trace);

/* Gives back all blocks that are still held, as hand. */
void hammer_loads_end(struct hand *hand);

/* Requires: size >= 1. Returns: a new block of at least HAMMER_BYTES_MIN bytes; NULL: none. */
uint8_t *hammer_take(struct hand *hand, uint32_t size);

/* Requires: it is a block; NULL does nothing. */
void hammer_give(struct hand *hand, uint8_t *block);

/* Returns: where the block is now; NULL: it did not become size bytes, and is what it was. */
uint8_t *hammer_resize(struct hand *hand, uint8_t *block, uint32_t size);

/* Makes the oracle's books. Returns: NULL, or what is wrong. */
const char *hammer_oracle_start(void);

/* What went wrong. */
enum hammer_trouble_kind {
    HAMMER_TWICE,   /* a block was handed out that is somebody's */
    HAMMER_DAMAGED, /* a block is not what its owner wrote */
    HAMMER_REFUSED, /* kfree refused a live block */
    HAMMER_OUTSIDE, /* a block is not in the heap, or not aligned */
    HAMMER_STUCK,   /* a call does not come back */
    HAMMER_BROKEN,  /* when all was over, the heap's check found something */
    HAMMER_PANIC,   /* the heap went astray, and the kernel with it */
};

struct hammer_trouble {
    enum hammer_trouble_kind kind;
    const struct hand *found_by;
    const uint8_t *block;   /* as it was handed out, or given back */
    uint32_t bytes;
    const uint8_t *address; /* the first byte that is somebody else's, or wrong; or of the code */
    uint32_t other_id;      /* whose it is; 0: unknown */
    const char *text;       /* of what is broken; else NULL */
};

/* Says the record, with the trouble, and stops the machine. */
__attribute__((noreturn)) void hammer_stop(const struct hammer_trouble *trouble);

/* Writes down when the work was done, and what the lock saw until then. */
void hammer_take_stock(void);

/* From here on, a panic says the record, too. */
void hammer_record_start(void);

/* Says the record. trouble: NULL if there was none. */
void hammer_report(const struct hammer_trouble *trouble);

/* An id's parts. */
static inline uint32_t hammer_id(uint32_t hand_number, uint32_t operation)
{
    return hand_number << 28 | (operation + 1); /* never 0 */
}

static inline uint32_t hammer_id_hand(uint32_t id)
{
    return id >> 28;
}

static inline uint32_t hammer_id_operation(uint32_t id)
{
    return (id & 0xfffffff) - 1;
}

#endif
