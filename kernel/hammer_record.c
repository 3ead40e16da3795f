/* SPDX-License-Identifier: MIT */
#include "hammer.h"

#include "console.h"
#include "heap.h"
#include "heap_strategy.h"
#include "panic.h"

enum { KIB = 1024, NAME_BYTES = 64 };

static const char *const kinds[] = {
    [HAMMER_TWICE] = "twice",     [HAMMER_DAMAGED] = "damaged", [HAMMER_REFUSED] = "refused",
    [HAMMER_OUTSIDE] = "outside", [HAMMER_STUCK] = "stuck",     [HAMMER_BROKEN] = "broken",
    [HAMMER_PANIC] = "panic"};

static const char *const sentences[] = {
    [HAMMER_TWICE] = "a block was handed out that is somebody's",
    [HAMMER_DAMAGED] = "a block is not what its owner wrote",
    [HAMMER_REFUSED] = "kfree refused a live block",
    [HAMMER_OUTSIDE] = "a block is not in the heap, or not aligned",
    [HAMMER_STUCK] = "a call does not come back",
    [HAMMER_BROKEN] = "the heap's check found something",
    [HAMMER_PANIC] = "the kernel panicked",
};

static void report_run(void)
{
    console_report("result: {\"strategy\":\"%s\",\"heap_kib\":%u,\"unit\":\"%s\","
                   "\"hardening\":\"%s\",\"locking\":\"%s\",\"locking_bytes\":%u,"
                   "\"workload\":\"%s\",\"mix\":\"%s\","
                   "\"processors\":%u,\"seed\":%u,\"interval\":%u,",
                   kheap_strategy()->name, kheap()->region.arena_bytes / KIB,
                   hammer.counts_instructions ? "instructions" : "cycles", kheap_hardening(),
                   kheap_locking(), kheap_locking_bytes(), hammer.load->name, hammer.mix->name,
                   hammer.processors, hammer.seed, hammer.interval);
}

static void report_hands(void)
{
    struct hand sum[2] = {{0}, {0}}; /* of processors' own work, and of their handlers */
    for (uint32_t i = 0; i < HAMMER_HANDS; i++) {
        struct hand *of_kind = &sum[i % 2];
        of_kind->operations += hammer.hands[i].operations;
        of_kind->failures += hammer.hands[i].failures;
        of_kind->interrupts += hammer.hands[i].interrupts;
    }
    console_report("\"operations\":%u,\"failures\":%u,\"interrupts\":%u,"
                   "\"interrupt_operations\":%u,\"interrupt_failures\":%u,\"ticks\":%llu,",
                   sum[0].operations, sum[0].failures, sum[1].interrupts, sum[1].operations,
                   sum[1].failures, (unsigned long long)(hammer.ended_at - hammer.started_at));
}

static void report_locks(void)
{
    const struct heap_lock_status *lock = &hammer.lock;
    const struct heap_magazine_status *magazines = &hammer.magazines;
    console_report("\"lock\":{\"acquisitions\":%llu,\"waits\":%llu,\"spins\":%llu,"
                   "\"held_ticks\":%llu,\"held_max\":%u,\"kept_out_max\":%u,\"kept_out_at\":%llu},",
                   (unsigned long long)lock->acquisitions, (unsigned long long)lock->waits,
                   (unsigned long long)lock->spins, (unsigned long long)lock->held_ticks,
                   lock->held_max, lock->kept_out_max, (unsigned long long)lock->kept_out_at);
    console_report("\"magazines\":{\"exchanges\":%llu,\"refills\":%llu,\"reclaims\":%llu,"
                   "\"growths\":%llu,\"parked_blocks\":%u,\"parked_bytes\":%u},",
                   (unsigned long long)magazines->exchanges,
                   (unsigned long long)magazines->refills,
                   (unsigned long long)magazines->reclaims,
                   (unsigned long long)magazines->growths, magazines->parked_blocks,
                   magazines->parked_bytes);
}

