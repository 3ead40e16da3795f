/* SPDX-License-Identifier: MIT */
/*
 * The oracle, on a heap that does one thing wrong: each defect must be found, and named.
 * The heap has slots of 64 bytes, each with a byte of the side array, which says whether it
 * is taken; the request's size stands in the slot's last words. The last slot is not used.
 */
#include "oracle.h"

#include <stdio.h>
#include <string.h>

#include "cases.h"

enum { MAP_BYTES = 8, SLOT_BYTES = 64, ROOM_BYTES = 56 };

enum defect {
    NONE,
    UNALIGNED,
    BELOW_THE_REGION,
    BEHIND_THE_REGION,
    SAME_SLOT_TWICE,
    OVERLAP_FROM_BELOW,
    WRITES_INTO_A_LIVE_BLOCK,
    USABLE_TOO_SMALL,
    USABLE_TOO_LARGE,
    USABLE_CHANGES,
    FREE_DOES_NOTHING,
    WALK_FORGETS_ONE,
    CHECK_FAILS,
    FREE_REFUSES,
    FREE_TAKES_ANYTHING,
    USABLE_TAKES_ANYTHING,
    REFUSAL_TAKES_MEMORY,
    FREE_LOSES_MEMORY,
    META_STAYS_IN_THE_MIDDLE,
    LARGEST_IS_REFUSED_LATER,
    RESIZE_CHANGES_CONTENTS,
};

struct control {
    uint32_t calls; /* of alloc */
    uint32_t lost;  /* slots that nobody gets any more */
};

static enum defect defect;

static struct control *control_of(const struct heap *heap)
{
    return heap->control;
}

static uint8_t *slot(const struct heap *heap, uint32_t number)
{
    return heap->region.arena + number * SLOT_BYTES;
}

static uint32_t slots(const struct heap *heap)
{
    return heap->region.map_bytes - 1 - control_of(heap)->lost;
}

/* Returns: the number of the taken slot that starts at address; slots() if there is none. */
static uint32_t number_of(const struct heap *heap, const void *address)
{
    uint32_t number = 0;
    while (number < slots(heap) &&
           (slot(heap, number) != address || heap->region.map[number] == 0))
        number++;
    return number;
}

static void liar_init(const struct heap *heap)
{
    memset(heap->region.map, 0, heap->region.map_bytes);
    *control_of(heap) = (struct control){0};
}

/* What alloc returns for a slot. */
static uint8_t *liar_place(const struct heap *heap, uint32_t number)
{
    bool again = ++control_of(heap)->calls == 2;
    if (defect == UNALIGNED)
        return slot(heap, number) + 4;
    if (defect == BELOW_THE_REGION)
        return heap->region.arena - 2 * SLOT_BYTES;
    if (defect == BEHIND_THE_REGION)
        return heap->region.arena + heap->region.arena_bytes;
    if (again && defect == SAME_SLOT_TWICE)
        return slot(heap, number - 1);
    if (again && defect == OVERLAP_FROM_BELOW)
        return slot(heap, number - 1) + 8;
    return slot(heap, number);
}

static bool liar_refuses(const struct heap *heap, uint32_t size, uint32_t align, uint32_t number)
{
    bool late = defect == LARGEST_IS_REFUSED_LATER && control_of(heap)->calls >= 2;
    return size > ROOM_BYTES || (late && size == ROOM_BYTES) || align > SLOT_BYTES ||
           number == slots(heap);
}

static void *liar_alloc(const struct heap *heap, uint32_t size, uint32_t align)
{
    uint32_t number = 0;
    while (number < slots(heap) && heap->region.map[number] != 0)
        number++;
    if (liar_refuses(heap, size, align, number)) {
        control_of(heap)->lost += defect == REFUSAL_TAKES_MEMORY;
        return NULL;
    }
    heap->region.map[number] = 1;
    memcpy(slot(heap, number) + ROOM_BYTES, &size, sizeof(size));
    if (defect == WRITES_INTO_A_LIVE_BLOCK && number > 0)
        slot(heap, number - 1)[10] ^= 1;
    return liar_place(heap, number);
}

