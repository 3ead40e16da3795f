/* SPDX-License-Identifier: MIT */
/*
 * What only free-list promises, as pictures, one character a unit of 8 bytes, base left
 * out: '.' free, 'H' the header of a live block, 'r' one of its other units. Whatever is
 * behind the picture is one live block. Units are numbered from the picture's first; base
 * has the number -1.
 */
#include "cases.h"
#include "host_heap.h"

#include <string.h>

enum { MAP_BYTES = 8, UNITS = 64, UNIT_BYTES = 8, BASE = -1 };

/* A header and the control block, written down a second time on purpose. */
struct header {
    struct header *next;
    uint32_t units;
};

static struct header **freep_of(const struct host_heap *host)
{
    return host->heap.control;
}

static struct header *unit(const struct host_heap *host, int number)
{
    return (struct header *)(void *)host->heap.region.map + 1 + number;
}

/* Returns: where the block ends that begins there. */
static int end_of_block(const char *picture, int first)
{
    int end = first + 1;
    char filler = picture[first] == '.' ? '.' : 'r';
    while (picture[end] == filler)
        end++;
    return end;
}

static struct host_heap *heap_of(const char *before, int freep)
{
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    struct header *last = unit(host, BASE);
    int length = (int)strlen(before);
    for (int first = 0; first < length; first = end_of_block(before, first)) {
        unit(host, first)->units = (uint32_t)(end_of_block(before, first) - first);
        if (before[first] == '.')
            last = last->next = unit(host, first);
    }
    last->next = unit(host, BASE);
    unit(host, length)->units = (uint32_t)(UNITS - length);
    *freep_of(host) = unit(host, freep);
    host_heap_assert_sound(host, before);
    return host;
}

struct drawing {
    const struct host_heap *host;
    char picture[UNITS + 1];
};

static void draw(void *context, const struct heap_block *block)
{
    struct drawing *drawing = context;
    int64_t first = (const struct header *)(const void *)block->start - unit(drawing->host, 0);
    uint32_t units = block->bytes / UNIT_BYTES;
    if (block->state == HEAP_BLOCK_META)
        return;
    memset(drawing->picture + first, block->state == HEAP_BLOCK_FREE ? '.' : 'r', units);
    if (block->state == HEAP_BLOCK_LIVE)
        drawing->picture[first] = 'H';
}

static void assert_is(const struct host_heap *host, const char *after, int freep,
                      const char *claim)
{
    struct drawing drawing = {.host = host};
    host_heap_assert_sound(host, claim);
    tested_strategy->walk(&host->heap, draw, &drawing);
    drawing.picture[strlen(after)] = '\0';
    if (strcmp(drawing.picture, after) != 0)
        fail_msg("%s: the heap is %s; expected %s", claim, drawing.picture, after);
    if (*freep_of(host) != unit(host, freep))
        fail_msg("%s: freep is at unit %d; expected %d", claim,
                 (int)(*freep_of(host) - unit(host, 0)), freep);
}

static const struct placement {
    const char *claim;
    const char *before;
    int freep;
    uint32_t size;
    uint32_t align;
    const char *after; /* the same: nothing fits */
    int freep_after;
} placements[] = {
    {"the tail of a hole is handed out", "........", BASE, 8, 8, "......Hr", BASE},
    {"one byte takes a header and a unit", "........", BASE, 1, 8, "......Hr", BASE},
    {"nine bytes take two", "........", BASE, 9, 8, ".....Hrr", BASE},
    {"a hole of the right length leaves the ring", "..Hr...Hr", BASE, 16, 8, "..HrHrrHr", 0},
    {"a hole of one unit may be left", "...Hr", BASE, 8, 8, ".HrHr", BASE},
    {"but serves nobody", ".HrHr..", BASE, 8, 8, ".HrHrHr", 0},
    {"the search begins behind freep", "..Hr...Hr..", 0, 8, 8, "..Hr.HrHr..", 0},
    {"freep's own hole comes last", "...Hr.Hr.", 0, 8, 8, ".HrHr.Hr.", BASE},
    {"the search goes round past base", "...Hr...Hr.", 10, 8, 8, ".HrHr...Hr.", BASE},
    {"a hole that is too small is passed over", "..Hr...Hr..", BASE, 16, 8, "..HrHrrHr..", 0},
    {"freep stands before the hole that served", "..Hr...Hr...", 4, 24, 8, "..Hr...Hr...", 4},
    {"nothing fits", "..Hr..Hr..", 4, 16, 8, "..Hr..Hr..", 4},
    {"holes do not add up", "..Hr..Hr..", BASE, 32, 8, "..Hr..Hr..", BASE},
    {"a heap without holes refuses", "HrHrHr", BASE, 1, 8, "HrHrHr", BASE},
    {"alignment leaves a hole above", "............", BASE, 8, 64, ".......Hr...", BASE},
    {"and none where the tail is aligned", ".........", BASE, 8, 64, ".......Hr", BASE},
    {"nor below where the head is", "HrHrHrr....", BASE, 8, 64, "HrHrHrrHr..", BASE},
    {"an aligned block may fill its hole", "HrHrHrr..Hr", BASE, 8, 64, "HrHrHrrHrHr", BASE},
    {"a hole without an aligned place is passed over", "......Hr......Hr.....", 0, 8, 64,
     "......Hr......Hr.....", 0},
};

