/* SPDX-License-Identifier: MIT */
/*
 * The kernel's runner as an ordinary program: host-<strategy> [WORDS...] [FILE.rep].
 * docs/runner.md describes the words; those with a file name or kib= are understood here.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bulk.h"
#include "clock.h"
#include "console.h"
#include "experiment.h"
#include "format.h"
#include "hammer.h"
#include "heap.h"
#include "heap_strategy.h"
#include "memory.h"
#include "misuse_run.h"
#include "region.h"
#include "replay.h"
#include "runner.h"
#include "shell.h"
#include "smallest.h"
#include "trials.h"

enum { COMMAND_LINE_BYTES = 1024, KIB = 1024, MIB = 1024 * 1024 };
enum { HEAP_KIB_MIN = 64, HEAP_KIB_MAX = 65536 };

struct invocation {
    char command_line[COMMAND_LINE_BYTES];
    const char *trace_path; /* NULL if none was given */
    uint32_t kib;
    uint32_t map_bytes; /* instead of kib, unless 0 */
};

static _Noreturn void refuse(const char *what, const char *which)
{
    console_print("error: %s: %s\n", which, what);
    machine_stop(MACHINE_FAILED);
}

static void add_word(struct invocation *invocation, const char *word)
{
    if (strlen(invocation->command_line) + strlen(word) + 2 > COMMAND_LINE_BYTES)
        refuse("the command line is too long", word);
    strcat(invocation->command_line, word);
    strcat(invocation->command_line, " ");
}

static void read_argument(struct invocation *invocation, const char *argument)
{
    struct text word = text_of(argument);
    if (text_take_name(&word, "kib")) {
        if (!text_number(word, &invocation->kib) || invocation->kib < HEAP_KIB_MIN ||
            invocation->kib > HEAP_KIB_MAX)
            refuse("kib is a number from 64 to 65536", argument);
    } else if (text_take_name(&word, "map_bytes")) {
        if (!text_number(word, &invocation->map_bytes) ||
            invocation->map_bytes % REGION_MAP_BYTES_STEP != 0 ||
            invocation->map_bytes > REGION_MAP_BYTES_MAX)
            refuse("map_bytes is a multiple of 8 up to 1048576", argument);
    } else if (text_take_name(&word, "placements")) {
        if (!bulk_open(word.next))
            refuse(strerror(errno), word.next);
        add_word(invocation, "placements");
    } else if (text_is(word, "changes")) {
        add_word(invocation, "changes");
    } else if (strchr(argument, '=') != NULL) {
        if (text_is(word, "unit=cycles"))
            clock_use();
        add_word(invocation, argument);
    } else if (invocation->trace_path == NULL) {
        invocation->trace_path = argument;
    } else {
        refuse("only one trace can be replayed at a time", argument);
    }
}

/* The whole file, as if a boot loader had put it there. */
static const struct boot_module *load(const char *path)
{
    static struct boot_module module;
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        refuse(strerror(errno), path);
    uint8_t *bytes = NULL;
    size_t length = 0, room = 0;
    do {
        if (length == room) {
            room += MIB;
            bytes = realloc(bytes, room);
            if (bytes == NULL)
                refuse("does not fit into memory", path);
        }
        length += fread(bytes + length, 1, room - length, file);
    } while (!feof(file) && !ferror(file));
    if (ferror(file))
        refuse("cannot be read", path);
    fclose(file);
    module = (struct boot_module){.start = bytes, .end = bytes + length, .name = path};
    return &module;
}

/*
 * Memory for a trace and its replay (trace.h and replay.h say how much an operation and an id
 * take): what its lines, each of them an operation and an id at most, can ask for, and some.
 */
static uint64_t scratch_bytes_for(const struct boot_module *module)
{
    enum { OPERATION_BYTES = 12 + 8, ID_BYTES = 8 + 8, SPARE_BYTES = 16 * MIB };
    uint64_t lines = 1;
    for (const uint8_t *next = module->start; next < module->end; next++)
        lines += *next == '\n';
    return lines * (OPERATION_BYTES + ID_BYTES) + SPARE_BYTES;
}

