/* SPDX-License-Identifier: MIT */
/*
 * The front door at the hardening levels redzone and full: the fence around a block, byte for
 * byte; what is said, and done, about each damage; and, in fenced_books.h, what is known of
 * blocks besides.
 */
#include "front_door.h"

enum { SIZE = 100, LARGE_MAP_BYTES = 16384 };

static bool is_full(void)
{
    return HARDENING == HARDENING_FULL;
}

static struct fence_plate plate_of(const uint8_t *address)
{
    return *fence_plate_of(address);
}

static void assert_filled(const uint8_t *from, uint32_t bytes, uint8_t with)
{
    for (uint32_t i = 0; i < bytes; i++)
        assert_int_equal(from[i], with);
}

/* --- the fence --------------------------------------------------------------------------------- */

static void the_plate_says_whose_block_it_is(void **state)
{
    (void)state;
    const uint8_t *first = take_here(SIZE);
    struct fence_plate plate = plate_of(first);
    assert_int_equal(plate.bytes, SIZE);
    assert_int_equal(plate.number, 1);
    assert_true(is_in(plate.allocated_by, (uintptr_t)take_here));
    assert_null(plate.freed_by);
    assert_int_equal(plate.front_log2, 5);
    assert_int_equal(plate.seal, fence_seal(first));
    assert_int_equal(ksize(first), SIZE);
    assert_int_equal(plate_of(take_here(1)).number, 2);
    kinitHeap();
    assert_int_equal(plate_of(take_here(1)).number, 1);
}

static void an_alignment_is_kept_by_what_the_caller_gets(void **state)
{
    (void)state;
    for (uint32_t log2 = 4; log2 < 13; log2++) {
        uint8_t *block = kmalloc_aligned(10, 1U << log2);
        assert_int_equal((uintptr_t)block % (1U << log2), 0);
        assert_int_equal(plate_of(block).front_log2, log2 < 5 ? 5 : log2);
        assert_ptr_equal(fence_start(block), block - (1U << (log2 < 5 ? 5 : log2)));
        assert_sound();
        assert_int_equal(kfree(block), 0);
    }
}

/* The guard behind fills what the strategy rounded up to, 64 bytes of it at most. */
static void the_guard_behind_is_as_long_as_there_is_room(void **state)
{
    (void)state;
    for (uint32_t size = 1; size < 200; size++) {
        uint8_t *block = kmalloc(size);
        uint32_t room = HEAP_STRATEGY.usable(&kernel_heap, fence_start(block)) - 32 - size;
        assert_true(room >= FENCE_BEHIND_BYTES_MIN);
        assert_int_equal(plate_of(block).behind_bytes, room < 64 ? room : 64);
        assert_ptr_equal(fence_end(block), block + size + plate_of(block).behind_bytes);
        assert_int_equal(kfree(block), 0);
    }
    assert_int_equal(fence_behind_bytes(63), 63);
    assert_int_equal(fence_behind_bytes(64), 64);
    assert_int_equal(fence_behind_bytes(65), 64);
    assert_int_equal(fence_behind_bytes(0x10020), 64);
}

static void a_guard_s_byte_depends_on_where_it_is(void **state)
{
    (void)state;
    for (uintptr_t place = 0x10000000; place < 0x10000400; place++) {
        uint8_t byte = fence_byte((const uint8_t *)place);
        assert_int_equal(byte, 0x80 | ((place ^ place / 128) & 0x7F));
        assert_int_not_equal(byte, fence_byte((const uint8_t *)(place + 1)));
    }
    uint8_t *block = kmalloc(SIZE);
    for (const uint8_t *byte = block - FENCE_GUARD_BYTES; byte < fence_end(block); byte++)
        if (byte < block || byte >= block + SIZE)
            assert_int_equal(*byte, fence_byte(byte));
}

/* FNV-1a, in other words than the heap's. */
static void the_seal_is_of_all_that_stands_on_the_plate(void **state)
{
    (void)state;
    uint8_t *block = take_here(SIZE);
    struct fence_plate plate = plate_of(block);
    const uint32_t words[] = {plate.bytes, plate.number, (uint32_t)(uintptr_t)plate.allocated_by,
                              (uint32_t)(uintptr_t)plate.freed_by,
                              plate.front_log2 + 256U * plate.behind_bytes};
    uint32_t sum = (uint32_t)(uintptr_t)block;
    for (uint32_t i = 0; i < 5; i++)
        sum = (sum ^ words[i]) * 16777619U;
    assert_int_equal(plate.seal, sum);
    plate.freed_by = block;
    *fence_plate_of(block) = plate;
    assert_false(fence_is_sealed(block));
}

