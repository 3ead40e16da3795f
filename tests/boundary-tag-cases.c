/* SPDX-License-Identifier: MIT */
/*
 * What only boundary-tag promises, as pictures, one character a unit of 8 bytes: 'H' where
 * a live block begins, 'r' the rest of it, and a letter for each hole: 'a' is the first
 * on the list, 'b' the second. Whatever is behind the picture is one live block. ROVER is
 * the letter of a hole, or '-' for AVAIL. Payloads lie at multiples of 64 where units are
 * at multiples of 8.
 */
#include "cases.h"
#include "host_heap.h"

#include <string.h>

enum { MAP_BYTES = 8, UNITS = 64, UNIT_BYTES = 8, LIVE = 1, AVAIL = '-' };

/* The layout, written down a second time on purpose. */
struct block {
    uint32_t tag;
    struct block *next;
    struct block *prev;
};

struct control {
    struct block avail;
    struct block *rover;
};

static struct control *control_of(const struct host_heap *host)
{
    return host->heap.control;
}

static struct block *unit(const struct host_heap *host, int number)
{
    return (struct block *)(void *)(host->heap.region.map + 4 + UNIT_BYTES * number);
}

static uint32_t *last_tag(const struct host_heap *host, int end)
{
    return (uint32_t *)(void *)unit(host, end) - 1;
}

static void *payload(const struct host_heap *host, int number)
{
    return &unit(host, number)->next;
}

/* Returns: the hole with that letter, or AVAIL. */
static struct block *hole_of(const struct host_heap *host, char letter)
{
    struct block *hole = &control_of(host)->avail;
    for (char c = 'a'; letter != AVAIL && c <= letter; c++)
        hole = hole->next;
    return hole;
}

static char letter_of(const struct host_heap *host, const struct block *hole)
{
    char letter = 'a';
    if (hole == &control_of(host)->avail)
        return AVAIL;
    while (hole_of(host, letter) != hole && letter < 'z')
        letter++;
    return letter;
}

static void write_block(const struct host_heap *host, int first, int end, uint32_t live)
{
    uint32_t tag = (uint32_t)(end - first) * UNIT_BYTES | live;
    unit(host, first)->tag = tag;
    *last_tag(host, end) = tag;
}

static void write_blocks(const struct host_heap *host, const char *picture)
{
    int length = (int)strlen(picture);
    for (int first = 0, end; first < length; first = end) {
        char filler = picture[first] == 'H' ? 'r' : picture[first];
        for (end = first + 1; picture[end] == filler;)
            end++;
        write_block(host, first, end, picture[first] == 'H' ? LIVE : 0);
    }
    write_block(host, length, UNITS, LIVE);
}

static struct host_heap *heap_of(const char *picture, char rover)
{
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    struct block *last = &control_of(host)->avail;
    write_blocks(host, picture);
    for (char letter = 'a'; strchr(picture, letter) != NULL; letter++) {
        struct block *hole = unit(host, (int)(strchr(picture, letter) - picture));
        hole->prev = last;
        last = last->next = hole;
    }
    last->next = &control_of(host)->avail;
    control_of(host)->avail.prev = last;
    control_of(host)->rover = hole_of(host, rover);
    host_heap_assert_sound(host, picture);
    return host;
}

struct drawing {
    const struct host_heap *host;
    char picture[UNITS + 1];
};

static void draw(void *context, const struct heap_block *block)
{
    struct drawing *drawing = context;
    const struct block *at = (const void *)block->start;
    int64_t first = (block->start - (const uint8_t *)unit(drawing->host, 0)) / UNIT_BYTES;
    bool live = block->state == HEAP_BLOCK_LIVE;
    if (block->state == HEAP_BLOCK_META)
        return;
    memset(drawing->picture + first, live ? 'r' : letter_of(drawing->host, at),
           block->bytes / UNIT_BYTES);
    if (live)
        drawing->picture[first] = 'H';
}

static void assert_is(const struct host_heap *host, const char *after, char rover,
                      const char *claim)
{
    struct drawing drawing = {.host = host};
    host_heap_assert_sound(host, claim);
    tested_strategy->walk(&host->heap, draw, &drawing);
    drawing.picture[strlen(after)] = '\0';
    if (strcmp(drawing.picture, after) != 0)
        fail_msg("%s: the heap is %s; expected %s", claim, drawing.picture, after);
    if (control_of(host)->rover != hole_of(host, rover))
        fail_msg("%s: the rover is at %c; expected %c", claim,
                 letter_of(host, control_of(host)->rover), rover);
}

