/* SPDX-License-Identifier: MIT */
/* What a trial took of the scratch memory is given back behind it; its costs are what they are
 * when its trace is replayed alone, for kinitHeap() forgets all that was. */
#include "trials.h"

#include "console.h"
#include "format.h"
#include "heap.h"
#include "heap_strategy.h"
#include "memory.h"
#include "replay.h"
#include "runner.h"
#include "text.h"
#include "trace.h"

enum { KIB = 1024 };

static char message[352];

/* Returns: the line without its end; *rest begins behind it. */
static struct text take_line(struct text *rest)
{
    struct text line = {rest->next, rest->next};
    while (line.end < rest->end && *line.end != '\n')
        line.end++;
    rest->next = line.end < rest->end ? line.end + 1 : line.end;
    return line;
}

/* Takes the next trace, and the line that ends it. Returns: whether there is that line. */
static bool take_trace(struct text *rest, struct text *trace)
{
    *trace = (struct text){rest->next, rest->next};
    while (rest->next < rest->end) {
        struct text line = take_line(rest);
        if (text_is(line, "end"))
            return true;
        trace->end = rest->next;
    }
    return false;
}

static void report_trial(const struct replay *replay)
{
    console_report("trial: {\"operations\":%u,\"failures\":%u,\"malloc\":%u,\"free\":%u,"
                   "\"placement_hash\":\"%08x%08x\"}\n",
                   replay->operations, replay->failures, replay->malloc.max, replay->free.max,
                   (uint32_t)(replay->placement_hash >> 32), (uint32_t)replay->placement_hash);
}

/* Returns: NULL, or what is wrong, in words. */
static const char *run_trial(const struct job *job, struct text text)
{
    static struct trace trace;
    static struct replay replay;
    const char *wrong = trace_read(text, job->operations, &trace);
    if (wrong == NULL)
        wrong = replay_trace(&trace, job, &replay);
    if (wrong == NULL)
        report_trial(&replay);
    return wrong;
}

enum machine_status run_trials(const struct job *job, const struct boot_module *module)
{
    uint32_t trials = 0;
    if (module == NULL)
        return run_refused("there are no traces: they are the first boot module");
    struct text rest = {(const char *)module->start, (const char *)module->end};
    struct text text;
    for (; rest.next < rest.end; trials++) {
        uint8_t *mark = scratch_mark();
        const char *wrong = take_trace(&rest, &text) ? run_trial(job, text)
                                                     : "its trace is not ended by a line 'end'";
        if (wrong != NULL)
            return run_refused(format_text(message, sizeof(message), "trial %u: %s", trials, wrong));
        scratch_release(mark);
    }
    console_report("result: {\"strategy\":\"%s\",\"heap_kib\":%u,\"hardening\":\"%s\","
                   "\"trials\":%u}\n",
                   kheap_strategy()->name, kheap()->region.arena_bytes / KIB, kheap_hardening(),
                   trials);
    return MACHINE_DONE;
}