static void new_memory_is_clean_and_freed_memory_dead(void **state)
{
    (void)state;
    uint8_t *block = kmalloc(SIZE);
    assert_filled(block, SIZE, HEAP_FILLER_CLEAN);
    memset(block, 0, SIZE);
    uint8_t *other = kmalloc(SIZE);
    assert_filled(other, SIZE, HEAP_FILLER_CLEAN);
    assert_int_equal(kfree(block), 0);
    assert_filled(block + 16, SIZE - 16, HEAP_FILLER_DEAD);
    if (is_full())
        assert_filled(block, 16, HEAP_FILLER_DEAD);
}

/* All that the strategy does not use itself: a hole has links in front, and its length behind. */
static void a_block_that_the_strategy_has_back_is_dead_with_its_fence(void **state)
{
    (void)state;
    uint8_t *block = kmalloc(SIZE);
    uint8_t *start = fence_start(block);
    uint32_t bytes = (uint32_t)(fence_end(block) - start);
    assert_non_null(kmalloc(SIZE));
    assert_int_equal(kfree(block), 0);
    assert_null(kmalloc(REGION_BYTES)); /* the quarantine's leave */
    assert_filled(start + 16, bytes - 16 - 4, HEAP_FILLER_DEAD);
}

/* --- damage ---------------------------------------------------------------------------------------- */

static void every_byte_of_the_guard_behind_is_watched(void **state)
{
    (void)state;
    for (uint32_t size = 1; size < 70; size += 3)
        for (uint32_t offset = 0;; offset++) {
            start(state);
            uint8_t *block = kmalloc(size);
            uint8_t *byte = block + size + offset;
            if (byte == fence_end(block))
                break;
            *byte ^= 1;
            assert_string_equal(fenced_check(&kernel_heap), fenced_damages[HEAP_SIN_OVERRUN]);
            assert_int_equal(free_here(block), -1);
            assert_misuse(1, HEAP_SIN_OVERRUN, "kfree", byte);
            assert_true(is_in(last_misuse.caller, (uintptr_t)free_here));
            assert_int_equal(*byte, fence_byte(byte));
            assert_int_equal(heap_stats().now.live_blocks, 1);
            assert_sound();
            assert_int_equal(kfree(block), 0); /* it was said, and mended */
            assert_int_equal(misuses, 1);
        }
}

static void every_byte_of_the_guard_before_is_watched(void **state)
{
    (void)state;
    for (uint32_t offset = 1; offset <= FENCE_GUARD_BYTES; offset++) {
        start(state);
        uint8_t *block = kmalloc(SIZE);
        for (uint32_t far = offset; far <= FENCE_GUARD_BYTES; far++)
            block[-(int32_t)far] = 7; /* the nearest is named */
        assert_string_equal(fenced_check(&kernel_heap), fenced_damages[HEAP_SIN_UNDERRUN]);
        assert_int_equal(kfree(block), -1);
        assert_misuse(1, HEAP_SIN_UNDERRUN, "kfree", block - offset);
        assert_sound();
        assert_int_equal(kfree(block), 0);
    }
}

static void a_block_whose_plate_is_lost_is_given_up(void **state)
{
    (void)state;
    for (uint32_t offset = 0; offset < sizeof(struct fence_plate) - FENCE_GUARD_BYTES; offset++)
        for (uint32_t with_guard = 0; with_guard < 2; with_guard++) {
            struct heap_explanation explanation;
            start(state);
            uint8_t *block = kmalloc(SIZE);
            uint8_t *plate = block - sizeof(struct fence_plate);
            plate[offset] ^= 0x10;
            if (with_guard)
                block[-3] ^= 0x10;
            assert_string_equal(fenced_check(&kernel_heap), fenced_damages[HEAP_SIN_PLATE_LOST]);
            heap_explain(block, &explanation);
            assert_int_equal(explanation.place, HEAP_PLACE_LIVE);
            assert_ptr_equal(explanation.life.block, block);
            assert_int_equal(explanation.life.bytes, 0);
            heap_explain(plate, &explanation); /* nobody knows where its strategy's block begins */
            assert_int_equal(explanation.place, HEAP_PLACE_LIVE);
            assert_ptr_equal(explanation.life.block, block);
            assert_int_equal(explanation.life.number, 0);
            heap_explain(block + 1, &explanation);
            assert_int_equal(explanation.life.number, 0);
            assert_int_equal(kfree(block), -1);
            assert_misuse(1, HEAP_SIN_PLATE_LOST, "kfree", with_guard ? block - 3 : plate);
            assert_sound();
            assert_int_equal(heap_stats().now.live_blocks, 0);
            assert_int_equal(account.below_peak, 1);
            assert_ptr_equal(history_of(block).block, block);
            assert_int_equal(kfree(block), -1);
            assert_misuse(2, HEAP_SIN_WRONG_ADDRESS, "kfree", block);
            heap_explain(block, &explanation);
            assert_int_equal(explanation.place, HEAP_PLACE_FREED);
            assert_ptr_equal(explanation.before.block, block);
        }
}

