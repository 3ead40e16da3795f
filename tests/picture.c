/* SPDX-License-Identifier: MIT */
#include "picture.h"

#include "apart.h"

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

struct attempt {
    const struct host_heap *host;
    char picture[PICTURE_BYTES];
};

static void attempt_to_draw(void *context)
{
    struct attempt *attempt = context;
    picture_draw(attempt->host, attempt->picture);
}

bool picture_try(const struct host_heap *host, char *picture)
{
    struct attempt *attempt = apart_share(sizeof(*attempt));
    attempt->host = host;
    bool drawn = apart_run(attempt_to_draw, attempt, true) == APART_DONE;
    memcpy(picture, attempt->picture, PICTURE_BYTES);
    return drawn;
}
