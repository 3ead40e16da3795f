/* SPDX-License-Identifier: MIT */
#include "trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAP_BYTES_STEP = 8, MAP_BYTES_SMALL = 64 };

/* Calls to be made, by whatever block they are about; some are to be left out. */
struct plan {
    struct trial trial;
    bool left_out[TRIAL_CALLS_MAX];
};

struct trial *trial_new(const struct heap_strategy *strategy)
{
    struct trial *trial = apart_share(sizeof(*trial));
    trial->strategy = strategy;
    return trial;
}

/* --- in the process of its own ------------------------------------------------------------- */

static void give_up(struct trial *trial, const char *why)
{
    snprintf(trial->why, sizeof(trial->why), "%s", why);
    trial->came_back = true;
    apart_give_up();
}

void trial_begin(struct trial *trial, uint32_t map_bytes)
{
    trial->map_bytes = map_bytes;
    trial->count = 0;
    trial->came_back = true;
    trial->why[0] = '\0';
}

/* Each allocation gets the next id, granted or not: so ids lead to the call that made a block. */
static uint32_t maker_of(const struct trial *trial, const struct caller *caller,
                         const struct call *call)
{
    uint32_t call_number = 0;
    if (call->kind == CALL_MISUSE || call->kind == CALL_ALLOC)
        return trial->count;
    for (uint32_t id = caller->oracle->state.block[call->block].id;; call_number++)
        if (trial->calls[call_number].kind == CALL_ALLOC && id-- == 0)
            return call_number;
}

void trial_call(struct trial *trial, struct caller *caller, const struct call *call)
{
    trial->maker[trial->count] = maker_of(trial, caller, call);
    trial->calls[trial->count++] = *call;
    apart_renew();
    trial->came_back = false;
    const char *wrong = caller_make(caller, call);
    if (wrong == NULL)
        wrong = oracle_verify(caller->oracle);
    if (wrong != NULL)
        give_up(trial, wrong);
    trial->came_back = true;
}

void trial_finish(struct trial *trial, struct caller *caller)
{
    if (caller->oracle->state.count > 0)
        return;
    apart_renew();
    const char *wrong = oracle_drain(caller->oracle);
    if (wrong != NULL)
        give_up(trial, wrong);
}

bool trial_goes_wrong(struct trial *trial, void (*work)(void *context), void *context, bool quiet)
{
    const char *why = "";
    switch (apart_run(work, context, quiet)) {
    case APART_DONE:
        return false;
    case APART_GAVE_UP:
        return true;
    case APART_FAULT:
        why = "it touches memory that is not the heap's, or does what C does not define";
        break;
    case APART_HANG:
        why = "it does not come back";
        break;
    }
    snprintf(trial->why, sizeof(trial->why), "%s", why);
    return true;
}

/* --- once more, with some left out ---------------------------------------------------------- */

struct again {
    struct trial *trial; /* shared */
    const struct plan *plan;
};

/* Returns: whether the block that the planned call is about is live; *call then says which. */
static bool find_block(const struct caller *caller, uint32_t id, struct call *call)
{
    const struct oracle_state *state = &caller->oracle->state;
    call->block = 0;
    while (call->block < state->count && state->block[call->block].id != id)
        call->block++;
    return call->block < state->count;
}

static void make_planned(void *context)
{
    static uint32_t ids[TRIAL_CALLS_MAX];
    const struct again *again = context;
    const struct plan *plan = again->plan;
    trial_begin(again->trial, plan->trial.map_bytes);
    struct caller *caller = caller_new(plan->trial.strategy, plan->trial.map_bytes);
    memset(ids, 0xff, sizeof(ids));
    for (uint32_t i = 0; i < plan->trial.count; i++) {
        struct call call = plan->trial.calls[i];
        bool about_block = call.kind == CALL_FREE || call.kind == CALL_REALLOC;
        if (plan->left_out[i] ||
            (about_block && !find_block(caller, ids[plan->trial.maker[i]], &call)))
            continue;
        if (call.kind == CALL_ALLOC)
            ids[i] = caller->oracle->state.ids;
        trial_call(again->trial, caller, &call);
    }
    trial_finish(again->trial, caller);
}

struct repetition {
    struct trial *trial; /* shared */
    uint32_t map_bytes;
    const struct call *calls;
    uint32_t count;
};

