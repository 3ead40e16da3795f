/* SPDX-License-Identifier: MIT */
/*
 * The adversary of Robson's lower bound: however an allocator places blocks, this takes it to
 * about (1 + r/2) times as much memory as is live, r being log2 of the largest request.
 *
 * Source: J. M. Robson, "Bounds for some functions concerning dynamic storage allocation", JACM
 * 21 (3), 1974; Knuth, The Art of Computer Programming 1, 2.5, exercise 41.
 *
 * Idea. Fill memory with blocks of one unit, n of them. Then, for k = 1, 2, ... r, free every
 * block but those that cover a place congruent to f modulo 2^k, and allocate as many blocks of
 * 2^k units as there may be: none of them fits between two such places. f is the last round's
 * or 2^(k-1) more, whichever keeps more memory from use. In a tie that one is taken which keeps
 * the block at the end of what was used, lest the hole there merge with unused memory.
 */
#include <stdio.h>
#include <stdlib.h>

#include "experiment.h"
#include "live_heap.h"

enum { UNIT_BYTES = HEAP_BYTES_PER_MAP_BYTE, KIB = 1024, LOG2_MAX = 16 };

struct piece {
    uint8_t *block;
    uint32_t units;
};

struct adversary {
    struct live_heap live;
    struct piece *pieces;
    uint32_t count;
    uint32_t header_bytes; /* a request of whole units leaves room for so much */
    uint32_t live_units;
    uint32_t shift_bytes;  /* makes places whole units */
    bool downwards;        /* the heap uses its memory from the upper end on */
    uint32_t residue;      /* f */
    uint32_t operations;
    FILE *out; /* NULL: nobody wants the trace */
};

/* --- how much of a unit is a header's -------------------------------------------------------- */

static void see_live_block(void *context, const struct heap_block *block)
{
    uint32_t *bytes = context;
    if (block->state == HEAP_BLOCK_LIVE)
        *bytes = block->bytes;
}

static uint32_t whole_block_bytes(struct live_heap *live, uint32_t size)
{
    uint32_t bytes = UINT32_MAX;
    live->strategy->init(&live->heap);
    if (live->strategy->alloc(&live->heap, size, HEAP_ALIGNMENT_BYTES) != NULL)
        live->strategy->walk(&live->heap, see_live_block, &bytes);
    live->strategy->init(&live->heap);
    return bytes;
}

static uint32_t header_bytes_of(struct live_heap *live)
{
    uint32_t header = 0;
    while (header < UNIT_BYTES - 1 && whole_block_bytes(live, UNIT_BYTES - header) > UNIT_BYTES)
        header++;
    return header;
}

/* --- moves ------------------------------------------------------------------------------------ */

/* Returns: whether there was room. A piece keeps its place in the list as its id. */
static bool take(struct adversary *adversary, uint32_t units)
{
    uint32_t size = units * UNIT_BYTES - adversary->header_bytes;
    struct piece piece = {live_heap_alloc(&adversary->live, size), units};
    if (piece.block == NULL)
        return false;
    if (adversary->out != NULL)
        fprintf(adversary->out, "a %u %u\n", adversary->count, size);
    adversary->operations++;
    adversary->live_units += units;
    adversary->pieces[adversary->count++] = piece;
    return true;
}

static void give(struct adversary *adversary, uint32_t id)
{
    live_heap_free(&adversary->live, adversary->pieces[id].block);
    adversary->pieces[id].block = NULL;
    adversary->live_units -= adversary->pieces[id].units;
    if (adversary->out != NULL)
        fprintf(adversary->out, "f %u\n", id);
    adversary->operations++;
}

static bool start(struct adversary *adversary, uint32_t units)
{
    for (uint32_t i = 0; i < units; i++)
        if (!take(adversary, 1))
            return false;
    const uint8_t *first = adversary->pieces[0].block;
    adversary->downwards = adversary->pieces[1].block < first;
    adversary->shift_bytes = -live_heap_offset(&adversary->live, first) % UNIT_BYTES;
    return true;
}

/* Returns: whether the piece is live and covers a place congruent to residue modulo 2^log2. */
static bool covers(const struct adversary *adversary, const struct piece *piece, uint32_t residue,
                   uint32_t log2)
{
    if (piece->block == NULL)
        return false;
    uint32_t offset = live_heap_offset(&adversary->live, piece->block);
    uint32_t place = (offset + adversary->shift_bytes) / UNIT_BYTES;
    return ((residue - place) & ((1U << log2) - 1)) < piece->units;
}