static const struct placement {
    const char *claim;
    const char *before;
    char rover;
    uint32_t size;
    uint32_t align;
    int place; /* -1: nothing fits */
    const char *after;
    char rover_after;
} placements[] = {
    {"a hole gives its upper end", "aaaaaaaa", '-', 8, 8, 6, "aaaaaaHr", '-'},
    {"one byte takes as much as eight", "aaaaaaaa", '-', 1, 8, 6, "aaaaaaHr", '-'},
    {"nine take a unit more", "aaaaaaaa", '-', 9, 8, 5, "aaaaaHrr", '-'},
    {"what remains is c at least", "aaaaaa", '-', 8, 8, 4, "aaaaHr", '-'},
    {"or the block gets all of it", "aaaaaHr", '-', 8, 8, 0, "HrrrrHr", '-'},
    {"a hole of the right length leaves the list", "aaHrbb", '-', 8, 8, 0, "HrHraa", 'a'},
    {"the search begins at the rover", "aaaaaaHrbbbbbb", 'b', 8, 8, 12, "aaaaaaHrbbbbHr", '-'},
    {"AVAIL leads to the list's first", "aaaaaaHrbbbbbb", '-', 8, 8, 4, "aaaaHrHrbbbbbb", 'b'},
    {"the list's order counts, not that of addresses", "bbbbbbHraaaaaa", '-', 8, 8, 12,
     "bbbbbbHraaaaHr", 'b'},
    {"the search goes round past AVAIL", "aaaaaaHrbbHr", 'b', 24, 8, 0, "HrrrrrHraaHr", 'a'},
    {"nothing fits, and the rover stays", "aaHrbbbHr", 'b', 24, 8, -1, "aaHrbbbHr", 'b'},
    {"holes do not add up", "aaHrbbHrcc", 'c', 40, 8, -1, "aaHrbbHrcc", 'c'},
    {"a heap without holes refuses", "HrHr", '-', 1, 8, -1, "HrHr", '-'},
    {"alignment leaves a hole above", "aaaaaaaaaaaaaaaa", '-', 8, 64, 8, "bbbbbbbbHraaaaaa",
     '-'},
    {"of c at least", "aaaaaaaaaaaaaaHr", '-', 8, 64, 8, "bbbbbbbbHraaaaHr", '-'},
    {"unless it would be less than c", "aaaaaaaaaaaaaHr", '-', 8, 64, 8, "aaaaaaaaHrrrrHr", '-'},
    {"the hole's beginning may be the aligned place", "aaaaaaaa", '-', 8, 64, 0, "Hraaaaaa", '-'},
    {"below an aligned place any block may remain", "HrrrrraaaaHr", '-', 8, 64, 8,
     "HrrrrraaHrHr", '-'},
    {"but no less than a block", "HrrrrrraaaHr", '-', 8, 64, -1, "HrrrrrraaaHr", '-'},
    {"the aligned place is below the hole", "HraaaaaaHr", '-', 8, 64, -1, "HraaaaaaHr", '-'},
    {"the next hole has an aligned place", "HraaaaaaHrbbbbbbbb", '-', 8, 64, 16,
     "HraaaaaaHrbbbbbbHr", '-'},
};

static void the_next_hole_that_fits_serves(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(placements) / sizeof(placements[0]); i++) {
        const struct placement *row = &placements[i];
        struct host_heap *host = heap_of(row->before, row->rover);
        void *address = tested_strategy->alloc(&host->heap, row->size, row->align);
        void *expected = row->place < 0 ? NULL : payload(host, row->place);
        if (address != expected)
            fail_msg("%s: the address is %p; expected %p", row->claim, address, expected);
        assert_is(host, row->after, row->rover_after, row->claim);
        host_heap_delete(host);
    }
}

static const struct release {
    const char *claim;
    const char *before;
    char rover;
    int block;
    const char *after;
    char rover_after;
} releases[] = {
    {"between two live ones a hole appears", "HrHrHr", '-', 2, "HraaHr", '-'},
    {"it is the list's first", "aaHrHrHr", '-', 4, "bbHraaHr", '-'},
    {"it joins the hole above", "HrHraaHr", '-', 2, "HraaaaHr", '-'},
    {"it joins the hole below", "HraaHrHr", '-', 4, "HraaaaHr", '-'},
    {"it joins both, and is the list's first", "ccHrbbHraaHr", '-', 2, "aaaaaaHrbbHr", '-'},
    {"it takes the first and the last from the list", "aaHrccHrbbHr", '-', 2, "aaaaaaHrbbHr", '-'},
    {"the rover leaves a hole that is swallowed below", "aaHrHrbb", 'a', 2, "aaaaHrbb", 'b'},
    {"and one above", "HraaHrbb", 'a', 0, "aaaaHrbb", 'b'},
    {"and both", "aaHrbbHrccHr", 'a', 2, "aaaaaaHrbbHr", 'b'},
    {"to AVAIL, if they were the last", "bbHraaHrHr", 'a', 2, "aaaaaaHrHr", '-'},
    {"the rover stays at another hole", "aaHrHrbb", 'b', 2, "aaaaHrbb", 'b'},
    {"the lowest block meets the guard", "HrHr", '-', 0, "aaHr", '-'},
    {"and so does the highest", "HrHr", '-', 4, "HrHraa", '-'},
};

