/* SPDX-License-Identifier: MIT */
#include "smallest.h"

#include "console.h"
#include "heap_strategy.h"
#include "region.h"
#include "replay.h"

enum {
    SMALLER_TRIED = 16,
    USUAL_TRIES = 32,
    STEPS_MAX = REGION_MAP_BYTES_MAX / REGION_MAP_BYTES_STEP,
};

struct search {
    const struct trace *trace;
    struct player_block *blocks;
    uint32_t tries;
};

static bool fits(struct search *search, uint32_t steps)
{
    region_set(steps * REGION_MAP_BYTES_STEP);
    console_report("progress: %u %u\n", ++search->tries, USUAL_TRIES);
    return replay_fits(search->trace, search->blocks) == NULL;
}

static uint32_t total_bytes(uint32_t steps)
{
    return steps * REGION_MAP_BYTES_STEP * (1 + HEAP_BYTES_PER_MAP_BYTE);
}

/*
 * Tries what is live at once, and then sizes a quarter larger each.
 * Returns: the first number of steps that fits; 0 if none does.
 */
static uint32_t first_that_fits(struct search *search)
{
    uint32_t steps = search->trace->peak_requested_bytes / total_bytes(1) + 1;
    for (; steps <= STEPS_MAX; steps += steps / 4 + 1)
        if (fits(search, steps))
            return steps;
    return fits(search, STEPS_MAX) ? STEPS_MAX : 0;
}

static uint32_t bisect(struct search *search, uint32_t fails, uint32_t fitting)
{
    while (fitting - fails > 1) {
        uint32_t middle = fails + (fitting - fails) / 2;
        if (fits(search, middle))
            fitting = middle;
        else
            fails = middle;
    }
    return fitting;
}

static uint32_t try_smaller(struct search *search, uint32_t fitting)
{
    for (uint32_t less = 1; less <= SMALLER_TRIED && less < fitting; less++)
        if (fits(search, fitting - less)) {
            fitting -= less;
            less = 0;
        }
    return fitting;
}

uint32_t smallest_total_bytes(const struct trace *trace, struct player_block *blocks)
{
    struct search search = {.trace = trace, .blocks = blocks};
    uint32_t fitting = first_that_fits(&search);
    if (fitting == 0)
        return 0;
    /*
     * Bisection begins below what is live at once, not at the size tried last: that this one
     * failed says nothing of the smaller ones.
     */
    uint32_t fails = trace->peak_requested_bytes / total_bytes(1);
    return total_bytes(try_smaller(&search, bisect(&search, fails, fitting)));
}
