/* SPDX-License-Identifier: MIT */
/* Threads, as the kernel asks for processors in together.h. Nothing interrupts them. */
#include "together.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "region.h"

_Static_assert((int)TOGETHER_MAX == (int)REGION_PROCESSORS_MAX, "each has its part of the heap");

struct start {
    void (*work)(uint32_t index);
    uint32_t index;
};

static void *run(void *context)
{
    const struct start *start = context;
    region_processor = start->index;
    start->work(start->index);
    return NULL;
}

void together_do(uint32_t count, void (*work)(uint32_t index))
{
    struct start starts[TOGETHER_MAX];
    pthread_t threads[TOGETHER_MAX];
    for (uint32_t i = 1; i < count; i++) {
        starts[i] = (struct start){work, i};
        if (pthread_create(&threads[i], NULL, run, &starts[i]) != 0) {
            perror("pthread_create");
            exit(EXIT_FAILURE);
        }
    }
    work(0);
    for (uint32_t i = 1; i < count; i++)
        pthread_join(threads[i], NULL);
}

uint32_t together_index(void)
{
    return region_processor;
}

void together_pause(void)
{
    sched_yield();
}

uint64_t together_clock(void)
{
    return __builtin_ia32_rdtsc();
}

void together_hear(together_handler *handler)
{
    (void)handler;
}

void together_interrupt_after(uint32_t ticks)
{
    (void)ticks;
}

void together_let_in(void)
{
}

void together_keep_out(void)
{
}

void together_stop_others(void)
{
    /* they end with the process */
}
