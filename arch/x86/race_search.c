/* SPDX-License-Identifier: MIT */
/*
 * Which schedules are tried: all with so many switches; or one at random, and if that fails, fewer
 * and fewer of its switches. What is left then is 1-minimal: without any one of them, nothing happens.
 *
 * Source of the second: A. Zeller and R. Hildebrandt, "Simplifying and Isolating Failure-Inducing
 * Input", IEEE TSE 28(2), 2002: ddmin, which here tries complements alone.
 */
#include "race.h"

#include <stddef.h>

#include "console.h"
#include "heap.h"

static struct race_schedule schedule, fewer, first_failing;

/* --- all of them ----------------------------------------------------------------------------- */

struct tally {
    uint32_t switches;  /* of each schedule */
    uint32_t schedules;
    uint32_t ends[RACE_ENDS];
};

static uint32_t failing(const struct tally *tally)
{
    return tally->schedules - tally->ends[RACE_CLEAN];
}

static uint32_t first_step(uint32_t depth, uint32_t side)
{
    uint32_t step = 1;
    for (uint32_t i = 0; i < depth; i++)
        if (schedule.switches[i].side == side)
            step = schedule.switches[i].step + 1;
    return step;
}

/* Runs the first depth + 1 switches. Returns: whether the last of them comes about. */
static bool comes_about(uint32_t depth)
{
    schedule.count = depth + 1;
    race_run(&schedule);
    return race.delivered == schedule.count;
}

static void count(struct tally *tally)
{
    tally->schedules++;
    tally->ends[race.end]++;
    if (race.end != RACE_CLEAN && first_failing.count == 0)
        __builtin_memcpy(&first_failing, &schedule,
                         offsetof(struct race_schedule, switches) +
                             schedule.count * sizeof(schedule.switches[0]));
}

static void try_all(uint32_t depth, struct tally *tally);

/* All places of the switch at depth, if it is of this side. */
static void try_side(uint32_t depth, uint32_t side, struct tally *tally)
{
    for (uint32_t step = first_step(depth, side);; step++) {
        schedule.switches[depth] = (struct race_switch){side, step};
        if (!comes_about(depth))
            return;
        if (depth + 1 == tally->switches)
            count(tally);
        else
            try_all(depth + 1, tally);
    }
}

/* All sides begin alike, so that the first switch may as well be side 0's. */
static void try_all(uint32_t depth, struct tally *tally)
{
    uint32_t sides = depth == 0 || race.processors == 1 ? 1 : race.sides;
    for (uint32_t side = 0; side < sides; side++)
        try_side(depth, side, tally);
}

static void print_tally(const struct tally *tally)
{
    console_report("%s{\"switches\":%u,\"schedules\":%u,\"failing\":%u,\"ends\":{",
                   tally->switches == 1 ? "" : ",", tally->switches, tally->schedules,
                   failing(tally));
    const char *comma = "";
    for (uint32_t end = RACE_CLEAN + 1; end < RACE_ENDS; end++) {
        if (tally->ends[end] == 0)
            continue;
        console_report("%s\"%s\":%u", comma, race_end_name(end), tally->ends[end]);
        comma = ",";
    }
    console_report("}}");
}

static void print_exploration(const struct tally *tallies, uint32_t bound, uint32_t steps)
{
    console_report("result: {");
    race_print_settings();
    console_report(",\"steps\":%u,\"explored\":[", steps);
    for (uint32_t i = 0; i < bound; i++)
        print_tally(&tallies[i]);
    console_report("],\"schedule\":");
    race_print_schedule(first_failing.count > 0 ? &first_failing : NULL);
    if (first_failing.count > 0) {
        race.is_traced = true;
        race_run(&first_failing);
    }
    race_print_end();
    console_report("}\n");
}

bool race_explore(uint32_t bound)
{
    struct tally tallies[JOB_BOUND_MAX] = {{0}};
    bool fails = false;
    schedule.count = 0;
    if (race_run(&schedule) != RACE_CLEAN)
        return race_replay(&schedule);
    uint32_t steps = race.side[0].steps;
    for (uint32_t i = 0; i < bound; i++) {
        tallies[i].switches = i + 1;
        try_all(0, &tallies[i]);
        console_report("progress: %u %u\n", i + 1, bound);
        fails = fails || failing(&tallies[i]) > 0;
    }
    print_exploration(tallies, bound, steps);
    return fails;
}

/* --- one at random, made smaller ----------------------------------------------------------------- */

static void leave_out(const struct race_schedule *from, uint32_t first, uint32_t behind,
                      struct race_schedule *to)
{
    to->count = 0;
    for (uint32_t i = 0; i < from->count; i++)
        if (i < first || i >= behind)
            to->switches[to->count++] = from->switches[i];
}

/* Leaves pieces of so many switches out where it fails all the same. Returns: whether any was. */
static bool shorten(enum race_end end, uint32_t piece)
{
    bool shorter = false;
    for (uint32_t first = 0; first < schedule.count;) {
        leave_out(&schedule, first, first + piece, &fewer);
        if (race_run(&fewer) != end) {
            first += piece;
            continue;
        }
        __builtin_memcpy(&schedule, &fewer, sizeof(schedule));
        shorter = true;
    }
    return shorter;
}

static void minimise(enum race_end end)
{
    for (uint32_t piece = schedule.count / 2; piece > 1; piece /= 2)
        shorten(end, piece);
    while (shorten(end, 1))
        ;
}

bool race_at_random(void)
{
    schedule.count = 0;
    race.is_random = true;
    enum race_end end = race_run(&schedule);
    race.is_random = false;
    uint32_t drawn = schedule.count;
    if (end != RACE_CLEAN)
        minimise(end);
    race.is_traced = true;
    if (end != RACE_CLEAN)
        race_run(&schedule);
    console_report("result: {");
    race_print_settings();
    console_report(",\"drawn_switches\":%u,\"schedule\":", drawn);
    race_print_schedule(end != RACE_CLEAN ? &schedule : NULL);
    race_print_end();
    console_report("}\n");
    return end != RACE_CLEAN;
}

bool race_replay(struct race_schedule *given)
{
    race.is_traced = true;
    bool fails = race_run(given) != RACE_CLEAN;
    console_report("result: {");
    race_print_settings();
    console_report(",\"schedule\":");
    race_print_schedule(given);
    race_print_end();
    console_report("}\n");
    return fails;
}
