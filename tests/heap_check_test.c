/* SPDX-License-Identifier: MIT */
/*
 * heap_check() and heap_measure(), on strategies that lie. A liar's walk shows the
 * blocks of a script, whatever is in the heap; each script breaks one rule.
 */
#include <stdalign.h>
#include <string.h>

#include "cases.h"
#include "heap_check.h"

enum { MAP_BYTES = 8, ARENA_BYTES = 512, REGION_BYTES = 520, SCRIPT_MAX = 8, NO_PAYLOAD = -1 };

/* One block of a script, by its distance from the region's start. */
struct line {
    uint32_t start;
    uint32_t bytes;
    int payload; /* or NO_PAYLOAD */
    uint32_t payload_bytes;
    uint32_t state;
};

struct script {
    const char *claim;
    const char *label; /* what heap_check() must say, or NULL */
    uint32_t traits;
    uint32_t usable_lie; /* what usable() adds to the truth */
    struct line line[SCRIPT_MAX];
    uint32_t lines;
};

static alignas(8) uint8_t region[REGION_BYTES];

static struct heap heap_with(const struct script *script)
{
    struct heap heap = {.region = {region, MAP_BYTES, region + MAP_BYTES, ARENA_BYTES},
                        .control = (void *)(uintptr_t)script};
    return heap;
}

static const struct script *script_of(const struct heap *heap)
{
    return heap->control;
}

static void liar_walk(const struct heap *heap, heap_visit *visit, void *context)
{
    const struct script *script = script_of(heap);
    for (uint32_t i = 0; i < script->lines; i++) {
        const struct line *line = &script->line[i];
        struct heap_block block = {
            .start = region + line->start,
            .bytes = line->bytes,
            .payload = line->payload == NO_PAYLOAD ? NULL : region + line->payload,
            .payload_bytes = line->payload_bytes,
            .state = (enum heap_block_state)line->state,
        };
        visit(context, &block);
    }
}

static uint32_t liar_usable(const struct heap *heap, const void *address)
{
    const struct script *script = script_of(heap);
    for (uint32_t i = 0; i < script->lines; i++)
        if (script->line[i].payload == (const uint8_t *)address - region)
            return script->line[i].payload_bytes + script->usable_lie;
    return 0;
}

static const char *liar_check(const struct heap *heap)
{
    (void)heap;
    return NULL;
}

static const char *confessing_check(const struct heap *heap)
{
    (void)heap;
    return "I7: of the strategy's own";
}

#define META(start, bytes) {start, bytes, NO_PAYLOAD, 0, HEAP_BLOCK_META}
#define HOLE(start, bytes) {start, bytes, NO_PAYLOAD, 0, HEAP_BLOCK_FREE}
#define KEPT(start, bytes) {start, bytes, NO_PAYLOAD, 0, HEAP_BLOCK_CACHED}
#define LIVE(start, bytes, payload, payload_bytes) \
    {start, bytes, payload, payload_bytes, HEAP_BLOCK_LIVE}

