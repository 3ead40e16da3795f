/* SPDX-License-Identifier: MIT */
/* Addresses given to the heap that are not the start of a live block. */
#include "scene.h"

enum { LATE_CALLS = 600, PAGE_BYTES = 4096 };

static void free_at(struct scene *scene, uint8_t *address)
{
    scene_sins();
    scene->was_refused = kfree(address) != 0;
}

/* --- kfree of a block freed before ------------------------------------------------------------ */

static void free_twice(struct scene *scene)
{
    free_at(scene, scene_let_go(&scene->block));
}

static void free_twice_in_turn(struct scene *scene)
{
    uint8_t *freed = scene_let_go(&scene->block);
    scene_let_go(&scene->behind);
    free_at(scene, freed);
}

static void free_twice_merged(struct scene *scene)
{
    scene_let_go(&scene->before);
    uint8_t *freed = scene_let_go(&scene->block);
    scene_let_go(&scene->behind);
    free_at(scene, freed);
}

static void free_twice_reused(struct scene *scene)
{
    uint8_t *freed = scene_let_go(&scene->block);
    scene_take_other(scene, SCENE_BYTES);
    free_at(scene, freed);
}

static void free_twice_large(struct scene *scene)
{
    uint8_t *large = scene_take_other(scene, scene_large_bytes());
    if (large != NULL)
        free_at(scene, scene_let_go(&scene->other));
}

static void free_twice_late(struct scene *scene)
{
    uint8_t *freed = scene_let_go(&scene->block);
    for (uint32_t i = 0; i < LATE_CALLS; i++)
        kfree(kmalloc(i % 100 + 1));
    free_at(scene, freed);
}

static void free_after_krealloc(struct scene *scene)
{
    uint8_t *old = scene_move_block(scene);
    if (!scene->does_not_apply)
        free_at(scene, old);
}

/* --- kfree of what is no block -------------------------------------------------------------- */

static void free_interior_8(struct scene *scene)
{
    free_at(scene, scene->block + 8);
}

static void free_interior_64(struct scene *scene)
{
    free_at(scene, scene->block + 64);
}

static void free_interior_large(struct scene *scene)
{
    uint8_t *large = scene_take_other(scene, scene_large_bytes());
    if (large != NULL)
        free_at(scene, large + PAGE_BYTES);
}

static void free_end(struct scene *scene)
{
    free_at(scene, scene->block + SCENE_BYTES);
}

static void free_before(struct scene *scene)
{
    free_at(scene, scene->block - 8);
}

static void free_unaligned_1(struct scene *scene)
{
    free_at(scene, scene->block + 1);
}

static void free_unaligned_4(struct scene *scene)
{
    free_at(scene, scene->block + 4);
}

static void free_below_heap(struct scene *scene)
{
    free_at(scene, kheap()->region.map - 64);
}

static void free_above_heap(struct scene *scene)
{
    free_at(scene, kheap()->region.arena + kheap()->region.arena_bytes + 64);
}

static void free_stack(struct scene *scene)
{
    uint64_t local[32];
    __builtin_memset(local, 0, sizeof(local));
    free_at(scene, (uint8_t *)&local[16]);
}

static void free_static(struct scene *scene)
{
    static uint64_t variable[32];
    free_at(scene, (uint8_t *)&variable[16]);
}

static void free_small_number(struct scene *scene)
{
    free_at(scene, (uint8_t *)(uintptr_t)64);
}

static void free_side_array(struct scene *scene)
{
    free_at(scene, kheap()->region.map + 64);
}

static void free_never_taken(struct scene *scene)
{
    free_at(scene, kheap()->region.arena + kheap()->region.arena_bytes / 2);
}

/* A pointer that its owner forgot to set: it is what was in the memory before. */
static void free_uninitialised(struct scene *scene)
{
    scene_let_go(&scene->block);
    scene->other = kmalloc(SCENE_BYTES);
    uint8_t *unset = *(uint8_t *volatile *)(void *)(scene->other + 64);
    free_at(scene, unset);
}

static void free_stale(struct scene *scene)
{
    uint8_t *stale = scene->block;
    kinitHeap();
    *scene = (struct scene){0};
    free_at(scene, stale);
}

/* --- other functions of the heap ----------------------------------------------------------------- */

static void krealloc_freed(struct scene *scene)
{
    uint8_t *freed = scene_let_go(&scene->block);
    scene_sins();
    scene->other = krealloc(freed, SCENE_BYTES + 8);
    scene->was_refused = scene->other == NULL;
}

static void krealloc_interior(struct scene *scene)
{
    scene_sins();
    scene->other = krealloc(scene->block + 64, 8);
    scene->was_refused = scene->other == NULL;
}

static void krealloc_static(struct scene *scene)
{
    static uint64_t variable[32];
    scene_sins();
    scene->other = krealloc(&variable[16], 8);
    scene->was_refused = scene->other == NULL;
}

static void ksize_freed(struct scene *scene)
{
    uint8_t *freed = scene_let_go(&scene->block);
    scene_sins();
    scene->was_refused = ksize(freed) == 0;
}

static void ksize_interior(struct scene *scene)
{
    scene_sins();
    scene->was_refused = ksize(scene->block + 64) == 0;
}

static const struct sin sins_of_address_list[] = {
    {"free-twice", "frees a block twice in a row", free_twice},
    {"free-twice-in-turn", "frees a block, then another, then the first again", free_twice_in_turn},
    {"free-twice-merged", "frees a block again when its neighbours are free, too",
     free_twice_merged},
    {"free-twice-reused", "frees a block again after kmalloc was called", free_twice_reused},
    {"free-twice-large", "frees a quarter of the heap twice", free_twice_large},
    {"free-twice-late", "frees a block again, 600 calls later", free_twice_late},
    {"free-after-krealloc", "frees where a block was before krealloc moved it",
     free_after_krealloc},
    {"free-interior-8", "frees 8 bytes into a block", free_interior_8},
    {"free-interior-64", "frees 64 bytes into a block", free_interior_64},
    {"free-interior-large", "frees a page into a large block", free_interior_large},
    {"free-end", "frees the end of a block", free_end},
    {"free-before", "frees 8 bytes before a block", free_before},
    {"free-unaligned-1", "frees a byte into a block", free_unaligned_1},
    {"free-unaligned-4", "frees a word into a block", free_unaligned_4},
    {"free-below-heap", "frees what lies below the heap", free_below_heap},
    {"free-above-heap", "frees what lies above the heap", free_above_heap},
    {"free-stack", "frees a local variable", free_stack},
    {"free-static", "frees a static variable", free_static},
    {"free-small-number", "frees a small number", free_small_number},
    {"free-side-array", "frees what is in the side array", free_side_array},
    {"free-never-taken", "frees memory that was never handed out", free_never_taken},
    {"free-uninitialised", "frees a pointer it never set", free_uninitialised},
    {"free-stale", "frees a block from before kinitHeap", free_stale},
    {"krealloc-freed", "resizes a freed block", krealloc_freed},
    {"krealloc-interior", "resizes from within a block", krealloc_interior},
    {"krealloc-static", "resizes a static variable", krealloc_static},
    {"ksize-freed", "asks how large a freed block is", ksize_freed},
    {"ksize-interior", "asks how large the inside of a block is", ksize_interior},
};

const struct sins sins_of_address = {sins_of_address_list, sizeof(sins_of_address_list) / sizeof(sins_of_address_list[0])};