static void a_block_that_is_given_up_does_not_pass_for_the_one_behind(void **state)
{
    struct heap_explanation explanation;
    (void)state;
    uint8_t *one = kmalloc(SIZE);
    uint8_t *other = kmalloc(SIZE);
    uint8_t *block = one < other ? one : other;
    fence_plate_of(block)->seal++;
    assert_int_equal(kfree(block), -1);
    assert_int_equal(heap_stats().now.live_blocks, 1);
    heap_explain(block, &explanation);
    assert_int_equal(explanation.place, HEAP_PLACE_FREED);
}

static void a_neighbour_s_damage_is_found_by_the_next_call(void **state)
{
    (void)state;
    uint8_t *before = kmalloc(SIZE);
    uint8_t *block = kmalloc(SIZE);
    uint8_t *behind = kmalloc(SIZE);
    if (before > behind) {
        uint8_t *swapped = before;
        before = behind;
        behind = swapped;
    }
    before[SIZE] ^= 1;
    behind[-1] ^= 1;
    if (!is_full()) {
        assert_int_equal(kfree(block), 0);
        assert_int_equal(misuses, 0);
        return;
    }
    assert_int_equal(kfree(block), 0);
    assert_misuse(2, HEAP_SIN_UNDERRUN, "kfree", behind - 1);
    assert_sound();
    before[SIZE] ^= 1;
    while (misuses == 2)
        assert_non_null(kmalloc(SIZE)); /* the quarantined one is a neighbour, and so is this */
    assert_misuse(3, HEAP_SIN_OVERRUN, "kmalloc", before + SIZE);
    assert_int_equal(kfree(before), 0);
}

static void a_neighbour_is_found_up_to_16_kib_away(void **state)
{
    enum { FAR = FENCED_LOOK_WORDS * GUARD_WORD_BITS * GUARD_GRANULE_BYTES };
    (void)state;
    start_with(LARGE_MAP_BYTES);
    uint32_t granule = 70 * GUARD_WORD_BITS;
    for (uint32_t distance = 1; distance < 70 * GUARD_WORD_BITS; distance++) {
        guard_clear();
        guard_enter(guard_address_of(granule));
        uint8_t *known = guard_address_of(granule);
        assert_ptr_equal(fenced_below(granule + distance, UINT32_MAX), known);
        uint32_t words = (granule + distance - 1) / GUARD_WORD_BITS - granule / GUARD_WORD_BITS + 1;
        assert_ptr_equal(fenced_below(granule + distance, FENCED_LOOK_WORDS),
                         words <= FENCED_LOOK_WORDS ? known : NULL);
        words = granule / GUARD_WORD_BITS - (granule - distance) / GUARD_WORD_BITS + 1;
        assert_ptr_equal(fenced_from(granule - distance, UINT32_MAX), known);
        assert_ptr_equal(fenced_from(granule - distance, FENCED_LOOK_WORDS),
                         words <= FENCED_LOOK_WORDS ? known : NULL);
    }
    assert_ptr_equal(fenced_from(granule, 1), guard_address_of(granule));
    assert_null(fenced_below(granule, UINT32_MAX));
    assert_null(fenced_from(granule + 1, UINT32_MAX));
    assert_null(fenced_below(0, UINT32_MAX));
    guard_clear();
    guard_enter(guard_address_of(0));
    assert_ptr_equal(fenced_below(1, 1), guard_address_of(0));
    assert_ptr_equal(fenced_below(guard_granules(), UINT32_MAX), guard_address_of(0));
    assert_ptr_equal(fenced_from(0, 1), guard_address_of(0));
    uint32_t last = guard_granules() - 1;
    guard_enter(guard_address_of(last));
    assert_ptr_equal(fenced_from(1, UINT32_MAX), guard_address_of(last));
    assert_true(FAR == 16 * 1024);
    start(state);
}

