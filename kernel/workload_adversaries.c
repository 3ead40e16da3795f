/* SPDX-License-Identifier: MIT */
/*
 * Workloads made to hurt that need not see what the heap does. A block "of n units" is n * 64
 * bytes whether it has a header or not: what is requested leaves room for one.
 */
#include "workload_maker.h"

#include "memory.h"

enum {
    UNIT_BYTES = 64,
    HEADER_BYTES = 8,
    REPEATED = 64, /* so often is the request made that is measured */
};

static uint32_t units(uint32_t count)
{
    return count * UNIT_BYTES - HEADER_BYTES;
}

/* The operation, unless the trace has all that it may have. */
static uint32_t take(struct workload_maker *maker, uint32_t size)
{
    return workload_is_complete(maker) ? UINT32_MAX : trace_builder_alloc(&maker->builder, size);
}

static void give(struct workload_maker *maker, uint32_t id)
{
    if (!workload_is_complete(maker))
        trace_builder_free_id(&maker->builder, id);
}

/* Measures a request, again and again, each time in the same state. */
static void measure_request(struct workload_maker *maker, uint32_t size)
{
    workload_measure(maker, 2 * REPEATED);
    for (int i = 0; i < REPEATED; i++)
        give(maker, take(maker, size));
}

/* --- holes that are too small ------------------------------------------------------------ */

enum { HOLES_MAX = 1 << 20 };

/* Frees every other of the first blocks there were, count in all. */
static void make_holes(struct workload_maker *maker, uint32_t count)
{
    for (uint32_t hole = 0; hole < count; hole++)
        give(maker, 2 * hole);
}

static void fill_with(struct workload_maker *maker, uint32_t blocks, uint32_t size)
{
    for (uint32_t i = 0; i < blocks; i++)
        take(maker, size);
}

/* Requests for two units, where so many holes of one lie in front of the rest of the heap. */
static bool make_holes_family(struct workload_maker *maker)
{
    uint32_t holes = maker->numbers[0];
    if (!workload_start(maker, 3 * holes, 2 * holes + 1))
        return false;
    fill_with(maker, 2 * holes, units(1));
    make_holes(maker, holes);
    measure_request(maker, units(2));
    return true;
}

/* --- the tests of TLSF's authors --------------------------------------------------------- */

/*
 * M. Masmano, I. Ripoll, A. Crespo and J. Real, "TLSF: a New Dynamic Memory Allocator for
 * Real-Time Systems", ECRTS 2004, table 1. Sizes are four times theirs in tests 1 and 2: a unit
 * of 64 bytes stands for 16. In test 2 the request is a little smaller than the last hole, since
 * TLSF takes no hole that may be too small for the class of the request.
 */
enum {
    TLSF_BLOCK_2 = 4 * 512,
    TLSF_LAST_2 = 4 * 530,
    TLSF_REQUEST_2 = 4 * 525,
    TLSF_REQUEST_3 = 16,
    TLSF_REQUEST_4 = 40,
    TLSF_BLOCK_5 = 512,
    HALVINGS = 32,
};

/* Leaves no hole that is worth mentioning. */
static void fill_rest(struct workload_maker *maker)
{
    for (uint32_t size = maker->heap_bytes; size >= units(1); size /= 2)
        take(maker, size);
}

/* Fills the heap, frees every other block, and at last one that serves the request. */
static bool fill_and_request(struct workload_maker *maker, uint32_t block_bytes,
                             uint32_t last_bytes, uint32_t request)
{
    uint32_t pairs = maker->heap_bytes / block_bytes / 2;
    uint32_t holes = pairs > 0 ? pairs - 1 : 0;
    if (!workload_start(maker, 3 * holes + 2 + HALVINGS, 2 * holes + 1 + HALVINGS))
        return false;
    fill_with(maker, 2 * holes, block_bytes - HEADER_BYTES);
    uint32_t last = take(maker, last_bytes);
    fill_rest(maker);
    make_holes(maker, holes);
    give(maker, last);
    measure_request(maker, request);
    return true;
}

/* The block in the middle of three is given back last. */
static bool free_between_holes(struct workload_maker *maker)
{
    if (!workload_start(maker, 5, 3))
        return false;
    fill_with(maker, 3, TLSF_BLOCK_5 - HEADER_BYTES);
    give(maker, 0);
    give(maker, 2);
    workload_measure(maker, 1);
    give(maker, 1);
    return true;
}

static bool make_tlsf(struct workload_maker *maker)
{
    switch (maker->numbers[0]) {
    case 1:
        return fill_and_request(maker, UNIT_BYTES, units(2), units(2));
    case 2:
        return fill_and_request(maker, TLSF_BLOCK_2, TLSF_LAST_2, TLSF_REQUEST_2);
    case 5:
        return free_between_holes(maker);
    default:
        if (!workload_start(maker, 0, 1))
            return false;
        measure_request(maker, maker->numbers[0] == 3 ? TLSF_REQUEST_3 : TLSF_REQUEST_4);
        return true;
    }
}