static void free_merges_both_neighbours(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(releases) / sizeof(releases[0]); i++) {
        const struct release *row = &releases[i];
        struct host_heap *host = heap_of(row->before, row->rover);
        assert_true(tested_strategy->free(&host->heap, payload(host, row->block)));
        assert_is(host, row->after, row->rover_after, row->claim);
        host_heap_delete(host);
    }
}

static const struct resizing {
    const char *claim;
    const char *before;
    char rover;
    int block;
    uint32_t size;
    bool result;
    const char *after;
    char rover_after;
} resizings[] = {
    {"the same size is granted", "HrrHr", '-', 0, 16, true, "HrrHr", '-'},
    {"less is granted, and less than c is kept", "HrrrrHr", '-', 0, 8, true, "HrrrrHr", '-'},
    {"what is worth it becomes a hole", "HrrrrrHr", '-', 0, 8, true, "HraaaaHr", '-'},
    {"and joins the hole above", "HrrrrraaHr", 'a', 0, 8, true, "HraaaaaaHr", '-'},
    {"growing takes from the hole above", "HraaaaaaHr", '-', 0, 24, true, "HrrraaaaHr", '-'},
    {"all of it, if less than c would remain", "HraaaaaHr", 'a', 0, 24, true, "HrrrrrrHr", '-'},
    {"or nothing", "HraaaaHr", '-', 0, 40, true, "HrrrrrHr", '-'},
    {"a hole too small is left alone", "HraaaaHr", 'a', 0, 41, false, "HraaaaHr", 'a'},
    {"a live neighbour is in the way", "HrHraa", '-', 0, 16, false, "HrHraa", '-'},
    {"a hole below is no help", "aaaaHrHr", '-', 4, 16, false, "aaaaHrHr", '-'},
};

static void resize_moves_the_upper_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(resizings) / sizeof(resizings[0]); i++) {
        const struct resizing *row = &resizings[i];
        struct host_heap *host = heap_of(row->before, row->rover);
        bool result = tested_strategy->resize(&host->heap, payload(host, row->block), row->size);
        if (result != row->result)
            fail_msg("%s: resize returned %d", row->claim, result);
        assert_is(host, row->after, row->rover_after, row->claim);
        host_heap_delete(host);
    }
}

static void the_largest_request_leaves_guards_and_tags(void **state)
{
    enum { LARGEST = (UNITS - 1) * UNIT_BYTES };
    (void)state;
    struct host_heap *host = host_heap_new(tested_strategy, MAP_BYTES);
    assert_null(tested_strategy->alloc(&host->heap, LARGEST + 1, 8));
    assert_ptr_equal(tested_strategy->alloc(&host->heap, LARGEST, 8), payload(host, 0));
    assert_is(host, "Hrrr", '-', "one block has all");
    host_heap_delete(host);
}

static const char mutated[] = "aaHrbbbbHrrHrccccHrrr";

static void mutants_of_i1_are_named(void **state)
{
    (void)state;
    struct host_heap *host = heap_of(mutated, 'b');
    uint32_t *guards[] = {last_tag(host, 0), &unit(host, UNITS)->tag};
    for (size_t i = 0; i < 2; i++) {
        const uint32_t wrong[] = {0, 2, 3, 16, 17, 0x80000001, 0xFFFFFFFF};
        for (size_t w = 0; w < sizeof(wrong) / sizeof(wrong[0]); w++) {
            *guards[i] = wrong[w];
            assert_label(tested_strategy->check(&host->heap), "I1");
        }
        *guards[i] = LIVE;
    }
    host_heap_delete(host);
}