static int unit_of(const struct host_heap *host, const void *address)
{
    return address == NULL ? -2 : (int)((const struct header *)address - unit(host, 0)) - 1;
}

/* Returns: the first unit that is free in one picture and a header in the other. */
static int new_block(const char *before, const char *after)
{
    for (int i = 0; before[i] != '\0'; i++)
        if (before[i] == '.' && after[i] == 'H')
            return i;
    return -2;
}

static void the_next_hole_that_fits_serves(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(placements) / sizeof(placements[0]); i++) {
        const struct placement *row = &placements[i];
        struct host_heap *host = heap_of(row->before, row->freep);
        void *address = tested_strategy->alloc(&host->heap, row->size, row->align);
        assert_is(host, row->after, row->freep_after, row->claim);
        assert_int_equal(unit_of(host, address), new_block(row->before, row->after));
        host_heap_delete(host);
    }
}

static const struct release {
    const char *claim;
    const char *before;
    int freep;
    int block;
    const char *after;
    int freep_after;
} releases[] = {
    {"between two live ones a hole appears", "HrHrHr", BASE, 2, "Hr..Hr", BASE},
    {"it joins the hole above", "HrHr..Hr", BASE, 2, "Hr....Hr", BASE},
    {"it joins the hole below", "Hr..HrHr", BASE, 4, "Hr....Hr", 2},
    {"it joins both", "..HrHr..HrHr..", 0, 10, "..HrHr..Hr....", 6},
    {"it joins both, and freep was above", "..Hr..Hr..", 4, 2, "......Hr..", 0},
    {"freep was the hole that it swallows", "HrHr..Hr", 4, 2, "Hr....Hr", BASE},
    {"below all holes", "HrHr..Hr..", 8, 0, "..Hr..Hr..", BASE},
    {"above all holes", "..Hr..HrHr", 0, 8, "..Hr..Hr..", 4},
    {"above all holes, and freep is the last", "..Hr..HrHr", 4, 8, "..Hr..Hr..", 4},
    {"above all holes, and freep is base", "..Hr..HrHr", BASE, 8, "..Hr..Hr..", 4},
    {"the first hole of a full heap", "HrHrHr", BASE, 0, "..HrHr", BASE},
    {"the lowest block joins what is above, not base", "Hr..Hr", 2, 0, "....Hr", BASE},
    {"a hole of one unit joins, too", "Hr.HrHr", BASE, 3, "Hr...Hr", 2},
};

static void free_merges_both_neighbours(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(releases) / sizeof(releases[0]); i++) {
        const struct release *row = &releases[i];
        struct host_heap *host = heap_of(row->before, row->freep);
        assert_true(tested_strategy->free(&host->heap, unit(host, row->block) + 1));
        assert_is(host, row->after, row->freep_after, row->claim);
        host_heap_delete(host);
    }
}

static const struct resizing {
    const char *claim;
    const char *before;
    int freep;
    int block;
    uint32_t size;
    bool result;
    const char *after;
    int freep_after;
} resizings[] = {
    {"the same size is granted", "HrrHr", BASE, 0, 16, true, "HrrHr", BASE},
    {"so is a little less", "HrrHr", BASE, 0, 9, true, "HrrHr", BASE},
    {"what is not needed becomes a hole", "HrrrHr", BASE, 0, 8, true, "Hr..Hr", BASE},
    {"and joins the hole above", "Hrrr..Hr", 4, 0, 8, true, "Hr....Hr", BASE},
    {"but not the one below", "..HrrrHr", BASE, 2, 8, true, "..Hr..Hr", 0},
    {"growing takes from the hole above", "Hr....Hr", 2, 0, 16, true, "Hrr...Hr", BASE},
    {"all of it, if need be", "..Hr...Hr", 4, 2, 32, true, "..HrrrrHr", 0},
    {"a hole too small is left alone", "Hr..Hr", 2, 0, 32, false, "Hr..Hr", 2},
    {"a live neighbour is in the way", "HrHr..", 4, 0, 16, false, "HrHr..", 4},
    {"a hole below is no help", "..HrHr", 0, 2, 16, false, "..HrHr", 0},
};

static void resize_moves_the_upper_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(resizings) / sizeof(resizings[0]); i++) {
        const struct resizing *row = &resizings[i];
        struct host_heap *host = heap_of(row->before, row->freep);
        bool result = tested_strategy->resize(&host->heap, unit(host, row->block) + 1, row->size);
        if (result != row->result)
            fail_msg("%s: resize returned %d", row->claim, result);
        assert_is(host, row->after, row->freep_after, row->claim);
        host_heap_delete(host);
    }
}

