/* SPDX-License-Identifier: MIT */
#include "race.h"

#include "heap.h"
#include "heap_check.h"
#include "interrupts.h"
#include "processor.h"
#include "runner.h"
#include "together.h"

enum {
    VECTOR_DEBUG = 1,
    VECTOR_NMI = 2,
    FLAG_TRAP = 1 << 8,
    FLAG_INTERRUPTS = 1 << 9,
    WAITS_MAX = 100,
    STEPS_MAX = 400000, /* of all sides in one call; no call takes so many */
};

/* PAUSE, as a word in memory: what a side that waits for a lock comes by. */
#define PAUSE_OPCODE 0x90f3

extern const uint8_t steppedCallAbandoned[], steppedCallEnd[];

struct race race;
static struct race_schedule *following;

void race_fail(enum race_end end, const struct race_side *found_by)
{
    if (race.is_over)
        return;
    race.end = end;
    race.failed_side = found_by->number;
    race.failed_operation = found_by->operations;
    race.is_over = true;
}

void race_note(enum race_event_kind kind, const struct race_side *side, uint32_t value)
{
    if (!race.is_traced)
        return;
    struct race_event *event = &race.events[race.event_count++ % RACE_EVENTS_MAX];
    *event = (struct race_event){.kind = kind, .side = side->number, .step = side->steps,
                                 .operation = side->operations, .eip = side->eip, .value = value,
                                 .frees = side->call.function == race_function(true)};
    __builtin_memcpy(event->map, kheap()->region.map, sizeof(event->map));
}

/* --- turns --------------------------------------------------------------------------------- */

/* Returns: the next side that has something left to do; side itself if there is no other. */
static uint32_t next_in_turn(const struct race_side *side)
{
    uint32_t next = side->number;
    do
        next = (next + 1) % race.sides;
    while (race.side[next].is_done && next != side->number);
    return next;
}

static void wait_for_turn(const struct race_side *side)
{
    while (race.turn != side->number && !race.is_over)
        together_pause();
}

/* For a debugger: here the turn goes from one side to another. */
__attribute__((noinline)) static void race_switches(const struct race_side *from, uint32_t to)
{
    race.turn = to;
    __asm__ volatile("" : : "r"(from) : "memory"); /* so that it can be looked at */
}

/* Returns: whether there was another side to hand over to. */
static bool hand_over(struct race_side *side, enum race_event_kind why)
{
    uint32_t next = next_in_turn(side);
    if (next == side->number)
        return false;
    race_note(why, side, next);
    race_switches(side, next);
    wait_for_turn(side);
    return true;
}

/* The handler of the only processor makes its next call, inside of what it interrupts. */
static bool interrupt(struct race_side *side)
{
    struct race_side *handler = &race.side[1];
    if (handler->is_done)
        return false;
    race_note(RACE_INTERRUPTED, side, handler->number);
    race_switches(side, handler->number);
    race_call(handler);
    handler->is_done = handler->operations == race.operations;
    race.turn = side->number;
    return true;
}

/* --- the schedule -------------------------------------------------------------------------- */

static uint32_t draw_countdown(struct race_side *side)
{
    return 1 + random_below(&side->random, 2 * race.interval);
}

static bool is_due_at_random(struct race_side *side)
{
    if (--side->countdown > 0 || following->count == RACE_SWITCHES_MAX)
        return false;
    side->countdown = draw_countdown(side);
    following->switches[following->count++] = (struct race_switch){side->number, side->steps};
    return true;
}

static bool is_due(struct race_side *side)
{
    if (race.is_random)
        return is_due_at_random(side);
    while (side->next_switch < following->count &&
           following->switches[side->next_switch].side != side->number)
        side->next_switch++;
    return side->next_switch < following->count &&
           side->steps >= following->switches[side->next_switch].step;
}

/* A switch that is due stays so until there is somebody to switch to. */
static void switch_if_due(struct race_side *side, const struct exception_frame *frame)
{
    bool is_handler = race.processors == 1 && side->number == 1;
    bool lets_in = race.processors > 1 || (frame->eflags & FLAG_INTERRUPTS) != 0;
    if (is_handler || !lets_in || !is_due(side))
        return;
    bool switched = race.processors > 1 ? hand_over(side, RACE_SWITCHES) : interrupt(side);
    race.delivered += switched;
    side->next_switch += switched;
}