static void mutants_of_i2_are_named(void **state)
{
    static const int bounds[] = {0, 2, 4, 8, 11, 13, 17, 21, UNITS};
    (void)state;
    struct host_heap *host = heap_of(mutated, 'b');
    for (size_t i = 0; i + 1 < sizeof(bounds) / sizeof(bounds[0]); i++) {
        uint32_t *tags[] = {&unit(host, bounds[i])->tag, last_tag(host, bounds[i + 1])};
        uint32_t sound = *tags[0];
        const uint32_t wrong[] = {0, 1, 8, sound ^ LIVE, sound + 2, sound + 8, sound - 8,
                                  sound + UNITS * UNIT_BYTES, sound | 0x80000000U, 0xFFFFFFFF};
        for (size_t t = 0; t < 2; t++) {
            for (size_t w = 0; w < sizeof(wrong) / sizeof(wrong[0]); w++) {
                *tags[t] = wrong[w];
                assert_label(tested_strategy->check(&host->heap), "I2");
            }
            *tags[t] = sound;
        }
    }
    host_heap_delete(host);
}

static void mutants_of_i3_are_named(void **state)
{
    (void)state;
    struct host_heap *host = heap_of(mutated, 'b');
    write_blocks(host, "aaHrddbbHrrHrccccHrrr");
    assert_label(tested_strategy->check(&host->heap), "I3");
    write_blocks(host, "aaddbbbbHrrHrccccHrrr");
    assert_label(tested_strategy->check(&host->heap), "I3");
    host_heap_delete(host);
}

static void mutants_of_i4_are_named(void **state)
{
    (void)state;
    struct host_heap *host = heap_of(mutated, 'b');
    for (uint32_t size = 1; size != 0; size *= 2) {
        control_of(host)->avail.tag = size;
        assert_label(tested_strategy->check(&host->heap), "I4");
    }
    host_heap_delete(host);
}

static void mutants_of_i5_are_named(void **state)
{
    (void)state;
    struct host_heap *host = heap_of(mutated, 'b');
    for (const char *letter = "-abc"; *letter != '\0'; letter++) {
        struct block *hole = hole_of(host, *letter);
        struct block **links[] = {&hole->next, &hole->prev};
        for (size_t i = 0; i < 2; i++) {
            struct block *sound = *links[i];
            struct block *wrong[] = {NULL, hole, sound->next, sound->prev, unit(host, 2),
                                     unit(host, UNITS), unit(host, UNITS + 1), unit(host, -1),
                                     (struct block *)((uintptr_t)sound + 4),
                                     (struct block *)((uintptr_t)sound + 0x80000000U)};
            for (size_t w = 0; w < sizeof(wrong) / sizeof(wrong[0]); w++) {
                *links[i] = wrong[w];
                if (wrong[w] != sound)
                    assert_label(tested_strategy->check(&host->heap), "I5");
            }
            *links[i] = sound;
        }
    }
    host_heap_delete(host);
}

static void a_hole_that_is_not_on_the_ring_is_named(void **state)
{
    (void)state;
    struct host_heap *host = heap_of(mutated, '-');
    struct block *a = hole_of(host, 'a');
    struct block *c = hole_of(host, 'c');
    a->next = c;
    c->prev = a;
    assert_label(tested_strategy->check(&host->heap), "I5");
    struct block *forged = unit(host, 18); /* inside a live block */
    *forged = (struct block){.tag = 16, .next = c, .prev = a};
    a->next = c->prev = forged;
    assert_label(tested_strategy->check(&host->heap), "I5");
    host_heap_delete(host);
}

static void mutants_of_i6_are_named(void **state)
{
    (void)state;
    struct host_heap *host = heap_of(mutated, 'b');
    struct block *wrong[] = {NULL, unit(host, 2), unit(host, 5), unit(host, UNITS),
                             (struct block *)((uintptr_t)unit(host, 4) + 4)};
    for (size_t w = 0; w < sizeof(wrong) / sizeof(wrong[0]); w++) {
        control_of(host)->rover = wrong[w];
        assert_label(tested_strategy->check(&host->heap), "I6");
    }
    host_heap_delete(host);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_next_hole_that_fits_serves),
    cmocka_unit_test(free_merges_both_neighbours),
    cmocka_unit_test(resize_moves_the_upper_end),
    cmocka_unit_test(the_largest_request_leaves_guards_and_tags),
    cmocka_unit_test(mutants_of_i1_are_named),
    cmocka_unit_test(mutants_of_i2_are_named),
    cmocka_unit_test(mutants_of_i3_are_named),
    cmocka_unit_test(mutants_of_i4_are_named),
    cmocka_unit_test(mutants_of_i5_are_named),
    cmocka_unit_test(a_hole_that_is_not_on_the_ring_is_named),
    cmocka_unit_test(mutants_of_i6_are_named),
};

const struct cases boundary_tag_cases = {tests, sizeof(tests) / sizeof(tests[0])};
