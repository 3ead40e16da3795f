/* SPDX-License-Identifier: MIT */
#include "script.h"

#include <stdlib.h>
#include <string.h>

#include "cases.h"
#include "picture.h"

static void call_failed(const char *call, const char *script, const char *what)
{
    fail_msg("script \"%s\": %.*s %s", script, (int)strcspn(call, " "), call, what);
}

static const char *take(struct oracle *oracle, uint8_t **block, const char *sizes, bool *done)
{
    char *end;
    uint32_t index;
    uint32_t bytes = (uint32_t)strtoul(sizes, &end, 10);
    uint32_t align = *end == '@' ? (uint32_t)strtoul(end + 1, NULL, 10) : HEAP_ALIGNMENT_BYTES;
    const char *wrong = oracle_alloc(oracle, bytes, align, &index);
    *done = wrong == NULL && index != ORACLE_UNKNOWN;
    *block = *done ? oracle->state.block[index].address : NULL;
    return wrong;
}

/* Returns: what is wrong; *done: whether the heap did what it was asked for. */
static const char *make_call(struct oracle *oracle, struct script_blocks *blocks, const char *call,
                             bool *done)
{
    if (*call == '-') {
        uint8_t **block = &blocks->address[(unsigned char)call[1]];
        uint32_t index = oracle_index_of(oracle, *block);
        *block = NULL;
        *done = true;
        return oracle_free(oracle, index);
    }
    uint8_t **block = &blocks->address[(unsigned char)*call];
    if (call[1] == '=')
        return oracle_resize(oracle, oracle_index_of(oracle, *block),
                             (uint32_t)strtoul(call + 2, NULL, 10), done);
    return take(oracle, block, call + 1, done);
}

void script_run(struct oracle *oracle, struct script_blocks *blocks, const char *script)
{
    for (const char *call = script; *call != '\0'; call += strspn(call, " ")) {
        bool refused = *call == '!';
        bool done;
        const char *wrong = make_call(oracle, blocks, call + refused, &done);
        if (wrong == NULL && done == refused)
            wrong = refused ? "was not refused" : "was refused";
        if (wrong == NULL)
            wrong = oracle_verify(oracle);
        if (wrong != NULL)
            call_failed(call, script, wrong);
        call += strcspn(call, " ");
    }
}

struct host_heap *script_heap(uint32_t map_bytes, struct script_blocks *blocks, const char *script)
{
    struct oracle *oracle = oracle_new(tested_strategy, map_bytes);
    struct host_heap *host = oracle->host;
    script_run(oracle, blocks, script);
    free(oracle);
    return host;
}

void script_table(const struct script_row *rows, size_t count)
{
    for (const struct script_row *row = rows; row < rows + count; row++) {
        char picture[PICTURE_BYTES];
        struct script_blocks blocks = {{NULL}};
        struct host_heap *host = script_heap(row->map_bytes, &blocks, row->script);
        picture_draw(host, picture);
        if (strcmp(picture, row->picture) != 0)
            fail_msg("%s: \"%s\" leaves %s; expected %s", row->claim, row->script, picture,
                     row->picture);
        host_heap_delete(host);
    }
}
