/* SPDX-License-Identifier: MIT */
/* What run=race was asked for, and what it says. */
#include "race.h"

#include "console.h"
#include "heap.h"
#include "heap_strategy.h"
#include "locking.h"
#include "misuse.h"
#include "processor.h"
#include "runner.h"
#include "text.h"

enum { KIB = 1024, NAME_BYTES = 64, OPERATIONS_FEW = 2, OPERATIONS_MANY = 16 };

static const char *const ends[] = {
    [RACE_CLEAN] = "clean",     [RACE_TWICE] = "twice",       [RACE_NOTHING] = "nothing",
    [RACE_REFUSED] = "refused", [RACE_BROKEN] = "broken",     [RACE_LOST] = "lost",
    [RACE_CRASHED] = "crashed", [RACE_DEADLOCK] = "deadlock", [RACE_ENDLESS] = "endless"};

static const char *const events[] = {[RACE_CALLS] = "calls",
                                     [RACE_RETURNS] = "returns",
                                     [RACE_SWITCHES] = "switches",
                                     [RACE_WAITS] = "waits",
                                     [RACE_INTERRUPTED] = "interrupted"};

const char *race_end_name(enum race_end end)
{
    return ends[end];
}

void race_print_settings(void)
{
    console_report("\"strategy\":\"%s\",\"heap_kib\":%u,\"hardening\":\"%s\",\"locking\":\"%s\","
                   "\"lock\":\"%s\",\"warm\":%s,\"processors\":%u,\"operations\":%u,\"seed\":%u,"
                   "\"interval\":%u",
                   kheap_strategy()->name, kheap()->region.arena_bytes / KIB, kheap_hardening(),
                   kheap_locking(), race.lock_lets_interrupts_in ? "unmasked" : "own",
                   race.is_warm ? "true" : "false",
                   race.processors, race.operations, race.seed, race.interval);
}

void race_print_schedule(const struct race_schedule *schedule)
{
    if (schedule == NULL) {
        console_report("null");
        return;
    }
    console_report("\"");
    for (uint32_t i = 0; i < schedule->count; i++)
        console_report("%s%u:%u", i > 0 ? "," : "", schedule->switches[i].side,
                       schedule->switches[i].step);
    console_report("\"");
}

static void print_block(const char *name, uint32_t side, const struct race_block *block)
{
    console_report(",\"%s\":{\"side\":%u,\"operation\":%u,\"address\":%u,\"bytes\":%u}", name, side,
                   block->operation, (uint32_t)(uintptr_t)block->address, block->bytes);
}

static void print_holder(const struct race_side *side)
{
    char where[NAME_BYTES] = "";
    machine_name_of((const void *)(uintptr_t)side->eip, where, sizeof(where));
    console_report(",\"holder\":{\"side\":%u,\"operation\":%u,\"eip\":%u,\"where\":\"%s\"}",
                   side->number, side->operations, side->eip, where);
}

/* Requires: the latest run was traced. */
void race_print_end(void)
{
    console_report(",\"end\":\"%s\"", ends[race.end]);
    if (race.end == RACE_CLEAN)
        return;
    const struct race_side *side = &race.side[race.failed_side];
    char where[NAME_BYTES] = "";
    machine_name_of((const void *)(uintptr_t)side->eip, where, sizeof(where));
    console_report(",\"side\":%u,\"operation\":%u,\"eip\":%u,\"where\":\"%s\",\"text\":\"%s\"",
                   side->number, race.failed_operation, side->eip, where,
                   race.text != NULL ? race.text : "");
    if (race.end == RACE_TWICE) {
        print_block("owner", race.other_side, &race.other);
        print_block("found", race.failed_side, &race.found);
    }
    if (race.end == RACE_DEADLOCK && race.processors == 1 && race_lock_is_held_by_another())
        print_holder(&race.side[0]);
    race_print_events();
}

static void print_event(const struct race_event *event)
{
    char where[NAME_BYTES] = "";
    machine_name_of((const void *)(uintptr_t)event->eip, where, sizeof(where));
    console_report("{\"event\":\"%s\",\"side\":%u,\"operation\":%u,\"step\":%u,\"call\":\"%s\","
                   "\"value\":%u,\"eip\":%u,\"where\":\"%s\",\"map\":\"",
                   events[event->kind], event->side, event->operation, event->step,
                   event->frees ? "kfree" : "kmalloc", event->value, event->eip, where);
    for (uint32_t i = 0; i < RACE_MAP_BYTES; i++)
        console_report("%02x", event->map[i]);
    console_report("\"}");
}

/* All, or the last ones: those that led to the end. */
void race_print_events(void)
{
    console_report(",\"events\":[");
    uint32_t first = race.event_count > RACE_EVENTS_MAX ? race.event_count - RACE_EVENTS_MAX : 0;
    for (uint32_t i = first; i < race.event_count; i++) {
        console_report("%s", i > first ? "," : "");
        print_event(&race.events[i % RACE_EVENTS_MAX]);
    }
    console_report("]");
}

/* --- what is asked for --------------------------------------------------------------------- */

/* Takes what stands before the separator off the front. Returns: whether it is a number. */
static bool take_number(struct text *text, char separator, uint32_t *value)
{
    struct text number = *text;
    while (text->next < text->end && *text->next != separator)
        text->next++;
    number.end = text->next;
    if (text->next < text->end)
        text->next++;
    return text_number(number, value);
}

static const char *read_schedule(const char *word, struct race_schedule *schedule)
{
    struct text rest = text_of(word);
    while (rest.next < rest.end) {
        struct race_switch *next = &schedule->switches[schedule->count++];
        if (!take_number(&rest, ':', &next->side) || !take_number(&rest, ',', &next->step) ||
            next->side >= race.sides)
            return "switches= is a list of SIDE:STEP, parted by commas, and there is no other side "
                   "than processors= says, or the interrupt handler, 1, of a single one";
    }
    return NULL;
}

static void prepare(const struct job *job)
{
    uint32_t usual = job->bound > 0 || job->switches[0] != '\0' ? OPERATIONS_FEW : OPERATIONS_MANY;
    race.processors = job->processors;
    race.sides = job->processors == 1 ? 2 : job->processors;
    race.operations = job->operations != UINT32_MAX ? job->operations : usual;
    race.seed = job->seed;
    race.interval = job->interval;
    race.lock_lets_interrupts_in = job->lock_lets_interrupts_in;
    race.is_warm = job->is_warm;
    misuse_set_policy(MISUSE_IGNORE);
}

enum machine_status processor_race(const struct boot_info *info, const struct job *job)
{
    static struct race_schedule given;
    uint32_t running;
    const char *wrong = processors_start(info, job->processors, &running);
    if (wrong == NULL && running < job->processors)
        wrong = "processors=: this machine has not so many";
    prepare(job);
    if (wrong == NULL)
        wrong = read_schedule(job->switches, &given);
    if (wrong != NULL)
        return run_refused(wrong);
    bool fails = given.count > 0  ? race_replay(&given)
                 : job->bound > 0 ? race_explore(job->bound)
                                  : race_at_random();
    return fails ? MACHINE_FAILED : MACHINE_DONE;
}
