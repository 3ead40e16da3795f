/* SPDX-License-Identifier: MIT */
/*
 * A processor is started by INIT and start-up interrupts from the one that booted, one after
 * another, since all of them come through the same page and the same stack pointer in it. Until
 * there is work they halt, and an interrupt wakes them.
 */
#include "processor.h"

#include "apic.h"
#include "console.h"
#include "memory.h"
#include "pit.h"

enum {
    PAGE_BYTES = 4096,
    STACK_BYTES = 16384,
    FAULT_STACK_BYTES = 8192,
    TRAMPOLINE_PAGES_MAX = 0x9f, /* above lie the firmware's own data, and the screen */
    START_TRIES = 100,
    START_TRY_MICROSECONDS = 1000,
};

/* Of each processor but the first, whose stacks are in kernelStart.asm. */
struct stacks {
    uint8_t guard[PAGE_BYTES];
    uint8_t stack[STACK_BYTES];
    uint8_t fault_guard[PAGE_BYTES];
    uint8_t fault_stack[FAULT_STACK_BYTES];
};

extern const uint8_t kernelStackGuard[], kernelStack[], kernelStackTop[];
extern const uint8_t heapStackGuard[];
extern const uint8_t faultStackGuard[], faultStack[], faultStackTop[];
extern const uint8_t trampolineStart[], trampolineEnd[];
extern const uint32_t trampolineStackOffset;

__attribute__((noreturn)) void another_processor_main(void);

static struct stacks other_stacks[PROCESSORS_MAX - 1]
    __attribute__((section(".bss.stacks"), aligned(PAGE_BYTES)));

struct processor processors[PROCESSORS_MAX];
static struct processor *volatile starting; /* whom the trampoline leads to */

void processors_prepare(void)
{
    for (uint32_t i = 0; i < PROCESSORS_MAX; i++) {
        struct processor *processor = &processors[i];
        *processor = (struct processor){.self = processor, .index = i};
        if (i == 0)
            continue;
        struct stacks *own = &other_stacks[i - 1];
        processor->stack = (struct stack_span){own->stack, own->stack + STACK_BYTES};
        processor->fault_stack =
            (struct stack_span){own->fault_stack, own->fault_stack + FAULT_STACK_BYTES};
    }
    processors[0].is_running = true;
    processors[0].stack = (struct stack_span){kernelStack, kernelStackTop};
    processors[0].fault_stack = (struct stack_span){faultStack, faultStackTop};
}

void processors_visit_guards(guard_visit *visit, void *context)
{
    visit(context, kernelStackGuard, "the kernel stack overflowed");
    visit(context, heapStackGuard, "the heap's stack overflowed");
    visit(context, faultStackGuard, "the double fault's stack overflowed");
    for (uint32_t i = 0; i < PROCESSORS_MAX - 1; i++) {
        visit(context, other_stacks[i].guard, "the processor's stack overflowed");
        visit(context, other_stacks[i].fault_guard,
              "the stack of the processor's double fault overflowed");
    }
}

/* --- starting ---------------------------------------------------------------------------- */

static void wait_for_work(struct processor *self)
{
    while (self->work == NULL)
        __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory"); /* an interrupt waits for the hlt */
}

void another_processor_main(void)
{
    struct processor *self = starting;
    cpu_init_another(self);
    apic_enable();
    self->is_running = true;
    for (;;) {
        wait_for_work(self);
        self->work(self->index);
        __asm__ volatile("" : : : "memory");
        self->work = NULL;
    }
}

/* Returns: the number of a page below 1 MiB that is memory; 0 if there is none. */
static uint32_t find_trampoline_page(const struct boot_info *info)
{
    uint32_t page = TRAMPOLINE_PAGES_MAX - 1;
    while (page > 0 &&
           !memory_is_usable(info, page * PAGE_BYTES, (page + 1) * PAGE_BYTES))
        page--;
    return page;
}

static bool comes_up(const struct processor *processor)
{
    for (int tries = 0; tries < START_TRIES && !processor->is_running; tries++)
        pit_wait(START_TRY_MICROSECONDS);
    return processor->is_running;
}

static bool start_one(struct processor *processor, uint8_t *trampoline)
{
    uintptr_t top = (uintptr_t)processor->stack.end;
    __builtin_memcpy(trampoline + trampolineStackOffset, &top, sizeof(top));
    starting = processor;
    __asm__ volatile("mfence" : : : "memory");
    apic_start_processor(processor->apic_id, (uint8_t)((uintptr_t)trampoline / PAGE_BYTES));
    if (comes_up(processor))
        return true;
    console_print("# the processor with APIC id %u does not start: left out\n",
                  processor->apic_id);
    return false;
}

static uint32_t start_others(const struct acpi_platform *platform, uint32_t wanted,
                             uint8_t *trampoline)
{
    uint32_t running = 1;
    for (uint32_t i = 0; i < platform->processor_count && running < wanted; i++) {
        struct processor *processor = &processors[running];
        if (platform->processors[i] == processors[0].apic_id)
            continue;
        processor->apic_id = platform->processors[i];
        running += start_one(processor, trampoline);
    }
    return running;
}

static void just_wake_up(struct exception_frame *frame)
{
    (void)frame;
}

const char *processors_start(const struct boot_info *info, uint32_t wanted, uint32_t *running)
{
    static uint8_t kept[PAGE_BYTES]; /* what the loader or the firmware had in that page */
    struct acpi_platform platform;
    const void *rsdp = info->acpi_rsdp != NULL ? info->acpi_rsdp : cpu_search_rsdp();
    *running = 1;
    if (rsdp == NULL)
        return "ACPI: there is no RSDP, neither from the loader nor in the BIOS's memory";
    const char *wrong = acpi_read(rsdp, &platform);
    if (wrong == NULL)
        wrong = apic_unusable();
    if (wrong != NULL)
        return wrong;
    apic_init(&platform);
    apic_enable();
    processors[0].apic_id = apic_id();
    interrupt_set_handler(VECTOR_WAKE, just_wake_up);
    uint32_t page = find_trampoline_page(info);
    if (page == 0)
        return "no page of memory below 1 MiB, where processors start";
    uint8_t *trampoline = (uint8_t *)(uintptr_t)(page * PAGE_BYTES);
    __builtin_memcpy(kept, trampoline, PAGE_BYTES);
    __builtin_memcpy(trampoline, trampolineStart, (size_t)(trampolineEnd - trampolineStart));
    *running = start_others(&platform, wanted, trampoline);
    __builtin_memcpy(trampoline, kept, PAGE_BYTES);
    return NULL;
}

void processors_do(processor_work *work)
{
    for (uint32_t i = 1; i < PROCESSORS_MAX; i++) {
        if (!processors[i].is_running)
            continue;
        processors[i].work = work;
        apic_interrupt(processors[i].apic_id, VECTOR_WAKE);
    }
    work(0);
    for (uint32_t i = 1; i < PROCESSORS_MAX; i++)
        while (processors[i].is_running && processors[i].work != NULL)
            __asm__ volatile("pause" : : : "memory");
}

/* --- stopping ------------------------------------------------------------------------------ */

static volatile bool halting;

void processors_halt_others(void)
{
    halting = true;
    if (processors[1].is_running)
        apic_interrupt_others();
}

bool processors_are_halting(void)
{
    return halting;
}

void processor_halt(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}
