/* SPDX-License-Identifier: MIT */
#include "job.h"

#include <stddef.h>

#include "format.h"
#include "text.h"

static char message[128];

static bool parse_kind(struct text word, struct job *job)
{
    if (text_is(word, "tests"))
        job->kind = JOB_TESTS;
    else if (text_is(word, "replay"))
        job->kind = JOB_REPLAY;
    else if (text_is(word, "smallest"))
        job->kind = JOB_SMALLEST;
    else
        return false;
    return true;
}

static bool parse_unit(struct text word, struct job *job)
{
    job->counts_instructions = text_is(word, "instructions");
    return job->counts_instructions || text_is(word, "cycles");
}

/* Returns: whether word is one of ours and its value makes sense. */
static bool parse_word(struct text word, struct job *job)
{
    if (text_is(word, "placements"))
        return job->placements = true;
    if (text_take_name(&word, "run"))
        return parse_kind(word, job);
    if (text_take_name(&word, "unit"))
        return parse_unit(word, job);
    if (text_take_name(&word, "operations"))
        return text_number(word, &job->operations) && job->operations > 0;
    if (text_take_name(&word, "samples"))
        return text_number(word, &job->samples) && job->samples <= JOB_SAMPLES_MAX;
    if (text_take_name(&word, "seed"))
        return text_number(word, &job->seed) && job->seed > 0;
    return false;
}

static const char *refuse(struct text word)
{
    char shown[48];
    uint32_t length = 0;
    for (; word.next < word.end && length < sizeof(shown) - 1; length++)
        shown[length] = *word.next++;
    shown[length] = '\0';
    return format_text(message, sizeof(message),
                       "command line: '%s' is no word this kernel knows, or its value is out of "
                       "range",
                       shown);
}

const char *job_parse(const char *command_line, struct job *job)
{
    *job = (struct job){
        .kind = JOB_TESTS, .operations = UINT32_MAX, .samples = 256, .seed = 1};
    struct text rest = text_of(command_line);
    struct text word = text_take_word(&rest);
    for (; word.next < word.end; word = text_take_word(&rest))
        if (!parse_word(word, job))
            return refuse(word);
    return NULL;
}
