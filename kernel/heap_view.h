/* SPDX-License-Identifier: MIT */
/*
 * The heap, live on the screen, beside the text: its memory as a square of cells, the lowest
 * address in the upper left corner, row by row; what changed last is bright and fades; below
 * it counts, and a graph of free memory and of the largest hole in it.
 *
 * A frame is drawn from a walk of the heap, so it shows what is, whoever changed it.
 */
#ifndef KERNEL_HEAP_VIEW_H
#define KERNEL_HEAP_VIEW_H

#include <stdbool.h>
#include <stdint.h>

/* What a walk does not tell. */
struct heap_view_counts {
    uint32_t operations;
    uint32_t requested_bytes;
    uint32_t failures;
};

/* Takes the screen's canvas, if there is one; without it all else here does nothing. */
void heap_view_open(void);

/* Forgets the graph and what is bright: another heap begins. */
void heap_view_start_anew(void);

/*
 * Draws a frame.
 * Cost: a walk of the heap, and what has to be drawn: a screen's points, of which few change.
 */
void heap_view_show(const struct heap_view_counts *counts);

#endif