/* Words of the guard that a heap has no use for are not cleared, and so not to be read. */
static void what_a_larger_heap_left_in_the_guard_is_not_found(void **state)
{
    uint32_t behind = guard_granules() + GUARD_WORD_BITS;
    start_with(LARGE_MAP_BYTES);
    guard_enter(guard_address_of(behind));
    start(state);
    assert_null(fenced_from(0, UINT32_MAX));
}

/* --- wrong addresses ----------------------------------------------------------------------------- */

static void every_wrong_address_is_refused_and_reported(void **state)
{
    (void)state;
    uint8_t *block = kmalloc(SIZE);
    uint8_t *freed = kmalloc(SIZE);
    assert_int_equal(kfree(freed), 0);
    uint8_t *const wrong[] = {block + 1, block + 8, block - 32, block - 8, freed,
                              kernel_heap.region.map - 8, region_end(), region_end() + 8};
    uint32_t count = sizeof(wrong) / sizeof(wrong[0]);
    assert_all_refused(wrong, count);
    assert_int_equal(kfree(NULL), 0);
    assert_int_equal(kfree(block), 0);
    assert_int_equal(misuses, 3 * count);
    assert_sound();
}

static void requests_that_would_go_round_are_too_large(void **state)
{
    uint32_t count = 0;
    (void)state;
    for (uint32_t size = UINT32_MAX; size > UINT32_MAX - 80; size--) {
        assert_null(kmalloc(size));
        assert_null(kmalloc_aligned(size, 4096));
        count += 2;
        assert_int_equal(failed(HEAP_FAILURE_TOO_LARGE), count);
    }
    uint8_t *block = kmalloc(SIZE);
    for (uint32_t size = UINT32_MAX; size > UINT32_MAX - 80; size--)
        assert_null(krealloc(block, size));
    assert_null(kmalloc_aligned(UINT32_MAX - 4000, 4096));
    assert_int_equal(kfree(block), 0);
    assert_null(kmalloc(0));
    assert_int_equal(heap_stats().peak_live_blocks, 1);
    assert_sound();
}

static void what_was_asked_for_is_counted_to_the_byte(void **state)
{
    (void)state;
    uint8_t *block = kmalloc(SIZE);
    uint8_t *other = kmalloc(30);
    assert_int_equal(heap_stats().requested_bytes, 130);
    assert_int_equal(kfree(other), 0);
    assert_int_equal(heap_stats().requested_bytes, SIZE);
    assert_int_equal(heap_stats().peak_requested_bytes, 130);
    assert_int_equal(heap_stats().peak_live_blocks, 2);
    block = krealloc(block, 90);
    assert_int_equal(heap_stats().requested_bytes, 90);
    block = krealloc(block, 131);
    assert_int_equal(heap_stats().requested_bytes, 131);
    assert_true(heap_stats().peak_requested_bytes >= 131);
    assert_int_equal(kfree(block), 0);
    assert_int_equal(heap_stats().requested_bytes, 0);
    assert_int_equal(heap_stats().now.live_blocks, 0);
    assert_int_equal(account.below_peak, account.peak_blocks);
    uint32_t books = sizeof(account) + sizeof(account_plan);
    assert_int_equal(kheap_hardening_bytes(), books + sizeof(guard) + sizeof(history) +
                                                  (is_full() ? sizeof(quarantine) : 0));
    assert_string_equal(kheap_hardening(), is_full() ? "full" : "redzone");
    assert_true((kheap_strategy()->traits & HEAP_VALIDATES_FREE) != 0);
    assert_true(kheap_refuses_wrong_addresses());
    assert_int_equal(kheap_locking_bytes(), 0);
    assert_no_magazines();
}

static void requests_fail_on_purpose_and_before_kinitheap_panic(void **state)
{
    const struct heap_failing all = {.interval = 1, .probability_percent = 100};
    (void)state;
    heap_fail(&all);
    assert_null(kmalloc(8));
    assert_null(kmalloc_aligned(8, 64));
    assert_null(kmalloc(0));
    assert_int_equal(heap_fail_requests(), 2);
    assert_int_equal(failed(HEAP_FAILURE_ON_PURPOSE), 2);
    heap_fail(NULL);
    assert_non_null(kmalloc(8));
    assert_panics_before_kinitheap();
}

