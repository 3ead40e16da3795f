/* SPDX-License-Identifier: MIT */
/*
 * What callers do wrong to a heap, one sin a function: the classes that Linux's SLUB and
 * KFENCE tests and hardened_malloc's test suite cover, through heap.h. Here is the scene
 * that each of them begins with, and what they have in common.
 */
#ifndef KERNEL_SCENE_H
#define KERNEL_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heap.h"
#include "heap_strategy.h"

enum {
    SCENE_BYTES = 200,
    SCENE_GROWN_BYTES = 4000,
    SCENE_DATA = 'A',  /* what owners write */
    SCENE_WRONG = 'w', /* what sinners write */
};

/*
 * On a fresh heap, three live blocks of SCENE_BYTES, taken one after the other and filled
 * by their owners. A sin that frees one, or loses it, sets it to NULL; who is not NULL in
 * the end is freed by its owner.
 */
struct scene {
    uint8_t *before;
    uint8_t *block;
    uint8_t *behind;
    uint8_t *other;      /* of any size, taken by the sin itself; or NULL */
    uint32_t other_bytes; /* of it that its owner filled, and will look at */
    bool does_not_apply; /* this heap gives no occasion for the sin */
    bool was_refused;    /* the heap returned what it does for a wrong address */
    bool saw_filler;     /* who read what was not his to read got no data, but a filler */
};

struct sin {
    const char *name;
    const char *deed; /* what the caller does, in a few words */

    /* Prepares, calls scene_sins(), and does it. */
    void (*commit)(struct scene *scene);
};

struct sins {
    const struct sin *list;
    uint32_t count;
};

extern const struct sins sins_of_address, sins_of_memory;

/* The sin begins here: what is found until commit() returns was found at once. */
void scene_sins(void);

/* Fills a block that the sin took with its owner's data. Returns: it; NULL ends the scene. */
static inline uint8_t *scene_fill_other(struct scene *scene, void *address, uint32_t bytes)
{
    scene->other = address;
    scene->does_not_apply = address == NULL;
    scene->other_bytes = bytes;
    if (address != NULL)
        __builtin_memset(address, SCENE_DATA, bytes);
    return address;
}

static inline uint8_t *scene_take_other(struct scene *scene, uint32_t bytes)
{
    return scene_fill_other(scene, kmalloc(bytes), bytes);
}

/* Lets the owner free a block. Returns: where it was. */
static inline uint8_t *scene_let_go(uint8_t **owned)
{
    uint8_t *address = *owned;
    kfree(address);
    *owned = NULL;
    return address;
}

/* Lets krealloc move the block. Returns: where it was. */
static inline uint8_t *scene_move_block(struct scene *scene)
{
    uint8_t *old = scene->block;
    uint8_t *moved = krealloc(old, SCENE_GROWN_BYTES);
    scene->does_not_apply = moved == NULL || moved == old;
    if (moved != NULL)
        scene->block = moved;
    return old;
}

/* A quarter of the heap. */
static inline uint32_t scene_large_bytes(void)
{
    return kheap()->region.arena_bytes / 4;
}

#endif