static bool liar_free(const struct heap *heap, void *address)
{
    uint32_t number = number_of(heap, address);
    if (number == slots(heap))
        return defect == FREE_TAKES_ANYTHING;
    if (defect == FREE_REFUSES)
        return false;
    heap->region.map[number] = defect == FREE_DOES_NOTHING;
    control_of(heap)->lost += defect == FREE_LOSES_MEMORY && number == 1;
    return true;
}

static uint32_t liar_usable(const struct heap *heap, const void *address)
{
    uint32_t number = number_of(heap, address);
    uint32_t size;
    if (number == slots(heap))
        return defect == USABLE_TAKES_ANYTHING || defect == SAME_SLOT_TWICE ||
                       defect == OVERLAP_FROM_BELOW
                   ? 20
                   : 0;
    memcpy(&size, slot(heap, number) + ROOM_BYTES, sizeof(size));
    if (defect == USABLE_TOO_SMALL)
        return size - 1;
    if (defect == USABLE_CHANGES && control_of(heap)->calls >= 2)
        return ROOM_BYTES;
    return defect == USABLE_TOO_LARGE ? 4096 : size;
}

static bool liar_resize(const struct heap *heap, void *address, uint32_t size)
{
    if (size > ROOM_BYTES)
        return false;
    memcpy((uint8_t *)address + ROOM_BYTES, &size, sizeof(size));
    ((uint8_t *)address)[0] ^= defect == RESIZE_CHANGES_CONTENTS;
    return liar_usable(heap, address) != 0;
}

/* The heap's last slot is its own; with one defect, another takes its place. */
static uint32_t meta_slot(const struct heap *heap)
{
    bool moved = defect == META_STAYS_IN_THE_MIDDLE && control_of(heap)->calls > 0;
    return moved ? 3 : heap->region.map_bytes - 1;
}

static enum heap_block_state state_of(const struct heap *heap, uint32_t number)
{
    bool taken = heap->region.map[number] != 0;
    bool lost = number >= slots(heap) && number != heap->region.map_bytes - 1;
    if (number == meta_slot(heap) || lost)
        return HEAP_BLOCK_META;
    if (defect == WALK_FORGETS_ONE && number == 1 && taken)
        return HEAP_BLOCK_META;
    return taken ? HEAP_BLOCK_LIVE : HEAP_BLOCK_FREE;
}

static void liar_show(const struct heap *heap, uint32_t first, uint32_t count, heap_visit *visit,
                      void *context)
{
    enum heap_block_state state = state_of(heap, first);
    bool live = state == HEAP_BLOCK_LIVE;
    const struct heap_block block = {
        .start = slot(heap, first),
        .bytes = count * SLOT_BYTES,
        .payload = live ? slot(heap, first) : NULL,
        .payload_bytes = live ? liar_usable(heap, slot(heap, first)) : 0,
        .state = state,
    };
    visit(context, &block);
}

static void liar_walk(const struct heap *heap, heap_visit *visit, void *context)
{
    const struct heap_block map = {
        .start = heap->region.map, .bytes = heap->region.map_bytes, .state = HEAP_BLOCK_META};
    visit(context, &map);
    for (uint32_t first = 0, count; first < heap->region.map_bytes; first += count) {
        count = 1;
        while (first + count < heap->region.map_bytes &&
               state_of(heap, first) == HEAP_BLOCK_FREE &&
               state_of(heap, first + count) == HEAP_BLOCK_FREE)
            count++;
        liar_show(heap, first, count, visit, context);
    }
}

static const char *liar_check(const struct heap *heap)
{
    return defect == CHECK_FAILS && heap->region.map[1] != 0 ? "I1: of the liar" : NULL;
}

static const struct heap_strategy liar = {
    .name = "liar",
    .source = "none",
    .traits = HEAP_COALESCES | HEAP_VALIDATES_FREE,
    .control_bytes = sizeof(struct control),
    .init = liar_init,
    .alloc = liar_alloc,
    .free = liar_free,
    .usable = liar_usable,
    .resize = liar_resize,
    .walk = liar_walk,
    .check = liar_check,
};

/* --- what the oracle says ------------------------------------------------------------------ */

