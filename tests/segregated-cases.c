/* SPDX-License-Identifier: MIT */
/*
 * What only segregated promises: which blocks there are, when they are merged, and the
 * label of each broken invariant.
 */
#define heap_segregated heap_segregated_in_sight
#include "../mm/segregated.c"
#undef heap_segregated

#include "cases.h"
#include "script.h"

/* Of side array: the blocks then have so many bytes together. */
enum { BYTES_512 = 8, BYTES_1032 = 16 };

static void sizes_are_rounded_to_classes(void **state)
{
    static const struct {
        uint32_t size, bytes;
    } rows[] = {
        {1, 16}, {12, 16}, {13, 24}, {20, 24}, {21, 40}, {36, 40}, {37, 72}, {64, 72},
        {68, 72}, {69, 136}, {4096, 4104}, {4100, 4104}, {4101, 8200}, {1U << 20, (1U << 20) + 8},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(class_bytes_for(rows[i].size), rows[i].bytes);
        assert_int_equal(class_of(rows[i].bytes), class_for(rows[i].bytes));
    }
    for (uint32_t bytes = HOLE_BYTES_MIN; bytes < 70000; bytes += 8)
        assert_in_range(class_for(bytes) - class_of(bytes), 0, 1);
}

static void freed_blocks_are_parked_and_used_again(void **state)
{
    static const struct script_row rows[] = {
        {"the heap begins as one hole", BYTES_512, "", "-512"},
        {"blocks are carved from its low end", BYTES_512, "a1 b20", "+16 +24 -472"},
        {"a freed block is kept whole", BYTES_512, "a20 b20 -a", "?24 +24 -464"},
        {"its class gets it", BYTES_512, "a20 b20 -a c13", "+24 +24 -464"},
        {"other classes do not", BYTES_512, "a20 b20 -a c12", "?24 +24 +16 -448"},
        {"the last one freed comes first", BYTES_512, "a20 b20 c20 -a -b d20",
         "?24 +24 +24 -440"},
        {"then the one before it", BYTES_512, "a20 b20 c20 -a -b d20 e20", "+24 +24 +24 -440"},
        {"eight bytes that are left go with the block", BYTES_512, "a260 b132 c36 d36 e20",
         "+264 +136 +40 +40 +32"},
        {"and stay with it", BYTES_512, "a260 b132 c36 d36 e20 -e f20", "+264 +136 +40 +40 +32"},
        {"sixteen are a hole", BYTES_512, "a260 b132 c68 d20", "+264 +136 +72 +24 -16"},
        {"a hole is used to the last byte", BYTES_512, "a260 b132 c68 d36", "+264 +136 +72 +40"},
        {"and so is the whole heap, where it has a class's size", BYTES_1032, "a1028", "+1032"},
        {"the lowest class of holes that fits comes first", BYTES_512, "a68 b132 c36 d132 -a -c !e260 f20",
         "-72 +136 +24 -16 +136 -128"},
    };
    (void)state;
    script_table(rows, sizeof(rows) / sizeof(rows[0]));
}

static void neighbours_are_merged_when_nothing_else_helps(void **state)
{
    static const struct script_row rows[] = {
        {"neighbours stay apart", BYTES_512, "a20 b20 -a -b", "?24 ?24 -464"},
        {"until a request finds nothing", BYTES_512, "a36 b36 -a -b c260 d132 e68",
         "+80 +264 +136 -32"},
        {"parked blocks and holes are merged alike", BYTES_512,
         "a260 b132 c36 d36 -c -d e68", "+264 +136 +72 -40"},
        {"a live block keeps two holes apart", BYTES_512, "a68 b68 c68 d260 -a -c !e132",
         "-72 +72 -72 +264 -32"},
        {"after a sweep nothing is parked", BYTES_512, "a260 b132 -b !c260", "+264 -248"},
        {"no sweep, and no harm, when nothing was freed", BYTES_512, "a260 !b260", "+264 -248"},
        {"all of the heap can be had again", BYTES_512, "a132 b68 c132 -b -a -c d260",
         "+264 -248"},
        {"what is larger than the heap starts no sweep", BYTES_512, "a20 b20 -a -b !c600",
         "?24 ?24 -464"},
        {"nor does what becomes so when rounded", BYTES_512, "a20 b20 -a -b !c510",
         "?24 ?24 -464"},
        {"nor an alignment that no address has", BYTES_512, "a20 b20 -a -b !c20@2147483648",
         "?24 ?24 -464"},
    };
    (void)state;
    script_table(rows, sizeof(rows) / sizeof(rows[0]));
}

