/* SPDX-License-Identifier: MIT */
#include "story.h"

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
    picture_draw(caller->oracle->host, picture);
    fprintf(out, "     %s\n", picture);
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
    if (wrong == NULL && !story->last_is_fatal)
        tell_picture(caller, out);
    fprintf(out, "     wrong: %s\n", wrong != NULL ? wrong : story->why);
}

void story_tell(const struct story *story, FILE *out)
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

static void write_header(const struct story *story, FILE *out)
{
    uint32_t allocations = 0;
    uint32_t operations = 0;
    for (uint32_t i = 0; i < story->count; i++) {
        allocations += story->calls[i].kind == CALL_ALLOC;
        operations += story->calls[i].kind != CALL_MISUSE;
    }
    fprintf(out, "%u\n%u\n%u\n1\n", story->map_bytes * HEAP_BYTES_PER_MAP_BYTE, allocations,
            operations);
}

bool story_write_rep(const struct story *story, const char *path)
{
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return false;
    struct caller *caller = caller_new(story->strategy, story->map_bytes);
    const char *wrong = NULL;
    write_header(story, out);
    for (uint32_t i = 0; i < story->count && wrong == NULL; i++) {
        write_operation(caller, &story->calls[i], out);
        if (i + 1 < story->count)
            wrong = caller_make(caller, &story->calls[i]);
    }
    caller_delete(caller);
    return fclose(out) == 0;
}