static const char *try_wrong_addresses(struct oracle *oracle)
{
    const char *wrong = NULL;
    for (uint32_t offset = 0; offset < MAP_BYTES + 100 && wrong == NULL; offset += 4)
        wrong = oracle_misuse(oracle, oracle->host->heap.region.map + offset);
    return wrong != NULL ? wrong : oracle_verify(oracle);
}

/* Two blocks, a refusal, a resize, wrong addresses, a drain. Returns: what is wrong first. */
static const char *put_through(struct oracle *oracle)
{
    const struct {
        uint32_t bytes;
        uint32_t align;
    } requests[] = {{40, 64}, {20, 8}, {ROOM_BYTES + 1, 8}};
    const char *wrong = NULL;
    for (uint32_t i = 0; i < sizeof(requests) / sizeof(requests[0]) && wrong == NULL; i++) {
        uint32_t index;
        wrong = oracle_alloc(oracle, requests[i].bytes, requests[i].align, &index);
        if (wrong == NULL)
            wrong = oracle_verify(oracle);
    }
    if (wrong == NULL)
        wrong = oracle_realloc(oracle, 0, 30);
    if (wrong == NULL)
        wrong = oracle_realloc(oracle, 0, 50);
    if (wrong == NULL)
        wrong = try_wrong_addresses(oracle);
    return wrong != NULL ? wrong : oracle_drain(oracle);
}

static void each_defect_is_found_and_named(void **state)
{
    static const struct {
        enum defect defect;
        const char *expected; /* NULL: nothing */
    } rows[] = {
        {NONE, NULL},
        {UNALIGNED, "40 bytes were placed at offset 12, which is not aligned to 64"},
        {BELOW_THE_REGION, "40 bytes were placed at offset -120, outside the heap's 520 bytes"},
        {BEHIND_THE_REGION, "40 bytes were placed at offset 520, outside the heap's 520 bytes"},
        {SAME_SLOT_TWICE,
         "two live blocks overlap: 40 bytes at offset 8, 40 bytes at offset 8"},
        {OVERLAP_FROM_BELOW,
         "two live blocks overlap: 40 bytes at offset 8, 20 bytes at offset 16"},
        {WRITES_INTO_A_LIVE_BLOCK,
         "byte 10 of the live block of 40 bytes at offset 8 has changed"},
        {USABLE_TOO_SMALL, "40 bytes were asked for, but the block at offset 8 has only 39"},
        {USABLE_TOO_LARGE, "usable() says 4096 at offset 8, which reaches out of the heap"},
        {USABLE_CHANGES, "walk shows 56 usable bytes at offset 8, where usable() said 40 when the "
                         "block was handed out"},
        {FREE_DOES_NOTHING, "walk shows a live block at offset 8, where none is"},
        {WALK_FORGETS_ONE, "walk shows 1 of the 2 live blocks"},
        {CHECK_FAILS, "the heap is damaged: I1: of the liar"},
        {FREE_REFUSES, "free refused the live block of 20 bytes at offset 72"},
        {FREE_TAKES_ANYTHING, "free accepted offset 0, where no live block is"},
        {USABLE_TAKES_ANYTHING, "usable() takes offset 0 for a live block"},
        {REFUSAL_TAKES_MEMORY, "a refused call left 256 free bytes, where there were 320"},
        {FREE_LOSES_MEMORY, "all blocks are freed, but 384 bytes are free, where the fresh heap "
                            "had 448"},
        {META_STAYS_IN_THE_MIDDLE, "all blocks are freed, but there are 2 holes instead of one"},
        {LARGEST_IS_REFUSED_LATER,
         "all blocks are freed, but 56 bytes are refused, which a fresh heap granted"},
        {RESIZE_CHANGES_CONTENTS, "byte 0 of the live block of 30 bytes at offset 8 has changed"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        defect = rows[i].defect;
        struct oracle *oracle = oracle_new(&liar, MAP_BYTES);
        const char *wrong = put_through(oracle);
        if (rows[i].expected == NULL)
            assert_null(wrong);
        else
            assert_string_equal(wrong != NULL ? wrong : "nothing", rows[i].expected);
        oracle_delete(oracle);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_defect_is_found_and_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
