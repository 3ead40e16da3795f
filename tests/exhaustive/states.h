/* SPDX-License-Identifier: MIT */
/*
 * The states of a heap that calls can lead to, each kept as the call that first led there.
 * A state is known by 64 bits of hash over all its bytes, so of n states two are taken for
 * one with probability n^2 / 2^65: one in a million for 8 million states.
 */
#ifndef TESTS_EXHAUSTIVE_STATES_H
#define TESTS_EXHAUSTIVE_STATES_H

#include <stdbool.h>
#include <stdint.h>

/* A call, small: block and size are indices, among live blocks and among the sizes tried. */
struct small_call {
    uint8_t kind;
    uint8_t size;
    uint16_t block;
};

struct state {
    uint64_t hash;
    uint32_t parent; /* the state that it was first reached from; itself for the first of all */
    struct small_call call;
};

struct states {
    struct state *state; /* in the order of discovery */
    uint32_t count;
    uint32_t *slots; /* open addressing, twice as many as states at most; 0: empty, else index + 1 */
    uint32_t slot_mask;
};

/* Makes room for so many states. For states_delete(). */
struct states states_new(uint32_t most);
void states_delete(struct states *states);

/*
 * Returns: the index of the state with that hash; the state is added if it is not there.
 * Requires: fewer than the most were added.
 */
uint32_t states_enter(struct states *states, const struct state *state, bool *added);

#endif