/* --- against best fit -------------------------------------------------------------------- */

/*
 * Robson's worst case of best fit (Knuth, TAOCP 1, 2.5, exercise 42): with requests of up to m
 * bytes, memory of almost m times what is live. After k rounds it holds, from the bottom,
 *
 *     R[m-2] (F[m-3] R[1])^k        R[n]: n bytes reserved, F[n]: n bytes free
 *
 * A round adds a cell F[m-3] R[1]. It makes a cell beside the leading block, whose holes and
 * blocks it lets wander there from the end, each time through a hole that is an exact fit.
 */
enum { BESTFIT_SIZE_MIN = 8, BESTFIT_SIZE_MAX = 1 << 16, BESTFIT_ROUNDS_MAX = 5000 };

struct cells {
    struct workload_maker *maker;
    uint32_t m;
    uint32_t leading; /* the id of R[m-2] */
    uint32_t *ones;   /* the ids of R[1], from the bottom */
    uint32_t above;   /* where the wanderers are: F[m] R[m-5] R[1], the id of R[m-5] */
    uint32_t one;     /* of their R[1] */
};

/* Puts R[m-5] R[1] behind F[m], where there was F[2m-4]. */
static void carve(struct cells *cells)
{
    uint32_t lowest = take(cells->maker, cells->m);
    cells->above = take(cells->maker, cells->m - 5);
    cells->one = take(cells->maker, 1);
    give(cells->maker, lowest);
}

/* The wanderers pass what lies below them: a cell whose R[1] has that id, or R[m-2]. */
static void pass(struct cells *cells, uint32_t below)
{
    uint32_t above = cells->above;
    uint32_t filler = take(cells->maker, cells->m - 2);
    uint32_t two = take(cells->maker, 2);
    give(cells->maker, below);
    give(cells->maker, filler);
    carve(cells);
    give(cells->maker, two);
    give(cells->maker, above);
}

static void add_cell(struct cells *cells, uint32_t count)
{
    uint32_t first = take(cells->maker, cells->m - 2);
    uint32_t second = take(cells->maker, cells->m - 2);
    give(cells->maker, count > 0 ? cells->ones[count - 1] : cells->leading);
    give(cells->maker, first);
    carve(cells);
    give(cells->maker, second);
    for (uint32_t left = count; left > 0; left--) {
        cells->ones[left] = cells->one;
        pass(cells, left > 1 ? cells->ones[left - 2] : cells->leading);
    }
    cells->ones[0] = cells->one;
    give(cells->maker, cells->above);
    cells->leading = take(cells->maker, cells->m - 2);
}

static bool make_bestfit(struct workload_maker *maker)
{
    uint32_t rounds = maker->numbers[1];
    struct cells cells = {
        .maker = maker,
        .m = maker->numbers[0],
        .ones = scratch_alloc(rounds * (uint32_t)sizeof(*cells.ones)),
    };
    uint32_t operations = 1 + rounds * (11 + 5 * (rounds - 1));
    if (cells.ones == NULL || !workload_start(maker, operations, rounds + 8))
        return false;
    workload_measure(maker, operations);
    cells.leading = take(maker, cells.m - 2);
    for (uint32_t count = 0; count < rounds; count++)
        add_cell(&cells, count);
    return true;
}

/* --- against any heap that goes on behind its last block ------------------------------------ */

/*
 * Robson's lower bound (JACM 21, 1974; Knuth, TAOCP 1, 2.5, exercise 41), as it is played against
 * a heap that puts a block that fits no hole behind all others, as every sequential fit does.
 * Where a block ends is then known. One that looks where blocks lie is in papers/robson.c.
 */
enum { ROBSON_LOG2_MAX = 16, ROBSON_UNITS_MAX = 1 << 20 };

struct robson {
    struct workload_maker *maker;
    uint32_t *ends;  /* by id: the place behind the block; 0 if there is none */
    uint32_t *units; /* by id: its size */
    uint32_t behind; /* the place behind the last block */
    uint32_t live_units;
};

static void robson_take(struct robson *robson, uint32_t units)
{
    uint32_t id = take(robson->maker, units);
    if (id == UINT32_MAX)
        return;
    robson->behind += units;
    robson->live_units += units;
    robson->ends[id] = robson->behind;
    robson->units[id] = units;
}

