/* SPDX-License-Identifier: MIT */
/*
 * A report is one line that says everything, and below it who called and what the memory
 * around the address looks like. Beyond MISUSE_REPORTS_MAX misuses are only counted: a loop
 * that goes wrong must not fill the console.
 */
#include "misuse.h"

#include <stdbool.h>
#include <stdarg.h>
#include <stddef.h>

#include "console.h"
#include "format.h"
#include "heap.h"
#include "heap_strategy.h"
#include "machine.h"
#include "panic.h"

enum { TEXT_BYTES = 400, NAME_BYTES = 80, DUMP_LINE_BYTES = 16, LEAKS_MAX = 32 };

static enum misuse_policy policy = PANIC_ON_MISUSE ? MISUSE_STOP : MISUSE_REPORT;
static misuse_listener *listener;

void misuse_set_policy(enum misuse_policy wanted)
{
    policy = wanted;
}

void misuse_listen(misuse_listener *hear)
{
    listener = hear;
}

/* --- the line ------------------------------------------------------------------------------ */

struct line {
    char text[TEXT_BYTES];
    uint32_t length;
};

__attribute__((format(printf, 2, 3)))
static void add(struct line *line, const char *format, ...);

static void put_in_line(void *context, char character)
{
    struct line *line = context;
    if (line->length + 1 < sizeof(line->text))
        line->text[line->length++] = character;
}

static void add(struct line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    format_to(put_in_line, line, format, arguments);
    va_end(arguments);
}

static void add_name(struct line *line, const char *what, const void *address)
{
    char name[NAME_BYTES];
    if (address != NULL)
        add(line, "%s%s", what, machine_name_of(address, name, sizeof(name)));
}

static void add_life(struct line *line, const struct heap_life *life)
{
    add_name(line, ", allocated by ", life->allocated_by);
    if (life->number != 0)
        add(line, " as number %u", life->number);
    add_name(line, ", freed by ", life->freed_by);
}

static void add_bytes(struct line *line, uint32_t bytes, const char *where)
{
    add(line, "%u byte%s %s", bytes, bytes == 1 ? "" : "s", where);
}

/* "64 bytes into a live block of 200 bytes at 0x0012a000". */
static void add_position(struct line *line, const uint8_t *address, const char *what,
                         const struct heap_life *life)
{
    const uint8_t *end = life->block + life->bytes;
    if (address < life->block)
        add_bytes(line, (uint32_t)(life->block - address), "before");
    else if (address == life->block)
        add(line, "at the start of");
    else if (address < end)
        add_bytes(line, (uint32_t)(address - life->block), "into");
    else if (address == end)
        add(line, "right behind");
    else
        add_bytes(line, (uint32_t)(address - end), "behind");
    add(line, " a %s", what);
    if (life->bytes > 0)
        add(line, " of %u bytes", life->bytes);
    add(line, " at %p", (const void *)life->block);
    add_life(line, life);
}

static void add_place(struct line *line, const uint8_t *address,
                      const struct heap_explanation *explanation)
{
    const struct heap_region *region = &kheap()->region;
    switch (explanation->place) {
    case HEAP_PLACE_OUTSIDE:
        add(line, "lies outside the heap, which is %p to %p", (const void *)region->map,
            (const void *)(region->arena + region->arena_bytes));
        break;
    case HEAP_PLACE_META:
        add(line, "lies in what the heap keeps for itself");
        break;
    case HEAP_PLACE_LIVE:
        add(line, "lies ");
        add_position(line, address, "live block", &explanation->life);
        break;
    case HEAP_PLACE_FREED:
        add(line, "lies ");
        add_position(line, address, "freed block", &explanation->life);
        break;
    case HEAP_PLACE_HOLE:
        add(line, "lies ");
        add_position(line, address, "hole", &explanation->life);
        break;
    case HEAP_PLACE_UNKNOWN:
        add(line, "cannot be told, for the heap is damaged: %s",
            explanation->damage != NULL ? explanation->damage : "no block has it");
        break;
    }
}

static void add_before(struct line *line, const struct heap_explanation *explanation)
{
    const struct heap_life *before = &explanation->before;
    if (before->block == NULL || explanation->life.freed_by != NULL)
        return;
    add(line, "; a block of %u bytes was there", before->bytes);
    add_life(line, before);
}

/* Whether it is the start of a block that was freed and not handed out again since. */
static bool is_known_freed(const uint8_t *address, const struct heap_explanation *explanation)
{
    bool is_start = explanation->place == HEAP_PLACE_FREED && address == explanation->life.block;
    bool was_start = explanation->place == HEAP_PLACE_HOLE ||
                     explanation->place == HEAP_PLACE_FREED;
    return is_start || (was_start && explanation->before.block != NULL);
}

