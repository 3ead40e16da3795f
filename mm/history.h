/* SPDX-License-Identifier: MIT */
/*
 * The lives of the blocks freed last, so that who frees one twice can be told who freed it
 * first. Included by fenced_heap.h alone.
 */
#ifndef MM_HISTORY_H
#define MM_HISTORY_H

enum { HISTORY_LIVES = 256 };

static struct history {
    struct heap_life lives[HISTORY_LIVES]; /* a ring */
    uint32_t count;                        /* since kinitHeap() */
} history;

static inline void history_forget(void)
{
    history.count = 0;
}

static inline void history_note(const struct heap_life *life)
{
    history.lives[history.count++ % HISTORY_LIVES] = *life;
}

/* Returns: the last life of a block that began at address; block is NULL if none is known. */
static inline struct heap_life history_of(const void *address)
{
    uint32_t oldest = history.count < HISTORY_LIVES ? 0 : history.count - HISTORY_LIVES;
    for (uint32_t i = history.count; i-- > oldest;)
        if (history.lives[i % HISTORY_LIVES].block == address)
            return history.lives[i % HISTORY_LIVES];
    return (struct heap_life){0};
}

#endif
