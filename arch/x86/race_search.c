/* SPDX-License-Identifier: MIT */
/*
 * Which schedules are tried: all with so many switches; or one at random, and if that fails, fewer
 * and fewer of its switches. What is left then is 1-minimal: without any one of them, nothing
 * happens. Whether a few others would do, trying them all tells.
 *
 * Source of the second: A. Zeller and R. Hildebrandt, "Simplifying and Isolating Failure-Inducing
 * Input", IEEE TSE 28(2), 2002: ddmin, which here tries complements alone.
 */
#include "race.h"

#include <stddef.h>

#include "console.h"
#include "heap.h"

enum {
    TRIES = 100,
    SWITCHES_FEW = 2,
    OPERATIONS_FEW = 2,
    STEPS_OF_ONE_SWITCH = 5000000, /* of all schedules together, about */
    STEPS_OF_MORE = 20000000,
};

static struct race_schedule schedule, fewer, first_failing;
static bool has_twice;    /* first_failing is one in which a block is handed out twice */
static bool stops_at_twice;

/* --- all of them --------------------------------------------------------------------------- */

struct tally {
    uint32_t switches;  /* of each schedule */
    uint32_t stride;
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

/* The first that fails, but rather one of as few switches in which a block is handed out twice. */
static bool is_to_be_shown(void)
{
    bool is_first = race.end != RACE_CLEAN && first_failing.count == 0;
    bool is_first_twice =
        race.end == RACE_TWICE && !has_twice && first_failing.count == schedule.count;
    has_twice = has_twice || race.end == RACE_TWICE;
    return is_first || is_first_twice;
}

static void count(struct tally *tally)
{
    tally->schedules++;
    tally->ends[race.end]++;
    if (is_to_be_shown())
        __builtin_memcpy(&first_failing, &schedule,
                         offsetof(struct race_schedule, switches) +
                             schedule.count * sizeof(schedule.switches[0]));
}

static void try_all(uint32_t depth, struct tally *tally);

/* All places of the switch at depth, if it is of this side. */
static void try_side(uint32_t depth, uint32_t side, struct tally *tally)
{
    for (uint32_t step = first_step(depth, side);; step += race.stride) {
        schedule.switches[depth] = (struct race_switch){side, step};
        if ((stops_at_twice && has_twice) || !comes_about(depth))
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
    console_report("%s{\"switches\":%u,\"stride\":%u,\"schedules\":%u,\"failing\":%u,\"ends\":{",
                   tally->switches == 1 ? "" : ",", tally->switches, tally->stride,
                   tally->schedules, failing(tally));
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

/* Where calls take so many instructions that it would last for hours, not all places are tried. */
static uint32_t stride_for(uint32_t switches, uint32_t steps)
{
    uint32_t budget = switches == 1 ? STEPS_OF_ONE_SWITCH : STEPS_OF_MORE;
    for (uint32_t stride = 1;; stride++) {
        uint64_t schedules = 1;
        for (uint32_t i = 0; i < switches; i++)
            schedules *= steps / stride + 1;
        if (schedules * 2 * steps <= budget || stride >= steps)
            return stride;
    }
}

/* Tries all with up to bound switches. Returns: how many steps a side makes undisturbed. */
static uint32_t try_up_to(uint32_t bound, struct tally *tallies)
{
    schedule.count = 0;
    first_failing.count = 0;
    has_twice = false;
    race_run(&schedule);
    uint32_t steps = race.side[0].steps;
    for (uint32_t i = 0; i < bound; i++) {
        tallies[i].switches = i + 1;
        tallies[i].stride = race.stride = stride_for(i + 1, steps);
        try_all(0, &tallies[i]);
        console_report("progress: %u %u\n", i + 1, bound);
    }
    return steps;
}

bool race_explore(uint32_t bound)
{
    struct tally tallies[JOB_BOUND_MAX] = {{0}};
    uint32_t steps = try_up_to(bound, tallies);
    print_exploration(tallies, bound, steps);
    return first_failing.count > 0;
}

/* --- one at random, made smaller ----------------------------------------------------------- */

/* Learns first what is left of these calls if nobody is disturbed. */
static enum race_end run_after_rest(struct race_schedule *failing)
{
    static struct race_schedule nothing;
    race_run(&nothing);
    return race_run(failing);
}

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

/* Leaves calls out from behind as long as it fails all the same. */
static void make_fewer_calls(enum race_end end)
{
    uint32_t had = race.operations;
    for (race.operations = 1; race.operations < had; race.operations++)
        if (run_after_rest(&schedule) == end)
            return;
}

/*
 * Is there one of fewer switches still, with two calls a side? All are tried, up to the first that
 * hands a block out twice.
 */
static void look_for_fewer(void)
{
    struct tally tallies[SWITCHES_FEW] = {{0}};
    uint32_t had = race.operations, bound = schedule.count - 1;
    __builtin_memcpy(&fewer, &schedule, sizeof(fewer));
    race.operations = OPERATIONS_FEW;
    stops_at_twice = true;
    try_up_to(bound < SWITCHES_FEW ? bound : (uint32_t)SWITCHES_FEW, tallies);
    stops_at_twice = false;
    if (first_failing.count == 0)
        race.operations = had;
    __builtin_memcpy(&schedule, first_failing.count > 0 ? &first_failing : &fewer,
                     sizeof(schedule));
}

static enum race_end draw(uint32_t seed)
{
    race.seed = seed;
    schedule.count = 0;
    race.is_random = true;
    enum race_end end = race_run(&schedule);
    race.is_random = false;
    return end;
}

/*
 * Draws schedules, each of its own seed, until a block is handed out twice; if that never happens,
 * the first that failed in another way. Returns: how it ended; *tries: how many that took.
 */
static enum race_end draw_until_it_fails(uint32_t *tries)
{
    uint32_t first = race.seed, other = first;
    enum race_end other_end = RACE_CLEAN;
    for (*tries = 1; *tries <= TRIES; ++*tries) {
        enum race_end end = draw(first + *tries - 1);
        if (end == RACE_TWICE)
            return end;
        if (end != RACE_CLEAN && other_end == RACE_CLEAN) {
            other_end = end;
            other = race.seed;
        }
    }
    *tries = TRIES;
    return draw(other);
}

/* If none was asked for: a few switches in each call. */
static void choose_interval(void)
{
    static struct race_schedule nothing;
    if (race.interval != 0)
        return;
    race.interval = 1;
    race_run(&nothing);
    race.interval = race.side[0].steps / race.operations + 1;
}

bool race_at_random(void)
{
    uint32_t tries;
    race.stride = 1;
    choose_interval();
    enum race_end end = draw_until_it_fails(&tries);
    uint32_t drawn = schedule.count, drawn_operations = race.operations;
    uint32_t shortened = 0;
    if (end != RACE_CLEAN) {
        minimise(end);
        make_fewer_calls(end);
        shortened = schedule.count;
        look_for_fewer();
        race.is_traced = true;
        run_after_rest(&schedule);
    }
    console_report("result: {");
    race_print_settings();
    console_report(",\"tries\":%u,\"drawn_switches\":%u,\"drawn_operations\":%u,"
                   "\"shortened_switches\":%u,\"stride\":%u,\"schedule\":",
                   tries, drawn, drawn_operations, shortened, race.stride);
    race_print_schedule(end != RACE_CLEAN ? &schedule : NULL);
    race_print_end();
    console_report("}\n");
    return end != RACE_CLEAN;
}

bool race_replay(struct race_schedule *given)
{
    race.is_traced = true;
    bool fails = run_after_rest(given) != RACE_CLEAN;
    console_report("result: {");
    race_print_settings();
    console_report(",\"schedule\":");
    race_print_schedule(given);
    race_print_end();
    console_report("}\n");
    return fails;
}