/* Returns: how many units blocks of 2^log2 units cannot use, if only pieces there are kept. */
static uint64_t spoilt_units(const struct adversary *adversary, uint32_t residue, uint32_t log2)
{
    uint64_t units = 0;
    for (uint32_t id = 0; id < adversary->count; id++)
        if (covers(adversary, &adversary->pieces[id], residue, log2))
            units += (1U << log2) - adversary->pieces[id].units;
    return units;
}

static void choose_residue(struct adversary *adversary, uint32_t log2)
{
    uint32_t lower = adversary->residue, upper = lower + (1U << (log2 - 1));
    uint64_t with_lower = spoilt_units(adversary, lower, log2);
    uint64_t with_upper = spoilt_units(adversary, upper, log2);
    bool takes_upper = adversary->downwards ? with_upper > with_lower : with_upper >= with_lower;
    adversary->residue = takes_upper ? upper : lower;
}

static bool play_round(struct adversary *adversary, uint32_t units, uint32_t log2)
{
    choose_residue(adversary, log2);
    for (uint32_t id = 0; id < adversary->count; id++)
        if (adversary->pieces[id].block != NULL &&
            !covers(adversary, &adversary->pieces[id], adversary->residue, log2))
            give(adversary, id);
    while (adversary->live_units + (1U << log2) <= units)
        if (!take(adversary, 1U << log2))
            return false;
    return true;
}

static bool play_all(struct adversary *adversary, uint32_t units, uint32_t log2_max)
{
    if (!start(adversary, units))
        return false;
    for (uint32_t log2 = 1; log2 <= log2_max; log2++) {
        if (!play_round(adversary, units, log2))
            return false;
        say_progress(log2, log2_max);
    }
    return true;
}

/* --- the experiment --------------------------------------------------------------------------- */

static void say_result(const struct adversary *adversary, const struct setup *setup, bool survived)
{
    const struct live_heap *live = &adversary->live;
    printf("result: {\"strategy\":\"%s\",\"heap_kib\":%u,\"largest_log2\":%u,\"units\":%u,"
           "\"unit_bytes\":%u,\"header_bytes\":%u,\"operations\":%u,\"survived\":%s,"
           "\"peak_granted_bytes\":%u,\"largest_granted_bytes\":%u,\"extent_bytes\":%u}\n",
           live->strategy->name, setup->kib, setup->size, setup->number, (unsigned)UNIT_BYTES,
           adversary->header_bytes, adversary->operations, survived ? "true" : "false",
           live->peak_granted_bytes, live->largest_granted_bytes, live_heap_extent_bytes(live));
}

/* The header's numbers are known at last; room was left for them. */
static const char *finish_trace(struct adversary *adversary)
{
    rewind(adversary->out);
    fprintf(adversary->out, "%010u\n%010u\n%010u\n1\n", adversary->live.heap.region.arena_bytes,
            adversary->count, adversary->operations);
    return fclose(adversary->out) == 0 ? NULL : "robson: the trace cannot be written";
}

const char *experiment_robson(const struct setup *setup)
{
    struct adversary adversary = {0};
    if (setup->size < 1 || setup->size > LOG2_MAX || setup->number < 2U << setup->size ||
        setup->number % (2U << setup->size) != 0)
        return "robson: size=R is 1 to 16, number=N a multiple of 2^(R+1)";
    adversary.pieces = calloc(setup->number, 2 * sizeof(*adversary.pieces));
    if (adversary.pieces == NULL)
        return "there is too little memory for so many blocks";
    const char *wrong = live_heap_start(&adversary.live, setup->strategy, setup->kib * KIB);
    if (wrong != NULL)
        return wrong;
    adversary.header_bytes = header_bytes_of(&adversary.live);
    if (setup->out != NULL && (adversary.out = fopen(setup->out, "w")) == NULL)
        return "robson: the file for the trace cannot be opened";
    if (adversary.out != NULL)
        fprintf(adversary.out, "%010u\n%010u\n%010u\n1\n", 0, 0, 0);
    bool survived = play_all(&adversary, setup->number, setup->size);
    if (adversary.out != NULL)
        wrong = finish_trace(&adversary);
    if (wrong == NULL)
        say_result(&adversary, setup, survived);
    live_heap_end(&adversary.live);
    free(adversary.pieces);
    return wrong;
}
