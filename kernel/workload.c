/* SPDX-License-Identifier: MIT */
#include "workload.h"

#include "format.h"
#include "workload_maker.h"

static const struct workload_family *const tables[] = {
    workload_loads, workload_simulations, workload_benchmarks, workload_adversaries};

enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

static char message[640];

/* --- what a name may be ---------------------------------------------------------------------- */

static void say(const char *text)
{
    uint32_t said = (uint32_t)(text_of(message).end - message);
    format_text(message + said, sizeof(message) - said, "%s", text);
}

static void say_form(const struct workload_family *family)
{
    say(" ");
    say(family->name);
    for (const struct workload_argument *argument = family->arguments; argument->name != NULL;
         argument++) {
        say(argument->otherwise != 0 ? "[-" : "-");
        say(argument->name);
        say(argument->otherwise != 0 ? "]" : "");
    }
}

static const char *refuse_name(void)
{
    message[0] = '\0';
    say("workload: there is none of that name; there are:");
    for (uint32_t table = 0; table < TABLES; table++)
        for (const struct workload_family *family = tables[table]; family->name != NULL; family++)
            say_form(family);
    say("; MIX is one of:");
    for (const struct size_mix *mix = size_mixes; mix->name != NULL; mix++) {
        say(" ");
        say(mix->name);
    }
    return message;
}

/* --- names --------------------------------------------------------------------------------- */

/* Takes what stands before the next '-' off the front of *name; what is left begins with it. */
static struct text take_part(struct text *name)
{
    struct text part = {name->next, name->next};
    while (part.end < name->end && *part.end != '-')
        part.end++;
    name->next = part.end;
    return part;
}

static const struct workload_family *family_named(struct text name)
{
    for (uint32_t table = 0; table < TABLES; table++)
        for (const struct workload_family *family = tables[table]; family->name != NULL; family++)
            if (text_is(name, family->name))
                return family;
    return NULL;
}

static bool is_mix(const struct workload_argument *argument)
{
    return argument->min == 0 && argument->max == 0;
}

/* Takes one argument, and the '-' before it, off the front of *name. */
static bool read_argument(struct text *name, const struct workload_argument *argument,
                          struct workload_maker *maker, uint32_t *number)
{
    if (name->next == name->end) {
        *number = argument->otherwise;
        return argument->otherwise != 0;
    }
    name->next++;
    struct text part = take_part(name);
    if (!is_mix(argument))
        return text_number(part, number) && *number >= argument->min && *number <= argument->max;
    maker->mix = size_mix_named(part);
    return maker->mix != NULL;
}

/* Returns: whether what follows the family's name is what it takes. */
static bool read_arguments(struct text *name, const struct workload_family *family,
                           struct workload_maker *maker)
{
    uint32_t numbers = 0;
    for (const struct workload_argument *argument = family->arguments; argument->name != NULL;
         argument++) {
        if (!read_argument(name, argument, maker, &maker->numbers[numbers]))
            return false;
        numbers += !is_mix(argument);
    }
    return name->next == name->end;
}

const char *workload_make(struct text name, uint32_t seed, uint32_t heap_bytes,
                          uint32_t operations_max, struct trace *trace)
{
    struct workload_maker maker = {
        .builder = {.trace = trace},
        .random = random_seeded(seed),
        .heap_bytes = heap_bytes,
        .operations_max = operations_max,
        .operations_until = UINT32_MAX,
    };
    const struct workload_family *family = family_named(take_part(&name));
    if (family == NULL || !read_arguments(&name, family, &maker))
        return refuse_name();
    if (!family->make(&maker))
        return "too little RAM beside the heap for the workload's tables";
    if (maker.builder.overflowed)
        return "workload: it outgrew the tables that its name promised";
    return NULL;
}
