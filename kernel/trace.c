/* SPDX-License-Identifier: MIT */
/*
 * Source: CS:APP, "Malloc Lab", the trace format of mdriver: four header lines (suggested
 * heap bytes, number of ids, number of operations, weight), then one operation a line.
 * Stricter than mdriver, which trusts its traces: see docs/runner.md.
 */
#include "trace.h"

#include "format.h"
#include "memory.h"

enum { HEADER_LINES = 4, GZIP_MAGIC_1 = 0x1f, GZIP_MAGIC_2 = 0x8b };

struct traced_block {
    bool is_live;
    uint32_t size; /* requested bytes; 0 while not live */
};

struct reader {
    struct text rest;
    uint32_t line; /* of the word last taken, from 1 */
    struct traced_block *blocks; /* by id */
    uint64_t requested; /* live bytes, summed up */
    uint64_t peak;      /* of requested, among the operations kept */
    const char *wrong;  /* the first thing found wrong, or NULL */
};

static char message[160];

static const char *header_names[HEADER_LINES] = {
    "suggested heap size", "number of ids", "number of operations", "weight"};

static void refuse(struct reader *reader, const char *what)
{
    if (reader->wrong == NULL)
        reader->wrong = format_text(message, sizeof(message), "trace, line %u: %s", reader->line,
                                    what);
}

static void refuse_id(struct reader *reader, const char *what, uint32_t id)
{
    char text[96];
    refuse(reader, format_text(text, sizeof(text), what, id));
}

/* Moves to the next line that has a word on it. Returns: false at the end of the text. */
static bool next_line(struct reader *reader)
{
    struct text *rest = &reader->rest;
    reader->line++;
    for (; rest->next < rest->end && (text_is_blank(*rest->next) || *rest->next == '\n');
         rest->next++)
        reader->line += *rest->next == '\n';
    return rest->next < rest->end;
}

/* Verifies that nothing is left on this line, and takes its end. */
static void end_line(struct reader *reader)
{
    struct text word = text_take_word(&reader->rest);
    if (word.next < word.end)
        refuse(reader, "more words than belong on the line");
    struct text *rest = &reader->rest;
    while (rest->next < rest->end && *rest->next != '\n')
        rest->next++;
    if (rest->next < rest->end)
        rest->next++;
}

static uint32_t take_number(struct reader *reader, const char *what)
{
    uint32_t value = 0;
    char text[96];
    if (!text_number(text_take_word(&reader->rest), &value))
        refuse(reader, format_text(text, sizeof(text),
                                   "the %s is not a number from 0 to 4294967295", what));
    return value;
}

static void read_header(struct reader *reader, struct trace *trace)
{
    uint32_t values[HEADER_LINES] = {0};
    for (uint32_t i = 0; i < HEADER_LINES && reader->wrong == NULL; i++) {
        if (!next_line(reader)) {
            refuse(reader, "the text ends before the four header lines do");
            return;
        }
        values[i] = take_number(reader, header_names[i]);
        end_line(reader);
    }
    trace->id_count = values[1];
    trace->operation_count = values[2];
}

static void read_kind(struct reader *reader, struct trace_operation *operation)
{
    struct text word = text_take_word(&reader->rest);
    if (text_is(word, "a"))
        operation->kind = TRACE_ALLOC;
    else if (text_is(word, "r"))
        operation->kind = TRACE_REALLOC;
    else if (text_is(word, "f"))
        operation->kind = TRACE_FREE;
    else
        refuse(reader, "an operation is a, r or f");
}

static void account(struct reader *reader, const struct trace_operation *operation)
{
    struct traced_block *block = &reader->blocks[operation->id];
    if (operation->kind == TRACE_ALLOC && block->is_live)
        refuse_id(reader, "id %u is allocated while it is live", operation->id);
    if (operation->kind == TRACE_REALLOC && !block->is_live)
        refuse_id(reader, "id %u is reallocated, but it is not live", operation->id);
    if (operation->kind == TRACE_FREE && !block->is_live)
        refuse_id(reader, "id %u is freed, but it is not live", operation->id);
    reader->requested += operation->size;
    reader->requested -= block->size;
    block->size = operation->size;
    block->is_live = operation->kind != TRACE_FREE;
}

