/* SPDX-License-Identifier: MIT */
/*
 * The processor's tables: segments, exceptions, pages.
 *
 * Memory stays where it is (virtual = physical), but three things fault that did not
 * before: address 0's page, the guard pages under the stacks, and writing to the kernel's
 * code and constants.
 */
#ifndef ARCH_X86_CPU_H
#define ARCH_X86_CPU_H

#include <stdbool.h>
#include <stdint.h>

/* Makes exceptions panics that say what happened, and sets the stacks' guard pages. */
void cpu_init(void);

struct processor;

/* The same for another processor, on itself. Requires: cpu_init() on the first. */
void cpu_init_another(struct processor *processor);

/* Returns: the ACPI tables' root, where a BIOS leaves it; NULL if it is not there. */
const void *cpu_search_rsdp(void);

/*
 * From here on, using a NULL pointer faults. Requires: whatever the boot loader left in
 * the first 4 KiB (QEMU leaves the list of modules and the command line) has been read.
 */
void cpu_guard_null(void);

/* The registers at an exception, as exceptions.asm leaves them. */
struct exception_frame {
    uint32_t edi, esi, ebp, esp_in_frame, ebx, edx, ecx, eax; /* PUSHAD */
    uint32_t vector;
    uint32_t error_code;
    uint32_t eip, cs, eflags; /* pushed by the processor */
};

/*
 * Hears of each exception but a double fault, before it becomes a panic. It may change the
 * frame. Returns: whether to go on from the frame; if not, the panic comes.
 */
typedef bool exception_hearer(struct exception_frame *frame);

/* From here on, hearer hears of exceptions, on all processors. */
void exceptions_hear(exception_hearer *hearer);

/* Explain an exception and panic, unless the hearer goes on. Called by exceptions.asm. */
void exception_raised(struct exception_frame *frame);
__attribute__((noreturn)) void double_fault_raised(void);

/* Task state segment; Intel SDM 3A, 7.2.1. */
struct task_state {
    uint32_t previous_task;
    uint32_t stacks[6];
    uint32_t cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, io_map;
};

#endif
