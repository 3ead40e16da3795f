/* SPDX-License-Identifier: MIT */
/*
 * What check says of magazines that are damaged. Included by magazine_test.c alone.
 */
#ifndef TESTS_LOCKING_MAGAZINE_DAMAGE_H
#define TESTS_LOCKING_MAGAZINE_DAMAGE_H

static void assert_broken(const char *label)
{
    const char *broken = heap_check(kheap_strategy(), kheap());
    assert_non_null(broken);
    assert_memory_equal(broken, label, 2);
}

static void check_leaves_no_mark(void **state)
{
    (void)state;
    park(2, SIZE);
    assert_null(kheap_strategy()->check(kheap()));
    assert_null(kheap_strategy()->check(kheap())); /* else each block was parked twice */
}

static void check_names_a_block_of_another_class(void **state)
{
    (void)state;
    park(2, SIZE);
    uint8_t *entry = magazine_entry_of(region_heap_own[0].loaded[magazine_class_for(SIZE)]);
    *entry = (uint8_t)(*entry ^ 1);
    assert_broken("M1");
    *entry = (uint8_t)(*entry ^ 1);
    assert_sound(); /* no mark is left */
}

static void check_names_a_magazine_that_is_not_as_long_as_is_said(void **state)
{
    uint32_t class = magazine_class_for(SIZE);
    (void)state;
    park(2, SIZE);
    region_heap_own[0].room[class]++;
    assert_broken("M2");
    region_heap_own[0].room[class] -= 2;
    assert_broken("M2");
    region_heap_own[0].room[class]++;
    assert_sound();
}

static void check_names_a_magazine_that_leads_out_of_the_region(void **state)
{
    void *const outside[] = {region_end(), region_end() + 16, kernel_heap.region.map - 16,
                             (void *)(uintptr_t)16};
    (void)state;
    park(2, SIZE);
    void **next = region_heap_own[0].loaded[magazine_class_for(SIZE)];
    void *right = *next;
    for (uint32_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        *next = outside[i];
        assert_broken("M2");
        *next = right;
        assert_sound();
    }
}

static void check_names_a_block_that_no_block_begins_at(void **state)
{
    (void)state;
    park(2, SIZE);
    void **next = region_heap_own[0].loaded[magazine_class_for(SIZE)];
    *next = (uint8_t *)*next + 4;
    assert_broken("M2");
    *next = region_end() - 3;
    assert_broken("M2");
}

/* Parks more than a processor's own two magazines hold. Returns: the first that the depot has. */
static struct depot_magazine *park_in_the_depot(void)
{
    park(MANY, SIZE);
    struct depot_magazine *first = depot.magazines[magazine_class_for(SIZE)];
    assert_non_null(first);
    return first;
}

static void check_names_a_depot_that_leads_out_of_the_region(void **state)
{
    (void)state;
    struct depot_magazine *first = park_in_the_depot();
    first->next_magazine = (void *)(uintptr_t)0x44444444;
    assert_broken("M2");
    first->next_magazine = (void *)(region_end() - 8); /* with no room for what is read there */
    assert_broken("M1");
    depot.magazines[magazine_class_for(SIZE)] = (void *)(uintptr_t)4;
    assert_broken("M2");
}

static void an_address_in_a_heap_with_damaged_magazines_is_explained_by_the_damage(void **state)
{
    struct heap_explanation explanation;
    (void)state;
    void *block = kmalloc(SIZE);
    kfree(block);
    *(uintptr_t *)block = 0x44444444;
    assert_null(HEAP_STRATEGY.check(&kernel_heap));
    heap_explain(block, &explanation);
    assert_int_equal(explanation.place, HEAP_PLACE_UNKNOWN);
    assert_non_null(explanation.damage);
    assert_memory_equal(explanation.damage, "M2", 2);
}

static void check_names_a_block_that_is_parked_twice(void **state)
{
    uint32_t class = magazine_class_for(SIZE);
    (void)state;
    park(2, SIZE);
    void *block = region_heap_own[0].loaded[class];
    *(void **)block = block;
    assert_broken("M3");
}

static void marks_are_taken_from_all_of_the_table(void **state)
{
    uint32_t units = magazine_region_bytes() / MAGAZINE_UNIT_BYTES;
    (void)state;
    memset(magazine_table, MAGAZINE_PARKED | MAGAZINE_CUT | 5, sizeof(magazine_table));
    magazine_unmark_table();
    for (uint32_t unit = 0; unit <= units; unit++)
        assert_int_equal(magazine_table[unit], MAGAZINE_CUT | 5);
    for (uint32_t unit = units + 1; unit < sizeof(magazine_table); unit++)
        assert_int_equal(magazine_table[unit], MAGAZINE_PARKED | MAGAZINE_CUT | 5);
}

#endif