static void a_sweep_is_due_while_it_may_merge_something(void **state)
{
    static const struct {
        const char *claim;
        const char *script;
        bool is_due;
    } rows[] = {
        {"a new heap is one hole", "", false},
        {"carving and refusing leave nothing to merge", "a260 !b260", false},
        {"a freed block may have a free neighbour", "a20 b20 -a", true},
        {"and so may a hole that a block gave back", "a132 a=20", true},
        {"a block that keeps all of it gave back none", "a132 a=69", false},
        {"what a sweep has merged is merged", "a36 b36 -a -b c260 d132 e68", false},
        {"what it left apart will stay so", "a132 b132 -a !c260", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct script_blocks blocks = {{NULL}};
        struct host_heap *host = script_heap(BYTES_512, &blocks, rows[i].script);
        if ((segregated_of(&host->heap)->sweep_is_due != 0) != rows[i].is_due)
            fail_msg("%s: after \"%s\" a sweep is %s", rows[i].claim, rows[i].script,
                     rows[i].is_due ? "not due" : "due");
        host_heap_delete(host);
    }
}

/* The first payload of a heap of this size is a multiple of 4096. */
static void aligned_blocks_come_from_holes(void **state)
{
    static const struct script_row rows[] = {
        {"no gap", BYTES_512, "a20@64", "+24 -488"},
        {"the gap before a block is a hole", BYTES_512, "a20 b20@64", "+24 -40 +24 -424"},
        {"a gap of eight bytes is too small for one", BYTES_512, "a20 b20@16",
         "+24 -24 +24 -440"},
        {"with the longest gap there may be, the shortest hole that is sure is enough", BYTES_512,
         "a260 b132 c68 d12@16", "+264 +136 +72 -24 +16"},
        {"a parked block may not be aligned", BYTES_512, "a20 b20 -b c20@64",
         "+24 ?24 -16 +24 -424"},
        {"a sweep helps here, too", BYTES_512, "a260 b132 -a c36@32", "+40 -224 +136 -112"},
        {"the whole heap has no place that is sure", BYTES_512, "!a8@512", "-512"},
    };
    (void)state;
    script_table(rows, sizeof(rows) / sizeof(rows[0]));
}

static void resize_gives_back_what_is_a_hole(void **state)
{
    static const struct script_row rows[] = {
        {"a lower class leaves a hole", BYTES_512, "a132 a=20", "+24 -112 -376"},
        {"which a sweep merges", BYTES_512, "a260 b132 c68 -b a=20 d260",
         "+24 +264 -112 +72 -40"},
        {"the same class leaves none", BYTES_512, "a132 a=69", "+136 -376"},
        {"eight bytes are no hole", BYTES_512, "a20 a=12", "+24 -488"},
        {"sixteen are", BYTES_512, "a36 a=20", "+24 -16 -472"},
        {"nothing grows", BYTES_512, "a20 !a=21", "+24 -488"},
        {"but into the eight bytes that it has too many", BYTES_512,
         "a260 b132 c36 d36 e20 e=28 !e=29", "+264 +136 +40 +40 +32"},
    };
    (void)state;
    script_table(rows, sizeof(rows) / sizeof(rows[0]));
}

/* ?24 +24 -464, and nothing to merge that is not to be. */
static struct host_heap *sample(void)
{
    struct script_blocks blocks = {{NULL}};
    struct host_heap *host = script_heap(BYTES_512, &blocks, "a20 b20 -a");
    return host;
}

static void mutate(const struct host_heap *host, void *where, uint32_t value, const char *label)
{
    uint32_t *word = where;
    uint32_t was = *word;
    *word = value;
    assert_label(tested_strategy->check(&host->heap), label);
    *word = was;
    assert_null(tested_strategy->check(&host->heap));
}

static void mutants_of_headers_are_named(void **state)
{
    (void)state;
    struct host_heap *host = sample();
    struct piece *parked = piece_first(&host->heap);
    struct piece *live = piece_at(parked, 24);
    struct piece *hole = piece_at(live, 24);
    mutate(host, &parked->header, 0 | PARKED, "I1");
    mutate(host, &parked->header, 8 | PARKED, "I1");
    mutate(host, &live->header, 0xFFFFFFF8, "I1");
    mutate(host, &hole->header, 472 | HOLE, "I1");
    for (uint32_t bits = HOLE + 1; bits <= STATE_BITS; bits++)
        mutate(host, &live->header, 24 | bits, "I2");
    mutate(host, &parked->header, 24 | HOLE, "I3");
    mutate(host, &parked->header, 24 | LIVE, "I3");
    mutate(host, &hole->header, 464 | PARKED, "I4");
    mutate(host, &live->header, 24 | PARKED, "I5");
    host_heap_delete(host);
}

static void mutants_of_lists_are_named(void **state)
{
    (void)state;
    struct host_heap *host = sample();
    struct segregated *segregated = segregated_of(&host->heap);
    struct piece *parked = piece_first(&host->heap);
    uint32_t hole = (uint32_t)(uintptr_t)piece_at(parked, 48);
    mutate(host, &segregated->parked[4], (uint32_t)(uintptr_t)parked + 24, "I3");
    mutate(host, &segregated->parked[4], (uint32_t)(uintptr_t)parked + 4, "I3");
    mutate(host, &segregated->parked[5], (uint32_t)(uintptr_t)parked, "I3");
    mutate(host, &segregated->parked[0], (uint32_t)(uintptr_t)parked, "I3");
    mutate(host, &segregated->parked[26], 0xFFFFFFF8, "I3");
    mutate(host, &parked->next, (uint32_t)(uintptr_t)parked, "I3");
    mutate(host, &parked->next, hole, "I3");
    mutate(host, &segregated->holes[7], hole, "I4");
    mutate(host, &segregated->holes[8], (uint32_t)(uintptr_t)parked, "I4");
    mutate(host, &segregated->parked[4], 0, "I5");
    mutate(host, &segregated->holes[8], 0, "I5");
    piece_end(&host->heap)->header = 24 | PARKED; /* the last word, which is no block's */
    mutate(host, &segregated->parked[4], (uint32_t)(uintptr_t)piece_end(&host->heap), "I3");
    for (uint32_t bit = 0; bit < 32; bit++)
        mutate(host, &segregated->hole_classes, segregated->hole_classes ^ 1U << bit, "I6");
    host_heap_delete(host);
}

static void mutants_of_i7_are_named(void **state)
{
    (void)state;
    struct script_blocks blocks = {{NULL}};
    struct host_heap *host = script_heap(BYTES_512, &blocks, "a20 -a");
    mutate(host, &segregated_of(&host->heap)->sweep_is_due, 0, "I7");
    host_heap_delete(host);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(sizes_are_rounded_to_classes),
    cmocka_unit_test(freed_blocks_are_parked_and_used_again),
    cmocka_unit_test(neighbours_are_merged_when_nothing_else_helps),
    cmocka_unit_test(a_sweep_is_due_while_it_may_merge_something),
    cmocka_unit_test(aligned_blocks_come_from_holes),
    cmocka_unit_test(resize_gives_back_what_is_a_hole),
    cmocka_unit_test(mutants_of_headers_are_named),
    cmocka_unit_test(mutants_of_lists_are_named),
    cmocka_unit_test(mutants_of_i7_are_named),
};

const struct cases segregated_cases = {tests, sizeof(tests) / sizeof(tests[0])};
