/* SPDX-License-Identifier: MIT */
/*
 * exhaustive-<strategy>: puts a heap of a few blocks through every sequence of calls up to
 * some length, and compares each state with the oracle and with the strategy's policy. Ends
 * with what was covered, or with the shortest sequence that goes wrong, as a trace as well.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "arguments.h"
#include "explore.h"
#include "fault.h"
#include "story.h"

enum {
    MAP_BYTES_MIN = 16,
    MAP_BYTES_MAX = 16384,
    SMALL_REQUEST_BYTES = 24,
    TRANSITIONS_DEFAULT = 300000,
    TRANSITIONS_MAX = 50000000,
    SECONDS_MAX = 1000, /* clock() holds twice as many */
    HANGS_AFTER_SECONDS = 10,
};

extern const struct heap_strategy HEAP_STRATEGY;

static struct scope scope = {.strategy = &HEAP_STRATEGY};
static struct explored explored;
static const char *rep_path;

/* --- what went wrong ---------------------------------------------------------------------------- */

/* why: what a probe found, or what kept the last call, or the probe, from coming back. */
static void tell(const char *why, bool came_back)
{
    char text[2 * ORACLE_REASON_BYTES];
    if (explored.probing) {
        snprintf(text, sizeof(text), "that shows when wrong addresses are offered, and then all "
                 "blocks freed: %s", why);
        why = text;
    }
    const struct story story = {.strategy = scope.strategy,
                                .map_bytes = scope.map_bytes,
                                .calls = explored.calls,
                                .count = explored.count,
                                .last_is_fatal = !came_back && !explored.probing,
                                .why = why};
    story_tell(&story, rep_path, stdout);
}

static void tell_of_fault(void)
{
    tell("memory is touched that is not the heap's, or a rule of C is broken; see above", false);
}

/* Since the last alarm nothing has come to its end: so nothing will. */
CALLED_BY_SIGNAL static void watch(int signal)
{
    static uint32_t transitions = UINT32_MAX;
    (void)signal;
    if (explored.transitions == transitions && !explored.counting) {
        tell("it does not come back", false);
        _exit(EXIT_FAILURE);
    }
    transitions = explored.transitions;
    alarm(HANGS_AFTER_SECONDS);
}

/* --- what to explore ---------------------------------------------------------------------------- */

static void set_sizes(uint32_t map_bytes)
{
    uint32_t region_bytes = map_bytes * (1 + HEAP_BYTES_PER_MAP_BYTE);
    scope.map_bytes = map_bytes;
    scope.sizes[0] = SMALL_REQUEST_BYTES;
    scope.sizes[1] = region_bytes / 8;
    scope.sizes[2] = region_bytes / 3;
}

/* Returns: whether a fresh heap of that size grants a block of each of the sizes at once. */
static bool all_sizes_fit(void)
{
    struct host_heap *host = host_heap_new(scope.strategy, scope.map_bytes);
    uint32_t granted = 0;
    while (granted < SCOPE_SIZES &&
           host_heap_alloc(host, scope.sizes[granted], HEAP_ALIGNMENT_BYTES) != NULL)
        granted++;
    host_heap_delete(host);
    return granted == SCOPE_SIZES;
}

/* The smallest heap that is of use to the strategy, from 16 blocks of 64 bytes on. */
static void find_smallest_heap(void)
{
    for (uint32_t map_bytes = MAP_BYTES_MIN; map_bytes <= MAP_BYTES_MAX; map_bytes *= 2) {
        set_sizes(map_bytes);
        if (all_sizes_fit())
            return;
    }
    printf("error: %s grants %u, %u and %u bytes on no heap up to 1 MiB\n", scope.strategy->name,
           scope.sizes[0], scope.sizes[1], scope.sizes[2]);
    exit(EXIT_FAILURE);
}

static _Noreturn void refuse(const char *argument)
{
    printf("error: %s: usage: exhaustive-%s [transitions=N] [seconds=N] [map_bytes=N] [rep=FILE]; N"
           " transitions from 1 to %u (default: %u, with seconds= all), seconds of processor time"
           " from 1 to %u (default: any), map_bytes a multiple of 8 from 8 to %u\n",
           argument, scope.strategy->name, TRANSITIONS_MAX, TRANSITIONS_DEFAULT, SECONDS_MAX,
           MAP_BYTES_MAX);
    exit(EXIT_FAILURE);
}

static void read_argument(const char *argument)
{
    uint32_t transitions = argument_number(argument, "transitions=", TRANSITIONS_MAX);
    uint32_t seconds = argument_number(argument, "seconds=", SECONDS_MAX);
    uint32_t map_bytes = argument_number(argument, "map_bytes=", MAP_BYTES_MAX);
    if (transitions != 0)
        scope.transitions_max = transitions;
    else if (seconds != 0)
        scope.seconds_max = seconds;
    else if (map_bytes % 8 == 0 && map_bytes != 0)
        set_sizes(map_bytes);
    else if (strncmp(argument, "rep=", 4) == 0)
        rep_path = argument + 4;
    else
        refuse(argument);
}

static void report(void)
{
    uint32_t seconds_tenths = (uint32_t)clock() / (CLOCKS_PER_SEC / 10);
    printf("%s: on a heap of %u + %u bytes, requests of %u, %u and %u bytes:\n"
           "every sequence of up to %u calls was tried: %llu sequences, %u distinct states, %u"
           " transitions%s; %u.%u s\n",
           scope.strategy->name, scope.map_bytes, scope.map_bytes * HEAP_BYTES_PER_MAP_BYTE,
           scope.sizes[0], scope.sizes[1], scope.sizes[2], explored.length,
           (unsigned long long)explored.sequences, explored.states, explored.transitions,
           explored.complete ? "; longer ones lead to no other state" : "",
           seconds_tenths / 10, seconds_tenths % 10);
}

int main(int count, char **arguments)
{
    char default_path[64];
    snprintf(default_path, sizeof(default_path), "exhaustive-%s.rep", scope.strategy->name);
    rep_path = default_path;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < count; i++)
        read_argument(arguments[i]);
    if (scope.transitions_max == 0)
        scope.transitions_max = scope.seconds_max == 0 ? TRANSITIONS_DEFAULT : TRANSITIONS_MAX;
    if (scope.map_bytes == 0)
        find_smallest_heap();
    fault_call(tell_of_fault);
    signal(SIGALRM, watch);
    alarm(HANGS_AFTER_SECONDS);
    explore(&scope, &explored, stdout);
    if (explored.wrong[0] != '\0')
        tell(explored.wrong, true);
    else
        report();
    return explored.wrong[0] == '\0' ? EXIT_SUCCESS : EXIT_FAILURE;
}
