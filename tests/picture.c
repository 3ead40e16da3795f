/* SPDX-License-Identifier: MIT */
#include "picture.h"

#include <stdio.h>
#include <string.h>

static void draw_block(void *context, const struct heap_block *block)
{
    static const char signs[] = {
        [HEAP_BLOCK_LIVE] = '+', [HEAP_BLOCK_FREE] = '-', [HEAP_BLOCK_CACHED] = '?'};
    char *picture = context;
    size_t length = strlen(picture);
    if (block->state != HEAP_BLOCK_META)
        snprintf(picture + length, PICTURE_BYTES - length, "%s%c%u", length > 0 ? " " : "",
                 signs[block->state], block->bytes);
}

void picture_draw(const struct host_heap *host, char *picture)
{
    *picture = '\0';
    host->strategy->walk(&host->heap, draw_block, picture);
}
