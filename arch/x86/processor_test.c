/* SPDX-License-Identifier: MIT */
#include "processor_test.h"

#include "apic.h"
#include "console.h"
#include "hammer.h"
#include "interrupts.h"
#include "processor.h"
#include "runner.h"
#include "spin_lock.h"

/*
 * Few enough for machines that have fewer cores than this has processors: there a lock that is
 * handed on in order waits, again and again, for one that does not run.
 */
enum { COUNTED_EACH = 200, TIMER_TICKS = 5000, WANTED_INTERRUPTS = 8 };

static struct spin_lock lock;
static volatile uint32_t counted;            /* guarded by lock */
static volatile uint32_t entered[PROCESSORS_MAX];     /* by each processor itself */
static volatile uint32_t interrupted[PROCESSORS_MAX]; /* by each one's timer */

static void timer_came(struct exception_frame *frame)
{
    (void)frame;
    interrupted[processor_self()->index]++;
    apic_timer_after(TIMER_TICKS);
}

static void count(uint32_t index)
{
    apic_timer_after(TIMER_TICKS);
    interrupts_let_in();
    for (uint32_t i = 0; i < COUNTED_EACH; i++) {
        uint32_t flags = interrupts_save();
        spin_lock_acquire(&lock);
        counted = counted + 1;
        spin_lock_release(&lock);
        interrupts_restore(flags);
        entered[index]++;
    }
    while (interrupted[index] < WANTED_INTERRUPTS)
        __asm__ volatile("pause");
    interrupts_keep_out();
    apic_timer_after(0);
}

static uint32_t report(uint32_t number, bool holds, const char *claim)
{
    console_print("%s %u - %s\n", holds ? "ok" : "not ok", number, claim);
    return !holds;
}

static bool each_did_all(uint32_t running)
{
    for (uint32_t i = 0; i < running; i++)
        if (entered[i] != COUNTED_EACH || interrupted[i] < WANTED_INTERRUPTS)
            return false;
    return true;
}

enum machine_status processor_test(const struct boot_info *info, uint32_t wanted)
{
    uint32_t running;
    const char *wrong = processors_start(info, wanted, &running);
    if (wrong != NULL)
        return run_refused(wrong);
    interrupt_set_handler(VECTOR_TIMER, timer_came);
    processors_do(count);
    console_print("1..3\n# %u of %u processors run\n", running, wanted);
    uint32_t failed = report(1, running == wanted, "every_processor_starts");
    failed += report(2, counted == running * COUNTED_EACH, "the_lock_loses_no_count");
    failed += report(3, each_did_all(running), "each_works_and_is_interrupted");
    return failed == 0 ? MACHINE_DONE : MACHINE_FAILED;
}

enum machine_status processor_hammer(const struct boot_info *info, const struct job *job)
{
    uint32_t running;
    const char *wrong = processors_start(info, job->processors, &running);
    if (wrong == NULL && running < job->processors)
        wrong = "processors=: this machine has not so many";
    if (wrong != NULL)
        return run_refused(wrong);
    return run_hammer(job, info->module_count > 0 ? &info->modules[0] : NULL, running);
}

static enum machine_fault fault_to_provoke;
static uint32_t last_processor;

/* A panic comes on all of them at once. */
static void provoke(uint32_t index)
{
    if (index == last_processor || fault_to_provoke == FAULT_PANIC)
        machine_provoke(fault_to_provoke);
}

enum machine_status processor_fault(const struct boot_info *info, uint32_t wanted,
                                    enum machine_fault fault)
{
    uint32_t running;
    const char *wrong = processors_start(info, wanted, &running);
    if (wrong != NULL)
        return run_refused(wrong);
    fault_to_provoke = fault;
    last_processor = running - 1;
    processors_do(provoke);
    return run_refused("run=fault: the last processor went on as if nothing had happened");
}
