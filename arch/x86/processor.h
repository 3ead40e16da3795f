/* SPDX-License-Identifier: MIT */
/*
 * The processors, and what each of them has of its own. Each finds its entry through FS,
 * whose segment begins there (cpu.c).
 */
#ifndef ARCH_X86_PROCESSOR_H
#define ARCH_X86_PROCESSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot_info.h"
#include "cpu.h"
#include "heap_own.h"

enum { PROCESSORS_MAX = 8 };

struct stack_span {
    const uint8_t *start;
    const uint8_t *end;
};

/* What a processor that waits is given to do. index: its own number. */
typedef void processor_work(uint32_t index);

struct processor {
    struct processor *self; /* so that FS:0 is its address */
    uint32_t index;         /* 0 is the one that booted */
    uint32_t apic_id;
    volatile bool is_running;
    processor_work *volatile work; /* NULL while it waits */
    struct stack_span stack;       /* each stands on a guard page */
    struct stack_span fault_stack;
    struct task_state main_task, fault_task;
    struct heap_own heap_own;
};

extern struct processor processors[PROCESSORS_MAX];

/* Returns: the processor that this runs on. Requires: cpu_init() or cpu_init_another(). */
static inline struct processor *processor_self(void)
{
    struct processor *self;
    __asm__ volatile("mov %%fs:%c1, %0" : "=r"(self) : "i"(offsetof(struct processor, self)));
    return self;
}

/* Gives every entry its number and its stacks. Called once, before any other. */
void processors_prepare(void);

/*
 * Calls visit with the guard page under each stack, and with what it means that something
 * touched it.
 */
typedef void guard_visit(void *context, const void *page, const char *meaning);
void processors_visit_guards(guard_visit *visit, void *context);

/*
 * Starts so many processors, the one that booted included, as far as the machine has them.
 * One that does not come up in time is reported on the console and left out.
 * Requires: interrupts off. Returns: NULL and *running, how many run; else what is wrong, in
 * words: nothing then runs but the first.
 */
const char *processors_start(const struct boot_info *info, uint32_t wanted, uint32_t *running);

/*
 * Has all that run do work at once, this one included, and waits for the last to be done.
 * Requires: interrupts off. Work begins with interrupts off.
 */
void processors_do(processor_work *work);

/* Stops all other processors where they are, for good. */
void processors_halt_others(void);

/* Returns: whether that has been asked for; an NMI then is what asks. */
bool processors_are_halting(void);

/* Stops this processor for good. */
__attribute__((noreturn)) void processor_halt(void);

#endif
