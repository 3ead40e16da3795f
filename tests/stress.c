/* SPDX-License-Identifier: MIT */
/*
 * stress-<strategy>: random calls on heaps of many sizes, each judged by the oracle, in a
 * process of their own. Ends with what was done; or with a sequence that goes wrong, made as
 * short as it gets, as a trace as well.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "decode.h"
#include "trial.h"

enum { CALLS_DEFAULT = 200000, CALLS_LIMIT = 100000000, SEQUENCE_CALLS = 300, REPORTS = 20 };

extern const struct heap_strategy HEAP_STRATEGY;

struct stress {
    struct trial *trial;
    uint32_t calls; /* to be made */
    uint32_t seed;
};

/* Returns: whether there was a call to make in this state. */
static bool call_something(struct trial *trial, struct caller *caller, struct random *random)
{
    uint32_t word = random_word(random);
    uint8_t bytes[DECODE_BYTES];
    struct call call;
    memcpy(bytes, &word, sizeof(bytes));
    if (!decode_call(caller, bytes, &call))
        return false;
    trial_call(trial, caller, &call);
    return true;
}

static void free_all(struct trial *trial, struct caller *caller, struct random *random)
{
    while (caller->oracle->state.count > 0 && trial->count < TRIAL_CALLS_MAX) {
        uint32_t block = random_below(random, caller->oracle->state.count);
        trial_call(trial, caller, &(struct call){.kind = CALL_FREE, .block = block});
    }
}

static void call_a_sequence(struct trial *trial, struct random *random)
{
    uint32_t map_bytes = decode_map_bytes((uint8_t)(random_word(random) >> 8));
    uint32_t calls = 1 + random_below(random, SEQUENCE_CALLS);
    trial_begin(trial, map_bytes);
    struct caller *caller = caller_new(trial->strategy, map_bytes);
    for (uint32_t i = 0; i < calls; i++)
        call_something(trial, caller, random);
    free_all(trial, caller, random);
    trial_finish(trial, caller);
    caller_delete(caller);
}

static void call_for_long(void *context)
{
    const struct stress *stress = context;
    struct random random;
    uint32_t done = 0;
    uint32_t sequences = 0;
    uint32_t next_report = 0;
    random_seed(&random, stress->seed);
    for (; done < stress->calls; sequences++) {
        call_a_sequence(stress->trial, &random);
        done += stress->trial->count;
        if (done >= next_report) {
            printf("progress: %u %u\n", done < stress->calls ? done : stress->calls, stress->calls);
            next_report += stress->calls / REPORTS + 1;
        }
    }
    printf("%s: %u random calls in %u sequences, seed %u: nothing is wrong\n",
           stress->trial->strategy->name, done, sequences, stress->seed);
}

static bool read_argument(const char *argument, struct stress *stress, const char **rep_path)
{
    uint32_t calls = argument_number(argument, "calls=", CALLS_LIMIT);
    uint32_t seed = argument_number(argument, "seed=", INT32_MAX);
    if (calls != 0)
        stress->calls = calls;
    else if (seed != 0)
        stress->seed = seed;
    else if (strncmp(argument, "rep=", 4) == 0)
        *rep_path = argument + 4;
    else
        return false;
    return true;
}

int main(int count, char **arguments)
{
    const char *rep_path = "stress.rep";
    struct stress stress = {
        .trial = trial_new(&HEAP_STRATEGY), .calls = CALLS_DEFAULT, .seed = 1};
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < count; i++)
        if (!read_argument(arguments[i], &stress, &rep_path)) {
            printf("error: %s: usage: stress-%s [calls=N] [seed=N] [rep=FILE]; N calls from 1 to"
                   " %u (default: %u), a seed from 1 to %d\n",
                   arguments[i], HEAP_STRATEGY.name, CALLS_LIMIT, CALLS_DEFAULT, INT32_MAX);
            return EXIT_FAILURE;
        }
    if (!trial_goes_wrong(stress.trial, call_for_long, &stress, true))
        return EXIT_SUCCESS;
    uint32_t before = stress.trial->count;
    trial_shorten(stress.trial);
    if (!trial_again(stress.trial))
        printf("error: it went wrong with seed %u, but not always\n", stress.seed);
    else
        printf("shortened: %u calls to %u\n", before, stress.trial->count);
    const struct story story = trial_story(stress.trial);
    story_tell(&story, rep_path, stdout);
    return EXIT_FAILURE;
}
