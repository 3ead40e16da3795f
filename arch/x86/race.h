/* SPDX-License-Identifier: MIT */
/*
 * run=race: who runs when is not left to chance, but written down, to the instruction.
 *
 * A side makes calls: a processor, or the interrupt handler of the only one. One side runs at a
 * time: its processor traps before each instruction of the heap's code (the trap flag), and in the
 * trap hands the turn over where the schedule says so, and waits there for its own. What happens
 * depends on nothing but the schedule, whether or not instructions are counted. (A repeated string
 * instruction has a step for each repetition, and in a QEMU that counts one more.)
 *
 * Source: M. Musuvathi and S. Qadeer, "Iterative Context Bounding for Systematic Testing of
 * Multithreaded Programs", PLDI 2007: try all schedules with one forced switch, then with two, ...
 * As there, a switch is free if the side that runs has finished, or waits for a lock; a waiting
 * side is known by its next instruction, PAUSE. If it waits on and on and nobody else can run, that
 * is a deadlock. Departs from it in where a switch may be: not at synchronisation alone, but before
 * any instruction.
 *
 * Not tried: processors that see each other's writes in another order than they were made. An
 * x86's locked instructions rule out what of it could matter here; kfree of a heap without a
 * lock is broken without it.
 */
#ifndef ARCH_X86_RACE_H
#define ARCH_X86_RACE_H

#include <stdbool.h>

#include "boot_info.h"
#include "cpu.h"
#include "job.h"
#include "machine.h"
#include "random.h"

/* Starts so many processors, and races them as docs/runner.md describes. */
enum machine_status processor_race(const struct boot_info *info, const struct job *job);

/* --- for the files that it is made of ------------------------------------------------------ */

enum {
    RACE_SIDES = 8,
    RACE_BLOCK_BYTES = 100,    /* of each request: a kernel's median */
    RACE_SWITCHES_MAX = 4096,
    RACE_EVENTS_MAX = 256,
    RACE_MAP_BYTES = 24,       /* of the side array that an event shows */
};

/* "Before its instruction number step, all its calls counted together, side hands over." */
struct race_switch {
    uint32_t side;
    uint32_t step;
};

struct race_schedule {
    uint32_t count;
    struct race_switch switches[RACE_SWITCHES_MAX]; /* of each side in the order of steps */
};

enum race_end {
    RACE_CLEAN,
    RACE_TWICE,    /* a block was handed out that overlaps somebody's */
    RACE_NOTHING,  /* kmalloc returned NULL, and the heap was as good as empty */
    RACE_REFUSED,  /* kfree refused a live block */
    RACE_BROKEN,   /* when all was over, the heap's check found something */
    RACE_LOST,     /* when all was freed, something was still taken */
    RACE_CRASHED,  /* the heap's code faulted */
    RACE_DEADLOCK, /* a side waits for a lock, again and again, and nobody else can run */
    RACE_ENDLESS,  /* a call took more steps than any could */
    RACE_ENDS,
};

/* The layout is known to steppedCall.asm. */
struct stepped_call {
    uintptr_t function;
    uintptr_t argument;
    uintptr_t result;
    uintptr_t stack;
};

/* Requires: exceptions_hear() hears of the traps. Returns: false iff it was abandoned. */
bool steppedCall(struct stepped_call *call);

struct race_block {
    uint8_t *address; /* NULL: none */
    uint32_t bytes;
    uint32_t operation;
};

struct race_side {
    uint32_t number;
    uint32_t operations;      /* calls so far; the one that runs has this number */
    uint32_t steps;           /* instructions so far, of all calls */
    uint32_t next_switch;     /* where in the schedule its next may be */
    uint32_t countdown;       /* of a random schedule: instructions to the next switch */
    uint32_t waited;          /* how often it came by a PAUSE, nobody else having work */
    bool is_calling;
    bool is_done;
    uint32_t eip;             /* of its next instruction, while it is in a call */
    struct random random;     /* of a random schedule */
    struct race_block block;  /* its only one */
    bool is_giving;           /* it frees it, and has not made the first step of that */
    struct stepped_call call;
};

enum race_event_kind {
    RACE_CALLS,
    RACE_RETURNS,
    RACE_SWITCHES,   /* forced */
    RACE_WAITS,      /* hands over because it waits for a lock */
    RACE_INTERRUPTED,
};

struct race_event {
    enum race_event_kind kind;
    uint32_t side;
    uint32_t operation;
    uint32_t step;
    uint32_t eip;
    bool frees;
    uint32_t value;   /* what a call asks for, or what it returned */
    uint8_t map[RACE_MAP_BYTES];
};

struct race {
    uint32_t processors;
    uint32_t sides;
    uint32_t operations;     /* calls of each side */
    uint32_t seed;
    uint32_t interval;       /* instructions between two random switches, in the mean */
    uint32_t stride;         /* a switch is tried before every so-manyth instruction */
    bool lock_lets_interrupts_in;
    bool is_warm;            /* each processor made two calls before: magazines are loaded */
    struct race_side side[RACE_SIDES];
    volatile uint32_t turn;  /* whose it is */
    volatile bool is_over;   /* something went wrong: all stop */
    uint32_t delivered;      /* forced switches that came about */
    uint32_t steps;          /* of all sides, since the latest call began */
    enum race_end end;
    uint32_t failed_side;    /* who found it, in which call */
    uint32_t failed_operation;
    struct race_block other, found; /* of RACE_TWICE: whose it was, and what was handed out */
    uint32_t other_side;
    const char *text;        /* of RACE_BROKEN */
    bool is_random;          /* the schedule is drawn and written down, not followed */
    bool is_traced;
    uint32_t event_count;    /* of which the last RACE_EVENTS_MAX are kept */
    struct race_event events[RACE_EVENTS_MAX];
    uint32_t live_blocks_at_rest; /* after all calls, nobody having been disturbed */
};

extern struct race race;

/* Returns: what is to be called: the heap's function, or the same in a lock that masks nothing. */
uintptr_t race_function(bool frees);

/* Requires: somebody waits for that lock. Returns: whether another has it. */
bool race_lock_is_held_by_another(void);
void race_lock_start(void);

/* Runs all sides to their end, or until something goes wrong. Returns: what; race tells more. */
enum race_end race_run(struct race_schedule *schedule);

/* Makes the side's next call, and looks at what it got. */
void race_call(struct race_side *side);

/* Whoever found that something is wrong says so; the first counts. */
void race_fail(enum race_end end, const struct race_side *found_by);

void race_note(enum race_event_kind kind, const struct race_side *side, uint32_t value);

/* The jobs: each says its record. Returns: whether anything went wrong. */
bool race_explore(uint32_t bound);
bool race_at_random(void);
bool race_replay(struct race_schedule *schedule);

void race_print_settings(void);
void race_print_schedule(const struct race_schedule *schedule);
void race_print_end(void);
void race_print_events(void);
const char *race_end_name(enum race_end end);

#endif
