/* SPDX-License-Identifier: MIT */
#include "job.h"

#include <stddef.h>

#include "format.h"
#include "portrait.h"
#include "text.h"

static char message[128];

/* A word that stands for a number. A table of them ends with a NULL name. */
struct choice {
    const char *name;
    int value;
};

static const struct choice kinds[] = {
    {"tests", JOB_TESTS},
    {"replay", JOB_REPLAY},
    {"trials", JOB_TRIALS},
    {"smallest", JOB_SMALLEST},
    {"print", JOB_PRINT},
    {"fault", JOB_FAULT},
    {"experiment", JOB_EXPERIMENT},
    {"processors", JOB_PROCESSORS},
    {"misuse", JOB_MISUSE},
    {"shell", JOB_SHELL},
    {"hammer", JOB_HAMMER},
    {"race", JOB_RACE},
    {NULL, 0},
};

static const struct choice faults[] = {
    {"null", FAULT_NULL},           {"divide", FAULT_DIVIDE}, {"opcode", FAULT_OPCODE},
    {"read-only", FAULT_READ_ONLY}, {"stack", FAULT_STACK},   {"heap-stack", FAULT_HEAP_STACK},
    {"double", FAULT_DOUBLE},       {"panic", FAULT_PANIC},   {NULL, 0},
};

/* Returns: the entry called word; the last, which has no name, if there is none. */
static const struct choice *find_choice(const struct choice *choices, struct text word)
{
    while (choices->name != NULL && !text_is(word, choices->name))
        choices++;
    return choices;
}

static bool parse_kind(struct text word, struct job *job)
{
    const struct choice *choice = find_choice(kinds, word);
    job->kind = (enum job_kind)choice->value;
    return choice->name != NULL;
}

static bool parse_fault(struct text word, struct job *job)
{
    const struct choice *choice = find_choice(faults, word);
    job->fault = (enum machine_fault)choice->value;
    return choice->name != NULL;
}

static bool parse_unit(struct text word, struct job *job)
{
    job->counts_instructions = text_is(word, "instructions");
    return job->counts_instructions || text_is(word, "cycles");
}

/* What a name means is for those to say who are asked for it. */
static bool parse_text(struct text word, char *name, uint32_t name_bytes)
{
    uint32_t length = (uint32_t)(word.end - word.next);
    if (length == 0 || length >= name_bytes)
        return false;
    __builtin_memcpy(name, word.next, length);
    name[length] = '\0';
    return true;
}

/* "fail_nth=N": the Nth request and no other. */
static bool parse_nth(struct text word, struct heap_failing *failing)
{
    uint32_t number;
    if (!text_number(word, &number) || number == 0)
        return false;
    failing->skip = number - 1;
    failing->times = 1;
    return true;
}

/* Which requests are to fail: as struct heap_failing says. */
static bool parse_failing(struct text word, struct job *job)
{
    struct heap_failing *failing = &job->failing;
    job->fails = true;
    if (text_take_name(&word, "fail_nth"))
        return parse_nth(word, failing);
    if (text_take_name(&word, "fail_skip"))
        return text_number(word, &failing->skip);
    if (text_take_name(&word, "fail_interval"))
        return text_number(word, &failing->interval) && failing->interval > 0;
    if (text_take_name(&word, "fail_percent"))
        return text_number(word, &failing->probability_percent) &&
               failing->probability_percent <= 100;
    if (text_take_name(&word, "fail_times"))
        return text_number(word, &failing->times);
    return false;
}

/* Returns: whether word is one of ours and its value makes sense. */
static bool parse_word(struct text word, struct job *job)
{
    if (text_is(word, "placements"))
        return job->placements = true;
    if (text_is(word, "costs"))
        return job->costs = true;
    if (text_is(word, "warm"))
        return job->is_warm = true;
    if (text_is(word, "changes"))
        return job->changes = true;
    if (text_take_name(&word, "run"))
        return parse_kind(word, job);
    if (text_take_name(&word, "fault"))
        return parse_fault(word, job);
    if (text_take_name(&word, "workload"))
        return parse_text(word, job->workload, sizeof(job->workload));
    if (text_take_name(&word, "experiment"))
        return parse_text(word, job->experiment, sizeof(job->experiment));
    if (text_take_name(&word, "sin"))
        return parse_text(word, job->sin, sizeof(job->sin));
    if (text_take_name(&word, "unit"))
        return parse_unit(word, job);
    if (text_take_name(&word, "operations"))
        return text_number(word, &job->operations) && job->operations > 0;
    if (text_take_name(&word, "processors"))
        return text_number(word, &job->processors) && job->processors >= 1 &&
               job->processors <= JOB_PROCESSORS_MAX;
    if (text_take_name(&word, "interval"))
        return text_number(word, &job->interval) && job->interval <= JOB_INTERVAL_MAX;
    if (text_take_name(&word, "switches"))
        return parse_text(word, job->switches, sizeof(job->switches));
    if (text_take_name(&word, "bound"))
        return text_number(word, &job->bound) && job->bound >= 1 && job->bound <= JOB_BOUND_MAX;
    if (text_take_name(&word, "lock"))
        return job->lock_lets_interrupts_in = text_is(word, "unmasked");
    if (text_take_name(&word, "scale"))
        return text_number(word, &job->scale) && job->scale > 0;
    if (text_take_name(&word, "samples"))
        return text_number(word, &job->samples) && job->samples <= JOB_SAMPLES_MAX;
    if (text_take_name(&word, "portrait"))
        return text_number(word, &job->portrait_cells) &&
               job->portrait_cells <= PORTRAIT_CELLS_MAX;
    if (text_take_name(&word, "seed"))
        return text_number(word, &job->seed) && job->seed > 0;
    return parse_failing(word, job);
}

static bool is_control(char character)
{
    return (uint8_t)character < ' ' || character == 0x7f;
}

/* Adds word to shown, as much as fits; what a terminal would not show, as \xNN. */
static void show(char *shown, uint32_t shown_bytes, struct text word)
{
    for (; word.next < word.end; word.next++) {
        uint32_t used = (uint32_t)(text_of(shown).end - shown);
        format_text(shown + used, shown_bytes - used, is_control(*word.next) ? "\\x%02x" : "%c",
                    (uint8_t)*word.next);
    }
}

static const char *refuse(struct text word)
{
    char shown[48] = "";
    show(shown, sizeof(shown), word);
    return format_text(message, sizeof(message),
                       "command line: '%s' is no word this kernel knows, or its value is out of "
                       "range",
                       shown);
}

const char *job_parse(const char *command_line, struct job *job)
{
    *job = (struct job){
        .kind = JOB_TESTS,
        .operations = UINT32_MAX,
        .scale = 1,
        .samples = 256,
        .seed = 1,
        .processors = 1,
        .failing = {.interval = 1, .probability_percent = 100},
    };
    struct text rest = text_of(command_line);
    struct text word = text_take_word(&rest);
    for (; word.next < word.end; word = text_take_word(&rest))
        if (!parse_word(word, job))
            return refuse(word);
    job->failing.seed = job->seed;
    if (rest.next < rest.end) /* it stopped at a line end */
        return refuse(rest);
    return job->fails && job->kind != JOB_REPLAY
               ? "command line: fail_nth=, fail_skip= and the like go with run=replay"
               : NULL;
}
