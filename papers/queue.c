/* SPDX-License-Identifier: MIT */
/*
 * A saturated queue, first come first served: the first request waits until it fits, all others
 * behind it; then it stays for a random time. What share of memory, over time, is in use?
 *
 * Source: J. E. Shore, "On the external storage fragmentation produced by first-fit and best-fit
 * allocation strategies", CACM 18 (8), 1975; C. Bays, "A comparison of next-fit, first-fit, and
 * best-fit", CACM 20 (3), 1977. How long a request stays is uniformly distributed from 5 to 15.
 * What of these simulations is not known here is said in docs/papers.md.
 */
#include <stdio.h>
#include <stdlib.h>

#include "distribution.h"
#include "experiment.h"
#include "live_heap.h"
#include "random.h"

enum {
    UNIT_BYTES = HEAP_BYTES_PER_MAP_BYTE,
    KIB = 1024,
    TICKS = 1024, /* of the clock, in a unit of time */
    STAY_MIN = 5,
    STAY_MAX = 15,
    WARM_UP_SHARE = 8, /* an eighth of the requests is served before measuring begins */
    PROGRESS_LINES = 64,
};

struct guest {
    uint64_t leaves_at;
    void *block;
    uint32_t units;
};

struct queue {
    struct live_heap live;
    struct random random;
    const struct distribution *sizes;
    uint32_t mean;
    struct guest *guests; /* a heap in the other sense: the one that leaves first is first */
    uint32_t count;
    uint64_t now;
    uint64_t used_units;
    uint64_t used_unit_ticks; /* since measuring began */
    uint64_t measured_from;
};

/* --- who leaves next (Williams's heap) ------------------------------------------------------- */

static void swap(struct guest *a, struct guest *b)
{
    struct guest kept = *a;
    *a = *b;
    *b = kept;
}

static void enter(struct queue *queue, struct guest guest)
{
    struct guest *guests = queue->guests;
    uint32_t at = queue->count++;
    guests[at] = guest;
    for (; at > 0 && guests[at].leaves_at < guests[(at - 1) / 2].leaves_at; at = (at - 1) / 2)
        swap(&guests[at], &guests[(at - 1) / 2]);
}

static struct guest leave(struct queue *queue)
{
    struct guest *guests = queue->guests;
    struct guest first = guests[0];
    guests[0] = guests[--queue->count];
    for (uint32_t at = 0, child = 1; child < queue->count; at = child, child = 2 * at + 1) {
        if (child + 1 < queue->count && guests[child + 1].leaves_at < guests[child].leaves_at)
            child++;
        if (guests[at].leaves_at <= guests[child].leaves_at)
            break;
        swap(&guests[at], &guests[child]);
    }
    return first;
}

/* --- time ------------------------------------------------------------------------------------- */

static void advance(struct queue *queue)
{
    struct guest guest = leave(queue);
    queue->used_unit_ticks += queue->used_units * (guest.leaves_at - queue->now);
    queue->now = guest.leaves_at;
    queue->used_units -= guest.units;
    live_heap_free(&queue->live, guest.block);
}

static uint64_t stay(struct random *random)
{
    return STAY_MIN * TICKS + random_below(random, (STAY_MAX - STAY_MIN) * TICKS + 1);
}

/* Serves the next request. */
static void serve(struct queue *queue, uint32_t units_max)
{
    struct guest guest = {.units = distribution_draw(queue->sizes, queue->mean, &queue->random)};
    if (guest.units > units_max)
        guest.units = units_max;
    while ((guest.block = live_heap_alloc(&queue->live, guest.units * UNIT_BYTES)) == NULL)
        advance(queue);
    guest.leaves_at = queue->now + stay(&queue->random);
    queue->used_units += guest.units;
    enter(queue, guest);
}

static void measure_from_here(struct queue *queue)
{
    queue->measured_from = queue->now;
    queue->used_unit_ticks = 0;
    queue->live.alloc_steps = 0;
}

static void serve_all(struct queue *queue, const struct setup *setup)
{
    uint32_t warm_up = setup->number / WARM_UP_SHARE;
    uint32_t report_every = setup->number / PROGRESS_LINES + 1;
    for (uint32_t served = 0; served < setup->number; served++) {
        if (served == warm_up)
            measure_from_here(queue);
        serve(queue, setup->kib * KIB / UNIT_BYTES);
        if (served % report_every == 0)
            say_progress(served, setup->number);
    }
}

static void say_result(const struct queue *queue, const struct setup *setup)
{
    printf("result: {\"strategy\":\"%s\",\"heap_kib\":%u,\"sizes\":\"%s\",\"mean_units\":%u,"
           "\"memory_units\":%u,\"requests\":%u,\"seed\":%u,\"used_unit_ticks\":%llu,"
           "\"ticks\":%llu,\"alloc_steps\":%llu}\n",
           queue->live.strategy->name, setup->kib, setup->sizes, setup->size,
           setup->kib * KIB / UNIT_BYTES, setup->number, setup->seed,
           (unsigned long long)queue->used_unit_ticks,
           (unsigned long long)(queue->now - queue->measured_from),
           (unsigned long long)queue->live.alloc_steps);
}

const char *experiment_queue(const struct setup *setup)
{
    struct queue queue = {.random = random_seeded(setup->seed), .mean = setup->size};
    queue.sizes = setup->sizes == NULL ? NULL : distribution_named(setup->sizes);
    if (queue.sizes == NULL || setup->size == 0 || setup->size > DISTRIBUTION_MEAN_MAX ||
        setup->number == 0)
        return "queue: sizes=DISTRIBUTION is exponential, hyperexponential, uniform or normal; "
               "size=MEAN 1 to 65536 units; number=REQUESTS";
    queue.guests = calloc(setup->kib * KIB / UNIT_BYTES + 1, sizeof(*queue.guests));
    if (queue.guests == NULL)
        return "there is too little memory for so many guests";
    const char *wrong = live_heap_start(&queue.live, setup->strategy, setup->kib * KIB);
    if (wrong == NULL) {
        serve_all(&queue, setup);
        say_result(&queue, setup);
        live_heap_end(&queue.live);
    }
    free(queue.guests);
    return wrong;
}
