/* SPDX-License-Identifier: MIT */
/*
 * For the strategies over a byte map: a map as a picture, one character a block:
 * '.' free, 'F' the first block of a run, 'r' one of the rest. "Frr.F..."
 */
#ifndef TESTS_BYTE_MAP_RIG_H
#define TESTS_BYTE_MAP_RIG_H

#include "host_heap.h"

enum { RIG_BLOCK_BYTES = 64, RIG_BLOCKS_MAX = 256 };

/* One row of a table of placements: where does a request go in this state? */
struct placement {
    const char *claim;
    const char *before; /* a picture, of a multiple of 8 blocks */
    uint32_t rover;     /* next-fit's: the block where the search starts */
    uint32_t blocks;    /* requested */
    uint32_t align;     /* in bytes */
    const char *after;
    uint32_t rover_after;
};

/*
 * Makes a heap of tested_strategy whose map is what the picture shows. Its arena is all
 * zero: who reads on behind the map sees free blocks.
 */
struct host_heap *rig_heap(const char *picture);

/* Fails the test, with claim, unless the map is what the picture shows. */
void rig_assert_map(const struct host_heap *host, const char *picture, const char *claim);

/* Where a strategy that has a rover keeps it. */
typedef uint32_t *rover_place(const struct host_heap *host);

/* Tries every row: makes the state, sends the request, compares map and rover. */
void rig_placements(const struct placement *rows, size_t count, rover_place *rover);

/*
 * Makes thousands of random calls; after each of them, every byte of the map must be
 * what a simple model of the heap, with the strategy's policy (policy.h), predicts.
 */
void byte_map_placements_equal_those_found_by_trying_every_place(void **state);

/* The mutants of I1 and I2, which all byte maps share. */
void byte_map_mutants_of_i1_are_named(void **state);
void byte_map_mutants_of_i2_are_named(void **state);

/* free and resize as tables of pictures; the same for all. */
void byte_map_free_clears_its_run_and_no_more(void **state);
void byte_map_resize_changes_its_run_and_no_more(void **state);

/* Where heap_check() accepts a random map, a walk must bear it out. */
void byte_map_random_maps_are_named_or_sound(void **state);

#endif