static void repeat(void *context)
{
    const struct repetition *repetition = context;
    trial_begin(repetition->trial, repetition->map_bytes);
    struct caller *caller = caller_new(repetition->trial->strategy, repetition->map_bytes);
    for (uint32_t i = 0; i < repetition->count; i++)
        trial_call(repetition->trial, caller, &repetition->calls[i]);
    trial_finish(repetition->trial, caller);
}

bool trial_repeat(struct trial *trial, uint32_t map_bytes, const struct call *calls,
                  uint32_t count)
{
    struct repetition repetition = {trial, map_bytes, calls, count};
    return count <= TRIAL_CALLS_MAX && trial_goes_wrong(trial, repeat, &repetition, true);
}

static bool still_wrong(struct trial *trial, const struct plan *plan, bool quiet)
{
    struct again again = {.trial = trial, .plan = plan};
    return trial_goes_wrong(trial, make_planned, &again, quiet);
}

bool trial_again(struct trial *trial)
{
    struct plan plan = {.trial = *trial};
    return still_wrong(trial, &plan, false);
}

/* --- shortening ------------------------------------------------------------------------------ */

static struct plan plan_of(const struct trial *trial)
{
    return (struct plan){.trial = *trial};
}

/* Returns: whether a plan went wrong as well; kept then is what was made of it. */
static bool keep_if_wrong(struct trial *trial, struct trial *kept, const struct plan *plan)
{
    if (!still_wrong(trial, plan, true))
        return false;
    *kept = *trial;
    return true;
}

static void try_small_heaps(struct trial *trial, struct trial *kept)
{
    for (uint32_t map_bytes = MAP_BYTES_STEP;
         map_bytes <= MAP_BYTES_SMALL && map_bytes < kept->map_bytes; map_bytes += MAP_BYTES_STEP) {
        struct plan plan = plan_of(kept);
        plan.trial.map_bytes = map_bytes;
        if (keep_if_wrong(trial, kept, &plan))
            return;
    }
}

/* Returns: whether there were so many calls together that could be left out. */
static bool leave_out(struct trial *trial, struct trial *kept, uint32_t together)
{
    bool any = false;
    for (uint32_t first = 0; first < kept->count;) {
        struct plan plan = plan_of(kept);
        for (uint32_t i = first; i < first + together && i < kept->count; i++)
            plan.left_out[i] = true;
        if (keep_if_wrong(trial, kept, &plan))
            any = true;
        else
            first += together;
    }
    return any;
}

static void try_plain_requests(struct trial *trial, struct trial *kept)
{
    for (uint32_t i = 0; i < kept->count; i++) {
        struct plan plan = plan_of(kept);
        if (plan.trial.calls[i].kind == CALL_ALLOC &&
            plan.trial.calls[i].align > HEAP_ALIGNMENT_BYTES) {
            plan.trial.calls[i].align = HEAP_ALIGNMENT_BYTES;
            keep_if_wrong(trial, kept, &plan);
        }
    }
}

static void try_small_requests(struct trial *trial, struct trial *kept)
{
    for (uint32_t i = 0; i < kept->count;) {
        struct plan plan = plan_of(kept);
        struct call *call = &plan.trial.calls[i];
        bool asks = call->kind == CALL_ALLOC || call->kind == CALL_REALLOC;
        call->bytes /= 2;
        if (!asks || call->bytes == 0 || !keep_if_wrong(trial, kept, &plan))
            i++;
    }
}

void trial_shorten(struct trial *trial)
{
    struct trial *kept = malloc(sizeof(*kept));
    if (kept == NULL)
        abort();
    *kept = *trial;
    try_small_heaps(trial, kept);
    for (uint32_t together = (kept->count + 1) / 2; together > 1; together /= 2)
        leave_out(trial, kept, together);
    while (leave_out(trial, kept, 1))
        ;
    try_plain_requests(trial, kept);
    try_small_requests(trial, kept);
    while (leave_out(trial, kept, 1))
        ;
    *trial = *kept;
    free(kept);
}

struct story trial_story(const struct trial *trial)
{
    return (struct story){.strategy = trial->strategy,
                          .map_bytes = trial->map_bytes,
                          .calls = trial->calls,
                          .count = trial->count,
                          .last_is_fatal = !trial->came_back,
                          .why = trial->why};
}