static void read_operation(struct reader *reader, const struct trace *trace,
                           struct trace_operation *operation)
{
    *operation = (struct trace_operation){0};
    read_kind(reader, operation);
    operation->id = take_number(reader, "id");
    if (operation->kind != TRACE_FREE)
        operation->size = take_number(reader, "size");
    end_line(reader);
    if (operation->id >= trace->id_count)
        refuse_id(reader, "id %u is not below the number of ids in the header", operation->id);
    if (reader->wrong == NULL)
        account(reader, operation);
}

static void allocate_tables(struct reader *reader, struct trace *trace, uint32_t kept)
{
    /* "f 0" and a line end are 4 bytes, the last end may be missing: no header can ask for more. */
    uint32_t text_bytes = (uint32_t)(reader->rest.end - reader->rest.next);
    uint32_t id_bytes, operation_bytes;
    if (trace->operation_count > text_bytes / 3) {
        refuse(reader, "the header promises more operations than the text can hold");
        return;
    }
    if (__builtin_mul_overflow(trace->id_count, (uint32_t)sizeof(*reader->blocks), &id_bytes))
        id_bytes = UINT32_MAX;
    if (__builtin_mul_overflow(kept, (uint32_t)sizeof(*trace->operations), &operation_bytes))
        operation_bytes = UINT32_MAX;
    trace->operations = scratch_alloc(operation_bytes);
    reader->blocks = scratch_alloc(id_bytes);
    if (trace->operations == NULL || reader->blocks == NULL)
        refuse(reader, "too little RAM beside the heap for so many ids and operations");
}

static void read_operations(struct reader *reader, struct trace *trace, uint32_t kept)
{
    uint32_t count = 0;
    for (; reader->wrong == NULL && next_line(reader); count++) {
        struct trace_operation operation;
        read_operation(reader, trace, &operation);
        if (count < kept) {
            trace->operations[count] = operation;
            if (reader->requested > reader->peak)
                reader->peak = reader->requested;
        }
        if (count >= trace->operation_count)
            refuse(reader, "there are more operations than the header says");
    }
    if (count < trace->operation_count)
        refuse(reader, "there are fewer operations than the header says");
}

const char *trace_read(struct text text, uint32_t operations_max, struct trace *trace)
{
    struct reader reader = {.rest = text};
    *trace = (struct trace){0};
    if (text.end - text.next >= 2 && (uint8_t)text.next[0] == GZIP_MAGIC_1 &&
        (uint8_t)text.next[1] == GZIP_MAGIC_2)
        return "trace: still packed with gzip; unpack it (GRUB does, with insmod gzio)";
    read_header(&reader, trace);
    uint32_t kept =
        trace->operation_count < operations_max ? trace->operation_count : operations_max;
    if (reader.wrong == NULL)
        allocate_tables(&reader, trace, kept);
    if (reader.wrong == NULL)
        read_operations(&reader, trace, kept);
    trace->operation_count = kept;
    trace->peak_requested_bytes = reader.peak > UINT32_MAX ? UINT32_MAX : (uint32_t)reader.peak;
    return reader.wrong;
}

const char *trace_scale(struct trace *trace, uint32_t factor)
{
    for (uint32_t i = 0; i < trace->operation_count; i++) {
        struct trace_operation *operation = &trace->operations[i];
        if (__builtin_mul_overflow(operation->size, factor, &operation->size))
            return "scale: a request would be larger than 32 bits can say";
    }
    if (__builtin_mul_overflow(trace->peak_requested_bytes, factor, &trace->peak_requested_bytes))
        trace->peak_requested_bytes = UINT32_MAX;
    return NULL;
}
