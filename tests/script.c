/* SPDX-License-Identifier: MIT */
#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cases.h"

static void call_failed(const char *call, const char *script, const char *what)
{
    fail_msg("script \"%s\": %.*s %s", script, (int)strcspn(call, " "), call, what);
}

static bool take(const struct host_heap *host, uint8_t **block, const char *sizes)
{
    char *end;
    uint32_t bytes = (uint32_t)strtoul(sizes, &end, 10);
    uint32_t align = *end == '@' ? (uint32_t)strtoul(end + 1, NULL, 10) : HEAP_ALIGNMENT_BYTES;
    *block = host->strategy->alloc(&host->heap, bytes, align);
    assert_int_equal((uintptr_t)*block % align, 0);
    return *block != NULL;
}

static bool resize(const struct host_heap *host, uint8_t *block, const char *size)
{
    return host->strategy->resize(&host->heap, block, (uint32_t)strtoul(size, NULL, 10));
}

/* Returns: what the heap answered: true iff it did what it was asked for. */
static bool make_call(const struct host_heap *host, struct script_blocks *blocks, const char *call)
{
    if (*call == '-') {
        uint8_t *block = blocks->address[(unsigned char)call[1]];
        blocks->address[(unsigned char)call[1]] = NULL;
        return host->strategy->free(&host->heap, block);
    }
    uint8_t **block = &blocks->address[(unsigned char)*call];
    if (call[1] == '=')
        return resize(host, *block, call + 2);
    return take(host, block, call + 1);
}

void script_run(const struct host_heap *host, struct script_blocks *blocks, const char *script)
{
    for (const char *call = script; *call != '\0'; call += strspn(call, " ")) {
        bool refused = *call == '!';
        if (make_call(host, blocks, call + refused) == refused)
            call_failed(call, script, refused ? "was not refused" : "was refused");
        const char *broken = heap_check(host->strategy, &host->heap);
        if (broken != NULL)
            call_failed(call, script, broken);
        call += strcspn(call, " ");
    }
}

static void draw_block(void *context, const struct heap_block *block)
{
    static const char signs[] = {
        [HEAP_BLOCK_LIVE] = '+', [HEAP_BLOCK_FREE] = '-', [HEAP_BLOCK_CACHED] = '?'};
    char *picture = context;
    size_t length = strlen(picture);
    if (block->state != HEAP_BLOCK_META)
        snprintf(picture + length, SCRIPT_PICTURE_BYTES - length, "%s%c%u",
                 length > 0 ? " " : "", signs[block->state], block->bytes);
}

void script_draw(const struct host_heap *host, char *picture)
{
    *picture = '\0';
    host->strategy->walk(&host->heap, draw_block, picture);
}

void script_table(const struct script_row *rows, size_t count)
{
    for (const struct script_row *row = rows; row < rows + count; row++) {
        char picture[SCRIPT_PICTURE_BYTES];
        struct script_blocks blocks = {{NULL}};
        struct host_heap *host = host_heap_new(tested_strategy, row->map_bytes);
        script_run(host, &blocks, row->script);
        script_draw(host, picture);
        if (strcmp(picture, row->picture) != 0)
            fail_msg("%s: \"%s\" leaves %s; expected %s", row->claim, row->script, picture,
                     row->picture);
        host_heap_delete(host);
    }
}
