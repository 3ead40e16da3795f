/* SPDX-License-Identifier: MIT */
/* A heap in one line. */
#ifndef TESTS_PICTURE_H
#define TESTS_PICTURE_H

#include "host_heap.h"

enum { PICTURE_BYTES = 512 };

/*
 * Draws the blocks in address order by their bytes: "+16 -48 ?32", + live, - free, ? cached.
 * META blocks are left out, and so is what does not fit. Requires: picture has
 * PICTURE_BYTES.
 */
void picture_draw(const struct host_heap *host, char *picture);

/*
 * The same for a heap that may be damaged, in a process of its own.
 * Returns: false iff the walk does not come back.
 */
bool picture_try(const struct host_heap *host, char *picture);

#endif