static const struct script scripts[] = {
    {"a heap of all kinds of blocks is sound", NULL, HEAP_COALESCES, 0,
     {META(0, 8), LIVE(8, 64, 16, 56), KEPT(72, 8), HOLE(80, 40), LIVE(120, 8, 120, 8),
      HOLE(128, 392)}, 6},
    {"a heap without side array, headers of 8", NULL, 0, 0,
     {LIVE(0, 260, 8, 252), HOLE(260, 260)}, 2},
    {"a payload may be one byte", NULL, 0, 0, {META(0, 8), LIVE(8, 512, 16, 1)}, 2},
    {"neighbouring holes are no fault without HEAP_COALESCES", NULL, 0, 0,
     {META(0, 8), HOLE(8, 8), HOLE(16, 504)}, 3},
    {"a cached block beside a hole is no fault", NULL, HEAP_COALESCES, 0,
     {META(0, 8), HOLE(8, 8), KEPT(16, 8), KEPT(24, 8), HOLE(32, 488)}, 5},

    {"the first block starts late", "H1", 0, 0, {HOLE(8, 512)}, 1},
    {"a gap between two blocks", "H1", 0, 0, {META(0, 8), HOLE(16, 504)}, 2},
    {"a gap, and as much too far", "H1", 0, 0, {META(0, 8), HOLE(16, 512)}, 2},
    {"two blocks overlap", "H1", 0, 0, {META(0, 8), LIVE(8, 64, 8, 64), HOLE(64, 456)}, 3},
    {"a block twice", "H1", 0, 0, {META(0, 8), HOLE(8, 512), HOLE(8, 512)}, 3},
    {"a block ends behind the region", "H1", 0, 0, {META(0, 8), HOLE(8, 520)}, 2},
    {"a block of nearly 4 GiB", "H1", 0, 0, {META(0, 8), HOLE(8, 0xFFFFFFF8), META(0, 520)}, 3},
    {"the last block ends early", "H1", 0, 0, {META(0, 8), HOLE(8, 504)}, 2},
    {"no block at all", "H1", 0, 0, {META(0, 0)}, 0},

    {"an empty hole", "H2", 0, 0, {META(0, 8), HOLE(8, 0), HOLE(8, 512)}, 3},
    {"an empty block at the end", "H2", 0, 0, {META(0, 520), META(520, 0)}, 2},
    {"a payload before its block", "H2", 0, 0, {META(0, 8), LIVE(8, 512, 0, 8)}, 2},
    {"a payload behind its block", "H2", 0, 0,
     {META(0, 8), LIVE(8, 64, 72, 8), HOLE(72, 448)}, 3},
    {"a payload longer than its block", "H2", 0, 0, {META(0, 8), LIVE(8, 512, 16, 505)}, 2},
    {"a payload of nearly 4 GiB", "H2", 0, 0, {META(0, 8), LIVE(8, 512, 16, 0xFFFFFFF8)}, 2},
    {"a live block without payload", "H2", 0, 0, {META(0, 8), LIVE(8, 512, NO_PAYLOAD, 0)}, 2},
    {"a live block with an empty payload", "H2", 0, 0, {META(0, 8), LIVE(8, 512, 16, 0)}, 2},

    {"a payload at a multiple of 4", "H3", 0, 0, {META(0, 8), LIVE(8, 512, 12, 500)}, 2},
    {"a payload at an odd address", "H3", 0, 0, {META(0, 8), LIVE(8, 512, 17, 500)}, 2},
    {"a hole with a payload", "H3", 0, 0, {META(0, 8), {8, 512, 8, 512, HEAP_BLOCK_FREE}}, 2},
    {"a cached block with a payload", "H3", 0, 0,
     {META(0, 8), {8, 512, 16, 8, HEAP_BLOCK_CACHED}}, 2},
    {"a hole with payload bytes", "H3", 0, 0,
     {META(0, 8), {8, 512, NO_PAYLOAD, 8, HEAP_BLOCK_FREE}}, 2},
    {"side array with a payload", "H3", 0, 0, {{0, 8, 0, 8, HEAP_BLOCK_META}, HOLE(8, 512)}, 2},

    {"two holes are neighbours", "H4", HEAP_COALESCES, 0,
     {META(0, 8), HOLE(8, 64), HOLE(72, 448)}, 3},
    {"two holes at the end are neighbours", "H4", HEAP_COALESCES, 0,
     {META(0, 8), LIVE(8, 64, 8, 64), HOLE(72, 64), HOLE(136, 384)}, 4},

    {"a block of no known state", "H5", 0, 0,
     {META(0, 8), {8, 64, NO_PAYLOAD, 0, HEAP_BLOCK_META + 1}, HOLE(72, 448)}, 3},

    {"usable() says more than the walk", "H6", 0, 8, {META(0, 8), LIVE(8, 512, 16, 64)}, 2},
    {"usable() says less than the walk", "H6", 0, (uint32_t)-8,
     {META(0, 8), LIVE(8, 512, 16, 64)}, 2},
    {"usable() does not know a live block", "H6", 0, (uint32_t)-64,
     {META(0, 8), LIVE(8, 512, 16, 64)}, 2},
};

