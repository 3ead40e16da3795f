/* SPDX-License-Identifier: MIT */
/* Calls tried out in a process of its own, and shortened to those that it takes to go wrong. */
#ifndef TESTS_TRIAL_H
#define TESTS_TRIAL_H

#include "apart.h"
#include "story.h"

enum { TRIAL_CALLS_MAX = 512 };

/* What was tried. It lies in memory that both processes share: for trial_new(). */
struct trial {
    const struct heap_strategy *strategy;
    uint32_t map_bytes;
    uint32_t count; /* of calls made; the last is what went wrong */
    struct call calls[TRIAL_CALLS_MAX];
    uint32_t maker[TRIAL_CALLS_MAX]; /* the call that made the block a call is about */
    bool came_back;                  /* all calls did; what comes behind them went wrong */
    char why[ORACLE_REASON_BYTES];
};

struct trial *trial_new(const struct heap_strategy *strategy);

/* In the process of its own: begins with no calls on a fresh heap of that size. */
void trial_begin(struct trial *trial, uint32_t map_bytes);

/*
 * There: makes the call, and verifies the heap; gives up with what is wrong.
 * Requires: fewer than TRIAL_CALLS_MAX calls were made since trial_begin().
 */
void trial_call(struct trial *trial, struct caller *caller, const struct call *call);

/* There: if all blocks are freed, verifies that all memory is back; gives up with what is wrong. */
void trial_finish(struct trial *trial, struct caller *caller);

/* Does the work, which calls these three. Returns: whether it went wrong; trial->why says how. */
bool trial_goes_wrong(struct trial *trial, void (*work)(void *context), void *context, bool quiet);

/*
 * Makes calls that somebody made elsewhere.
 * Returns: whether they go wrong here, too; false for more than TRIAL_CALLS_MAX.
 */
bool trial_repeat(struct trial *trial, uint32_t map_bytes, const struct call *calls,
                  uint32_t count);

/*
 * Leaves out whatever can be left out of calls that go wrong, by halves first (Zeller and
 * Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE 28 (2), 2002), and
 * makes heap and requests small. Without any one of the calls that remain all goes well.
 */
void trial_shorten(struct trial *trial);

/* Makes the calls of a trial once more, and a sanitizer that stops them is heard. */
bool trial_again(struct trial *trial);

/* Returns: the calls as a story; valid as long as the trial. */
struct story trial_story(const struct trial *trial);

#endif
