/* SPDX-License-Identifier: MIT */
/* Source: Intel SDM 3A: 3.4 (segments), 4.3 (32-bit paging), 6.11 (gates), 7.2 (tasks). */
#include "cpu.h"

#include <stddef.h>

extern const uint32_t exceptionStubs[];
void doubleFaultEntry(void);
extern uint8_t kernelStackGuard[], heapStackGuard[], faultStackGuard[], faultStackTop[];
extern const uint8_t _kernel_start[], _data_start[];

enum { EXCEPTIONS = 32, VECTOR_DOUBLE_FAULT = 8 };

/* Selectors: a descriptor's index times 8. */
enum selector { CODE = 1 << 3, DATA = 2 << 3, MAIN_TASK = 3 << 3, FAULT_TASK = 4 << 3, SEGMENTS = 5 };

_Static_assert(sizeof(struct exception_frame) == 13 * 4, "exceptions.asm pushes 13 words");
_Static_assert(sizeof(struct task_state) == 104, "SDM 3A, figure 7-2");

/* --- segments and tasks -------------------------------------------------------------- */

enum {
    FLAT_CODE = 0x9a, /* present, ring 0, code, readable */
    FLAT_DATA = 0x92, /* present, ring 0, data, writable */
    TASK = 0x89,      /* present, ring 0, available 32-bit task */
    PAGES_OF_32_BIT = 0xc,
};

struct descriptor {
    uint16_t limit_low, base_low;
    uint8_t base_middle, access, flags_and_limit_high, base_high;
};

struct table_register {
    uint16_t limit;
    uint32_t base;
} __attribute__((packed));

static struct descriptor segments[SEGMENTS];
static struct task_state main_task, fault_task;

static struct descriptor describe(uint32_t base, uint32_t limit, uint8_t access, uint8_t flags)
{
    return (struct descriptor){
        .limit_low = (uint16_t)limit,
        .base_low = (uint16_t)base,
        .base_middle = (uint8_t)(base >> 16),
        .access = access,
        .flags_and_limit_high = (uint8_t)(flags << 4 | (limit >> 16 & 0xf)),
        .base_high = (uint8_t)(base >> 24),
    };
}

static struct descriptor describe_task(const struct task_state *task)
{
    return describe((uintptr_t)task, sizeof(*task) - 1, TASK, 0);
}

static void load_segments(void)
{
    segments[CODE / 8] = describe(0, 0xfffff, FLAT_CODE, PAGES_OF_32_BIT);
    segments[DATA / 8] = describe(0, 0xfffff, FLAT_DATA, PAGES_OF_32_BIT);
    segments[MAIN_TASK / 8] = describe_task(&main_task);
    segments[FAULT_TASK / 8] = describe_task(&fault_task);
    const struct table_register table = {sizeof(segments) - 1, (uintptr_t)segments};
    __asm__ volatile("lgdt %0\n\t"
                     "ljmpl %1, $1f\n"
                     "1:\n\t"
                     "mov %2, %%ds\n\t"
                     "mov %2, %%es\n\t"
                     "mov %2, %%fs\n\t"
                     "mov %2, %%gs\n\t"
                     "mov %2, %%ss"
                     :
                     : "m"(table), "i"(CODE), "r"(DATA)
                     : "memory");
}

/* A double fault must not trust the stack it finds: it gets a task, and so a stack. */
static void load_tasks(uint32_t page_directory)
{
    fault_task = (struct task_state){
        .cr3 = page_directory,
        .eip = (uintptr_t)doubleFaultEntry,
        .esp = (uintptr_t)faultStackTop,
        .eflags = 2, /* the bit that is always set; interrupts off */
        .cs = CODE,
        .ss = DATA, .ds = DATA, .es = DATA, .fs = DATA, .gs = DATA,
        .io_map = sizeof(struct task_state),
    };
    main_task.io_map = sizeof(struct task_state);
    __asm__ volatile("ltr %w0" : : "r"(MAIN_TASK));
}

const struct task_state *cpu_interrupted_task(void)
{
    return &main_task;
}

/* --- exceptions ------------------------------------------------------------------------- */

enum { INTERRUPT_GATE = 0x8e, TASK_GATE = 0x85 };

struct gate {
    uint16_t offset_low, selector;
    uint8_t zero, access;
    uint16_t offset_high;
};

static struct gate gates[EXCEPTIONS];

static void load_gates(void)
{
    for (uint32_t vector = 0; vector < EXCEPTIONS; vector++)
        gates[vector] = (struct gate){
            .offset_low = (uint16_t)exceptionStubs[vector],
            .selector = CODE,
            .access = INTERRUPT_GATE,
            .offset_high = (uint16_t)(exceptionStubs[vector] >> 16),
        };
    gates[VECTOR_DOUBLE_FAULT] = (struct gate){.selector = FAULT_TASK, .access = TASK_GATE};
    const struct table_register table = {sizeof(gates) - 1, (uintptr_t)gates};
    __asm__ volatile("lidt %0" : : "m"(table));
}

/* --- pages ----------------------------------------------------------------------------- */

enum {
    ENTRIES = 1024,
    PAGE_BYTES = 4096,
    LARGE_PAGE_BYTES = ENTRIES * PAGE_BYTES,
    PRESENT = 1 << 0,
    WRITABLE = 1 << 1,
    LARGE = 1 << 7,
    CR0_WRITE_PROTECT = 1 << 16,
    CR4_LARGE_PAGES = 1 << 4,
};

#define CR0_PAGING (1U << 31)

static _Alignas(PAGE_BYTES) uint32_t page_directory[ENTRIES];
static _Alignas(PAGE_BYTES) uint32_t first_pages[ENTRIES]; /* of the first 4 MiB */

static void guard(const void *page)
{
    first_pages[(uintptr_t)page / PAGE_BYTES] = 0;
}

static void fill_page_tables(void)
{
    uint32_t read_only_from = (uintptr_t)_kernel_start / PAGE_BYTES;
    uint32_t read_only_to = (uintptr_t)_data_start / PAGE_BYTES;
    for (uint32_t i = 0; i < ENTRIES; i++) {
        uint32_t access = i >= read_only_from && i < read_only_to ? PRESENT : PRESENT | WRITABLE;
        first_pages[i] = i * PAGE_BYTES | access;
        page_directory[i] = i * (uint32_t)LARGE_PAGE_BYTES | LARGE | PRESENT | WRITABLE;
    }
    page_directory[0] = (uintptr_t)first_pages | PRESENT | WRITABLE;
    guard(kernelStackGuard);
    guard(heapStackGuard);
    guard(faultStackGuard);
}

static void turn_paging_on(void)
{
    uint32_t cr0, cr4;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_LARGE_PAGES));
    __asm__ volatile("mov %0, %%cr3" : : "r"(page_directory));
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("mov %0, %%cr0" : : "r"(cr0 | CR0_PAGING | CR0_WRITE_PROTECT) : "memory");
}

void cpu_init(void)
{
    load_segments();
    load_tasks((uintptr_t)page_directory);
    load_gates();
    fill_page_tables();
    turn_paging_on();
}

void cpu_guard_null(void)
{
    guard(NULL);
    __asm__ volatile("invlpg (%0)" : : "r"(NULL) : "memory");
}
