/* SPDX-License-Identifier: MIT */
#include "states.h"

#include <stdlib.h>

static void *must(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

struct states states_new(uint32_t most)
{
    uint32_t slots = 2;
    while (slots < 2 * most)
        slots *= 2;
    return (struct states){.state = must(malloc(most * sizeof(struct state))),
                           .slots = must(calloc(slots, sizeof(uint32_t))),
                           .slot_mask = slots - 1};
}

void states_delete(struct states *states)
{
    free(states->state);
    free(states->slots);
}

uint32_t states_enter(struct states *states, const struct state *state, bool *added)
{
    uint32_t slot = (uint32_t)state->hash & states->slot_mask;
    while (states->slots[slot] != 0) {
        uint32_t known = states->slots[slot] - 1;
        if (states->state[known].hash == state->hash) {
            *added = false;
            return known;
        }
        slot = (slot + 1) & states->slot_mask;
    }
    *added = true;
    states->state[states->count] = *state;
    states->slots[slot] = ++states->count;
    return states->count - 1;
}
