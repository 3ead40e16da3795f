/* SPDX-License-Identifier: MIT */
#include "story.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "picture.h"

/* The block that a call is about, by its id; for alloc, the one that it would make. */
static uint32_t id_of(const struct caller *caller, const struct call *call)
{
    const struct oracle_state *state = &caller->oracle->state;
    if (call->kind == CALL_MISUSE)
        return ORACLE_UNKNOWN;
    return call->kind == CALL_ALLOC ? state->ids : state->block[call->block].id;
}

static void tell_call(const struct call *call, uint32_t id, FILE *out)
{
    if (call->kind == CALL_ALLOC && call->align > HEAP_ALIGNMENT_BYTES)
        fprintf(out, "block %u = kmalloc_aligned(%u, %u)", id, call->bytes, call->align);
    else if (call->kind == CALL_ALLOC)
        fprintf(out, "block %u = kmalloc(%u)", id, call->bytes);
    else if (call->kind == CALL_REALLOC)
        fprintf(out, "krealloc(block %u, %u)", id, call->bytes);
    else if (call->kind == CALL_FREE)
        fprintf(out, "kfree(block %u)", id);
    else
        fprintf(out, "kfree(offset %d), where no live block is", (int32_t)call->bytes);
    fflush(out);
}

/* Where the block lies that the call was about. */
static void tell_outcome(const struct caller *caller, const struct call *call, uint32_t id,
                         FILE *out)
{
    const struct oracle_state *state = &caller->oracle->state;
    uint32_t index = 0;
    while (index < state->count && state->block[index].id != id)
        index++;
    if (index < state->count)
        fprintf(out, ": %u bytes at offset %u\n", state->block[index].usable,
                (uint32_t)(state->block[index].address - caller->oracle->host->heap.region.map));
    else
        fputs(call->kind == CALL_ALLOC ? ": refused\n" : "\n", out);
}

static void tell_picture(const struct caller *caller, FILE *out)
{
    char picture[PICTURE_BYTES];
    bool drawn = picture_try(caller->oracle->host, picture);
    fprintf(out, "     %s\n", drawn ? picture : "(its walk() does not come to an end)");
}

/* Returns: what is wrong. */
static const char *tell_one(struct caller *caller, const struct call *call, FILE *out)
{
    uint32_t id = id_of(caller, call);
    tell_call(call, id, out);
    const char *wrong = caller_make(caller, call);
    if (wrong == NULL)
        tell_outcome(caller, call, id, out);
    else
        fputc('\n', out);
    return wrong != NULL ? wrong : oracle_verify(caller->oracle);
}

static void tell_last(struct caller *caller, const struct story *story, FILE *out)
{
    const struct call *call = &story->calls[story->count - 1];
    const char *wrong = NULL;
    tell_picture(caller, out);
    fprintf(out, "  %u. ", story->count);
    if (story->last_is_fatal) {
        tell_call(call, id_of(caller, call), out);
        fputc('\n', out);
    } else {
        wrong = tell_one(caller, call, out);
    }
    if (!story->last_is_fatal)
        tell_picture(caller, out);
    fprintf(out, "     wrong: %s\n", wrong != NULL ? wrong : story->why);
}

static void tell_calls(const struct story *story, FILE *out)
{
    struct caller *caller = caller_new(story->strategy, story->map_bytes);
    const char *wrong = NULL;
    for (uint32_t i = 0; i + 1 < story->count && wrong == NULL; i++) {
        fprintf(out, "  %u. ", i + 1);
        wrong = tell_one(caller, &story->calls[i], out);
    }
    if (wrong == NULL && story->count > 0)
        tell_last(caller, story, out);
    else
        fprintf(out, "     wrong: %s\n", wrong != NULL ? wrong : story->why);
    caller_delete(caller);
}

static void write_operation(const struct caller *caller, const struct call *call, FILE *out)
{
    if (call->kind == CALL_FREE)
        fprintf(out, "f %u\n", id_of(caller, call));
    else if (call->kind != CALL_MISUSE)
        fprintf(out, "%c %u %u\n", call->kind == CALL_ALLOC ? 'a' : 'r', id_of(caller, call),
                call->bytes);
}

/* Whatever was allocated and not freed. */
static void write_frees(const struct story *story, const bool *freed, FILE *out)
{
    uint32_t id = 0;
    for (uint32_t i = 0; i < story->count; i++)
        if (story->calls[i].kind == CALL_ALLOC && !freed[id++])
            fprintf(out, "f %u\n", id - 1);
}

static void write_header(const struct story *story, FILE *out)
{
    uint32_t count[CALL_MISUSE + 1] = {0};
    for (uint32_t i = 0; i < story->count; i++)
        count[story->calls[i].kind]++;
    fprintf(out, "%u\n%u\n%u\n1\n", story->map_bytes * HEAP_BYTES_PER_MAP_BYTE,
            count[CALL_ALLOC], 2 * count[CALL_ALLOC] + count[CALL_REALLOC]);
}

static void write_operations(const struct story *story, FILE *out)
{
    bool *freed = calloc(story->count + 1, sizeof(*freed));
    struct caller *caller = caller_new(story->strategy, story->map_bytes);
    const char *wrong = NULL;
    for (uint32_t i = 0; i < story->count && wrong == NULL; i++) {
        const struct call *call = &story->calls[i];
        write_operation(caller, call, out);
        if (call->kind == CALL_FREE)
            freed[id_of(caller, call)] = true;
        if (i + 1 < story->count)
            wrong = caller_make(caller, call);
    }
    write_frees(story, freed, out);
    caller_delete(caller);
    free(freed);
}

static bool write_rep(const struct story *story, const char *path)
{
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return false;
    write_header(story, out);
    write_operations(story, out);
    return fclose(out) == 0;
}

void story_tell(const struct story *story, const char *rep_path, FILE *out)
{
    fprintf(out, "%s goes wrong on a heap of %u + %u bytes, after %u call%s:\n",
            story->strategy->name, story->map_bytes, story->map_bytes * HEAP_BYTES_PER_MAP_BYTE,
            story->count, story->count == 1 ? "" : "s");
    tell_calls(story, out);
    if (write_rep(story, rep_path))
        fprintf(out, "As a trace: host-%s map_bytes=%u run=replay %s\n", story->strategy->name,
                story->map_bytes, rep_path);
    else
        fprintf(out, "error: %s: %s\n", rep_path, strerror(errno));
    fflush(out);
}
