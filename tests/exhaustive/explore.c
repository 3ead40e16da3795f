/* SPDX-License-Identifier: MIT */
#include "explore.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "probe.h"
#include "snapshot.h"
#include "states.h"

struct explorer {
    const struct scope *scope;
    struct explored *explored;
    struct caller *caller;
    struct probe probe;
    struct snapshot *fresh;
    struct snapshot *origin;    /* of the state that calls are made from */
    struct states states;
    uint32_t *edges;            /* where each call made led, by state and in one order of calls */
    uint32_t *first_edge;       /* of each state, and behind the last */
    uint32_t level_end[EXPLORED_LENGTH_MAX + 1]; /* states reached with so many calls or less */
    uint64_t next_transitions;  /* that the states found last will make */
};

static void *must(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

/* --- the calls that a state allows ------------------------------------------------------------ */

/* Each size is requested; each live block is freed, and resized to each size. */
static uint32_t calls_from(const struct explorer *explorer)
{
    return SCOPE_SIZES + explorer->caller->oracle->state.count * (1 + SCOPE_SIZES);
}

static struct small_call call_number(uint32_t number)
{
    if (number < SCOPE_SIZES)
        return (struct small_call){.kind = CALL_ALLOC, .size = (uint8_t)number};
    uint32_t rest = number - SCOPE_SIZES;
    struct small_call call = {.block = (uint16_t)(rest / (1 + SCOPE_SIZES))};
    call.kind = rest % (1 + SCOPE_SIZES) == 0 ? CALL_FREE : CALL_REALLOC;
    if (call.kind == CALL_REALLOC)
        call.size = (uint8_t)(rest % (1 + SCOPE_SIZES) - 1);
    return call;
}

static struct call full_call(const struct explorer *explorer, struct small_call small)
{
    return (struct call){.kind = small.kind,
                         .block = small.block,
                         .bytes = explorer->scope->sizes[small.size],
                         .align = HEAP_ALIGNMENT_BYTES};
}

/* --- going back to a state -------------------------------------------------------------------- */

/* Lists the calls that lead to a state, for whoever has to be told. */
static void list_calls(struct explorer *explorer, uint32_t index)
{
    struct explored *explored = explorer->explored;
    const struct state *states = explorer->states.state;
    explored->count = 0;
    for (uint32_t at = index; at != 0; at = states[at].parent)
        explored->count++;
    uint32_t call = explored->count;
    for (uint32_t at = index; at != 0; at = states[at].parent)
        explored->calls[--call] = full_call(explorer, states[at].call);
}

static void give_up(const char *wrong, struct explored *explored)
{
    snprintf(explored->wrong, sizeof(explored->wrong), "%s", wrong);
}

/* They went well before. */
static void go_to(struct explorer *explorer, uint32_t index)
{
    struct explored *explored = explorer->explored;
    list_calls(explorer, index);
    snapshot_put_back(explorer->fresh, explorer->caller);
    for (uint32_t i = 0; i < explored->count; i++) {
        const char *wrong = caller_make(explorer->caller, &explored->calls[i]);
        if (wrong != NULL)
            give_up(wrong, explored);
    }
    snapshot_take(explorer->origin, explorer->caller);
}

/* --- going on ----------------------------------------------------------------------------------- */

static void probe(struct explorer *explorer)
{
    explorer->explored->probing = true;
    const char *wrong = probe_state(&explorer->probe);
    explorer->explored->probing = wrong != NULL;
    if (wrong != NULL)
        give_up(wrong, explorer->explored);
}

static void enter(struct explorer *explorer, const struct state *state)
{
    bool added;
    uint32_t index = states_enter(&explorer->states, state, &added);
    explorer->edges[explorer->explored->transitions++] = index;
    if (!added)
        return;
    explorer->next_transitions += calls_from(explorer);
    probe(explorer);
}

static void make_call(struct explorer *explorer, uint32_t parent, struct small_call small)
{
    struct explored *explored = explorer->explored;
    explored->calls[explored->count - 1] = full_call(explorer, small);
    snapshot_put_back(explorer->origin, explorer->caller);
    const char *wrong = caller_make(explorer->caller, &explored->calls[explored->count - 1]);
    if (wrong != NULL) {
        give_up(wrong, explored);
        return;
    }
    const struct state state = {
        .hash = snapshot_hash(explorer->caller), .parent = parent, .call = small};
    enter(explorer, &state);
}

static bool is_wrong(const struct explorer *explorer)
{
    return explorer->explored->wrong[0] != '\0';
}

static void go_on_from(struct explorer *explorer, uint32_t index)
{
    go_to(explorer, index);
    uint32_t calls = calls_from(explorer);
    explorer->explored->count++;
    explorer->first_edge[index] = explorer->explored->transitions;
    for (uint32_t number = 0; number < calls && !is_wrong(explorer); number++)
        make_call(explorer, index, call_number(number));
}

static void explore_level(struct explorer *explorer)
{
    uint32_t length = explorer->explored->length;
    uint32_t begin = length == 0 ? 0 : explorer->level_end[length - 1];
    explorer->next_transitions = 0;
    for (uint32_t i = begin; i < explorer->level_end[length] && !is_wrong(explorer); i++)
        go_on_from(explorer, i);
    if (is_wrong(explorer))
        return;
    explorer->first_edge[explorer->level_end[length]] = explorer->explored->transitions;
    explorer->level_end[length + 1] = explorer->states.count;
    explorer->explored->states = explorer->states.count;
    explorer->explored->complete = explorer->next_transitions == 0;
    explorer->explored->length++;
}

/* Those of the next length will take as long each, in the mean, as those until now. */
static bool is_time_left(const struct explorer *explorer)
{
    uint64_t done = explorer->explored->transitions;
    uint64_t spent = (uint64_t)clock();
    uint64_t limit = (uint64_t)explorer->scope->seconds_max * CLOCKS_PER_SEC;
    return limit == 0 || done == 0 || spent * (done + explorer->next_transitions) / done <= limit;
}

static bool may_go_on(const struct explorer *explorer)
{
    const struct explored *explored = explorer->explored;
    return !is_wrong(explorer) && !explored->complete &&
           explored->length < EXPLORED_LENGTH_MAX - 1 &&
           explorer->next_transitions <= explorer->scope->transitions_max - explored->transitions &&
           is_time_left(explorer);
}

/* --- counting ----------------------------------------------------------------------------------- */

static uint64_t add(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/*
 * ways[s]: how many sequences of so many calls begin in state s. Those of one call more are
 * the sum over the states that a call leads to. From the states found last no call was made,
 * so with each length there is one level less to count for.
 */
static uint64_t count_sequences(const struct explorer *explorer)
{
    uint32_t count = explorer->states.count;
    uint64_t *ways = must(malloc(count * sizeof(*ways)));
    uint64_t *longer = must(malloc(count * sizeof(*longer)));
    uint64_t all = 0;
    for (uint32_t i = 0; i < count; i++)
        ways[i] = 1;
    for (uint32_t length = 1; length <= explorer->explored->length; length++) {
        uint32_t end = explorer->level_end[explorer->explored->length - length];
        for (uint32_t i = 0; i < end; i++) {
            longer[i] = 0;
            for (uint32_t e = explorer->first_edge[i]; e < explorer->first_edge[i + 1]; e++)
                longer[i] = add(longer[i], ways[explorer->edges[e]]);
        }
        memcpy(ways, longer, end * sizeof(*ways));
        all = add(all, ways[0]);
    }
    free(ways);
    free(longer);
    return all;
}

/* --- the whole ---------------------------------------------------------------------------------- */

static void begin(struct explorer *explorer)
{
    uint32_t most = explorer->scope->transitions_max + 1;
    explorer->caller = caller_new(explorer->scope->strategy, explorer->scope->map_bytes);
    explorer->probe = probe_begin(explorer->caller, explorer->scope->sizes, SCOPE_SIZES);
    explorer->fresh = snapshot_new(explorer->caller);
    explorer->origin = snapshot_new(explorer->caller);
    explorer->states = states_new(most);
    explorer->edges = must(malloc(most * sizeof(uint32_t)));
    explorer->first_edge = must(malloc((most + 1) * sizeof(uint32_t)));
    snapshot_take(explorer->fresh, explorer->caller);
}

static void end(struct explorer *explorer)
{
    free(explorer->edges);
    free(explorer->first_edge);
    states_delete(&explorer->states);
    snapshot_delete(explorer->fresh);
    snapshot_delete(explorer->origin);
    probe_end(&explorer->probe);
    caller_delete(explorer->caller);
}

static void enter_fresh_heap(struct explorer *explorer)
{
    bool added;
    const struct state fresh = {.hash = snapshot_hash(explorer->caller)};
    states_enter(&explorer->states, &fresh, &added);
    explorer->level_end[0] = 1;
    explorer->next_transitions = calls_from(explorer);
    probe(explorer);
}

void explore(const struct scope *scope, struct explored *explored, FILE *progress)
{
    struct explorer explorer = {.scope = scope, .explored = explored};
    *explored = (struct explored){0};
    begin(&explorer);
    enter_fresh_heap(&explorer);
    while (may_go_on(&explorer)) {
        explore_level(&explorer);
        if (!is_wrong(&explorer))
            fprintf(progress, "up to %2u calls: %u states, %u transitions\n", explored->length,
                    explored->states, explored->transitions);
    }
    explored->counting = true;
    if (!is_wrong(&explorer))
        explored->sequences = count_sequences(&explorer);
    end(&explorer);
}
