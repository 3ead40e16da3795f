/* SPDX-License-Identifier: MIT */
/* A PC's processors and their timers, as the kernel asks for them in together.h. */
#include "together.h"

#include "apic.h"
#include "interrupts.h"
#include "processor.h"

_Static_assert((int)TOGETHER_MAX == (int)PROCESSORS_MAX, "who works together is a processor");

static together_handler *hears;
static void (*work_to_do)(uint32_t index);
static uint32_t wanted;

static void timer_came(struct exception_frame *frame)
{
    hears((const void *)(uintptr_t)frame->eip);
}

static void work_if_wanted(uint32_t index)
{
    if (index < wanted)
        work_to_do(index);
}

void together_do(uint32_t count, void (*work)(uint32_t index))
{
    wanted = count;
    work_to_do = work;
    processors_do(work_if_wanted);
}

uint32_t together_index(void)
{
    return processor_self()->index;
}

void together_pause(void)
{
    __builtin_ia32_pause();
}

uint64_t together_clock(void)
{
    return __builtin_ia32_rdtsc();
}

void together_hear(together_handler *handler)
{
    hears = handler;
    interrupt_set_handler(VECTOR_TIMER, timer_came);
}

/* What is pending when the timer is stopped still comes, if interrupts are let in again. */
void together_interrupt_after(uint32_t ticks)
{
    if (ticks == 0) {
        interrupts_keep_out();
        apic_timer_after(0);
        return;
    }
    apic_timer_after(ticks);
}

void together_let_in(void)
{
    interrupts_let_in();
}

void together_keep_out(void)
{
    interrupts_keep_out();
}

void together_stop_others(void)
{
    interrupts_keep_out();
    processors_halt_others();
}