/* What kind of wrong address it is, in the words of a caller's mistake. */
static const char *kind_of(const uint8_t *address, const struct heap_explanation *explanation)
{
    if (explanation->place == HEAP_PLACE_OUTSIDE)
        return "a foreign address";
    if ((uintptr_t)address % HEAP_ALIGNMENT_BYTES != 0)
        return "an unaligned address";
    if (is_known_freed(address, explanation))
        return "a block freed before";
    if (explanation->place == HEAP_PLACE_FREED || explanation->place == HEAP_PLACE_HOLE)
        return "free memory";
    if (explanation->place == HEAP_PLACE_LIVE)
        return "an interior address";
    return explanation->place == HEAP_PLACE_META ? "the heap's own memory" : "an address";
}

static const char *const damages[] = {
    [HEAP_SIN_OVERRUN] = "overrun",
    [HEAP_SIN_UNDERRUN] = "underrun",
    [HEAP_SIN_PLATE_LOST] = "underrun, or overrun of the block before",
    [HEAP_SIN_WRITTEN_FREED] = "write after free",
};

const char *misuse_text(const struct heap_misuse *misuse)
{
    static struct line line;
    struct heap_explanation explanation;
    const uint8_t *address = misuse->address;
    line.length = 0;
    heap_explain(address, &explanation);
    if (misuse->sin == HEAP_SIN_WRONG_ADDRESS)
        add(&line, "%s of %s: %p ", misuse->function, kind_of(address, &explanation),
            misuse->address);
    else
        add(&line, "%s, found by %s: the byte at %p, now 0x%02x, ", damages[misuse->sin],
            misuse->function, misuse->address, *address);
    add_place(&line, address, &explanation);
    add_before(&line, &explanation);
    line.text[line.length] = '\0';
    return line.text;
}

/* --- what stands below it ------------------------------------------------------------------- */

static void dump_line(const uint8_t *bytes)
{
    console_print("  %p ", (const void *)bytes);
    for (uint32_t i = 0; i < DUMP_LINE_BYTES; i++)
        console_print(" %02x", bytes[i]);
    console_print("  ");
    for (uint32_t i = 0; i < DUMP_LINE_BYTES; i++)
        console_print("%c", bytes[i] >= ' ' && bytes[i] < 0x7f ? bytes[i] : '.');
    console_print("\n");
}

/* The line of memory that address is in, and two on either side, as far as there is heap. */
static void dump_around(const uint8_t *address)
{
    const struct heap_region *region = &kheap()->region;
    uint32_t region_bytes = region->map_bytes + region->arena_bytes;
    uintptr_t line = (uintptr_t)address - (uintptr_t)address % DUMP_LINE_BYTES;
    for (int32_t i = -2; i <= 2; i++) {
        uintptr_t at = line + (uintptr_t)(i * DUMP_LINE_BYTES);
        if (at - (uintptr_t)region->map <= region_bytes - DUMP_LINE_BYTES)
            dump_line((const uint8_t *)at);
    }
}

static void report(const struct heap_misuse *misuse)
{
    char name[NAME_BYTES];
    console_print("misuse: %s\n", misuse_text(misuse));
    console_print("  %s was called by %s\n", misuse->function,
                  machine_name_of(misuse->caller, name, sizeof(name)));
    dump_around(misuse->address);
}

void heap_misused(const struct heap_misuse *misuse)
{
    static uint32_t reports;
    if (listener != NULL)
        listener(misuse);
    if (policy == MISUSE_IGNORE)
        return;
    if (policy == MISUSE_STOP || reports < MISUSE_REPORTS_MAX)
        report(misuse);
    if (policy == MISUSE_STOP)
        panic("the heap was misused");
    if (++reports == MISUSE_REPORTS_MAX)
        console_print("misuse: further ones are only counted\n");
}

void heap_panic(const char *format, ...)
{
    struct line line = {.length = 0};
    va_list arguments;
    va_start(arguments, format);
    format_to(put_in_line, &line, format, arguments);
    va_end(arguments);
    panic("%s", line.text);
}

void misuse_print_leaks(void)
{
    static struct heap_leak leaks[LEAKS_MAX];
    uint32_t count = heap_leaks(leaks, LEAKS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        char name[NAME_BYTES];
        console_print("leak: %u blocks, %u bytes, allocated by %s, the oldest as number %u\n",
                      leaks[i].blocks, leaks[i].bytes,
                      machine_name_of(leaks[i].allocated_by, name, sizeof(name)),
                      leaks[i].oldest.number);
    }
    if (count == LEAKS_MAX)
        console_print("leak: there may be more\n");
}
