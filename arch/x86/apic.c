/* SPDX-License-Identifier: MIT */
/*
 * Source: Intel SDM 3A, chapter 11, "Advanced Programmable Interrupt Controller"; Intel 82093AA
 * I/O APIC data sheet, 3.2; Intel 8259A data sheet; MultiProcessor Specification 1.4, B.4.
 */
#include "apic.h"

#include <cpuid.h>
#include <stddef.h>

#include "panic.h"
#include "pit.h"
#include "ports.h"

/* Registers of the local APIC, as offsets in bytes. */
enum local_apic_register {
    APIC_ID = 0x20,
    APIC_END_OF_INTERRUPT = 0xb0,
    APIC_SPURIOUS = 0xf0,
    APIC_COMMAND_LOW = 0x300,
    APIC_COMMAND_HIGH = 0x310,
    APIC_TIMER = 0x320,
    APIC_TIMER_COUNT = 0x380,
    APIC_TIMER_LEFT = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0,
};

enum {
    APIC_ID_SHIFT = 24,
    APIC_SOFTWARE_ENABLE = 1 << 8,
    APIC_MASKED = 1 << 16,
    APIC_DIVIDE_BY_1 = 0xb,
};

enum apic_command {
    COMMAND_FIXED = 0 << 8,
    COMMAND_NMI = 4 << 8,
    COMMAND_INIT = 5 << 8,
    COMMAND_START_UP = 6 << 8,
    COMMAND_PENDING = 1 << 12,
    COMMAND_ASSERT = 1 << 14,
    COMMAND_TO_ALL_OTHERS = 3 << 18,
};

enum {
    IO_APIC_SELECT = 0x00,
    IO_APIC_WINDOW = 0x10,
    IO_APIC_VERSION = 1,
    IO_APIC_FIRST_ENTRY = 0x10, /* two registers an input */
    PIC_1_DATA = 0x21,
    PIC_2_DATA = 0xa1,
    PIC_ALL_MASKED = 0xff,
};

enum { APIC_BASE = 0x1b, APIC_BASE_X2APIC = 1 << 10 }; /* a model-specific register */

enum { INIT_MICROSECONDS = 10000, START_UP_MICROSECONDS = 200, VECTORS = 256 };

static volatile uint8_t *local_apic; /* the same address leads each processor to its own */
static interrupt_handler *handlers[VECTORS];

static uint32_t read_register(enum local_apic_register which)
{
    return *(volatile uint32_t *)(local_apic + which);
}

static void write_register(enum local_apic_register which, uint32_t value)
{
    *(volatile uint32_t *)(local_apic + which) = value;
}

/* --- interrupts ------------------------------------------------------------------------ */

void interrupt_set_handler(enum interrupt_vector vector, interrupt_handler *handler)
{
    handlers[vector] = handler;
}

void interrupt_raised(struct exception_frame *frame)
{
    if (frame->vector == VECTOR_SPURIOUS)
        return; /* nobody sent it: it is not to be acknowledged (SDM 3A, 11.9) */
    if (handlers[frame->vector] == NULL)
        panic("interrupt 0x%02x came, and nothing handles it", frame->vector);
    write_register(APIC_END_OF_INTERRUPT, 0);
    handlers[frame->vector](frame);
}

/* --- controllers ------------------------------------------------------------------------- */

static void io_apic_write(uint32_t io_apic, uint32_t index, uint32_t value)
{
    volatile uint8_t *registers = (volatile uint8_t *)(uintptr_t)io_apic;
    *(volatile uint32_t *)(registers + IO_APIC_SELECT) = index;
    *(volatile uint32_t *)(registers + IO_APIC_WINDOW) = value;
}

static uint32_t io_apic_read(uint32_t io_apic, uint32_t index)
{
    volatile uint8_t *registers = (volatile uint8_t *)(uintptr_t)io_apic;
    *(volatile uint32_t *)(registers + IO_APIC_SELECT) = index;
    return *(volatile uint32_t *)(registers + IO_APIC_WINDOW);
}

static void mask_all_inputs(uint32_t io_apic)
{
    uint32_t last = io_apic_read(io_apic, IO_APIC_VERSION) >> 16 & 0xff;
    for (uint32_t input = 0; input <= last; input++)
        io_apic_write(io_apic, IO_APIC_FIRST_ENTRY + 2 * input, APIC_MASKED);
}

/* SDM 3A, 11.4.2 and 11.12.1. */
static bool is_in_x2apic_mode(void)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(APIC_BASE));
    return (low & APIC_BASE_X2APIC) != 0;
}

const char *apic_unusable(void)
{
    uint32_t eax, ebx, ecx, edx;
    if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (edx & bit_APIC) == 0)
        return "the processor has no APIC, or it is turned off";
    return is_in_x2apic_mode() ? "the processor's APIC is in x2APIC mode, which is not known here"
                               : NULL;
}

void apic_init(const struct acpi_platform *platform)
{
    local_apic = (volatile uint8_t *)(uintptr_t)platform->local_apic_address;
    if (platform->has_8259) {
        port_write_byte(PIC_1_DATA, PIC_ALL_MASKED);
        port_write_byte(PIC_2_DATA, PIC_ALL_MASKED);
    }
    for (uint32_t i = 0; i < platform->io_apic_count; i++)
        mask_all_inputs(platform->io_apics[i]);
}

void apic_enable(void)
{
    write_register(APIC_TIMER, APIC_MASKED);
    write_register(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_1);
    write_register(APIC_SPURIOUS, APIC_SOFTWARE_ENABLE | VECTOR_SPURIOUS);
}

uint32_t apic_id(void)
{
    return read_register(APIC_ID) >> APIC_ID_SHIFT;
}

/* --- from one processor to another ----------------------------------------------------------- */

static void command(uint32_t id, uint32_t what)
{
    while ((read_register(APIC_COMMAND_LOW) & COMMAND_PENDING) != 0)
        __asm__ volatile("pause");
    write_register(APIC_COMMAND_HIGH, id << APIC_ID_SHIFT);
    write_register(APIC_COMMAND_LOW, what | COMMAND_ASSERT); /* and off it goes */
}

void apic_interrupt(uint32_t id, enum interrupt_vector vector)
{
    command(id, COMMAND_FIXED | vector);
}

void apic_start_processor(uint32_t id, uint8_t page)
{
    command(id, COMMAND_INIT);
    pit_wait(INIT_MICROSECONDS);
    for (int attempt = 0; attempt < 2; attempt++) {
        command(id, COMMAND_START_UP | page);
        pit_wait(START_UP_MICROSECONDS);
    }
}

void apic_interrupt_others(void)
{
    command(0, COMMAND_NMI | COMMAND_TO_ALL_OTHERS);
}

void apic_timer_after(uint32_t ticks)
{
    write_register(APIC_TIMER, ticks == 0 ? APIC_MASKED : VECTOR_TIMER);
    write_register(APIC_TIMER_COUNT, ticks);
}

/* The least of a few tries: who emulates a processor may be kept waiting in the midst of one. */
uint32_t apic_timer_ticks(uint32_t microseconds)
{
    uint32_t least = UINT32_MAX;
    write_register(APIC_TIMER, APIC_MASKED);
    for (int attempt = 0; attempt < 3; attempt++) {
        write_register(APIC_TIMER_COUNT, UINT32_MAX);
        pit_wait(microseconds);
        uint32_t ticks = UINT32_MAX - read_register(APIC_TIMER_LEFT);
        least = ticks < least ? ticks : least;
    }
    write_register(APIC_TIMER_COUNT, 0);
    return least > 0 ? least : 1;
}