/* Keeps the blocks that end at a multiple of size, and allocates as many of size as may be. */
static void robson_round(struct robson *robson, uint32_t size, uint32_t live_max)
{
    uint32_t ids = robson->maker->builder.trace->id_count;
    for (uint32_t id = 0; id < ids; id++) {
        if (robson->ends[id] % size == 0)
            continue;
        give(robson->maker, id);
        robson->live_units -= robson->units[id];
        robson->ends[id] = 0;
    }
    for (uint32_t left = (live_max - robson->live_units) / size; left > 0; left--)
        robson_take(robson, size);
}

static bool make_robson(struct workload_maker *maker)
{
    uint32_t live_max = maker->numbers[1], log2_max = maker->numbers[0];
    struct robson robson = {
        .maker = maker,
        .ends = scratch_alloc(live_max * (uint32_t)sizeof(*robson.ends)),
        .units = scratch_alloc(live_max * (uint32_t)sizeof(*robson.units)),
    };
    if (robson.ends == NULL || robson.units == NULL ||
        !workload_start(maker, 3 * live_max, live_max))
        return false;
    workload_measure(maker, 3 * live_max);
    for (uint32_t i = 0; i < live_max; i++)
        robson_take(&robson, 1);
    for (uint32_t log2 = 1; log2 <= log2_max; log2++)
        robson_round(&robson, 1U << log2, live_max);
    return true;
}

/* --- against heaps that put merging off ------------------------------------------------------- */

/*
 * A heap that keeps freed blocks for their next user has to merge them one day. Here it gets
 * many to keep, of lengths that differ, each between two holes, which differ too: to merge one
 * means to take two holes out of their lists and to put a third into another. So that these are
 * holes, and not kept as well, as many other blocks are given to keep before, and taken back
 * after. Then come requests for the rest of the heap, of which one may have to pay for all.
 */
enum {
    HOARD_BLOCKS_MAX = 1 << 14,
    HOARD_BYTES_MAX = 1 << 24,
    HOARD_BYTES = 4096,
    HOARD_REQUESTS = 256,
    HOARD_SMALL_BYTES = 24,
};

struct hoarded {
    uint32_t other;                 /* the id of what is kept before, and taken back */
    uint32_t before, block, behind; /* the ids of three side by side */
};

/* Returns: the turn-th of many sizes; step has no divisor in common with their number. */
static uint32_t one_size_of(uint32_t sizes, uint32_t step, uint32_t turn)
{
    return 16 + 8 * (step * turn % sizes);
}

static void hoard(struct workload_maker *maker, struct hoarded *all, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        all[i].other = take(maker, HOARD_SMALL_BYTES);
    for (uint32_t i = 0; i < count; i++) {
        all[i].before = take(maker, one_size_of(120, 7, i));
        all[i].block = take(maker, one_size_of(430, 37, i));
        all[i].behind = take(maker, one_size_of(114, 11, i));
        take(maker, HOARD_SMALL_BYTES);
    }
    for (uint32_t i = 0; i < count; i++)
        give(maker, all[i].other);
    for (uint32_t i = 0; i < count; i++) {
        give(maker, all[i].before);
        give(maker, all[i].behind);
    }
    for (uint32_t i = 0; i < count; i++)
        take(maker, HOARD_SMALL_BYTES);
    for (uint32_t i = 0; i < count; i++)
        give(maker, all[i].block);
}

static bool make_hoard(struct workload_maker *maker)
{
    uint32_t count = maker->numbers[0];
    uint32_t operations = 10 * count + HOARD_REQUESTS;
    struct hoarded *all = scratch_alloc(count * (uint32_t)sizeof(*all));
    if (all == NULL || !workload_start(maker, operations, 5 * count + HOARD_REQUESTS))
        return false;
    workload_measure(maker, operations);
    hoard(maker, all, count);
    for (uint32_t i = 0; i < HOARD_REQUESTS; i++)
        take(maker, maker->numbers[1]);
    return true;
}

const struct workload_family workload_adversaries[] = {
    {"holes", {{"HOLES", 1, HOLES_MAX, 0}}, make_holes_family},
    {"tlsf", {{"TEST", 1, 5, 0}}, make_tlsf},
    {"bestfit",
     {{"SIZE", BESTFIT_SIZE_MIN, BESTFIT_SIZE_MAX, 0}, {"ROUNDS", 1, BESTFIT_ROUNDS_MAX, 0}},
     make_bestfit},
    {"hoard",
     {{"BLOCKS", 1, HOARD_BLOCKS_MAX, 0}, {"BYTES", 1, HOARD_BYTES_MAX, HOARD_BYTES}},
     make_hoard},
    {"robson", {{"LOG2", 1, ROBSON_LOG2_MAX, 0}, {"UNITS", 1, ROBSON_UNITS_MAX, 0}}, make_robson},
    {0},
};
