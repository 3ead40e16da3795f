/* SPDX-License-Identifier: MIT */
/* Source: Intel SDM 3A, 6.15, "Exception and Interrupt Reference". */
#include <stdbool.h>
#include <stddef.h>

#include "backtrace.h"
#include "console.h"
#include "cpu.h"
#include "machine.h"
#include "panic.h"
#include "processor.h"

enum { PAGE_BYTES = 4096, VECTOR_NMI = 2, VECTOR_PAGE_FAULT = 14 };

enum page_fault_bit { FAULT_PROTECTION = 1 << 0, FAULT_WRITE = 1 << 1, FAULT_FETCH = 1 << 4 };

static const char *const exception_names[32] = {
    "divide error", "debug", "non-maskable interrupt", "breakpoint", "overflow",
    "bound range exceeded", "invalid opcode", "device not available", "double fault",
    "coprocessor segment overrun", "invalid TSS", "segment not present", "stack fault",
    "general protection", "page fault", "reserved exception 15", "x87 floating-point error",
    "alignment check", "machine check", "SIMD floating-point error", "virtualization",
    "control protection", "reserved exception 22", "reserved exception 23",
    "reserved exception 24", "reserved exception 25", "reserved exception 26",
    "reserved exception 27", "hypervisor injection", "VMM communication", "security",
    "reserved exception 31"};

/* Which guard page an address lies in, and what that means; NULL: in none. */
struct guard_search {
    uint32_t address;
    const char *meaning;
};

static void compare_guard(void *context, const void *page, const char *meaning)
{
    struct guard_search *search = context;
    if (search->address / PAGE_BYTES == (uintptr_t)page / PAGE_BYTES)
        search->meaning = meaning;
}

static const char *overflow_at(uint32_t address)
{
    struct guard_search search = {.address = address};
    processors_visit_guards(compare_guard, &search);
    return search.meaning;
}

static const char *meaning_of(uint32_t address)
{
    return address < PAGE_BYTES ? "a NULL pointer was used" : overflow_at(address);
}

static uint32_t faulting_address(void)
{
    uint32_t address;
    __asm__ volatile("mov %%cr2, %0" : "=r"(address));
    return address;
}

static const char *access_name(uint32_t error_code)
{
    if ((error_code & FAULT_FETCH) != 0)
        return "executing";
    return (error_code & FAULT_WRITE) != 0 ? "writing" : "reading";
}

static void show_page_fault(uint32_t address, uint32_t error_code)
{
    const char *meaning = meaning_of(address);
    console_print("\npanic: page fault %s 0x%08x: %s\n", access_name(error_code), address,
                  meaning != NULL                          ? meaning
                  : (error_code & FAULT_PROTECTION) != 0 ? "that page may only be read"
                                                           : "nothing is mapped there");
}

static void show_registers(const struct exception_frame *frame, uint32_t esp)
{
    console_print("eax %08x  ebx %08x  ecx %08x  edx %08x\n", frame->eax, frame->ebx, frame->ecx,
                  frame->edx);
    console_print("esi %08x  edi %08x  ebp %08x  esp %08x\n", frame->esi, frame->edi, frame->ebp,
                  esp);
    console_print("eip %08x  cs  %04x      eflags %08x  error code %x  vector %u\n", frame->eip,
                  frame->cs, frame->eflags, frame->error_code, frame->vector);
}

/* A fault while one is explained must not be explained in turn: it would never end. */
static void stop_if_explaining(void)
{
    static bool explaining;
    panic_one_at_a_time();
    if (explaining)
        machine_stop(MACHINE_PANICKED);
    explaining = true;
}

/* Where there are several. */
static void show_processor(void)
{
    if (processors[1].is_running)
        console_print("on processor %u\n", processor_self()->index);
}

__attribute__((noreturn)) static void explain(const struct exception_frame *frame, uint32_t esp)
{
    show_processor();
    show_registers(frame, esp);
    backtrace_show(
        (struct execution_point){.eip = frame->eip, .esp = esp, .ebp = frame->ebp});
    panic_last_words();
    machine_stop(MACHINE_PANICKED);
}

static exception_hearer *hears;

void exceptions_hear(exception_hearer *hearer)
{
    hears = hearer;
}

void exception_raised(struct exception_frame *frame)
{
    if (frame->vector == VECTOR_NMI && processors_are_halting())
        processor_halt();
    if (hears != NULL && hears(frame))
        return;
    stop_if_explaining();
    if (frame->vector == VECTOR_PAGE_FAULT)
        show_page_fault(faulting_address(), frame->error_code);
    else
        console_print("\npanic: %s\n", exception_names[frame->vector]);
    explain(frame, (uintptr_t)(frame + 1)); /* no change of ring: the stack went on there */
}

void double_fault_raised(void)
{
    stop_if_explaining();
    const struct task_state *task = &processor_self()->main_task;
    /* Unless a page fault was the first of the two, the address is an old one, perhaps 0. */
    const char *overflow = overflow_at(faulting_address());
    const struct exception_frame frame = {
        .edi = task->edi, .esi = task->esi, .ebp = task->ebp, .ebx = task->ebx,
        .edx = task->edx, .ecx = task->ecx, .eax = task->eax, .vector = 8,
        .eip = task->eip, .cs = task->cs, .eflags = task->eflags,
    };
    if (overflow != NULL)
        console_print("\npanic: %s (0x%08x), found by a double fault\n", overflow,
                      faulting_address());
    else
        console_print("\npanic: double fault\n");
    explain(&frame, task->esp);
}
