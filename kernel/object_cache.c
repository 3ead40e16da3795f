/* SPDX-License-Identifier: MIT */
/*
 * What it saves to keep objects as their constructor left them.
 *
 * Source: J. Bonwick, "The Slab Allocator: An Object-Caching Kernel Memory Allocator", USENIX
 * Summer 1994, section 2: an object's locks, lists and counts are, when it is freed, as they
 * were when it was made, so to make them anew for the next user is wasted work. A cache hands
 * out constructed objects, and calls the destructor only when memory is to be given back.
 */
#include "experiment.h"

#include <stddef.h>

#include "console.h"
#include "heap.h"
#include "heap_strategy.h"

enum { ROUNDS = 256, LISTS = 16 };

struct list {
    struct list *next;
    struct list *previous;
};

/* Much as a kernel's inode: a lock, a count, and the heads of lists of what belongs to it. */
struct object {
    uint32_t lock;
    uint32_t references;
    struct list lists[LISTS];
    struct object *next_cached; /* only while in the cache */
};

static void construct(struct object *object)
{
    object->lock = 0;
    object->references = 1;
    for (uint32_t i = 0; i < LISTS; i++)
        object->lists[i] = (struct list){&object->lists[i], &object->lists[i]};
}

/* Returns: whether nothing is left that belongs to the object. */
static bool destruct(const struct object *object)
{
    for (uint32_t i = 0; i < LISTS; i++)
        if (object->lists[i].next != &object->lists[i])
            return false;
    return object->lock == 0;
}

static struct object *cache;

static struct object *take_cached(void)
{
    struct object *object = cache;
    if (object != NULL)
        cache = object->next_cached;
    return object;
}

static void give_cached(struct object *object)
{
    object->next_cached = cache;
    cache = object;
}

/* Ticks, summed over all rounds, of each step of an object's life. */
struct life {
    uint32_t kmalloc_ticks, construct_ticks, destruct_ticks, kfree_ticks;
};

static void live_once(struct life *life)
{
    uintptr_t object, ignored;
    life->kmalloc_ticks +=
        experiment_measure((measured_function *)kmalloc, sizeof(struct object), 0, &object);
    life->construct_ticks +=
        experiment_measure((measured_function *)construct, object, 0, &ignored);
    life->destruct_ticks +=
        experiment_measure((measured_function *)destruct, object, 0, &ignored);
    life->kfree_ticks += experiment_measure((measured_function *)kfree, object, 0, &ignored);
}

/* The heap is half full, with blocks of many sizes: no operation is flattered by an empty one. */
void experiment_constructed(uint32_t seed)
{
    struct random random = random_seeded(seed);
    struct life life = {0};
    uint32_t take_ticks = 0, give_ticks = 0;
    uintptr_t object, ignored;
    kinitHeap();
    experiment_fill(&random, kheap()->region.arena_bytes / 2);
    for (uint32_t i = 0; i < ROUNDS; i++)
        live_once(&life);
    cache = kmalloc(sizeof(*cache));
    construct(cache);
    cache->next_cached = NULL;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        take_ticks += experiment_measure((measured_function *)take_cached, 0, 0, &object);
        give_ticks += experiment_measure((measured_function *)give_cached, object, 0, &ignored);
    }
    experiment_open_record();
    console_report(",\"rounds\":%u,\"object_bytes\":%u,\"kmalloc\":%u,\"construct\":%u,"
                   "\"destruct\":%u,\"kfree\":%u,\"take\":%u,\"give\":%u",
                   (uint32_t)ROUNDS, (uint32_t)sizeof(struct object), life.kmalloc_ticks,
                   life.construct_ticks, life.destruct_ticks, life.kfree_ticks, take_ticks,
                   give_ticks);
}
