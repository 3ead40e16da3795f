/* SPDX-License-Identifier: MIT */
/*
 * One sin after the other, each on a fresh heap and, where the machine can, apart from the
 * rest. What is found is said as it is found, since the heap may not live to say it later.
 * Afterwards the heap goes on being used: owners free their blocks, and others come and go.
 */
#include "misuse_run.h"

#include "console.h"
#include "format.h"
#include "heap_check.h"
#include "machine.h"
#include "misuse.h"
#include "runner.h"
#include "scene.h"

enum { COMERS = 16, CALLS_AFTERWARDS = 900, COMER_BYTES_MAX = 250 };

/* When something was found. */
enum moment { BEFORE_SIN, IN_SIN, AFTER_SIN };

static const struct sin *current;
static enum moment moment;
static bool was_found;

static void say(const char *outcome, const char *text)
{
    console_print("sin: %s %s%s%s\n", current->name, outcome, *text == '\0' ? "" : ": ", text);
}

static void hear(const struct heap_misuse *misuse)
{
    static const char *const outcomes[] = {
        [BEFORE_SIN] = "too-early", [IN_SIN] = "at-once", [AFTER_SIN] = "later"};
    if (!was_found)
        say(outcomes[moment], misuse_text(misuse));
    was_found = true;
}

void scene_sins(void)
{
    moment = IN_SIN;
}

/* --- what happens afterwards ---------------------------------------------------------------- */

static bool is_inside(const uint8_t *address, uint32_t bytes)
{
    const struct heap_region *region = &kheap()->region;
    const uint8_t *end = region->arena + region->arena_bytes;
    return address >= region->map && address < end && bytes <= (uint32_t)(end - address);
}

static bool is_filled(const uint8_t *address, uint32_t bytes, uint8_t value)
{
    while (bytes > 0 && address[bytes - 1] == value)
        bytes--;
    return bytes == 0;
}

/* Returns: whether the owner found what he had written. Those of a sinner's own are not asked. */
static bool owner_leaves(uint8_t *address, uint32_t bytes)
{
    bool intact = address == NULL || is_filled(address, bytes, SCENE_DATA);
    kfree(address);
    return intact;
}

static bool owners_leave(struct scene *scene)
{
    kfree(scene->block);
    bool intact = owner_leaves(scene->before, SCENE_BYTES);
    intact &= owner_leaves(scene->behind, SCENE_BYTES);
    return owner_leaves(scene->other, scene->other_bytes) && intact;
}

/* Blocks come and go. Returns: whether none lost what was written to it. */
static bool others_come_and_go(void)
{
    uint8_t *blocks[COMERS] = {NULL};
    for (uint32_t call = 0; call < CALLS_AFTERWARDS; call++) {
        uint32_t place = call % COMERS;
        uint32_t bytes = place * COMER_BYTES_MAX / COMERS + 1;
        if (blocks[place] != NULL && !is_filled(blocks[place], bytes, (uint8_t)place))
            return false;
        kfree(blocks[place]);
        blocks[place] = kmalloc(bytes);
        if (blocks[place] != NULL && !is_inside(blocks[place], bytes))
            return false;
        if (blocks[place] != NULL)
            __builtin_memset(blocks[place], (int)place, bytes);
    }
    for (uint32_t place = 0; place < COMERS; place++)
        kfree(blocks[place]);
    return true;
}

static void say_leaks(void)
{
    char text[120], name[60];
    struct heap_leak leak;
    if (heap_leaks(&leak, 1) == 0)
        return;
    say("later", format_text(text, sizeof(text), "leak: %u block of %u bytes, allocated by %s",
                             leak.blocks, leak.bytes,
                             machine_name_of(leak.allocated_by, name, sizeof(name))));
    was_found = true;
}

/* --- the sins ------------------------------------------------------------------------------------ */

static uint8_t *take_filled(void)
{
    uint8_t *block = kmalloc(SCENE_BYTES);
    __builtin_memset(block, SCENE_DATA, SCENE_BYTES);
    return block;
}

/* Returns: what became of a sin of which nobody was told. */
static const char *unnoticed_outcome(const struct scene *scene, bool unharmed)
{
    if (scene->does_not_apply)
        return "no-occasion";
    if (scene->saw_filler)
        return "filler";
    if (!unharmed)
        return "damaged";
    return scene->was_refused ? "refused" : "missed";
}

static void try(const void *context)
{
    current = context;
    was_found = false;
    moment = BEFORE_SIN;
    kinitHeap();
    struct scene scene = {
        .before = take_filled(), .block = take_filled(), .behind = take_filled()};
    current->commit(&scene);
    moment = AFTER_SIN;
    bool unharmed = owners_leave(&scene);
    unharmed = others_come_and_go() && unharmed;
    unharmed = unharmed && heap_check(kheap_strategy(), kheap()) == NULL;
    if (!was_found && !scene.does_not_apply)
        say_leaks();
    if (!was_found)
        say(unnoticed_outcome(&scene, unharmed), "");
}

static bool is_wanted(const struct job *job, const struct sin *sin)
{
    return job->sin[0] == '\0' || text_is(text_of(job->sin), sin->name);
}

/* Returns: how many of them were tried. */
static uint32_t try_all(const struct job *job, const struct sins *sins)
{
    uint32_t tried = 0;
    for (const struct sin *sin = sins->list; sin < sins->list + sins->count; sin++) {
        if (!is_wanted(job, sin))
            continue;
        tried++;
        console_print("# %s: the caller %s\n", sin->name, sin->deed);
        enum machine_end end = machine_let_alone(try, sin);
        if (end != MACHINE_CAME_BACK)
            console_print("sin: %s %s\n", sin->name, end == MACHINE_HUNG ? "hung" : "crashed");
    }
    return tried;
}

static void list(const struct sins *sins)
{
    for (const struct sin *sin = sins->list; sin < sins->list + sins->count; sin++)
        console_print("  %-24s %s\n", sin->name, sin->deed);
}

static bool has(const struct sins *sins, struct text name)
{
    for (const struct sin *sin = sins->list; sin < sins->list + sins->count; sin++)
        if (text_is(name, sin->name))
            return true;
    return false;
}

bool misuse_knows(struct text name)
{
    return has(&sins_of_address, name) || has(&sins_of_memory, name);
}

void misuse_list(void)
{
    list(&sins_of_address);
    list(&sins_of_memory);
}

enum machine_status run_misuse(const struct job *job)
{
    if (job->sin[0] == '\0')
        misuse_set_policy(MISUSE_IGNORE); /* so many reports would hide the outcomes */
    misuse_listen(hear);
    uint32_t tried = try_all(job, &sins_of_address) + try_all(job, &sins_of_memory);
    if (tried == 0)
        return run_refused("sin=: there is no sin of that name; run=misuse lists them all");
    return MACHINE_DONE;
}
