/* SPDX-License-Identifier: MIT */
/* host-papers EXPERIMENT [WORDS...] [FILE.rep]; see experiment.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "experiment.h"
#include "memory.h"

enum { MIB = 1024 * 1024, SCRATCH_BYTES = 384 * MIB, KIB_MAX = 512 * 1024, ROOM_MAX = 64 };

/* A line for each strategy, generated from -Dstrategies. */
#define STRATEGY(name) extern const struct heap_strategy heap_##name;
#include "counting_strategies.inc"
#undef STRATEGY

static const struct heap_strategy *const strategies[] = {
#define STRATEGY(name) &heap_##name,
#include "counting_strategies.inc"
    NULL};

static const struct {
    const char *name;
    experiment *run;
} experiments[] = {
    {"play", experiment_play},
    {"robson", experiment_robson},
    {"queue", experiment_queue},
    {"rounding", experiment_rounding},
    {NULL, NULL},
};

static _Noreturn void refuse(const char *what, const char *which)
{
    printf("error: %s%s%s\n", which, which[0] != '\0' ? ": " : "", what);
    exit(EXIT_FAILURE);
}

void say_progress(uint32_t done, uint32_t total)
{
    printf("progress: %u %u\n", done, total);
}

/* --- words --------------------------------------------------------------------------------- */

static const struct heap_strategy *strategy_named(struct text name)
{
    const struct heap_strategy *const *strategy = strategies;
    while (*strategy != NULL && !text_is(name, (*strategy)->name))
        strategy++;
    return *strategy;
}

/* Returns: whether word is "name=" and a number; *number gets it. */
static bool take_number(struct text word, const char *name, uint32_t min, uint32_t max,
                        uint32_t *number)
{
    return text_take_name(&word, name) && text_number(word, number) && *number >= min &&
           *number <= max;
}

/* Returns: what follows "name=" in argument; NULL if it is another word. */
static const char *take_string(const char *argument, const char *name)
{
    struct text word = text_of(argument);
    return text_take_name(&word, name) ? word.next : NULL;
}

static bool read_string(const char *argument, struct setup *setup)
{
    const char *string;
    if ((string = take_string(argument, "workload")) != NULL)
        setup->workload = string;
    else if ((string = take_string(argument, "sizes")) != NULL)
        setup->sizes = string;
    else if ((string = take_string(argument, "out")) != NULL)
        setup->out = string;
    else if ((string = take_string(argument, "strategy")) != NULL)
        return (setup->strategy = strategy_named(text_of(string))) != NULL;
    return string != NULL;
}

static bool read_word(const char *argument, struct setup *setup)
{
    struct text word = text_of(argument);
    if (text_is(word, "until-failure"))
        return setup->until_failure = true;
    if (text_is(word, "textbook"))
        return setup->textbook = true;
    return take_number(word, "kib", 1, KIB_MAX, &setup->kib) ||
           take_number(word, "room", 1, ROOM_MAX, &setup->room) ||
           take_number(word, "seed", 1, UINT32_MAX, &setup->seed) ||
           take_number(word, "scale", 1, UINT32_MAX, &setup->scale) ||
           take_number(word, "operations", 1, UINT32_MAX, &setup->operations) ||
           take_number(word, "size", 1, UINT32_MAX, &setup->size) ||
           take_number(word, "number", 1, UINT32_MAX, &setup->number) ||
           read_string(argument, setup);
}

/* The whole file. */
static struct text load(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        refuse(strerror(errno), path);
    long length = ftell(file);
    rewind(file);
    char *text = malloc((size_t)length + 1);
    if (text == NULL || fread(text, 1, (size_t)length, file) != (size_t)length)
        refuse("cannot be read", path);
    fclose(file);
    return (struct text){text, text + length};
}

static void read_argument(const char *argument, struct setup *setup)
{
    size_t length = strlen(argument);
    if (length > 4 && strcmp(argument + length - 4, ".rep") == 0 && strchr(argument, '=') == NULL)
        setup->trace = load(argument);
    else if (!read_word(argument, setup))
        refuse("is no word of this program, or its value is out of range", argument);
}

static experiment *experiment_named(const char *name)
{
    for (int i = 0; experiments[i].name != NULL; i++)
        if (strcmp(experiments[i].name, name) == 0)
            return experiments[i].run;
    refuse("is no experiment; there are: play, robson, queue, rounding", name);
}

int main(int count, char **arguments)
{
    struct setup setup = {.kib = 1024, .room = 1, .seed = 1, .scale = 1, .operations = UINT32_MAX};
    setvbuf(stdout, NULL, _IOLBF, 0); /* progress lines must not wait for their reader */
    if (count < 2)
        refuse("which experiment? play, robson, queue or rounding", "");
    experiment *run = experiment_named(arguments[1]);
    for (int i = 2; i < count; i++)
        read_argument(arguments[i], &setup);
    if (setup.strategy == NULL)
        refuse("strategy=NAME is missing", arguments[1]);
    uint8_t *scratch = malloc(SCRATCH_BYTES);
    if (scratch == NULL)
        refuse("is not to be had", "memory for a trace");
    scratch_init(scratch, scratch + SCRATCH_BYTES);
    const char *wrong = run(&setup);
    if (wrong != NULL)
        refuse(wrong, "");
    return EXIT_SUCCESS;
}