static const char *verdict_on(const struct script *script)
{
    const struct heap_strategy liar = {
        .name = "liar",
        .traits = script->traits,
        .usable = liar_usable,
        .walk = liar_walk,
        .check = liar_check,
    };
    struct heap heap = heap_with(script);
    return heap_check(&liar, &heap);
}

/* label: "H1" and so on; NULL for the scripts in which nothing is wrong. */
static void judge_scripts(const char *label)
{
    uint32_t tried = 0;
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        const struct script *script = &scripts[i];
        if (label == NULL ? script->label != NULL
                          : script->label == NULL || strcmp(script->label, label) != 0)
            continue;
        const char *verdict = verdict_on(script);
        bool right = label == NULL ? verdict == NULL
                                   : verdict != NULL && strncmp(verdict, label, 2) == 0 &&
                                         strncmp(verdict + 2, ": ", 2) == 0;
        if (!right)
            fail_msg("%s: heap_check() said \"%s\"; expected %s", script->claim,
                     verdict != NULL ? verdict : "nothing", label != NULL ? label : "nothing");
        tried++;
    }
    assert_true(tried > 0);
}

static void sound_heaps_are_accepted(void **state)
{
    (void)state;
    judge_scripts(NULL);
}

static void blocks_that_do_not_tile_the_region_are_h1(void **state)
{
    (void)state;
    judge_scripts("H1");
}

static void empty_blocks_and_payloads_outside_are_h2(void **state)
{
    (void)state;
    judge_scripts("H2");
}

static void unaligned_and_undue_payloads_are_h3(void **state)
{
    (void)state;
    judge_scripts("H3");
}

static void neighbouring_holes_are_h4(void **state)
{
    (void)state;
    judge_scripts("H4");
}

static void bytes_of_no_known_kind_are_h5(void **state)
{
    (void)state;
    judge_scripts("H5");
}

static void a_usable_that_disagrees_is_h6(void **state)
{
    (void)state;
    judge_scripts("H6");
}

static void the_strategys_own_label_comes_first(void **state)
{
    const struct heap_strategy confessing = {
        .walk = liar_walk, .usable = liar_usable, .check = confessing_check};
    (void)state;
    for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
        struct heap heap = heap_with(&scripts[i]);
        assert_string_equal(heap_check(&confessing, &heap), "I7: of the strategy's own");
    }
}

static void measure_adds_up_each_kind_of_block(void **state)
{
    const struct heap_strategy liar = {.walk = liar_walk};
    struct heap heap = heap_with(&scripts[0]);
    struct heap_stats stats;
    (void)state;
    memset(&stats, 0xFF, sizeof(stats));
    heap_measure(&liar, &heap, &stats);
    const struct heap_stats expected = {
        .live_blocks = 2, .live_bytes = 72, .payload_bytes = 64,
        .cached_blocks = 1, .cached_bytes = 8,
        .free_blocks = 2, .free_bytes = 432, .largest_free_bytes = 392,
        .meta_bytes = 8, .highest_used_bytes = 128,
    };
    assert_memory_equal(&stats, &expected, sizeof(stats));
}

int main(void)
{
    const struct CMUnitTest heap_check_tests[] = {
        cmocka_unit_test(sound_heaps_are_accepted),
        cmocka_unit_test(blocks_that_do_not_tile_the_region_are_h1),
        cmocka_unit_test(empty_blocks_and_payloads_outside_are_h2),
        cmocka_unit_test(unaligned_and_undue_payloads_are_h3),
        cmocka_unit_test(neighbouring_holes_are_h4),
        cmocka_unit_test(bytes_of_no_known_kind_are_h5),
        cmocka_unit_test(a_usable_that_disagrees_is_h6),
        cmocka_unit_test(the_strategys_own_label_comes_first),
        cmocka_unit_test(measure_adds_up_each_kind_of_block),
    };
    return cmocka_run_group_tests(heap_check_tests, NULL, NULL);
}