static void the_largest_request_leaves_base_and_a_header(void **state)
{
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    assert_null(tested_strategy->alloc(&host->heap, (UNITS - 1) * UNIT_BYTES + 1, 8));
    assert_ptr_equal(tested_strategy->alloc(&host->heap, (UNITS - 1) * UNIT_BYTES, 8),
                     unit(host, 1));
    assert_ptr_equal(*freep_of(host), unit(host, BASE));
    host_heap_delete(host);
}

static const char mutated[] = "..Hr...HrrHr....Hrrr";

static void mutants_of_i1_are_named(void **state)
{
    (void)state;
    struct host_heap *host = heap_of(mutated, 4);
    for (uint32_t units = 1; units != 0; units *= 2) {
        unit(host, BASE)->units = units;
        assert_label(tested_strategy->check(&host->heap), "I1");
    }
    host_heap_delete(host);
}

static void mutants_of_i2_are_named(void **state)
{
    static const int holes[] = {BASE, 0, 4, 12};
    (void)state;
    struct host_heap *host = heap_of(mutated, 4);
    for (size_t i = 0; i < sizeof(holes) / sizeof(holes[0]); i++) {
        struct header **next = &unit(host, holes[i])->next;
        struct header *sound = *next;
        struct header *wrong[] = {NULL, unit(host, holes[i]), unit(host, UNITS),
                                  unit(host, UNITS + 1), unit(host, BASE - 1),
                                  (struct header *)((uintptr_t)sound + 4),
                                  (struct header *)((uintptr_t)sound + 0x80000000U)};
        size_t count = sizeof(wrong) / sizeof(wrong[0]);
        for (size_t w = holes[i] == BASE ? 2 : 0; w < count; w++) {
            *next = wrong[w];
            assert_label(tested_strategy->check(&host->heap), "I2");
        }
        *next = sound;
    }
    host_heap_delete(host);
}

static void mutants_of_i3_are_named(void **state)
{
    (void)state;
    struct host_heap *host = heap_of(mutated, 4);
    struct header *wrong[] = {NULL, unit(host, 2), unit(host, 5), unit(host, UNITS),
                              (struct header *)((uintptr_t)unit(host, 4) + 1)};
    for (size_t w = 0; w < sizeof(wrong) / sizeof(wrong[0]); w++) {
        *freep_of(host) = wrong[w];
        assert_label(tested_strategy->check(&host->heap), "I3");
    }
    host_heap_delete(host);
}

static void mutants_of_i4_are_named(void **state)
{
    static const int blocks[] = {0, 2, 4, 7, 10, 12, 16, 20};
    (void)state;
    struct host_heap *host = heap_of(mutated, 4);
    for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
        uint32_t *units = &unit(host, blocks[i])->units;
        uint32_t sound = *units;
        const uint32_t wrong[] = {0, sound + 1, sound + UNITS, 0x20000000 + sound, 0xFFFFFFFF};
        for (size_t w = 0; w < sizeof(wrong) / sizeof(wrong[0]); w++) {
            *units = wrong[w];
            assert_label(tested_strategy->check(&host->heap), "I4");
        }
        *units = sound;
    }
    unit(host, 12)->next = unit(host, 17); /* ascends, but is no block's header */
    unit(host, 17)->next = unit(host, BASE);
    assert_label(tested_strategy->check(&host->heap), "I4");
    host_heap_delete(host);
}

static void the_last_unit_alone_is_named_unless_it_is_on_the_ring(void **state)
{
    (void)state;
    struct host_heap *host = heap_of(mutated, 4);
    int last_block = (int)strlen(mutated);
    unit(host, last_block)->units = (uint32_t)(UNITS - 1 - last_block);
    for (uint32_t units = 0; units <= 2; units++) {
        unit(host, UNITS - 1)->units = units;
        assert_label(tested_strategy->check(&host->heap), "I4");
    }
    *unit(host, UNITS - 1) = (struct header){.next = unit(host, BASE), .units = 1};
    unit(host, 12)->next = unit(host, UNITS - 1);
    host_heap_assert_sound(host, "adding the last unit to the ring");
    host_heap_delete(host);
}

static void mutants_of_i5_are_named(void **state)
{
    (void)state;
    struct host_heap *host = heap_of(mutated, 4);
    *unit(host, 14) = (struct header){.next = unit(host, BASE), .units = 2};
    *unit(host, 12) = (struct header){.next = unit(host, 14), .units = 2};
    assert_label(tested_strategy->check(&host->heap), "I5");
    host_heap_delete(host);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_next_hole_that_fits_serves),
    cmocka_unit_test(free_merges_both_neighbours),
    cmocka_unit_test(resize_moves_the_upper_end),
    cmocka_unit_test(the_largest_request_leaves_base_and_a_header),
    cmocka_unit_test(mutants_of_i1_are_named),
    cmocka_unit_test(mutants_of_i2_are_named),
    cmocka_unit_test(mutants_of_i3_are_named),
    cmocka_unit_test(mutants_of_i4_are_named),
    cmocka_unit_test(the_last_unit_alone_is_named_unless_it_is_on_the_ring),
    cmocka_unit_test(mutants_of_i5_are_named),
};

const struct cases free_list_cases = {tests, sizeof(tests) / sizeof(tests[0])};