/* --- steps --------------------------------------------------------------------------------- */

static void abandon(struct race_side *side, struct exception_frame *frame)
{
    frame->eflags &= ~(uint32_t)FLAG_TRAP;
    frame->ebx = (uintptr_t)&side->call;
    frame->eip = (uintptr_t)steppedCallAbandoned;
}

static bool is_next_pause(uint32_t eip)
{
    return *(const volatile uint16_t *)(uintptr_t)eip == PAUSE_OPCODE;
}

static void wait_for_lock(struct race_side *side)
{
    if (race.processors > 1 && hand_over(side, RACE_WAITS))
        side->waited = 0;
    else if (++side->waited > WAITS_MAX)
        race_fail(RACE_DEADLOCK, side);
}

static void step(struct race_side *side, struct exception_frame *frame)
{
    side->eip = frame->eip;
    if (++race.steps > STEPS_MAX)
        race_fail(RACE_ENDLESS, side);
    if (is_next_pause(frame->eip)) {
        wait_for_lock(side);
    } else {
        switch_if_due(side, frame);
    }
    side->steps++;
    if (side->is_giving && !race.is_over)
        side->block.address = NULL;
    side->is_giving = false;
}

static struct race_side *side_of_this_processor(void)
{
    uint32_t index = processor_self()->index;
    return race.processors == 1 && race.side[1].is_calling ? &race.side[1] : &race.side[index];
}

static bool hear_exception(struct exception_frame *frame)
{
    struct race_side *side = side_of_this_processor();
    if (frame->vector == VECTOR_NMI || !side->is_calling)
        return false;
    if (frame->vector != VECTOR_DEBUG)
        race_fail(RACE_CRASHED, side);
    else if (frame->eip - (uintptr_t)steppedCall >=
             (uintptr_t)steppedCallEnd - (uintptr_t)steppedCall)
        step(side, frame);
    if (race.is_over)
        abandon(side, frame);
    return true;
}

/* --- a run --------------------------------------------------------------------------------- */

static void work(uint32_t index)
{
    struct race_side *side = &race.side[index];
    wait_for_turn(side);
    if (race.processors == 1)
        together_let_in();
    while (!race.is_over && side->operations < race.operations)
        race_call(side);
    interrupts_keep_out();
    for (struct race_side *handler = &race.side[1]; race.processors == 1 && !race.is_over &&
                                                    handler->operations < race.operations;) {
        race.turn = handler->number;
        race_call(handler);
    }
    side->is_done = true;
    if (race.processors > 1)
        race.turn = next_in_turn(side);
}

/* One processor after the other. */
static void warm(uint32_t index)
{
    while (race.turn != index)
        together_pause();
    kfree(kmalloc(RACE_BLOCK_BYTES));
    race.turn = index + 1;
}

static void start_sides(void)
{
    for (uint32_t i = 0; i < race.sides; i++) {
        struct race_side *side = &race.side[i];
        uint32_t seed = race.seed * RACE_SIDES + i;
        *side = (struct race_side){.number = i, .random = random_seeded(seed)};
        if (race.is_random)
            side->countdown = draw_countdown(side);
    }
}

static void look_at_rest(void)
{
    struct heap_stats stats;
    race.text = heap_check(kheap_strategy(), kheap());
    if (race.text != NULL) {
        race_fail(RACE_BROKEN, &race.side[0]);
        return;
    }
    heap_measure(kheap_strategy(), kheap(), &stats);
    if (race.is_random)
        return;
    if (following->count > 0 && stats.live_blocks != race.live_blocks_at_rest)
        race_fail(RACE_LOST, &race.side[0]);
    if (following->count == 0)
        race.live_blocks_at_rest = stats.live_blocks;
}

enum race_end race_run(struct race_schedule *schedule)
{
    following = schedule;
    kinitHeap();
    race_lock_start();
    start_sides();
    race.turn = 0;
    if (race.is_warm)
        together_do(race.processors, warm);
    race.turn = race.delivered = race.steps = race.event_count = 0;
    race.end = RACE_CLEAN;
    race.is_over = false;
    race.text = NULL;
    exceptions_hear(hear_exception);
    together_do(race.processors, work);
    exceptions_hear(NULL);
    if (!race.is_over)
        look_at_rest();
    return race.end;
}
