/* SPDX-License-Identifier: MIT */
/*
 * What each processor has of the heap for itself, with -Dlocking=percpu: its magazines
 * (magazine.h). It lies where the machine keeps what is a processor's own.
 */
#ifndef MM_HEAP_OWN_H
#define MM_HEAP_OWN_H

#include <stdint.h>

/* The numbers of size classes, those included that no magazine has. */
enum { HEAP_OWN_CLASSES = 32 };

/* By class. A magazine is a chain of free blocks; each begins with the address of the next. */
struct heap_own {
    uint32_t is_free;                           /* 1 iff nobody is at it, and the heap is ready */
    void *loaded[HEAP_OWN_CLASSES];             /* the magazine's first block, or NULL */
    int32_t room[HEAP_OWN_CLASSES];             /* so many more blocks the loaded one takes */
    int32_t size[HEAP_OWN_CLASSES];             /* so many it takes in all */
    void *previous[HEAP_OWN_CLASSES];           /* the magazine that was loaded before */
    int32_t previous_count[HEAP_OWN_CLASSES];
};

#endif