/* module: NULL if there is none. */
static void prepare_scratch(const struct boot_module *module)
{
    enum { WORKLOAD_BYTES = 256 * MIB };
    uint64_t bytes = module != NULL ? scratch_bytes_for(module) : WORKLOAD_BYTES;
    uint8_t *scratch = bytes <= SIZE_MAX ? malloc((size_t)bytes) : NULL;
    char what[80];
    if (scratch == NULL)
        refuse(format_text(what, sizeof(what),
                           "there are no %llu MiB of memory for a trace's operations and ids",
                           (unsigned long long)(bytes / MIB)),
               module != NULL ? module->name : "workload");
    scratch_init(scratch, scratch + bytes);
}

static enum machine_status run_smallest(const struct job *job, const struct boot_module *module)
{
    struct trace trace;
    const char *wrong = run_find_trace(job, module, &trace);
    if (wrong == NULL && trace.ends_at_failure)
        wrong = "a workload that fills the heap fits into none";
    if (wrong != NULL)
        return run_refused(wrong);
    struct player_block *blocks = calloc(trace.id_count, sizeof(*blocks));
    if (blocks == NULL && trace.id_count > 0)
        return run_refused("too little memory for the trace's ids");
    uint32_t smallest = smallest_total_bytes(&trace, blocks);
    free(blocks);
    console_report("result: {\"strategy\":\"%s\",\"smallest_total_bytes\":%u,"
                   "\"peak_requested_bytes\":%u}\n",
                   kheap_strategy()->name, smallest, trace.peak_requested_bytes);
    return MACHINE_DONE;
}

/* Writes the trace as .rep text, of the same operations whatever the heap. */
static enum machine_status run_print(const struct job *job, const struct boot_module *module)
{
    struct trace trace;
    const char *wrong = run_find_trace(job, module, &trace);
    if (wrong != NULL)
        return run_refused(wrong);
    printf("%u\n%u\n%u\n1\n", kheap()->region.arena_bytes, trace.id_count,
           trace.operation_count);
    for (uint32_t i = 0; i < trace.operation_count; i++) {
        const struct trace_operation *operation = &trace.operations[i];
        if (operation->kind == TRACE_FREE)
            printf("f %u\n", operation->id);
        else
            printf("%c %u %u\n", "ar"[operation->kind], operation->id, operation->size);
    }
    return MACHINE_DONE;
}

static enum machine_status do_job(const struct job *job, const struct boot_module *module)
{
    if (job->kind == JOB_SMALLEST)
        return run_smallest(job, module);
    if (job->kind == JOB_TRIALS)
        return run_trials(job, module);
    if (job->kind == JOB_PRINT)
        return run_print(job, module);
    if (job->kind == JOB_RACE)
        return run_refused("run=race steps through the heap's code: only a kernel does");
    if (job->kind == JOB_PROCESSORS)
        return run_refused("run=processors starts processors: only the kernel can");
    if (job->kind == JOB_FAULT)
        return run_fault(job);
    if (job->kind == JOB_EXPERIMENT)
        return run_experiment(job);
    if (job->kind == JOB_HAMMER && job->interval != 0)
        return run_refused("interval= is for interrupts: only the kernel has them");
    if (job->kind == JOB_HAMMER)
        return run_hammer(job, module, job->processors);
    if (job->kind == JOB_MISUSE)
        return run_misuse(job);
    if (job->kind == JOB_SHELL)
        return run_shell(job, module, module != NULL);
    return job->kind == JOB_REPLAY ? run_replay(job, module) : run_tests(job);
}

int main(int argument_count, char **arguments)
{
    struct invocation invocation = {.kib = HEAP_KIB};
    setvbuf(stdout, NULL, _IOLBF, 0); /* progress lines must not wait for their reader */
    for (int i = 1; i < argument_count; i++)
        read_argument(&invocation, arguments[i]);
    struct job job;
    const char *wrong = job_parse(invocation.command_line, &job);
    if (wrong != NULL)
        machine_stop(run_refused(wrong));
    const struct boot_module *module =
        invocation.trace_path != NULL ? load(invocation.trace_path) : NULL;
    prepare_scratch(module);
    region_set(invocation.map_bytes != 0 ? invocation.map_bytes
                                         : invocation.kib * KIB / HEAP_BYTES_PER_MAP_BYTE);
    if (machine_counts())
        region_touch();
    kinitHeap();
    machine_stop(do_job(&job, module));
}
