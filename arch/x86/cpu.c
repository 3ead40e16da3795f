/* SPDX-License-Identifier: MIT */
/* Source: Intel SDM 3A: 3.4 (segments), 4.3 (32-bit paging), 6.11 (gates), 7.2 (tasks). */
#include "cpu.h"


#include "acpi.h"
#include "processor.h"

extern const uint32_t exceptionStubs[], interruptStubs[];
void doubleFaultEntry(void);
extern const uint8_t _kernel_start[], _data_start[];

enum { EXCEPTIONS = 32, VECTOR_DOUBLE_FAULT = 8, VECTORS = 256 };

/* Selectors: a descriptor's index times 8. Each processor has three of its own. */
enum { CODE = 1 << 3, DATA = 2 << 3, OWN_FIRST = 3, OWN_SEGMENTS = 3 };
enum own_segment { OWN_DATA, OWN_MAIN_TASK, OWN_FAULT_TASK };
enum { SEGMENTS = OWN_FIRST + OWN_SEGMENTS * PROCESSORS_MAX };

_Static_assert(sizeof(struct exception_frame) == 13 * 4, "exceptions.asm pushes 13 words");
_Static_assert(sizeof(struct task_state) == 104, "SDM 3A, figure 7-2");

/* --- segments and tasks -------------------------------------------------------------- */

enum {
    FLAT_CODE = 0x9a, /* present, ring 0, code, readable */
    FLAT_DATA = 0x92, /* present, ring 0, data, writable */
    TASK = 0x89,      /* present, ring 0, available 32-bit task */
    PAGES_OF_32_BIT = 0xc,
    BYTES_OF_32_BIT = 0x4,
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

static uint32_t own_index(const struct processor *processor, enum own_segment which)
{
    return OWN_FIRST + OWN_SEGMENTS * processor->index + which;
}

static uint32_t own_selector(const struct processor *processor, enum own_segment which)
{
    return own_index(processor, which) * (uint32_t)sizeof(struct descriptor);
}

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

static void fill_segments(const struct processor *processor)
{
    segments[CODE / 8] = describe(0, 0xfffff, FLAT_CODE, PAGES_OF_32_BIT);
    segments[DATA / 8] = describe(0, 0xfffff, FLAT_DATA, PAGES_OF_32_BIT);
    segments[own_index(processor, OWN_DATA)] =
        describe((uintptr_t)processor, sizeof(*processor) - 1, FLAT_DATA, BYTES_OF_32_BIT);
    segments[own_index(processor, OWN_MAIN_TASK)] = describe_task(&processor->main_task);
    segments[own_index(processor, OWN_FAULT_TASK)] = describe_task(&processor->fault_task);
}

static void load_segments(const struct processor *processor)
{
    fill_segments(processor);
    const struct table_register table = {sizeof(segments) - 1, (uintptr_t)segments};
    __asm__ volatile("lgdt %0\n\t"
                     "ljmpl %1, $1f\n"
                     "1:\n\t"
                     "mov %2, %%ds\n\t"
                     "mov %2, %%es\n\t"
                     "mov %3, %%fs\n\t"
                     "mov %2, %%gs\n\t"
                     "mov %2, %%ss"
                     :
                     : "m"(table), "i"(CODE), "r"(DATA), "r"(own_selector(processor, OWN_DATA))
                     : "memory");
}

/* A double fault must not trust the stack it finds: it gets a task, and so a stack. */
static void load_tasks(struct processor *processor, uint32_t page_directory)
{
    processor->fault_task = (struct task_state){
        .cr3 = page_directory,
        .eip = (uintptr_t)doubleFaultEntry,
        .esp = (uintptr_t)processor->fault_stack.end,
        .eflags = 2, /* the bit that is always set; interrupts off */
        .cs = CODE,
        .ss = DATA, .ds = DATA, .es = DATA, .gs = DATA,
        .fs = own_selector(processor, OWN_DATA),
        .io_map = sizeof(struct task_state),
    };
    processor->main_task.io_map = sizeof(struct task_state);
    __asm__ volatile("ltr %w0" : : "r"(own_selector(processor, OWN_MAIN_TASK)));
}

/* --- exceptions ------------------------------------------------------------------------- */

enum { INTERRUPT_GATE = 0x8e, TASK_GATE = 0x85 };

struct gate {
    uint16_t offset_low, selector;
    uint8_t zero, access;
    uint16_t offset_high;
};

/* Of each processor: the task of a double fault is its own. */
static struct gate gates[PROCESSORS_MAX][VECTORS];

static struct gate gate_to(uint32_t stub)
{
    return (struct gate){.offset_low = (uint16_t)stub,
                         .selector = CODE,
                         .access = INTERRUPT_GATE,
                         .offset_high = (uint16_t)(stub >> 16)};
}

static void load_gates(const struct processor *processor)
{
    struct gate *own = gates[processor->index];
    for (uint32_t vector = 0; vector < EXCEPTIONS; vector++)
        own[vector] = gate_to(exceptionStubs[vector]);
    for (uint32_t vector = EXCEPTIONS; vector < VECTORS; vector++)
        own[vector] = gate_to(interruptStubs[vector - EXCEPTIONS]);
    own[VECTOR_DOUBLE_FAULT] = (struct gate){
        .selector = (uint16_t)own_selector(processor, OWN_FAULT_TASK), .access = TASK_GATE};
    const struct table_register table = {sizeof(gates[0]) - 1, (uintptr_t)own};
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

static void guard(void *context, const void *page, const char *meaning)
{
    (void)context, (void)meaning;
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
    processors_visit_guards(guard, NULL);
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

static void load_tables(struct processor *processor)
{
    load_segments(processor);
    load_tasks(processor, (uintptr_t)page_directory);
    load_gates(processor);
    turn_paging_on();
}

void cpu_init(void)
{
    processors_prepare();
    fill_page_tables();
    load_tables(&processors[0]);
}

void cpu_init_another(struct processor *processor)
{
    load_tables(processor);
}

void cpu_guard_null(void)
{
    guard(NULL, NULL, NULL);
    __asm__ volatile("invlpg (%0)" : : "r"(NULL) : "memory");
}

/* Source: ACPI 6.5, 5.2.5.1. The EBDA, 1 KiB long, begins somewhere in the first of the two. */
const void *cpu_search_rsdp(void)
{
    const void *found = acpi_search_rsdp((const uint8_t *)0x80000, (const uint8_t *)0xa0000);
    return found != NULL ? found
                         : acpi_search_rsdp((const uint8_t *)0xe0000, (const uint8_t *)0x100000);
}
