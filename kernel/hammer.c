/* SPDX-License-Identifier: MIT */
/*
 * Each processor makes its calls; its timer interrupts it at seeded random intervals, and the
 * handler makes a call of its own and then lets another processor run: under QEMU's -icount,
 * where processors take turns, that is what switches between them, the same on every run.
 */
#include "hammer.h"

#include "console.h"
#include "heap.h"
#include "heap_check.h"
#include "heap_strategy.h"
#include "memory.h"
#include "runner.h"

enum {
    OPERATIONS_DEFAULT = 100000,
    OPERATIONS_MAX = 1 << 27, /* of a hand, whose calls have numbers of 28 bits */
    INTERRUPT_SLOTS = 8,
    STUCK_INSTRUCTIONS = 200000000,
};

#define STUCK_CYCLES 60000000000ULL

struct hammer hammer;

/* --- interrupts ---------------------------------------------------------------------------- */

static struct hand *hand_of(uint32_t processor, bool of_interrupts)
{
    return &hammer.hands[2 * processor + of_interrupts];
}

static void wait_for_next_interrupt(struct hand *hand)
{
    together_interrupt_after(1 + random_below(&hand->random, 2 * hammer.interval));
}

/* Stops if the processor's own work has made no call for long. */
static void look_whether_stuck(struct hand *worker, const void *where)
{
    uint64_t now = together_clock();
    uint64_t limit = hammer.counts_instructions ? STUCK_INSTRUCTIONS : STUCK_CYCLES;
    if (worker->operations != worker->seen_operations || worker->seen_at == 0) {
        worker->seen_operations = worker->operations;
        worker->seen_at = now;
    }
    if (now - worker->seen_at > limit)
        hammer_stop(&(struct hammer_trouble){
            .kind = HAMMER_STUCK, .found_by = worker, .address = where});
}

static void note_interrupt(struct hand *worker, const void *where)
{
    worker->interrupted_at = where;
    worker->interrupted_in = worker->operations;
    worker->interrupted_when = together_clock();
}

static void interrupted(const void *where)
{
    struct hand *hand = hand_of(together_index(), true);
    uint8_t **slot = &hand->slots[random_below(&hand->random, INTERRUPT_SLOTS)];
    hand->interrupts++;
    note_interrupt(hand_of(together_index(), false), where);
    look_whether_stuck(hand_of(together_index(), false), where);
    if (*slot == NULL) {
        *slot = hammer_take(hand, hammer.mix->draw(&hand->random));
    } else {
        hammer_give(hand, *slot);
        *slot = NULL;
    }
    together_pause();
    wait_for_next_interrupt(hand);
}

/* --- the run ------------------------------------------------------------------------------- */

static void work(uint32_t index)
{
    struct hand *hand = hand_of(index, false);
    if (hammer.interval != 0) {
        wait_for_next_interrupt(hand_of(index, true));
        together_let_in();
    }
    while (hand->operations < hammer.operations_each && hammer.load->step(hand))
        ;
    together_interrupt_after(0);
}

/* Returns: NULL and *mix, named behind the first dash, or the usual one; else what is wrong. */
static const char *split_name(char *name, const struct size_mix **mix)
{
    while (*name != '\0' && *name != '-')
        name++;
    *mix = size_mix_named(text_of(*name == '-' ? name + 1 : "kernel"));
    *name = '\0';
    return *mix != NULL ? NULL : "run=hammer: workload= names no mix of sizes behind its dash";
}

static const char *prepare_trace(const struct job *job, const struct boot_module *module)
{
    if (module == NULL)
        return NULL;
    const char *wrong = run_find_trace(job, module, &hammer.trace);
    if (wrong != NULL)
        return wrong;
    uint32_t bytes = hammer.trace.id_count * (uint32_t)sizeof(*hammer.trace_blocks);
    hammer.trace_blocks = scratch_alloc(bytes);
    if (hammer.trace_blocks == NULL && bytes > 0)
        return "there is no memory for the trace's ids";
    return NULL;
}

static uint32_t operations_each(const struct job *job, bool has_trace)
{
    if (has_trace)
        return OPERATIONS_MAX;
    uint32_t all = job->operations == UINT32_MAX ? (uint32_t)OPERATIONS_DEFAULT : job->operations;
    return (all - 1) / hammer.processors + 1;
}

static void prepare_hands(uint32_t seed)
{
    for (uint32_t i = 0; i < HAMMER_HANDS; i++) {
        hammer.hands[i].number = i;
        hammer.hands[i].random = random_seeded(seed * HAMMER_HANDS + i);
    }
}

static const char *prepare(const struct job *job, const struct boot_module *module,
                           uint32_t processors)
{
    char name[JOB_NAME_BYTES];
    __builtin_memcpy(name, job->workload, sizeof(name));
    if (module != NULL && name[0] != '\0')
        return "there are both a workload= and a boot module: which is to be hammered with?";
    hammer.processors = processors;
    hammer.interval = job->interval;
    hammer.seed = job->seed;
    hammer.counts_instructions = job->counts_instructions;
    const char *wrong = split_name(name, &hammer.mix);
    hammer.load = hammer_load_find(name[0] == '\0' ? "own" : name, module != NULL);
    hammer.operations_each = operations_each(job, module != NULL);
    if (wrong == NULL && hammer.load == NULL)
        wrong = "run=hammer: workload= is own, pass or larson, or there is a trace as boot module";
    if (wrong == NULL && hammer.operations_each > OPERATIONS_MAX)
        wrong = "run=hammer: operations= is more than 134217728 for a processor";
    if (wrong == NULL)
        wrong = prepare_trace(job, module);
    if (wrong == NULL)
        wrong = hammer_oracle_start();
    prepare_hands(job->seed);
    return wrong;
}

/* Returns: whether nothing is live to who walks; a heap that never frees need not know. */
static bool is_empty(void)
{
    struct heap_stats stats;
    heap_measure(kheap_strategy(), kheap(), &stats);
    return stats.live_blocks == 0 || (kheap_strategy()->traits & HEAP_NEVER_FREES) != 0;
}

static void look_at_heap(bool all_is_freed)
{
    const char *broken = heap_check(kheap_strategy(), kheap());
    if (broken == NULL && all_is_freed && !is_empty())
        broken = "blocks are live that nobody has";
    if (broken != NULL)
        hammer_stop(&(struct hammer_trouble){
            .kind = HAMMER_BROKEN, .found_by = &hammer.hands[0], .text = broken});
}

enum machine_status run_hammer(const struct job *job, const struct boot_module *module,
                               uint32_t processors)
{
    static struct hand sweeper; /* frees what is left, when all is done */
    const char *wrong = prepare(job, module, processors);
    if (wrong != NULL)
        return run_refused(wrong);
    hammer_record_start();
    together_hear(interrupted);
    hammer.started_at = together_clock();
    together_do(processors, work);
    hammer_take_stock();
    hammer.magazines = heap_magazine_status();
    look_at_heap(false);
    hammer_loads_end(&sweeper);
    look_at_heap(true);
    hammer_report(NULL);
    return MACHINE_DONE;
}