static void report_call(const char *name, uint32_t id)
{
    uint32_t hand = hammer_id_hand(id);
    console_report("\"%s\":{\"processor\":%u,\"interrupt\":%s,\"operation\":%u},", name, hand / 2,
                   hand % 2 != 0 ? "true" : "false", hammer_id_operation(id));
}

/* Where each processor's own work was, the last time that an interrupt came. */
static void report_interrupted(void)
{
    const char *comma = "";
    console_report("\"interrupted\":[");
    for (uint32_t i = 0; i < HAMMER_HANDS; i += 2) {
        const struct hand *worker = &hammer.hands[i];
        char name[NAME_BYTES] = "";
        if (worker->interrupted_when == 0)
            continue;
        machine_name_of(worker->interrupted_at, name, sizeof(name));
        console_report("%s{\"processor\":%u,\"operation\":%u,\"where\":\"%s\",\"at\":%llu}", comma,
                       i / 2, worker->interrupted_in, name,
                       (unsigned long long)(worker->interrupted_when - hammer.started_at));
        comma = ",";
    }
    console_report("],");
}

static void report_trouble(const struct hammer_trouble *trouble)
{
    const struct hand *hand = trouble->found_by;
    char name[NAME_BYTES] = "";
    if (trouble->kind == HAMMER_STUCK)
        machine_name_of(trouble->address, name, sizeof(name));
    console_report("\"trouble\":{\"kind\":\"%s\",\"at\":%llu,", kinds[trouble->kind],
                   (unsigned long long)(hammer.ended_at - hammer.started_at));
    report_call("found_by", hammer_id(hand->number, hand->operations));
    if (trouble->other_id != 0)
        report_call("owner", trouble->other_id);
    report_interrupted();
    console_report("\"block\":%u,\"bytes\":%u,\"address\":%u,\"where\":\"%s\",\"text\":\"%s\"}",
                   (uint32_t)(uintptr_t)trouble->block, trouble->bytes,
                   (uint32_t)(uintptr_t)trouble->address, name,
                   trouble->text != NULL ? trouble->text : sentences[trouble->kind]);
}

void hammer_report(const struct hammer_trouble *trouble)
{
    report_run();
    report_hands();
    report_locks();
    if (trouble == NULL)
        console_report("\"trouble\":null");
    else
        report_trouble(trouble);
    console_report("}\n");
}

/* For people, what the record says to programs. */
static void say(const struct hammer_trouble *trouble)
{
    const struct hand *hand = trouble->found_by;
    uint32_t other = hammer_id_hand(trouble->other_id);
    console_print("# processor %u%s, call %u: %s\n", hand->number / 2,
                  hand->number % 2 != 0 ? "'s interrupt handler" : "", hand->operations,
                  trouble->text != NULL ? trouble->text : sentences[trouble->kind]);
    if (trouble->block != NULL)
        console_print("# the block is %u bytes at %p\n", trouble->bytes,
                      (const void *)trouble->block);
    if (trouble->other_id != 0)
        console_print("# at %p it is processor %u's%s, since its call %u\n",
                      (const void *)trouble->address, other / 2,
                      other % 2 != 0 ? " interrupt handler's" : "",
                      hammer_id_operation(trouble->other_id));
}

/* The record of a run that ends in a panic; why, the panic has said. */
static void tell_of_panic(void)
{
    const struct hand *worker = &hammer.hands[2 * together_index()];
    hammer_take_stock();
    hammer_report(&(struct hammer_trouble){.kind = HAMMER_PANIC, .found_by = worker});
}

void hammer_record_start(void)
{
    panic_tells(tell_of_panic);
}

void hammer_take_stock(void)
{
    hammer.ended_at = together_clock();
    hammer.lock = heap_lock_status();
}

void hammer_stop(const struct hammer_trouble *trouble)
{
    panic_one_at_a_time(); /* more than one may find something */
    together_stop_others();
    hammer_take_stock();
    say(trouble);
    hammer_report(trouble);
    machine_stop(MACHINE_FAILED);
}
