/* SPDX-License-Identifier: MIT */
/*
 * A fuzzer for any strategy, HEAP_STRATEGY. The first byte of an input chooses the heap's
 * size; each four bytes that follow are a call. The oracle, and for sequential fits the
 * policy's definition, judge every call, and at last a drain; what goes wrong is shortened,
 * told and written as a trace. With FUZZ_TELL in the environment all calls are told beforehand, which
 * shows the one that faults.
 */
#include <stdlib.h>

#include "../decode.h"
#include "../trial.h"
#include "budget.h"

enum { CALLS_MAX = 4096 };

extern const struct heap_strategy HEAP_STRATEGY;

static struct call calls[CALLS_MAX];

static _Noreturn void give_up(const struct caller *caller, uint32_t count, const char *why)
{
    struct trial *trial = trial_new(&HEAP_STRATEGY);
    struct story story = {.strategy = &HEAP_STRATEGY,
                          .map_bytes = caller->oracle->host->heap.region.map_bytes,
                          .calls = calls,
                          .count = count,
                          .why = why};
    if (trial_repeat(trial, story.map_bytes, calls, count)) {
        trial_shorten(trial);
        printf("shortened: %u calls to %u\n", count, trial->count);
        story = trial_story(trial);
    }
    story_tell(&story, "fuzz.rep", stdout);
    abort();
}

static const char *make_call(struct caller *caller, const struct call *call)
{
    if (getenv("FUZZ_TELL") != NULL)
        fprintf(stderr, "kind %d, live block number %u, bytes %u, align %u\n", (int)call->kind,
                call->block, call->bytes, call->align);
    const char *wrong = caller_make(caller, call);
    return wrong != NULL ? wrong : oracle_verify(caller->oracle);
}

/* Heaps are made once: a region of 64 KiB takes longer to set up than most inputs. */
static struct caller *fresh_caller(uint8_t choice)
{
    static struct caller *callers[DECODE_HEAPS];
    struct caller **caller = &callers[choice % DECODE_HEAPS];
    if (*caller == NULL)
        *caller = caller_new(&HEAP_STRATEGY, decode_map_bytes(choice));
    else
        caller_renew(*caller);
    return *caller;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct caller *caller = fresh_caller(data[0]);
    const uint8_t *end = data + size;
    const char *wrong = NULL;
    uint32_t count = 0;
    for (const uint8_t *at = data + 1;
         end - at >= DECODE_BYTES && wrong == NULL && count < CALLS_MAX; at += DECODE_BYTES)
        if (decode_call(caller, at, &calls[count]))
            wrong = make_call(caller, &calls[count++]);
    if (wrong == NULL)
        wrong = oracle_drain(caller->oracle);
    if (wrong != NULL)
        give_up(caller, count, wrong);
    budget_spend(count);
    return 0;
}