/* --- resizing ------------------------------------------------------------------------------------------ */

static void a_block_that_is_resized_has_a_new_fence(void **state)
{
    (void)state;
    uint8_t *block = take_here(SIZE);
    memset(block, 1, SIZE);
    uint8_t *smaller = krealloc(block, 60);
    assert_int_equal(smaller == block, !is_full() && HEAP_STRATEGY.resize != NULL);
    assert_int_equal(ksize(smaller), 60);
    assert_int_equal(plate_of(smaller).number, 2);
    assert_false(is_in(plate_of(smaller).allocated_by, (uintptr_t)take_here));
    assert_filled(smaller, 60, 1);
    assert_sound();
    smaller[60] ^= 1;
    assert_null(krealloc(smaller, 80));
    assert_misuse(1, HEAP_SIN_OVERRUN, "krealloc", smaller + 60);
    uint8_t *larger = krealloc(smaller, 80);
    assert_int_equal(ksize(larger), 80);
    assert_filled(larger, 60, 1);
    assert_filled(larger + 60, 20, HEAP_FILLER_CLEAN);
    assert_int_equal(heap_stats().now.live_blocks, 1);
    assert_int_equal(heap_stats().requested_bytes, 80);
    assert_sound();
    if (is_full()) {
        assert_true(quarantine_has(block));
        assert_true(quarantine_has(smaller));
    }
    assert_null(krealloc(larger, 0));
    assert_int_equal(heap_stats().now.live_blocks, 0);
    assert_int_equal(misuses, 1);
}

#include "fenced_books.h"

#define CASE(name) cmocka_unit_test_setup(name, start)

int main(void)
{
    const struct CMUnitTest cases[] = {
        CASE(the_plate_says_whose_block_it_is),
        CASE(an_alignment_is_kept_by_what_the_caller_gets),
        CASE(the_guard_behind_is_as_long_as_there_is_room),
        CASE(a_guard_s_byte_depends_on_where_it_is),
        CASE(the_seal_is_of_all_that_stands_on_the_plate),
        CASE(new_memory_is_clean_and_freed_memory_dead),
        CASE(a_block_that_the_strategy_has_back_is_dead_with_its_fence),
        CASE(every_byte_of_the_guard_behind_is_watched),
        CASE(every_byte_of_the_guard_before_is_watched),
        CASE(a_block_whose_plate_is_lost_is_given_up),
        CASE(a_block_that_is_given_up_does_not_pass_for_the_one_behind),
        CASE(a_neighbour_s_damage_is_found_by_the_next_call),
        CASE(a_neighbour_is_found_up_to_16_kib_away),
        CASE(what_a_larger_heap_left_in_the_guard_is_not_found),
        CASE(every_wrong_address_is_refused_and_reported),
        CASE(requests_that_would_go_round_are_too_large),
        CASE(what_was_asked_for_is_counted_to_the_byte),
        CASE(requests_fail_on_purpose_and_before_kinitheap_panic),
        CASE(a_freed_block_is_not_handed_out_at_once),
        CASE(blocks_leave_the_quarantine_in_their_order),
        CASE(the_quarantine_has_an_eighth_of_the_region),
        CASE(all_leave_when_a_request_would_fail),
        CASE(who_writes_to_a_freed_block_is_found_out),
        CASE(a_call_looks_at_the_first_64_bytes_of_a_freed_neighbour),
        CASE(a_freed_block_that_loses_its_plate_was_given_back_once),
        CASE(a_block_that_is_resized_has_a_new_fence),
        CASE(all_but_three_functions_and_a_trait_is_shown_as_the_strategy_has_it),
        CASE(each_start_that_the_guard_has_is_met_once_in_the_order_of_addresses),
        CASE(a_fence_is_inside_a_block_from_its_first_byte_to_its_last),
        CASE(the_last_256_lives_are_remembered),
        CASE(leaks_are_listed_by_caller_the_oldest_first),
        CASE(an_address_is_explained_by_the_fence_it_lies_in),
        CASE(a_fence_whose_plate_is_lost_covers_no_more_than_that),
        CASE(check_names_what_is_damaged_at_any_block),
    };
    return cmocka_run_group_tests(cases, NULL, NULL);
}
